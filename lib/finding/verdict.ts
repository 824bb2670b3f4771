/** How far the lifetime of a recorded certificate is over. */
import { formatMs, parseMs } from "../certificate/time.ts";
import type { CertificateRecord } from "../state/document.ts";

/** Fraction of its lifetime left at `atMs`, at most 1, negative once expired. */
export function fractionLeft(record: CertificateRecord, atMs: number): number {
  const from = parseMs(record.notBefore);
  const until = parseMs(record.notAfter);
  if (until <= from) return -1;
  return Math.min(1, (until - atMs) / (until - from));
}

/** The instant at which only `fraction` of the lifetime is left. */
export function atFraction(record: CertificateRecord, fraction: number): string {
  const from = parseMs(record.notBefore);
  const until = parseMs(record.notAfter);
  const left = Math.round((until - from) * fraction);
  return formatMs(until - left);
}

/** How far the lifetime of a recorded certificate is over. */
import { formatInstant, parseInstant } from "../certificate/time.ts";
import type { CertificateRecord } from "../state/document.ts";

/** An instant that this project wrote itself, in nanoseconds. @throws RangeError for anything else */
export const instantNs = parseInstant;

export function msOf(ns: bigint): number {
  return Number(ns / 1_000_000n);
}

/** Fraction of its lifetime left at `atNs`, at most 1, negative once expired. */
export function fractionLeft(record: CertificateRecord, atNs: bigint): number {
  const from = instantNs(record.notBefore);
  const until = instantNs(record.notAfter);
  if (until <= from) return -1;
  return Math.min(1, Number(until - atNs) / Number(until - from));
}

/** The instant at which only `fraction` of the lifetime is left. */
export function atFraction(record: CertificateRecord, fraction: number): string {
  const from = instantNs(record.notBefore);
  const until = instantNs(record.notAfter);
  const left = BigInt(Math.round(Number((until - from) / 1_000_000n) * fraction)) * 1_000_000n;
  return formatInstant(until - left);
}

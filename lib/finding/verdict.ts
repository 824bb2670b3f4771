/** The verdict on a recorded certificate at an instant: the state keeps windows and reasons, time enters last. */
import { formatInstant, parseInstant } from "../certificate/time.ts";
import type { CertificateRecord } from "../state/document.ts";

export interface RecordVerdict {
  readonly valid: boolean;
  readonly reasons: readonly string[];
}

/** An instant that this project wrote itself, in nanoseconds. @throws RangeError for anything else */
export const instantNs = parseInstant;

export function msOf(ns: bigint): number {
  return Number(ns / 1_000_000n);
}

/** What the owner's check says of `record` at `atNs`. */
export function recordVerdict(record: CertificateRecord, atNs: bigint): RecordVerdict {
  if (record.windows.some(([from, until]) => instantNs(from) <= atNs && atNs <= instantNs(until))) {
    return { valid: true, reasons: [] };
  }
  const reasons = new Set(record.reasons);
  if (atNs > instantNs(record.notAfter)) reasons.add("expired");
  if (atNs < instantNs(record.notBefore)) reasons.add("not_yet_valid");
  if (reasons.size === 0)
    reasons.add(
      record.windows.some(([from]) => instantNs(from) > atNs)
        ? "intermediate_not_yet_valid"
        : "intermediate_expired",
    );
  return { valid: false, reasons: [...reasons] };
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

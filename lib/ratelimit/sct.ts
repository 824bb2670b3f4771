/**
 * When a certificate was issued: the earliest timestamp of its embedded SCTs, else its notBefore
 * with the issuer's back-dating taken off, and never later than it was first seen.
 *
 * `parseSctList` is total. An entry counts only if it is whole; what isn't is a problem with its
 * place. An SCT of an unknown version is passed over by its own length (RFC 6962 §3.3 lists them as
 * opaque).
 */

export type SctProblemCode =
  /** The bytes end before a length that was announced. */
  | "truncated"
  /** Bytes are left over after what the length announced. */
  | "trailing"
  /** An SCT's own lengths contradict the entry it lies in. */
  | "length_mismatch"
  /** A version other than 0. */
  | "unknown_version"
  /** The list, or an entry in it, holds nothing. */
  | "empty"
  /** Beyond what a date can hold. */
  | "timestamp_out_of_range";

export interface SctProblem {
  readonly code: SctProblemCode;
  /** Offset in bytes at which the entry (or the list) begins. */
  readonly at: number;
}

export interface SctList {
  /** In the order of the list, ms since the epoch. */
  readonly timestampsMs: readonly number[];
  readonly problems: readonly SctProblem[];
}

/** ECMAScript's last instant (ECMA-262 §21.4.1.1), ms since the epoch. */
const LAST_DATE_MS = 8_640_000_000_000_000n;
/** Version, log id and timestamp: the part of an SCT before its variable fields (RFC 6962 §3.2). */
const FIXED_LENGTH = 1 + 32 + 8;

function parseSct(view: DataView, start: number, end: number): number | SctProblemCode {
  if (end === start) return "empty";
  if (view.getUint8(start) !== 0) return "unknown_version";
  let pos = start + FIXED_LENGTH;
  if (pos + 2 > end) return "length_mismatch";
  const timestamp = view.getBigUint64(start + 33);
  pos += 2 + view.getUint16(pos);
  // digitally-signed: hash and signature algorithm, then a vector (RFC 5246 §4.7).
  if (pos + 4 > end) return "length_mismatch";
  pos += 4 + view.getUint16(pos + 2);
  if (pos !== end) return "length_mismatch";
  return timestamp > LAST_DATE_MS ? "timestamp_out_of_range" : Number(timestamp);
}

/**
 * A SignedCertificateTimestampList (RFC 6962 §3.3): the content of the inner OCTET STRING of the
 * extension.
 */
export function parseSctList(bytes: Uint8Array): SctList {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const timestampsMs: number[] = [];
  const problems: SctProblem[] = [];
  if (bytes.length < 2) return { timestampsMs, problems: [{ code: "truncated", at: 0 }] };
  const announced = 2 + view.getUint16(0);
  if (announced > bytes.length) problems.push({ code: "truncated", at: 0 });
  if (announced < bytes.length) problems.push({ code: "trailing", at: announced });
  if (announced === 2) problems.push({ code: "empty", at: 0 });
  const end = Math.min(announced, bytes.length);
  for (let pos = 2; pos < end;) {
    if (pos + 2 > end) {
      problems.push({ code: "truncated", at: pos });
      break;
    }
    const next = pos + 2 + view.getUint16(pos);
    if (next > end) {
      problems.push({ code: "truncated", at: pos });
      break;
    }
    const sct = parseSct(view, pos + 2, next);
    if (typeof sct === "number") timestampsMs.push(sct);
    else problems.push({ code: sct, at: pos });
    pos = next;
  }
  return { timestampsMs, problems };
}

/**
 * What an instant of issuance rests on: an SCT, the back-dated notBefore, or only that it was seen
 * by then.
 */
export type Basis = "sct" | "not_before" | "first_seen";

export interface IssuedAt {
  readonly issuedAtMs: number;
  readonly basis: Basis;
  /**
   * The certificate claims a later issuance than its first sight: a clock is off, and the claim
   * isn't believed.
   */
  readonly future: boolean;
  readonly problems: readonly SctProblem[];
}

export interface IssuedAtInput {
  /** `null`: the certificate has no SCT extension. */
  readonly sctList: Uint8Array | null;
  readonly notBeforeMs: number;
  readonly firstSeenMs: number;
  /** How far the issuer dates notBefore back; 0 if unknown. */
  readonly backdateMs: number;
}

/**
 * The earliest of (earliest SCT, or notBefore + back-dating where there is none) and first sight.
 */
export function issuedAt(input: IssuedAtInput): IssuedAt {
  const list =
    input.sctList === null ? { timestampsMs: [], problems: [] } : parseSctList(input.sctList);
  // Not Math.min over a spread: a list may hold thousands.
  const earliest = list.timestampsMs.reduce<number | null>(
    (least, next) => (least === null || next < least ? next : least),
    null,
  );
  return {
    ...instantOf(earliest, input.notBeforeMs + input.backdateMs, input.firstSeenMs),
    problems: list.problems,
  };
}

/** The same from instants already taken apart. */
export function instantOf(
  sctMs: number | null,
  notBeforeAtMs: number,
  firstSeenMs: number,
): Omit<IssuedAt, "problems"> {
  const claimedMs = sctMs ?? notBeforeAtMs;
  if (claimedMs > firstSeenMs)
    return { issuedAtMs: firstSeenMs, basis: "first_seen", future: true };
  return { issuedAtMs: claimedMs, basis: sctMs === null ? "not_before" : "sct", future: false };
}

/**
 * An issuer's revocation list (RFC 5280 §5): DER to what it says of one certificate. Total. A list
 * counts only if the leaf's own issuer signed it, it is of today (thisUpdate and nextUpdate), and
 * every critical extension is understood; all else is “not known”, never “good”.
 */
import { verify } from "node:crypto";
import { Der, TAG } from "../certificate/der.ts";
import type { Certificate } from "../certificate/parse.ts";
import { keyObjectOf } from "../certificate/publickey.ts";
import { formatMs } from "../certificate/time.ts";
import { readTime } from "../certificate/validity.ts";
import type { Revocation, RevocationGap } from "./view.ts";

/** What a list that is no whole one, or isn't understood, lacks. */
type ListLimit = "unread_extension" | "unread_entries" | "partial";

export interface RevocationList {
  readonly tbs: Buffer;
  readonly issuer: Buffer;
  /** Hexadecimal contents of the algorithm's identifier. */
  readonly algorithm: string;
  readonly signature: Uint8Array;
  /** Seconds since 1970. */
  readonly thisUpdate: number;
  readonly nextUpdate: number | null;
  /**
   * Date of revocation (seconds since 1970) by serial number, lower-case hexadecimal contents
   * octets.
   */
  readonly revoked: ReadonlyMap<string, number>;
  /** CRLReason (RFC 5280 §5.3.1) of those that say one, likewise. */
  readonly reasons: ReadonlyMap<string, number>;
  /** Addresses in issuingDistributionPoint (RFC 5280 §5.2.5); `null` where it has none. */
  readonly points: readonly string[] | null;
  /** What keeps it from being taken for a whole list of certificates of this issuer. */
  readonly limits: readonly ListLimit[];
}

/** Hexadecimal contents of object identifiers. */
const OID = {
  ecdsaSha256: "2a8648ce3d040302",
  ecdsaSha384: "2a8648ce3d040303",
  rsaSha256: "2a864886f70d01010b",
  rsaSha384: "2a864886f70d01010c",
  rsaSha512: "2a864886f70d01010d",
  issuingDistributionPoint: "551d1c",
  deltaCrlIndicator: "551d1b",
  reasonCode: "551d15",
} as const;

/** RFC 5280 §5.3.1, by number; 7 is not used. */
const REASONS = [
  "unspecified",
  "key_compromise",
  "ca_compromise",
  "affiliation_changed",
  "superseded",
  "cessation_of_operation",
  "certificate_hold",
  null,
  "remove_from_crl",
  "privilege_withdrawn",
  "aa_compromise",
] as const;

const HASHES: Readonly<Record<string, { readonly hash: string; readonly key: "ecdsa" | "rsa" }>> = {
  [OID.ecdsaSha256]: { hash: "sha256", key: "ecdsa" },
  [OID.ecdsaSha384]: { hash: "sha384", key: "ecdsa" },
  [OID.rsaSha256]: { hash: "sha256", key: "rsa" },
  [OID.rsaSha384]: { hash: "sha384", key: "rsa" },
  [OID.rsaSha512]: { hash: "sha512", key: "rsa" },
};

/** `null` where the bytes are no list of version 2. */
export function parseRevocationList(der: Uint8Array): RevocationList | null {
  const input = Der.of(der);
  const list = input.read(TAG.sequence);
  if (list === null || !input.empty) return null;
  const tbs = list.readElement(TAG.sequence);
  const outer = list.readElement(TAG.sequence);
  const signature = list.readBitString();
  if (
    tbs === null ||
    outer === null ||
    signature === null ||
    signature.paddingBits !== 0 ||
    !list.empty
  )
    return null;
  const content = readContent(tbs.slice(), outer.slice());
  return content === null ? null : { tbs: tbs.slice(), signature: signature.bytes, ...content };
}

/** TBSCertList (RFC 5280 §5.1.2); `outer` is the identifier of the list's own algorithm. */
function readContent(tbs: Buffer, outer: Buffer): Omit<RevocationList, "tbs" | "signature"> | null {
  const body = Der.of(tbs).read(TAG.sequence);
  if (body === null) return null;
  const version = body.readBigInteger();
  const inner = body.readElement(TAG.sequence);
  const issuer = body.readElement(TAG.sequence);
  const thisUpdate = readTime(body);
  if (
    version !== 1n ||
    inner === null ||
    issuer === null ||
    thisUpdate === null ||
    Buffer.compare(inner.slice(), outer) !== 0
  )
    return null;
  const algorithm = Der.of(inner.slice()).read(TAG.sequence)?.readOid() ?? null;
  if (algorithm === null) return null;
  const nextUpdate =
    body.peek(TAG.utcTime) || body.peek(TAG.generalizedTime) ? readTime(body) : null;
  const revoked = new Map<string, number>();
  const reasons = new Map<string, number>();
  const limits: ListLimit[] = [];
  if (body.peek(TAG.sequence)) {
    const entries = body.read(TAG.sequence);
    if (entries === null || !readEntries(entries, { revoked, reasons, limits })) return null;
  }
  const points = body.empty ? null : readListExtensions(body, limits);
  if (points === undefined) return null;
  const times = { thisUpdate, nextUpdate };
  return { issuer: issuer.slice(), algorithm, ...times, revoked, reasons, points, limits };
}

/**
 * The addresses in issuingDistributionPoint, `null` without one, and what limits the list into
 * `limits`. @returns `undefined` where they can't be read
 */
function readListExtensions(body: Der, limits: ListLimit[]): readonly string[] | null | undefined {
  const extensions = body.read(0xa0)?.read(TAG.sequence) ?? null;
  if (extensions === null || !body.empty) return undefined;
  let points: readonly string[] | null = null;
  while (!extensions.empty) {
    const extension = readExtension(extensions);
    if (extension === null) return undefined;
    if (extension.oid === OID.issuingDistributionPoint) {
      const read = readPoint(extension.value);
      if (read === null) return undefined;
      points = read.urls;
      limits.push(...read.limits);
    } else if (extension.oid === OID.deltaCrlIndicator || extension.critical)
      limits.push("unread_extension");
  }
  return points;
}

interface Extension {
  readonly oid: string;
  readonly critical: boolean;
  readonly value: Buffer;
}

function readExtension(from: Der): Extension | null {
  const sequence = from.read(TAG.sequence);
  const oid = sequence?.readOid() ?? null;
  if (sequence === null || oid === null) return null;
  const critical = sequence.peek(TAG.boolean) ? sequence.readBoolean() : false;
  const value = sequence.read(TAG.octetString);
  return critical === null || value === null || !sequence.empty
    ? null
    : { oid, critical, value: value.slice() };
}

const ENUMERATED = 0x0a;

function readEntries(
  entries: Der,
  {
    revoked,
    reasons,
    limits,
  }: {
    readonly revoked: Map<string, number>;
    readonly reasons: Map<string, number>;
    readonly limits: ListLimit[];
  },
): boolean {
  while (!entries.empty) {
    const entry = entries.read(TAG.sequence);
    const serial = entry?.readIntegerBytes() ?? null;
    const at = entry === null || serial === null ? null : readTime(entry);
    if (entry === null || serial === null || at === null) return false;
    revoked.set(serial.toString("hex"), at);
    if (entry.empty) continue;
    const extensions = entry.read(TAG.sequence);
    if (extensions === null) return false;
    while (!extensions.empty) {
      const extension = readExtension(extensions);
      if (extension === null) return false;
      if (extension.oid === OID.reasonCode) {
        const code = new Der(extension.value).read(ENUMERATED)?.slice();
        if (code?.length === 1) reasons.set(serial.toString("hex"), code[0] ?? 0);
      }
      // certificateIssuer is critical: the entry is of another issuer then (RFC 5280 §5.3.3).
      if (extension.critical && limits.length === 0) limits.push("unread_entries");
    }
  }
  return true;
}

/** RFC 5280 §5.2.5: fullName [0] { [0] names }, then flags [1] to [5]. */
function readPoint(
  value: Buffer,
): { readonly urls: string[]; readonly limits: ListLimit[] } | null {
  const sequence = new Der(value).read(TAG.sequence);
  if (sequence === null) return null;
  const urls: string[] = [];
  const limits: ListLimit[] = [];
  while (!sequence.empty) {
    const part = sequence.readAny();
    if (part === null) return null;
    const { tag } = sequence;
    if (tag === 0xa0) {
      const names = part.read(0xa0);
      if (names === null) return null;
      while (!names.empty) {
        const name = names.readAny();
        if (name === null) return null;
        if (names.tag === 0x86) urls.push(name.slice().toString("latin1"));
      }
      // [1] onlyContainsUserCerts holds for leaves; the others say that it isn't the whole list.
    } else if (tag !== 0x81) limits.push("partial");
  }
  return { urls, limits };
}

/** Whether the issuer signed the list with the key that it signed the leaf with. */
function isSignedBy(list: RevocationList, issuer: Certificate): boolean {
  const known = HASHES[list.algorithm];
  const key =
    known === undefined || issuer.publicKey.kind !== known.key
      ? null
      : keyObjectOf(issuer.publicKey);
  if (known === undefined || key === null) return false;
  try {
    return verify(known.hash, list.tbs, key, list.signature);
  } catch {
    return false;
  }
}

/**
 * Why the list says that a certificate was revoked, by the contents octets of its serial number;
 * `null` where it says nothing.
 */
export function revocationReason(list: RevocationList, serialDer: Uint8Array): string | null {
  return REASONS[list.reasons.get(Buffer.from(serialDer).toString("hex")) ?? -1] ?? null;
}

/** What the list, fetched from `url`, says of `leaf`, which `issuer` signed. */
export function isRevokedBy(
  list: RevocationList,
  view: {
    readonly leaf: Pick<Certificate, "serialDer">;
    readonly issuer: Certificate;
    readonly url: string;
    readonly nowMs: number;
  },
): Revocation {
  const unknown = (gap: RevocationGap): Revocation => ({ state: "unknown", gap });
  const { leaf, issuer, url, nowMs } = view;
  const at = (seconds: number): number => seconds * 1000;
  if (Buffer.compare(list.issuer, issuer.rawSubject) !== 0) return unknown({ gap: "other_issuer" });
  if (!isSignedBy(list, issuer)) return unknown({ gap: "bad_signature" });
  if (nowMs < at(list.thisUpdate)) return unknown({ gap: "to_come", atMs: at(list.thisUpdate) });
  if (list.nextUpdate === null) return unknown({ gap: "no_end" });
  if (nowMs > at(list.nextUpdate)) return unknown({ gap: "outdated", atMs: at(list.nextUpdate) });
  const revokedAt = list.revoked.get(leaf.serialDer.toString("hex"));
  const [limit] = list.limits;
  if (limit !== undefined) return unknown({ gap: limit });
  if (list.points !== null && !list.points.includes(url)) return unknown({ gap: "other_address" });
  return revokedAt === undefined
    ? { state: "good" }
    : { state: "revoked", at: formatMs(at(revokedAt)) };
}

/**
 * Hosts that an issuer's revocation lists are fetched from, as data: a certificate's own extension
 * says the address, and only what belongs to the issuer is asked. `*.` stands for one label.
 */
const HOSTS: Readonly<Record<string, readonly string[]>> = {
  // As its leaves have it: http://ye1.c.lencr.org/34.crl, read 2026-08-21.
  letsencrypt: ["*.c.lencr.org"],
  "letsencrypt-staging": ["*.c.lencr.org"],
};

/** Empty for an issuer that isn't asked. */
export function revocationHosts(issuer: string): readonly string[] {
  return Object.hasOwn(HOSTS, issuer) ? (HOSTS[issuer] ?? []) : [];
}

/** Whether `host` is one of `hosts`. */
export function isHostOf(host: string, hosts: readonly string[]): boolean {
  const lower = host.toLowerCase();
  return hosts.some((pattern) =>
    pattern.startsWith("*.")
      ? /^[a-z0-9-]+$/.test(lower.slice(0, -pattern.length + 1)) && lower.endsWith(pattern.slice(1))
      : lower === pattern,
  );
}

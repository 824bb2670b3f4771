/**
 * Sets of certificates looked up by subject: trust anchors, and the intermediates of a chain. The
 * order of insertion is kept and a certificate counts once, as in crypto/x509 cert_pool.go,
 * AddCert.
 */

import { Der, TAG } from "./der.ts";
import { type Certificate, parseCertificate } from "./parse.ts";
import { parsePemBlocks } from "./pem.ts";

export interface Pool {
  /** Those whose raw subject is these very bytes; what doesn't parse isn't among them. */
  bySubject(rawSubject: Uint8Array): readonly Certificate[];
  /** Those whose raw subject is the child's issuer, byte for byte. */
  parentsOf(child: Certificate): readonly Certificate[];
}

export interface Anchors extends Pool {
  /** Whether this very certificate is among them. */
  has(certificate: Certificate): boolean;
  /** What the set was made from, malformed ones included. */
  readonly ders: readonly Uint8Array[];
}

const NONE: readonly Certificate[] = [];

/** A set of certificates in DER, each parsed when its subject is first asked for. */
export function createAnchors(ders: Iterable<Uint8Array>): Anchors {
  const list = [...ders];
  let index: Map<string, Uint8Array[]> | null = null;
  const parsed = new Map<string, readonly Certificate[]>();

  function lookUp(key: string): readonly Certificate[] {
    const known = parsed.get(key);
    if (known !== undefined) return known;
    index ??= indexOf(list);
    const entries = index.get(key);
    if (entries === undefined) return NONE;
    const found = entries.map(parseCertificate).flatMap((p) => (p.ok ? [p.certificate] : []));
    parsed.set(key, found);
    return found;
  }

  return {
    bySubject: (rawSubject) => lookUp(keyOf(rawSubject)),
    parentsOf: (child) => lookUp(child.issuerKey),
    has: (certificate) =>
      lookUp(certificate.subjectKey).some(
        (anchor) => Buffer.compare(anchor.raw, certificate.raw) === 0,
      ),
    ders: list,
  };
}

/** All of several sets as one. */
export function uniteAnchors(...sets: readonly Anchors[]): Anchors {
  return createAnchors(sets.flatMap((set) => set.ders));
}

/**
 * As crypto/x509 AppendCertsFromPEM: blocks of type CERTIFICATE without headers; others are passed
 * over.
 */
export function anchorsFromPem(...pems: readonly (string | Uint8Array)[]): Anchors {
  return createAnchors(
    pems.flatMap((pem) =>
      parsePemBlocks(typeof pem === "string" ? Buffer.from(pem) : pem)
        .filter((block) => block.type === "CERTIFICATE" && Object.keys(block.headers).length === 0)
        .map((block) => block.bytes),
    ),
  );
}

/** A set of certificates that are parsed already. */
export function createPool(certificates: readonly Certificate[]): Pool {
  const bySubject = new Map<string, Certificate[]>();
  for (const certificate of certificates) {
    const key = certificate.subjectKey;
    const same = bySubject.get(key);
    if (same === undefined) bySubject.set(key, [certificate]);
    else if (
      !same.some(
        (other) => other === certificate || Buffer.compare(other.raw, certificate.raw) === 0,
      )
    ) {
      same.push(certificate);
    }
  }
  return {
    bySubject: (rawSubject) => bySubject.get(keyOf(rawSubject)) ?? NONE,
    parentsOf: (child) => bySubject.get(child.issuerKey) ?? NONE,
  };
}

function keyOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

function indexOf(ders: readonly Uint8Array[]): Map<string, Uint8Array[]> {
  const index = new Map<string, Uint8Array[]>();
  for (const der of ders) {
    const key = subjectKey(der);
    if (key === null) continue;
    const same = index.get(key);
    if (same === undefined) index.set(key, [der]);
    else if (!same.some((other) => Buffer.compare(other, der) === 0)) same.push(der);
  }
  return index;
}

/** The subject's place, found without parsing the rest. */
function subjectKey(der: Uint8Array): string | null {
  const tbs = Der.of(der).read(TAG.sequence)?.read(TAG.sequence) ?? null;
  if (tbs === null || !tbs.skipOptional(0xa0)) return null;
  if (tbs.read(TAG.integer) === null) return null;
  for (let i = 0; i < 3; i++) if (tbs.read(TAG.sequence) === null) return null;
  const subject = tbs.readElement(TAG.sequence);
  return subject === null ? null : subject.slice().toString("latin1");
}

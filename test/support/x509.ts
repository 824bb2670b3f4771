/**
 * Makes keys, certificates and revocation lists (RFC 5280) out of parts, right or wrong as asked:
 * what tests need is also the certificate that no honest authority would sign.
 *
 * Synchronous, so that thousands are made in a second. Takes no time from the clock. Nothing made
 * here is for use outside a sandbox.
 */
import { type KeyObject, createHash, generateKeyPairSync, sign } from "node:crypto";
import { isIP } from "node:net";
import {
  bitString,
  boolean,
  explicit,
  implicit,
  integer,
  integerHex,
  integerOctets,
  nothing,
  octetString,
  oid,
  printableString,
  sequence,
  set,
  time,
  utf8String,
} from "./asn1.ts";

export type KeyKind = "P-256" | "P-384" | "RSA" | "Ed25519";

/** A key pair with its SubjectPublicKeyInfo (DER). */
export interface KeyPair {
  readonly kind: KeyKind;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly spki: Buffer;
}

function generate(kind: KeyKind): { privateKey: KeyObject; publicKey: KeyObject } {
  if (kind === "RSA") return generateKeyPairSync("rsa", { modulusLength: 2048 });
  if (kind === "Ed25519") return generateKeyPairSync("ed25519");
  return generateKeyPairSync("ec", { namedCurve: kind });
}

/** Makes a key pair: well under a millisecond, but for RSA (2048 bits, some 50 ms). */
export function createKey(kind: KeyKind = "P-256"): KeyPair {
  const { privateKey, publicKey } = generate(kind);
  return { kind, privateKey, publicKey, spki: publicKey.export({ type: "spki", format: "der" }) };
}

/** Exporting costs as much as signing, and many leaves may share a key. */
const exported = new WeakMap<KeyPair, Map<string, string>>();

/**
 * A private key as PEM: `traditional` is SEC 1 for EC (as tailscaled writes it) and PKCS#1 for RSA;
 * Ed25519 has PKCS#8 only.
 */
export function keyPemOf(key: KeyPair, format: "traditional" | "pkcs8" = "traditional"): string {
  const type =
    format === "pkcs8" || key.kind === "Ed25519" ? "pkcs8" : key.kind === "RSA" ? "pkcs1" : "sec1";
  const known = exported.get(key) ?? new Map<string, string>();
  exported.set(key, known);
  const text = known.get(type) ?? key.privateKey.export({ type, format: "pem" }).toString();
  known.set(type, text);
  return text;
}

export type SignatureHash = "SHA-1" | "SHA-256" | "SHA-384" | "SHA-512";

const ecdsaOids = {
  "SHA-1": "1.2.840.10045.4.1",
  "SHA-256": "1.2.840.10045.4.3.2",
  "SHA-384": "1.2.840.10045.4.3.3",
  "SHA-512": "1.2.840.10045.4.3.4",
} as const;
const rsaOids = {
  "SHA-1": "1.2.840.113549.1.1.5",
  "SHA-256": "1.2.840.113549.1.1.11",
  "SHA-384": "1.2.840.113549.1.1.12",
  "SHA-512": "1.2.840.113549.1.1.13",
} as const;

function signed(
  tbsWith: (algorithm: Buffer) => Buffer,
  key: KeyPair,
  wanted?: SignatureHash,
): Buffer {
  const hash = wanted ?? (key.kind === "P-384" ? "SHA-384" : "SHA-256");
  const algorithm =
    key.kind === "Ed25519"
      ? sequence(oid("1.3.101.112"))
      : key.kind === "RSA"
        ? sequence(oid(rsaOids[hash]), nothing())
        : sequence(oid(ecdsaOids[hash]));
  const tbs = tbsWith(algorithm);
  const digest = key.kind === "Ed25519" ? null : hash.replace("-", "").toLowerCase();
  return sequence(tbs, algorithm, bitString(sign(digest, tbs, key.privateKey)));
}

/** Attributes of a distinguished name, in the order they are to stand in. */
export type Name = readonly (readonly ["C" | "O" | "OU" | "CN", string])[];

const attributeOids = { C: "2.5.4.6", O: "2.5.4.10", OU: "2.5.4.11", CN: "2.5.4.3" } as const;

/** DER of a distinguished name: PrintableString where the characters allow, else UTF8String. */
export function nameDer(name: Name): Buffer {
  return sequence(
    name.map(([attribute, value]) => {
      const text = /^[A-Za-z0-9 '()+,\-./:=?]*$/u.test(value)
        ? printableString(value)
        : utf8String(value);
      return set(sequence(oid(attributeOids[attribute]), text));
    }),
  );
}

/** One extension: OID, DER of its value. */
export interface Extension {
  readonly oid: string;
  readonly critical?: boolean;
  readonly value: Uint8Array;
}

export const extensionDer = ({ oid: id, critical, value }: Extension): Buffer =>
  sequence(oid(id), ...(critical === true ? [boolean(true)] : []), octetString(value));

/** Everything in a certificate before it is signed. */
export interface CertificateParts {
  /** Hex of a non-negative number, or the content octets as they are to be. */
  readonly serial: string | Uint8Array;
  readonly issuer: Buffer;
  readonly subject: Buffer;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly spki: Buffer;
  /** DER of each extension (`extensionDer`). */
  readonly extensions: readonly Buffer[];
  /** Default: SHA-384 for a P-384 signer, else SHA-256. */
  readonly hash?: SignatureHash;
}

/** DER of a certificate of version 3 over `parts`, signed by `signer`. */
export function certificateDer(parts: CertificateParts, signer: KeyPair): Buffer {
  const { serial } = parts;
  return signed(
    (algorithm) =>
      sequence(
        explicit(0, integer(2)),
        typeof serial === "string" ? integerHex(serial) : integerOctets(serial),
        algorithm,
        parts.issuer,
        sequence(time(parts.notBefore), time(parts.notAfter)),
        parts.subject,
        parts.spki,
        ...(parts.extensions.length === 0 ? [] : [explicit(3, sequence(...parts.extensions))]),
      ),
    signer,
    parts.hash,
  );
}

/** One line of a revocation list. */
export interface RevokedEntry {
  /** Hex. */
  readonly serial: string;
  readonly revokedAt: Date;
  /** CRLReason (RFC 5280 §5.3.1) by its number; default none is said. */
  readonly reason?: number;
}

const reasonExtension = (reason: number): Buffer =>
  sequence(extensionDer({ oid: "2.5.29.21", value: Buffer.from([0x0a, 1, reason]) }));

/** DER of a revocation list (RFC 5280 §5). */
export function revocationListDer(
  parts: {
    readonly issuer: Buffer;
    readonly keyId: Buffer;
    readonly thisUpdate: Date;
    readonly nextUpdate: Date;
    readonly revoked: readonly RevokedEntry[];
    readonly extensions?: readonly Buffer[];
  },
  signer: KeyPair,
): Buffer {
  const entries = parts.revoked.map((entry) =>
    sequence(
      integerHex(entry.serial),
      time(entry.revokedAt),
      ...(entry.reason === undefined ? [] : [reasonExtension(entry.reason)]),
    ),
  );
  const extensions = [
    extensionDer({ oid: "2.5.29.35", value: sequence(implicit(0, parts.keyId)) }),
    extensionDer({
      oid: "2.5.29.20",
      value: integer(Math.floor(parts.thisUpdate.getTime() / 1000)),
    }),
    ...(parts.extensions ?? []),
  ];
  return signed(
    (algorithm) =>
      sequence(
        integer(1),
        algorithm,
        parts.issuer,
        time(parts.thisUpdate),
        time(parts.nextUpdate),
        ...(entries.length === 0 ? [] : [sequence(entries)]),
        explicit(0, sequence(extensions)),
      ),
    signer,
  );
}

/**
 * Key identifier: SHA-1 over the whole SubjectPublicKeyInfo (RFC 5280 §4.2.1.2 leaves the method
 * open).
 */
export const keyIdOf = (key: KeyPair): Buffer => createHash("sha1").update(key.spki).digest();

/** subjectAltName: IP addresses as such, all else as dNSName. */
export function sanExtension(names: readonly string[], critical = false): Extension {
  return {
    oid: "2.5.29.17",
    critical,
    value: sequence(
      names.map((name) =>
        isIP(name) === 0
          ? implicit(2, Buffer.from(name, "latin1"))
          : implicit(7, addressOctets(name)),
      ),
    ),
  };
}

function addressOctets(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split(".").map(Number));
  const [head = "", tail] = address.split("::");
  const words = (text: string): string[] => (text === "" ? [] : text.split(":"));
  const before = words(head);
  const after = tail === undefined ? [] : words(tail);
  const zeros = Array<string>(8 - before.length - after.length).fill("0");
  return Buffer.from(
    [...before, ...(tail === undefined ? [] : zeros), ...after]
      .map((word) => word.padStart(4, "0"))
      .join(""),
    "hex",
  );
}

/** One signed certificate timestamp as it is to stand in a certificate. */
export interface SctParts {
  readonly timestampMs: number;
  readonly extensions?: Uint8Array;
}

const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);

/**
 * The embedded SCT list (RFC 6962 §3.2, §3.3). Log ids and signatures are bytes from `random`:
 * nothing that reads only the timestamps can tell, and no log would own up to them.
 */
export function sctExtension(
  scts: readonly SctParts[],
  random: (sizeBytes: number) => Uint8Array,
): Extension {
  const items = scts.map(({ timestampMs, extensions = Buffer.alloc(0) }) => {
    const stamp = Buffer.alloc(8);
    stamp.writeBigUInt64BE(BigInt(timestampMs));
    const bytes = random(32 + 70);
    const body = Buffer.concat([
      Buffer.from([0]),
      bytes.subarray(0, 32),
      stamp,
      u16(extensions.length),
      extensions,
      Buffer.from([4, 3]),
      u16(70),
      bytes.subarray(32),
    ]);
    return Buffer.concat([u16(body.length), body]);
  });
  const list = Buffer.concat(items);
  return {
    oid: "1.3.6.1.4.1.11129.2.4.2",
    value: octetString(Buffer.concat([u16(list.length), list])),
  };
}

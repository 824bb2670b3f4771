/**
 * Public keys of certificates, as crypto/x509 parser.go, parsePublicKey, accepts them, and as
 * OpenSSL keys made from the numbers read here (never from the certificate's own encoding,
 * which OpenSSL would judge by other rules).
 *
 * The four NIST curves that crypto/x509 knows (x509.go, namedCurveFromOID; FIPS 186-5 and SP
 * 800-186), as far as judging needs them: is a point on the curve, is a scalar in range. Numbers
 * are public here or compared once; nothing is signed.
 *
 * Signature algorithms of certificates: which of them an AlgorithmIdentifier names (crypto/x509
 * x509.go, getSignatureAlgorithmFromAI and signatureAlgorithmDetails).
 */
import { createPublicKey, type KeyObject } from "node:crypto";
import { Fields, OID, orNull } from "./asn1.ts";
import { type BitString, Der, rightAligned, TAG, unsignedValue } from "./der.ts";

export interface Curve {
  /** Name in OpenSSL. */
  name: string;
  title: "P-224" | "P-256" | "P-384" | "P-521";
  oid: string;
  /** Octets of a coordinate and, for these curves, of a scalar. */
  size: number;
  p: bigint;
  b: bigint;
  n: bigint;
}

const P256: Curve = {
  name: "prime256v1",
  title: "P-256",
  oid: OID.p256,
  size: 32,
  p: 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn,
  b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
  n: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
};

const CURVES: readonly Curve[] = [
  P256,
  {
    name: "secp384r1",
    title: "P-384",
    oid: OID.p384,
    size: 48,
    p: 0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffffn,
    b: 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn,
    n: 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
  },
  {
    name: "secp521r1",
    title: "P-521",
    oid: OID.p521,
    size: 66,
    p: (1n << 521n) - 1n,
    b: 0x0051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00n,
    n: 0x01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
  },
  {
    name: "secp224r1",
    title: "P-224",
    oid: OID.p224,
    size: 28,
    p: 0xffffffffffffffffffffffffffffffff000000000000000000000001n,
    b: 0xb4050a850c04b3abf54132565044b0b7d7bfd8ba270b39432355ffb4n,
    n: 0xffffffffffffffffffffffffffff16a2e0b8f03e13dd29455c5c2a3dn,
  },
];

/** The curve of an object identifier in hex; null for one that Go doesn't know. */
export function curveOf(oid: string): Curve | null {
  return CURVES.find((curve) => curve.oid === oid) ?? null;
}

/**
 * Whether the octets are an uncompressed point of the curve with coordinates below p (crypto/ecdsa
 * ParseUncompressedPublicKey; crypto/internal/fips140/nistec SetBytes). Compressed points and the
 * point at infinity aren't.
 */
function isPoint(curve: Curve, bytes: Uint8Array): boolean {
  if (bytes.length !== 1 + 2 * curve.size || bytes[0] !== 4) return false;
  const { p, b } = curve;
  const x = unsignedValue(bytes.subarray(1, 1 + curve.size));
  const y = unsignedValue(bytes.subarray(1 + curve.size));
  if (x >= p || y >= p) return false;
  return (y * y - (x * x - 3n) * x - b) % p === 0n;
}

export type PublicKey =
  | { kind: "rsa"; modulus: bigint; exponent: bigint; bits: number }
  | { kind: "ecdsa"; curve: Curve; point: Uint8Array }
  | { kind: "ed25519"; bytes: Uint8Array }
  | { kind: "dsa" }
  /** An algorithm that Go doesn't know: the certificate parses, but has no public key. */
  | { kind: "unknown" };

/** Text says what Go refuses; it then refuses the whole certificate. */
export function parsePublicKey(
  identifier: AlgorithmIdentifier,
  bits: BitString,
): PublicKey | { malformed: string } {
  const { oid, parameters } = identifier;
  if (oid === OID.ecPublicKey) {
    const curveOid = parameters === null ? null : Der.of(parameters).readOid();
    if (curveOid === null) return { malformed: "invalid ECDSA parameters" };
    const curve = curveOf(curveOid);
    if (curve === null) return { malformed: "unsupported elliptic curve" };
    const point = rightAligned(bits);
    return isPoint(curve, point)
      ? { kind: "ecdsa", curve, point }
      : { malformed: "public key is not a point of its curve" };
  }
  if (oid === OID.rsaEncryption) {
    if (
      parameters === null ||
      parameters.length !== 2 ||
      parameters[0] !== TAG.null ||
      parameters[1] !== 0
    ) {
      return { malformed: "RSA key missing NULL parameters" };
    }
    return parseRsa(rightAligned(bits));
  }
  if (oid === OID.ed25519) {
    if (parameters !== null) return { malformed: "Ed25519 key encoded with illegal parameters" };
    const bytes = rightAligned(bits);
    return bytes.length === 32
      ? { kind: "ed25519", bytes }
      : { malformed: "wrong Ed25519 public key size" };
  }
  if (oid === OID.dsa) return parseDsa(parameters, rightAligned(bits));
  return { kind: "unknown" };
}

function parseRsa(bytes: Uint8Array): PublicKey | { malformed: string } {
  const sequence = Der.of(bytes).read(TAG.sequence);
  if (sequence === null) return { malformed: "invalid RSA public key" };
  const modulus = sequence.readBigInteger();
  if (modulus === null) return { malformed: "invalid RSA modulus" };
  const exponent = sequence.readInt64();
  if (exponent === null) return { malformed: "invalid RSA public exponent" };
  if (modulus <= 0n) return { malformed: "RSA modulus is not a positive number" };
  if (exponent <= 0n) return { malformed: "RSA public exponent is not a positive number" };
  return { kind: "rsa", modulus, exponent, bits: bitLength(modulus) };
}

function parseDsa(
  parameters: Uint8Array | null,
  bytes: Uint8Array,
): PublicKey | { malformed: string } {
  const y = Der.of(bytes).readBigInteger();
  if (y === null) return { malformed: "invalid DSA public key" };
  const sequence = parameters === null ? null : Der.of(parameters).read(TAG.sequence);
  const numbers = [y];
  for (let i = 0; i < 3; i++) {
    const number = sequence?.readBigInteger() ?? null;
    if (number === null) return { malformed: "invalid DSA parameters" };
    numbers.push(number);
  }
  return numbers.every((number) => number > 0n)
    ? { kind: "dsa" }
    : { malformed: "zero or negative DSA parameter" };
}

/** Bits of a positive number. */
export function bitLength(value: bigint): number {
  const hex = value.toString(16);
  return (hex.length - 1) * 4 + (32 - Math.clz32(Number.parseInt(hex[0] as string, 16)));
}

const EC_SPKI_PREFIX: Record<Curve["title"], Buffer> = {
  "P-224": Buffer.from("304e301006072a8648ce3d020106052b81040021033a00", "hex"),
  "P-256": Buffer.from("3059301306072a8648ce3d020106082a8648ce3d030107034200", "hex"),
  "P-384": Buffer.from("3076301006072a8648ce3d020106052b81040022036200", "hex"),
  "P-521": Buffer.from("30819b301006072a8648ce3d020106052b8104002303818600", "hex"),
};
const ED25519_SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

/** A key for node:crypto; null for kinds that nothing can be verified with. */
export function keyObjectOf(key: PublicKey): KeyObject | null {
  try {
    switch (key.kind) {
      case "ecdsa":
        return spki(EC_SPKI_PREFIX[key.curve.title], key.point);
      case "ed25519":
        return spki(ED25519_SPKI_PREFIX, key.bytes);
      case "rsa":
        return createPublicKey({
          format: "jwk",
          key: { kty: "RSA", n: base64url(key.modulus), e: base64url(key.exponent) },
        });
      default:
        return null;
    }
  } catch {
    // OpenSSL refuses a key that Go would take; nothing verifies with it here.
    return null;
  }
}

function spki(prefix: Buffer, bytes: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([prefix, bytes]), format: "der", type: "spki" });
}

/** Unsigned big-endian octets in base64url, RFC 7518 §2. */
function base64url(value: bigint): string {
  const hex = value.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex").toString("base64url");
}

export function samePublicKey(a: PublicKey, b: PublicKey): boolean {
  if (a.kind === "rsa")
    return b.kind === "rsa" && a.modulus === b.modulus && a.exponent === b.exponent;
  if (a.kind === "ecdsa") {
    return b.kind === "ecdsa" && a.curve === b.curve && Buffer.compare(a.point, b.point) === 0;
  }
  if (a.kind === "ed25519") return b.kind === "ed25519" && Buffer.compare(a.bytes, b.bytes) === 0;
  return false;
}

type Hash = "md5" | "sha1" | "sha256" | "sha384" | "sha512";

export interface SignatureAlgorithm {
  /** As Go names it; "unknown" where it doesn't know it. */
  name: string;
  key: "rsa" | "dsa" | "ecdsa" | "ed25519" | "unknown";
  hash: Hash | null;
  pss: boolean;
}

/**
 * AlgorithmIdentifier as parser.go, parseAI, leaves it: parameters with their header, null if
 * absent.
 */
export interface AlgorithmIdentifier {
  oid: string;
  parameters: Uint8Array | null;
}

function algorithm(
  name: string,
  key: SignatureAlgorithm["key"],
  hash: Hash | null,
  pss = false,
): SignatureAlgorithm {
  return { name, key, hash, pss };
}

const UNKNOWN = algorithm("unknown", "unknown", null);
const ED25519 = algorithm("Ed25519", "ed25519", null);

const BY_OID: Record<string, SignatureAlgorithm> = {
  [OID.md5WithRsa]: algorithm("MD5-RSA", "rsa", "md5"),
  [OID.sha1WithRsa]: algorithm("SHA1-RSA", "rsa", "sha1"),
  [OID.isoSha1WithRsa]: algorithm("SHA1-RSA", "rsa", "sha1"),
  [OID.sha256WithRsa]: algorithm("SHA256-RSA", "rsa", "sha256"),
  [OID.sha384WithRsa]: algorithm("SHA384-RSA", "rsa", "sha384"),
  [OID.sha512WithRsa]: algorithm("SHA512-RSA", "rsa", "sha512"),
  [OID.dsaWithSha1]: algorithm("DSA-SHA1", "dsa", "sha1"),
  [OID.dsaWithSha256]: algorithm("DSA-SHA256", "dsa", "sha256"),
  [OID.ecdsaWithSha1]: algorithm("ECDSA-SHA1", "ecdsa", "sha1"),
  [OID.ecdsaWithSha256]: algorithm("ECDSA-SHA256", "ecdsa", "sha256"),
  [OID.ecdsaWithSha384]: algorithm("ECDSA-SHA384", "ecdsa", "sha384"),
  [OID.ecdsaWithSha512]: algorithm("ECDSA-SHA512", "ecdsa", "sha512"),
};

const PSS: Record<string, { algorithm: SignatureAlgorithm; saltLength: bigint }> = {
  [OID.sha256]: { algorithm: algorithm("SHA256-RSAPSS", "rsa", "sha256", true), saltLength: 32n },
  [OID.sha384]: { algorithm: algorithm("SHA384-RSAPSS", "rsa", "sha384", true), saltLength: 48n },
  [OID.sha512]: { algorithm: algorithm("SHA512-RSAPSS", "rsa", "sha512", true), saltLength: 64n },
};

export function signatureAlgorithmOf(identifier: AlgorithmIdentifier): SignatureAlgorithm {
  if (identifier.oid === OID.ed25519) return identifier.parameters === null ? ED25519 : UNKNOWN;
  if (identifier.oid !== OID.rsaPss) return BY_OID[identifier.oid] ?? UNKNOWN;
  const { parameters } = identifier;
  return (parameters === null ? null : orNull(() => pssAlgorithm(parameters))) ?? UNKNOWN;
}

/** x509.go, pssParameters: only one hash for both uses, salt as long as the hash, trailer 1. */
function pssAlgorithm(parameters: Uint8Array): SignatureAlgorithm | null {
  const fields = new Fields(parameters).sequence();
  const hash = readIdentifier(fields.explicitSequence(0));
  const mgf = readIdentifier(fields.explicitSequence(1));
  const saltLength = fields.explicitInt(2, false);
  const trailer = fields.explicitInt(3, true) ?? 1n;
  const mgfHash = readIdentifier(new Fields(mgf.parameters ?? new Uint8Array(0)).sequence());
  if (!isNullOrAbsent(hash.parameters) || !isNullOrAbsent(mgfHash.parameters)) return null;
  if (mgf.oid !== OID.mgf1 || mgfHash.oid !== hash.oid || trailer !== 1n) return null;
  const found = PSS[hash.oid];
  return found !== undefined && found.saltLength === saltLength ? found.algorithm : null;
}

function readIdentifier(fields: Fields): AlgorithmIdentifier {
  const oid = fields.oid();
  return { oid, parameters: fields.optionalRaw() };
}

function isNullOrAbsent(parameters: Uint8Array | null): boolean {
  return (
    parameters === null || (parameters.length === 2 && parameters[0] === 5 && parameters[1] === 0)
  );
}

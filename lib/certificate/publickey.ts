/**
 * Public keys of certificates, as crypto/x509 parser.go, parsePublicKey, accepts them, and as
 * OpenSSL keys made from the numbers read here (never from the certificate's own encoding,
 * which OpenSSL would judge by other rules).
 */

import { createPublicKey, type KeyObject } from "node:crypto";
import type { AlgorithmIdentifier } from "./algorithm.ts";
import { type Curve, curveOf, isPoint } from "./curve.ts";
import { type BitString, Der, rightAligned, TAG } from "./der.ts";
import { OID } from "./oid.ts";

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

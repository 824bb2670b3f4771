/**
 * The four NIST curves that crypto/x509 knows (x509.go, namedCurveFromOID; FIPS 186-5 and SP
 * 800-186), as far as judging needs them: is a point on the curve, is a scalar in range. Numbers
 * are public here or compared once; nothing is signed.
 */

import { unsignedValue } from "./der.ts";
import { OID } from "./oid.ts";

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
export function isPoint(curve: Curve, bytes: Uint8Array): boolean {
  if (bytes.length !== 1 + 2 * curve.size || bytes[0] !== 4) return false;
  const { p, b } = curve;
  const x = unsignedValue(bytes.subarray(1, 1 + curve.size));
  const y = unsignedValue(bytes.subarray(1 + curve.size));
  if (x >= p || y >= p) return false;
  return (y * y - (x * x - 3n) * x - b) % p === 0n;
}

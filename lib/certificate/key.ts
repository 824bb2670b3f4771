/**
 * Private keys as crypto/tls reads them (tls.go, X509KeyPair and parsePrivateKey): the first PEM
 * block whose type is PRIVATE KEY or ends in it, whatever it claims to be, tried as PKCS #1, then
 * PKCS #8, then SEC 1. Only the public key that belongs to it is kept: nothing here returns or logs
 * private numbers.
 */

import { createECDH, createPrivateKey, createPublicKey, type ECDH } from "node:crypto";
import { Fields, orNull } from "./asn1.ts";
import { type Curve, curveOf } from "./curve.ts";
import { TAG, unsignedValue } from "./der.ts";
import { OID } from "./oid.ts";
import { parsePemBlocks } from "./pem.ts";
import { bitLength, type PublicKey, samePublicKey } from "./publickey.ts";
import { parsePkcs1, type RsaNumbers } from "./rsa.ts";

export type ParsedKey =
  | { ok: true; publicKey: PublicKey }
  | { ok: false; reason: "key_not_pem" | "key_malformed" | "key_unsupported" };

/** The public half of the first private key in PEM text. Never throws. */
export function parsePrivateKey(pem: Uint8Array): ParsedKey {
  const block = parsePemBlocks(pem).find(
    ({ type }) => type === "PRIVATE KEY" || type.endsWith(" PRIVATE KEY"),
  );
  if (block === undefined) return { ok: false, reason: "key_not_pem" };
  return parsePrivateKeyDer(block.bytes);
}

/**
 * Whether a private key belongs to a certificate's public key; what TLS can't use matches nothing.
 */
export function matches(key: ParsedKey, publicKey: PublicKey): boolean {
  return key.ok && samePublicKey(key.publicKey, publicKey);
}

/**
 * tls.go, parsePrivateKey: PKCS #1, then PKCS #8, then SEC 1. All three begin with a SEQUENCE and
 * an INTEGER, and what follows is an INTEGER, a SEQUENCE or an OCTET STRING, so no more than one of
 * them can succeed.
 */
export function parsePrivateKeyDer(der: Uint8Array): ParsedKey {
  const key = orNull(() => {
    switch (tagAfterVersion(der)) {
      case TAG.integer: {
        const numbers = parsePkcs1(der);
        return numbers === null ? null : rsaKey(numbers);
      }
      case TAG.sequence:
        return parsePkcs8(der);
      case TAG.octetString:
        return parseSec1(null, der);
      default:
        return null;
    }
  });
  if (key === "unsupported") return { ok: false, reason: "key_unsupported" };
  return key === null ? { ok: false, reason: "key_malformed" } : { ok: true, publicKey: key };
}

function tagAfterVersion(der: Uint8Array): number | undefined {
  const fields = new Fields(der).sequence();
  fields.int();
  return fields.rest[0];
}

function rsaKey({ modulus, exponent }: RsaNumbers): PublicKey {
  return { kind: "rsa", modulus, exponent, bits: bitLength(modulus) };
}

/**
 * crypto/x509 pkcs8.go, ParsePKCS8PrivateKey. Version, attributes and what follows are ignored
 * there.
 */
function parsePkcs8(der: Uint8Array): PublicKey | "unsupported" | null {
  const fields = new Fields(der).sequence();
  fields.int();
  const algorithm = fields.sequence();
  const oid = algorithm.oid();
  const parameters = algorithm.optionalRaw();
  const key = fields.octets();
  switch (oid) {
    case OID.rsaEncryption: {
      const numbers = orNull(() => parsePkcs1(key));
      return numbers === null ? null : rsaKey(numbers);
    }
    case OID.ecPublicKey:
      return parseSec1(
        parameters === null ? null : orNull(() => new Fields(parameters).oid()),
        key,
      );
    case OID.ed25519: {
      const seed = parameters === null ? new Fields(key).octets() : null;
      return seed !== null && seed.length === 32 ? ed25519Key(seed) : null;
    }
    case OID.x25519: {
      const scalar = parameters === null ? new Fields(key).octets() : null;
      return scalar !== null && scalar.length === 32 ? "unsupported" : null;
    }
    default:
      return null;
  }
}

/** crypto/x509 sec1.go, parseECPrivateKey: a curve named outside wins over the one inside. */
function parseSec1(curveOid: string | null, der: Uint8Array): PublicKey | null {
  const fields = new Fields(der).sequence();
  const version = fields.int();
  let scalar = fields.octets();
  const inner = fields.explicitOid(0);
  fields.explicitBitString(1);
  if (version !== 1n) return null;
  const oid = curveOid ?? inner;
  const curve = oid === null ? null : curveOf(oid);
  if (curve === null) return null;
  while (scalar.length > curve.size) {
    if (scalar[0] !== 0) return null;
    scalar = scalar.subarray(1);
  }
  const value = unsignedValue(scalar);
  return value > 0n && value < curve.n ? ecKey(curve, scalar) : null;
}

/**
 * One a curve, since setting one up costs as much as using it. Each key replaces the one before.
 */
const derivers = new Map<Curve, ECDH>();

/** `scalar` is in range already; how long it is doesn't matter to OpenSSL. */
function ecKey(curve: Curve, scalar: Uint8Array): PublicKey {
  const ecdh = derivers.get(curve) ?? createECDH(curve.name);
  derivers.set(curve, ecdh);
  ecdh.setPrivateKey(scalar);
  return { kind: "ecdsa", curve, point: ecdh.getPublicKey() };
}

const ED25519_PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");

function ed25519Key(seed: Uint8Array): PublicKey {
  const key = createPrivateKey({
    key: Buffer.concat([ED25519_PKCS8_PREFIX, seed]),
    format: "der",
    type: "pkcs8",
  });
  const { x } = createPublicKey(key).export({ format: "jwk" });
  return { kind: "ed25519", bytes: Buffer.from(x as string, "base64url") };
}

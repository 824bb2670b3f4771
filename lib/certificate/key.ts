/**
 * Private keys as crypto/tls reads them (tls.go, X509KeyPair and parsePrivateKey): the first PEM
 * block whose type is PRIVATE KEY or ends in it, whatever it claims to be, tried as PKCS #1, then
 * PKCS #8, then SEC 1. Only the public key that belongs to it is kept: nothing here returns or logs
 * private numbers.
 *
 * RSA private keys: PKCS #1 structure and the checks that Go makes before it uses one (crypto/x509
 * pkcs1.go, ParsePKCS1PrivateKey; crypto/rsa rsa.go, precompute and precomputeLegacy;
 * crypto/internal/fips140/rsa rsa.go, checkPrivateKey). Primes aren't tested for being prime, as
 * they aren't there.
 */
import { createECDH, createPrivateKey, createPublicKey, type ECDH } from "node:crypto";
import { Fields, OID, orNull } from "./asn1.ts";
import { TAG, unsignedValue } from "./der.ts";
import { parsePemBlocks } from "./pem.ts";
import { bitLength, type Curve, curveOf, type PublicKey, samePublicKey } from "./publickey.ts";

interface RsaNumbers {
  modulus: bigint;
  exponent: bigint;
}

/**
 * A modulus beyond this isn't reckoned with; Go has no such limit here, and no server such a key.
 */
const MAX_BITS = 16_384;

/**
 * The public numbers, or null where Go refuses the key. @throws Asn1Error where asn1.Unmarshal
 * fails
 */
function parsePkcs1(der: Uint8Array): RsaNumbers | null {
  const outer = new Fields(der);
  const fields = outer.sequence();
  const version = fields.int();
  const n = fields.bigInt();
  const e = fields.int();
  const [d, p, q] = [fields.bigInt(), fields.bigInt(), fields.bigInt()];
  const [dp, dq, qinv] = [
    fields.optionalBigInt(),
    fields.optionalBigInt(),
    fields.optionalBigInt(),
  ];
  const more = readMorePrimes(fields);
  if (!outer.ended || version > 1n) return null;
  if ([n, d, p, q, dp ?? 1n, dq ?? 1n, qinv ?? 1n, ...more].some((number) => number <= 0n))
    return null;
  if ([n, d, p, q].some((number) => bitLength(number) > MAX_BITS)) return null;

  const ok =
    more.length > 0
      ? checkMultiPrime(n, e, d, [p, q, ...more])
      : checkTwoPrimes(
          n,
          e,
          d,
          p,
          q,
          dp !== null && dq !== null && qinv !== null ? { dp, dq, qinv } : null,
        );
  return ok ? { modulus: n, exponent: e } : null;
}

/** The optional AdditionalPrimes; their exponents and coefficients are read and ignored. */
function readMorePrimes(fields: Fields): bigint[] {
  const list = fields.optionalSequence();
  const primes: bigint[] = [];
  while (list !== null && !list.ended) {
    const entry = list.sequence();
    primes.push(entry.bigInt());
    entry.bigInt();
    entry.bigInt();
  }
  return primes;
}

/** fips140/rsa checkPublicKey, and bigmod.NewModulus, which wants more than one. */
function checkPublic(n: bigint, e: bigint): boolean {
  return n > 1n && n % 2n === 1n && e >= 2n && e % 2n === 1n && e <= 0x7fffffffn;
}

interface Crt {
  dp: bigint;
  dq: bigint;
  qinv: bigint;
}

function checkTwoPrimes(
  n: bigint,
  e: bigint,
  d: bigint,
  p: bigint,
  q: bigint,
  given: Crt | null,
): boolean {
  if (p <= 1n || q <= 1n || d >= n || !checkPublic(n, e)) return false;
  if (p >= n || q >= n || (p * q) % n !== 0n) return false;
  const p1 = p - 1n;
  const q1 = q - 1n;
  if (p1 <= 1n || q1 <= 1n) return false;
  const { dp, dq, qinv } = given ?? { dp: d % p1, dq: d % q1, qinv: power(q % p, p - 2n, p) };
  if (qinv >= p || dp >= p1 || dq >= q1) return false;
  if ((dp * e) % p1 !== 1n || (dq * e) % q1 !== 1n) return false;
  if ((q * qinv) % p !== 1n) return false;
  if (d % p1 !== dp || d % q1 !== dq) return false;
  const difference = p > q ? p - q : q - p;
  const half = Math.floor(bitLength(n) / 2);
  if (difference === 0n || bitLength(difference) <= half - 100) return false;
  return bitLength(d) > half;
}

/** rsa.go, precomputeLegacy: only that the factors are coprime, not that they make the modulus. */
function checkMultiPrime(n: bigint, e: bigint, d: bigint, primes: readonly bigint[]): boolean {
  if (d >= n || !checkPublic(n, e) || primes.some((prime) => prime <= 1n)) return false;
  const [p, q, ...more] = primes as [bigint, bigint, ...bigint[]];
  if (!coprime(q, p)) return false;
  let product = p * q;
  for (const prime of more) {
    if (!coprime(product, prime)) return false;
    product *= prime;
  }
  return true;
}

function coprime(a: bigint, b: bigint): boolean {
  let [x, y] = [a, b];
  while (y !== 0n) [x, y] = [y, x % y];
  return x === 1n;
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n % modulus;
  let square = base % modulus;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}

type ParsedKey =
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

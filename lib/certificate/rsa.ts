/**
 * RSA private keys: PKCS #1 structure and the checks that Go makes before it uses one (crypto/x509
 * pkcs1.go, ParsePKCS1PrivateKey; crypto/rsa rsa.go, precompute and precomputeLegacy;
 * crypto/internal/fips140/rsa rsa.go, checkPrivateKey). Primes aren't tested for being prime, as
 * they aren't there.
 */

import { Fields } from "./asn1.ts";
import { bitLength } from "./publickey.ts";

export interface RsaNumbers {
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
export function parsePkcs1(der: Uint8Array): RsaNumbers | null {
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

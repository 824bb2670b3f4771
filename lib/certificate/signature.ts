/**
 * One signature: crypto/x509 x509.go, CheckSignatureFrom and checkSignature, and below them
 * crypto/rsa, crypto/ecdsa and crypto/ed25519. What Go decides before any arithmetic is decided
 * here; the arithmetic is OpenSSL's, on libuv's threads.
 *
 * Ed25519 verification with keys of small order. Go takes them like any other key
 * (crypto/internal/fips140/ ed25519, verifyWithDom: A is decoded, [S]B - [k]A is encoded and
 * compared with R); OpenSSL refuses them outright, so for these few keys, which only an attacker or
 * a test uses, the arithmetic is done here. Not for signing and not constant in time: all inputs
 * are public.
 */
import { constants, createHash, type KeyObject, verify } from "node:crypto";
import { Der, TAG } from "./der.ts";
import { KEY_USAGE_CERT_SIGN } from "./extension.ts";
import type { Certificate } from "./parse.ts";
import type { PublicKey } from "./publickey.ts";
import type { Reason } from "./reason.ts";

const P = (1n << 255n) - 19n;
const L = (1n << 252n) + 27742317777372353535851937790883648493n;
const D = 0x52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3n;
const SQRT_MINUS_1 = 0x2b8324804fc1df0b2b4d00993dfbd7a72f431806ad2fe478c4ee1b274a0ea0b0n;

/** Extended coordinates, RFC 8032 §5.1.4. */
type Point = readonly [x: bigint, y: bigint, z: bigint, t: bigint];

const IDENTITY: Point = [0n, 1n, 1n, 0n];
const BASE_X = 0x216936d3cd6e53fec0a4e231fdd6dc5c692cc7609525a7b2c9562d608f25d51an;
const BASE_Y = 0x6666666666666666666666666666666666666666666666666666666666666658n;
const BASE: Point = [BASE_X, BASE_Y, 1n, mod(BASE_X * BASE_Y)];

/** Whether a public key of 32 octets decodes to one of the eight points of small order. */
export function isSmallOrder(publicKey: Uint8Array): boolean {
  const point = decode(publicKey);
  return point !== null && isIdentity(multiply(8n, point));
}

/** Whether the signature holds as Go decides it. */
export function verifyEd25519(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (signature.length !== 64) return false;
  const point = decode(publicKey);
  const r = signature.subarray(0, 32);
  const s = littleEndian(signature.subarray(32));
  if (point === null || s >= L) return false;
  const digest = createHash("sha512").update(r).update(publicKey).update(message).digest();
  const k = littleEndian(digest) % L;
  const [x, y, z, t] = point;
  const sum = add(multiply(s, BASE), multiply(k, [P - x, y, z, P - t]));
  return Buffer.compare(encode(sum), r) === 0;
}

function mod(value: bigint): bigint {
  const rest = value % P;
  return rest < 0n ? rest + P : rest;
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let square = base;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % P;
    square = (square * square) % P;
  }
  return result;
}

function add([x1, y1, z1, t1]: Point, [x2, y2, z2, t2]: Point): Point {
  const a = mod((y1 - x1) * (y2 - x2));
  const b = mod((y1 + x1) * (y2 + x2));
  const c = mod(2n * D * t1 * t2);
  const d = mod(2n * z1 * z2);
  const [e, f, g, h] = [b - a, d - c, d + c, b + a];
  return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)];
}

function multiply(scalar: bigint, point: Point): Point {
  let result = IDENTITY;
  let double = point;
  for (let rest = scalar; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = add(result, double);
    double = add(double, double);
  }
  return result;
}

function isIdentity([x, y, z]: Point): boolean {
  return x === 0n && y === z;
}

/**
 * edwards25519 Point.SetBytes: y isn't required to be below p, nor x to have a sign when it is
 * zero.
 */
function decode(bytes: Uint8Array): Point | null {
  const encoded = littleEndian(bytes);
  const y = (encoded & ((1n << 255n) - 1n)) % P;
  const u = mod(y * y - 1n);
  const v = mod(D * y * y + 1n);
  let x = mod(u * power(v, 3n) * power(mod(u * power(v, 7n)), (P - 5n) / 8n));
  const check = mod(v * x * x);
  if (check !== u) {
    if (check !== mod(-u)) return null;
    x = mod(x * SQRT_MINUS_1);
  }
  if ((x & 1n) !== encoded >> 255n) x = mod(-x);
  return [x, y, 1n, mod(x * y)];
}

function encode([x, y, z]: Point): Uint8Array {
  const inverse = power(z, P - 2n);
  const value = mod(y * inverse) | ((mod(x * inverse) & 1n) << 255n);
  return Buffer.from(value.toString(16).padStart(64, "0"), "hex").toReversed();
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes.toReversed()).toString("hex")}`);
}

/** rsa.go, checkKeySize with GODEBUG rsa1024min at its default. */
const MIN_RSA_BITS = 1024;
/**
 * OpenSSL's OPENSSL_RSA_MAX_MODULUS_BITS; a longer key verifies nothing here, though slowly in Go.
 */
const MAX_RSA_BITS = 16_384;

/**
 * What needs no arithmetic: null where the signature has to be verified, else the reason why
 * `parent` can't have signed `child`.
 */
export function refuseSigner(child: Certificate, parent: Certificate): Reason | null {
  const { known } = parent;
  if (
    (parent.version === 3 && !known.basicConstraintsValid) ||
    (known.basicConstraintsValid && !known.isCa)
  ) {
    return "not_a_ca";
  }
  if (known.keyUsage !== 0 && (known.keyUsage & KEY_USAGE_CERT_SIGN) === 0) return "not_a_ca";
  const { hash, key } = child.signatureAlgorithm;
  if (hash === null && key !== "ed25519") return "signature_unsupported";
  if (hash === "md5" || hash === "sha1") return "weak_signature";
  if (key === "dsa" || key !== parent.publicKey.kind) return "signature_invalid";
  if (parent.publicKey.kind === "rsa") return refuseRsaKey(parent.publicKey);
  return null;
}

/** crypto/rsa checkPublicKeySize; crypto/internal/fips140/rsa checkPublicKey. */
function refuseRsaKey(key: PublicKey & { kind: "rsa" }): Reason | null {
  if (key.bits < MIN_RSA_BITS) return "weak_key";
  if (
    key.modulus % 2n === 0n ||
    key.exponent < 2n ||
    key.exponent % 2n === 0n ||
    key.exponent > 0x7fffffffn
  ) {
    return "signature_invalid";
  }
  return key.bits > MAX_RSA_BITS ? "signature_unsupported" : null;
}

/** Whether the arithmetic holds. To be asked only where `refuseSigner` has nothing against it. */
export function verifySignature(
  child: Certificate,
  key: KeyObject,
  signer: PublicKey,
): Promise<boolean> {
  const { hash, pss } = child.signatureAlgorithm;
  if (signer.kind === "ecdsa") {
    if (!isEcdsaSignature(child.signature)) return Promise.resolve(false);
    return run(hash, child.rawTbs, key, child.signature);
  }
  if (signer.kind === "rsa") {
    const options = pss
      ? {
          key,
          padding: constants.RSA_PKCS1_PSS_PADDING,
          saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
        }
      : { key, padding: constants.RSA_PKCS1_PADDING };
    return run(hash, child.rawTbs, options, child.signature);
  }
  if (signer.kind === "ed25519" && hasSmallOrder(signer)) {
    return Promise.resolve(verifyEd25519(signer.bytes, child.rawTbs, child.signature));
  }
  return run(null, child.rawTbs, key, child.signature);
}

const smallOrder = new WeakMap<PublicKey, boolean>();

/** Whether OpenSSL would refuse the key that Go takes; worked out once a key. */
function hasSmallOrder(key: PublicKey & { kind: "ed25519" }): boolean {
  let is = smallOrder.get(key);
  if (is === undefined) {
    is = isSmallOrder(key.bytes);
    smallOrder.set(key, is);
  }
  return is;
}

type VerifyKey = Parameters<typeof verify>[2];

/**
 * Verifications that wait for the end of this turn of the event loop, to be handed over together.
 * Each by itself would wake one of libuv's threads, which on few cores takes the turn of the one
 * that parses.
 */
let waiting: (() => void)[] = [];

function handOver(): void {
  const ready = waiting;
  waiting = [];
  for (const start of ready) start();
}

function run(
  hash: string | null,
  data: Uint8Array,
  key: VerifyKey,
  signature: Uint8Array,
): Promise<boolean> {
  return new Promise((resolve) => {
    const start = (): void => {
      try {
        verify(hash, data, key, signature, (error, ok) => resolve(error === null && ok));
      } catch {
        resolve(false);
      }
    };
    if (waiting.push(start) === 1) setImmediate(handOver);
  });
}

/**
 * crypto/ecdsa parseSignature: a DER SEQUENCE of two minimal non-negative INTEGERs and nothing
 * else. OpenSSL checks the range of both and takes no more than this.
 */
function isEcdsaSignature(bytes: Uint8Array): boolean {
  const input = Der.of(bytes);
  const sequence = input.read(TAG.sequence);
  if (sequence === null || !input.empty) return false;
  for (let i = 0; i < 2; i++) {
    const integer = sequence.readIntegerBytes();
    if (integer === null || (integer[0] as number) & 0x80) return false;
  }
  return sequence.empty;
}

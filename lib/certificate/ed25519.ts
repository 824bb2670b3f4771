/**
 * Ed25519 verification with keys of small order. Go takes them like any other key
 * (crypto/internal/fips140/ ed25519, verifyWithDom: A is decoded, [S]B - [k]A is encoded and
 * compared with R); OpenSSL refuses them outright, so for these few keys, which only an attacker or
 * a test uses, the arithmetic is done here. Not for signing and not constant in time: all inputs
 * are public.
 */

import { createHash } from "node:crypto";

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

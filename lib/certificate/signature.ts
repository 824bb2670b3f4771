/**
 * One signature: crypto/x509 x509.go, CheckSignatureFrom and checkSignature, and below them
 * crypto/rsa, crypto/ecdsa and crypto/ed25519. What Go decides before any arithmetic is decided
 * here; the arithmetic is OpenSSL's, on libuv's threads.
 */

import { constants, type KeyObject, verify } from "node:crypto";
import { Der, TAG } from "./der.ts";
import { isSmallOrder, verifyEd25519 } from "./ed25519.ts";
import { KEY_USAGE_CERT_SIGN } from "./extension.ts";
import type { Certificate } from "./parse.ts";
import type { PublicKey } from "./publickey.ts";
import type { Reason } from "./reason.ts";

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

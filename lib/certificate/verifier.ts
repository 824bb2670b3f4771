/**
 * Signature checks of one run, each made once. A check is named by the child's SHA-256 and the SHA-256 of
 * the signing key, so an issuer that many leaves share is verified once, and a leaf that an earlier run
 * verified needn't be again. Only successes may be carried over from run to run.
 */

import type { KeyObject } from "node:crypto";
import type { Certificate } from "./parse.ts";
import { keyObjectOf } from "./publickey.ts";
import type { Reason } from "./reason.ts";
import { refuseSigner, verifySignature } from "./signature.ts";

export interface Verifier {
  /**
   * Whether `parent` signed `child`: null if so, else why not. A promise only where OpenSSL has to work.
   */
  check(child: Certificate, parent: Certificate): Reason | null | Promise<Reason | null>;
  /** Names of the signatures that this run verified and the `known` ones didn't hold, `childSha256.spkiSha256`. */
  readonly verified: ReadonlySet<string>;
  /** Signatures that OpenSSL was asked about so far. */
  readonly count: number;
}

/** Name of a signature check in `known` and `verified`: lower-case hex of both digests. */
function signatureName(child: Certificate, parent: Certificate): string {
  return `${child.sha256}.${parent.spkiSha256}`;
}

/** `known`: names of signatures that an earlier run verified; they are trusted as they are. */
export function createVerifier(known: Iterable<string> = []): Verifier {
  const trusted = new Set(known);
  const verified = new Set<string>();
  const failed = new Set<string>();
  const pending = new Map<string, Promise<Reason | null>>();
  const keys = new Map<string, KeyObject | null>();
  let count = 0;

  function keyOf(parent: Certificate): KeyObject | null {
    let key = keys.get(parent.spkiSha256);
    if (key === undefined) {
      key = keyObjectOf(parent.publicKey);
      keys.set(parent.spkiSha256, key);
    }
    return key;
  }

  async function verify(name: string, child: Certificate, key: KeyObject, parent: Certificate): Promise<Reason | null> {
    count++;
    const ok = await verifySignature(child, key, parent.publicKey);
    (ok ? verified : failed).add(name);
    pending.delete(name);
    return ok ? null : "signature_invalid";
  }

  return {
    check(child, parent) {
      const refused = refuseSigner(child, parent);
      if (refused !== null) return refused;
      const name = signatureName(child, parent);
      if (trusted.has(name) || verified.has(name)) return null;
      if (failed.has(name)) return "signature_invalid";
      let running = pending.get(name);
      if (running === undefined) {
        const key = keyOf(parent);
        if (key === null) return "signature_unsupported";
        running = verify(name, child, key, parent);
        pending.set(name, running);
      }
      return running;
    },
    get verified() {
      return verified;
    },
    get count() {
      return count;
    },
  };
}

/**
 * Signature checks of one run, each made once. A check is named by the child's SHA-256 and the
 * SHA-256 of the signing key, so an issuer that many leaves share is verified once, and a leaf that
 * an earlier run verified needn't be again. Only successes may be carried over from run to run.
 */

import type { KeyObject } from "node:crypto";
import type { Certificate } from "./parse.ts";
import { keyObjectOf } from "./publickey.ts";
import type { Reason } from "./reason.ts";
import { refuseSigner, verifySignature } from "./signature.ts";

/** What was found out of a signature so far; `null`: it is good. */
type Answer = Reason | null | Promise<Reason | null>;

interface Signer {
  readonly key: KeyObject | null;
  readonly answers: Map<string, Answer>;
}

export class Verifier {
  readonly #known: ReadonlySet<string>;
  /** By the digest of the signing key, then by the child's: building a name of both is slower. */
  readonly #signers = new Map<string, Signer>();
  #count = 0;

  /** `known`: names of signatures that an earlier run verified; they are trusted as they are. */
  constructor(known: Iterable<string> = []) {
    this.#known = new Set(known);
  }

  /**
   * Whether `parent` signed `child`: null if so, else why not. A promise only where OpenSSL has to
   * work.
   */
  check(child: Certificate, parent: Certificate): Answer {
    const refused = refuseSigner(child, parent);
    if (refused !== null) return refused;
    const { key, answers } = this.#signerOf(parent);
    let answer = answers.get(child.sha256);
    if (answer === undefined) {
      if (this.#known.has(nameOf(child.sha256, parent.spkiSha256))) answer = null;
      else if (key === null) return "signature_unsupported";
      else answer = this.#verify(child, key, parent, answers);
      answers.set(child.sha256, answer);
    }
    return answer;
  }

  /**
   * Names of the signatures that this run verified and the `known` ones didn't hold,
   * `childSha256.spkiSha256`.
   */
  get verified(): ReadonlySet<string> {
    const names = new Set<string>();
    for (const [spkiSha256, { answers }] of this.#signers) {
      for (const [sha256, answer] of answers) {
        const name = nameOf(sha256, spkiSha256);
        if (answer === null && !this.#known.has(name)) names.add(name);
      }
    }
    return names;
  }

  /** Signatures that OpenSSL was asked about so far. */
  get count(): number {
    return this.#count;
  }

  #signerOf(parent: Certificate): Signer {
    let signer = this.#signers.get(parent.spkiSha256);
    if (signer === undefined) {
      signer = { key: keyObjectOf(parent.publicKey), answers: new Map() };
      this.#signers.set(parent.spkiSha256, signer);
    }
    return signer;
  }

  async #verify(
    child: Certificate,
    key: KeyObject,
    parent: Certificate,
    answers: Map<string, Answer>,
  ): Promise<Reason | null> {
    this.#count++;
    const isGood = await verifySignature(child, key, parent.publicKey);
    const answer = isGood ? null : "signature_invalid";
    answers.set(child.sha256, answer);
    return answer;
  }
}

/** Name of a signature check in `known` and `verified`: lower-case hex of both digests. */
function nameOf(childSha256: string, spkiSha256: string): string {
  return `${childSha256}.${spkiSha256}`;
}

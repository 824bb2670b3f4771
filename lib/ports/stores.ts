import type { CertkeepError } from "../error.ts";

export interface BlobEntry {
  readonly key: string;
  /** `null` where the store doesn't say without reading it. */
  readonly sizeBytes: number | null;
  /**
   * Why what lies there is no document, or why a folder could not be listed, so that what is below
   * it is missing; absent where nothing is known against it.
   */
  readonly trouble?: CertkeepError;
}

/**
 * A store of write-once documents: backups.
 *
 * Contract (test/contract/blobs.ts, run on every adapter): `create` never overwrites and is atomic:
 * a reader sees the whole document or none, and what a killed process left behind is not seen by
 * `list`. Keys are `/`-separated segments of `[A-Za-z0-9._=@-]`, none empty, none starting with a
 * dot. A document has at most MAX_DOCUMENT_BYTES, and none that is larger is read. Errors are
 * `CertkeepError` that name the store and the key: `store_damaged` and `file_unreadable` are
 * trouble of that one document, other codes of the store.
 */
export interface BlobStore {
  /** Where it lies, for people: a URL without credentials. */
  readonly url: string;
  /**
   * Every key that begins with `prefix` (a prefix ends with `/` or is empty), in no order. What is
   * missing from it has an entry with its trouble. @throws where the store can't be listed
   */
  list(prefix: string): AsyncIterable<BlobEntry>;
  /**
   * `exists` where the key is taken, whatever it holds; nothing is changed then. Durable once it
   * returns.
   */
  create(key: string, document: Uint8Array): Promise<"created" | "exists">;
  read(key: string): Promise<Uint8Array | null>;
  /**
   * Removes it with all that the store keeps of it, older versions included, as far as it may.
   * Removing what isn't there is no error. @returns what the store still keeps, and until when, as
   * a clause; `null` where nothing is left
   *
   * `current`: what the store keeps of removed documents stays (versions of an object, the recovery
   * window of a secret), so that a person can bring it back; `null` then. A store that keeps none
   * removes it for good.
   */
  remove(key: string, extent?: "all" | "current"): Promise<string | null>;
}

export interface StoredState {
  /** Opaque; only for `write`. */
  readonly revision: string;
  readonly text: string;
}

/**
 * A store of small documents that change: compare-and-swap on a revision.
 *
 * Contract (test/contract/states.ts): of two writers with the same revision one wins and the other
 * gets `conflict`; a reader sees the last whole revision; a killed writer leaves the document as it
 * was.
 */
export interface StateStore {
  readonly url: string;
  /** Names of the documents there are. */
  names(): Promise<readonly string[]>;
  read(name: string): Promise<StoredState | null>;
  /**
   * `revision` as read, or `null` where nothing was there. @returns the new revision, or `null` on
   * conflict
   */
  write(name: string, text: string, revision: string | null): Promise<string | null>;
}

/**
 * One text that lies somewhere and is replaced as a whole. A reader sees the old one or the new
 * one.
 */
export interface SharedText {
  /** For people. */
  readonly url: string;
  /** `null` where there is none. */
  read(): Promise<string | null>;
  write(text: string): Promise<void>;
}

/**
 * Sealing for recipients, and opening with an identity. The two are apart: who audits holds
 * recipients only and can't open what it wrote.
 */
export interface Sealer {
  /**
   * An armored age file for all `recipients` (`age1…`). @throws CertkeepError seal_failed, naming
   * the recipient that isn't one
   */
  seal(plaintext: Uint8Array, recipients: readonly string[]): Promise<string>;
}

export interface Opener {
  /** Recipients that the identities stand for. */
  readonly recipients: readonly string[];
  /**
   * @throws CertkeepError open_failed where it is damaged, sealed_for_others where no identity here
   * opens it
   */
  open(sealed: string): Promise<Uint8Array>;
}

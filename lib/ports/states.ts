/**
 * A store of small documents that change: compare-and-swap on a revision.
 *
 * Contract (test/contract/states.ts): of two writers with the same revision one wins and the other gets
 * `conflict`; a reader sees the last whole revision; a killed writer leaves the document as it was.
 */
export interface StoredState {
  /** Opaque; only for `write`. */
  readonly revision: string;
  readonly text: string;
}

export interface StateStore {
  readonly url: string;
  /** Names of the documents there are. */
  names(): Promise<readonly string[]>;
  read(name: string): Promise<StoredState | null>;
  /** `revision` as read, or `null` where nothing was there. @returns the new revision, or `null` on conflict */
  write(name: string, text: string, revision: string | null): Promise<string | null>;
}

/**
 * A store of write-once documents: backups.
 *
 * Contract (test/contract/blobs.ts, run on every adapter): `create` never overwrites and is atomic: a
 * reader sees the whole document or none, and what a killed process left behind is not seen by `list`.
 * Keys are `/`-separated segments of `[A-Za-z0-9._=@-]`, none empty, none starting with a dot. Errors are
 * `CertkeepError` with a `store_*` code that names the store and the key.
 */
export interface BlobEntry {
  readonly key: string;
  /** `null` where the store doesn't say without reading it. */
  readonly sizeBytes: number | null;
}

export interface BlobStore {
  /** Where it lies, for people: a URL without credentials. */
  readonly url: string;
  /** Every key that begins with `prefix` (a prefix ends with `/` or is empty), in no order. @throws where the listing isn't whole */
  list(prefix: string): AsyncIterable<BlobEntry>;
  /** `exists` where the key is taken, whatever it holds; nothing is changed then. Durable once it returns. */
  create(key: string, document: Uint8Array): Promise<"created" | "exists">;
  read(key: string): Promise<Uint8Array | null>;
  /**
   * Removes it with all that the store keeps of it, older versions included, as far as it may. Removing what isn't
   * there is no error. @returns what the store still keeps, and until when, as a clause; `null` where nothing is left
   */
  remove(key: string): Promise<string | null>;
}

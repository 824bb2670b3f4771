/**
 * Backups in a folder: one file a copy, made once (see folder.ts), at the path that its key spells.
 *
 * A listing ignores what can't be a key (names that begin with a dot, editors' leftovers). What can
 * be one and is no file or folder, such as a symbolic link, is listed with its trouble, and so is a
 * folder that can't be listed: what is behind it would be missing without a word.
 */
import type { Dirent } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { MAX_DOCUMENT_BYTES } from "../../backup/document.ts";
import { CertkeepError, isCertkeepError } from "../../error.ts";
import type { BlobEntry, BlobStore } from "../../ports/stores.ts";
import { Folder, type FolderOptions, notAFile } from "./folder.ts";

const SEGMENT = /^[A-Za-z0-9_=@-][A-Za-z0-9._=@-]*$/;
/**
 * Folders and files that are looked at together: enough to keep the disk busy, few enough for any
 * limit of open files.
 */
const AT_ONCE = 32;

function partsOf(key: string, root: string): readonly string[] {
  const parts = key.split("/");
  if (parts.every((part) => SEGMENT.test(part))) return parts;
  throw new CertkeepError("store_unavailable", {
    where: root,
    found: `the key ${JSON.stringify(key)}`,
    expected: "segments of [A-Za-z0-9._=@-], none empty, none beginning with a dot",
  });
}

class FileBlobs implements BlobStore {
  readonly url: BlobStore["url"];

  readonly #root;
  readonly #files: Folder;

  constructor(folder: string, options: FolderOptions) {
    this.#root = resolve(folder);
    this.#files = new Folder(this.#root, options);
    this.url = pathToFileURL(this.#root).href;
  }

  async #look(
    parts: readonly string[],
    entry: Dirent,
  ): Promise<BlobEntry | readonly string[] | null> {
    const path = [...parts, entry.name];
    if (!SEGMENT.test(entry.name)) return null;
    if (entry.isDirectory()) return path;
    const key = path.join("/");
    if (!entry.isFile())
      return { key, sizeBytes: null, trouble: notAFile(join(this.#root, key), entry) };
    const sizeBytes = await this.#files.sizeOf(path);
    return sizeBytes === null ? null : { key, sizeBytes };
  }

  /** @throws CertkeepError where the store itself can't be listed */
  async #lookInto(parts: readonly string[]): Promise<{
    readonly parts: readonly string[];
    readonly entries: readonly Dirent[];
    readonly trouble: CertkeepError | null;
  }> {
    try {
      return { parts, entries: await this.#files.entries(parts), trouble: null };
    } catch (error) {
      if (parts.length === 0 || !isCertkeepError(error)) throw error;
      return { parts, entries: [], trouble: error };
    }
  }

  readonly list: BlobStore["list"] = (prefix) => this.#list(prefix);

  async *#list(prefix: string): AsyncGenerator<BlobEntry> {
    if (prefix !== "" && !prefix.endsWith("/")) partsOf(`${prefix}/`, this.#root);
    const folders: (readonly string[])[] = [
      prefix === "" ? [] : partsOf(prefix.slice(0, -1), this.#root),
    ];
    while (folders.length > 0) {
      const batch = folders.splice(-AT_ONCE);
      const listed = await Promise.all(batch.map((parts) => this.#lookInto(parts)));
      for (const { parts, trouble } of listed)
        if (trouble !== null) yield { key: parts.join("/"), sizeBytes: null, trouble };
      const pending = listed.flatMap(({ parts, entries }) =>
        entries.map((entry) => ({ parts, entry })),
      );
      while (pending.length > 0) {
        const found = await Promise.all(
          pending.splice(-AT_ONCE).map(({ parts, entry }) => this.#look(parts, entry)),
        );
        for (const item of found) {
          if (item === null) continue;
          if ("key" in item) yield item;
          else folders.push(item);
        }
      }
    }
  }

  readonly create: BlobStore["create"] = async (key, document) =>
    this.#files.createOnly(partsOf(key, this.#root), document);

  readonly read: BlobStore["read"] = async (key) =>
    this.#files.read(partsOf(key, this.#root), MAX_DOCUMENT_BYTES);

  readonly remove: BlobStore["remove"] = async (key) => {
    await this.#files.remove(partsOf(key, this.#root));
    return null;
  };
}

/** `folder` is made with the first copy. */
export function createFileBlobs(folder: string, options: FolderOptions = {}): BlobStore {
  return new FileBlobs(folder, options);
}

/**
 * Backups in a folder: one file a copy, made once (see folder.ts), at the path that its key spells.
 *
 * A listing ignores what can't be a key (names that begin with a dot, editors' leftovers). What can
 * be one and is no file or folder, such as a symbolic link, is listed with its trouble, and so is a
 * folder that can't be listed: what is behind it would be missing without a word.
 *
 * State documents in a folder: one subfolder a document, in it numbered revisions, each made once
 * (see folder.ts). The highest number is the document. Of two writers that read the same revision
 * both try to make the next number, and one finds it taken.
 *
 * The last few revisions stay. A damaged newest one is an error that names the file and the way
 * back to the one before it; it is never passed over in silence, because what it knew (which copies
 * an audit recorded) would be lost without a word.
 */
import { createHash } from "node:crypto";
import type { Dirent } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { MAX_DOCUMENT_BYTES } from "../../backup/document.ts";
import { decodeSegment, encodeSegment } from "../../backup/keys.ts";
import { CertkeepError, isCertkeepError } from "../../error.ts";
import type { BlobEntry, BlobStore, StateStore } from "../../ports/stores.ts";
import { jsonOf } from "../../untrusted.ts";
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
    found: `it can't hold the key ${JSON.stringify(key)}`,
    todo: "Use segments of [A-Za-z0-9._=@-] that aren't empty and don't begin with a dot",
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

/** Revisions that stay, the newest included. */
export const KEPT_REVISIONS = 5;
/** How often a reader starts again because writers removed the revision it was about to read. */
const READ_ATTEMPTS = 20;

/** As much text as S3 takes. */
const MAX_STATE_BYTES = 256 * 1024 * 1024;

const FILE = /^(\d{10})\.json$/;

function fileOf(revision: number): string {
  return `${String(revision).padStart(10, "0")}.json`;
}

class FileStates implements StateStore {
  readonly url: StateStore["url"];

  readonly #root;
  readonly #files;

  constructor(folder: string, options: FolderOptions) {
    this.#root = resolve(folder);
    this.#files = new Folder(this.#root, options);
    this.url = pathToFileURL(this.#root).href;
  }

  /** Numbers of the revisions there are, the newest first. */
  async #revisions(segment: string): Promise<readonly number[]> {
    const entries = await this.#files.entries([segment]);
    return entries
      .map((entry) => FILE.exec(entry.name)?.[1])
      .filter((digits) => digits !== undefined)
      .map(Number)
      .toSorted((a, b) => b - a);
  }

  async #damaged(
    segment: string,
    newest: number,
    older: readonly number[],
    found: string,
  ): Promise<CertkeepError> {
    const file = join(this.#root, segment, fileOf(newest));
    for (const revision of older) {
      const bytes = await this.#files.read([segment, fileOf(revision)], MAX_STATE_BYTES);
      if (bytes === null || !parseRevision(bytes).ok) continue;
      return new CertkeepError("state_damaged", {
        where: file,
        found,
        todo:
          `An older revision, ${fileOf(revision)}, is undamaged. Rename the damaged file to ` +
          `${fileOf(newest)}.damaged to continue from it`,
      });
    }
    return new CertkeepError("state_damaged", {
      where: file,
      found,
      todo:
        `No older revision is undamaged. Rename the folder ${join(this.#root, segment)} to ` +
        "start fresh (backups stay, as not recorded)",
    });
  }

  readonly read: StateStore["read"] = async (name) => {
    const segment = encodeSegment(name);
    for (let attempt = 0; attempt < READ_ATTEMPTS; attempt += 1) {
      const [newest, ...older] = await this.#revisions(segment);
      if (newest === undefined) return null;
      const bytes = await this.#files.read([segment, fileOf(newest)], MAX_STATE_BYTES);
      if (bytes === null) continue;
      const parsed = parseRevision(bytes);
      if (!parsed.ok) throw await this.#damaged(segment, newest, older, parsed.found);
      return { revision: String(newest), text: parsed.text };
    }
    throw new CertkeepError("state_conflict", {
      where: join(this.#root, segment),
      found: "it changed each time certkeep read it",
      todo: "Run it again",
    });
  };

  readonly write: StateStore["write"] = async (name, text, revision) => {
    const segment = encodeSegment(name);
    const before = (await this.#revisions(segment))[0] ?? 0;
    if (String(before) !== (revision ?? "0")) return null;
    const next = before + 1;
    if ((await this.#files.createOnly([segment, fileOf(next)], formatRevision(text))) === "exists")
      return null;
    const after = await this.#revisions(segment);
    if ((after[0] ?? next) >= next + KEPT_REVISIONS) {
      // While this process stood still, others wrote so much that the number it made had been taken
      // and removed again. Nobody reads it any more: it is a conflict like any other.
      await this.#files.remove([segment, fileOf(next)]);
      return null;
    }
    // An old revision that can't be removed is in nobody's way: the next writer tries again.
    await Promise.allSettled(
      after.slice(KEPT_REVISIONS).map((old) => this.#files.remove([segment, fileOf(old)])),
    );
    return String(next);
  };

  readonly names: StateStore["names"] = async () => {
    const found: string[] = [];
    for (const entry of await this.#files.entries([])) {
      const name = entry.isDirectory() ? decodeSegment(entry.name) : null;
      if (name !== null && (await this.#revisions(entry.name)).length > 0) found.push(name);
    }
    return found;
  };
}

/** `folder` is made with the first document. */
export function createFileStates(folder: string, options: FolderOptions = {}): StateStore {
  return new FileStates(folder, options);
}

const SEAL = /\n\{"bytes":(\d{1,16}),"sha256":"([0-9a-f]{64})"\}\n$/;
/** No seal is longer. */
const SEAL_BYTES = 128;

/**
 * The bytes of a revision's file. Written into one buffer: a state of many certificates weighs tens
 * of megabytes.
 */
function formatRevision(text: string): Uint8Array {
  const bytes = Buffer.byteLength(text, "utf8");
  const sealOf = (sha256: string): string => `\n${JSON.stringify({ bytes, sha256 })}\n`;
  const file = Buffer.allocUnsafe(bytes + sealOf("0".repeat(64)).length);
  file.write(text, "utf8");
  file.write(
    sealOf(createHash("sha256").update(file.subarray(0, bytes)).digest("hex")),
    bytes,
    "latin1",
  );
  return file;
}

type ParsedRevision =
  { readonly ok: true; readonly text: string } | { readonly ok: false; readonly found: string };

function parseRevision(bytes: Uint8Array): ParsedRevision {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const seal = SEAL.exec(file.toString("latin1", Math.max(0, file.length - SEAL_BYTES)));
  if (seal === null) {
    const whole = file.toString("utf8");
    return jsonOf(whole) !== undefined
      ? { ok: true, text: whole }
      : {
          ok: false,
          found: `the file was cut off after ${bytes.byteLength} bytes`,
        };
  }
  const content = file.subarray(0, file.length - seal[0].length);
  const fits =
    String(content.length) === seal[1] &&
    createHash("sha256").update(content).digest("hex") === seal[2];
  return fits
    ? { ok: true, text: content.toString("utf8") }
    : { ok: false, found: "the content doesn't match its digest (the last line)" };
}

/**
 * A folder in which files are made once and whole: written and synced under another name, then
 * linked to their own, which fails where that is taken. The link is the only step that a reader can
 * see, and it is one step: a process killed anywhere leaves the whole file or none, and at most a
 * temporary one, which lies in `.tmp`, is seen by no listing and is swept once it is old.
 *
 * Refused: symbolic links inside the folder (the folder itself may be one), and files that are
 * none, such as FIFOs, or larger than the reader takes. Files have mode 0600, folders 0700. What
 * returns has been synced to the disk, folders included.
 */
import { constants, type Dirent } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { dirname, join, sep } from "node:path";
import { CertkeepError } from "../../error.ts";
import {
  type FileSystem,
  NODE_FILE_SYSTEM,
  readError,
  storeError,
  syncFolder,
  systemCode,
  writeNew,
} from "./system.ts";

const TEMPORARY = ".tmp";
/**
 * A temporary file is in use for moments; older ones were left by killed processes. Milliseconds.
 */
export const SWEEP_AFTER_MS = 60 * 60 * 1000;

export interface FolderOptions {
  readonly fileSystem?: FileSystem;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** Opening a FIFO without O_NONBLOCK waits for somebody to write to it. */
const READ_FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
const READ_BYTES = 64 * 1024;

async function readRegular(
  handle: FileHandle,
  file: string,
  maxBytes: number,
): Promise<Uint8Array> {
  const found = await handle.stat();
  if (!found.isFile()) throw notAFile(file, found);
  const tooLarge = (what: string): CertkeepError =>
    damaged(file, `${what}; the limit is ${maxBytes} bytes`);
  if (found.size > maxBytes) throw tooLarge(`the file has ${found.size} bytes`);
  // It may grow meanwhile, and some file systems give 0 for a size that they don't know.
  const parts: Buffer[] = [];
  for (let sizeBytes = 0; ;) {
    const part = Buffer.alloc(Math.max(READ_BYTES, found.size - sizeBytes + 1));
    const { bytesRead } = await handle.read(part, 0, part.byteLength, null);
    if (bytesRead === 0) return parts.length === 1 ? (parts[0] ?? part) : Buffer.concat(parts);
    sizeBytes += bytesRead;
    if (sizeBytes > maxBytes) throw tooLarge("the file grows while it is read");
    parts.push(part.subarray(0, bytesRead));
  }
}

/** What is where a file must be; `found` is not one. */
export function notAFile(
  file: string,
  found: Pick<Dirent, "isSymbolicLink" | "isDirectory" | "isFIFO" | "isSocket">,
): CertkeepError {
  if (found.isSymbolicLink())
    return damaged(
      file,
      "the store holds a symbolic link, which certkeep doesn't follow",
      "Replace the link by what it points to",
    );
  const what = found.isDirectory()
    ? "a folder"
    : found.isFIFO()
      ? "a FIFO"
      : found.isSocket()
        ? "a socket"
        : "a device";
  return damaged(file, `${what} is where a file must be`);
}

function damaged(where: string, found: string, todo = "Move it away"): CertkeepError {
  return new CertkeepError("store_damaged", { where, found, todo });
}

export class Folder {
  readonly path: string;
  readonly #fs;
  readonly #now;
  /** Folders that are known to stand, to be none but folders, and to be on the disk. */
  readonly #standing = new Map<string, Promise<void>>();
  /** Folders that were looked at and are no links, whether or not they are on the disk already. */
  readonly #real = new Set<string>();
  /** The next sync of a folder, which has not begun: whoever comes before it begins shares it. */
  readonly #waiting = new Map<string, Promise<void>>();
  readonly #running = new Map<string, Promise<void>>();
  #swept = false;

  constructor(path: string, options: FolderOptions = {}) {
    this.#fs = options.fileSystem ?? NODE_FILE_SYSTEM;
    this.#now = options.now ?? Date.now;
    this.path = path;
  }

  #at(parts: readonly string[]): string {
    return join(this.path, ...parts);
  }

  /** Syncs a folder after what is in it by now; calls that come while one runs share the next. */
  #syncFolder(folder: string): Promise<void> {
    const next = this.#waiting.get(folder);
    if (next !== undefined) return next;
    const before = this.#running.get(folder) ?? Promise.resolve();
    const mine = before
      .catch(() => undefined)
      .then(async () => {
        this.#waiting.delete(folder);
        this.#running.set(folder, mine);
        try {
          await syncFolder(folder, this.#fs);
        } finally {
          if (this.#running.get(folder) === mine) this.#running.delete(folder);
        }
      });
    this.#waiting.set(folder, mine);
    return mine;
  }

  async #refuseLink(folder: string): Promise<void> {
    const found = await this.#fs.lstat(folder);
    if (found.isDirectory()) return;
    throw found.isSymbolicLink()
      ? notAFile(folder, found)
      : Object.assign(new Error("not a folder"), { code: "ENOTDIR" });
  }

  async #makeRoot(): Promise<void> {
    // The first folder that was made is named: it and those below it are new, and their names have
    // to be synced.
    const first = await this.#fs.mkdir(this.path, { recursive: true, mode: 0o700 });
    if (first === undefined) return;
    for (let folder = this.path; folder.length >= first.length; folder = dirname(folder))
      await this.#syncFolder(dirname(folder));
  }

  #ensure(parts: readonly string[]): Promise<void> {
    const folder = this.#at(parts);
    const known = this.#standing.get(folder);
    if (known !== undefined) return known;
    const made = (async () => {
      if (parts.length === 0) return this.#makeRoot();
      await this.#ensure(parts.slice(0, -1));
      try {
        await this.#fs.mkdir(folder, { mode: 0o700 });
      } catch (error) {
        if (systemCode(error) !== "EEXIST") throw error;
        await this.#refuseLink(folder);
      }
      // Also where it stood already: whoever made it may have been killed before this.
      return this.#syncFolder(dirname(folder));
    })();
    this.#standing.set(folder, made);
    made.catch(() => this.#standing.delete(folder));
    return made;
  }

  /** Throws where a folder on the way is a symbolic link; nothing where one is missing. */
  async #refuseLinks(parts: readonly string[]): Promise<void> {
    for (let depth = 1; depth <= parts.length; depth += 1) {
      const folder = this.#at(parts.slice(0, depth));
      if (this.#real.has(folder)) continue;
      try {
        await this.#refuseLink(folder);
      } catch (error) {
        if (systemCode(error) === "ENOENT") return;
        throw error;
      }
      this.#real.add(folder);
    }
  }

  async #sweep(): Promise<void> {
    if (this.#swept) return;
    this.#swept = true;
    const folder = this.#at([TEMPORARY]);
    for (const name of await this.#fs.readdir(folder)) {
      try {
        const file = join(folder, name);
        if (this.#now() - (await this.#fs.lstat(file)).mtimeMs > SWEEP_AFTER_MS)
          await this.#fs.unlink(file);
      } catch {
        // Somebody else swept it, or it stays for the next time: it is in nobody's way.
      }
    }
  }

  /** Removing a temporary file changes nothing that counts, and must not hide what went before. */
  async #drop(temporary: string): Promise<void> {
    await this.#fs.unlink(temporary).catch(() => undefined);
  }

  async #linkOnce(parts: readonly string[], bytes: Uint8Array): Promise<"created" | "exists"> {
    const parents = parts.slice(0, -1);
    await this.#ensure(parents);
    await this.#ensure([TEMPORARY]);
    await this.#sweep();
    const name = `${process.pid}-${randomBytes(8).toString("hex")}`;
    const temporary = this.#at([TEMPORARY, name]);
    await writeNew(temporary, bytes, 0o600, this.#fs);
    let outcome: "created" | "exists" = "created";
    try {
      await this.#fs.link(temporary, this.#at(parts));
    } catch (error) {
      if (systemCode(error) !== "EEXIST") throw error;
      outcome = "exists";
    } finally {
      await this.#drop(temporary);
    }
    // What exists may have been linked by a process that was killed before it synced.
    await this.#syncFolder(this.#at(parents));
    return outcome;
  }

  /**
   * `parts` lead from the folder to the file; the folders between are made. `exists` where the name
   * is taken.
   */
  async createOnly(parts: readonly string[], bytes: Uint8Array): Promise<"created" | "exists"> {
    try {
      try {
        return await this.#linkOnce(parts, bytes);
      } catch (error) {
        // A folder that this process knew was removed meanwhile: it is made again, once.
        if (systemCode(error) !== "ENOENT") throw error;
        this.#standing.clear();
        return await this.#linkOnce(parts, bytes);
      }
    } catch (error) {
      throw storeError(error, "could not be written", this.#at(parts));
    }
  }

  /**
   * `null` where there is no such file. @throws CertkeepError store_damaged for one that can't be a
   * document of `maxBytes` at most, file_unreadable for one that can't be read
   */
  async read(parts: readonly string[], maxBytes: number): Promise<Uint8Array | null> {
    const file = this.#at(parts);
    try {
      await this.#refuseLinks(parts.slice(0, -1));
      const handle = await this.#fs.open(file, READ_FLAGS);
      try {
        return await readRegular(handle, file, maxBytes);
      } finally {
        await handle.close();
      }
    } catch (error) {
      if (systemCode(error) === "ENOENT") return null;
      throw (await this.#isFolder())
        ? readError(error, file)
        : storeError(error, "could not be read", file);
    }
  }

  /** Whether the store itself stands, so that trouble with a file is that file's. */
  async #isFolder(): Promise<boolean> {
    return this.#fs.lstat(`${this.path}${sep}.`).then(
      (found) => found.isDirectory(),
      () => false,
    );
  }

  /**
   * What lies in a folder, names that begin with a dot left out; empty where there is no such
   * folder.
   */
  async entries(parts: readonly string[]): Promise<readonly Dirent[]> {
    try {
      await this.#refuseLinks(parts);
      const found = await this.#fs.readdir(this.#at(parts), { withFileTypes: true });
      return found.filter((entry) => !entry.name.startsWith("."));
    } catch (error) {
      if (systemCode(error) === "ENOENT") return [];
      throw storeError(error, "could not be listed", this.#at(parts));
    }
  }

  /** `null` where the file is gone. */
  async sizeOf(parts: readonly string[]): Promise<number | null> {
    try {
      return (await this.#fs.lstat(this.#at(parts))).size;
    } catch (error) {
      if (systemCode(error) === "ENOENT") return null;
      throw storeError(error, "could not be read", this.#at(parts));
    }
  }

  async remove(parts: readonly string[]): Promise<void> {
    try {
      await this.#refuseLinks(parts.slice(0, -1));
      await this.#fs.unlink(this.#at(parts));
      await this.#syncFolder(this.#at(parts.slice(0, -1)));
    } catch (error) {
      if (systemCode(error) === "ENOENT") return;
      throw storeError(error, "could not be removed", this.#at(parts));
    }
  }
}

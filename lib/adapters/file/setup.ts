/**
 * Files that `certkeep init` makes: each exclusively and durably, never over another one.
 *
 * An identity is written straight to its place and nowhere else, since its bytes are a key: a
 * process killed in the middle leaves a file that is told as broken, and no copy under another
 * name.
 */
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import {
  access,
  chmod,
  lstat,
  mkdir,
  readFile,
  realpath,
  rename,
  stat,
  unlink,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { CertkeepError } from "../../error.ts";
import { whyUnread } from "../readfile.ts";
import { storeError, syncFolder, systemCode, writeNew } from "./system.ts";

/** An identity or a configuration is a few kilobytes. */
const MAX_BYTES = 1 << 20;

/** The files of `runInit`. */
export function createSetupFiles() {
  return { read, create, replace, workTreeOf };
}

async function read(path: string): Promise<string | null> {
  const refuse = (found: string): CertkeepError =>
    new CertkeepError("file_unreadable", {
      where: path,
      found: `the file ${found}`,
      todo: "Make it a readable file, or name another",
    });
  try {
    const status = await stat(path);
    if (!status.isFile()) throw refuse("is a folder or a device");
    if (status.size > MAX_BYTES) throw refuse(`is too large (${status.size} bytes)`);
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(await readFile(path));
  } catch (error) {
    if (error instanceof CertkeepError) throw error;
    if (error instanceof TypeError) throw refuse("isn't UTF-8");
    const code = systemCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    throw refuse(whyUnread(error));
  }
}

/**
 * `private`: the file is 0600 and new folders are 0700; `public`: 0644 and 0755, so that nobody
 * else can write them.
 */
async function create(
  path: string,
  text: string,
  kind: "private" | "public",
): Promise<"created" | "exists"> {
  const folder = dirname(path);
  try {
    await makeFolder(folder, kind === "private" ? 0o700 : 0o755);
    await writeNew(path, text, kind === "private" ? 0o600 : 0o644);
    await syncFolder(folder);
    return "created";
  } catch (error) {
    if (systemCode(error) === "EEXIST") return "exists";
    throw storeError(error, "could not be written", path);
  }
}

async function makeFolder(folder: string, mode: number): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode });
  } catch (error) {
    // A file of that name: to whoever makes the file in it, EEXIST would mean that the file is
    // there.
    throw systemCode(error) === "EEXIST"
      ? Object.assign(new Error("not a folder"), { code: "ENOTDIR" })
      : error;
  }
}

/** Follows a link to the file itself, keeps its mode, and is one step for whoever reads. */
async function replace(
  path: string,
  before: string,
  after: string,
): Promise<"replaced" | "changed"> {
  try {
    const file = await realpath(path);
    const { mode } = await stat(file);
    await access(file, constants.W_OK);
    const temporary = join(dirname(file), `.certkeep-${randomBytes(6).toString("hex")}`);
    try {
      await writeNew(temporary, after, mode & 0o777);
      await chmod(temporary, mode & 0o777);
      if ((await read(file)) !== before) return "changed";
      await rename(temporary, file);
    } finally {
      await unlink(temporary).catch(() => undefined);
    }
    await syncFolder(dirname(file));
    return "replaced";
  } catch (error) {
    throw storeError(error, "could not be written", path);
  }
}

/**
 * The nearest folder above `path` that has a `.git`, links followed as far as the path exists;
 * `null` for none.
 */
async function workTreeOf(path: string): Promise<string | null> {
  let folder = dirname(path);
  for (;;) {
    try {
      folder = await realpath(folder);
      break;
    } catch {
      if (folder === dirname(folder)) return null;
      folder = dirname(folder);
    }
  }
  for (;;) {
    const found = await lstat(join(folder, ".git")).catch(() => null);
    if (found !== null) return folder;
    if (folder === dirname(folder)) return null;
    folder = dirname(folder);
  }
}

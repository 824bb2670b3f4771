/**
 * The part of `node:fs/promises` that the file stores use, so that a test can let any call of it
 * fail, and what its errors mean for people.
 *
 * Processes by Linux' /proc. On other systems nothing is known, so nobody is taken for gone.
 */
import { constants } from "node:fs";
import nodeFileSystem, { readFile, readlink } from "node:fs/promises";
import { CertkeepError, type ErrorCode } from "../../error.ts";
import type { ProcessMark, ProcessTable } from "../../ports/runtime.ts";

export type FileSystem = Pick<
  typeof nodeFileSystem,
  "mkdir" | "open" | "link" | "unlink" | "readdir" | "lstat" | "realpath"
>;

export const NODE_FILE_SYSTEM: FileSystem = nodeFileSystem;

/** The code of a system error (`ENOENT`); `null` for anything else. */
export function systemCode(error: unknown): string | null {
  if (!(error instanceof Error) || !("code" in error)) return null;
  return typeof error.code === "string" ? error.code : null;
}

/** Makes a file, durably; one that can't be written whole is removed again. @throws as node:fs */
export async function writeNew(
  path: string,
  content: string | Uint8Array,
  mode: number,
  fs: Pick<FileSystem, "open" | "unlink"> = NODE_FILE_SYSTEM,
): Promise<void> {
  const handle = await fs.open(path, "wx", mode);
  try {
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    // Removing it changes nothing that counts, and must not hide what went before.
    await fs.unlink(path).catch(() => undefined);
    throw error;
  }
}

/** Puts the names in a folder on the disk. */
export async function syncFolder(
  folder: string,
  fs: Pick<FileSystem, "open"> = NODE_FILE_SYSTEM,
): Promise<void> {
  // Windows can't open a folder; its file system journals the name with the file.
  if (process.platform === "win32") return;
  const handle = await fs.open(folder, constants.O_RDONLY);
  try {
    await handle.sync();
  } catch (error) {
    // Some network file systems know no sync of a folder: they journal names by themselves.
    if (systemCode(error) !== "EINVAL" && systemCode(error) !== "ENOTSUP") throw error;
  } finally {
    await handle.close();
  }
}

interface Meaning {
  readonly code?: ErrorCode;
  readonly found: string;
  readonly todo: string;
}

const MEANINGS: Readonly<Record<string, Meaning>> = {
  ENOSPC: {
    code: "store_full",
    found: "no space is left on the disk",
    todo: "Make room there; nothing that was stored is damaged",
  },
  EDQUOT: {
    code: "store_full",
    found: "the disk quota is used up",
    todo: "Make room there; nothing that was stored is damaged",
  },
  EACCES: {
    found: "permission denied",
    todo: "Give this user the folder (chown) or permission for it (chmod u+rwx)",
  },
  EPERM: {
    found: "the operation is not permitted",
    todo: "Give this user the folder, on a file system that has hard links",
  },
  EROFS: {
    found: "the file system is read-only",
    todo: "Mount it for writing, or choose another folder",
  },
  ENOTDIR: {
    found: "a file is where a folder must be",
    todo: "Move that file away, or choose another folder",
  },
  ENXIO: {
    code: "store_damaged",
    found: "a socket or a device is where a file must be",
    todo: "Move it away",
  },
  EISDIR: { found: "a folder is where a file must be", todo: "Move that folder away" },
  ELOOP: {
    code: "store_damaged",
    found: "the store holds a symbolic link, which certkeep doesn't follow",
    todo: "Replace the link by what it points to",
  },
  ENAMETOOLONG: {
    found: "the name is too long for this file system",
    todo: "Choose a shorter name for the cluster, or a folder nearer to the root",
  },
  EIO: { found: "the disk reports an input or output error", todo: "Check the disk" },
  EMFILE: { found: "too many files are open", todo: "Raise the limit (ulimit -n)" },
  ENFILE: { found: "too many files are open", todo: "Raise the limit of the system" },
  EXDEV: {
    found: "a part of the store is on another file system",
    todo: "Keep the whole store on one file system",
  },
  ENOTSUP: {
    found: "the file system has no hard links",
    todo: "Choose a folder on a file system that has them",
  },
  ENOSYS: {
    found: "the file system has no hard links",
    todo: "Choose a folder on a file system that has them",
  },
  ENOENT: { found: "a folder of the store was removed meanwhile", todo: "Run it again" },
};

/**
 * `error` in the project's own words; `path` is the file or folder that was asked for. Own errors
 * stay as they are.
 */
export function storeError(error: unknown, what: string, path: string): CertkeepError {
  if (error instanceof CertkeepError) return error;
  const code = systemCode(error);
  const meaning = code === null ? undefined : MEANINGS[code];
  const found = meaning?.found ?? `an unexpected error${code === null ? "" : ` (${code})`}`;
  return new CertkeepError(meaning?.code ?? "store_unavailable", {
    where: path,
    found: `${what}: ${found}`,
    ...(meaning === undefined ? {} : { todo: meaning.todo }),
  });
}

/** What the machine lacks; it says nothing about the file that was asked for. */
const OF_THE_MACHINE: ReadonlySet<string | null> = new Set(["EMFILE", "ENFILE", "ENOMEM"]);

/**
 * The same for reading one file: what keeps that one from being read is no trouble of the store.
 */
export function readError(error: unknown, path: string): CertkeepError {
  const told = storeError(error, "could not be read", path);
  return told.code === "store_unavailable" && !OF_THE_MACHINE.has(systemCode(error))
    ? new CertkeepError("file_unreadable", told.parts)
    : told;
}

export interface ProcessWorld {
  /** Text of a file below /proc. */
  readonly read: (path: string) => Promise<string>;
  /** Target of a link below /proc. */
  readonly link: (path: string) => Promise<string>;
  /** Throws ESRCH where no process has that id; sends nothing. */
  readonly probe: (pid: number) => void;
  readonly pid: number;
}

const REAL: ProcessWorld = {
  read: (path) => readFile(path, "latin1"),
  link: (path) => readlink(path),
  probe: (pid) => void process.kill(pid, 0),
  pid: process.pid,
};

export function createProcessTable(world: ProcessWorld = REAL): ProcessTable {
  async function own(): Promise<ProcessMark | null> {
    try {
      // A /proc of another pid namespace numbers processes otherwise.
      if ((await world.link("/proc/self")) !== String(world.pid)) return null;
      const boot = (await world.read("/proc/sys/kernel/random/boot_id")).trim();
      const started = startOf(await world.read("/proc/self/stat"));
      if (boot === "" || started === null) return null;
      const pids = await world.link("/proc/self/ns/pid");
      // Start times are counted from the boot as a time namespace has it; old kernels have none.
      const times = await world.link("/proc/self/ns/time").catch((error: unknown) => {
        if (systemCode(error) === "ENOENT") return "";
        throw error;
      });
      return { boot, namespaces: `${pids} ${times}`.trim(), pid: world.pid, started };
    } catch {
      return null;
    }
  }

  async function isGone(mark: ProcessMark): Promise<boolean> {
    const here = await own();
    if (here === null || here.boot !== mark.boot || here.namespaces !== mark.namespaces)
      return false;
    try {
      // /proc may hide processes of other users; the kernel doesn't.
      world.probe(mark.pid);
    } catch (error) {
      return systemCode(error) === "ESRCH";
    }
    try {
      const started = startOf(await world.read(`/proc/${mark.pid}/stat`));
      return started !== null && started !== mark.started;
    } catch {
      return false;
    }
  }

  return { own, isGone };
}

/**
 * Field 22 of proc_pid_stat(5). The name of the program, field 2, may hold spaces and parentheses.
 */
function startOf(stat: string): string | null {
  const fields = stat
    .slice(stat.lastIndexOf(")") + 1)
    .trim()
    .split(" ");
  const started = fields[19] ?? "";
  return /^\d{1,20}$/.test(started) ? started : null;
}

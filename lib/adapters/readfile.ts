/**
 * Reads a file that somebody named: a FIFO to which nobody writes isn't waited for, and a device or
 * a disk image isn't taken into memory. Errors have the codes of the system, or one of those below.
 */
import { constants, type Stats } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { realTimer } from "./timer.ts";

/** Why a file can't be read, as a clause about it. */
const WORDS: Readonly<Record<string, string>> = {
  ENOENT: "doesn't exist",
  ENOTDIR: "doesn't exist",
  EACCES: "can't be read (permission denied)",
  EPERM: "can't be read (permission denied)",
  EISDIR: "is a folder",
  ENOTFILE: "is neither a file nor a folder",
  ELOOP: "is a symbolic link that leads to itself",
  ENODATA: "is a FIFO that no program writes to",
  EFBIG: "is too large",
};

/** Never with more of a foreign error than its code. */
export function whyUnread(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  const known = typeof code === "string" ? code : "no reason given";
  return WORDS[known] ?? `can't be read (${known})`;
}

export interface ReadOptions {
  /**
   * How long a program that writes into a FIFO, as with `<(…)` of a shell, may say nothing; default
   * 60,000.
   */
  readonly silentMs?: number;
}

/** @throws an error with a `code` that `whyUnread` puts into words */
export async function readFileAtMost(
  path: string,
  maxBytes: number,
  options: ReadOptions = {},
): Promise<Buffer> {
  const handle = await open(path, READING);
  try {
    return await readOpened(handle, await handle.stat(), maxBytes, options);
  } finally {
    await handle.close();
  }
}

/** With it, opening a FIFO doesn't wait. */
export const READING = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);
const PART_BYTES = 64 * 1024;
const PAUSE_MS = 20;
/** A FIFO may be there before the program that writes into it. */
const NO_WRITER_MS = 1_000;

/** The same of a file that was opened with `READING`. */
export async function readOpened(
  handle: FileHandle,
  status: Stats,
  maxBytes: number,
  { silentMs = 60_000 }: ReadOptions = {},
): Promise<Buffer> {
  if (status.isDirectory()) throw failure("EISDIR");
  if (status.size > maxBytes) throw failure("EFBIG");
  const parts: Buffer[] = [];
  let size = 0;
  for (let waitedMs = 0; ;) {
    const part = Buffer.allocUnsafe(PART_BYTES);
    const bytesRead = await partOf(handle, part);
    // Of a FIFO nothing comes before somebody writes, too.
    if (bytesRead === 0 && (size > 0 || !status.isFIFO())) return Buffer.concat(parts, size);
    if (bytesRead === null || bytesRead === 0) {
      if (waitedMs >= (bytesRead === null ? silentMs : NO_WRITER_MS)) throw failure("ENODATA");
      await realTimer.sleep(PAUSE_MS);
      waitedMs += PAUSE_MS;
      continue;
    }
    parts.push(part.subarray(0, bytesRead));
    size += bytesRead;
    waitedMs = 0;
    if (size > maxBytes) throw failure("EFBIG");
  }
}

/** `null`: its writer has nothing to say yet. */
async function partOf(handle: FileHandle, part: Buffer): Promise<number | null> {
  try {
    return (await handle.read(part, 0, part.length, null)).bytesRead;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EAGAIN") return null;
    throw error;
  }
}

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}

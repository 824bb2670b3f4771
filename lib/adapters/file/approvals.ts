/**
 * What the user approved of the configurations that were only found: of each of their files the
 * real path and the SHA-256, in a small document (0600) of its own, so that two commands that
 * approve at once lose nothing.
 *
 * They lie in the user's state folder, never in the project. A document that isn't this user's own,
 * or that others can write, approves nothing.
 */
import { createHash, randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { mkdir, open, realpath, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import * as z from "zod/mini";
import { READING } from "../readfile.ts";
import { storeError, writeNew } from "./system.ts";

export interface Mark {
  /** Links followed. */
  readonly real: string;
  readonly sha256: string;
}

export interface Approvals {
  /** What was approved of a file of a configuration; `null`: nothing. */
  read(config: string, file: string): Promise<Mark | null>;
  /** @throws CertkeepError */
  write(config: string, file: string, mark: Mark): Promise<void>;
}

const FORMAT = 1;
const MAX_BYTES = 64 * 1024;

const document = z.object({
  format: z.literal(FORMAT),
  config: z.string(),
  file: z.string(),
  real: z.string(),
  sha256: z.string(),
});

/** `folder` is asked for when it is needed: who names a configuration needs none. */
export function createApprovals(folder: () => string): Approvals {
  /** Both paths without links in their folders, and the document about them. */
  const placesOf = async (config: string, file: string) => {
    const places = { config: await placeOf(config), file: await placeOf(file) };
    const name = sha256Of(Buffer.from(JSON.stringify([places.config, places.file])));
    return { ...places, document: join(folder(), `${name}.json`) };
  };
  return {
    read: async (config, file) => {
      try {
        const places = await placesOf(config, file);
        const parsed = document.safeParse(JSON.parse(await readOwn(places.document)));
        if (!parsed.success) return null;
        if (parsed.data.config !== places.config || parsed.data.file !== places.file) return null;
        return { real: parsed.data.real, sha256: parsed.data.sha256 };
      } catch {
        // Missing, foreign, damaged, or no home folder: nothing is approved.
        return null;
      }
    },
    write: async (config, file, { real, sha256 }) => {
      const { document: path, ...places } = await placesOf(config, file);
      try {
        await replacePrivate(
          path,
          `${JSON.stringify({ format: FORMAT, ...places, real, sha256 })}\n`,
        );
      } catch (error) {
        throw storeError(error, "the approval could not be written", dirname(path));
      }
    },
  };
}

async function readOwn(path: string): Promise<string> {
  const handle = await open(path, READING | (constants.O_NOFOLLOW ?? 0));
  try {
    const status = await handle.stat();
    const user = process.geteuid?.();
    const own = user === undefined || (status.uid === user && (status.mode & 0o022) === 0);
    if (!own || !status.isFile() || status.size > MAX_BYTES) throw new Error("not an approval");
    return await handle.readFile("utf8");
  } finally {
    await handle.close();
  }
}

async function replacePrivate(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = join(dirname(path), `.${randomBytes(6).toString("hex")}`);
  try {
    await writeNew(temporary, text, 0o600);
    await rename(temporary, path);
  } finally {
    await unlink(temporary).catch(() => undefined);
  }
}

async function placeOf(path: string): Promise<string> {
  return join(await realOf(dirname(path)), basename(path));
}

/** Links followed; the path itself where nothing is there. */
export async function realOf(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

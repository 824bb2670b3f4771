/**
 * A value that the configuration names and doesn't hold: `env:NAME`, `file:PATH` or
 * `secretsmanager://NAME`. It may be a credential: it goes to whoever asked and stands in no text
 * here.
 */
import { readBounded } from "../adapters/web.ts";
import { readFileAtMost, whyUnread } from "../adapters/readfile.ts";
import { utf8Of } from "../encoding.ts";
import { isSecretReference, secretName } from "../config/registered.ts";
import { type CertkeepError, isCertkeepError } from "../error.ts";
import type { SecretValues } from "../ports/registry.ts";
import type { World } from "./settings.ts";

export { whyUnread };

/**
 * What is referred to is a line or a few; a mistaken path to a disk image is told instead of read.
 */
const MAX_BYTES = 1024 * 1024;

export interface ReferencePlaces {
  readonly env: World["env"];
  readonly secrets: SecretValues;
}

export type Referred =
  /** Not blank. */
  | { readonly ok: true; readonly bytes: Uint8Array }
  /**
   * `found`: why there is no value, in a few words. `absent`: nothing is there. `error`: what the
   * keeper of secrets said.
   */
  | {
      readonly ok: false;
      readonly found: string;
      readonly absent: boolean;
      readonly error: CertkeepError | null;
    };

/** `file:` with an absolute path. Never throws for what is or isn't there. */
export async function readReference(
  reference: string,
  { env, secrets }: ReferencePlaces,
): Promise<Referred> {
  if (reference.startsWith("env:"))
    return valueOf(
      env[reference.slice("env:".length)],
      "the environment variable is missing or empty",
    );
  if (reference.startsWith("file:")) return readFileOf(reference.slice("file:".length));
  if (!isSecretReference(reference))
    return {
      ok: false,
      found: "certkeep doesn't know this kind of reference",
      absent: false,
      error: null,
    };
  try {
    return valueOf(await secrets.read(secretName(reference)), "the secret is missing or empty");
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    return {
      ok: false,
      found: `the secret can't be read (${error.code})`,
      absent: false,
      error,
    };
  }
}

/** All that a stream gives; `null`: more than any value is. */
export async function readValue(
  stream: AsyncIterable<Buffer | string>,
): Promise<Uint8Array | null> {
  const { bytes, cut } = await readBounded(stream, MAX_BYTES);
  return cut ? null : bytes;
}

export const NO_FILE = "there is no such file";

async function readFileOf(path: string): Promise<Referred> {
  try {
    const bytes = await readFileAtMost(path, MAX_BYTES);
    return isBlank(bytes)
      ? { ok: false, found: "the file is empty", absent: false, error: null }
      : { ok: true, bytes };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const absent = code === "ENOENT" || code === "ENOTDIR";
    return {
      ok: false,
      found: absent ? NO_FILE : `the file ${whyUnread(error)}`,
      absent,
      error: null,
    };
  }
}

/**
 * What a person names on the command line: files of the largest clusters have tens of megabytes.
 */
const MAX_NAMED_BYTES = 256 * 1024 * 1024;
/** `check <(kubectl get secrets -A -o yaml)` says nothing for a while. */
const SILENT_MS = 10 * 60_000;

/**
 * @throws an error with a `code` of the system, or EFBIG or ENODATA (a FIFO that no program writes
 * to)
 */
export async function readNamedFile(path: string): Promise<Uint8Array> {
  return utf8Of(await readFileAtMost(path, MAX_NAMED_BYTES, { silentMs: SILENT_MS }));
}

/** Standard input, likewise. UTF-16 is given as UTF-8. */
export async function readNamedStream(
  stream: AsyncIterable<Uint8Array | string>,
): Promise<Uint8Array> {
  const { bytes, cut } = await readBounded(stream, MAX_NAMED_BYTES);
  if (cut) throw Object.assign(new Error("too large"), { code: "EFBIG" });
  return utf8Of(bytes);
}

function valueOf(text: string | null | undefined, none: string): Referred {
  const bytes = Buffer.from(text ?? "", "utf8");
  return isBlank(bytes)
    ? { ok: false, found: none, absent: true, error: null }
    : { ok: true, bytes };
}

function isBlank(bytes: Uint8Array): boolean {
  return Buffer.from(bytes).toString("utf8").trim() === "";
}

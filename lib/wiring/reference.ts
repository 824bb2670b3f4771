/**
 * A value that the configuration names and doesn't hold: `env:NAME`, `file:PATH` or
 * `secretsmanager://NAME`. It may be a credential: it goes to whoever asked and stands in no text
 * here.
 */
import { readBounded } from "../adapters/web.ts";
import { readFileAtMost } from "../adapters/readfile.ts";
import { utf8Of } from "../encoding.ts";
import { isSecretReference, secretName } from "../config/registered.ts";
import { type CertkeepError, isCertkeepError } from "../error.ts";
import type { SecretValues } from "../ports/registry.ts";
import type { World } from "./settings.ts";

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
      "no such environment variable, or nothing in it",
    );
  if (reference.startsWith("file:")) return readFileOf(reference.slice("file:".length));
  if (!isSecretReference(reference))
    return {
      ok: false,
      found: "an unknown kind of reference",
      absent: false,
      error: null,
    };
  try {
    return valueOf(await secrets.read(secretName(reference)), "no such secret, or nothing in it");
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    return {
      ok: false,
      found: `a secret that can't be read (${error.code})`,
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

async function readFileOf(path: string): Promise<Referred> {
  try {
    const bytes = await readFileAtMost(path, MAX_BYTES);
    return isBlank(bytes)
      ? { ok: false, found: "an empty file", absent: false, error: null }
      : { ok: true, bytes };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const absent = code === "ENOENT" || code === "ENOTDIR";
    return {
      ok: false,
      found: absent
        ? "no such file"
        : code === "EFBIG"
          ? `a file of more than ${MAX_BYTES} bytes`
          : code === "ENODATA"
            ? "a FIFO to which nobody writes"
            : `a file that can't be read (${code ?? "unknown"})`,
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
 * @throws an error with a `code` of the system, or EFBIG or ENODATA (a FIFO to which nobody writes)
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

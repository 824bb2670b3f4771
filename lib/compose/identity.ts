/** The identity that opens copies: named on the command line, by the configuration, or where init puts it. */
import { readFile } from "node:fs/promises";
import type { Readable } from "node:stream";
import { join, resolve } from "node:path";
import type { AskPassphrase } from "../adapters/age/identity.ts";
import { createOpener } from "../adapters/age/opener.ts";
import { localPaths } from "../adapters/file/paths.ts";
import { isSecretReference, secretName } from "../config/registered.ts";
import { CertkeepError } from "../error.ts";
import type { Opener } from "../ports/sealing.ts";
import type { SecretValues } from "../ports/secrets.ts";
import { homeOf, type ComposedSettings, type World } from "./settings.ts";

/** No identity file is larger; a mistaken path to a disk image is told instead of read. */
const MAX_BYTES = 1024 * 1024;

export interface IdentityWorld extends World {
  /** `--identity`: a path, `-`, `file:PATH`, `env:NAME` or `secretsmanager://NAME`; `null`: as configured. */
  readonly identity: string | null;
  readonly stdin: Readable;
  readonly askPassphrase: AskPassphrase | null;
}

type IdentitySettings = Pick<ComposedSettings, "config" | "secrets">;

/** @throws CertkeepError identity_invalid that says where it was looked for */
export async function composeOpener(world: IdentityWorld, settings: IdentitySettings): Promise<Opener> {
  const configured = settings.config.identity;
  const fallback = join(localPaths().identities, "identity.txt");
  const reference = world.identity ?? configured ?? fallback;
  const content = await read(reference, world, settings.secrets, world.identity === null && configured === null);
  return createOpener([{ where: reference === "-" ? "standard input" : reference, content }], world.askPassphrase);
}

/** The same, or `null` where none is named and none is where init would put it. */
export async function composeOpenerIfAny(world: IdentityWorld, settings: IdentitySettings): Promise<Opener | null> {
  // A function has no identity but the one that its deployment names.
  if (world.deployed === true && settings.config.identity === null) return null;
  if (world.identity !== null || settings.config.identity !== null) return composeOpener(world, settings);
  try {
    return await composeOpener(world, settings);
  } catch (error) {
    if (error instanceof CertkeepError && error.parts.found === NONE) return null;
    throw error;
  }
}

const NONE = "no identity there";

async function read(reference: string, world: IdentityWorld, secrets: SecretValues, isDefault: boolean): Promise<Uint8Array> {
  if (reference === "-") return readStream(world.stdin);
  const [, scheme, rest] = /^(env|file):(.*)$/s.exec(reference) ?? [];
  if (scheme === "env") {
    const value = world.env[rest ?? ""];
    if (value === undefined || value === "") throw new CertkeepError("identity_invalid", { where: reference, found: "no such environment variable", expected: "an age identity in it" });
    return Buffer.from(value, "utf8");
  }
  if (isSecretReference(reference)) {
    const value = await secrets.read(secretName(reference));
    if (value === null || value.trim() === "") throw new CertkeepError("identity_invalid", { where: reference, found: "no such secret, or an empty one", expected: "an age identity in it", todo: "Put it there (certkeep init --aws does), or name where it is: --identity FILE" });
    return Buffer.from(value, "utf8");
  }
  if (scheme === undefined && /^[a-z][a-z0-9+.-]*:\/\//i.test(reference)) {
    throw new CertkeepError("identity_invalid", { where: reference.slice(0, 80), found: "a kind of reference that isn't read from here", expected: "a file, -, file:PATH, env:NAME or secretsmanager://NAME" });
  }
  const path = fromHome(scheme === "file" ? (rest ?? "") : reference, homeOf(world.env));
  const absolute = resolve(world.cwd, path);
  try {
    const bytes = await readFile(absolute);
    if (bytes.length > MAX_BYTES) throw new CertkeepError("identity_invalid", { where: absolute, found: `${bytes.length} bytes`, expected: "an identity file" });
    return bytes;
  } catch (error) {
    if (error instanceof CertkeepError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    const missing = code === "ENOENT" || code === "ENOTDIR";
    throw new CertkeepError("identity_invalid", {
      where: absolute,
      found: missing ? NONE : code === "EISDIR" ? "a folder" : `a file that can't be read (${code ?? "unknown"})`,
      expected: "the age identity that the copies are sealed for",
      todo: isDefault ? "Name where it is: --identity FILE, or identity: in certkeep.yaml. Without it no copy can be opened" : "Name where it is: --identity FILE",
    });
  }
}

async function readStream(stream: Readable): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer | string>) {
    const bytes = typeof chunk === "string" ? Buffer.from(chunk, "utf8") : chunk;
    size += bytes.length;
    if (size > MAX_BYTES) throw new CertkeepError("identity_invalid", { where: "standard input", found: "too much", expected: "an identity file" });
    chunks.push(bytes);
  }
  return Buffer.concat(chunks, size);
}

function fromHome(path: string, home: string | null): string {
  return path.startsWith("~/") && home !== null ? join(home, path.slice(2)) : path;
}

/** The identity that opens copies: named on the command line, by the configuration, or where init puts it. */
import type { Readable } from "node:stream";
import { join } from "node:path";
import type { AskPassphrase } from "../adapters/age/identity.ts";
import { createOpener } from "../adapters/age/opener.ts";
import { localPaths } from "../adapters/file/paths.ts";
import { isSecretReference } from "../config/registered.ts";
import { CertkeepError, isCertkeepError } from "../error.ts";
import type { Opener } from "../ports/stores.ts";
import type { SecretValues } from "../ports/registry.ts";
import { pathOf } from "./path.ts";
import { readValue, readReference } from "./reference.ts";
import type { ComposedSettings, World } from "./settings.ts";

export interface IdentityWorld extends World {
  /** `--identity`: a path, `-`, `file:PATH`, `env:NAME` or `secretsmanager://NAME`; `null`: as configured. */
  readonly identity: string | null;
  readonly stdin: Readable;
  readonly askPassphrase: AskPassphrase | null;
}

type IdentitySettings = Pick<ComposedSettings, "config" | "secrets">;

/** @throws CertkeepError identity_invalid that says where it was looked for */
export async function composeOpener(
  world: IdentityWorld,
  settings: IdentitySettings,
): Promise<Opener> {
  const configured = settings.config.identity;
  const reference = world.identity ?? configured ?? join(localPaths().identities, "identity.txt");
  const content = await read(
    reference,
    world,
    settings.secrets,
    world.identity === null && configured === null,
  );
  return createOpener(
    [{ where: reference === "-" ? "standard input" : reference, content }],
    world.askPassphrase,
  );
}

/** The same, or `null` where none is named and none is where init would put it. */
export async function composeOpenerIfAny(
  world: IdentityWorld,
  settings: IdentitySettings,
): Promise<Opener | null> {
  // A function has no identity but the one that its deployment names.
  if (world.deployed === true && settings.config.identity === null) return null;
  if (world.identity !== null || settings.config.identity !== null)
    return composeOpener(world, settings);
  try {
    return await composeOpener(world, settings);
  } catch (error) {
    // Without a home folder there is no usual place either.
    if (isCertkeepError(error) && (error.parts.found === NONE || error.code === "usage"))
      return null;
    throw error;
  }
}

const NONE = "no identity there";

async function read(
  reference: string,
  world: IdentityWorld,
  secrets: SecretValues,
  isDefault: boolean,
): Promise<Uint8Array> {
  if (reference === "-") {
    const bytes = await readValue(world.stdin as AsyncIterable<Buffer | string>);
    if (bytes === null)
      throw new CertkeepError("identity_invalid", {
        where: "standard input",
        found: "too much",
        expected: "an identity file",
      });
    return bytes;
  }
  const elsewhere = reference.startsWith("env:") || isSecretReference(reference);
  if (!elsewhere && !reference.startsWith("file:") && /^[a-z][a-z0-9+.-]*:\/\//i.test(reference)) {
    throw new CertkeepError("identity_invalid", {
      where: reference.slice(0, 80),
      found: "a kind of reference that isn't read from here",
      expected: "a file, -, file:PATH, env:NAME or secretsmanager://NAME",
    });
  }
  const path = elsewhere ? null : pathOf(reference.replace(/^file:/, ""), world);
  const referred = await readReference(path === null ? reference : `file:${path}`, {
    env: world.env,
    secrets,
  });
  if (referred.ok) return referred.bytes;
  if (referred.error !== null) throw referred.error;
  if (path !== null) {
    throw new CertkeepError("identity_invalid", {
      where: path,
      found: referred.absent ? NONE : referred.found,
      expected: "the age identity that the copies are sealed for",
      todo: isDefault
        ? "Name where it is: --identity FILE, or identity: in certkeep.yaml. Without it no copy can be opened"
        : "Name where it is: --identity FILE",
    });
  }
  const todo = isSecretReference(reference)
    ? { todo: "Put it there (certkeep init --aws does), or name where it is: --identity FILE" }
    : {};
  throw new CertkeepError("identity_invalid", {
    where: reference,
    found: referred.found,
    expected: "an age identity in it",
    ...todo,
  });
}

/**
 * The identity that opens copies: named on the command line, by the configuration, or where init
 * puts it.
 */
import { join } from "node:path";
import { createOpener } from "../adapters/age/identity.ts";
import { localPaths } from "../adapters/file/paths.ts";
import { isSecretReference } from "../config/registered.ts";
import { CertkeepError, isCertkeepError } from "../error.ts";
import type { Opener } from "../ports/stores.ts";
import { pathOf } from "./path.ts";
import { NO_FILE, readValue, readReference } from "./reference.ts";
import type { ComposedSettings } from "./settings.ts";
import type { RunWorld } from "./world.ts";

type IdentityWorld = Pick<
  RunWorld,
  "cwd" | "env" | "deployed" | "identity" | "stdin" | "askPassphrase"
>;
type IdentitySettings = Pick<ComposedSettings, "config" | "secrets">;

export async function composeOpener(
  world: IdentityWorld,
  settings: IdentitySettings,
): Promise<Opener> {
  const opener = await composeOpenerIfAny(world, settings);
  if (opener === null) throw missing(usualPath(), NO_FILE, IN_THE_CONFIGURATION);
  return opener;
}

/** The same, or `null` where none is named and none is where init would put it. */
export async function composeOpenerIfAny(
  world: IdentityWorld,
  settings: IdentitySettings,
): Promise<Opener | null> {
  const reference = world.identity ?? settings.config.identity;
  if (reference !== null) return openerOf(reference, world, settings);
  // A function has no identity but the one that its deployment names.
  if (world.deployed === true) return null;
  let path: string;
  try {
    path = usualPath();
  } catch (error) {
    // Without a home folder there is no usual place either.
    if (isCertkeepError(error, "usage")) return null;
    throw error;
  }
  const bytes = await readFileOrNull(path, world, settings, IN_THE_CONFIGURATION);
  return bytes === null
    ? null
    : createOpener([{ where: path, content: bytes }], world.askPassphrase);
}

function usualPath(): string {
  return join(localPaths().identities, "identity.txt");
}

const NAME_IT = "Name the identity with --identity FILE";
const LOOK = "(your password manager may have it)";
const BY_HAND = `${NAME_IT} ${LOOK}`;
const IN_THE_CONFIGURATION = `${NAME_IT}, or identity: in certkeep.yaml ${LOOK}`;

function missing(where: string, found: string, todo: string): CertkeepError {
  return new CertkeepError("identity_invalid", {
    where,
    found,
    todo,
  });
}

async function openerOf(
  reference: string,
  world: IdentityWorld,
  settings: IdentitySettings,
): Promise<Opener> {
  const content = await read(reference, world, settings);
  return createOpener(
    [{ where: reference === "-" ? "standard input" : reference, content }],
    world.askPassphrase,
  );
}

async function read(
  reference: string,
  world: IdentityWorld,
  settings: IdentitySettings,
): Promise<Uint8Array> {
  if (reference === "-") {
    const bytes = await readValue(world.stdin as AsyncIterable<Buffer | string>);
    if (bytes === null)
      throw new CertkeepError("identity_invalid", {
        where: "standard input",
        found: "it is too large for an identity file",
        todo: "Pass the identity file alone",
      });
    return bytes;
  }
  if (reference.startsWith("env:") || isSecretReference(reference))
    return readElsewhere(reference, world, settings);
  if (!reference.startsWith("file:") && /^[a-z][a-z0-9+.-]*:\/\//i.test(reference)) {
    throw new CertkeepError("identity_invalid", {
      where: reference.slice(0, 80),
      found: "certkeep doesn't know this kind of reference",
      todo: "Use a file, -, file:PATH, env:NAME or secretsmanager://NAME",
    });
  }
  const path = pathOf(reference.replace(/^file:/, ""), world);
  const bytes = await readFileOrNull(path, world, settings, BY_HAND);
  if (bytes === null) throw missing(path, NO_FILE, BY_HAND);
  return bytes;
}

async function readFileOrNull(
  path: string,
  { env }: IdentityWorld,
  { secrets }: IdentitySettings,
  todo: string,
): Promise<Uint8Array | null> {
  const referred = await readReference(`file:${path}`, { env, secrets });
  if (referred.ok) return referred.bytes;
  if (referred.error !== null) throw referred.error;
  if (referred.absent) return null;
  throw missing(path, referred.found, todo);
}

async function readElsewhere(
  reference: string,
  { env }: IdentityWorld,
  { secrets }: IdentitySettings,
): Promise<Uint8Array> {
  const referred = await readReference(reference, { env, secrets });
  if (referred.ok) return referred.bytes;
  if (referred.error !== null) throw referred.error;
  throw new CertkeepError("identity_invalid", {
    where: reference,
    found: referred.found,
    todo: isSecretReference(reference)
      ? "Put the identity there (certkeep init --aws does), or name where it is: --identity FILE"
      : "Put the identity there, or name where it is: --identity FILE",
  });
}

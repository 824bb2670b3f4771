/** The identity of a function: the secret that its deployment names, if anybody put one into it. */
import { Readable } from "node:stream";
import { isSecretReference, secretName } from "../../config/registered.ts";
import { composeOpenerIfAny, type IdentityWorld } from "../identity.ts";
import type { ComposedSettings } from "../settings.ts";
import type { FunctionRun } from "./run.ts";

export function identityWorld(run: FunctionRun): IdentityWorld & FunctionRun {
  return { ...run, deployed: true, identity: null, stdin: Readable.from([]), askPassphrase: null };
}

/** Whether there is an identity to open copies with. @throws CertkeepError identity_invalid for a text that is none */
export async function hasIdentity(
  run: FunctionRun,
  settings: Pick<ComposedSettings, "config" | "secrets">,
): Promise<boolean> {
  const { identity } = settings.config;
  if (
    identity !== null &&
    isSecretReference(identity) &&
    ((await settings.secrets.read(secretName(identity))) ?? "").trim() === ""
  )
    return false;
  return (await composeOpenerIfAny(identityWorld(run), settings)) !== null;
}

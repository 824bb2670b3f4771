/** The current value of one secret. */
import { GetSecretValueCommand, type SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { CertkeepError } from "../../error.ts";
import { awsFailure, factsOf, isNamed } from "./failure.ts";

/** `deleted`: it is scheduled for deletion, and holds its name until then. */
export type SecretRead =
  | { readonly kind: "found"; readonly bytes: Uint8Array }
  | { readonly kind: "absent" }
  | { readonly kind: "deleted" };

/** @throws CertkeepError store_unavailable */
export async function readSecret(client: SecretsManagerClient, name: string): Promise<SecretRead> {
  try {
    // The stage is named: what a secret without one gives isn't the same everywhere.
    const { SecretString, SecretBinary } = await client.send(
      new GetSecretValueCommand({ SecretId: name, VersionStage: "AWSCURRENT" }),
    );
    if (SecretString !== undefined && SecretString !== "")
      return { kind: "found", bytes: Buffer.from(SecretString, "utf8") };
    return SecretBinary === undefined || SecretBinary.byteLength === 0
      ? { kind: "absent" }
      : { kind: "found", bytes: SecretBinary };
  } catch (error) {
    const facts = factsOf(error);
    if (isNamed(facts, "ResourceNotFoundException")) return { kind: "absent" };
    if (isNamed(facts, "InvalidRequestException")) return { kind: "deleted" };
    throw awsFailure(error, {
      where: `secretsmanager://${name}`,
      action: "secretsmanager:GetSecretValue",
    });
  }
}

/** What to tell of a secret that is scheduled for deletion. */
export function scheduledForDeletion(name: string): CertkeepError {
  return new CertkeepError("store_unavailable", {
    where: `secretsmanager://${name}`,
    found: "the secret is scheduled for deletion: until then it can neither be read nor made anew",
    todo: `aws secretsmanager restore-secret --secret-id ${name} brings it back; aws secretsmanager delete-secret --force-delete-without-recovery --secret-id ${name} frees its name at once`,
  });
}

/**
 * Secrets in Secrets Manager: values that a configuration refers to as `secretsmanager://NAME`, and
 * secrets made once.
 */
import {
  SecretsManagerClient,
  GetSecretValueCommand,
  CreateSecretCommand,
  DescribeSecretCommand,
} from "@aws-sdk/client-secrets-manager";
import { secretReference } from "../../config/registered.ts";
import { CertkeepError } from "../../error.ts";
import type { SecretValues, SecretKeeper } from "../../ports/registry.ts";
import { clientsOf, type AwsWorld } from "./client.ts";
import { awsFailure, factsOf, isNamed } from "./failure.ts";
import { isSecretName } from "./url.ts";

export const secretsClient = clientsOf("SECRETS_MANAGER", ({ config }) => {
  const client = new SecretsManagerClient(config());
  client.middlewareStack.add(
    (next) => async (request) => {
      const answer = await next(request);
      refuseOtherTypes(answer.output, request.input);
      return answer;
    },
    { step: "initialize", name: "certkeepTypes" },
  );
  return client;
});

/**
 * What the members of answers are that are read here; the SDK believes whatever answers in AWS's
 * place.
 */
type Kind = "text" | "list" | "lists by name" | "any";
const KINDS: Readonly<Record<string, Kind>> = {
  SecretString: "text",
  VersionId: "text",
  Name: "text",
  NextToken: "text",
  Key: "text",
  Value: "text",
  SecretList: "list",
  Tags: "list",
  VersionIdsToStages: "lists by name",
};

/**
 * Members of `null` are taken away, as if they were missing. @throws CertkeepError store_damaged
 */
function refuseOtherTypes(value: unknown, input: object): void {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return;
  for (const [key, member] of Object.entries(value) as [string, unknown][]) {
    if (member === null) delete (value as Record<string, unknown>)[key];
    else if (member !== undefined && !fits(Object.hasOwn(KINDS, key) ? KINDS[key] : "any", member))
      throw new CertkeepError("store_damaged", {
        where: `secretsmanager://${"SecretId" in input ? String(input.SecretId) : ""}`,
        found:
          `an answer whose ${key} is a ${Array.isArray(member) ? "list" : typeof member} of ` +
          "another form",
        expected: "an answer of AWS",
        todo: "Check what AWS_ENDPOINT_URL leads to",
      });
    refuseOtherTypes(member, input);
  }
}

function fits(kind: Kind | undefined, value: unknown): boolean {
  if (kind === "text") return typeof value === "string";
  if (kind === "list") return Array.isArray(value) && value.every(isObject);
  return kind === "any" || (isObject(value) && Object.values(value).every(Array.isArray));
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** `deleted`: it is scheduled for deletion, and holds its name until then. */
export type SecretRead =
  | { readonly kind: "found"; readonly bytes: Uint8Array }
  | { readonly kind: "absent" }
  | { readonly kind: "deleted" };

/**
 * `one`: of many, so that its trouble isn't the store's. @throws CertkeepError store_unavailable,
 * file_unreadable
 */
export async function readSecret(
  client: SecretsManagerClient,
  name: string,
  one = false,
): Promise<SecretRead> {
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
      one,
    });
  }
}

/** What to tell of a secret that is scheduled for deletion. */
export function scheduledForDeletion(
  name: string,
  code: "store_unavailable" | "file_unreadable" = "store_unavailable",
): CertkeepError {
  return new CertkeepError(code, {
    where: `secretsmanager://${name}`,
    found: "the secret is scheduled for deletion, so it can't be read or recreated",
    todo:
      "Delete it now (aws secretsmanager delete-secret --force-delete-without-recovery " +
      `--secret-id ${name}), or bring it back: aws secretsmanager restore-secret ` +
      `--secret-id ${name}`,
  });
}

export function createSecretValues(world: AwsWorld): SecretValues {
  return {
    async read(name) {
      if (!isSecretName(name)) {
        throw new CertkeepError("store_unavailable", {
          where: `secretsmanager://${JSON.stringify(name.slice(0, 200)).slice(1, -1)}`,
          found: "no name of a secret",
          expected: "1 to 512 of [A-Za-z0-9/_+=.@-]",
        });
      }
      const read = await readSecret(secretsClient(world), name);
      if (read.kind === "deleted") throw scheduledForDeletion(name);
      return read.kind === "absent" ? null : Buffer.from(read.bytes).toString("utf8");
    },
  };
}

/** `kmsKey`: as for registrations. */
export function createSecretKeeper(world: AwsWorld, kmsKey: string | null = null): SecretKeeper {
  const client = secretsClient(world);
  return {
    exists: async (name) => {
      try {
        const { DeletedDate } = await client.send(new DescribeSecretCommand({ SecretId: name }));
        if (DeletedDate !== undefined) throw scheduledForDeletion(name);
        return true;
      } catch (error) {
        if (isNamed(factsOf(error), "ResourceNotFoundException")) return false;
        throw awsFailure(error, {
          where: secretReference(name),
          action: "secretsmanager:DescribeSecret",
        });
      }
    },
    create: async (name, value, description) => {
      try {
        await client.send(
          new CreateSecretCommand({
            Name: name,
            SecretString: value,
            Description: description,
            ...(kmsKey === null ? {} : { KmsKeyId: kmsKey }),
          }),
        );
        return "created";
      } catch (error) {
        const facts = factsOf(error);
        if (isNamed(facts, "ResourceExistsException")) return "exists";
        if (isNamed(facts, "InvalidRequestException")) throw scheduledForDeletion(name);
        throw awsFailure(error, {
          where: secretReference(name),
          action: "secretsmanager:CreateSecret",
        });
      }
    },
  };
}

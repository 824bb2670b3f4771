/**
 * Secrets in Secrets Manager: values that a configuration refers to as `secretsmanager://NAME`, and
 * secrets made once.
 */
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  type DescribeSecretCommandOutput,
  GetSecretValueCommand,
  SecretsManagerClient,
} from "@aws-sdk/client-secrets-manager";
import { secretReference } from "../../config/registered.ts";
import { CertkeepError } from "../../error.ts";
import type { SecretValues, SecretKeeper } from "../../ports/registry.ts";
import { clientsOf, type AwsWorld } from "./client.ts";
import { answerOr, type Asked } from "./failure.ts";
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
          `${key} in the answer is a ${Array.isArray(member) ? "list" : typeof member}, so the ` +
          "answer isn't from AWS",
        todo: "Check the address in AWS_ENDPOINT_URL",
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
  | { readonly kind: "found"; readonly bytes: Uint8Array; readonly version: string }
  | { readonly kind: "absent" | "deleted" };

export const CURRENT = "AWSCURRENT";
const NOT_FOUND = "ResourceNotFoundException";
const INVALID = "InvalidRequestException";

export class NamedSecret {
  protected readonly client: SecretsManagerClient;
  protected readonly id: { readonly SecretId: string };
  readonly where: string;

  constructor(client: SecretsManagerClient, name: string) {
    this.client = client;
    this.id = { SecretId: name };
    this.where = secretReference(name);
  }

  protected asked(action: string): Asked {
    return { where: this.where, action: `secretsmanager:${action}` };
  }

  /** `one`: of many, so that its trouble isn't the store's. @throws CertkeepError */
  async read(one = false): Promise<SecretRead> {
    // The stage is named: what a secret without one gives isn't the same everywhere.
    const answer = await answerOr(
      this.client.send(new GetSecretValueCommand({ ...this.id, VersionStage: CURRENT })),
      { ...this.asked("GetSecretValue"), one },
      NOT_FOUND,
      INVALID,
    );
    if (typeof answer === "string") return { kind: answer === INVALID ? "deleted" : "absent" };
    const { SecretString, SecretBinary, VersionId } = answer;
    const bytes = SecretString ? Buffer.from(SecretString, "utf8") : (SecretBinary ?? EMPTY);
    return { kind: "found", bytes, version: VersionId ?? "" };
  }

  /** `null` where there is no such secret. */
  async describe(): Promise<DescribeSecretCommandOutput | null> {
    const sent = this.client.send(new DescribeSecretCommand(this.id));
    const answer = await answerOr(sent, this.asked("DescribeSecret"), NOT_FOUND);
    return answer === NOT_FOUND ? null : answer;
  }

  /**
   * `kmsKey`: `null` for the account's own; `deleted`: the error where the name is being deleted.
   * @returns the new version, or `null` where the name is taken
   */
  async create(
    value: string,
    kmsKey: string | null,
    description: string,
    deleted: CertkeepError,
  ): Promise<string | null> {
    const command = new CreateSecretCommand({
      Name: this.id.SecretId,
      SecretString: value,
      Description: description,
      ...(kmsKey === null ? {} : { KmsKeyId: kmsKey }),
    });
    const exists = "ResourceExistsException";
    const sent = this.client.send(command);
    const answer = await answerOr(sent, this.asked("CreateSecret"), exists, INVALID);
    if (answer === INVALID) throw deleted;
    return answer === exists ? null : (answer.VersionId ?? "");
  }

  /**
   * At once, or into a recovery window of so many days; one that isn't there is no error. @returns
   * whether it was scheduled for deletion before
   */
  async remove(windowDays: number | null = null): Promise<boolean> {
    const command = new DeleteSecretCommand({
      ...this.id,
      ...(windowDays === null
        ? { ForceDeleteWithoutRecovery: true }
        : { RecoveryWindowInDays: windowDays }),
    });
    const asked = this.asked("DeleteSecret");
    return (await answerOr(this.client.send(command), asked, NOT_FOUND, INVALID)) === INVALID;
  }
}

const EMPTY = new Uint8Array(0);

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
      `--secret-id ${name}), or restore it: aws secretsmanager restore-secret ` +
      `--secret-id ${name}`,
  });
}

export function createSecretValues(world: AwsWorld): SecretValues {
  return {
    async read(name) {
      if (!isSecretName(name)) {
        throw new CertkeepError("store_unavailable", {
          where: `secretsmanager://${JSON.stringify(name.slice(0, 200)).slice(1, -1)}`,
          found: "no secret can have this name",
          todo: "Use 1 to 512 of [A-Za-z0-9/_+=.@-]",
        });
      }
      const read = await new NamedSecret(secretsClient(world), name).read();
      if (read.kind === "deleted") throw scheduledForDeletion(name);
      return read.kind === "found" && read.bytes.length > 0
        ? Buffer.from(read.bytes).toString("utf8")
        : null;
    },
  };
}

/** `kmsKey`: as for registrations. */
export function createSecretKeeper(world: AwsWorld, kmsKey: string | null = null): SecretKeeper {
  const secret = (name: string): NamedSecret => new NamedSecret(secretsClient(world), name);
  return {
    exists: async (name) => {
      const described = await secret(name).describe();
      if (described?.DeletedDate !== undefined) throw scheduledForDeletion(name);
      return described !== null;
    },
    create: async (name, value, description) => {
      const deleted = scheduledForDeletion(name);
      const version = await secret(name).create(value, kmsKey, description, deleted);
      return version === null ? "exists" : "created";
    },
  };
}

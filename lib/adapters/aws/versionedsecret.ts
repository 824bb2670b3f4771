/**
 * One secret of Secrets Manager whose current version changes only from the version that was read:
 * a new version is put under a label of its own first, and AWSCURRENT is then moved from exactly
 * that version, which AWS refuses where it has moved by then.
 */
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  PutSecretValueCommand,
  RestoreSecretCommand,
  type SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from "@aws-sdk/client-secrets-manager";
import { secretReference } from "../../config/registered.ts";
import { CertkeepError } from "../../error.ts";
import { awsFailure, factsOf, isNamed } from "./failure.ts";
import { CURRENT } from "./registry.ts";

/**
 * A new version before it is current. One label for all, so that a killed writer leaves one version
 * at most.
 */
const NEXT = "certkeep-next";
const PROMOTIONS = 3;

export class VersionedSecret {
  readonly #client: SecretsManagerClient;
  readonly #name: string;

  constructor(client: SecretsManagerClient, name: string) {
    this.#client = client;
    this.#name = name;
  }

  #failure(error: unknown, action: string): CertkeepError {
    return awsFailure(error, {
      where: secretReference(this.#name),
      action: `secretsmanager:${action}`,
    });
  }

  async #call<T>(action: string, answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      throw this.#failure(error, action);
    }
  }

  /**
   * `kmsKey`: `null` for the account's own. @returns the new version, or `null` where the name is
   * taken
   */
  async create(value: string, kmsKey: string | null, description: string): Promise<string | null> {
    try {
      const { VersionId } = await this.#client.send(
        new CreateSecretCommand({
          Name: this.#name,
          SecretString: value,
          Description: description,
          ...(kmsKey === null ? {} : { KmsKeyId: kmsKey }),
        }),
      );
      return VersionId ?? "";
    } catch (error) {
      if (isNamed(factsOf(error), "ResourceExistsException")) return null;
      if (isNamed(factsOf(error), "InvalidRequestException")) {
        throw new CertkeepError("store_unavailable", {
          where: secretReference(this.#name),
          found: "a secret of this name is being deleted",
          expected: "none",
          todo: "AWS needs a moment for that: run it again in a minute",
        });
      }
      throw this.#failure(error, "CreateSecret");
    }
  }

  /** Puts a version that isn't current yet. @returns it */
  async stage(value: string): Promise<string> {
    return this.#put(value, NEXT);
  }

  /** Puts the current version of a secret that has none. */
  async fill(value: string): Promise<void> {
    await this.#put(value, CURRENT);
  }

  async #put(value: string, label: string): Promise<string> {
    const { VersionId } = await this.#call(
      "PutSecretValue",
      this.#client.send(
        new PutSecretValueCommand({
          SecretId: this.#name,
          SecretString: value,
          VersionStages: [label],
        }),
      ),
    );
    return VersionId ?? "";
  }

  /** Takes back a deletion that is scheduled. */
  async undelete(): Promise<void> {
    await this.#call(
      "RestoreSecret",
      this.#client.send(new RestoreSecretCommand({ SecretId: this.#name })),
    );
  }

  /** Makes `version` the current one if `before` still is. */
  async promote(version: string, before: string): Promise<"written" | "changed"> {
    if (version === before) return "written";
    try {
      await this.#client.send(
        new UpdateSecretVersionStageCommand({
          SecretId: this.#name,
          VersionStage: CURRENT,
          MoveToVersionId: version,
          RemoveFromVersionId: before,
        }),
      );
      return "written";
    } catch (error) {
      if (!isNamed(factsOf(error), "InvalidParameterException"))
        throw this.#failure(error, "UpdateSecretVersionStage");
      // An answer that was lost looks like this at the second try.
      return (await this.#currentVersion()) === version ? "written" : "changed";
    }
  }

  /** Makes `version` the current one, whichever is now. */
  async promoteLatest(version: string): Promise<void> {
    for (let tries = 1; tries <= PROMOTIONS; tries += 1) {
      const current = await this.#currentVersion();
      if (current !== null && (await this.promote(version, current)) === "written") return;
    }
    throw new CertkeepError("state_conflict", {
      where: secretReference(this.#name),
      found: "a change by another process",
      todo: "The registration was written and its restoring credential wasn't: run it again",
    });
  }

  async #currentVersion(): Promise<string | null> {
    const { VersionIdsToStages } = await this.#call(
      "DescribeSecret",
      this.#client.send(new DescribeSecretCommand({ SecretId: this.#name })),
    );
    const versions = Object.entries(VersionIdsToStages ?? {});
    return versions.find(([, labels]) => labels.includes(CURRENT))?.[0] ?? null;
  }

  async exists(): Promise<boolean> {
    try {
      await this.#client.send(new DescribeSecretCommand({ SecretId: this.#name }));
      return true;
    } catch (error) {
      if (isNamed(factsOf(error), "ResourceNotFoundException")) return false;
      throw this.#failure(error, "DescribeSecret");
    }
  }

  async remove(): Promise<void> {
    try {
      await this.#client.send(
        new DeleteSecretCommand({ SecretId: this.#name, ForceDeleteWithoutRecovery: true }),
      );
    } catch (error) {
      if (!isNamed(factsOf(error), "ResourceNotFoundException"))
        throw this.#failure(error, "DeleteSecret");
    }
  }
}

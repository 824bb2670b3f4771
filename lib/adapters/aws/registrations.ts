/**
 * Registrations in Secrets Manager: one secret a cluster holds registration and reading credential
 * together, a second one the restoring credential, which another role reads.
 *
 * Recreated, a secret is made by creation alone, which fails where the name is taken. In the place
 * of one that was read, the new version is put under a label of our own, and AWSCURRENT is then
 * moved from exactly the version that was read: AWS refuses that where it has moved by then. The
 * version before keeps the label AWSPREVIOUS and so stays readable until the next time. The
 * restoring credential is put under the same label first, and becomes current only once the
 * registration has: whoever is second changes neither.
 *
 * Removing is at once, without a recovery window: a name in its window can't be registered, and
 * what is lost is a credential that `clusters add` makes again.
 */
import {
  PutSecretValueCommand,
  RestoreSecretCommand,
  UpdateSecretVersionStageCommand,
} from "@aws-sdk/client-secrets-manager";
import { parseRegistration } from "../../config/parse.ts";
import {
  parseRegistered,
  registeredText,
  registryNames,
  restoringText,
  secretReference,
} from "../../config/registered.ts";
import { CertkeepError, CHANGED_MEANWHILE, isCertkeepError } from "../../error.ts";
import type { Registrations, StoredRegistration } from "../../ports/registry.ts";
import type { AwsWorld } from "./client.ts";
import { answerOr } from "./failure.ts";
import { CURRENT, NamedSecret, scheduledForDeletion, secretsClient } from "./secretsmanager.ts";

/**
 * https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html, in bytes of
 * UTF-8.
 */
const MAX_VALUE = 65_536;
/** Revisions of a secret that is there and holds no registration. */
const EMPTY = "";
const SCHEDULED = "scheduled";

/**
 * A new version before it is current. One label for all, so that a killed writer leaves one version
 * at most.
 */
const NEXT = "certkeep-next";
const PROMOTIONS = 3;

/**
 * A secret whose current version changes only from the version that was read: a new version is put
 * under a label of its own first, and AWSCURRENT is then moved from exactly that version, which AWS
 * refuses where it has moved by then.
 */
class VersionedSecret extends NamedSecret {
  /** Puts a version that isn't current yet. @returns it */
  async stage(value: string): Promise<string> {
    return this.#put(value, NEXT);
  }

  /** Puts the current version of a secret that has none. */
  async fill(value: string): Promise<void> {
    await this.#put(value, CURRENT);
  }

  async #put(value: string, label: string): Promise<string> {
    const command = { ...this.id, SecretString: value, VersionStages: [label] };
    const sent = this.client.send(new PutSecretValueCommand(command));
    return (await answerOr(sent, this.asked("PutSecretValue"))).VersionId ?? "";
  }

  /** Takes back a deletion that is scheduled. */
  async undelete(): Promise<void> {
    const sent = this.client.send(new RestoreSecretCommand(this.id));
    await answerOr(sent, this.asked("RestoreSecret"));
  }

  /** Makes `version` the current one if `before` still is. */
  async promote(version: string, before: string): Promise<"written" | "changed"> {
    if (version === before) return "written";
    const moved = { VersionStage: CURRENT, MoveToVersionId: version, RemoveFromVersionId: before };
    const sent = this.client.send(new UpdateSecretVersionStageCommand({ ...this.id, ...moved }));
    const asked = this.asked("UpdateSecretVersionStage");
    // An answer that was lost looks like a refusal at the second try.
    return (await answerOr(sent, asked, "InvalidParameterException")) !==
      "InvalidParameterException" || (await this.#currentVersion()) === version
      ? "written"
      : "changed";
  }

  /** Makes `version` the current one, whichever is now. */
  async promoteLatest(version: string): Promise<void> {
    for (let tries = 1; tries <= PROMOTIONS; tries += 1) {
      const current = await this.#currentVersion();
      if (current !== null && (await this.promote(version, current)) === "written") return;
    }
    throw new CertkeepError("state_conflict", {
      where: this.where,
      found: CHANGED_MEANWHILE,
      todo: "The registration was written and its restoring credential wasn't. Run it again",
    });
  }

  async #currentVersion(): Promise<string | null> {
    const described = await this.describe();
    const versions = Object.entries(described?.VersionIdsToStages ?? {});
    return versions.find(([, labels]) => labels.includes(CURRENT))?.[0] ?? null;
  }
}

class SecretRegistrations implements Registrations {
  readonly place: Registrations["place"];
  readonly #kmsKey: string | null;
  readonly #names;
  readonly #client;

  constructor(url: string, world: AwsWorld, kmsKey: string | null) {
    this.#kmsKey = kmsKey;
    this.#names = registryNames(url);
    this.#client = secretsClient(world);
    this.place = url;
  }

  readonly where: Registrations["where"] = (name) => {
    return secretReference(this.#names.cluster(name));
  };

  readonly read: Registrations["read"] = async (name) => {
    const secret = this.#secret(this.#names.cluster(name));
    const read = await secret.read();
    if (read.kind === "deleted") return { revision: SCHEDULED, text: "" };
    if (read.kind === "found") {
      const text = Buffer.from(read.bytes).toString("utf8");
      return { revision: read.version, text: registrationOf(text) };
    }
    return (await secret.describe()) === null ? null : { revision: EMPTY, text: "" };
  };

  #secret(reference: string): VersionedSecret {
    return new VersionedSecret(this.#client, reference);
  }

  async #put(
    name: string,
    before: StoredRegistration | null,
    value: string,
  ): Promise<"written" | "changed"> {
    const secret = this.#secret(this.#names.cluster(name));
    if (before === null) {
      const description = "A cluster registered with certkeep, and its reading credential";
      const version = await secret.create(value, this.#kmsKey, description, beingDeleted(secret));
      return version === null ? "changed" : "written";
    }
    if (before.revision === SCHEDULED) await secret.undelete();
    if (before.revision !== SCHEDULED && before.revision !== EMPTY)
      return secret.promote(await secret.stage(value), before.revision);
    // There is no version whose label could be moved.
    await secret.fill(value);
    return "written";
  }

  /** Writes a restoring credential, which isn't current yet unless its secret is new. */
  async #stageRestoring(
    name: string,
    credential: string,
  ): Promise<{ readonly created: boolean; readonly version: string }> {
    const restoring = this.#names.restoring(name);
    const value = checked(restoringText(credential), secretReference(restoring));
    const secret = this.#secret(restoring);
    const made = await secret.create(
      value,
      this.#kmsKey,
      "The restoring credential of a cluster registered with certkeep",
      beingDeleted(secret),
    );
    return made === null
      ? { created: false, version: await secret.stage(value) }
      : { created: true, version: made };
  }

  readonly write: Registrations["write"] = async (name, before, { credentials, text }) => {
    const restoring = this.#names.restoring(name);
    const registration = text({
      read: null,
      restore: credentials.restore === null ? null : secretReference(restoring),
    });
    const value = checked(
      registeredText({ registration, kubeconfig: credentials.read }),
      this.where(name),
    );
    const staged =
      credentials.restore === null ? null : await this.#stageRestoring(name, credentials.restore);
    let outcome: "written" | "changed" | "failed" = "failed";
    try {
      outcome = await this.#put(name, before, value);
    } finally {
      // Where somebody else was first, the secret is theirs to fill.
      if (
        outcome !== "written" &&
        staged?.created === true &&
        (await this.read(name).catch(() => null)) === null
      )
        await this.#secret(restoring)
          .remove()
          .catch(() => undefined);
    }
    // Whoever wrote the registration is right about the restoring credential, whatever was current.
    if (outcome === "written" && staged?.created === false)
      await this.#secret(restoring).promoteLatest(staged.version);
    return outcome;
  };

  readonly tidy: Registrations["tidy"] = async (name) => {
    const stored = await this.read(name);
    const parsed = stored === null ? null : parseRegistration(stored.text, "");
    if (parsed?.ok === true && parsed.entry.restoreKubeconfig === null)
      await this.#drop(this.#names.restoring(name));
  };

  readonly remove: Registrations["remove"] = async (name) => {
    await this.#drop(this.#names.cluster(name));
    await this.#drop(this.#names.restoring(name));
  };

  async #drop(name: string): Promise<void> {
    if (await this.#secret(name).remove()) throw scheduledForDeletion(name);
  }
}

/**
 * `kmsKey`: a key of one's own that new secrets are encrypted with; `null`: the account's key for
 * Secrets Manager.
 */
export function createSecretRegistrations(
  url: string,
  world: AwsWorld,
  kmsKey: string | null = null,
): Registrations {
  return new SecretRegistrations(url, world, kmsKey);
}

function beingDeleted({ where }: VersionedSecret): CertkeepError {
  return new CertkeepError("store_unavailable", {
    where,
    found: "AWS is still deleting a secret of this name",
    todo: "Run it again in a minute",
  });
}

/** Empty for what isn't a registration: it may be written over. */
function registrationOf(text: string): string {
  try {
    return parseRegistered(text, "").registration;
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    return "";
  }
}

function checked(value: string, where: string): string {
  const size = Buffer.byteLength(value);
  if (size <= MAX_VALUE) return value;
  throw new CertkeepError("usage", {
    where,
    found:
      `registration and kubeconfig have ${size} bytes, more than a secret holds ` +
      `(${MAX_VALUE} bytes)`,
    todo:
      "Remove CA certificates that the cluster doesn't need from the kubeconfig, or audit it " +
      "from inside: --in-cluster IMAGE",
  });
}

/**
 * Registrations in Secrets Manager: one secret a cluster holds registration and reading credential
 * together, a second one the restoring credential, which another role reads.
 *
 * Made anew, a secret is made by creation alone, which fails where the name is taken. In the place
 * of one that was read, the new version is put under a label of our own, and AWSCURRENT is then
 * moved from exactly the version that was read: AWS refuses that where it has moved by then. The
 * version before keeps the label AWSPREVIOUS and so stays readable until the next time. The
 * restoring credential is put under the same label first, and becomes current only once the
 * registration has: whoever is second changes neither.
 *
 * Removing is at once, without a recovery window: a name in its window can't be registered, and
 * what is lost is a credential that `clusters add` makes anew.
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
import { parseRegistration } from "../../config/parse.ts";
import {
  parseRegistered,
  registeredText,
  registryNames,
  restoringText,
  secretReference,
} from "../../config/registered.ts";
import { CertkeepError, isCertkeepError } from "../../error.ts";
import type { Registrations, StoredRegistration } from "../../ports/registry.ts";
import type { AwsWorld } from "./client.ts";
import { awsFailure, factsOf, isNamed } from "./failure.ts";
import { CURRENT, currentValue } from "./registry.ts";
import { secretsClient } from "./secretsmanager.ts";

/**
 * A new version before it is current. One label for all, so that a killed writer leaves one version
 * at most.
 */
const NEXT = "certkeep-next";
/**
 * https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html, in bytes of
 * UTF-8.
 */
const MAX_VALUE = 65_536;
/** Revisions of a secret that is there and holds no registration. */
const EMPTY = "";
const SCHEDULED = "scheduled";

/**
 * `kmsKey`: a key of one's own that new secrets are encrypted with; `null`: the account's key for
 * Secrets Manager.
 */
export function createSecretRegistrations(
  url: string,
  world: AwsWorld,
  kmsKey: string | null = null,
): Registrations {
  const names = registryNames(url);
  const client = secretsClient(world);
  const where = (name: string): string => secretReference(names.cluster(name));

  async function read(name: string): Promise<StoredRegistration | null> {
    try {
      const value = await currentValue(client, names.cluster(name));
      if (value !== null) return { revision: value.version, text: registrationOf(value.text) };
    } catch (error) {
      if (!isCertkeepError(error, "config_invalid")) throw error;
      return { revision: SCHEDULED, text: "" };
    }
    return (await exists(client, names.cluster(name))) ? { revision: EMPTY, text: "" } : null;
  }

  async function put(
    name: string,
    before: StoredRegistration | null,
    value: string,
  ): Promise<"written" | "changed"> {
    const secret = names.cluster(name);
    if (before === null)
      return (await create(
        client,
        secret,
        value,
        kmsKey,
        "A cluster registered with certkeep, and its reading credential",
      )) === null
        ? "changed"
        : "written";
    if (before.revision === SCHEDULED)
      await call(secret, "RestoreSecret", () =>
        client.send(new RestoreSecretCommand({ SecretId: secret })),
      );
    if (before.revision === SCHEDULED || before.revision === EMPTY) {
      // There is no version whose label could be moved.
      await call(secret, "PutSecretValue", () =>
        client.send(
          new PutSecretValueCommand({
            SecretId: secret,
            SecretString: value,
            VersionStages: [CURRENT],
          }),
        ),
      );
      return "written";
    }
    return promote(client, secret, await stage(client, secret, value), before.revision);
  }

  return {
    place: url,
    where,
    read,
    write: async (name, before, { credentials, text }) => {
      const restoring = names.restoring(name);
      const registration = text({
        read: null,
        restore: credentials.restore === null ? null : secretReference(restoring),
      });
      const value = checked(
        registeredText({ registration, kubeconfig: credentials.read }),
        where(name),
      );
      const kept =
        credentials.restore === null
          ? null
          : await keep(
              client,
              restoring,
              kmsKey,
              checked(restoringText(credentials.restore), secretReference(restoring)),
            );
      let outcome: "written" | "changed" | "failed" = "failed";
      try {
        outcome = await put(name, before, value);
      } finally {
        // Where somebody else was first, the secret is theirs to fill.
        if (
          outcome !== "written" &&
          kept?.created === true &&
          (await read(name).catch(() => null)) === null
        )
          await remove(client, restoring).catch(() => undefined);
      }
      if (outcome === "written" && kept !== null && !kept.created)
        await promoteLatest(client, restoring, kept.version);
      return outcome;
    },
    tidy: async (name) => {
      const stored = await read(name);
      const parsed = stored === null ? null : parseRegistration(stored.text, "");
      if (parsed?.ok === true && parsed.entry.restoreKubeconfig === null)
        await remove(client, names.restoring(name));
    },
    remove: async (name) => {
      await remove(client, names.cluster(name));
      await remove(client, names.restoring(name));
    },
  };
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
    found: `${size} bytes of registration and kubeconfig`,
    expected: `${MAX_VALUE} at most, which is all that a secret holds`,
    todo:
      "Leave out certificates of authorities that the cluster doesn't need, or audit it from " +
      "inside: --in-cluster IMAGE",
  });
}

function failure(error: unknown, secret: string, action: string): CertkeepError {
  return awsFailure(error, { where: secretReference(secret), action: `secretsmanager:${action}` });
}

async function call<T>(secret: string, action: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw failure(error, secret, action);
  }
}

/** @returns the new version, or `null` where the name is taken */
async function create(
  client: SecretsManagerClient,
  secret: string,
  value: string,
  kmsKey: string | null,
  description: string,
): Promise<string | null> {
  try {
    const { VersionId } = await client.send(
      new CreateSecretCommand({
        Name: secret,
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
        where: secretReference(secret),
        found: "a secret of this name is being deleted",
        expected: "none",
        todo: "AWS needs a moment for that: run it again in a minute",
      });
    }
    throw failure(error, secret, "CreateSecret");
  }
}

async function stage(client: SecretsManagerClient, secret: string, value: string): Promise<string> {
  const { VersionId } = await call(secret, "PutSecretValue", () =>
    client.send(
      new PutSecretValueCommand({ SecretId: secret, SecretString: value, VersionStages: [NEXT] }),
    ),
  );
  return VersionId ?? "";
}

/** Makes `version` the current one if `before` still is. */
async function promote(
  client: SecretsManagerClient,
  secret: string,
  version: string,
  before: string,
): Promise<"written" | "changed"> {
  if (version === before) return "written";
  try {
    await client.send(
      new UpdateSecretVersionStageCommand({
        SecretId: secret,
        VersionStage: CURRENT,
        MoveToVersionId: version,
        RemoveFromVersionId: before,
      }),
    );
    return "written";
  } catch (error) {
    if (!isNamed(factsOf(error), "InvalidParameterException"))
      throw failure(error, secret, "UpdateSecretVersionStage");
    // An answer that was lost looks like this at the second try.
    return (await currentVersion(client, secret)) === version ? "written" : "changed";
  }
}

const PROMOTIONS = 3;

/** Whoever wrote the registration is right about the restoring credential, whatever was current. */
async function promoteLatest(
  client: SecretsManagerClient,
  secret: string,
  version: string,
): Promise<void> {
  for (let tries = 1; tries <= PROMOTIONS; tries += 1) {
    const current = await currentVersion(client, secret);
    if (current !== null && (await promote(client, secret, version, current)) === "written") return;
  }
  throw new CertkeepError("state_conflict", {
    where: secretReference(secret),
    found: "a change by somebody else in the meantime",
    todo: "The registration was written and its restoring credential wasn't: run it again",
  });
}

/** A credential that isn't current yet, unless its secret is new. */
async function keep(
  client: SecretsManagerClient,
  secret: string,
  kmsKey: string | null,
  value: string,
): Promise<{ readonly created: boolean; readonly version: string }> {
  const made = await create(
    client,
    secret,
    value,
    kmsKey,
    "The restoring credential of a cluster registered with certkeep",
  );
  return made === null
    ? { created: false, version: await stage(client, secret, value) }
    : { created: true, version: made };
}

async function currentVersion(
  client: SecretsManagerClient,
  secret: string,
): Promise<string | null> {
  const { VersionIdsToStages } = await call(secret, "DescribeSecret", () =>
    client.send(new DescribeSecretCommand({ SecretId: secret })),
  );
  return (
    Object.entries(VersionIdsToStages ?? {}).find(([, stages]) => stages.includes(CURRENT))?.[0] ??
    null
  );
}

async function exists(client: SecretsManagerClient, secret: string): Promise<boolean> {
  try {
    await client.send(new DescribeSecretCommand({ SecretId: secret }));
    return true;
  } catch (error) {
    if (isNamed(factsOf(error), "ResourceNotFoundException")) return false;
    throw failure(error, secret, "DescribeSecret");
  }
}

async function remove(client: SecretsManagerClient, secret: string): Promise<void> {
  try {
    await client.send(
      new DeleteSecretCommand({ SecretId: secret, ForceDeleteWithoutRecovery: true }),
    );
  } catch (error) {
    if (!isNamed(factsOf(error), "ResourceNotFoundException"))
      throw failure(error, secret, "DeleteSecret");
  }
}

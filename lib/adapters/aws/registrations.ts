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
import { currentValue } from "./registry.ts";
import { secretsClient } from "./secretsmanager.ts";
import { VersionedSecret } from "./versionedsecret.ts";

/**
 * https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html, in bytes of
 * UTF-8.
 */
const MAX_VALUE = 65_536;
/** Revisions of a secret that is there and holds no registration. */
const EMPTY = "";
const SCHEDULED = "scheduled";

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
    try {
      const value = await currentValue(this.#client, this.#names.cluster(name));
      if (value !== null) return { revision: value.version, text: registrationOf(value.text) };
    } catch (error) {
      if (!isCertkeepError(error, "config_invalid")) throw error;
      return { revision: SCHEDULED, text: "" };
    }
    return (await this.#secret(this.#names.cluster(name)).exists())
      ? { revision: EMPTY, text: "" }
      : null;
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
      return (await secret.create(value, this.#kmsKey, description)) === null
        ? "changed"
        : "written";
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
      await this.#secret(this.#names.restoring(name)).remove();
  };

  readonly remove: Registrations["remove"] = async (name) => {
    await this.#secret(this.#names.cluster(name)).remove();
    await this.#secret(this.#names.restoring(name)).remove();
  };
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

/**
 * Backups in Secrets Manager: one secret a copy, under the prefix and the key as they are, made by
 * `CreateSecret` and never put to, updated or labelled. So there is no version to overwrite, and
 * the auditing role needs CreateSecret, GetSecretValue and ListSecrets. There are no tags: giving
 * them needs a permission that can't be limited to new secrets.
 *
 * Listings lag behind on AWS, so a copy that isn't listed may be there: making it says `exists`.
 * What was made or met here is asked for again where it can't be read yet. Removal is without a
 * recovery window, unless it is asked for: what is removed has expired, was replaced or is to be
 * gone (a leaked key), and a window keeps its name and makes it readable to whoever may restore it.
 */
import { isUtf8 } from "node:buffer";
import { setTimeout as sleep } from "node:timers/promises";
import { CreateSecretCommand, ListSecretsCommand, type Tag } from "@aws-sdk/client-secrets-manager";
import pLimit from "p-limit";
import { CertkeepError } from "../../error.ts";
import type { BlobEntry, BlobStore } from "../../ports/stores.ts";
import type { AwsWorld } from "./client.ts";
import { answerOr, awsFailure, factsOf, isNamed, isUncertain } from "./failure.ts";
import { NamedSecret, scheduledForDeletion, secretsClient } from "./secretsmanager.ts";
import { checkPrefix, displayUrl, isKey, MAX_SECRET_NAME, nameOf, parseSecretsUrl } from "./url.ts";

/** The longest that AWS offers. */
const RECOVERY_DAYS = 30;

export interface SecretBlobsOptions {
  /** A KMS key of one's own: its id, ARN or alias. Default: the account's `aws/secretsmanager`. */
  readonly kmsKeyId?: string;
}

/** https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html */
export const MAX_SECRET_BYTES = 65_536;
const PAGE_SIZE = 100;
/** Creating secrets has low limits for a whole account; the SDK slows down further when told to. */
const CREATES_AT_ONCE = 8;
/** Times that a copy is asked for which was just made and can't be read yet. */
const READ_ATTEMPTS = 6;
/** Earlier versions gave a tag with the size. */
const SIZE_TAG = "certkeep:bytes";
const DESCRIPTION = /^A certkeep backup of (\d{1,6}) bytes$/;

const describe = (sizeBytes: number): string => `A certkeep backup of ${sizeBytes} bytes`;

class SecretBlobs implements BlobStore {
  readonly url: BlobStore["url"];
  readonly #options: SecretBlobsOptions;
  readonly #root;
  readonly #client;
  readonly #creates = pLimit(CREATES_AT_ONCE);
  /** Keys that this process knows to be taken, and those that it removed. */
  readonly #met = new Set<string>();
  readonly #removed = new Set<string>();

  constructor(url: string, world: AwsWorld, options: SecretBlobsOptions) {
    this.#options = options;
    this.#root = parseSecretsUrl(url);
    this.#client = secretsClient(world);
    this.url = displayUrl(url);
  }

  #secretOf(key: string): string {
    return nameOf(this.url, this.#root, key, MAX_SECRET_NAME);
  }

  readonly list: BlobStore["list"] = (prefix) => this.#list(prefix);

  async *#list(prefix: string): AsyncGenerator<BlobEntry> {
    checkPrefix(this.url, prefix);
    const wanted = this.#root + prefix;
    const seen = new Set<string>();
    let token: string | undefined;
    do {
      const command = new ListSecretsCommand({
        MaxResults: PAGE_SIZE,
        Filters: [{ Key: "name", Values: [wanted] }],
        ...(token === undefined ? {} : { NextToken: token }),
      });
      const asked = { where: `${this.url}/${prefix}`, action: "secretsmanager:ListSecrets" };
      const page = await answerOr(this.#client.send(command), asked);
      for (const { Name = "", DeletedDate, Description, Tags } of page.SecretList ?? []) {
        const key = Name.startsWith(wanted) ? Name.slice(this.#root.length) : "";
        if (!isKey(key) || DeletedDate !== undefined || seen.has(key) || this.#removed.has(key))
          continue;
        seen.add(key);
        yield { key, sizeBytes: sizeOf(Description, Tags) };
      }
      if (page.NextToken !== undefined && page.NextToken === token) {
        throw new CertkeepError("store_unavailable", {
          where: this.url,
          found: "the listing repeats itself",
          todo: "The next run tries again",
        });
      }
      token = page.NextToken;
    } while (token !== undefined && token !== "");
  }

  readonly create: BlobStore["create"] = (key, document) =>
    this.#creates(() => this.#create(key, document));

  readonly #create: BlobStore["create"] = async (key, document) => {
    const name = this.#secretOf(key);
    const where = `secretsmanager://${name}`;
    if (document.byteLength > MAX_SECRET_BYTES) {
      throw new CertkeepError("store_full", {
        where,
        found:
          `the backup has ${document.byteLength} bytes, more than Secrets Manager accepts ` +
          `(${MAX_SECRET_BYTES})`,
        todo: "Store backups in S3, which has no such limit (stores.backups: s3://BUCKET/backups)",
      });
    }
    if (document.byteLength === 0)
      throw new CertkeepError("store_unavailable", {
        where,
        found: "the document is empty, which Secrets Manager doesn't accept",
      });
    // A copy of its own: the caller may wipe what it gave, and the SDK may send it again.
    const bytes = Uint8Array.from(document);
    try {
      await this.#client.send(
        new CreateSecretCommand({
          Name: name,
          ...(isUtf8(bytes)
            ? { SecretString: Buffer.from(bytes).toString("utf8") }
            : { SecretBinary: bytes }),
          Description: describe(bytes.byteLength),
          ...(this.#options.kmsKeyId === undefined ? {} : { KmsKeyId: this.#options.kmsKeyId }),
        }),
      );
      this.#met.add(key);
      this.#removed.delete(key);
      return "created";
    } catch (error) {
      const facts = factsOf(error);
      const exists = isNamed(facts, "ResourceExistsException");
      const taken = exists || isNamed(facts, "InvalidRequestException");
      const uncertain = isUncertain(facts, taken);
      const stored =
        taken || uncertain
          ? await new NamedSecret(this.#client, name).read().catch(() => null)
          : null;
      if (stored?.kind === "deleted") throw scheduledForDeletion(name);
      // The answer to a request that was done was lost: nobody else has these sealed bytes.
      const ours =
        uncertain && stored?.kind === "found" && Buffer.compare(stored.bytes, bytes) === 0;
      if (!exists && !ours)
        throw awsFailure(error, { where, action: "secretsmanager:CreateSecret" });
      this.#met.add(key);
      this.#removed.delete(key);
      return ours ? "created" : "exists";
    }
  };

  readonly read: BlobStore["read"] = async (key) => {
    const name = this.#secretOf(key);
    for (let attempt = 0; ; attempt += 1) {
      const found = await new NamedSecret(this.#client, name).read(true);
      if (found.kind === "found" && found.bytes.length > 0) return bounded(found.bytes, name);
      if (this.#removed.has(key)) return null;
      if (found.kind === "deleted") throw scheduledForDeletion(name, "file_unreadable");
      if (!this.#met.has(key) || attempt + 1 >= READ_ATTEMPTS) return null;
      await pause(attempt);
    }
  };

  readonly remove: BlobStore["remove"] = async (key, extent = "all") => {
    const name = this.#secretOf(key);
    if (
      await new NamedSecret(this.#client, name).remove(extent === "current" ? RECOVERY_DAYS : null)
    )
      return (
        `the secret ${name} is scheduled for deletion and is kept until then (aws ` +
        `secretsmanager describe-secret --secret-id ${name} says when)`
      );
    this.#met.delete(key);
    this.#removed.add(key);
    return null;
  };
}

/** @throws CertkeepError config_invalid */
export function createSecretBlobs(
  url: string,
  world: AwsWorld,
  options: SecretBlobsOptions = {},
): BlobStore {
  return new SecretBlobs(url, world, options);
}

/** AWS itself keeps no larger secret; what answers in its place might. */
function bounded(bytes: Uint8Array, name: string): Uint8Array {
  if (bytes.byteLength <= MAX_SECRET_BYTES) return bytes;
  throw new CertkeepError("store_damaged", {
    where: `secretsmanager://${name}`,
    found: `the secret has ${bytes.byteLength} bytes; the limit is ${MAX_SECRET_BYTES}`,
    todo: "Move it away",
  });
}

function sizeOf(description: string | undefined, tags: readonly Tag[] | undefined): number | null {
  const described = DESCRIPTION.exec(description ?? "")?.[1];
  const text = described ?? tags?.find(({ Key }) => Key === SIZE_TAG)?.Value ?? "";
  return /^\d{1,6}$/.test(text) ? Number(text) : null;
}

const FIRST_MS = 100;
const LONGEST_MS = 5_000;

/** `attempt`: from 0. */
export async function pause(attempt: number): Promise<void> {
  await sleep(Math.random() * Math.min(LONGEST_MS, FIRST_MS * 2 ** attempt));
}

/**
 * Backups in a bucket: one object a copy, made only where nothing is (`If-None-Match: *`), under
 * the prefix and the key as they are. Encryption is the bucket's.
 *
 * With `lock` (which needs `s3:PutObjectRetention`), or by the bucket's own default, each copy is
 * kept from deletion for so many days; the bucket must have been made with S3 Object Lock. Who
 * reads needs `s3:ListBucket` beside `s3:GetObject`: without it S3 says “forbidden” of what isn't
 * there.
 */
import { MAX_DOCUMENT_BYTES } from "../../backup/document.ts";
import { CertkeepError } from "../../error.ts";
import type { BlobEntry, BlobStore } from "../../ports/stores.ts";
import type { AwsWorld } from "./client.ts";
import { s3Client, getObject, putObject, type ObjectPlace, listObjects } from "./s3object.ts";
import { removeObject } from "./s3versions.ts";
import { checkPrefix, displayUrl, isKey, MAX_S3_KEY, nameOf, parseS3Url } from "./url.ts";

export interface S3BlobsOptions {
  readonly lock?: {
    /**
     * GOVERNANCE: who has `s3:BypassGovernanceRetention` may still delete; COMPLIANCE: nobody may.
     */
    readonly mode: "GOVERNANCE" | "COMPLIANCE";
    readonly days: number;
  };
  /** For the end of the lock. Default: the system's clock. */
  readonly nowMs?: () => number;
}

const DAY_MS = 86_400_000;

/** @throws CertkeepError config_invalid */
export function createS3Blobs(
  url: string,
  world: AwsWorld,
  options: S3BlobsOptions = {},
): BlobStore {
  const { bucket, prefix: root } = parseS3Url(url);
  const shown = displayUrl(url);
  const client = s3Client(world);
  const { lock, nowMs = Date.now } = options;
  const placeOf = (key: string): ObjectPlace => ({
    bucket,
    key: nameOf(shown, root, key, MAX_S3_KEY),
  });

  async function* list(prefix: string): AsyncGenerator<BlobEntry> {
    checkPrefix(shown, prefix);
    for await (const { key: name, sizeBytes } of listObjects(client, bucket, root + prefix)) {
      const key = name.slice(root.length);
      if (isKey(key)) yield { key, sizeBytes };
    }
  }

  async function create(key: string, document: Uint8Array): Promise<"created" | "exists"> {
    const place = placeOf(key);
    if (document.byteLength > MAX_DOCUMENT_BYTES) {
      throw new CertkeepError("store_full", {
        where: `${shown}/${key}`,
        found: `a backup of ${document.byteLength} bytes`,
        expected: `${MAX_DOCUMENT_BYTES} at most`,
      });
    }
    const until = lock === undefined ? null : new Date(nowMs() + lock.days * DAY_MS);
    const made = await putObject(client, place, document, {
      replaces: null,
      contentType: "application/json",
      ...(lock === undefined || until === null ? {} : { lock: { mode: lock.mode, until } }),
    });
    return made === null ? "exists" : "created";
  }

  return {
    url: shown,
    list,
    create,
    read: async (key) =>
      (await getObject(client, placeOf(key), MAX_DOCUMENT_BYTES, true))?.bytes ?? null,
    remove: async (key) => removeObject(client, placeOf(key)),
  };
}

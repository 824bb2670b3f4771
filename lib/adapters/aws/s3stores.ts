/**
 * Backups in a bucket: one object a copy, made only where nothing is (`If-None-Match: *`), under
 * the prefix and the key as they are. Encryption is the bucket's.
 *
 * With `lock` (which needs `s3:PutObjectRetention`), or by the bucket's own default, each copy is
 * kept from deletion for so many days; the bucket must have been made with S3 Object Lock. Who
 * reads needs `s3:ListBucket` beside `s3:GetObject`: without it S3 says “forbidden” of what isn't
 * there.
 *
 * State documents in a bucket: one object a document, compressed, replaced only where it is still
 * the one that was read (`If-Match` with its ETag; `If-None-Match: *` for the first). Of two
 * writers one is refused.
 *
 * What a person put there uncompressed is taken if it is JSON. A damaged document is an error that
 * names the version to go back to (the bucket keeps them); it is never passed over in silence,
 * because what it knew (which copies an audit recorded) would be lost without a word.
 */
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import { MAX_DOCUMENT_BYTES } from "../../backup/document.ts";
import { decodeSegment, encodeSegment } from "../../backup/keys.ts";
import { CertkeepError } from "../../error.ts";
import type { BlobEntry, BlobStore, StateStore } from "../../ports/stores.ts";
import { jsonOf } from "../../untrusted.ts";
import type { AwsWorld } from "./client.ts";
import { getObject, listObjects, type ObjectPlace, putObject, s3Client } from "./s3object.ts";
import { objectVersions, removeObject } from "./s3versions.ts";
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
        found: `the backup has ${document.byteLength} bytes; the limit is ${MAX_DOCUMENT_BYTES}`,
        todo: "Make the Secret smaller",
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
    remove: async (key, extent) => removeObject(client, placeOf(key), extent),
  };
}

const compress = promisify(gzip);
const decompress = promisify(gunzip);

/** Compressed; a state of ten thousand certificates has a few megabytes. */
const MAX_BYTES = 64 * 1024 * 1024;
const MAX_TEXT_BYTES = 256 * 1024 * 1024;
/** Older versions that are looked at for a whole one. */
const VERSIONS_TRIED = 20;
const SUFFIX = ".json";

type Parsed =
  { readonly ok: true; readonly text: string } | { readonly ok: false; readonly found: string };

async function parse(bytes: Uint8Array): Promise<Parsed> {
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    try {
      return {
        ok: true,
        text: (await decompress(bytes, { maxOutputLength: MAX_TEXT_BYTES })).toString("utf8"),
      };
    } catch {
      return { ok: false, found: `its ${bytes.byteLength} bytes aren't a complete gzip stream` };
    }
  }
  const text = Buffer.from(bytes).toString("utf8");
  if (jsonOf(text) !== undefined) return { ok: true, text };
  return { ok: false, found: `its ${bytes.byteLength} bytes are neither gzip nor JSON` };
}

class S3States implements StateStore {
  readonly url: StateStore["url"];

  readonly #bucket;
  readonly #root;
  readonly #client;

  constructor(url: string, world: AwsWorld) {
    const { bucket, prefix: root } = parseS3Url(url);
    this.#bucket = bucket;
    this.#root = root;
    this.#client = s3Client(world);
    this.url = displayUrl(url);
  }

  #placeOf(name: string): ObjectPlace {
    return {
      bucket: this.#bucket,
      key: nameOf(this.url, this.#root, `${encodeSegment(name)}${SUFFIX}`, MAX_S3_KEY),
    };
  }

  async #damaged(place: ObjectPlace, found: string): Promise<CertkeepError> {
    const where = `s3://${this.#bucket}/${place.key}`;
    const versions =
      (await objectVersions(this.#client, place).catch(() => null))?.filter(
        ({ marker }) => !marker,
      ) ?? null;
    if (versions === null)
      return new CertkeepError("state_damaged", {
        where,
        found,
        todo:
          "Look for an undamaged older version: aws s3api list-object-versions --bucket " +
          `${this.#bucket} --prefix ${place.key}`,
      });
    for (const { versionId } of versions.slice(1, VERSIONS_TRIED + 1)) {
      const older = await getObject(this.#client, { ...place, versionId }, MAX_BYTES).catch(
        () => null,
      );
      if (older === null || !(await parse(older.bytes)).ok) continue;
      return new CertkeepError("state_damaged", {
        where,
        found,
        todo:
          `Version ${versionId} is undamaged. Continue from it: aws s3api copy-object ` +
          `--bucket ${this.#bucket} --key ${place.key} --copy-source ` +
          `'${this.#bucket}/${place.key}?versionId=${versionId}'`,
      });
    }
    return new CertkeepError("state_damaged", {
      where,
      found,
      todo:
        "No older version is undamaged. Start fresh (backups stay, as not recorded): " +
        `aws s3 mv ${where} ${where}.damaged`,
    });
  }

  readonly read: StateStore["read"] = async (name) => {
    const place = this.#placeOf(name);
    const object = await getObject(this.#client, place, MAX_BYTES);
    if (object === null) return null;
    const parsed = await parse(object.bytes);
    if (!parsed.ok) throw await this.#damaged(place, parsed.found);
    return { revision: object.etag, text: parsed.text };
  };

  readonly write: StateStore["write"] = async (name, text, revision) => {
    const place = this.#placeOf(name);
    // Digests and serials make up most of a state: more effort gains a twentieth of the size for a
    // third more time.
    const body = await compress(text, { level: 1 });
    if (body.byteLength > MAX_BYTES) {
      throw new CertkeepError("store_full", {
        where: `s3://${this.#bucket}/${place.key}`,
        found: `the compressed state has ${body.byteLength} bytes; the limit is ${MAX_BYTES}`,
        todo: "Register the cluster in parts (namespaces) under several names",
      });
    }
    return putObject(this.#client, place, body, {
      replaces: revision,
      contentType: "application/json",
      contentEncoding: "gzip",
    });
  };

  readonly names: StateStore["names"] = async () => {
    const found: string[] = [];
    for await (const { key } of listObjects(this.#client, this.#bucket, this.#root, true)) {
      const name = key.endsWith(SUFFIX)
        ? decodeSegment(key.slice(this.#root.length, -SUFFIX.length))
        : null;
      if (name !== null) found.push(name);
    }
    return found;
  };
}

/** @throws CertkeepError config_invalid */
export function createS3States(url: string, world: AwsWorld): StateStore {
  return new S3States(url, world);
}

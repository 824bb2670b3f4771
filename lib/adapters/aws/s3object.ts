/**
 * One object of S3, read whole and written under a condition.
 *
 * Read: the length and the checksum that S3 sends have to fit, and what was cut off is asked for
 * again; more than `maxBytes` is refused before it is read. Written: each write carries an id of
 * its own, so that after an answer was lost it can be told whether it was this write that stands
 * there, or another's.
 */
import { randomUUID } from "node:crypto";
import type { Readable } from "node:stream";
import {
  S3Client,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type GetObjectCommandOutput,
  ListObjectsV2Command,
} from "@aws-sdk/client-s3";
import { CertkeepError } from "../../error.ts";
import type { SharedText } from "../../ports/stores.ts";
import { clientsOf, type AwsWorld } from "./client.ts";
import {
  answerOr,
  awsFailure,
  factsOf,
  isChecksumMismatch,
  isNamed,
  isUncertain,
  type AwsFacts,
} from "./failure.ts";
import { pause } from "./secretblobs.ts";
import { parseS3Object } from "./url.ts";

// Of an endpoint of one's own it isn't known whether its buckets have host names.
export const s3Client = clientsOf(
  "S3",
  ({ endpointNamed, config }) =>
    new S3Client({
      ...config(),
      followRegionRedirects: true,
      ...(endpointNamed ? { forcePathStyle: true } : {}),
    }),
);

export interface ObjectPlace {
  readonly bucket: string;
  readonly key: string;
  readonly versionId?: string;
}

export interface FoundObject {
  readonly bytes: Uint8Array;
  readonly etag: string;
}

/** A configuration or a registration, not a state. */
const MAX_TEXT_BYTES = 4 * 1024 * 1024;
/** Times that a body is asked for which broke off. */
const READ_ATTEMPTS = 3;
/**
 * Times that a write is tried which another's deletion at the same moment kept from being decided.
 */
const CONFLICT_ATTEMPTS = 5;
/** Metadata of an object: the id of the write that made it. */
const WRITE_ID = "certkeep-write";

function whereOf({ bucket, key }: ObjectPlace): string {
  return `s3://${bucket}/${key}`;
}

class CutOff extends Error {}

async function collect(
  answer: GetObjectCommandOutput,
  place: ObjectPlace,
  maxBytes: number,
): Promise<Uint8Array> {
  const body = answer.Body as Readable | undefined;
  if (body === undefined) return new Uint8Array(0);
  const tooLarge = (): CertkeepError => {
    body.destroy();
    return new CertkeepError("store_damaged", {
      where: whereOf(place),
      found: `the object has more than ${maxBytes} bytes, so certkeep didn't write it`,
      todo: "Move it away",
    });
  };
  if ((answer.ContentLength ?? 0) > maxBytes) throw tooLarge();
  const parts: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const part of body as AsyncIterable<Uint8Array>) {
    sizeBytes += part.byteLength;
    if (sizeBytes > maxBytes) throw tooLarge();
    parts.push(part);
  }
  if (answer.ContentLength !== undefined && sizeBytes !== answer.ContentLength)
    throw new CutOff("cut off");
  return Buffer.concat(parts, sizeBytes);
}

/** `one`: of many, so that its trouble isn't the store's. @returns `null` where there is none */
export async function getObject(
  client: S3Client,
  place: ObjectPlace,
  maxBytes: number,
  one = false,
): Promise<FoundObject | null> {
  const asked = {
    where: whereOf(place),
    action: place.versionId === undefined ? "s3:GetObject" : "s3:GetObjectVersion",
    one,
  };
  for (let attempt = 0; ; attempt += 1) {
    let answer: GetObjectCommandOutput;
    try {
      answer = await client.send(
        new GetObjectCommand({
          Bucket: place.bucket,
          Key: place.key,
          ...(place.versionId === undefined ? {} : { VersionId: place.versionId }),
        }),
      );
    } catch (error) {
      const facts = factsOf(error);
      if (
        isMissing(facts) ||
        (facts.status === 403 && place.versionId === undefined && (await isUnlisted(client, place)))
      )
        return null;
      throw awsFailure(error, asked);
    }
    try {
      return { bytes: await collect(answer, place, maxBytes), etag: tagOf(answer, place) };
    } catch (error) {
      if (error instanceof CertkeepError) throw error;
      if (attempt + 1 < READ_ATTEMPTS) {
        await pause(attempt);
        continue;
      }
      if (isChecksumMismatch(error)) throw awsFailure(error, asked);
      throw new CertkeepError("store_unavailable", {
        where: asked.where,
        found: `the answer was cut off ${READ_ATTEMPTS} times`,
        todo: "Check the network and the proxy in between; the next run tries again",
      });
    }
  }
}

/**
 * Whoever may list below this place alone is told 403 of what isn't there; a listing of just this
 * name tells.
 */
async function isUnlisted(client: S3Client, { bucket, key }: ObjectPlace): Promise<boolean> {
  try {
    for await (const listed of listObjects(client, bucket, key))
      if (listed.key === key) return false;
    return true;
  } catch {
    return false;
  }
}

/**
 * @throws CertkeepError where something in between left it out: what is written next would rest on
 * it
 */
function tagOf({ ETag }: { readonly ETag?: string | undefined }, place: ObjectPlace): string {
  if (ETag !== undefined && ETag !== "") return ETag;
  throw new CertkeepError("store_unavailable", {
    where: whereOf(place),
    found: "the answer has no ETag",
    todo: "Check the proxy or the endpoint in between",
  });
}

function isMissing(facts: AwsFacts): boolean {
  return (
    isNamed(facts, "NoSuchKey", "NotFound", "NoSuchVersion") ||
    (facts.status === 404 && facts.name !== "NoSuchBucket")
  );
}

export interface PutRequest {
  /** `null`: only where nothing is; else only in the place of what has this ETag. */
  readonly replaces: string | null;
  readonly contentType: string;
  readonly contentEncoding?: string;
  readonly lock?: { readonly mode: "GOVERNANCE" | "COMPLIANCE"; readonly until: Date };
}

/** @returns the new ETag, or `null` where the condition doesn't hold: nothing was changed then */
export async function putObject(
  client: S3Client,
  place: ObjectPlace,
  body: Uint8Array,
  request: PutRequest,
): Promise<string | null> {
  const writeId = randomUUID();
  const command = new PutObjectCommand({
    Bucket: place.bucket,
    Key: place.key,
    Body: body,
    ContentType: request.contentType,
    Metadata: { [WRITE_ID]: writeId },
    ...(request.contentEncoding === undefined ? {} : { ContentEncoding: request.contentEncoding }),
    ...(request.lock === undefined
      ? {}
      : { ObjectLockMode: request.lock.mode, ObjectLockRetainUntilDate: request.lock.until }),
    ...(request.replaces === null ? { IfNoneMatch: "*" } : { IfMatch: request.replaces }),
  });
  for (let attempt = 0; ; attempt += 1) {
    try {
      return tagOf(await client.send(command), place);
    } catch (error) {
      if (error instanceof CertkeepError) throw error;
      const facts = factsOf(error);
      const conflict = facts.status === 409 || isNamed(facts, "ConditionalRequestConflict");
      const refused =
        facts.status === 412 ||
        isNamed(facts, "PreconditionFailed") ||
        (request.replaces !== null && (conflict || isMissing(facts)));
      if (isUncertain(facts, refused || conflict)) {
        const etag = await etagOfWrite(client, place, writeId).catch(() => null);
        if (etag !== null) return etag;
      }
      if (refused) return null;
      if (conflict && attempt + 1 < CONFLICT_ATTEMPTS) {
        await pause(attempt);
        continue;
      }
      throw awsFailure(error, { where: whereOf(place), action: "s3:PutObject" });
    }
  }
}

/** The ETag of what stands there, if it is this write that made it. */
async function etagOfWrite(
  client: S3Client,
  { bucket, key }: ObjectPlace,
  writeId: string,
): Promise<string | null> {
  const { Metadata, ETag } = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }));
  return Metadata?.[WRITE_ID] === writeId ? (ETag ?? null) : null;
}

/**
 * Text of one object, such as a published configuration; `null` where there is none. @throws
 * CertkeepError config_invalid, store_*
 */
export async function readS3Object(url: string, world: AwsWorld): Promise<string | null> {
  const found = await getObject(s3Client(world), parseS3Object(url), MAX_TEXT_BYTES);
  return found === null ? null : Buffer.from(found.bytes).toString("utf8");
}

/**
 * Replaces whatever is there by a text: for what is derived again each time, where the last
 * one may win.
 */
export async function writeS3Object(url: string, text: string, world: AwsWorld): Promise<void> {
  const { bucket, key } = parseS3Object(url);
  const command = new PutObjectCommand({
    Bucket: bucket,
    Key: key,
    Body: text,
    ContentType: "text/plain; charset=utf-8",
  });
  await answerOr(s3Client(world).send(command), { where: url, action: "s3:PutObject" });
}

export interface ListedObject {
  readonly key: string;
  readonly sizeBytes: number | null;
}

/** `flat`: not what lies below a further `/`. @throws CertkeepError store_unavailable */
export async function* listObjects(
  client: S3Client,
  bucket: string,
  prefix: string,
  flat = false,
): AsyncGenerator<ListedObject> {
  const where = `s3://${bucket}/${prefix}`;
  let token: string | undefined;
  do {
    const command = new ListObjectsV2Command({
      Bucket: bucket,
      Prefix: prefix,
      ...(flat ? { Delimiter: "/" } : {}),
      ...(token === undefined ? {} : { ContinuationToken: token }),
    });
    const page = await answerOr(client.send(command), { where, action: "s3:ListBucket" });
    for (const { Key, Size } of page.Contents ?? [])
      if (Key?.startsWith(prefix) === true) yield { key: Key, sizeBytes: Size ?? null };
    token =
      page.IsTruncated === true ? nextOf(page.NextContinuationToken, token, where) : undefined;
  } while (token !== undefined);
}

/**
 * @throws CertkeepError store_unavailable where a listing says that it goes on, and not from where
 */
function nextOf(next: string | undefined, last: string | undefined, where: string): string {
  if (next !== undefined && next !== "" && next !== last) return next;
  throw new CertkeepError("store_unavailable", {
    where,
    found: "the listing was cut off: it has no continuation token",
    todo: "The next run tries again",
  });
}

/** `url`: `s3://BUCKET/KEY`. */
export function createS3Text(url: string, world: AwsWorld): SharedText {
  return {
    url,
    read: () => readS3Object(url, world),
    write: (text) => writeS3Object(url, text, world),
  };
}

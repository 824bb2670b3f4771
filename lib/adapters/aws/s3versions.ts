/**
 * Versions of an object in a bucket that keeps them: listed, removed, and until when they can't be.
 */
import {
  DeleteObjectCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { answerOr, factsOf, isNamed } from "./failure.ts";
import type { ObjectPlace } from "./s3object.ts";

/**
 * AWS's own are letters, digits, `.`, `_` and `-`; they come to stand in commands that are offered
 * for pasting.
 */
const VERSION_ID = /^[A-Za-z0-9._-]{1,1024}$/;

interface ObjectVersion {
  readonly versionId: string;
  /** A mark that the object was deleted; it holds nothing. */
  readonly marker: boolean;
}

/** The newest first. @throws CertkeepError store_unavailable */
export async function objectVersions(
  client: S3Client,
  { bucket, key }: ObjectPlace,
): Promise<readonly ObjectVersion[]> {
  const found: (ObjectVersion & { readonly at: number })[] = [];
  let from: { KeyMarker?: string; VersionIdMarker?: string } = {};
  for (;;) {
    const page = await answerOr(
      client.send(new ListObjectVersionsCommand({ Bucket: bucket, Prefix: key, ...from })),
      { where: `s3://${bucket}/${key}`, action: "s3:ListBucketVersions" },
    );
    const entries = [
      ...(page.Versions ?? []).map((entry) => ({ ...entry, marker: false })),
      ...(page.DeleteMarkers ?? []).map((entry) => ({ ...entry, marker: true })),
    ];
    for (const { Key, VersionId, marker, LastModified, IsLatest } of entries) {
      if (Key === key && VersionId !== undefined && VERSION_ID.test(VersionId))
        found.push({
          versionId: VersionId,
          marker,
          at: IsLatest === true ? Number.POSITIVE_INFINITY : (LastModified?.getTime() ?? 0),
        });
    }
    // Names come in order: once one behind the key appears, all of the key's own have been seen.
    const beyond = entries.some(({ Key }) => Key !== undefined && Key > key);
    if (page.IsTruncated !== true || beyond || page.NextKeyMarker === undefined) break;
    from = {
      KeyMarker: page.NextKeyMarker,
      ...(page.NextVersionIdMarker === undefined
        ? {}
        : { VersionIdMarker: page.NextVersionIdMarker }),
    };
  }
  return found.toSorted((a, b) => b.at - a.at);
}

/**
 * Removes an object and all of its versions, or (`current`) its name alone. @returns what the
 * bucket still keeps, in words that end “… is kept”, or `null` @throws CertkeepError where not even
 * its name could be removed
 */
export async function removeObject(
  client: S3Client,
  place: ObjectPlace,
  extent: "all" | "current" = "all",
): Promise<string | null> {
  const { bucket, key } = place;
  // Its name first: from here on nobody reads or lists it, whatever becomes of its versions.
  const { VersionId, DeleteMarker } = await answerOr(
    client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key })),
    { where: `s3://${bucket}/${key}`, action: "s3:DeleteObject" },
  );
  if ((VersionId === undefined && DeleteMarker !== true) || extent === "current") return null;
  let versions: readonly ObjectVersion[];
  try {
    versions = await objectVersions(client, place);
  } catch {
    return (
      "the bucket keeps older versions, which this identity has no permission to list " +
      "(s3:ListBucketVersions): they stay until the bucket's lifecycle rules remove them"
    );
  }
  const kept: { readonly until: number | null; readonly why: string }[] = [];
  // Marks last: while a version stays, one of them hides it.
  for (const version of versions.filter(({ marker }) => !marker)) {
    const failed = await removeVersion(client, place, version.versionId);
    if (failed !== null) kept.push(failed);
  }
  if (kept.length === 0) {
    for (const { versionId } of versions.filter(({ marker }) => marker))
      await removeVersion(client, place, versionId);
    return null;
  }
  const until = kept.map((one) => one.until);
  const count =
    kept.length === 1
      ? "one version of the object is kept"
      : `${kept.length} versions of the object are kept`;
  const last = until.includes(null) ? null : Math.max(...until.map(Number));
  if (last !== null)
    return `${count} by an object lock until ${new Date(last).toISOString()}; remove it after that`;
  return `${count} (${kept.find((one) => one.until === null)?.why ?? ""})`;
}

async function removeVersion(
  client: S3Client,
  { bucket, key }: ObjectPlace,
  versionId: string,
): Promise<{ readonly until: number | null; readonly why: string } | null> {
  try {
    await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key, VersionId: versionId }));
    return null;
  } catch (error) {
    const facts = factsOf(error);
    if (isNamed(facts, "NoSuchVersion", "NoSuchKey")) return null;
    const name = facts.name === "" ? "no answer" : facts.name;
    const request = facts.requestId === null ? "" : `, request ${facts.requestId}`;
    const why = `${name}${request}: s3:DeleteObjectVersion was refused`;
    try {
      const { ObjectLockRetainUntilDate, ObjectLockLegalHoldStatus } = await client.send(
        new HeadObjectCommand({ Bucket: bucket, Key: key, VersionId: versionId }),
      );
      if (ObjectLockLegalHoldStatus === "ON")
        return { until: null, why: "a legal hold, until somebody lifts it" };
      return { until: ObjectLockRetainUntilDate?.getTime() ?? null, why };
    } catch {
      return { until: null, why };
    }
  }
}

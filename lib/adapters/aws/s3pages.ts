/** The names below a prefix of a bucket, page by page; a listing that isn't whole throws. */
import { ListObjectsV2Command, type S3Client } from "@aws-sdk/client-s3";
import { CertkeepError } from "../../error.ts";
import { awsFailure } from "./failure.ts";

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
    const page = await client
      .send(
        new ListObjectsV2Command({
          Bucket: bucket,
          Prefix: prefix,
          ...(flat ? { Delimiter: "/" } : {}),
          ...(token === undefined ? {} : { ContinuationToken: token }),
        }),
      )
      .catch((error: unknown) => {
        throw awsFailure(error, { where, action: "s3:ListBucket" });
      });
    for (const { Key, Size } of page.Contents ?? [])
      if (Key?.startsWith(prefix) === true) yield { key: Key, sizeBytes: Size ?? null };
    token =
      page.IsTruncated === true ? nextOf(page.NextContinuationToken, token, where) : undefined;
  } while (token !== undefined);
}

/** @throws CertkeepError store_unavailable where a listing says that it goes on, and not from where */
function nextOf(next: string | undefined, last: string | undefined, where: string): string {
  if (next !== undefined && next !== "" && next !== last) return next;
  throw new CertkeepError("store_unavailable", {
    where,
    found: "a listing that says there is more, and not from where",
    expected: "the whole listing",
    todo: "The next run tries again",
  });
}

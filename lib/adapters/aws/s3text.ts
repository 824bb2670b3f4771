/** One text in a bucket, replaced as a whole; the bucket's versions keep what it was before. */
import type { SharedText } from "../../ports/stores.ts";
import type { AwsWorld } from "./client.ts";
import { readS3Object, writeS3Object } from "./s3object.ts";

/** `url`: `s3://BUCKET/KEY`. */
export function createS3Text(url: string, world: AwsWorld): SharedText {
  return {
    url,
    read: () => readS3Object(url, world),
    write: (text) => writeS3Object(url, text, world),
  };
}

/**
 * URLs of stores on AWS, taken apart and checked, and the keys below them. Pure.
 *
 * `s3://BUCKET[/PREFIX]`, `secretsmanager://PREFIX`. A prefix is segments of characters that both
 * services, a URL and a shell take as they are; nothing is escaped, so that what a person sees in
 * the console is what the URL says.
 */
import { CertkeepError } from "../../error.ts";

/** A place in a bucket; `prefix` is empty or ends with `/`. */
export interface S3Place {
  readonly bucket: string;
  readonly prefix: string;
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
const BUCKET = /^(?!\d+\.\d+\.\d+\.\d+$)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const SEGMENT = /^[A-Za-z0-9_=@+-][A-Za-z0-9._=@+-]*$/;
const KEY_SEGMENT = /^[A-Za-z0-9_=@-][A-Za-z0-9._=@-]*$/;
/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html, in bytes of UTF-8. */
export const MAX_S3_KEY = 1024;
/** https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html, Name. */
export const MAX_SECRET_NAME = 512;

const S3_FORM =
  "s3://BUCKET or s3://BUCKET/PREFIX: a bucket's name (3 to 63 of a-z, 0-9, - and .), then " +
  "segments of [A-Za-z0-9._=@+-]";
const SECRETS_FORM =
  "secretsmanager://PREFIX, such as secretsmanager://certkeep/prod: segments of [A-Za-z0-9._=@+-]";

function refuse(url: string, expected: string): CertkeepError {
  return new CertkeepError("config_invalid", {
    where: JSON.stringify(url.slice(0, 200)),
    found: "it isn't the URL of such a store",
    todo: `Use ${expected}`,
  });
}

/**
 * The segments of a path without its leading and its one trailing `/`; `null` where one isn't fit.
 */
function segmentsOf(path: string): readonly string[] | null {
  const segments = (path.endsWith("/") ? path.slice(0, -1) : path).split("/");
  return segments.every((segment) => SEGMENT.test(segment)) ? segments : null;
}

/** @throws CertkeepError config_invalid */
export function parseS3Url(url: string): S3Place {
  const [, bucket = "", path = ""] = /^s3:\/\/([^/]*)(?:\/(.*))?$/s.exec(url) ?? [];
  if (!BUCKET.test(bucket)) throw refuse(url, S3_FORM);
  if (path === "") return { bucket, prefix: "" };
  const segments = segmentsOf(path);
  if (segments === null || path.length > MAX_S3_KEY / 2) throw refuse(url, S3_FORM);
  return { bucket, prefix: `${segments.join("/")}/` };
}

/** One object: `s3://BUCKET/KEY`. @throws CertkeepError config_invalid */
export function parseS3Object(url: string): { readonly bucket: string; readonly key: string } {
  const { bucket, prefix } = parseS3Url(url);
  if (prefix === "" || url.endsWith("/"))
    throw refuse(url, "s3://BUCKET/KEY, such as s3://my-bucket/certkeep.yaml");
  return { bucket, key: prefix.slice(0, -1) };
}

/**
 * What the names of all secrets below a URL begin with, ending with `/`. @throws CertkeepError
 * config_invalid
 */
export function parseSecretsUrl(url: string): string {
  const [, path = ""] = /^secretsmanager:\/\/(.*)$/s.exec(url) ?? [];
  const segments = segmentsOf(path);
  if (segments === null || path.length > MAX_SECRET_NAME / 2) throw refuse(url, SECRETS_FORM);
  return `${segments.join("/")}/`;
}

/** A URL as people see it: without a trailing `/`. */
export function displayUrl(url: string): string {
  return url.endsWith("/") ? url.slice(0, -1) : url;
}

/**
 * Whether a text is a key of the port: segments of its alphabet, none empty, none beginning with a
 * dot.
 */
export function isKey(key: string): boolean {
  return key.split("/").every((segment) => KEY_SEGMENT.test(segment));
}

/**
 * The whole name of a document. @throws CertkeepError store_unavailable where `key` isn't one, or
 * is too long here
 */
export function nameOf(store: string, prefix: string, key: string, maxLength: number): string {
  if (!isKey(key)) {
    throw new CertkeepError("store_unavailable", {
      where: store,
      found: `it can't hold the key ${JSON.stringify(key)}`,
      todo: "Use segments of [A-Za-z0-9._=@-] that aren't empty and don't begin with a dot",
    });
  }
  const name = prefix + key;
  if (name.length > maxLength) {
    throw new CertkeepError("store_unavailable", {
      where: `${store}/${key}`,
      found: `the name has ${name.length} characters; AWS accepts at most ${maxLength}`,
      todo: "Choose a shorter prefix under stores:, or register the cluster under a shorter name",
    });
  }
  return name;
}

/** Checks the prefix of a listing. @throws CertkeepError store_unavailable */
export function checkPrefix(store: string, prefix: string): void {
  if (prefix === "" || (prefix.endsWith("/") && isKey(prefix.slice(0, -1)))) return;
  throw new CertkeepError("store_unavailable", {
    where: store,
    found: `it can't list the prefix ${JSON.stringify(prefix)}`,
    todo: "Use segments of [A-Za-z0-9._=@-] that end with /, or nothing",
  });
}

/** https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html, Name. */
export function isSecretName(name: string): boolean {
  return /^[A-Za-z0-9/_+=.@-]{1,512}$/.test(name);
}

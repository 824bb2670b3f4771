import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  checkPrefix,
  displayUrl,
  isKey,
  isSecretName,
  MAX_SECRET_NAME,
  nameOf,
  parseS3Object,
  parseS3Url,
  parseSecretsUrl,
} from "../../../lib/adapters/aws/url.ts";
import { copyKey } from "../../../lib/backup/keys.ts";
import { isCertkeepError } from "../../../lib/error.ts";

function refused(call: () => unknown): boolean {
  try {
    call();
    return false;
  } catch (error) {
    return isCertkeepError(error, "config_invalid");
  }
}

describe("a URL of S3", () => {
  it.each([
    ["s3://my-bucket", "my-bucket", ""],
    ["s3://my-bucket/", "my-bucket", ""],
    ["s3://my.bucket-1/state", "my.bucket-1", "state/"],
    ["s3://my-bucket/a/B_1=x@y.z+w/", "my-bucket", "a/B_1=x@y.z+w/"],
    [`s3://${"b".repeat(63)}/x`, "b".repeat(63), "x/"],
  ])("%s", (url, bucket, prefix) => {
    expect(parseS3Url(url)).toEqual({ bucket, prefix });
  });

  it.each([
    "",
    "s3:",
    "s3://",
    "s3:///x",
    "S3://my-bucket",
    "s3:my-bucket",
    "http://my-bucket",
    "s3://My-bucket",
    "s3://my_bucket",
    "s3://ab",
    `s3://${"b".repeat(64)}`,
    "s3://-ab",
    "s3://ab-",
    "s3://10.0.0.1",
    "s3://a..b",
    "s3://my-bucket//x",
    "s3://my-bucket/a//b",
    "s3://my-bucket/a/../b",
    "s3://my-bucket/.a",
    "s3://my-bucket/a b",
    "s3://my-bucket/a?x=1",
    "s3://my-bucket/a#b",
    "s3://user:pass@my-bucket/a",
    "s3://my-bucket/%20",
    "s3://my-bucket/a\n",
    `s3://my-bucket/${"x".repeat(600)}`,
  ])("refuses %j", (url) => {
    expect(refused(() => parseS3Url(url))).toBe(true);
  });

  it("of an object names one", () => {
    expect(parseS3Object("s3://my-bucket/certkeep.yaml")).toEqual({
      bucket: "my-bucket",
      key: "certkeep.yaml",
    });
    for (const url of ["s3://my-bucket", "s3://my-bucket/", "s3://my-bucket/folder/"])
      expect(refused(() => parseS3Object(url))).toBe(true);
  });
});

describe("a URL of Secrets Manager", () => {
  it("names a prefix", () => {
    expect(parseSecretsUrl("secretsmanager://certkeep/prod/backups")).toBe(
      "certkeep/prod/backups/",
    );
    expect(parseSecretsUrl("secretsmanager://certkeep/")).toBe("certkeep/");
    expect(displayUrl("secretsmanager://certkeep/")).toBe("secretsmanager://certkeep");
  });

  it.each([
    "",
    "secretsmanager:",
    "secretsmanager://",
    "secretsmanager:///x",
    "secretsmanager://a//b",
    "secretsmanager://a b",
    "secretsmanager://.a",
    "secretsmanager://a/é",
    "secretsmanager://a:b",
    `secretsmanager://${"x".repeat(300)}`,
    "s3://my-bucket",
  ])("refuses %j", (url) => {
    expect(refused(() => parseSecretsUrl(url))).toBe(true);
  });
});

describe("a name below it", () => {
  it(
    "is the prefix and the key as they are, whatever the cluster, the namespace and the Secret " +
      "are called",
    () => {
      fc.assert(
        fc.property(
          fc.string({ maxLength: 20 }),
          fc.string({ maxLength: 20 }),
          fc.string({ maxLength: 20 }),
          (cluster, namespace, secret) => {
            const key = copyKey({ cluster, namespace, secret }, "0".repeat(64));
            const name = nameOf("secretsmanager://certkeep", "certkeep/", key, MAX_SECRET_NAME);
            expect(name).toBe(`certkeep/${key}`);
            expect(isSecretName(name)).toBe(true);
          },
        ),
      );
    },
  );

  it("holds the longest of Kubernetes under a prefix of 37", () => {
    const key = copyKey(
      { cluster: "c".repeat(63), namespace: "n".repeat(63), secret: "s".repeat(253) },
      "0".repeat(64),
    );
    expect(
      nameOf("x", "certkeep/production-eu-west-1/backups/".slice(-37), key, MAX_SECRET_NAME),
    ).toHaveLength(488);
  });

  it("is refused one character too late, with what to do", () => {
    expect(nameOf("x", "", "a".repeat(512), 512)).toHaveLength(512);
    expect(() => nameOf("secretsmanager://certkeep", "", "a".repeat(513), 512)).toThrow(
      /513 characters; AWS accepts at most 512.*shorter/,
    );
  });

  it("is made of keys alone", () => {
    for (const key of ["a", "a/b.json", "_=@-/x"]) expect(isKey(key)).toBe(true);
    for (const key of ["", "/", "a/", "a//b", ".a", "a/.b", "a b", "a+b", "é"])
      expect(isKey(key)).toBe(false);
    for (const prefix of ["", "a/", "a/b/"]) expect(() => checkPrefix("x", prefix)).not.toThrow();
    for (const prefix of ["/", "a", "a//", "../"])
      expect(() => checkPrefix("x", prefix)).toThrow(/the prefix/);
    for (const name of ["", "a b", "a".repeat(513), "a:b", "é"])
      expect(isSecretName(name)).toBe(false);
  });
});

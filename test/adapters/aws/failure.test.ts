import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { awsFailure, factsOf, isUncertain } from "../../../lib/adapters/aws/failure.ts";
import { ProxyRefusal } from "../../../lib/adapters/proxy.ts";
import { CertkeepError } from "../../../lib/error.ts";

const CANARY = "canary-9f86d081884c7d65";
const ASKED = { where: "s3://my-bucket/backups/a.json", action: "s3:PutObject" };

/** As the SDK throws it: with all that must not get out. */
function foreign(name: string, status: number | null, more: object = {}): Error {
  return Object.assign(new Error(`${CANARY} in a message`), {
    name,
    $fault: "client",
    $metadata: {
      ...(status === null ? {} : { httpStatusCode: status }),
      requestId: "4442587F-B7D0",
      extendedRequestId: CANARY,
      attempts: 3,
      cfId: CANARY,
    },
    $response: { body: CANARY, headers: { "x-canary": CANARY } },
    Key: CANARY,
    ...more,
  });
}

describe("what AWS says", () => {
  it.each([
    [
      "AccessDenied",
      403,
      "store_unavailable",
      "this identity has no permission for s3:PutObject (AccessDenied, status 403, request " +
        "4442587F-B7D0, asked 3 times)",
    ],
    ["AccessDeniedException", 400, "store_unavailable", "has no permission for s3:PutObject"],
    ["Forbidden", 403, "store_unavailable", "has no permission for s3:PutObject"],
    ["NoSuchBucket", 404, "store_unavailable", "there is no such bucket"],
    ["PermanentRedirect", 301, "store_unavailable", "lies in another region"],
    ["AuthorizationHeaderMalformed", 400, "store_unavailable", "lies in another region"],
    ["ExpiredToken", 400, "store_unavailable", "doesn't accept the credentials"],
    ["ExpiredTokenException", 400, "store_unavailable", "doesn't accept the credentials"],
    ["UnrecognizedClientException", 400, "store_unavailable", "doesn't accept the credentials"],
    ["InvalidAccessKeyId", 403, "store_unavailable", "doesn't accept the credentials"],
    ["SignatureDoesNotMatch", 403, "store_unavailable", "doesn't accept the credentials"],
    ["RequestTimeTooSkewed", 403, "store_unavailable", "clock differs"],
    ["ThrottlingException", 400, "store_unavailable", "too many requests"],
    ["SlowDown", 503, "store_unavailable", "too many requests"],
    ["Whatever", 429, "store_unavailable", "too many requests"],
    ["LimitExceededException", 400, "store_full", "the account's quota is reached"],
    ["EntityTooLarge", 400, "store_full", "larger than S3 takes"],
    ["DecryptionFailure", 400, "store_unavailable", "kms:Decrypt"],
    ["EncryptionFailure", 400, "store_unavailable", "kms:GenerateDataKey"],
    ["KMS.DisabledException", 400, "store_unavailable", "isn't allowed to use the KMS key"],
    ["InternalServiceError", 500, "store_unavailable", "AWS failed at s3:PutObject"],
    [
      "InvalidParameterException",
      400,
      "store_unavailable",
      "AWS refused s3:PutObject (InvalidParameterException, status 400",
    ],
    ["constructor", 400, "store_unavailable", "AWS refused s3:PutObject"],
    [CANARY + " <xml>", 400, "store_unavailable", "AWS refused s3:PutObject (status 400"],
    ["CredentialsProviderError", null, "store_unavailable", "no credentials for AWS were found"],
    ["TimeoutError", null, "store_unavailable", "there was no answer in time"],
  ] as const)("%s, %s", (name, status, code, words) => {
    const failure = awsFailure(foreign(name, status), ASKED);
    expect(failure.code).toBe(code);
    expect(failure.message).toContain(words);
    expect(failure.message.startsWith(ASKED.where)).toBe(true);
    expect(failure.parts.todo).toBeTruthy();
    expect(JSON.stringify([failure, failure.parts, failure.message, failure.stack])).not.toContain(
      CANARY,
    );
    expect(failure.cause).toBeUndefined();
  });

  it.each([
    ["ECONNREFUSED", "nothing listens there (ECONNREFUSED)"],
    ["ENOTFOUND", "its host name doesn't exist (ENOTFOUND)"],
    ["ECONNRESET", "the connection was cut (ECONNRESET)"],
    ["EWHATEVER", "there was no answer in time (EWHATEVER)"],
    ["SELF_SIGNED_CERT_IN_CHAIN", "no trusted TLS connection to AWS"],
  ])("the network, %s", (network, words) => {
    expect(awsFailure(foreign("Error", null, { code: network }), ASKED).message).toContain(words);
    expect(
      awsFailure(
        Object.assign(new AggregateError([Object.assign(new Error(CANARY), { code: network })]), {
          $metadata: {},
        }),
        ASKED,
      ).message,
    ).toContain(words);
  });

  it("tells a missing region, a broken checksum and a proxy's refusal", () => {
    expect(awsFailure(new Error("Region is missing"), ASKED).message).toContain("Set AWS_REGION");
    expect(awsFailure(new Error(`Checksum mismatch: expected "${CANARY}"`), ASKED)).toMatchObject({
      code: "store_damaged",
    });
    expect(
      awsFailure(new ProxyRefusal("the proxy refused the connection (status 403)"), ASKED).message,
    ).toContain("status 403");
  });

  it("passes the project's own errors on", () => {
    const own = new CertkeepError("store_full", { where: "x", found: "y" });
    expect(awsFailure(own, ASKED)).toBe(own);
  });

  it("is read whatever is thrown", () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true }), (thrown) => {
        expect(awsFailure(thrown, ASKED)).toBeInstanceOf(CertkeepError);
      }),
    );
  });
});

describe("whether it may have been done all the same", () => {
  const facts = (name: string, status: number | null, attempts: number) =>
    factsOf({ name, $metadata: { httpStatusCode: status ?? undefined, attempts } });

  it.each([
    ["no answer", facts("TimeoutError", null, 1), false, true],
    ["its own trouble", facts("InternalError", 500, 5), false, true],
    ["throttled", facts("SlowDown", 503, 5), false, false],
    ["forbidden", facts("AccessDenied", 403, 1), false, false],
    ["refused at the first try", facts("PreconditionFailed", 412, 1), true, false],
    ["refused at the second try", facts("PreconditionFailed", 412, 2), true, true],
  ] as const)("%s", (_name, seen, refused, expected) => {
    expect(isUncertain(seen, refused)).toBe(expected);
  });
});

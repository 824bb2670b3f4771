/**
 * EKS by IAM: the token against the one that the AWS command line makes, and against a Security
 * Token Service.
 */
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { roleCredentials } from "../../lib/adapters/aws/client.ts";
import { eksToken } from "../../lib/adapters/kubernetes/eks.ts";
import { startMinistack, type AwsEmulator } from "./support/aws.ts";
import { runProgram } from "./support/run.ts";
import { lacksTools, requireTool } from "./support/tools.ts";

const KEYS = {
  accessKeyId: "AKIDEXAMPLE000000001",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
};

// The identity that takes roles on is the process's own.
beforeAll(() => {
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    AWS_EC2_METADATA_DISABLED: "true",
  });
});

function urlOf(token: string): URL {
  expect(token.startsWith("k8s-aws-v1.")).toBe(true);
  expect(token).not.toContain("=");
  return new URL(Buffer.from(token.slice("k8s-aws-v1.".length), "base64url").toString("utf8"));
}

/** `20261123T195500Z` in milliseconds. */
function dateMs(text: string): number {
  return Date.parse(
    text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"),
  );
}

describe.skipIf(lacksTools("aws"))("a token for EKS and the AWS command line's", () => {
  it.each([
    ["a key", undefined, "prod", "eu-west-1"],
    ["a session", "FwoGZXIvYXdzEBYaD+/=token", "prod-2_x", "us-east-1"],
  ])("are the same for the same inputs: %s", async (_name, sessionToken, cluster, region) => {
    const env = {
      PATH: process.env["PATH"] ?? "",
      HOME: tmpdir(),
      AWS_ACCESS_KEY_ID: KEYS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: KEYS.secretAccessKey,
      AWS_STS_REGIONAL_ENDPOINTS: "regional",
      ...(sessionToken === undefined ? {} : { AWS_SESSION_TOKEN: sessionToken }),
    };
    const ended = await runProgram(
      requireTool("aws"),
      ["eks", "get-token", "--cluster-name", cluster, "--region", region, "--output", "json"],
      { env },
    );
    expect(ended).toMatchObject({ code: 0 });
    const theirs = urlOf((JSON.parse(ended.stdout) as { status: { token: string } }).status.token);
    const nowMs = dateMs(theirs.searchParams.get("X-Amz-Date") ?? "");
    const ours = urlOf(
      await eksToken({
        cluster,
        region,
        nowMs: () => nowMs,
        credentials: async () => ({
          ...KEYS,
          ...(sessionToken === undefined ? {} : { sessionToken }),
        }),
      }),
    );
    expect(ours.origin + ours.pathname).toBe(theirs.origin + theirs.pathname);
    // The signature is over all the rest, so it alone would do.
    expect(Object.fromEntries(ours.searchParams)).toEqual(Object.fromEntries(theirs.searchParams));
  });
});

describe.skipIf(lacksTools("ministack"))("a token for EKS and an STS", () => {
  let emulator: AwsEmulator;

  beforeAll(async () => {
    emulator = await startMinistack();
  });
  afterAll(() => emulator?.stop());

  it("is a request that it answers with the role's identity, once the role was taken on", async () => {
    const credentials = roleCredentials(
      "arn:aws:iam::000000000000:role/certkeep-prod-read",
      "eu-west-1",
      "prod",
      { AWS_ENDPOINT_URL_STS: emulator.endpoint },
    );
    const token = await eksToken({
      cluster: "prod",
      region: "eu-west-1",
      endpoint: emulator.endpoint,
      nowMs: () => Date.now(),
      credentials,
    });
    const url = urlOf(token);
    expect(url.searchParams.get("X-Amz-SignedHeaders")).toBe("host;x-k8s-aws-id");
    expect(url.searchParams.get("X-Amz-Expires")).toBe("60");
    // As the cluster's authenticator sends it on.
    const answer = await fetch(url, { headers: { "x-k8s-aws-id": "prod" } });
    expect(answer.status).toBe(200);
    expect(await answer.text()).toMatch(
      /<Arn>arn:aws:sts::000000000000:assumed-role\/certkeep-prod-read\/certkeep-prod<\/Arn>/,
    );
  });
});

describe("a role for EKS", () => {
  it("tells a role that can't be taken on by its code alone", async () => {
    const server = createServer((_request, answer) => {
      answer.writeHead(403, { "content-type": "text/xml" });
      answer.end(
        "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>canary " +
          `${createHash("sha256").update("x").digest("hex")}</Message></Error></ErrorResponse>`,
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const refused = roleCredentials("arn:aws:iam::123456789012:role/x", "eu-west-1", "prod", {
      AWS_ENDPOINT_URL_STS: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    });
    const error = (await refused().catch((reason: unknown) => reason)) as Error & { code: string };
    server.close();
    expect(error.code).toBe("cluster_unauthorized");
    expect(error.message).toContain("AccessDenied");
    expect(error.message).not.toContain("canary");
  });
});

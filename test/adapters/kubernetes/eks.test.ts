/**
 * Tokens for EKS, against what the AWS command line (1.45.11, `aws eks get-token`) printed for the
 * same inputs.
 */
import { describe, expect, it } from "vitest";
import { asEksRole, eksToken } from "../../../lib/adapters/kubernetes/eks.ts";
import { connect } from "../../../lib/adapters/kubernetes/context.ts";
import { parseKubeconfig } from "../../../lib/adapters/kubernetes/kubeconfig.ts";

const KEYS = {
  accessKeyId: "AKIDEXAMPLE000000001",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
};
const START =
  "https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE000000001%2F20261123%2Feu-west-1%2Fsts%2Faws4_request";

const decoded = (token: string): string =>
  Buffer.from(token.replace(/^k8s-aws-v1\./, ""), "base64url").toString("utf8");
const sorted = (url: string): string[] => url.split(/[?&]/).toSorted();

describe("a token for EKS", () => {
  it.each([
    [
      "a key",
      {},
      "2026-11-23T20:30:37Z",
      `${START}&X-Amz-Date=20261123T203037Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Signature=1ecc873548fd938ac7b41fe5c1e2bde1b629591018ec2041aa7a63395c40d716`,
    ],
    [
      "a session",
      { sessionToken: "FwoGZXIvYXdzEBYaD+/=token" },
      "2026-11-23T20:30:38Z",
      `${START}&X-Amz-Date=20261123T203038Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Security-Token=FwoGZXIvYXdzEBYaD%2B%2F%3Dtoken&X-Amz-Signature=64bf845e72511cd6e834df2a59f8c93241ce1a0860c7f1f5261fc69d68a228e7`,
    ],
  ])("is the command line's own for %s", async (_name, more, at, expected) => {
    const token = await eksToken({
      cluster: "prod",
      region: "eu-west-1",
      nowMs: () => Date.parse(at),
      credentials: async () => ({ ...KEYS, ...more }),
    });
    expect(token).toMatch(/^k8s-aws-v1\.[A-Za-z0-9_-]+$/);
    expect(sorted(decoded(token))).toEqual(sorted(expected));
  });

  it("is bound to the name of its cluster", async () => {
    const sign = (cluster: string): Promise<string> =>
      eksToken({
        cluster,
        region: "eu-west-1",
        nowMs: () => 1_800_000_000_000,
        credentials: async () => KEYS,
      });
    expect(await sign("prod")).not.toBe(await sign("staging"));
    expect(await sign("prod")).toBe(await sign("prod"));
  });

  it("is recreated before the cluster would refuse it, and when it is refused", async () => {
    let nowMs = 1_800_000_000_000;
    let asked = 0;
    const text = JSON.stringify({
      kind: "Config",
      "current-context": "c",
      clusters: [{ name: "c", cluster: { server: "https://127.0.0.1:1" } }],
      users: [{ name: "u", user: {} }],
      contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
    });
    const plain = await connect(parseKubeconfig(text, "test"), null, {
      environment: {},
      nowMs: () => nowMs,
    });
    const connection = asEksRole(plain, {
      cluster: "prod",
      region: "eu-west-1",
      nowMs: () => nowMs,
      credentials: async () => {
        asked += 1;
        return KEYS;
      },
    });
    const token = async (): Promise<unknown> =>
      (await connection.credentials()).headers["authorization"];
    expect(connection.forget()).toBe(false);
    const first = await token();
    nowMs += 12 * 60_000 - 1;
    expect(await token()).toBe(first);
    nowMs += 1;
    const second = await token();
    expect(second).not.toBe(first);
    expect(connection.forget()).toBe(true);
    await Promise.all([token(), token()]);
    expect(asked).toBe(3);
  });
});

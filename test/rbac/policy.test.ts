/**
 * The policy of an audit from inside allows this cluster's places, and of no other cluster's
 * anything.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { insidePolicy, type Policy } from "../../lib/rbac/policy.ts";

const STORES = { backups: "s3://bucket/backups", state: "s3://bucket/state" };

function matches(pattern: string, text: string): boolean {
  return new RegExp(
    `^${pattern
      .split("*")
      .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"))
      .join(".*")}$`,
  ).test(text);
}

/** As IAM decides: one statement that fits action, resource and all conditions. */
function allows(
  policy: Policy,
  action: string,
  resource: string,
  context: Readonly<Record<string, string>> = {},
): boolean {
  return policy.Statement.some(({ Action, Resource, Condition }) => {
    const { StringLike = {}, Null = {} } = Condition ?? {};
    const likes = Object.entries(StringLike).every(
      ([key, patterns]) =>
        context[key] !== undefined &&
        [patterns].flat().some((pattern) => matches(pattern, context[key] ?? "")),
    );
    const nulls = Object.entries(Null).every(
      ([key, absent]) => (context[key] === undefined) === (absent === "true"),
    );
    return (
      Action.includes(action) &&
      Resource.some((pattern) => matches(pattern, resource)) &&
      likes &&
      nulls
    );
  });
}

const policyOf = (name: string, stores = STORES): Policy =>
  insidePolicy(name, stores, "eu-west-1") ?? { Version: "2012-10-17", Statement: [] };

describe("the policy for one cluster", () => {
  it("is what an audit of it does", () => {
    const policy = policyOf("lab");
    const bucket = "arn:aws:s3:::bucket";
    for (const document of ["cluster-lab.json", "lease-lab.json"])
      for (const action of ["s3:GetObject", "s3:PutObject"])
        expect(allows(policy, action, `${bucket}/state/${document}`)).toBe(true);
    expect(allows(policy, "s3:GetObject", `${bucket}/backups/lab/shop/web/v.json`)).toBe(true);
    expect(
      allows(policy, "s3:PutObject", `${bucket}/backups/lab/shop/web/v.json`, {
        "s3:if-none-match": "*",
      }),
    ).toBe(true);
    for (const prefix of ["backups/lab/", "backups/lab/shop/web/v.json", "state/cluster-lab.json"])
      expect(allows(policy, "s3:ListBucket", bucket, { "s3:prefix": prefix })).toBe(true);
  });

  it("replaces and removes no copy, and lists nothing without saying where", () => {
    const policy = policyOf("lab");
    expect(allows(policy, "s3:PutObject", "arn:aws:s3:::bucket/backups/lab/shop/web/v.json")).toBe(
      false,
    );
    for (const action of [
      "s3:DeleteObject",
      "s3:DeleteObjectVersion",
      "s3:GetObjectVersion",
      "s3:*",
    ])
      expect(
        allows(policy, action, "arn:aws:s3:::bucket/backups/lab/shop/web/v.json", {
          "s3:if-none-match": "*",
        }),
      ).toBe(false);
    expect(allows(policy, "s3:ListBucket", "arn:aws:s3:::bucket")).toBe(false);
  });

  it("is nothing of another cluster's, whatever both are called", () => {
    const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?$/);
    fc.assert(
      fc.property(
        label,
        label.chain((other) => fc.constantFrom(other, `${other}-2`)),
        fc.boolean(),
        (name, suffix, related) => {
          const other = related ? `${name}${suffix}` : suffix;
          fc.pre(other !== name);
          const policy = policyOf(name);
          for (const key of [
            `state/cluster-${other}.json`,
            `state/lease-${other}.json`,
            `backups/${other}/ns/s/v.json`,
            "state/digest.json",
            "certkeep.yaml",
          ]) {
            for (const action of ["s3:GetObject", "s3:PutObject"])
              expect(
                allows(policy, action, `arn:aws:s3:::bucket/${key}`, { "s3:if-none-match": "*" }),
              ).toBe(false);
          }
          for (const prefix of [
            "",
            "state/",
            "state/cluster-",
            "backups/",
            `backups/${other}/`,
            `state/cluster-${other}.json`,
          ])
            expect(
              allows(policy, "s3:ListBucket", "arn:aws:s3:::bucket", { "s3:prefix": prefix }),
            ).toBe(false);
        },
      ),
    );
  });

  it("knows buckets of their own, whole buckets and other parts of AWS, and no stores elsewhere", () => {
    const policy = insidePolicy(
      "lab",
      { backups: "s3://copies", state: "s3://states/a/b" },
      "cn-north-1",
    );
    expect(policy?.Statement.flatMap(({ Resource }) => Resource)).toEqual([
      "arn:aws-cn:s3:::states/a/b/cluster-lab.json",
      "arn:aws-cn:s3:::states/a/b/lease-lab.json",
      "arn:aws-cn:s3:::copies/lab/*",
      "arn:aws-cn:s3:::copies/lab/*",
      "arn:aws-cn:s3:::copies",
      "arn:aws-cn:s3:::states",
    ]);
    expect(
      insidePolicy(
        "lab",
        { backups: "secretsmanager://certkeep/prod/backups", state: "s3://b" },
        null,
      ),
    ).toBeNull();
    expect(insidePolicy("lab", { backups: "s3://b", state: "file:/s" }, null)).toBeNull();
  });
});

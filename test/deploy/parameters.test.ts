/** Parameters of a deployment: what is taken, and what a mistake is told as. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { NAMES, parseParameters, refuseUnknown, type Given } from "../../stack/parameters.ts";

const { params } = parse(
  readFileSync(join(import.meta.dirname, "../../serverless.yml"), "utf8"),
) as { params: { default: Given } };
const DEFAULTS = params.default;
const take = (given: Partial<Given>, stage = "prod") =>
  parseParameters({ ...DEFAULTS, ...given }, stage, "eu-west-1");

describe("parameters", () => {
  it("have a default each in serverless.yml, which is the one place for them", () => {
    expect(Object.keys(DEFAULTS).toSorted()).toEqual([...NAMES].toSorted());
    expect(take({})).toMatchObject({
      timeoutSeconds: 300,
      visibilitySeconds: 1800,
      backups: "secretsmanager",
      stateBucket: null,
      kmsKey: null,
      tags: {},
      readRoles: ["certkeep-*-read"],
    });
  });

  it("are taken as numbers and lists, or as the text of a command line", () => {
    expect(
      take({
        timeoutSeconds: "60",
        tags: "a=1,b=x=y",
        subnets: "subnet-12345678",
        securityGroups: ["sg-12345678"],
      }),
    ).toMatchObject({
      timeoutSeconds: 60,
      tags: { a: "1", b: "x=y" },
      subnets: ["subnet-12345678"],
      securityGroups: ["sg-12345678"],
    });
    expect(take({ tags: { team: "tls" } }).tags).toEqual({ team: "tls" });
  });

  it.each<[Partial<Given>, string]>([
    [
      { timeoutSeconds: 901 },
      "parameter timeoutSeconds is 901. It must be a whole number from 10 to 900.",
    ],
    [{ timeoutSeconds: "5m" }, 'parameter timeoutSeconds is "5m". It must be a whole number'],
    [
      { visibilitySeconds: 1799 },
      "parameter visibilitySeconds is 1799. It must be at least 1800 (six times the time-out)",
    ],
    [{ visibilitySeconds: 43_201 }, "It must be a whole number from 1 to 43200"],
    [
      { maximumConcurrency: 1 },
      "parameter maximumConcurrency is 1. It must be a whole number from 2 to 1000.",
    ],
    [{ maxReceiveCount: 0 }, "parameter maxReceiveCount"],
    [{ intervalMinutes: 0 }, "parameter intervalMinutes"],
    [
      { logRetentionDays: 31 },
      "It must be a number of days that CloudWatch accepts: 1, 3, 5, 7, 14, 30",
    ],
    [{ backups: "dynamodb" }, 'parameter backups is "dynamodb". It must be secretsmanager or s3.'],
    [{ stateBucket: "s3://bucket" }, "parameter stateBucket"],
    [{ kmsKey: "alias/aws/s3" }, "It must be the ARN of a KMS key"],
    [{ topicKey: "arn:aws:kms:eu-west-1:123456789012:alias/x" }, "not of an alias"],
    [{ permissionsBoundary: "limits" }, "It must be the ARN of a policy, or empty."],
    [{ rolePath: "teams" }, "It must be a path that begins and ends with /"],
    [{ tags: "team" }, "It must be key=value"],
    [{ readRoles: "arn:aws:iam::1:role/x" }, "parameter readRoles"],
    [
      { subnets: "subnet-12345678" },
      "parameter securityGroups is empty. Set both subnets and securityGroups, or neither.",
    ],
    [
      { httpsProxy: "http://user:pass@proxy:3128" },
      "parameter httpsProxy is invalid (not shown). It must be the URL of a proxy with neither " +
        "user nor path",
    ],
    [{ alarmEmail: "ops" }, "It must be an e-mail address"],
  ])("%o is refused", (given, expected) => {
    expect(() => take(given)).toThrow(expected);
  });

  it("refuse a name that none has, with the one that was meant", () => {
    expect(() => refuseUnknown(NAMES)).not.toThrow();
    expect(() => refuseUnknown(["backups", "bakups"])).toThrow(
      /^parameter "bakups" doesn't exist\. Use one of timeoutSeconds, .*\. Did you mean backups\?$/,
    );
    expect(() => refuseUnknown(["zzzzzzzzzzzz"])).toThrow(/noProxy\.$/);
  });

  it("tell a mistake without a stack, which the framework would print", () => {
    for (const wrong of [() => take({ backups: "dynamodb" }), () => refuseUnknown(["bakups"])]) {
      let thrown: unknown;
      try {
        wrong();
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toMatchObject({ stack: (thrown as Error).message });
    }
  });

  it("refuse a stage that doesn't fit into the names of roles", () => {
    expect(take({}, "a".repeat(20)).stage.length).toBe(20);
    for (const stage of ["a".repeat(21), "Prod", "1st", "a_b"])
      expect(() => take({}, stage)).toThrow("parameter stage");
  });
});

/** A deployment that would look for backups or states elsewhere than the standing stack. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Given } from "../../stack/parameters.ts";
import type { Value } from "../../stack/names.ts";
import { refusedSwitch } from "../../stack/standing.ts";
import { renderStack } from "./iam.ts";

type Environment = Readonly<Record<string, Value>>;

const previous = readFileSync(join(import.meta.dirname, "fixtures/previous.json"), "utf8");
const environment = (given: Partial<Given>): Environment =>
  renderStack(given).environment as Environment;
/** The template of a stack that was deployed with these parameters. */
const deployed = (given: Partial<Given>): string =>
  JSON.stringify({
    Resources: {
      AuditLambdaFunction: { Properties: { Environment: { Variables: environment(given) } } },
    },
  });
const refused = (template: string, given: Partial<Given>, config: string | null = null) =>
  refusedSwitch(template, environment(given), { stack: "certkeep-prod", config });

describe("a standing stack", () => {
  it.each<[string, string, Partial<Given>]>([
    ["of the version before, by its defaults", previous, {}],
    ["with the same parameters", deployed({ backups: "s3" }), { backups: "s3" }],
    [
      "with the same adopted bucket",
      deployed({ stateBucket: "adopted" }),
      { stateBucket: "adopted" },
    ],
    ["with another interval", deployed({ intervalMinutes: 15 }), { intervalMinutes: 30 }],
    ["without functions yet", JSON.stringify({ Resources: {} }), { backups: "s3" }],
  ])("%s is updated", (_, template, given) => {
    expect(refused(template, given)).toBeNull();
  });

  it.each<[string, string, Partial<Given>, RegExp]>([
    [
      "a plain redeploy of one with backups in S3",
      deployed({ backups: "s3" }),
      {},
      /^stack certkeep-prod: its backups are in s3:\/\/the stack's own bucket\/backups, and this deployment would use secretsmanager:\/\/certkeep\/prod\/backups, so that restores find none of them\. Set backups: s3 in serverless\.yml/,
    ],
    [
      "S3 for the version before, unasked",
      previous,
      { backups: "s3" },
      /its backups are in secretsmanager:\/\/certkeep\/prod\/backups, .* Set backups: secretsmanager in/,
    ],
    [
      "a plain redeploy of one that adopted a bucket",
      deployed({ stateBucket: "adopted" }),
      {},
      /its states are in s3:\/\/adopted\/state, and this deployment would use s3:\/\/the stack's own bucket\/state\. Set stateBucket: adopted in/,
    ],
    [
      "another bucket beside its own",
      previous,
      { stateBucket: "other" },
      /its states are in s3:\/\/the stack's own bucket\/state, .*Set stateBucket: "" in/,
    ],
  ])("refuses %s", (_, template, given, message) => {
    expect(refused(template, given)).toMatch(message);
  });

  it.each<[string, string | null, Partial<Given>, boolean]>([
    ["s3://bucket/backups", previous, { backups: "s3" }, true],
    ["s3://bucket/other", previous, { backups: "s3" }, false],
    ["file:/backups", previous, { backups: "s3" }, false],
    ["secretsmanager://certkeep/prod/backups", deployed({ backups: "s3" }), {}, true],
    ["secretsmanager://certkeep/dev/backups", deployed({ backups: "s3" }), {}, false],
  ])("moves its backups where certkeep.yaml says %s: %#", (backups, template, given, may) => {
    const answer = refused(template ?? "", given, `stores: {backups: "${backups}"}\n`);
    expect(answer === null).toBe(may);
  });
});

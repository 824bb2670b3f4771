/**
 * A standing stack, as the version before this deployed it, updated by `serverless deploy` on an
 * emulator, and back: what holds data, and what others trust, is the same afterwards.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FUNCTIONS } from "../../../stack/names.ts";
import type { Ended } from "../support/run.ts";
import { lacksTools } from "../support/tools.ts";
import { prepareDeployment, type Deployment } from "./deployment.ts";

const STACK = "certkeep-prod";
const PREVIOUS = join(import.meta.dirname, "../../deploy/fixtures/previous.json");
const SECRETS = ["backups/alpha/shop/web-tls/v1.json", "clusters/alpha", "slack/ops", "identity"];

describe.skipIf(lacksTools("ministack", "aws"))(
  "a stack of the version before",
  { timeout: 600_000 },
  () => {
    let deployment: Deployment;
    let bucket: string;
    let before: Standing;

    interface Standing {
      /** By logical id. */
      readonly resources: Readonly<Record<string, string>>;
      /** IAM's unique ids, which trust policies name. */
      readonly roles: Readonly<Record<string, string>>;
      readonly secrets: readonly string[];
      readonly objects: Readonly<Record<string, string>>;
      readonly stores: Readonly<Record<string, string | undefined>>;
    }

    const fine = (ended: Ended): Ended => {
      if (ended.code !== 0) throw new Error(`${ended.stdout}\n${ended.stderr}`);
      return ended;
    };
    const cloudformation = async (action: "create" | "update", template: object): Promise<void> => {
      const file = join(deployment.folder, "template.json");
      writeFileSync(file, JSON.stringify(template));
      await deployment.ask([
        "cloudformation",
        `${action}-stack`,
        "--stack-name",
        STACK,
        "--template-body",
        `file://${file}`,
        "--capabilities",
        "CAPABILITY_NAMED_IAM",
      ]);
      await deployment.ask([
        "cloudformation",
        "wait",
        `stack-${action}-complete`,
        "--stack-name",
        STACK,
      ]);
    };
    const put = (key: string, file: string): Promise<unknown> =>
      deployment.ask([
        "s3api",
        "put-object",
        "--bucket",
        bucket,
        "--key",
        key,
        "--body",
        join(deployment.folder, file),
      ]);
    const resources = async (): Promise<Readonly<Record<string, string>>> => {
      const { StackResources } = await deployment.ask<{
        StackResources: readonly { LogicalResourceId: string; PhysicalResourceId: string }[];
      }>(["cloudformation", "describe-stack-resources", "--stack-name", STACK]);
      return Object.fromEntries(
        StackResources.map((one) => [one.LogicalResourceId, one.PhysicalResourceId]),
      );
    };
    const look = async (): Promise<Standing> => {
      const roles: Record<string, string> = {};
      const stores: Record<string, string | undefined> = {};
      for (const name of FUNCTIONS) {
        const { Role } = await deployment.ask<{ Role: { RoleId: string } }>([
          "iam",
          "get-role",
          "--role-name",
          `certkeep-prod-${name}-eu-west-1`,
        ]);
        roles[name] = Role.RoleId;
        const { Environment } = await deployment.ask<{
          Environment: { Variables: Record<string, string> };
        }>(["lambda", "get-function-configuration", "--function-name", `certkeep-prod-${name}`]);
        for (const key of ["CERTKEEP_BACKUPS", "CERTKEEP_STATE", "CERTKEEP_REGISTRY"])
          stores[`${name} ${key}`] = Environment.Variables[key];
      }
      const { SecretList } = await deployment.ask<{ SecretList: readonly { ARN: string }[] }>([
        "secretsmanager",
        "list-secrets",
      ]);
      const { Contents } = await deployment.ask<{
        Contents: readonly { Key: string; ETag: string }[];
      }>(["s3api", "list-objects-v2", "--bucket", bucket]);
      return {
        resources: await resources(),
        roles,
        secrets: SecretList.map(({ ARN }) => ARN).toSorted(),
        objects: Object.fromEntries(
          Contents.filter(({ Key }) => Key.startsWith("state/")).map(({ Key, ETag }) => [
            Key,
            ETag,
          ]),
        ),
        stores,
      };
    };

    beforeAll(async () => {
      deployment = await prepareDeployment("prod", "recipients: []\n");
      // Its code doesn't matter here: what is deployed is the template of then.
      fine(await deployment.serverless("package"));
      const text = readFileSync(PREVIOUS, "utf8").replaceAll(/\.cjs(?=")/g, ".js");
      const template = JSON.parse(text) as { Resources: Record<string, object> };
      const { ServerlessDeploymentBucket } = template.Resources;
      await cloudformation("create", {
        AWSTemplateFormatVersion: "2010-09-09",
        Resources: { ServerlessDeploymentBucket },
      });
      bucket = (await resources())["ServerlessDeploymentBucket"] ?? "";
      for (const name of FUNCTIONS)
        await put(`serverless/certkeep/prod/${name}.zip`, `.serverless/${name}.zip`);
      await cloudformation("update", template);
      bucket = (await resources())["StateBucket"] ?? "";
      writeFileSync(join(deployment.folder, "state.json"), "{}");
      await put("state/cluster-alpha.json", "state.json");
      for (const path of SECRETS)
        await deployment.ask([
          "secretsmanager",
          "create-secret",
          "--name",
          `certkeep/prod/${path}`,
          "--secret-string",
          "value",
        ]);
      before = await look();
      fine(await deployment.serverless("deploy"));
    }, 600_000);
    afterAll(() => deployment?.stop());

    it("keeps every role, bucket, queue, topic and secret, and the stores of its functions", async () => {
      const after = await look();
      expect(Object.keys(before.resources).length).toBeGreaterThan(40);
      expect(Object.keys(before.objects)).toEqual(["state/cluster-alpha.json"]);
      expect(before.secrets).toHaveLength(SECRETS.length);
      expect(after).toMatchObject(before);
      expect(after.stores["audit CERTKEEP_BACKUPS"]).toBe("secretsmanager://certkeep/prod/backups");
    });

    it.each([
      ["backups=s3", "Set backups: secretsmanager in serverless.yml"],
      ["stateBucket=another-bucket", 'Set stateBucket: "" in serverless.yml'],
    ])("refuses a deployment with %s, before anything is made", async (param, words) => {
      const ended = await deployment.serverless("deploy", "--param", param);
      expect(ended.code).not.toBe(0);
      const said = ended.stdout + ended.stderr;
      expect(said).toContain(words);
      expect(said).not.toMatch(/^ +at /m);
      expect(await look()).toMatchObject(before);
    });

    it("can go back to it", async () => {
      bucket = (await resources())["ServerlessDeploymentBucket"] ?? "";
      for (const name of FUNCTIONS)
        await put(`serverless/certkeep/prod/${name}.zip`, `.serverless/${name}.zip`);
      const text = readFileSync(PREVIOUS, "utf8").replaceAll(/\.cjs(?=")/g, ".js");
      await cloudformation("update", JSON.parse(text) as object);
      bucket = before.resources["StateBucket"] ?? "";
      expect(await look()).toMatchObject(before);
    });
  },
);

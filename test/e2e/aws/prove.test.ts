/**
 * The script with which a person tries certkeep on an AWS account and a cluster of their own, run
 * whole against an emulator over TLS and a real kube-apiserver.
 */
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startSlackSink, type SlackSink } from "../../support/slack.ts";
import { EMULATED_REGION } from "../support/aws.ts";
import { startKube, type Kube } from "../support/kube.ts";
import type { Ended } from "../support/run.ts";
import { lacksTools, requireTool } from "../support/tools.ts";
import { prepareDeployment, type Deployment } from "./deployment.ts";

const STAGE = "proof";
const CONTEXT = "their-context";
const WEBHOOK = `certkeep/${STAGE}/slack/ops`;

describe.skipIf(lacksTools("ministack", "aws", "etcd", "kube-apiserver", "kubectl"))(
  "scripts/prove-on-aws.sh",
  { timeout: 900_000 },
  () => {
    let deployment: Deployment;
    let kube: Kube;
    let slack: SlackSink;

    beforeAll(async () => {
      [deployment, kube, slack] = await Promise.all([
        prepareDeployment(STAGE, ""),
        startKube(),
        startSlackSink(),
      ]);
      rmSync(join(deployment.folder, "certkeep.yaml"));
    }, 120_000);
    afterAll(async () => {
      await Promise.all([deployment?.stop(), kube?.stop(), slack?.stop()]);
    });

    const prove = (env: Readonly<Record<string, string>> = {}): Promise<Ended> =>
      deployment.script(
        "prove-on-aws.sh",
        ["--context", CONTEXT, "--stage", STAGE, "--region", EMULATED_REGION, "--yes"],
        {
          KUBECONFIG: kube.kubeconfigFor({ contextName: CONTEXT }),
          PATH: [
            dirname(process.execPath),
            dirname(requireTool("kubectl")),
            dirname(requireTool("aws")),
            process.env["PATH"],
          ].join(delimiter),
          ...env,
        },
      );
    const secretNames = async (): Promise<readonly string[]> => {
      const { SecretList } = await deployment.ask<{ SecretList: readonly { Name: string }[] }>([
        "secretsmanager",
        "list-secrets",
      ]);
      return SecretList.map(({ Name }) => Name);
    };

    it("refuses a stage that holds something, and leaves it alone", async () => {
      await deployment.ask([
        "secretsmanager",
        "create-secret",
        "--name",
        WEBHOOK,
        "--secret-string",
        "x",
      ]);
      const { code, stderr } = await prove();
      expect({ code, stderr }).toMatchObject({
        code: 2,
        stderr: expect.stringContaining(`the stage ${STAGE} exists already`),
      });
      expect(await secretNames()).toEqual([WEBHOOK]);
      await deployment.ask([
        "secretsmanager",
        "delete-secret",
        "--secret-id",
        WEBHOOK,
        "--force-delete-without-recovery",
      ]);
    });

    it("loses and restores a Secret, removes everything, and tells neither whose nor where", async () => {
      const { code, stdout, stderr } = await prove({ SLACK_WEBHOOK: slack.url });
      expect({ code, stdout: stdout.slice(-4000), stderr }).toMatchObject({ code: 0 });
      expect(stdout).toContain("The restored Secret holds the same bytes as the lost one.");
      expect(stdout).toContain("PROVEN");
      expect(slack.taken.length).toBeGreaterThan(0);
      const name = readdirSync(deployment.folder).find((file) => file.startsWith("prove-on-aws-"));
      const transcript = readFileSync(join(deployment.folder, name ?? ""), "utf8");
      for (const word of [
        "000000000000",
        new URL(kube.server).host,
        CONTEXT,
        slack.url,
        deployment.folder,
      ])
        expect(transcript).not.toContain(word);
      expect(transcript).not.toMatch(/AGE-SECRET-KEY|PRIVATE KEY|BEGIN CERT|eyJ/);
      expect(await secretNames()).toEqual([]);
      expect(await deployment.ask(["s3api", "list-buckets"])).toMatchObject({ Buckets: [] });
      expect(readdirSync(deployment.folder)).not.toContain("certkeep.yaml");
    });
  },
);

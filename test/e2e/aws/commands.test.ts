/**
 * The command line against what lies on AWS: set up, a cluster registered, audited, restored and
 * forgotten by whoever has AWS access and nothing else on disk. A real kube-apiserver; moto for
 * Secrets Manager, S3 and SNS.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  GetSecretValueCommand,
} from "@aws-sdk/client-secrets-manager";
import { CreateTopicCommand, SNSClient, SubscribeCommand } from "@aws-sdk/client-sns";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { generateIdentity } from "../../../lib/adapters/age/identity.ts";
import { s3Client } from "../../../lib/adapters/aws/s3object.ts";
import { secretsClient, createSecretKeeper } from "../../../lib/adapters/aws/secretsmanager.ts";
import { createAlarmTopic } from "../../../lib/adapters/aws/queue.ts";
import { parseConfig } from "../../../lib/config/parse.ts";
import { createAuthority, type Authority } from "../../support/pki.ts";
import { EMULATED_REGION, startMoto, type AwsEmulator } from "../support/aws.ts";
import { startKube, type Kube } from "../support/kube.ts";
import { createNamespace, createSecrets, readSecret } from "../support/objects.ts";
import { runProgram, type Ended } from "../support/run.ts";
import { lacksTools } from "../support/tools.ts";
import { makeBucket, thrown, useTestCredentials, worldOf } from "./support.ts";

const MAIN = resolve(import.meta.dirname, "../../../lib/cli/main.ts");
const HOOK = "https://hooks.slack.com/services/T0/B0/canary-of-the-webhook";
const DAY_MS = 86_400_000;

describe.skipIf(lacksTools("moto_server"))("set up for AWS", () => {
  let moto: AwsEmulator;
  let home: string;
  let work: string;

  beforeAll(async () => {
    useTestCredentials();
    moto = await startMoto();
    home = mkdtempSync(join(tmpdir(), "certkeep-e2e-aws-"));
    work = join(home, "work");
    mkdirSync(work);
  });
  afterAll(async () => {
    await moto?.stop();
    if (home !== undefined) rmSync(home, { recursive: true, force: true });
  });

  const certkeep = (args: readonly string[], env: Record<string, string> = {}): Promise<Ended> =>
    runProgram(process.execPath, [MAIN, ...args], {
      cwd: work,
      env: {
        PATH: process.env["PATH"] ?? "",
        HOME: home,
        XDG_CONFIG_HOME: join(home, ".config"),
        XDG_DATA_HOME: join(home, ".local"),
        ...moto.env,
        ...env,
      },
      timeoutMs: 60_000,
    });
  const secret = async (name: string): Promise<string | undefined> =>
    (
      await secretsClient(worldOf(moto)).send(
        new GetSecretValueCommand({ SecretId: name, VersionStage: "AWSCURRENT" }),
      )
    ).SecretString;

  it("asks nobody without a terminal, and says which flags stand for the questions", async () => {
    expect(await certkeep(["init", "--aws", "--yes"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--webhook env:NAME"),
    });
    expect(await certkeep(["init", "--aws", "--yes", "--webhook", HOOK])).toMatchObject({
      code: 2,
      stderr: expect.not.stringContaining("canary"),
    });
    expect(
      await certkeep(["init", "--aws", "--yes", "--webhook", "env:HOOK", "--stage", "Prod"], {
        HOOK,
      }),
    ).toMatchObject({ code: 2, stderr: expect.stringContaining("--stage") });
    expect(readdirSync(work)).toEqual([]);
  });

  it("makes secrets, a route and what is next; twice as once; and shows no value", async () => {
    const said = await certkeep(
      ["init", "--aws", "--yes", "--webhook", "env:HOOK", "--identity-in-cloud", "--json"],
      { HOOK },
    );
    expect(said.stderr + said.stdout).not.toMatch(/canary|AGE-SECRET/);
    expect(said).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(
        /npm ci[\s\S]*npx serverless deploy --stage prod --region eu-west-1/,
      ),
    });
    expect(JSON.parse(said.stdout)).toMatchObject({
      aws: {
        registry: "secretsmanager://certkeep/prod",
        webhook: { action: "created" },
        identity: { action: "created" },
        config: "updated",
      },
    });
    expect(await secret("certkeep/prod/slack/ops")).toBe(HOOK);
    expect(await secret("certkeep/prod/identity")).toMatch(/^AGE-SECRET-KEY-1[A-Z0-9]+\n$/);
    const file = join(work, "certkeep.yaml");
    const text = readFileSync(file, "utf8");
    expect(parseConfig(text, file)).toMatchObject({
      ok: true,
      config: {
        aws: { region: EMULATED_REGION, stage: "prod" },
        clusters: [],
        digest: { routes: [{ name: "ops", webhook: "secretsmanager://certkeep/prod/slack/ops" }] },
      },
    });
    const again = await certkeep(
      ["init", "--aws", "--yes", "--webhook", "env:HOOK", "--identity-in-cloud", "--json"],
      { HOOK: "https://other.example" },
    );
    expect(JSON.parse(again.stdout)).toMatchObject({
      aws: { webhook: { action: "kept" }, identity: { action: "kept" }, config: "kept" },
    });
    expect(readFileSync(file, "utf8")).toBe(text);
    expect(await secret("certkeep/prod/slack/ops")).toBe(HOOK);
  });

  it("changes no secret that is there, and says which one is being deleted", async () => {
    const keeper = createSecretKeeper(worldOf(moto));
    expect(await keeper.exists("certkeep/x")).toBe(false);
    expect(
      await Promise.all([1, 2, 3].map((n) => keeper.create("certkeep/x", `value ${n}`, "a test"))),
    ).toContain("created");
    const value = await secret("certkeep/x");
    expect(await keeper.create("certkeep/x", "other", "a test")).toBe("exists");
    expect(await secret("certkeep/x")).toBe(value);
    await secretsClient(worldOf(moto)).send(new DeleteSecretCommand({ SecretId: "certkeep/x" }));
    // AWS refuses to make one of this name then; moto doesn't.
    expect(await thrown(keeper.exists("certkeep/x"))).toMatchObject({
      message: expect.stringContaining("scheduled for deletion"),
    });
  });

  it("counts who hears an alarm", async () => {
    const sns = new SNSClient({ region: EMULATED_REGION, endpoint: moto.endpoint });
    const { TopicArn = "" } = await sns.send(new CreateTopicCommand({ Name: "alarms" }));
    const topic = createAlarmTopic(TopicArn, worldOf(moto));
    expect(await topic.subscriptions()).toEqual({ confirmed: 0, pending: 0 });
    await sns.send(
      new SubscribeCommand({
        TopicArn,
        Protocol: "sqs",
        Endpoint: `arn:aws:sqs:${EMULATED_REGION}:123456789012:q`,
      }),
    );
    expect((await topic.subscriptions()).confirmed).toBe(1);
    sns.destroy();
    expect(
      await thrown(createAlarmTopic(`${TopicArn}-none`, worldOf(moto)).subscriptions()),
    ).toMatchObject({
      code: "store_unavailable",
      message: expect.stringContaining("sns:ListSubscriptionsByTopic"),
    });
  });
});

describe.skipIf(lacksTools("moto_server", "etcd", "kube-apiserver"))(
  "the command line against a stack on AWS",
  () => {
    let moto: AwsEmulator;
    let kube: Kube;
    let folder: string;
    let admin: string;
    let config: string;
    let authority: Authority;

    beforeAll(async () => {
      useTestCredentials();
      [moto, kube] = await Promise.all([startMoto(), startKube()]);
      folder = mkdtempSync(join(tmpdir(), "certkeep-e2e-aws-"));
      authority = createAuthority({ name: "E2E" });
      await createNamespace(kube, "shop");
      const pair = authority.issue({
        names: ["web.example.com"],
        notBefore: new Date(Date.now() - 10 * DAY_MS),
        notAfter: new Date(Date.now() + 80 * DAY_MS),
      });
      await createSecrets(kube, [
        {
          namespace: "shop",
          name: "web-tls",
          type: "kubernetes.io/tls",
          data: {
            "tls.crt": Buffer.from(pair.certificatePem).toString("base64"),
            "tls.key": Buffer.from(pair.keyPem).toString("base64"),
          },
        },
      ]);
      admin = kube.kubeconfigFor({ contextName: "admin" });
      const { secret, recipient } = await generateIdentity();
      const secrets = secretsClient(worldOf(moto));
      await secrets.send(
        new CreateSecretCommand({ Name: "certkeep/prod/identity", SecretString: `${secret}\n` }),
      );
      await secrets.send(
        new CreateSecretCommand({ Name: "certkeep/prod/slack/ops", SecretString: HOOK }),
      );
      const bucket = await makeBucket(worldOf(moto), "versioned");
      config = `s3://${bucket}/certkeep.yaml`;
      const text = stringify({
        recipients: [recipient],
        identity: "secretsmanager://certkeep/prod/identity",
        stores: {
          backups: "secretsmanager://certkeep/prod/backups",
          state: `s3://${bucket}/state`,
          registry: "secretsmanager://certkeep/prod",
        },
        aws: {
          region: EMULATED_REGION,
          stage: "prod",
          topic: `arn:aws:sns:${EMULATED_REGION}:123456789012:nobody`,
        },
        issuers: [{ id: "e2e", anchors: authority.root.pem }],
        digest: {
          routes: [
            { name: "ops", webhook: "secretsmanager://certkeep/prod/slack/ops" },
            { name: "gone", webhook: "secretsmanager://certkeep/prod/slack/gone" },
          ],
        },
      });
      await s3Client(worldOf(moto)).send(
        new PutObjectCommand({ Bucket: bucket, Key: "certkeep.yaml", Body: text }),
      );
      await s3Client(worldOf(moto)).send(
        new PutObjectCommand({
          Bucket: bucket,
          Key: "filed.yaml",
          Body: "stores: {state: 'file:s'}\nissuers: [{id: a, anchors: a.pem}]\n",
        }),
      );
    });
    afterAll(async () => {
      await Promise.all([kube?.stop(), moto?.stop()]);
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    });

    const certkeep = async (
      args: readonly string[],
      kubeconfig = "/nowhere",
      where = config,
    ): Promise<Ended> => {
      const said = await runProgram(process.execPath, [MAIN, ...args, "--config", where], {
        cwd: folder,
        env: { PATH: process.env["PATH"] ?? "", HOME: folder, KUBECONFIG: kubeconfig, ...moto.env },
        timeoutMs: 100_000,
      });
      expect(said.stdout + said.stderr).not.toMatch(/canary|AGE-SECRET|eyJ/);
      expect(readdirSync(folder)).toEqual([]);
      return said;
    };

    it("registers a cluster for everybody, and again", async () => {
      for (const rotated of [false, true]) {
        const added = await certkeep(
          [
            "clusters",
            "add",
            "prod",
            "--context",
            "admin",
            "--namespace",
            "shop",
            "--parts",
            "secrets,parents,diagnosis,restore",
            "--yes",
            "--json",
          ],
          admin,
        );
        expect(added).toMatchObject({ code: 0 });
        expect(JSON.parse(added.stdout)).toMatchObject({ name: "prod", rotated });
      }
      const listed = await certkeep(["clusters", "--json"]);
      expect(JSON.parse(listed.stdout)).toMatchObject({
        clusters: [
          {
            name: "prod",
            registered: true,
            kind: "token",
            restores: true,
            namespaces: ["shop"],
            problems: [],
          },
        ],
      });
    });

    it("audits, lists copies, and restores with what lies there alone", async () => {
      const audit = await certkeep(["audit", "prod", "--json"]);
      expect(audit).toMatchObject({ code: 0 });
      expect(JSON.parse(audit.stdout)).toMatchObject({
        clusters: [{ complete: true, copies: { made: 1 } }],
      });
      expect((await certkeep(["backups"])).stdout).toContain("web.example.com");
      const before = await readSecret(kube, "shop", "web-tls");
      await kube.demand("DELETE", "/api/v1/namespaces/shop/secrets/web-tls");
      expect(await certkeep(["restore", "prod", "web.example.com", "--apply"])).toMatchObject({
        code: 0,
      });
      expect((await readSecret(kube, "shop", "web-tls"))?.data).toEqual(before?.data);
    });

    it("tells what isn't right, one thing each", async () => {
      await secretsClient(worldOf(moto)).send(
        new CreateSecretCommand({ Name: "certkeep/prod/clusters/half", SecretString: "{}" }),
      );
      const { lines } = JSON.parse((await certkeep(["doctor", "--json"])).stdout) as {
        lines: { id: string; level: string; cluster: string | null; text: string }[];
      };
      const of = (id: string): string[] =>
        lines
          .filter((line) => line.id === id)
          .map(({ level, cluster, text }) => `${level} ${cluster ?? ""}: ${text}`);
      expect(of("registry")).toEqual([
        "pass : secretsmanager://certkeep/prod is readable: 1 cluster",
      ]);
      expect(of("registration")).toEqual([
        expect.stringMatching(
          /^fail half: secretsmanager:\/\/certkeep\/prod\/clusters\/half: the secret lacks "format": 1, or registration/,
        ),
      ]);
      expect(of("alarms")).toEqual([expect.stringMatching(/^warn : topic arn:aws:sns/)]);
      expect(
        of("identity").filter((text) => text.includes("opens the current backups")),
      ).toHaveLength(1);
      expect(of("digest")).toEqual([
        expect.stringMatching(/^warn : Route ops: nothing posted yet/),
        expect.stringMatching(
          /^fail : .*secretsmanager:\/\/certkeep\/prod\/slack\/gone: the secret is missing or empty/,
        ),
      ]);
      for (const id of ["backups", "state"])
        expect(of(id)).toEqual([expect.stringMatching(/^pass/)]);
    });

    it("refuses a configuration in a bucket that names files, or isn't there", async () => {
      expect(
        await certkeep(["clusters"], "/nowhere", config.replace("certkeep.yaml", "filed.yaml")),
      ).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(
          /stores\.state is a file[\s\S]*issuers\[0\]\.anchors is a file\. Use the certificates themselves/,
        ),
      });
      expect(
        await certkeep(["clusters"], "/nowhere", config.replace("certkeep.yaml", "none.yaml")),
      ).toMatchObject({ code: 2, stderr: expect.stringContaining("no such object") });
      expect(await certkeep(["clusters"], "/nowhere", "s3://bucket")).toMatchObject({
        code: 2,
        stderr: expect.stringContaining("s3://BUCKET/KEY"),
      });
    });

    it("forgets a cluster with both its secrets, and half a one", async () => {
      expect(
        await certkeep(["clusters", "remove", "prod", "--revoke", "--context", "admin"], admin),
      ).toMatchObject({ code: 0 });
      expect(await certkeep(["clusters", "remove", "half"])).toMatchObject({ code: 0 });
      expect(JSON.parse((await certkeep(["clusters", "--json"])).stdout)).toEqual(
        expect.objectContaining({ clusters: [] }),
      );
      for (const name of ["clusters/prod", "restoring/prod", "clusters/half"])
        expect(
          (
            (await thrown(
              secretsClient(worldOf(moto)).send(
                new GetSecretValueCommand({ SecretId: `certkeep/prod/${name}` }),
              ),
            )) as Error
          ).name,
        ).toBe("ResourceNotFoundException");
      expect(await certkeep(["audit"])).toMatchObject({
        stderr: expect.stringContaining(
          "no cluster is registered in secretsmanager://certkeep/prod",
        ),
      });
      expect(await certkeep(["audit", "prod"])).toMatchObject({
        code: 2,
        stderr: expect.stringContaining("certkeep clusters add prod"),
      });
    });
  },
);

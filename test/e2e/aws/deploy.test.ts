/**
 * Deployed as people deploy it, into an emulator of AWS over TLS that enforces IAM, with two real
 * clusters: schedules run, the functions audit, restore and post, and each role is refused what it
 * must not do.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { generateIdentity } from "../../../lib/adapters/age/identity.ts";
import { createAuthority, type Authority, type Issued } from "../../support/pki.ts";
import { startSlackSink, type SlackSink } from "../../support/slack.ts";
import { stateName } from "../../../lib/usecases/states.ts";
import { startKube, type Kube } from "../support/kube.ts";
import {
  createNamespace,
  createSecrets,
  readSecret,
  type SecretManifest,
} from "../support/objects.ts";
import { waitUntil } from "../support/process.ts";
import type { Ended } from "../support/run.ts";
import { lacksTools } from "../support/tools.ts";
import { prepareDeployment, type Credentials, type Deployment } from "./deployment.ts";

const DAY_MS = 86_400_000;
const STAGE = "e2e";
const CLUSTERS = ["alpha", "beta"] as const;
const PARTS = "secrets,parents,restore";

const stateKey = (cluster: string): string => `state/${stateName(cluster)}.json`;
const base64 = (text: string): string => Buffer.from(text).toString("base64");
const nameOf = (cluster: string): string => `web.${cluster}.example.com`;

interface Message {
  readonly Body: string;
}

describe.skipIf(lacksTools("ministack", "aws", "etcd", "kube-apiserver"))(
  "certkeep deployed into an account",
  { timeout: 300_000 },
  () => {
    let deployment: Deployment;
    let slack: SlackSink;
    let authority: Authority;
    let bucket: string;
    let deployed: Ended;
    let outputs: Readonly<Record<string, string>>;
    const kubes = new Map<string, Kube>();

    const kubeOf = (name: string): Kube => kubes.get(name) as Kube;
    const issue = (name: string): Issued =>
      authority.issue({
        names: [name],
        notBefore: new Date(Date.now() - 10 * DAY_MS),
        notAfter: new Date(Date.now() + 80 * DAY_MS),
      });
    const secretOf = (cluster: string): SecretManifest => {
      const pair = issue(nameOf(cluster));
      return {
        namespace: "shop",
        name: "web-tls",
        type: "kubernetes.io/tls",
        data: { "tls.crt": base64(pair.certificatePem), "tls.key": base64(pair.keyPem) },
      };
    };
    const config = (): string => `s3://${bucket}/certkeep.yaml`;
    const createSecret = (path: string, value: string): Promise<unknown> =>
      deployment.ask([
        "secretsmanager",
        "create-secret",
        "--name",
        `certkeep/${STAGE}/${path}`,
        "--secret-string",
        value,
      ]);
    const certkeep = (...args: string[]): Promise<Ended> =>
      deployment.certkeep([...args, "--config", config()]);
    const fine = (ended: Ended): Ended => {
      if (ended.code !== 0) throw new Error(`${ended.stdout}\n${ended.stderr}`);
      return ended;
    };
    const invoke = async <T>(name: string, event: unknown = {}): Promise<T> => {
      const { stdout } = fine(
        await deployment.serverless("invoke", "-f", name, "--data", JSON.stringify(event)),
      );
      return JSON.parse(stdout.slice(stdout.indexOf("{"))) as T;
    };
    /**
     * When the last whole audit of a cluster finished, in milliseconds, as the report has it; 0
     * before the first.
     */
    const audited = async (cluster: string): Promise<number> => {
      const { stdout } = await certkeep("report", "--json");
      const { clusters } = JSON.parse(stdout) as {
        clusters: readonly { cluster: string; sight: string; seenAt: string | null }[];
      };
      const summary = clusters.find((one) => one.cluster === cluster);
      return summary?.sight === "now" ? Date.parse(summary.seenAt ?? "") : 0;
    };
    const deadLetters = async (): Promise<readonly string[]> => {
      const { Messages = [] } = await deployment.ask<{ Messages?: readonly Message[] }>([
        "sqs",
        "receive-message",
        "--queue-url",
        outputs["DeadLettersUrl"] ?? "",
        "--max-number-of-messages",
        "10",
        "--visibility-timeout",
        "0",
      ]);
      return Messages.map(({ Body }) => Body);
    };

    beforeAll(async () => {
      authority = createAuthority({ name: "E2E" });
      slack = await startSlackSink();
      const { secret, recipient } = await generateIdentity();
      const pem = authority.root.pem
        .trim()
        .split("\n")
        .map((line) => `      ${line}`)
        .join("\n");
      const yaml =
        `recipients: [${recipient}]\n` +
        "issuers:\n" +
        "  - id: e2e\n" +
        "    title: E2E\n" +
        "    kind: production\n" +
        "    anchors: |\n" +
        `${pem}\n` +
        "digest:\n" +
        `  at: "00:00"\n` +
        "  routes:\n" +
        `    - {name: ops, webhook: "secretsmanager://certkeep/${STAGE}/slack/ops"}\n`;
      const [prepared, ...started] = await Promise.all([
        prepareDeployment(STAGE, yaml),
        ...CLUSTERS.map(() => startKube()),
      ]);
      deployment = prepared;
      CLUSTERS.forEach((name, index) => kubes.set(name, started[index] as Kube));
      for (const name of CLUSTERS) {
        await createNamespace(kubeOf(name), "shop");
        await createSecrets(kubeOf(name), [secretOf(name)]);
      }
      await createSecret("slack/ops", slack.url);
      await createSecret("identity", secret);
      // A short time-out: half a minute after a cluster hangs, its audit has to have ended.
      deployed = fine(
        await deployment.serverless(
          "deploy",
          "--param",
          "timeoutSeconds=30",
          "--param",
          "visibilitySeconds=180",
          "--param",
          "maxReceiveCount=1",
          "--param",
          "intervalMinutes=1",
        ),
      );
      outputs = await deployment.outputs();
      bucket = outputs["StateBucketName"] ?? "";
    }, 300_000);
    afterAll(async () => {
      await Promise.all([
        deployment?.stop(),
        slack?.stop(),
        ...[...kubes.values()].map((kube) => kube.stop()),
      ]);
    });

    it("says what is next", () => {
      expect(deployed.stdout + deployed.stderr).toContain(
        `certkeep doctor --config s3://${bucket}/certkeep.yaml`,
      );
    });

    it(
      "publishes its configuration for whoever has access to the account, and says that no " +
        "cluster is registered",
      async () => {
        await invoke("dispatch");
        expect(outputs["ConfigUrl"]).toBe(config());
        const clusters = await certkeep("clusters", "--json");
        expect(clusters.code).toBe(0);
        expect(JSON.parse(clusters.stdout)).toMatchObject({ clusters: [] });
      },
    );

    it("takes clusters without a redeploy, and audits them on schedule: copies and states appear", async () => {
      for (const name of CLUSTERS) {
        const kubeconfig = kubeOf(name).kubeconfigFor({ contextName: `${name}-admin` });
        const added = await deployment.certkeep(
          [
            "clusters",
            "add",
            name,
            "--context",
            `${name}-admin`,
            "--namespace",
            "shop",
            "--parts",
            PARTS,
            "--yes",
            "--config",
            config(),
          ],
          { KUBECONFIG: kubeconfig },
        );
        expect(added.stderr).toContain(`Registered ${name}`);
        fine(added);
        // Registering tries both credentials; from here on it is the functions that ask.
        await kubeOf(name).forgetRequests();
      }
      await waitUntil("the scheduled audit of both", 150_000, async () =>
        (await Promise.all(CLUSTERS.map(audited))).every((at) => at > 0),
      );
      const { stdout } = fine(await certkeep("backups", "--json"));
      const { copies } = JSON.parse(stdout) as { copies: readonly { key: string }[] };
      expect(copies.map(({ key }) => key.split("/")[0]).toSorted()).toEqual([...CLUSTERS]);
      const { SecretList } = await deployment.ask<{ SecretList: readonly { Name: string }[] }>([
        "secretsmanager",
        "list-secrets",
      ]);
      expect(
        SecretList.filter(({ Name }) => Name.startsWith(`certkeep/${STAGE}/backups/`)).length,
      ).toBe(2);
      for (const name of CLUSTERS) {
        let users = new Set<string>();
        await waitUntil(`an audit of ${name} by its own credential`, 100_000, async () => {
          users = new Set(
            (await kubeOf(name).requests())
              .map(({ user }) => user.username)
              .filter((user) => user !== "admin"),
          );
          return users.size > 0;
        });
        expect(users).toEqual(new Set([`system:serviceaccount:certkeep:certkeep-${name}-read`]));
      }
    }, 400_000);

    it("posts the digest to Slack, and remembers that it did", async () => {
      await waitUntil("the digest", 60_000, async () => {
        await invoke("digest");
        return slack.taken.length > 0;
      });
      expect(JSON.stringify(slack.taken[0])).toContain("certificate");
      const before = slack.taken.length;
      await invoke("digest");
      expect(slack.taken.length).toBe(before);
    });

    it("goes on auditing one cluster while another answers nothing", async () => {
      kubeOf("beta").pause();
      try {
        const since = Date.now();
        await waitUntil(
          "an audit of the other, twice",
          240_000,
          async () => (await audited("alpha")) > since + 60_000,
        );
        expect(await audited("beta")).toBeLessThan(since + 60_000);
      } finally {
        kubeOf("beta").resume();
      }
    }, 300_000);

    it("puts what it can't take into the dead-letter queue, and no message of its own", async () => {
      await deployment.ask([
        "sqs",
        "send-message",
        "--queue-url",
        outputs["AuditQueueUrl"] ?? "",
        "--message-body",
        "poison",
      ]);
      await waitUntil("the dead letter", 300_000, async () => (await deadLetters()).length > 0);
      expect(await deadLetters()).toEqual(["poison"]);
    }, 360_000);

    it("plans a restore by hand, does it when told to, and refuses a field that it doesn't know", async () => {
      const kube = kubeOf("alpha");
      const before = await readSecret(kube, "shop", "web-tls");
      await kube.demand("DELETE", "/api/v1/namespaces/shop/secrets/web-tls");
      const event = { cluster: "alpha", names: [nameOf("alpha")] };
      const planned = await invoke<{ continue: boolean; items: readonly unknown[] }>(
        "restore",
        event,
      );
      expect(planned).toMatchObject({ identity: "present", continue: false });
      expect(await readSecret(kube, "shop", "web-tls")).toBeNull();
      const done = await invoke<{ continue: boolean }>("restore", { ...event, apply: true });
      expect(done.continue).toBe(false);
      expect((await readSecret(kube, "shop", "web-tls"))?.data).toEqual(before?.data);
      const misspelt = await deployment.serverless(
        "invoke",
        "-f",
        "restore",
        "--data",
        JSON.stringify({ ...event, aply: true }),
      );
      expect(misspelt.code).not.toBe(0);
      expect(misspelt.stdout + misspelt.stderr).toContain("aply");
    }, 120_000);

    it("drills with its identity and finds the copies good", async () => {
      expect(await invoke("drill")).toMatchObject({
        identity: "present",
        unreadable: 0,
        failed: false,
      });
    });

    describe("each role", () => {
      const body = (): string => join(deployment.folder, "body");
      const secret = (path: string): string => `certkeep/${STAGE}/${path}`;
      const get = (path: string): string[] => [
        "secretsmanager",
        "get-secret-value",
        "--secret-id",
        secret(path),
      ];
      const create = (path: string): string[] => [
        "secretsmanager",
        "create-secret",
        "--name",
        secret(path),
        "--secret-string",
        "x",
      ];
      const put = (path: string): string[] => [
        "secretsmanager",
        "put-secret-value",
        "--secret-id",
        secret(path),
        "--secret-string",
        "x",
      ];
      const label = (path: string): string[] => [
        "secretsmanager",
        "update-secret-version-stage",
        "--secret-id",
        secret(path),
        "--version-stage",
        "AWSCURRENT",
        "--move-to-version-id",
        "11111111-2222-3333-4444-555555555555",
      ];
      const update = (path: string): string[] => [
        "secretsmanager",
        "update-secret",
        "--secret-id",
        secret(path),
        "--description",
        "x",
      ];
      const tag = (path: string): string[] => [
        "secretsmanager",
        "tag-resource",
        "--secret-id",
        secret(path),
        "--tags",
        "Key=x,Value=y",
      ];
      const remove = (path: string): string[] => [
        "secretsmanager",
        "delete-secret",
        "--secret-id",
        secret(path),
        "--force-delete-without-recovery",
      ];
      const object = (action: string, key: string): string[] => [
        "s3api",
        action,
        "--bucket",
        bucket,
        "--key",
        key,
        ...(action === "get-object"
          ? [join(deployment.folder, "out")]
          : action === "put-object"
            ? ["--body", body()]
            : []),
      ];
      const send = (): string[] => [
        "sqs",
        "send-message",
        "--queue-url",
        outputs["AuditQueueUrl"] ?? "",
        "--message-body",
        "x",
      ];
      const assume = (role: string): string[] => [
        "sts",
        "assume-role",
        "--role-arn",
        `arn:aws:iam::000000000000:role/${role}`,
        "--role-session-name",
        "test",
      ];
      const roleOf = (name: string): string => `certkeep-${STAGE}-${name}-eu-west-1`;

      let copy: string;
      beforeAll(async () => {
        writeFileSync(body(), "{}");
        const { SecretList } = await deployment.ask<{ SecretList: readonly { Name: string }[] }>([
          "secretsmanager",
          "list-secrets",
        ]);
        copy =
          SecretList.find(({ Name }) => Name.startsWith(secret("backups/alpha/")))?.Name.slice(
            secret("").length,
          ) ?? "";
        if (copy === "") throw new Error("there is no copy of alpha's certificate");
        for (const name of ["certkeep-x-read", "certkeep-x-restore"]) {
          const document = {
            Version: "2012-10-17",
            Statement: [
              {
                Effect: "Allow",
                Principal: { AWS: "arn:aws:iam::000000000000:root" },
                Action: "sts:AssumeRole",
              },
            ],
          };
          await deployment.ask([
            "iam",
            "create-role",
            "--role-name",
            name,
            "--assume-role-policy-document",
            JSON.stringify(document),
          ]);
        }
      });

      /**
       * Each command of `allowed` succeeds and each of `denied` is refused by IAM, by no other
       * reason.
       */
      async function expectRights(
        name: string,
        allowed: readonly string[][],
        denied: readonly string[][],
      ): Promise<void> {
        const credentials: Credentials = await deployment.assume(name);
        const wrong: string[] = [];
        for (const args of allowed) {
          const { code, stderr } = await deployment.aws(args, credentials);
          if (code !== 0) wrong.push(`refused: ${args.join(" ")}: ${stderr.trim()}`);
        }
        for (const args of denied) {
          const { code, stderr } = await deployment.aws(args, credentials);
          if (code === 0) wrong.push(`allowed: ${args.join(" ")}`);
          else if (!/AccessDenied/.test(stderr))
            wrong.push(`not by IAM: ${args.join(" ")}: ${stderr.trim()}`);
        }
        expect(wrong).toEqual([]);
      }
      const all = (of: (path: string) => string[], ...paths: readonly string[]): string[][] =>
        paths.map(of);

      it("dispatch names clusters, reads states and queues; it sees no secret", async () => {
        await expectRights(
          "dispatch",
          [
            ["secretsmanager", "list-secrets"],
            object("get-object", stateKey("alpha")),
            object("put-object", "certkeep.yaml"),
            object("get-object", "certkeep.yaml"),
          ],
          [
            ...all(get, "clusters/alpha", "restoring/alpha", "identity", "slack/ops", copy),
            object("put-object", stateKey("alpha")),
            object("delete-object", "certkeep.yaml"),
            ["sqs", "receive-message", "--queue-url", outputs["AuditQueueUrl"] ?? ""],
            assume("certkeep-x-read"),
          ],
        );
        // What it published is put back.
        await invoke("dispatch");
      });

      it("audit creates copies, and neither opens, changes nor removes them", async () => {
        await expectRights(
          "audit",
          [
            get("clusters/alpha"),
            get(copy),
            create("backups/alpha/shop/web-tls/test-1"),
            object("get-object", stateKey("alpha")),
            assume("certkeep-x-read"),
          ],
          [
            ...all(get, "identity", "restoring/alpha", "slack/ops"),
            ...all(create, "clusters/gamma", "restoring/gamma", "slack/x", "identity2"),
            ...all(put, copy, "clusters/alpha"),
            label(copy),
            update(copy),
            remove(copy),
            remove("clusters/alpha"),
            tag(copy),
            object("delete-object", stateKey("alpha")),
            object("put-object", "certkeep.yaml"),
            object("put-object", "state/digest.json"),
            object("put-object", "state/drill.json"),
            object("put-object", "state/lease-alpha.json"),
            send(),
            assume("certkeep-x-restore"),
          ],
        );
      });

      it("digest reads states and webhooks, and writes its outbox alone", async () => {
        await expectRights(
          "digest",
          [
            get("slack/ops"),
            object("get-object", stateKey("alpha")),
            object("get-object", "state/digest.json"),
            ["secretsmanager", "list-secrets"],
          ],
          [
            ...all(get, "clusters/alpha", "restoring/alpha", "identity", copy),
            object("put-object", stateKey("alpha")),
            object("put-object", "state/drill.json"),
            object("put-object", "certkeep.yaml"),
            object("delete-object", "state/digest.json"),
            create("backups/x/y/z/1"),
            put("slack/ops"),
            send(),
            assume("certkeep-x-read"),
            assume("certkeep-x-restore"),
          ],
        );
      });

      it("drill reads the identity and removes copies, and nothing else", async () => {
        await expectRights(
          "drill",
          [
            get("identity"),
            get(copy),
            remove("backups/alpha/shop/web-tls/test-1"),
            object("get-object", stateKey("alpha")),
          ],
          [
            ...all(get, "clusters/alpha", "restoring/alpha", "slack/ops"),
            object("put-object", "state/digest.json"),
            object("put-object", "state/lease-alpha.json"),
            ...all(remove, "clusters/alpha", "restoring/alpha", "identity", "slack/ops"),
            create("backups/x/y/z/1"),
            put(copy),
            object("delete-object", stateKey("alpha")),
            send(),
            assume("certkeep-x-read"),
            assume("certkeep-x-restore"),
          ],
        );
      });

      it("restore reads the identity and restoring credentials, and removes nothing", async () => {
        await expectRights(
          "restore",
          [
            get("identity"),
            get("restoring/alpha"),
            get("clusters/alpha"),
            get(copy),
            assume("certkeep-x-read"),
            assume("certkeep-x-restore"),
          ],
          [
            get("slack/ops"),
            ...all(remove, copy, "clusters/alpha", "restoring/alpha", "identity"),
            put(copy),
            put("identity"),
            create("clusters/gamma"),
            object("delete-object", stateKey("alpha")),
            object("put-object", "certkeep.yaml"),
            object("put-object", "state/digest.json"),
            object("put-object", "state/drill.json"),
            send(),
            assume(roleOf("drill")),
          ],
        );
      });
    });

    it("keeps states, copies and registrations when the stack is removed", async () => {
      fine(await deployment.serverless("remove"));
      expect(
        (
          await deployment.aws([
            "cloudformation",
            "describe-stacks",
            "--stack-name",
            `certkeep-${STAGE}`,
          ])
        ).code,
      ).not.toBe(0);
      const { Contents } = await deployment.ask<{ Contents: readonly { Key: string }[] }>([
        "s3api",
        "list-objects-v2",
        "--bucket",
        bucket,
      ]);
      expect(Contents.map(({ Key }) => Key)).toEqual(
        expect.arrayContaining([
          "certkeep.yaml",
          stateKey("alpha"),
          stateKey("beta"),
          "state/digest.json",
        ]),
      );
      const { SecretList } = await deployment.ask<{ SecretList: readonly { Name: string }[] }>([
        "secretsmanager",
        "list-secrets",
      ]);
      const names = SecretList.map(({ Name }) => Name);
      for (const prefix of [
        "backups/alpha/",
        "backups/beta/",
        "clusters/alpha",
        "restoring/alpha",
        "identity",
        "slack/ops",
      ])
        expect(names.some((name) => name.startsWith(`certkeep/${STAGE}/${prefix}`))).toBe(true);
      expect((await certkeep("backups", "--json")).code).toBe(0);
    }, 300_000);
  },
);

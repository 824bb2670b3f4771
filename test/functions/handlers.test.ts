/**
 * The functions as Lambda calls them: the environment, the packaged configuration, events good and
 * bad, and what gets out.
 */
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { handler as audit } from "../../functions/audit.ts";
import { handler as digest } from "../../functions/digest.ts";
import { handler as dispatch } from "../../functions/dispatch.ts";
import { handler as drill } from "../../functions/drill.ts";
import { handler as restore } from "../../functions/restore.ts";
import { generateIdentity } from "../../lib/adapters/age/identity.ts";
import { startSlackSink, type SlackSink } from "../support/slack.ts";
import { base64, ingressSecret, startWorld, type World } from "../support/world.ts";

const DOMAIN = "shop.tail1a2b3.ts.net";
const CONTEXT = { awsRequestId: "request-1", getRemainingTimeInMillis: () => 300_000 };

let world: World;
let sink: SlackSink;
let queue: Server;
let folder: string;
let before: string;
let bodies: string[];
let printed: string;
let identity: Awaited<ReturnType<typeof generateIdentity>>;
let canaries: string[];

beforeEach(async () => {
  world = await startWorld();
  sink = await startSlackSink();
  [bodies, printed] = [[], ""];
  queue = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { Entries } = JSON.parse(Buffer.concat(chunks).toString("utf8")) as {
        Entries: { Id: string; MessageBody: string }[];
      };
      bodies.push(...Entries.map(({ MessageBody }) => MessageBody));
      response.end(
        JSON.stringify({
          Successful: Entries.map(({ Id, MessageBody }) => ({
            Id,
            MessageId: Id,
            MD5OfMessageBody: createHash("md5").update(MessageBody).digest("hex"),
          })),
          Failed: [],
        }),
      );
    });
  });
  await new Promise<void>((resolve) => void queue.listen(0, "127.0.0.1", resolve));
  const queueUrl = `http://127.0.0.1:${(queue.address() as AddressInfo).port}`;
  folder = await mkdtemp(join(tmpdir(), "certkeep-functions-"));
  identity = await generateIdentity();
  const kubeconfig = world.sandbox.kubeconfig();
  await writeFile(join(folder, "kubeconfig"), kubeconfig, { mode: 0o600 });
  await writeFile(join(folder, "anchors.pem"), world.authority.root.pem);
  await writeFile(
    join(folder, "certkeep.yaml"),
    `recipients: [${identity.recipient}]\n` +
      "clusters: [{name: prod, kubeconfig: kubeconfig}]\n" +
      "issuers: [{id: test, title: Test, kind: production, anchors: anchors.pem}]\n" +
      `digest: {routes: [{name: ops, webhook: "env:HOOK"}]}\n`,
  );
  const pair = world.issue([DOMAIN]);
  world.put(ingressSecret(DOMAIN, pair));
  const token = /token: (\S+)/.exec(kubeconfig)?.[1] ?? "none";
  canaries = [
    ...pair.keyPem.split("\n").filter((line) => line.length > 20 && !line.startsWith("---")),
    base64(pair.keyPem).slice(60, 120),
    identity.secret,
    token,
    sink.url.split("/").at(-1) ?? "none",
  ];
  const env = {
    CERTKEEP_STATE: `file:${folder}/state`,
    CERTKEEP_BACKUPS: `file:${folder}/backups`,
    CERTKEEP_IDENTITY: "env:IDENTITY",
    IDENTITY: identity.secret,
    HOOK: sink.url,
    CERTKEEP_STAGE: "prod",
    CERTKEEP_RESTORE_FUNCTION: "certkeep-prod-restore",
    CERTKEEP_QUEUE_URL: `${queueUrl}/123456789012/audits`,
    AWS_ENDPOINT_URL_SQS: queueUrl,
    AWS_REGION: "eu-west-1",
    AWS_ACCESS_KEY_ID: "AKIDEXAMPLE",
    AWS_SECRET_ACCESS_KEY: "secret",
  };
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  before = process.cwd();
  process.chdir(folder);
  for (const stream of [process.stdout, process.stderr]) {
    vi.spyOn(stream, "write").mockImplementation((text) => {
      printed += String(text);
      return true;
    });
  }
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  process.chdir(before);
  await Promise.all([
    world.stop(),
    sink.stop(),
    new Promise((resolve) => {
      queue.closeAllConnections();
      queue.close(resolve);
    }),
  ]);
  await rm(folder, { recursive: true, force: true });
});

const lines = (): Record<string, unknown>[] =>
  printed
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
const metric = (name: string): unknown =>
  lines().findLast((line) => Object.hasOwn(line, name))?.[name];
const record = (body: string, receives = 1): object => ({
  messageId: "m1",
  body,
  attributes: { ApproximateReceiveCount: String(receives), SentTimestamp: String(Date.now()) },
});

describe("functions as Lambda calls them", () => {
  it("from a schedule to a digest, a drill and a restore", async () => {
    expect(await dispatch({ source: "aws.events" }, CONTEXT)).toMatchObject({
      registered: 1,
      queued: ["prod"],
      published: null,
    });
    expect(bodies.map((body) => JSON.parse(body) as unknown)).toMatchObject([
      { format: 1, cluster: "prod", intervalMinutes: 15 },
    ]);
    expect(await audit({ Records: bodies.map((body) => record(body)) }, CONTEXT)).toEqual({
      batchItemFailures: [],
    });
    expect(metric("AuditsFinished")).toBe(1);
    expect(await dispatch({}, CONTEXT)).toMatchObject({ queued: [], fresh: ["prod"] });

    expect(await digest({}, CONTEXT)).toMatchObject({
      clusters: 1,
      routes: [{ name: "ops", delivered: 1, failure: null }],
      metrics: { CertificatesValid: 1, AuditingStalled: 0 },
    });
    expect(sink.taken).toHaveLength(1);
    expect(await digest({}, CONTEXT)).toMatchObject({ routes: [{ delivered: 0 }] });

    expect(await drill({}, CONTEXT)).toMatchObject({
      identity: "present",
      copies: 1,
      unreadable: 0,
      failed: false,
      retention: "done",
    });
    expect(metric("DrillFailed")).toBe(0);

    world.sandbox.remove("tailscale", DOMAIN);
    world.put({
      apiVersion: "networking.k8s.io/v1",
      kind: "Ingress",
      metadata: { name: "shop", namespace: "shop" },
    });
    await audit({ clusters: ["prod"] }, CONTEXT);
    vi.stubEnv("CERTKEEP_PUBLISH", "s3://bucket/certkeep.yaml");
    await digest({}, CONTEXT);
    const posted = JSON.stringify(sink.taken.at(-1));
    expect(posted).toContain(`certkeep restore prod ${DOMAIN} --config s3://bucket/certkeep.yaml`);
    expect(posted).toContain("aws lambda invoke --function-name certkeep-prod-restore ");
    vi.stubEnv("CERTKEEP_PUBLISH", undefined);
    expect(await restore({ cluster: "prod", all: true }, CONTEXT)).toMatchObject({
      mode: "plan",
      counts: { planned: 1 },
      apply: expect.stringContaining("--function-name certkeep-prod-restore") as string,
    });
    expect(await restore({ cluster: "prod", all: true, apply: true }, CONTEXT)).toMatchObject({
      mode: "apply",
      counts: { done: 1 },
    });
    expect(lines().filter(({ level }) => level === "ERROR")).toEqual([]);
    for (const line of lines())
      expect(
        Object.hasOwn(line, "_aws") ||
          (line["requestId"] === "request-1" &&
            line["stage"] === "prod" &&
            typeof line["function"] === "string"),
      ).toBe(true);
  });

  it("a message that can't be read is one line, which has its id", async () => {
    expect(await audit({ Records: [record("poison")] }, CONTEXT)).toEqual({
      batchItemFailures: [{ itemIdentifier: "m1" }],
    });
    const told = lines().filter((line) => !Object.hasOwn(line, "_aws"));
    expect(told).toMatchObject([
      {
        level: "ERROR",
        message: "a message that can't be read: it goes to the dead-letter queue",
        messageId: "m1",
        receives: 1,
        function: "audit",
        requestId: "request-1",
      },
    ]);
  });

  it("by hand: `invoke local` without an event or context audits all", async () => {
    expect(await audit("")).toMatchObject({
      schema: "certkeep.audit/v2",
      clusters: [{ cluster: "prod", complete: true }],
    });
    expect(await audit({ clusters: ["prod"] })).toMatchObject({ clusters: [{ cluster: "prod" }] });
    await expect(audit({ clusters: ["nope"] })).rejects.toThrow("one of: prod");
  });

  it.each([0, 1, 1_000, 10_000.5, 59_999, 899_999.75])(
    "takes whatever time is left: %d ms",
    async (remainingMs) => {
      expect(
        await dispatch({}, { awsRequestId: "r", getRemainingTimeInMillis: () => remainingMs }),
      ).toMatchObject({ registered: 1 });
    },
  );

  it("without an identity the restore answers with a command, and the drill opens nothing", async () => {
    vi.stubEnv("CERTKEEP_IDENTITY", "");
    await audit({ clusters: ["prod"] }, CONTEXT);
    expect(await restore({ cluster: "prod", names: [DOMAIN], apply: true }, CONTEXT)).toEqual({
      schema: "certkeep.restore/v1",
      identity: "absent",
      cluster: "prod",
      continue: false,
      run: `certkeep restore prod ${DOMAIN} --apply`,
      next: expect.any(String) as string,
    });
    vi.stubEnv("CERTKEEP_PUBLISH", "s3://bucket/certkeep.yaml");
    expect(await restore({ cluster: "prod", names: [DOMAIN] }, CONTEXT)).toMatchObject({
      run: `certkeep restore prod ${DOMAIN} --config s3://bucket/certkeep.yaml`,
    });
    expect(await drill({}, CONTEXT)).toMatchObject({
      identity: "absent",
      copies: 1,
      retention: "done",
      lastWhole: null,
    });
  });

  it.each([
    ["an unknown field", { cluster: "prod", all: true, aply: true }, 'Did you mean "apply"?'],
    ["an unknown cluster", { cluster: "prd", all: true }, "one of: prod. Did you mean prod?"],
  ])("a restore of %s is refused, told in the log, and counted", async (_, event, words) => {
    await expect(restore(event, CONTEXT)).rejects.toThrow(words);
    expect(lines().find(({ level }) => level === "ERROR")).toMatchObject({
      message: "restore failed",
      code: "usage",
      problem: expect.stringContaining(words) as string,
    });
    expect(metric("Failures")).toBe(1);
  });

  it(
    "a configuration with a mistake fails each with the place of it, and a drill that can't " +
      "begin is a failed one",
    async () => {
      await writeFile(join(folder, "certkeep.yaml"), "recipents: []\n");
      for (const [name, run] of Object.entries({ audit, digest, dispatch, drill, restore })) {
        await expect(run({ cluster: "prod", all: true }, CONTEXT), `${name}`).rejects.toThrow(
          "certkeep.yaml:1:1",
        );
      }
      expect(metric("DrillFailed")).toBe(1);
      expect(metric("Failures")).toBe(1);
    },
  );
});

/** Everything that leaves the functions but encrypted backups. */
async function everything(answers: readonly unknown[]): Promise<string> {
  const files = (
    await readdir(join(folder, "state"), { recursive: true, withFileTypes: true }).catch(() => [])
  ).filter((entry) => entry.isFile());
  const texts = await Promise.all(
    files.map((entry) => readFile(join(entry.parentPath, entry.name), "utf8")),
  );
  return [
    printed,
    ...texts,
    ...bodies,
    ...sink.taken.map(({ text, blocks }) => JSON.stringify([text, blocks])),
    ...answers.map((answer) =>
      inspect(answer, { depth: 12, showHidden: true, maxStringLength: Infinity }),
    ),
  ].join("\n");
}

describe("no key, identity, token or webhook", () => {
  const run = async (answers: unknown[]): Promise<void> => {
    const events: readonly (readonly [typeof audit, unknown])[] = [
      [dispatch, {}],
      [
        audit,
        { Records: [record('{"format":1,"cluster":"prod","queuedAt":"x","intervalMinutes":15}')] },
      ],
      [audit, { Records: [record(canaries.join(" "))] }],
      [audit, { clusters: [identity.secret] }],
      [digest, {}],
      [drill, {}],
      [restore, { cluster: "prod", all: true, force: ["live_valid"], apply: true }],
      [restore, { cluster: "prod", names: [canaries[0]] }],
      [restore, { [canaries[0] ?? ""]: canaries }],
      [restore, { cluster: "prod", names: canaries }],
      [restore, { cluster: identity.secret, all: true }],
    ];
    for (const [handler, event] of events)
      answers.push(await handler(event, CONTEXT).catch((error: unknown) => error));
  };

  it("would be missed if it leaked", async () => {
    expect(canaries.every((canary) => canary.length > 12)).toBe(true);
    printed += canaries[0];
    expect(await everything([])).toContain(canaries[0]);
  });

  it.each<[string, () => void | Promise<void>]>([
    ["all is well", () => {}],
    [
      "the cluster answers with what it was asked for",
      () =>
        world.sandbox.intercept(({ path }) =>
          path.includes("/secrets")
            ? { kind: "status", status: 500, body: canaries.join(" ") }
            : undefined,
        ),
    ],
    [
      "the cluster refuses with a Secret in its words",
      () =>
        world.sandbox.intercept(({ path }) =>
          path.includes("/secrets")
            ? { kind: "status", status: 403, body: canaries.join(" ") }
            : undefined,
        ),
    ],
    ["Slack takes nothing", () => sink.revoke()],
    ["the identity is none", () => void vi.stubEnv("IDENTITY", identity.secret.slice(0, -4))],
    ["the webhook is none", () => void vi.stubEnv("HOOK", `ftp://${sink.url.split("/").at(-1)}`)],
    [
      "the kubeconfig is torn",
      () =>
        writeFile(join(folder, "kubeconfig"), world.sandbox.kubeconfig().slice(0, -40), {
          mode: 0o600,
        }),
    ],
    [
      "the states are something else",
      async () => {
        for (const entry of await readdir(join(folder, "state"), {
          recursive: true,
          withFileTypes: true,
        }))
          if (entry.isFile())
            await writeFile(join(entry.parentPath, entry.name), canaries.join(" "));
      },
    ],
    [
      "a variable holds a secret in place of a URL",
      () => void vi.stubEnv("CERTKEEP_STATE", identity.secret),
    ],
  ])("gets out where %s", async (what, trouble) => {
    const answers: unknown[] = [];
    await run(answers);
    await trouble();
    await run(answers);
    // What was put there itself is no leak.
    if (what === "the states are something else")
      await rm(join(folder, "state"), { recursive: true, force: true });
    const text = await everything(answers);
    for (const canary of canaries)
      expect(text.includes(canary), `${canary.slice(0, 8)}…`).toBe(false);
  });
});

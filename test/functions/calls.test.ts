/**
 * The functions with no more than their roles: each call that they make to S3 and Secrets Manager
 * is held against the rendered policy, and answered as AWS answers where it isn't allowed.
 */
import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { handler as audit } from "../../functions/audit.ts";
import { handler as digest } from "../../functions/digest.ts";
import { handler as dispatch } from "../../functions/dispatch.ts";
import { handler as drill } from "../../functions/drill.ts";
import { handler as restore } from "../../functions/restore.ts";
import { generateIdentity } from "../../lib/adapters/age/identity.ts";
import type { FunctionName } from "../../stack/names.ts";
import { BUCKET, mayDo, renderStack, resolve, type Rendered, type Request } from "../deploy/iam.ts";
import { startFakeAws, type AwsAnswer, type AwsRequest, type FakeAws } from "../support/aws.ts";
import { startSlackSink, type SlackSink } from "../support/slack.ts";
import { ingressSecret, startWorld, type World } from "../support/world.ts";

const DAY_MS = 86_400_000;
const DOMAIN = "shop.tail1a2b3.ts.net";
const OTHER = "wiki.tail1a2b3.ts.net";
const CONTEXT = { awsRequestId: "request-1", getRemainingTimeInMillis: () => 300_000 };
const HANDLERS = { dispatch, audit, digest, drill, restore };
const SECRETS = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:";

let world: World;
let aws: FakeAws;
let sink: SlackSink;
let queue: Server;
let folder: string;
let before: string;
let stack: Rendered;
let running: FunctionName;
let denied: string[];
let made: Set<string>;

/** What AWS asks of a role for a request; several for one that needs several. */
function requestsOf({ method, url, action, headers, body }: AwsRequest): Request[] {
  if (action !== "") {
    const input = JSON.parse(body.toString("utf8")) as Record<string, unknown>;
    const name = String(input["Name"] ?? input["SecretId"] ?? "");
    const resource = action === "ListSecrets" ? "*" : `${SECRETS}${name}-AbCdEf`;
    return [action, ...(Array.isArray(input["Tags"]) ? ["TagResource"] : [])].map((one) => ({
      action: `secretsmanager:${one}`,
      resource,
    }));
  }
  const [, bucket = "", ...key] = decodeURIComponent(url.pathname).split("/");
  const listed = `arn:aws:s3:::${bucket}`;
  const prefix = url.searchParams.get("prefix");
  const context = prefix === null ? {} : { "s3:prefix": prefix };
  if (url.searchParams.has("list-type"))
    return [{ action: "s3:ListBucket", resource: listed, context }];
  if (url.searchParams.has("versions"))
    return [{ action: "s3:ListBucketVersions", resource: listed, context }];
  const resource = `${listed}/${key.join("/")}`;
  const ofVersion = url.searchParams.has("versionId") ? "Version" : "";
  if (method === "GET" || method === "HEAD")
    return [{ action: `s3:GetObject${ofVersion}`, resource }];
  if (method === "DELETE") return [{ action: `s3:DeleteObject${ofVersion}`, resource }];
  const condition = headers["if-none-match"];
  return [
    {
      action: "s3:PutObject",
      resource,
      context: condition === undefined ? {} : { "s3:if-none-match": condition },
    },
  ];
}

const refusal = ({ action }: AwsRequest): AwsAnswer =>
  action === ""
    ? { status: 403, body: "<Error><Code>AccessDenied</Code></Error>" }
    : { status: 400, body: JSON.stringify({ __type: "AccessDeniedException" }) };

function enforce(request: AwsRequest): AwsAnswer | null {
  const asked = requestsOf(request);
  for (const one of asked) made.add(`${running} ${one.action}`);
  const refused = asked.filter((one) => !mayDo(stack, running, one));
  if (refused.length > 0) {
    denied.push(...refused.map((one) => `${running}: ${JSON.stringify(one)}`));
    return refusal(request);
  }
  // Whoever may not list the whole bucket is told 403 of what isn't there.
  const isRead = request.action === "" && !request.url.searchParams.has("list-type");
  const key = decodeURIComponent(request.url.pathname.slice(1));
  const mayList = mayDo(stack, running, {
    action: "s3:ListBucket",
    resource: `arn:aws:s3:::${BUCKET}`,
  });
  return isRead && request.method !== "PUT" && !aws.objects.has(key) && !mayList
    ? refusal(request)
    : null;
}

const run = (name: FunctionName, event: unknown): Promise<object> => {
  running = name;
  return HANDLERS[name](event, CONTEXT);
};

async function start(backups: "s3" | "secretsmanager"): Promise<void> {
  stack = renderStack({ backups });
  const { secret, recipient } = await generateIdentity();
  const config =
    `recipients: [${recipient}]\n` +
    `issuers: [{id: test, title: Test, kind: production, anchors: ${JSON.stringify(world.authority.root.pem)}}]\n` +
    // A place where nothing listens: what counts here is that it was asked, and noted.
    "sources: {transparency: {url: 'https://127.0.0.1:9/v1', domains: [tail1a2b3.ts.net], " +
    "token: 'secretsmanager://certkeep/prod/sources/certspotter'}}\n" +
    "digest: {routes: [{name: ops, webhook: 'secretsmanager://certkeep/prod/slack/ops'}]}\n";
  await writeFile(join(folder, "certkeep.yaml"), config);
  const put = (path: string, value: string): void => {
    const stages = new Set(["AWSCURRENT"]);
    aws.secrets.set(`certkeep/prod/${path}`, {
      input: {},
      deleted: false,
      versions: new Map([["v1", { value, stages }]]),
    });
  };
  const kubeconfig = world.sandbox.kubeconfig();
  const registration =
    "namespaces: [tailscale]\n" +
    "restoreKubeconfig: secretsmanager://certkeep/prod/restoring/prod\n";
  put("clusters/prod", JSON.stringify({ format: 1, registration, kubeconfig }));
  put("restoring/prod", JSON.stringify({ format: 1, kubeconfig }));
  put("identity", secret);
  put("sources/certspotter", "token");
  put("slack/ops", sink.url);
  const values = { ...stack.environment, ...stack.own.dispatch, ...stack.own.restore };
  for (const [name, value] of Object.entries(values)) vi.stubEnv(name, resolve(value));
  vi.stubEnv("CERTKEEP_QUEUE_URL", `${process.env["AWS_ENDPOINT_URL_SQS"]}/123456789012/audits`);
}

beforeEach(async () => {
  [world, aws, sink] = await Promise.all([startWorld(), startFakeAws(), startSlackSink()]);
  queue = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { Entries } = JSON.parse(Buffer.concat(chunks).toString("utf8")) as {
        Entries: { Id: string; MessageBody: string }[];
      };
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
  await new Promise<void>((done) => void queue.listen(0, "127.0.0.1", done));
  const queueUrl = `http://127.0.0.1:${(queue.address() as AddressInfo).port}`;
  folder = await mkdtemp(join(tmpdir(), "certkeep-calls-"));
  for (const [name, value] of Object.entries({
    ...aws.world.env,
    AWS_ENDPOINT_URL_SQS: queueUrl,
    AWS_ACCESS_KEY_ID: "AKIDEXAMPLE",
    AWS_SECRET_ACCESS_KEY: "secret",
  }))
    vi.stubEnv(name, value);
  [denied, made] = [[], new Set()];
  before = process.cwd();
  process.chdir(folder);
  for (const stream of [process.stdout, process.stderr])
    vi.spyOn(stream, "write").mockImplementation(() => true);
  aws.fault(enforce);
});
afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  process.chdir(before);
  await Promise.all([
    world.stop(),
    aws.stop(),
    sink.stop(),
    new Promise((done) => {
      queue.closeAllConnections();
      queue.close(done);
    }),
  ]);
  await rm(folder, { recursive: true, force: true });
});

const message = (cluster: string): object => ({
  Records: [
    {
      messageId: "m1",
      body: JSON.stringify({ format: 1, cluster, queuedAt: "x", intervalMinutes: 15 }),
      attributes: { ApproximateReceiveCount: "1", SentTimestamp: String(Date.now()) },
    },
  ],
});

describe.each(["s3", "secretsmanager"] as const)("with backups in %s", (backups) => {
  it("each function does its work with the calls that its role may make", async () => {
    await start(backups);
    world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
    expect(await run("dispatch", {})).toMatchObject({ queued: ["prod"] });
    const audited = { batchItemFailures: [] };
    expect(await run("audit", message("prod"))).toEqual(audited);
    expect(await run("audit", message("unknown"))).toEqual(audited);
    expect(await run("audit", { clusters: ["prod"] })).toMatchObject({
      clusters: [{ cluster: "prod", complete: true }],
    });
    world.put(ingressSecret(OTHER, world.issue([OTHER])));
    expect(await run("audit", message("prod"))).toEqual(audited);
    expect(await run("digest", {})).toMatchObject({ routes: [{ delivered: 1, failure: null }] });
    expect(await run("drill", {})).toMatchObject({
      identity: "present",
      copies: 2,
      failed: false,
      retention: "done",
    });
    world.sandbox.remove("tailscale", DOMAIN);
    const all = { cluster: "prod", all: true };
    expect(await run("restore", all)).toMatchObject({ counts: { planned: 1 } });
    expect(await run("restore", { ...all, apply: true })).toMatchObject({ counts: { done: 1 } });
    expect(await run("dispatch", {})).toMatchObject({ queued: [] });
    expect(denied).toEqual([]);
    const service = backups === "s3" ? "s3" : "secretsmanager";
    expect([...made]).toEqual(
      expect.arrayContaining([
        "dispatch s3:PutObject",
        `audit ${backups === "s3" ? "s3:PutObject" : "secretsmanager:CreateSecret"}`,
        "digest s3:PutObject",
        "drill s3:PutObject",
        "restore s3:PutObject",
        `restore ${service}:Get${backups === "s3" ? "Object" : "SecretValue"}`,
      ]),
    );
    const written = [...aws.objects.keys()].map((key) => key.replace(`${BUCKET}/`, ""));
    expect(written.filter((key) => !key.startsWith("backups/")).toSorted()).toEqual([
      "certkeep.yaml",
      "state/cluster-prod.json",
      "state/ct-tail1a2b3.ts.net.json",
      "state/digest.json",
      "state/drill.json",
      "state/lease-prod.json",
    ]);
  }, 60_000);

  it("the drill removes what is past its time, and reads no registration", async () => {
    await start(backups);
    const kept = (): number =>
      [...aws.objects.keys(), ...aws.secrets.keys()].filter((key) => key.includes("/backups/"))
        .length;
    for (let issued = 0; issued < 3; issued += 1) {
      world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
      await run("audit", message("prod"));
    }
    expect(kept()).toBe(3);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 400 * DAY_MS });
    const first = aws.requests.length;
    expect(await run("drill", {})).toMatchObject({ copies: 3, removed: 1, failed: false });
    expect(kept()).toBe(2);
    const drilled = aws.requests.slice(first).map(({ body }) => body.toString("utf8"));
    expect(drilled.filter((body) => body.includes("certkeep/prod/clusters/"))).toEqual([]);
    expect(denied).toEqual([]);
  }, 60_000);
});

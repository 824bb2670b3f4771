/**
 * What the contract doesn't say of Secrets Manager: paging, names, tags, the size that is refused,
 * secrets that are scheduled for deletion, lost answers and throttling. As moto has it; where AWS
 * differs from moto, a proxy in front answers as AWS does, or the test looks at the request.
 */
import { randomUUID } from "node:crypto";
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  PutSecretValueCommand,
  RestoreSecretCommand,
  UpdateSecretVersionStageCommand,
} from "@aws-sdk/client-secrets-manager";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createSecretBlobs, MAX_SECRET_BYTES } from "../../../lib/adapters/aws/secretblobs.ts";
import { secretsClient, createSecretValues } from "../../../lib/adapters/aws/secretsmanager.ts";
import type { AwsWorld } from "../../../lib/adapters/aws/client.ts";
import { copyKey } from "../../../lib/backup/keys.ts";
import { startMoto, type AwsEmulator } from "../support/aws.ts";
import { lacksTools } from "../support/tools.ts";
import { startFaultyFront, type FaultyFront } from "./faults.ts";
import { namesOf, thrown, useTestCredentials, worldAt, worldOf } from "./support.ts";

const CANARY = "canary-9f86d081884c7d65";
const bytes = (text: string): Uint8Array => Buffer.from(text, "utf8");
const refusal = (
  name: string,
  status = 400,
): { status: number; headers: Record<string, string>; body: string } => ({
  status,
  headers: { "content-type": "application/x-amz-json-1.1" },
  body: JSON.stringify({ __type: name, message: CANARY, Message: CANARY }),
});

describe.skipIf(lacksTools("moto_server"))("Secrets Manager", () => {
  let moto: AwsEmulator;
  let world: AwsWorld;
  let front: FaultyFront;
  let faulty: AwsWorld;
  let prefix: string;
  let url: string;

  beforeAll(async () => {
    useTestCredentials();
    moto = await startMoto();
    world = worldOf(moto);
    front = await startFaultyFront(moto.endpoint);
    faulty = worldAt(front.endpoint);
    prefix = `certkeep/${randomUUID().slice(0, 8)}/backups`;
    url = `secretsmanager://${prefix}`;
  });
  afterEach(() => front.fault(() => null));
  afterAll(async () => {
    await front?.stop();
    await moto?.stop();
  });

  it("is listed over several pages, by the exact prefix, less what is scheduled for deletion", async () => {
    const store = createSecretBlobs(`${url}/paged`, world);
    const keys = Array.from(
      { length: 230 },
      (_, index) => `prod/ns/s/${String(index).padStart(3, "0")}.json`,
    );
    for (let at = 0; at < keys.length; at += 20)
      await Promise.all(keys.slice(at, at + 20).map((key) => store.create(key, bytes("x"))));
    await store.create("prod2/ns/s/1.json", bytes("y"));
    const client = secretsClient(world);
    for (const Name of [
      `${prefix}/paged/prod/ns/.hidden`,
      `${prefix}/paged-other/prod/1.json`,
      `other/${prefix}/paged/prod/1.json`,
    ])
      await client.send(new CreateSecretCommand({ Name, SecretString: "not a copy" }));
    await client.send(new DeleteSecretCommand({ SecretId: `${prefix}/paged/${keys[7]}` }));
    const through = createSecretBlobs(`${url}/paged`, faulty);
    const left = keys.filter((_, index) => index !== 7);
    expect(await namesOf(through.list("prod/"))).toEqual(left);
    expect(front.passages.length).toBeGreaterThan(2);
    expect(JSON.parse(front.passages[0]?.body ?? "")).toMatchObject({
      Filters: [{ Key: "name", Values: [`${prefix}/paged/prod/`] }],
    });
    expect(await namesOf(store.list(""))).toEqual([...left, "prod2/ns/s/1.json"]);
    front.fault((_passage, seen) => (seen <= 2 ? null : refusal("AccessDeniedException")));
    const error = await thrown(namesOf(through.list("prod/")));
    expect(error).toMatchObject({ name: "CertkeepError", code: "store_unavailable" });
    expect(String(error)).toContain("secretsmanager:ListSecrets");
    expect(String(error)).not.toContain(CANARY);
  });

  it("drops by itself what a listing gives that isn't below the prefix: AWS may match by words", async () => {
    const SecretList = [
      `${prefix}/words/prod/a/s/1.json`,
      `${prefix}/words/production/a/s/1.json`,
      `${prefix}/words`,
      `x/${prefix}/words/prod/a/s/2.json`,
      `${prefix}/words/prod/a/s/1.json`,
    ].map((Name): { Name: string; DeletedDate?: number } => ({ Name }));
    SecretList.push({ Name: `${prefix}/words/prod/a/s/3.json`, DeletedDate: 1_790_000_000 });
    front.fault(() => ({
      status: 200,
      headers: { "content-type": "application/x-amz-json-1.1" },
      body: JSON.stringify({ SecretList }),
    }));
    expect(await namesOf(createSecretBlobs(`${url}/words`, faulty).list("prod/"))).toEqual([
      "prod/a/s/1.json",
    ]);
  });

  it("has its size from the description, or from the tag that earlier versions gave", async () => {
    const SecretList = [
      { Name: `${prefix}/sizes/a/b/new.json`, Description: "A certkeep backup of 15 bytes" },
      { Name: `${prefix}/sizes/a/b/old.json`, Tags: [{ Key: "certkeep:bytes", Value: "16" }] },
      { Name: `${prefix}/sizes/a/b/other.json`, Description: "15 bytes of somebody" },
    ];
    front.fault(() => ({
      status: 200,
      headers: { "content-type": "application/x-amz-json-1.1" },
      body: JSON.stringify({ SecretList }),
    }));
    const sizes: (number | null)[] = [];
    for await (const { sizeBytes } of createSecretBlobs(`${url}/sizes`, faulty).list(""))
      sizes.push(sizeBytes);
    expect(sizes).toEqual([15, 16, null]);
  });

  it("is asked to create alone, with no tags and the key of one's own, for text and for bytes", async () => {
    const place = { cluster: "Prod 1", namespace: "shop", secret: "web-tls" };
    const key = copyKey(place, "ab".repeat(32));
    const store = createSecretBlobs(`${url}/made`, faulty, { kmsKeyId: "alias/mine" });
    expect(await store.create(key, bytes('{"sealed":"é"}'))).toBe("created");
    expect(front.passages.map(({ target }) => target)).toEqual(["CreateSecret"]);
    const sent = JSON.parse(
      Buffer.from(front.passages[0]?.body ?? "", "latin1").toString("utf8"),
    ) as Record<string, unknown>;
    expect(sent).toMatchObject({
      Name: `${prefix}/made/${key}`,
      SecretString: '{"sealed":"é"}',
      KmsKeyId: "alias/mine",
      Description: "A certkeep backup of 15 bytes",
      ClientRequestToken: expect.stringMatching(/^[0-9a-f-]{36}$/) as unknown,
    });
    expect(sent).not.toHaveProperty("Tags");
    expect(Buffer.from((await store.read(key)) ?? []).toString()).toBe('{"sealed":"é"}');
    expect(JSON.parse(front.passages.at(-1)?.body ?? "")).toMatchObject({
      VersionStage: "AWSCURRENT",
    });
    const raw = Uint8Array.from([0xff, 0xfe, 0, 1]);
    await store.create("a/raw.json", raw);
    expect(Buffer.compare((await store.read("a/raw.json")) ?? Buffer.of(), raw)).toBe(0);
    // A whole life asks for these and no more: an auditing role needs no right to put, update or
    // label.
    await namesOf(store.list(""));
    await store.create("a/raw.json", raw);
    expect(new Set(front.passages.map(({ target }) => target))).toEqual(
      new Set(["CreateSecret", "GetSecretValue", "ListSecrets"]),
    );
  });

  it("is told of what is too large, or has too long a name, before anything is sent", async () => {
    const store = createSecretBlobs(url, faulty);
    front.fault(() => null);
    const large = await thrown(
      store.create("a/large.json", Buffer.alloc(MAX_SECRET_BYTES + 1, CANARY)),
    );
    expect(large).toMatchObject({ name: "CertkeepError", code: "store_full" });
    expect(String(large)).toContain("65537 bytes");
    expect(String(large)).toContain("s3://");
    expect(String(large)).not.toContain(CANARY);
    const long = await thrown(store.create(`${"n".repeat(512 - prefix.length)}.json`, bytes("x")));
    expect(long).toMatchObject({ name: "CertkeepError", code: "store_unavailable" });
    expect(String(long)).toContain("at most 512");
    expect(front.passages).toEqual([]);
    const longest = "n".repeat(512 - prefix.length - 1);
    expect(await store.create(longest, Buffer.alloc(MAX_SECRET_BYTES, "x"))).toBe("created");
    expect((await store.read(longest))?.byteLength).toBe(MAX_SECRET_BYTES);
  });

  it.each([
    ["as moto answers", null],
    ["as AWS answers", "InvalidRequestException"],
  ] as const)("says plainly that a secret is scheduled for deletion, %s", async (_name, answer) => {
    const key = `prod/ns/s/scheduled-${answer ?? "moto"}.json`;
    const name = `${prefix}/${key}`;
    await createSecretBlobs(url, world).create(key, bytes("old"));
    await secretsClient(world).send(
      new DeleteSecretCommand({ SecretId: name, RecoveryWindowInDays: 7 }),
    );
    const store = createSecretBlobs(url, faulty);
    if (answer !== null)
      front.fault(({ target }) => (target === "CreateSecret" ? refusal(answer) : null));
    for (const [code, call] of [
      ["store_unavailable", () => store.create(key, bytes(CANARY))],
      ["file_unreadable", () => store.read(key)],
    ] as const) {
      const error = await thrown(call());
      expect(error).toMatchObject({ name: "CertkeepError", code });
      expect(String(error)).toContain("scheduled for deletion");
      expect(String(error)).toContain(`aws secretsmanager restore-secret --secret-id ${name}`);
      expect(String(error)).not.toContain(CANARY);
    }
    expect(await namesOf(store.list("prod/ns/s/"))).not.toContain(key);
    await secretsClient(world).send(new RestoreSecretCommand({ SecretId: name }));
    expect(Buffer.from((await store.read(key)) ?? []).toString()).toBe("old");
  });

  it("removes without a recovery window, also what was scheduled, and gives the name back", async () => {
    const store = createSecretBlobs(url, faulty);
    await store.create("prod/ns/s/gone.json", bytes("x"));
    front.fault(() => null);
    expect(await store.remove("prod/ns/s/gone.json")).toBeNull();
    expect(JSON.parse(front.passages[0]?.body ?? "")).toEqual({
      SecretId: `${prefix}/prod/ns/s/gone.json`,
      ForceDeleteWithoutRecovery: true,
    });
    // While AWS is about it, it still says “marked for deletion”: of what was removed here that is
    // gone.
    front.fault(({ target }) =>
      target === "GetSecretValue" ? refusal("InvalidRequestException") : null,
    );
    expect(await store.read("prod/ns/s/gone.json")).toBeNull();
    front.fault(() => null);
    expect(await store.create("prod/ns/s/gone.json", bytes("again"))).toBe("created");
    await secretsClient(world).send(
      new DeleteSecretCommand({ SecretId: `${prefix}/prod/ns/s/gone.json` }),
    );
    expect(await createSecretBlobs(url, world).remove("prod/ns/s/gone.json")).toBeNull();
    expect(await store.create("prod/ns/s/gone.json", bytes("again"))).toBe("created");
  });

  it("removes into the recovery window where it is to stay for a while", async () => {
    const store = createSecretBlobs(url, world);
    await store.create("prod/ns/s/late.json", bytes("x"));
    expect(await store.remove("prod/ns/s/late.json", "current")).toBeNull();
    expect(await store.read("prod/ns/s/late.json")).toBeNull();
    expect(await namesOf(store.list("prod/ns/s/"))).not.toContain("prod/ns/s/late.json");
    await secretsClient(world).send(
      new RestoreSecretCommand({ SecretId: `${prefix}/prod/ns/s/late.json` }),
    );
    const another = createSecretBlobs(url, world);
    expect(Buffer.from((await another.read("prod/ns/s/late.json")) ?? []).toString()).toBe("x");
  });

  it(
    "takes a creation whose answer was lost for its own, whether AWS knows the token or says " +
      "that it exists",
    async () => {
      const store = createSecretBlobs(`${url}/lost`, faulty);
      front.fault((_passage, seen) => (seen === 1 ? "lose" : null));
      expect(await store.create("a/1.json", bytes("mine"))).toBe("created");
      const tokens = front.passages
        .filter(({ target }) => target === "CreateSecret")
        .map(({ body }) => (JSON.parse(body) as { ClientRequestToken: string }).ClientRequestToken);
      expect(tokens).toHaveLength(2);
      expect(new Set(tokens).size).toBe(1);
      front.fault(({ target }, seen) =>
        target !== "CreateSecret" ? null : seen === 1 ? "lose" : refusal("ResourceExistsException"),
      );
      expect(await store.create("a/2.json", bytes("mine"))).toBe("created");
      // Another's under the same name is another's.
      await createSecretBlobs(`${url}/lost`, world).create("a/3.json", bytes("theirs"));
      front.fault((_passage, seen) => (seen === 1 ? refusal("InternalServiceError", 500) : null));
      expect(await store.create("a/3.json", bytes("mine"))).toBe("exists");
      expect(Buffer.from((await store.read("a/3.json")) ?? []).toString()).toBe("theirs");
      // No answer at all.
      front.fault(({ target }) => (target === "CreateSecret" ? "lose" : null));
      expect(await store.create("a/4.json", bytes("mine"))).toBe("created");
    },
  );

  it("is asked again for what was just made and can't be read yet", async () => {
    const store = createSecretBlobs(`${url}/late`, faulty);
    await store.create("a/1.json", bytes("x"));
    front.fault((_passage, seen) => (seen <= 3 ? refusal("ResourceNotFoundException") : null));
    expect(Buffer.from((await store.read("a/1.json")) ?? []).toString()).toBe("x");
    front.fault((_passage, seen) => (seen <= 3 ? refusal("ResourceNotFoundException") : null));
    // Of what nobody made here that is the answer.
    expect(await createSecretBlobs(`${url}/late`, faulty).read("a/2.json")).toBeNull();
    expect(front.passages).toHaveLength(1);
  });

  it("is asked again when it throttles, and told plainly when it goes on to", async () => {
    const store = createSecretBlobs(`${url}/throttled`, faulty);
    front.fault((_passage, seen) => (seen <= 2 ? refusal("ThrottlingException") : null));
    expect(await store.create("a/1.json", bytes("x"))).toBe("created");
    front.fault(() => refusal("ThrottlingException"));
    const error = await thrown(store.create("a/2.json", bytes(CANARY)));
    expect(error).toMatchObject({ name: "CertkeepError", code: "store_unavailable" });
    expect(String(error)).toContain("too many requests");
    expect(String(error)).not.toContain(CANARY);
  });

  it("gives values by name, the current one, and tells what has none", async () => {
    const values = createSecretValues(world);
    const client = secretsClient(world);
    const name = `${prefix}/values/webhook`;
    expect(await values.read(name)).toBeNull();
    await client.send(new CreateSecretCommand({ Name: name, SecretString: "first" }));
    expect(await values.read(name)).toBe("first");
    const { VersionId = "" } = await client.send(
      new PutSecretValueCommand({
        SecretId: name,
        SecretString: "pending",
        VersionStages: ["AWSPENDING"],
      }),
    );
    expect(await values.read(name)).toBe("first");
    const { VersionIdsToStages = {} } = await client.send(
      new DescribeSecretCommand({ SecretId: name }),
    );
    const current =
      Object.keys(VersionIdsToStages).find(
        (id) => VersionIdsToStages[id]?.includes("AWSCURRENT") === true,
      ) ?? "";
    await client.send(
      new UpdateSecretVersionStageCommand({
        SecretId: name,
        VersionStage: "AWSCURRENT",
        MoveToVersionId: VersionId,
        RemoveFromVersionId: current,
      }),
    );
    expect(await values.read(name)).toBe("pending");
    await client.send(new CreateSecretCommand({ Name: `${name}-empty` }));
    expect(await values.read(`${name}-empty`)).toBeNull();
    await client.send(new DeleteSecretCommand({ SecretId: name }));
    expect(await thrown(values.read(name))).toMatchObject({ code: "store_unavailable" });
    expect(await thrown(values.read("not a name"))).toMatchObject({ code: "store_unavailable" });
    front.fault(() => refusal("AccessDeniedException"));
    const error = await thrown(createSecretValues(faulty).read(name));
    expect(String(error)).toContain("secretsmanager:GetSecretValue");
    expect(String(error)).not.toContain(CANARY);
  });
});

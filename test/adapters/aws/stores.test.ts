/**
 * The stores on AWS without an emulator: their contracts on a fake in memory, and what they ask
 * for.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MAX_DOCUMENT_BYTES } from "../../../lib/backup/document.ts";
import { createS3Blobs, createS3States } from "../../../lib/adapters/aws/s3stores.ts";
import { createSecretBlobs, MAX_SECRET_BYTES } from "../../../lib/adapters/aws/secretblobs.ts";
import { createSecretValues } from "../../../lib/adapters/aws/secretsmanager.ts";
import { blobsContract } from "../../contract/blobs.ts";
import { statesContract } from "../../contract/states.ts";
import { startFakeAws, type FakeAws } from "../../support/aws.ts";

blobsContract("s3, fake", async () => {
  const { world, stop } = await startFakeAws();
  return {
    store: createS3Blobs("s3://my-bucket/backups", world),
    again: () => createS3Blobs("s3://my-bucket/backups/", world),
    close: stop,
  };
});
blobsContract("secretsmanager, fake", async () => {
  const { world, stop } = await startFakeAws();
  const open = (): ReturnType<typeof createSecretBlobs> =>
    createSecretBlobs("secretsmanager://certkeep/prod/backups", world);
  return {
    store: open(),
    again: open,
    limits: { minBytes: 1, maxBytes: MAX_SECRET_BYTES },
    close: stop,
  };
});
statesContract("s3, fake", async () => {
  const { world, stop } = await startFakeAws();
  return {
    store: createS3States("s3://my-bucket/state", world),
    again: () => createS3States("s3://my-bucket/state", world),
    close: stop,
  };
});

describe("a store on AWS", () => {
  let aws: FakeAws;
  beforeEach(async () => {
    aws = await startFakeAws();
  });
  afterEach(() => aws.stop());

  it("keeps copies and states under the very names that the documentation gives", async () => {
    await createS3Blobs("s3://my-bucket/backups", aws.world).create(
      "prod/shop/web-tls/0.json",
      Buffer.from("{}"),
    );
    await createS3States("s3://my-bucket/state", aws.world).write("cluster-Prod", "{}", null);
    await createSecretBlobs("secretsmanager://certkeep/prod/backups", aws.world).create(
      "prod/shop/web-tls/0.json",
      Buffer.from("{}"),
    );
    expect([...aws.objects.keys()]).toEqual([
      "my-bucket/backups/prod/shop/web-tls/0.json",
      "my-bucket/state/cluster-=50rod.json",
    ]);
    expect([...aws.secrets.keys()]).toEqual(["certkeep/prod/backups/prod/shop/web-tls/0.json"]);
    expect(
      aws.requests.every(({ headers }) => String(headers["user-agent"]).includes("certkeep")),
    ).toBe(true);
  });

  it("asks S3 for the lock that was wanted, to the second, and for none otherwise", async () => {
    await createS3Blobs("s3://my-bucket", aws.world, {
      lock: { mode: "COMPLIANCE", days: 30 },
      nowMs: () => Date.UTC(2026, 10, 1),
    }).create("a.json", Buffer.from("x"));
    await createS3Blobs("s3://my-bucket", aws.world).create("b.json", Buffer.from("x"));
    const [locked, free] = aws.requests.map(({ headers }) => [
      headers["x-amz-object-lock-mode"],
      headers["x-amz-object-lock-retain-until-date"],
    ]);
    expect(locked).toEqual(["COMPLIANCE", expect.stringMatching(/^2026-12-01T00:00:00(\.000)?Z$/)]);
    expect(free).toEqual([undefined, undefined]);
    // Encryption is the bucket's own.
    expect(
      aws.requests
        .flatMap(({ headers }) => Object.keys(headers))
        .filter((name) => name.includes("server-side-encryption")),
    ).toEqual([]);
  });

  it(
    "refuses what is larger than a copy can be, in both directions, without taking it into " +
      "memory",
    async () => {
      const store = createS3Blobs("s3://my-bucket", aws.world);
      await expect(
        store.create("a.json", new Uint8Array(MAX_DOCUMENT_BYTES + 1)),
      ).rejects.toMatchObject({ code: "store_full" });
      expect(aws.requests).toEqual([]);
      aws.objects.set("my-bucket/b.json", {
        body: Buffer.alloc(MAX_DOCUMENT_BYTES + 1),
        headers: { etag: '"x"' },
      });
      await expect(store.read("b.json")).rejects.toMatchObject({ code: "store_damaged" });
    },
  );

  it(
    "says plainly that a secret is scheduled for deletion, and neither lists nor calls it " +
      "existing",
    async () => {
      const store = createSecretBlobs("secretsmanager://certkeep", aws.world);
      await store.create("a/b.json", Buffer.from("x"));
      for (const secret of aws.secrets.values()) secret.deleted = true;
      await expect(store.create("a/b.json", Buffer.from("canary"))).rejects.toThrow(
        /^secretsmanager:\/\/certkeep\/a\/b\.json: the secret is scheduled for deletion.*restore-secret/,
      );
      await expect(store.read("a/b.json")).rejects.toThrow(/scheduled for deletion/);
      await expect(createSecretValues(aws.world).read("certkeep/a/b.json")).rejects.toThrow(
        /scheduled for deletion/,
      );
      for await (const { key } of store.list("")) expect(key).toBe("none");
    },
  );

  it("goes through all pages, and throws where one doesn't lead on", async () => {
    const blobs = createS3Blobs("s3://my-bucket", aws.world);
    const secrets = createSecretBlobs("secretsmanager://certkeep", aws.world);
    for (let at = 0; at < 101; at += 1) {
      aws.objects.set(`my-bucket/a/${at}.json`, { body: Buffer.from("x"), headers: {} });
      aws.secrets.set(`certkeep/a/${at}.json`, { input: {}, deleted: false, versions: new Map() });
    }
    for (const store of [blobs, secrets]) {
      aws.fault(() => null);
      let count = 0;
      for await (const _ of store.list("a/")) count += 1;
      expect(count).toBe(101);
      expect(aws.requests).toHaveLength(2);
    }
    aws.fault(({ action }) =>
      action === ""
        ? {
            status: 200,
            body: "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
          }
        : { status: 200, body: '{"SecretList":[],"NextToken":"again"}' },
    );
    for (const store of [blobs, secrets])
      await expect(store.list("")[Symbol.asyncIterator]().next()).rejects.toMatchObject({
        code: "store_unavailable",
      });
  });

  it("takes no answer without an ETag: the next write would rest on it", async () => {
    const states = createS3States("s3://my-bucket/state", aws.world);
    await states.write("prod", "1", null);
    aws.fault(({ method }) => ({ status: 200, ...(method === "GET" ? { body: "1" } : {}) }));
    await expect(states.read("prod")).rejects.toMatchObject({ code: "store_unavailable" });
    await expect(states.write("prod", "2", '"x"')).rejects.toMatchObject({
      code: "store_unavailable",
    });
  });

  it("tells what the SDK itself lacks or can't reach, in words", async () => {
    const none = {
      AWS_CONFIG_FILE: "/dev/null",
      AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
      AWS_REGION: "",
      AWS_PROFILE: "",
      AWS_ACCESS_KEY_ID: "",
      AWS_SECRET_ACCESS_KEY: "",
    };
    const own = Object.fromEntries(Object.keys(none).map((name) => [name, process.env[name]]));
    const failure = (world: FakeAws["world"]): Promise<unknown[]> =>
      Promise.all(
        [
          createS3States("s3://my-bucket/state", world).read("prod"),
          createSecretValues(world).read("a"),
        ].map((call) => call.catch((error: unknown) => error)),
      );
    try {
      Object.assign(process.env, none);
      for (const error of await failure({ env: {} }))
        expect(String(error)).toMatch(/no region of AWS is set.*AWS_REGION/);
      delete process.env["AWS_REGION"];
      for (const error of await failure({ env: { AWS_ENDPOINT_URL: "http://127.0.0.1:1" } }))
        expect(String(error)).toMatch(/no region of AWS is set.*AWS_REGION/);
      for (const error of await failure({ env: { ...aws.world.env, AWS_REGION: "eu-north-1" } }))
        expect(String(error)).toMatch(/no credentials for AWS were found/);
    } finally {
      for (const [name, value] of Object.entries(own)) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    }
    for (const error of await failure({
      env: { AWS_REGION: "eu-west-1", AWS_ENDPOINT_URL: "http://127.0.0.1:1" },
    }))
      expect(String(error)).toMatch(/nothing listens there \(ECONNREFUSED\)/);
  });

  it.each([
    ["AccessDenied", 403],
    ["InvalidObjectState", 403],
    ["KMS.DisabledException", 400],
  ])(
    "takes S3's %s for one object for that one's trouble, not the store's",
    async (code, status) => {
      const store = createS3Blobs("s3://my-bucket", aws.world);
      await store.create("a.json", Buffer.from("a"));
      await store.create("b.json", Buffer.from("b"));
      aws.fault(({ url, method }) =>
        method === "GET" && url.pathname.endsWith("a.json")
          ? { status, body: `<Error><Code>${code}</Code></Error>` }
          : null,
      );
      await expect(store.read("a.json")).rejects.toMatchObject({
        code: "file_unreadable",
        message: expect.stringContaining("s3://my-bucket/a.json") as string,
      });
      expect(await store.read("b.json")).not.toBeNull();
    },
  );

  it("takes what S3 says of all for the store's trouble", async () => {
    aws.fault(() => ({
      status: 403,
      body: "<Error><Code>InvalidAccessKeyId</Code></Error>",
    }));
    await expect(createS3Blobs("s3://my-bucket", aws.world).read("a.json")).rejects.toMatchObject({
      code: "store_unavailable",
    });
  });

  it(
    "takes a secret that is too large, can't be decrypted or is being deleted for that one's " +
      "trouble",
    async () => {
      const store = createSecretBlobs("secretsmanager://certkeep", aws.world);
      await store.create("a/b.json", Buffer.from("x"));
      const body = JSON.stringify({ SecretString: "x".repeat(MAX_SECRET_BYTES + 1) });
      const answer = (status: number, text: string): void =>
        aws.fault(({ action }) =>
          action === "GetSecretValue"
            ? { status, headers: { "content-type": "application/x-amz-json-1.1" }, body: text }
            : null,
        );
      answer(200, body);
      await expect(store.read("a/b.json")).rejects.toMatchObject({ code: "store_damaged" });
      answer(400, JSON.stringify({ __type: "DecryptionFailure", message: "no" }));
      await expect(store.read("a/b.json")).rejects.toMatchObject({ code: "file_unreadable" });
      aws.fault(() => null);
      for (const secret of aws.secrets.values()) secret.deleted = true;
      await expect(store.read("a/b.json")).rejects.toMatchObject({ code: "file_unreadable" });
    },
  );

  it("lets nothing of a document into an error, whatever is answered", async () => {
    const canary = "canary-9f86d081884c7d65";
    const document = Buffer.from(JSON.stringify({ sealed: canary }));
    const calls = (): Promise<unknown>[] => [
      createS3Blobs("s3://my-bucket", aws.world).create("a.json", document),
      createS3Blobs("s3://my-bucket", aws.world).read("a.json"),
      createS3Blobs("s3://my-bucket", aws.world).remove("a.json"),
      createS3States("s3://my-bucket", aws.world).write("a", document.toString(), null),
      createS3States("s3://my-bucket", aws.world).write("a", document.toString(), '"x"'),
      createS3States("s3://my-bucket", aws.world).read("a"),
      createS3States("s3://my-bucket", aws.world).names(),
      createSecretBlobs("secretsmanager://certkeep", aws.world).create("a.json", document),
      createSecretBlobs("secretsmanager://certkeep", aws.world).read("a.json"),
      createSecretBlobs("secretsmanager://certkeep", aws.world).remove("a.json"),
      createSecretValues(aws.world).read("a"),
    ];
    const echo = (body: Uint8Array): AwsAnswer[] => [
      { status: 400, body: `<Error><Code>Odd</Code><Message>${canary}</Message></Error>` },
      {
        status: 400,
        headers: { "content-type": "application/x-amz-json-1.1" },
        body: JSON.stringify({
          __type: `Odd#${canary} ${canary}`,
          message: canary,
          Message: canary,
        }),
      },
      { status: 404, headers: { "x-amz-request-id": `<${canary}>` }, body: canary },
      { status: 200, body },
      { status: 200, body: `{"SecretString": ${canary}` },
      { status: 200, body: `<${canary}` },
      { status: 302, headers: { location: `https://${canary}.test/` } },
    ];
    for (const answer of echo(Buffer.from(canary))) {
      aws.fault(() => answer);
      for (const outcome of await Promise.allSettled(calls())) {
        if (outcome.status === "fulfilled") continue;
        const error = outcome.reason as Error;
        expect(error.name).toBe("CertkeepError");
        expect(JSON.stringify([error, error.message, error.stack])).not.toContain(canary);
      }
    }
  });
});

type AwsAnswer = NonNullable<ReturnType<Parameters<FakeAws["fault"]>[0]>>;

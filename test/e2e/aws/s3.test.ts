/**
 * What the contract doesn't say of S3: paging, versions, object locks, lost and broken answers,
 * throttling, damage. Each against moto and against ministack.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import {
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createS3Blobs, createS3States } from "../../../lib/adapters/aws/s3stores.ts";
import { s3Client, readS3Object, writeS3Object } from "../../../lib/adapters/aws/s3object.ts";
import type { AwsWorld } from "../../../lib/adapters/aws/client.ts";
import { startMinistack, startMoto, type AwsEmulator } from "../support/aws.ts";
import { lacksTools } from "../support/tools.ts";
import { startFaultyFront, type FaultyFront } from "./faults.ts";
import { makeBucket, namesOf, thrown, useTestCredentials, worldAt, worldOf } from "./support.ts";

const CANARY = "canary-9f86d081884c7d65";
const bytes = (text: string): Uint8Array => Buffer.from(text, "utf8");
const text = (read: Uint8Array | null): string | null =>
  read === null ? null : Buffer.from(read).toString("utf8");
const SLOW_DOWN = {
  status: 503,
  headers: { "content-type": "application/xml" },
  body:
    "<?xml " +
    `version="1.0"?><Error><Code>SlowDown</Code><Message>${CANARY}</Message><RequestId>R1</RequestId></Error>`,
};

beforeAll(useTestCredentials);

describe.each([
  ["moto", "moto_server", startMoto],
  ["ministack", "ministack", () => startMinistack()],
] as const)("S3 as %s has it", (_name, tool, start) => {
  describe.skipIf(lacksTools(tool))("a bucket", () => {
    let emulator: AwsEmulator;
    let world: AwsWorld;
    let front: FaultyFront;
    let faulty: AwsWorld;
    let bucket: string;

    beforeAll(async () => {
      emulator = await start();
      world = worldOf(emulator);
      front = await startFaultyFront(emulator.endpoint);
      faulty = worldAt(front.endpoint);
      bucket = await makeBucket(world, "versioned");
    });
    afterEach(() => front.fault(() => null));
    afterAll(async () => {
      await front?.stop();
      await emulator?.stop();
    });

    it("is listed over several pages, and by the exact prefix", async () => {
      const url = `s3://${bucket}/paged`;
      const store = createS3Blobs(url, world);
      const keys = Array.from(
        { length: 1030 },
        (_, index) => `prod/ns/s/${String(index).padStart(4, "0")}.json`,
      );
      for (let at = 0; at < keys.length; at += 50)
        await Promise.all(keys.slice(at, at + 50).map((key) => store.create(key, bytes("x"))));
      await store.create("prod2/ns/s/1.json", bytes("y"));
      await s3Client(world).send(
        new PutObjectCommand({ Bucket: bucket, Key: "paged/prod/ns/.hidden", Body: "not a key" }),
      );
      await createS3Blobs(`${url}-other`, world).create("prod/ns/s/other.json", bytes("z"));
      const through = createS3Blobs(url, faulty);
      expect(await namesOf(through.list("prod/"))).toEqual(keys);
      expect(front.passages.filter(({ method }) => method === "GET").length).toBeGreaterThan(1);
      expect(await namesOf(store.list(""))).toEqual([...keys, "prod2/ns/s/1.json"]);
      // A page that can't be had makes no short listing.
      front.fault((_passage, seen) =>
        seen === 1
          ? null
          : {
              status: 403,
              body: `<Error><Code>AccessDenied</Code><Message>${CANARY}</Message></Error>`,
            },
      );
      const error = await thrown(namesOf(through.list("prod/")));
      expect(error).toMatchObject({ name: "CertkeepError", code: "store_unavailable" });
      expect(String(error)).toContain("s3:ListBucket");
      expect(String(error)).not.toContain(CANARY);
    });

    it("takes a write whose answer was lost for what it is, its own", async () => {
      const url = `s3://${bucket}/lost`;
      front.fault((passage, seen) => (passage.method === "PUT" && seen === 1 ? "lose" : null));
      expect(await createS3Blobs(url, faulty).create("a/b.json", bytes("mine"))).toBe("created");
      expect(front.passages.filter(({ method }) => method === "PUT")).toHaveLength(2);
      expect(front.passages[0]?.headers["if-none-match"]).toBe("*");

      const states = createS3States(url, faulty);
      front.fault((passage, seen) => (passage.method === "PUT" && seen === 1 ? "lose" : null));
      const first = await states.write("prod", '"1"', null);
      expect(first).not.toBeNull();
      front.fault((passage, seen) => (passage.method === "PUT" && seen === 1 ? "lose" : null));
      const second = await states.write("prod", '"2"', first);
      expect(second).not.toBeNull();
      expect(front.passages[0]?.headers["if-match"]).toBe(first);
      // The revision is the one that stands: the next write goes on from it.
      expect(await states.read("prod")).toEqual({ revision: second, text: '"2"' });
      expect(await states.write("prod", '"3"', second)).not.toBeNull();
    });

    it("is asked what stands there when no answer came at all", async () => {
      const states = createS3States(`s3://${bucket}/silent`, faulty);
      front.fault(({ method }) => (method === "PUT" ? "lose" : null));
      const revision = await states.write("prod", '"1"', null);
      expect(await states.read("prod")).toEqual({ revision, text: '"1"' });
      // Nothing was written: then it isn't taken for written.
      front.fault(({ method }) =>
        method === "PUT"
          ? {
              status: 500,
              body: `<Error><Code>InternalError</Code><Message>${CANARY}</Message></Error>`,
            }
          : null,
      );
      const error = await thrown(states.write("prod", `"${CANARY}"`, revision));
      expect(error).toMatchObject({ name: "CertkeepError", code: "store_unavailable" });
      expect(String(error)).not.toContain(CANARY);
      expect((await states.read("prod"))?.text).toBe('"1"');
    });

    it("gives a conflict, and no lost update, where another wrote after the answer was lost", async () => {
      const url = `s3://${bucket}/overtaken`;
      const states = createS3States(url, faulty);
      const other = createS3States(url, world);
      let overtaken: Promise<unknown> = Promise.resolve();
      front.fault(({ method }, seen) => (method === "PUT" && seen === 1 ? "lose" : null));
      const written = states.write("prod", '["mine"]', null);
      overtaken = (async () => {
        for (;;) {
          const stored = await other.read("prod");
          if (stored !== null) return other.write("prod", '["mine","theirs"]', stored.revision);
        }
      })();
      const revision = await written;
      expect(await overtaken).not.toBeNull();
      expect((await states.read("prod"))?.text).toBe('["mine","theirs"]');
      // Whichever came first, the revision that was given isn't that of the other's document.
      expect(
        revision === null || (await states.write("prod", '["stale"]', revision)) === null,
      ).toBe(true);
    });

    it(
      "treats a conditional conflict as AWS has it: of states a conflict, of copies a reason to " +
        "try again",
      async () => {
        const conflict = {
          status: 409,
          body: "<Error><Code>ConditionalRequestConflict</Code></Error>",
        };
        const url = `s3://${bucket}/conflict`;
        front.fault(({ method }, seen) => (method === "PUT" && seen <= 2 ? conflict : null));
        expect(await createS3Blobs(url, faulty).create("a/b.json", bytes("x"))).toBe("created");
        const revision = await createS3States(url, world).write("prod", "1", null);
        front.fault(({ method }) => (method === "PUT" ? conflict : null));
        expect(await createS3States(url, faulty).write("prod", "2", revision)).toBeNull();
        expect(
          await thrown(createS3Blobs(url, faulty).create("a/c.json", bytes("x"))),
        ).toMatchObject({ code: "store_unavailable" });
      },
    );

    it("is read whole: what breaks off is asked for again, and never taken for the whole", async () => {
      const url = `s3://${bucket}/cut`;
      const document = Buffer.alloc(200_000, "k");
      await createS3Blobs(url, world).create("a/b.json", document);
      const store = createS3Blobs(url, faulty);
      front.fault((_passage, seen) => (seen === 1 ? "cut" : null));
      expect(Buffer.compare((await store.read("a/b.json")) ?? Buffer.of(), document)).toBe(0);
      expect(front.passages).toHaveLength(2);
      front.fault(() => "cut");
      expect(await thrown(store.read("a/b.json"))).toMatchObject({
        name: "CertkeepError",
        code: "store_unavailable",
      });
      front.fault(() => "corrupt");
      expect(await thrown(store.read("a/b.json"))).toMatchObject({
        name: "CertkeepError",
        code: "store_damaged",
      });
    });

    it("is asked again when it throttles, and told plainly when it goes on to", async () => {
      const store = createS3Blobs(`s3://${bucket}/throttled`, faulty);
      front.fault((_passage, seen) => (seen <= 2 ? SLOW_DOWN : null));
      expect(await store.create("a/b.json", bytes("x"))).toBe("created");
      front.fault(() => SLOW_DOWN);
      const error = await thrown(store.create("a/c.json", bytes(CANARY)));
      expect(error).toMatchObject({ name: "CertkeepError", code: "store_unavailable" });
      expect(String(error)).toContain("SlowDown");
      expect(String(error)).not.toContain(CANARY);
      // It isn't asked what stands there either: that would be one request more.
      expect(front.passages.every(({ method }) => method === "PUT")).toBe(true);
    });

    it("loses every version of what is removed", async () => {
      const store = createS3Blobs(`s3://${bucket}/gone`, world);
      await store.create("a/b.json", bytes("first"));
      await store.create("a/b.json.json", bytes("a neighbour"));
      await s3Client(world).send(
        new PutObjectCommand({ Bucket: bucket, Key: "gone/a/b.json", Body: "overwritten by hand" }),
      );
      expect(await store.remove("a/b.json")).toBeNull();
      const { Versions = [], DeleteMarkers = [] } = await s3Client(world).send(
        new ListObjectVersionsCommand({ Bucket: bucket, Prefix: "gone/" }),
      );
      expect([...Versions, ...DeleteMarkers].map(({ Key }) => Key)).toEqual(["gone/a/b.json.json"]);
      expect(await store.create("a/b.json", bytes("again"))).toBe("created");
    });

    it("keeps the versions of what is removed by its name alone", async () => {
      const store = createS3Blobs(`s3://${bucket}/hidden`, world);
      await store.create("a/b.json", bytes("first"));
      expect(await store.remove("a/b.json", "current")).toBeNull();
      expect(await store.read("a/b.json")).toBeNull();
      const { Versions = [] } = await s3Client(world).send(
        new ListObjectVersionsCommand({ Bucket: bucket, Prefix: "hidden/" }),
      );
      expect(Versions).toHaveLength(1);
    });

    it("says until when a lock keeps what was removed, and hides it", async () => {
      const locked = await makeBucket(world, "locked");
      const nowMs = Date.now();
      const store = createS3Blobs(`s3://${locked}/backups`, world, {
        lock: { mode: "GOVERNANCE", days: 7 },
        nowMs: () => nowMs,
      });
      await store.create("a/b.json", bytes("x"));
      const head = await s3Client(world).send(
        new HeadObjectCommand({ Bucket: locked, Key: "backups/a/b.json" }),
      );
      expect(head.ObjectLockMode).toBe("GOVERNANCE");
      expect(
        Math.abs((head.ObjectLockRetainUntilDate?.getTime() ?? 0) - (nowMs + 7 * 86_400_000)),
      ).toBeLessThan(1000);
      const note = await store.remove("a/b.json");
      expect(note).toMatch(
        /^one version of the object is kept by an object lock until \d{4}-\d\d-\d\dT/,
      );
      expect(note).toContain(new Date(nowMs + 7 * 86_400_000).toISOString().slice(0, 10));
      expect(await store.read("a/b.json")).toBeNull();
      expect(await namesOf(store.list(""))).toEqual([]);
      // Again: the same, and no pile of marks that stand for nothing.
      expect(await store.remove("a/b.json")).toMatch(/^one version of the object is kept/);
    });

    it("keeps states compressed, and takes one that a person fixed", async () => {
      const url = `s3://${bucket}/fixed`;
      const states = createS3States(url, world);
      const long = JSON.stringify({
        certificates: Array.from({ length: 5000 }, (_, index) => ({
          name: `host-${index}.example.com`,
        })),
      });
      await states.write("prod", long, null);
      const stored = await s3Client(world).send(
        new HeadObjectCommand({ Bucket: bucket, Key: "fixed/prod.json" }),
      );
      expect(stored.ContentLength).toBeLessThan(long.length / 5);
      expect(stored.ContentEncoding).toBe("gzip");
      await s3Client(world).send(
        new PutObjectCommand({ Bucket: bucket, Key: "fixed/prod.json", Body: '{ "by": "hand" }' }),
      );
      const fixed = await states.read("prod");
      expect(fixed?.text).toBe('{ "by": "hand" }');
      expect(await states.write("prod", '"next"', fixed?.revision ?? null)).not.toBeNull();
    });

    it("names the version to go back to where a state is damaged", async () => {
      const url = `s3://${bucket}/damaged`;
      const states = createS3States(url, world);
      await states.write("prod", '"whole"', null);
      for (const Body of [gzipSync('"newer"').subarray(0, 15), `{"cut": "${CANARY}`])
        await s3Client(world).send(
          new PutObjectCommand({ Bucket: bucket, Key: "damaged/prod.json", Body }),
        );
      const error = (await thrown(states.read("prod"))) as Error;
      expect(error).toMatchObject({ name: "CertkeepError", code: "state_damaged" });
      expect(error.message).not.toContain(CANARY);
      const versionId = /versionId=([A-Za-z0-9._-]+)'/.exec(error.message)?.[1] ?? "";
      const named = await s3Client(world).send(
        new GetObjectCommand({ Bucket: bucket, Key: "damaged/prod.json", VersionId: versionId }),
      );
      expect(gunzipSync((await named.Body?.transformToByteArray()) ?? Buffer.of()).toString()).toBe(
        '"whole"',
      );
    });

    it("that isn't there is told as that, and so is one that is forbidden", async () => {
      const error = await thrown(
        createS3States("s3://certkeep-no-such-bucket/state", world).read("prod"),
      );
      expect(error).toMatchObject({ name: "CertkeepError", code: "store_unavailable" });
      expect(String(error)).toContain("there is no such bucket");
      expect(
        await thrown(
          createS3States("s3://certkeep-no-such-bucket/state", world).write("prod", "1", null),
        ),
      ).toMatchObject({ code: "store_unavailable" });
      expect(
        await thrown(
          createS3States("s3://certkeep-no-such-bucket/state", world).write("prod", "1", '"x"'),
        ),
      ).toMatchObject({ code: "store_unavailable" });
      front.fault(() => ({
        status: 403,
        body: `<Error><Code>AccessDenied</Code><Message>${CANARY}</Message></Error>`,
      }));
      const forbidden = await thrown(
        createS3Blobs(`s3://${bucket}/backups`, faulty).read("a/b.json"),
      );
      expect(String(forbidden)).toContain("s3:GetObject");
      expect(String(forbidden)).not.toContain(CANARY);
    });

    it("holds a configuration, which is read by its URL", async () => {
      const url = `s3://${bucket}/certkeep.yaml`;
      expect(await readS3Object(url, world)).toBeNull();
      await writeS3Object(url, "recipients: []\n", world);
      await writeS3Object(url, "recipients: [é]\n", world);
      expect(await readS3Object(url, world)).toBe("recipients: [é]\n");
    });

    it("is whole after a writer was killed at any moment, and the next one completes it", async () => {
      const url = `s3://${bucket}/killed`;
      const states = createS3States(`${url}/state`, world);
      const blobs = createS3Blobs(`${url}/backups`, world);
      for (let round = 0; round < 6; round += 1) {
        const child = spawn(
          process.execPath,
          [join(import.meta.dirname, "../support/s3victim.ts"), url],
          { env: { ...process.env, ...emulator.env }, stdio: ["ignore", "pipe", "inherit"] },
        );
        await once(child.stdout, "data");
        await new Promise((resolve) => setTimeout(resolve, 5 + round * 15));
        child.kill("SIGKILL");
        await once(child, "exit");
        const state = await states.read("prod");
        if (state !== null) expect(() => JSON.parse(state.text) as unknown).not.toThrow();
        for await (const { key, sizeBytes } of blobs.list("")) {
          expect(sizeBytes).toBe(300_000);
          expect((await blobs.read(key))?.byteLength).toBe(300_000);
        }
        expect(
          await states.write("prod", JSON.stringify("x".repeat(100)), state?.revision ?? null),
        ).not.toBeNull();
      }
      expect((await namesOf(blobs.list(""))).length).toBeGreaterThan(0);
      expect(text(await blobs.read("none/at/all.json"))).toBeNull();
    });
  });
});

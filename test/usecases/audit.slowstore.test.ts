/**
 * A store that hangs or throttles costs an audit no more than its own time: what was backed up by
 * then is recorded and the state saved, and the next audit goes on from there.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createS3Blobs } from "../../lib/adapters/aws/s3stores.ts";
import { createSecretBlobs } from "../../lib/adapters/aws/secretblobs.ts";
import type { BlobStore } from "../../lib/ports/stores.ts";
import type { AuditReport } from "../../lib/usecases/audit.ts";
import { startFakeAws, type AwsAnswer, type AwsRequest } from "../support/aws.ts";
import { ingressSecret, startWorld, type World } from "../support/world.ts";

const HOSTS = Array.from({ length: 12 }, (_, index) => `h${index}.tail1a2b3.ts.net`);
const UNREAD = {
  scope: "backups",
  code: "deadline",
  message:
    "cluster prod: timed out before everything was backed up. The next audit backs up the rest",
};

let world: World;
let created: string[];

beforeEach(async () => {
  created = [];
  world = await startWorld();
  world.put(...HOSTS.map((host) => ingressSecret(host, world.issue([host]))));
});
afterEach(() => world.stop());

const withHang = (
  hangs: (method: string, calls: number) => boolean,
  stuck: () => void,
): BlobStore => {
  let calls = 0;
  const unlessStuck = <T>(method: string, work: () => Promise<T>): Promise<T> => {
    calls += 1;
    if (!hangs(method, calls)) return work();
    stuck();
    return new Promise(() => {});
  };
  const { backups } = world;
  return {
    ...backups,
    url: backups.url,
    create: (key, bytes) => {
      created.push(key);
      return unlessStuck("create", () => backups.create(key, bytes));
    },
    read: (key) => unlessStuck("read", () => backups.read(key)),
    remove: (key) => backups.remove(key),
    async *list(prefix) {
      await unlessStuck("list", async () => {});
      yield* backups.list(prefix);
    },
  };
};

async function expectGoesOn(cut: AuditReport): Promise<void> {
  expect(cut.failed).toEqual([]);
  expect(cut.clusters[0]).toMatchObject({ complete: false, unsaved: null });
  const saved = await world.state();
  expect(saved.audit).toMatchObject({ complete: false });
  expect(saved.audit?.unread).toContainEqual(expect.objectContaining(UNREAD));
  const before = new Set(Object.keys(saved.copies));
  const next = await world.audit();
  expect(next.clusters[0]).toMatchObject({
    complete: true,
    tally: { certificates: HOSTS.length, copies: HOSTS.length },
  });
  const after = Object.keys((await world.state()).copies);
  expect(after).toHaveLength(HOSTS.length);
  expect(after).toEqual(expect.arrayContaining([...before]));
  expect(world.backups.blobs.size).toBe(HOSTS.length);
}

describe("a store that hangs", () => {
  it.each<[string, (method: string, calls: number) => boolean, number]>([
    ["as it is listed", (method) => method === "list", 0],
    ["as a backup is created", (method, calls) => method === "create" && calls > 9, 1],
    ["as a backup is read back", (method, calls) => method === "read" && calls > 9, 1],
  ])("%s leaves what was seen and backed up", async (_name, hangs, atLeast) => {
    const end = new AbortController();
    const backups = withHang(hangs, () => setTimeout(() => end.abort(), 50));
    const cut = await world.audit({ ports: { backups, signal: end.signal } });
    expect(Object.keys((await world.state()).copies).length).toBeGreaterThanOrEqual(atLeast);
    await expectGoesOn(cut);
  });

  it("creates nothing once the time is over", async () => {
    const end = new AbortController();
    const backups = withHang(
      (method) => method === "read",
      () => end.abort(),
    );
    await world.audit({ ports: { backups, signal: end.signal } });
    const soFar = created.length;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(created).toHaveLength(soFar);
  });
});

describe("AWS that throttles", () => {
  const slowDown: AwsAnswer = { status: 503, body: "<Error><Code>SlowDown</Code></Error>" };
  const throttling: AwsAnswer = {
    status: 400,
    headers: { "content-type": "application/x-amz-json-1.1" },
    body: JSON.stringify({ __type: "ThrottlingException" }),
  };

  it.each([
    ["PutObject", createS3Blobs, "s3://bucket/backups", slowDown],
    ["CreateSecret", createSecretBlobs, "secretsmanager://certkeep/backups", throttling],
  ] as const)(
    "%s ends no later than the audit's own time",
    async (_name, open, url, answer) => {
      const aws = await startFakeAws();
      try {
        const isCreate = ({ method, action }: AwsRequest): boolean =>
          action === "CreateSecret" || method === "PUT";
        let creates = 0;
        aws.fault((request) => (isCreate(request) && (creates += 1) > 4 ? answer : null));
        const signal = AbortSignal.timeout(2_500);
        const began = performance.now();
        const ports = { backups: open(url, aws.world) };
        const cut = await world.audit({ ports: { ...ports, signal } });
        expect(performance.now() - began).toBeLessThan(10_000);
        expect(cut.clusters[0]).toMatchObject({ complete: false, unsaved: null });
        expect(Object.keys((await world.state()).copies).length).toBeGreaterThanOrEqual(1);
        aws.fault(() => null);
        const next = await world.audit({ ports });
        expect(next.clusters[0]).toMatchObject({ complete: true, tally: { copies: HOSTS.length } });
      } finally {
        await aws.stop();
      }
    },
    60_000,
  );

  it("has at most eight secrets created at once", async () => {
    let running = 0;
    let most = 0;
    const aws = await startFakeAws();
    try {
      const store = createSecretBlobs("secretsmanager://certkeep/backups", aws.world);
      aws.fault(({ action }) => {
        if (action === "CreateSecret") most = Math.max(most, (running += 1));
        return null;
      });
      await Promise.all(
        HOSTS.concat(HOSTS.map((host) => `other-${host}`)).map(async (host) => {
          await store.create(`prod/a/${host}/v.json`, Buffer.from("x"));
          running -= 1;
        }),
      );
      expect(most).toBeLessThanOrEqual(8);
      expect(most).toBeGreaterThan(1);
    } finally {
      await aws.stop();
    }
  });
});

/** A restore that fails anywhere is completed by the next, and never leaves anything worse. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isCertkeepError } from "../../lib/error.ts";
import type { Fault } from "../fake-apiserver/faults.ts";
import type { Issued } from "../support/pki.ts";
import type { RestoreReport } from "../../lib/usecases/restore/context.ts";
import { DAY_MS, ingressSecret, startWorld, type World } from "../support/world.ts";
import {
  accountPem,
  dataAt,
  operatorSecret,
  outcomes,
  restore,
  restoreTarget,
  tlsSecret,
} from "../support/restoring.ts";

let world: World;
let pairs: Record<string, Issued>;
const OPERATOR = "operator.tail1a2b3.ts.net";
const [GONE, BROKEN] = ["gone.tail1a2b3.ts.net", "broken.tail1a2b3.ts.net"];
const account = accountPem();

beforeEach(async () => {
  world = await startWorld();
  pairs = Object.fromEntries(
    [OPERATOR, GONE, BROKEN, "short.example.com", "fine.example.com"].map((name) => [
      name,
      world.issue([name]),
    ]),
  );
  world.put(
    operatorSecret(OPERATOR, pairs[OPERATOR] ?? null, account),
    ingressSecret(GONE, pairs[GONE] ?? null),
    ingressSecret(BROKEN, pairs[BROKEN] ?? null),
    tlsSecret("shop", "short", pairs["short.example.com"] as Issued),
    tlsSecret("shop", "fine", pairs["fine.example.com"] as Issued),
  );
  await world.audit();
});
afterEach(() => world.stop());

const shorter = (): Issued =>
  world.issue(["short.example.com"], { notAfter: new Date(world.nowMs + 20 * DAY_MS) });
const newer = (): Issued =>
  world.issue(["fine.example.com"], { notAfter: new Date(world.nowMs + 90 * DAY_MS) });

/**
 * What happened to the cluster after the audit: lost, damaged, replaced by what is shorter, and by
 * what is better.
 */
function disaster(): { readonly short: Issued; readonly fine: Issued } {
  const [short, fine] = [shorter(), newer()];
  world.sandbox.remove("tailscale", "operator");
  world.sandbox.remove("tailscale", GONE);
  world.put(
    ingressSecret(BROKEN, {
      certificatePem: pairs[BROKEN]?.certificatePem ?? "",
      keyPem: pairs[GONE]?.keyPem ?? "",
    }),
    tlsSecret("shop", "short", short),
    tlsSecret("shop", "fine", fine),
  );
  return { short, fine };
}

function expectWhole(fine: Issued): void {
  expect(dataAt(world.sandbox, "tailscale", "operator")).toEqual({
    ...pick(operatorSecret(OPERATOR, pairs[OPERATOR] ?? null, account).data ?? {}, [
      `${OPERATOR}.crt`,
      `${OPERATOR}.key`,
      "acme-account.key.pem",
    ]),
  });
  expect(dataAt(world.sandbox, "tailscale", GONE)).toEqual(
    ingressSecret(GONE, pairs[GONE] ?? null).data,
  );
  expect(dataAt(world.sandbox, "tailscale", BROKEN)).toEqual(
    ingressSecret(BROKEN, pairs[BROKEN] ?? null).data,
  );
  expect(dataAt(world.sandbox, "shop", "short")).toEqual(
    tlsSecret("shop", "short", pairs["short.example.com"] as Issued).data,
  );
  expect(dataAt(world.sandbox, "shop", "fine")).toEqual(tlsSecret("shop", "fine", fine).data);
}

function pick(
  data: Readonly<Record<string, string>>,
  fields: readonly string[],
): Record<string, string> {
  return Object.fromEntries(fields.map((field) => [field, data[field] ?? ""]));
}

async function replacedIsKept(short: Issued): Promise<void> {
  const state = await world.state();
  const replaced = Object.values(state.copies).filter(({ kind }) => kind === "replaced");
  expect(replaced.map(({ secret, sha256 }) => `${secret} ${sha256}`).toSorted()).toEqual(
    [`${BROKEN} ${pairs[BROKEN]?.sha256}`, `short ${short.sha256}`].toSorted(),
  );
  for (const { key } of replaced) expect(world.backups.blobs.has(key)).toBe(true);
}

describe("the API server fails", () => {
  it(
    "at each request, before and after it took effect: run again, all is there, and what is " +
      "better stays",
    async () => {
      const { fine: first } = disaster();
      world.sandbox.forgetRequests();
      await restore(world, { all: true });
      expectWhole(first);
      const requests = world.sandbox.requests.length;
      expect(requests).toBeGreaterThan(10);
      const faults: readonly Fault[] = [
        { kind: "status", status: 500 },
        { kind: "status", status: 503 },
        { kind: "cut", when: "before" },
        { kind: "cut", when: "after" },
        { kind: "truncate" },
      ];
      for (let nth = 0; nth < requests; nth += 1) {
        const fault = faults[nth % faults.length] as Fault;
        for (const kind of nth < 3 ? faults : [fault, faults[(nth + 3) % faults.length] as Fault]) {
          const { fine } = disaster();
          let count = -1;
          // Both attempts of a request fail: it isn't the retry that saves the run.
          const undo = world.sandbox.intercept(() => {
            count += 1;
            return count === nth || count === nth + 1 ? kind : undefined;
          });
          const report = await restore(world, { all: true }).catch((error: unknown) => {
            expect(
              isCertkeepError(error),
              `request ${nth}, ${JSON.stringify(kind)}: ${String(error)}`,
            ).toBe(true);
            return null;
          });
          undo();
          for (const { outcome, message } of report?.items ?? [])
            if (outcome === "failed") expect(message).not.toBeNull();
          expect(dataAt(world.sandbox, "shop", "fine")).toEqual(
            tlsSecret("shop", "fine", fine).data,
          );
          const again = await restore(world, { all: true });
          expect(
            again.items.every(({ outcome }) => outcome === "done" || outcome === "kept"),
            `request ${nth}, ${JSON.stringify(kind)}: ${outcomes(again).join("; ")}`,
          ).toBe(true);
          expectWhole(fine);
        }
      }
    },
    120_000,
  );

  it("slowly: a request that hangs fails by itself, the others are done", async () => {
    disaster();
    world.sandbox.intercept((request) =>
      request.verb === "create" && request.namespace === "tailscale" && request.number >= 0
        ? { kind: "hang" }
        : undefined,
    );
    const report = await restore(world, { all: true });
    const failed = report.items.filter(({ outcome }) => outcome === "failed");
    expect(failed.map(({ item }) => item.to?.name).toSorted()).toEqual(
      [GONE, "operator", "operator"].toSorted(),
    );
    expect(failed[0]?.code).toBe("cluster_timeout");
    expect(
      report.items
        .filter(({ outcome }) => outcome === "done")
        .map(({ item }) => item.to?.name)
        .toSorted(),
    ).toEqual([BROKEN, "short"].toSorted());
  });
});

class Killed extends Error {}

describe("a restore that is killed", () => {
  it(
    "at any call of a store, before or after it took effect: nothing is replaced that isn't " +
      "kept, and the next completes it",
    async () => {
      disaster();
      world.faults.clear();
      await restore(world, { all: true });
      const calls = world.faults.calls.length;
      expect(calls).toBeGreaterThan(12);
      for (let nth = 1; nth <= calls; nth += 1) {
        for (const when of ["before", "after"] as const) {
          const { short, fine } = disaster();
          world.faults.clear();
          world.faults.add({ nth, when, error: () => new Killed() });
          await restore(world, { all: true }).catch((error: unknown) => {
            if (!(error instanceof Killed)) throw error;
          });
          world.faults.clear();
          // What is no longer there as it was is in the store, and the state knows it.
          const state = await world.state();
          const there = dataAt(world.sandbox, "shop", "short")?.["tls.crt"];
          if (there !== tlsSecret("shop", "short", short).data?.["tls.crt"])
            expect(
              Object.values(state.copies).some(
                ({ sha256, key }) => sha256 === short.sha256 && world.backups.blobs.has(key),
              ),
              `call ${nth} ${when}`,
            ).toBe(true);
          // A lease may be left: its time is over then.
          world.nowMs += 31_000;
          await restore(world, { all: true });
          expectWhole(fine);
        }
      }
    },
    120_000,
  );
});

describe("a restore that is killed between two writes to the cluster", () => {
  it(
    "at each, before and after it took effect: nothing is worse, nothing replaced is lost, and " +
      "the next completes it",
    async () => {
      const writes = 4;
      for (let nth = 1; nth <= writes; nth += 1) {
        for (const when of ["before", "after"] as const) {
          const { short, fine } = disaster();
          const { writer } = await restoreTarget(world);
          let count = 0;
          const dead = async (): Promise<never> => Promise.reject(new Killed());
          const guard = async <T>(write: () => Promise<T>): Promise<T> => {
            count += 1;
            if (count > nth) return dead();
            if (count === nth && when === "before") return dead();
            const outcome = await write();
            return count === nth ? dead() : outcome;
          };
          const killing = {
            ...writer,
            createSecret: (...args: Parameters<typeof writer.createSecret>) =>
              guard(() => writer.createSecret(...args)),
            patchSecret: (...args: Parameters<typeof writer.patchSecret>) =>
              guard(() => writer.patchSecret(...args)),
          };
          await expect(
            restore(world, { all: true }, { target: { writer: killing } }),
          ).rejects.toThrow(Killed);
          const state = await world.state();
          const there = dataAt(world.sandbox, "shop", "short")?.["tls.crt"];
          if (there !== tlsSecret("shop", "short", short).data?.["tls.crt"])
            expect(
              Object.values(state.copies).some(
                ({ sha256, key }) => sha256 === short.sha256 && world.backups.blobs.has(key),
              ),
            ).toBe(true);
          expect(dataAt(world.sandbox, "shop", "fine")).toEqual(
            tlsSecret("shop", "fine", fine).data,
          );
          world.nowMs += 31_000;
          await restore(world, { all: true });
          expectWhole(fine);
        }
      }
    },
    60_000,
  );
});

describe("two at once", () => {
  it("wait for each other where they share a store; the second finds everything done", async () => {
    const { fine, short } = disaster();
    const reports = await Promise.all([
      restore(world, { all: true }),
      restore(world, { all: true }),
    ]);
    expectWhole(fine);
    await replacedIsKept(short);
    const done = reports
      .map(({ items }) => items.filter(({ outcome }) => outcome === "done").length)
      .toSorted();
    expect(done).toEqual([0, 5]);
    expect(
      world.sandbox.requests.filter(
        ({ method, status }) => method !== "GET" && status !== null && status < 300,
      ),
    ).toHaveLength(4);
  });

  it("are told apart from one that was killed: its lease ends by itself", async () => {
    disaster();
    world.states.states.set("lease-prod", {
      revision: 1,
      text: JSON.stringify({
        format: 1,
        holder: "dead",
        until: new Date(world.nowMs + 20_000).toISOString(),
      }),
    });
    const skips = { sleep: async (ms: number) => void (world.nowMs += ms) };
    const report = await restore(
      world,
      { all: true },
      {
        restorePorts: {
          timer: {
            sleep: (ms, signal) =>
              ms === 1_000
                ? skips.sleep(ms)
                : new Promise((resolve) =>
                    signal?.addEventListener("abort", () => resolve(undefined)),
                  ),
          },
        },
      },
    );
    expect(report.items.filter(({ outcome }) => outcome === "done")).toHaveLength(5);
  });

  it("one that stays alive is told, and nothing is written", async () => {
    disaster();
    const alive = (): void =>
      void world.states.states.set("lease-prod", {
        revision: (world.states.states.get("lease-prod")?.revision ?? 0) + 1,
        text: JSON.stringify({
          format: 1,
          holder: "alive",
          until: new Date(world.nowMs + 30_000).toISOString(),
        }),
      });
    alive();
    world.sandbox.forgetRequests();
    const timer = {
      sleep: async (ms: number) => {
        world.nowMs += ms;
        alive();
      },
    };
    await expect(restore(world, { all: true }, { restorePorts: { timer } })).rejects.toSatisfy(
      (error) => isCertkeepError(error, "lease_held"),
    );
    expect(world.sandbox.requests.filter(({ method }) => method !== "GET")).toEqual([]);
  });

  it("without a shared store the versions keep them from harm", async () => {
    const { fine } = disaster();
    const { createMemoryStates } = await import("../support/memory.ts");
    const others = createMemoryStates(undefined, new Map(world.states.states));
    const reports = await Promise.all([
      restore(world, { all: true }),
      restore(world, { all: true }, { restorePorts: { states: others } }),
    ]);
    expectWhole(fine);
    for (const { items } of reports)
      expect(items.every(({ outcome }) => outcome === "done" || outcome === "kept")).toBe(true);
  });
});

describe("an owner that writes in between", () => {
  async function racing(write: () => void): Promise<RestoreReport> {
    let raced = false;
    world.sandbox.intercept((request) => {
      if (request.verb === "patch" && request.name === BROKEN && !raced) {
        raced = true;
        write();
      }
      return undefined;
    });
    return restore(world, { names: [BROKEN] });
  }

  it("something good: it is planned again, what is better stays, and that is said", async () => {
    disaster();
    const own = world.issue([BROKEN], { notAfter: new Date(world.nowMs + 89 * DAY_MS) });
    const report = await racing(() => world.put(ingressSecret(BROKEN, own)));
    expect(outcomes(report)).toEqual([`${BROKEN} keep kept live_valid`]);
    expect(report.items[0]?.message).toContain("planned again");
    expect(dataAt(world.sandbox, "tailscale", BROKEN)).toEqual(ingressSecret(BROKEN, own).data);
  });

  it("something broken: it is planned again, and restored", async () => {
    disaster();
    const report = await racing(() => world.put(ingressSecret(BROKEN, null)));
    expect(outcomes(report)).toEqual([`${BROKEN} restore done fields_absent`]);
    expect(report.items[0]?.message).toContain("planned again");
    expect(dataAt(world.sandbox, "tailscale", BROKEN)).toEqual(
      ingressSecret(BROKEN, pairs[BROKEN] ?? null).data,
    );
  });

  it("a deletion: it is made", async () => {
    disaster();
    const report = await racing(() => world.sandbox.remove("tailscale", BROKEN));
    expect(outcomes(report)).toEqual([`${BROKEN} restore done secret_absent`]);
  });
});

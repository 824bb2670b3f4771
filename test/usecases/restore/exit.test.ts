import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { warningText } from "../../../lib/report/phrases/plannotes.ts";
import { restoreExit } from "../../../lib/usecases/restore/context.ts";
import { accountPem, operatorSecret, restore, tlsSecret } from "../../support/restoring.ts";
import { DAY_MS, startWorld, type World } from "../../support/world.ts";

let world: World;
beforeEach(async () => {
  world = await startWorld();
});
afterEach(() => world.stop());

const ALL = { all: true, createNamespace: true } as const;
const HOSTS = Array.from({ length: 20 }, (_, index) => `s${index}`);

/** Twenty certificates that audits saw and backed up, all of them lost since. */
async function loseTwenty(): Promise<void> {
  for (const host of HOSTS)
    world.put(tlsSecret("shop", host, world.issue([`${host}.example.com`])));
  await world.audit();
  for (const host of HOSTS) world.sandbox.remove("shop", host);
  await world.audit();
}

const exitOf = async (request: Parameters<typeof restore>[1], allowLater = false) => {
  const report = await restore(world, request);
  const counts: Record<string, number> = {};
  for (const { outcome } of report.items) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return { exit: restoreExit(report, allowLater), counts };
};

describe("a restore of all", () => {
  it("ends with 0 once everything is there", async () => {
    await loseTwenty();
    expect(await exitOf(ALL)).toEqual({ exit: 0, counts: { done: 20 } });
    expect(await exitOf(ALL)).toEqual({ exit: 0, counts: { kept: 20 } });
  });

  it.each([
    ["have no backup", () => void world.backups.blobs.clear()],
    ["have expired", () => void (world.nowMs += 100 * DAY_MS)],
    [
      "were retired",
      async () => {
        const { changeState } = await import("../../../lib/usecases/states.ts");
        await changeState(world.states, "prod", "prod", "", (state) => ({
          ...state,
          copies: Object.fromEntries(
            Object.entries(state.copies).map(([version, copy]) => [
              version,
              { ...copy, retired: { at: "2026-11-23T12:00:00Z", reason: "leaked" } },
            ]),
          ),
        }));
      },
    ],
  ])("ends with 3 where twenty %s, also with --allow-later", async (_name, spoil) => {
    await loseTwenty();
    await spoil();
    for (const allowLater of [false, true])
      expect(await exitOf(ALL, allowLater)).toEqual({ exit: 3, counts: { refused: 20 } });
  });

  it("ends with 0 where what has no backup stands in the cluster, account keys included", async () => {
    const domain = "operator.tail1a2b3.ts.net";
    world.put(operatorSecret(domain, world.issue([domain]), accountPem()));
    await world.audit();
    world.backups.blobs.clear();
    expect(await exitOf(ALL)).toEqual({ exit: 0, counts: { kept: 2 } });
  });

  it("ends with 3 where no audit is recorded, and with 0 where one saw nothing", async () => {
    expect((await exitOf(ALL)).exit).toBe(3);
    await world.audit();
    expect((await exitOf(ALL)).exit).toBe(0);
    expect((await exitOf({ namespace: "shop" })).exit).toBe(3);
    expect((await exitOf({ all: true, asOfMs: 1 })).exit).toBe(3);
  });

  it.each([
    ["an audit saw nothing", ALL, "nothing_known", /audits saw no certificate in this cluster/],
    ["nothing fits a namespace", { namespace: "shop" }, "nothing_fits", /^nothing matches$/],
    ["nothing was live at the instant", { all: true, asOfMs: 1 }, "nothing_fits", /matches/],
  ])("says that %s", async (_, request, warning, text) => {
    await world.audit();
    const { warnings } = await restore(world, { ...request, mode: "plan" });
    expect(warnings.map((one) => one.warning)).toEqual([warning]);
    expect(warnings.map(warningText)).toEqual([expect.stringMatching(text)]);
  });
});

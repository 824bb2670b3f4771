/**
 * Running twice has the effect of running once, at once or one after the other, whole or killed at
 * any point.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { StateDocument } from "../../lib/state/document.ts";
import { ingressSecret, startWorld, type World } from "../support/world.ts";

let world: World;

beforeEach(async () => {
  world = await startWorld();
  for (const host of ["a", "b", "c"]) {
    const domain = `${host}.tail1a2b3.ts.net`;
    world.put(ingressSecret(domain, world.issue([domain])));
  }
});
afterEach(() => world.stop());

class Killed extends Error {}

/** What must be the same however it came about: instants and digests of seals differ by nature. */
function essence(state: StateDocument): unknown {
  return {
    secrets: Object.entries(state.secrets)
      .map(([key, record]) => [
        key,
        record.resourceVersion,
        Object.values(record.certificates).map(({ sha256, copy, notKept }) => [
          sha256,
          copy?.version,
          notKept,
        ]),
      ])
      .toSorted(),
    lost: Object.keys(state.lost),
    copies: Object.keys(state.copies).toSorted(),
    findings: Object.keys(state.findings).toSorted(),
  };
}

async function copiesAreRecorded(): Promise<void> {
  const state = await world.state();
  for (const record of Object.values(state.secrets)) {
    for (const { copy } of Object.values(record.certificates)) {
      expect(copy).not.toBeNull();
      const recorded = state.copies[copy?.version ?? ""];
      const bytes = world.backups.blobs.get(recorded?.key ?? "");
      const { header } = JSON.parse(new TextDecoder().decode(bytes)) as {
        header: { digest: string };
      };
      expect(header.digest).toBe(recorded?.digest);
    }
  }
}

describe("an audit that is killed", () => {
  it("at any call of a store, before or after it took effect, is completed by the next", async () => {
    await world.audit();
    const calls = world.faults.calls.length;
    const expected = essence(await world.state());
    expect(calls).toBeGreaterThan(6);
    for (let nth = 1; nth <= calls; nth += 1) {
      for (const when of ["before", "after"] as const) {
        world.backups.blobs.clear();
        world.states.states.clear();
        world.faults.clear();
        world.faults.add({ nth, when, error: () => new Killed() });
        // A cluster's own run ends there and then; what stands between clusters ends the whole.
        const failed = await world.audit().then(
          (report) => report.failed,
          (error: unknown) => [error],
        );
        expect(failed, `call ${nth} ${when}`).toHaveLength(1);
        world.faults.clear();
        await world.audit();
        expect(essence(await world.state()), `call ${nth} ${when}`).toEqual(expected);
        expect(world.backups.blobs.size).toBe(3);
        await copiesAreRecorded();
      }
    }
  });

  it("or meets a store that fails at any call, says so, and the next one completes it", async () => {
    await world.audit();
    const calls = world.faults.calls.length;
    const expected = essence(await world.state());
    for (let nth = 1; nth <= calls; nth += 1) {
      for (const when of ["before", "after"] as const) {
        world.backups.blobs.clear();
        world.states.states.clear();
        world.faults.clear();
        world.faults.add({ nth, when });
        const report = await world.audit();
        expect(
          report.failed.length > 0 ||
            report.unreadStates.length > 0 ||
            report.clusters.some(({ complete }) => !complete),
          `call ${nth} ${when}`,
        ).toBe(true);
        world.faults.clear();
        await world.audit();
        expect(essence(await world.state()), `call ${nth} ${when}`).toEqual(expected);
        await copiesAreRecorded();
      }
    }
  });
});

describe("audits at once", () => {
  it("end as one after the other", async () => {
    await world.audit();
    const expected = essence(await world.state());
    world.backups.blobs.clear();
    world.states.states.clear();
    await Promise.all(Array.from({ length: 4 }, () => world.audit()));
    expect(essence(await world.state())).toEqual(expected);
    expect(world.backups.blobs.size).toBe(3);
    await copiesAreRecorded();
  });

  it("lose nothing where the cluster changes between them", async () => {
    const slow = world.audit();
    const domain = "d.tail1a2b3.ts.net";
    world.put(ingressSecret(domain, world.issue([domain])));
    await Promise.all([slow, world.audit()]);
    await world.audit();
    expect(Object.keys((await world.state()).secrets)).toHaveLength(4);
    await copiesAreRecorded();
  });
});

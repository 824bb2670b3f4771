/**
 * The drill as a function: with an identity everything, without one digests and the age of a
 * person's last drill.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { DrillPorts } from "../../lib/usecases/drill.ts";
import { drillAll, type DrillAnswer } from "../../functions/drill.ts";
import { keepTelemetry, type KeptTelemetry } from "../support/telemetry.ts";
import { DAY_MS, ingressSecret, startWorld, type World } from "../support/world.ts";

const DOMAIN = "shop.tail1a2b3.ts.net";

let world: World;
let telemetry: KeptTelemetry;
beforeEach(async () => {
  world = await startWorld();
  telemetry = keepTelemetry();
  world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
  await world.audit();
});
afterEach(() => world.stop());

function run(choice: Partial<DrillPorts> = {}): Promise<DrillAnswer> {
  const { backups, states, kit, clock, progress } = world.ports();
  return drillAll(telemetry, async () => ({
    backups,
    states,
    kit,
    clock,
    progress,
    opener: world.opener,
    recipientsFor: () => [world.recipient],
    remove: true,
    ...choice,
  }));
}
const blind: Partial<DrillPorts> = { opener: null, remove: false };

describe("a drill by the function", () => {
  it("with an identity opens, does the retention, and remembers that it did", async () => {
    expect(await run()).toMatchObject({
      schema: "certkeep.drill/v1",
      identity: "present",
      copies: 1,
      unreadable: 0,
      withoutGood: 0,
      retention: "done",
      lastWhole: null,
      failed: false,
    });
    world.nowMs += 2 * DAY_MS;
    expect((await run()).lastWhole).toMatchObject({ daysAgo: 2, unreadable: 0 });
    expect(telemetry.numbers).toEqual({ DrillFailed: 0 });
  });

  it(
    "without one compares digests, removes nothing, and says how long ago a person opened the " +
      "copies",
    async () => {
      expect(await run(blind)).toMatchObject({
        identity: "absent",
        copies: 1,
        withoutGood: null,
        retention: "needs_identity",
        lastWhole: null,
        failed: false,
      });
      expect(telemetry.lines.find(({ level }) => level === "warn")?.step).toContain(
        "Nobody has opened the copies yet",
      );
      await run();
      world.nowMs += 400 * DAY_MS;
      expect((await run(blind)).lastWhole).toMatchObject({ daysAgo: 400 });
      expect(telemetry.lines.filter(({ level }) => level === "warn").at(-1)?.step).toContain(
        "for 90 days",
      );
      expect(world.backups.blobs.size).toBe(1);
      const [key] = [...world.backups.blobs.keys()];
      world.nowMs -= 400 * DAY_MS;
      world.backups.blobs.set(
        key ?? "",
        Buffer.from(
          new TextDecoder()
            .decode(world.backups.blobs.get(key ?? ""))
            .replace(/[A-Za-z0-9+/]{20}\\n/, "AAAAAAAAAAAAAAAAAAAA\\n"),
        ),
      );
      expect(await run(blind)).toMatchObject({ unreadable: 1, failed: true });
    },
  );

  it("without one prunes by what audits recorded: a tenth, and never the newest two", async () => {
    for (let nth = 1; nth < 12; nth += 1) {
      world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
      world.nowMs += 60_000;
      await world.audit();
    }
    expect(world.backups.blobs.size).toBe(12);
    const extents: unknown[] = [];
    const remove: DrillPorts["backups"]["remove"] = (key, extent) => {
      extents.push(extent);
      return world.backups.remove(key, extent);
    };
    const pruning: Partial<DrillPorts> = {
      opener: null,
      prunesUnopened: true,
      backups: { ...world.backups, remove },
    };
    expect(await run(pruning)).toMatchObject({ removed: 0, retention: "done", failed: false });
    world.nowMs += 3 * 365 * DAY_MS;
    for (let left = 11; left >= 9; left -= 1) {
      expect(await run(pruning)).toMatchObject({ identity: "absent", removed: 1, failed: false });
      expect(world.backups.blobs.size).toBe(left);
      expect(
        Object.values((await world.state()).copies)
          .map(({ key }) => key)
          .toSorted(),
      ).toEqual([...world.backups.blobs.keys()].toSorted());
    }
    expect(extents).toEqual(["current", "current", "current"]);
    // Fewer than ten are left: what there is stays.
    expect(await run(pruning)).toMatchObject({ removed: 0 });
  });

  it(
    "stops where its time is over, removes nothing it had no time for, and is a failed one, not " +
      "a whole one",
    async () => {
      world.put(
        ingressSecret("b.tail1a2b3.ts.net", world.issue(["b.tail1a2b3.ts.net"])),
        ingressSecret("c.tail1a2b3.ts.net", world.issue(["c.tail1a2b3.ts.net"])),
      );
      await world.audit();
      world.nowMs += 400 * DAY_MS;
      const time = new AbortController();
      const read: DrillPorts["backups"]["read"] = (key) => {
        time.abort();
        return world.backups.read(key);
      };
      // Sealed for nobody who is configured now, so that nothing but the time keeps them.
      const others: Partial<DrillPorts> = { recipientsFor: () => ["age1other"] };
      const answer = await run({
        ...others,
        backups: { ...world.backups, read },
        signal: time.signal,
      });
      expect(answer).toMatchObject({
        interrupted: true,
        failed: true,
        removed: 0,
        withoutGood: null,
        problems: [{ code: "deadline" }],
      });
      expect(answer.problems[0]?.message).toContain("1 of 3 backups tested");
      expect(telemetry.numbers).toEqual({ DrillFailed: 1 });
      expect(await run(others)).toMatchObject({
        interrupted: false,
        failed: false,
        removed: 3,
        lastWhole: null,
      });
    },
  );

  it(
    "is a failed one where a copy is gone or damaged, where something isn't done, and where it " +
      "can't begin",
    async () => {
      world.backups.blobs.clear();
      expect(await run()).toMatchObject({ unreadable: 1, failed: true });
      expect(telemetry.numbers.DrillFailed).toBe(1);
      expect(telemetry.lines.find(({ level }) => level === "error")?.fields).toMatchObject({
        cluster: "prod",
        code: "no_copy",
      });
      world.states.states.set("cluster-torn", { revision: 1, text: "{" });
      expect((await run()).problems).toMatchObject([{ code: "state_damaged" }]);
      world.faults.add({ call: "list", when: "before" });
      await expect(run()).rejects.toThrow("on purpose");
      expect(telemetry.numbers.DrillFailed).toBe(3);
      await expect(
        drillAll(telemetry, () => Promise.reject(new Error("no configuration"))),
      ).rejects.toThrow("no configuration");
      expect(telemetry.numbers.DrillFailed).toBe(4);
    },
  );
});

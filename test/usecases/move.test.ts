/**
 * Moving copies into another store: all of them as they are, resumable, and none removed before it
 * has arrived.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { BlobStore } from "../../lib/ports/stores.ts";
import { moveCopies, type MovedCopy, type MovePorts } from "../../lib/usecases/move.ts";
import { retireCopy } from "../../lib/usecases/drill/retire.ts";
import { stateName } from "../../lib/usecases/states.ts";
import { createMemoryBlobs, Faults, type MemoryBlobs } from "../support/memory.ts";
import { ingressSecret, startWorld, type World } from "../support/world.ts";

const HOSTS = ["a", "b", "c"].map((host) => `${host}.tail1a2b3.ts.net`);

let world: World;
let faults: Faults;
let blobs: MemoryBlobs;
let to: BlobStore;

beforeEach(async () => {
  world = await startWorld();
  world.put(...HOSTS.map((host) => ingressSecret(host, world.issue([host]))));
  await world.audit();
  faults = new Faults();
  blobs = createMemoryBlobs(faults);
  to = { ...blobs, url: "memory:new" };
});
afterEach(() => world.stop());

function move(
  removeOld = false,
  patterns: readonly string[] = [],
  ports: Partial<MovePorts> = {},
): Promise<readonly MovedCopy[]> {
  const { backups, states, progress } = world.ports();
  return moveCopies({ from: backups, to, states, progress, ...ports }, patterns, removeOld);
}

const outcomes = (copies: readonly MovedCopy[]): string[] =>
  copies.map(({ outcome, old }) => `${outcome} ${old}`).toSorted();
const versionOf = (key: string): string =>
  key
    .split("/")
    .at(-1)
    ?.replace(/\.json$/, "") ?? "";

describe("moving copies into another store", () => {
  it("brings them over as they are, and an audit of the new store finds everything kept", async () => {
    const before = new Map(world.backups.blobs);
    expect(outcomes(await move())).toEqual(["moved left", "moved left", "moved left"]);
    expect(blobs.blobs).toEqual(before);
    expect(world.backups.blobs).toEqual(before);
    world.backups.blobs.clear();
    for (const [key, bytes] of blobs.blobs) world.backups.blobs.set(key, bytes);
    expect((await world.audit()).clusters[0]).toMatchObject({
      complete: true,
      copies: { made: 0 },
      stats: { valuesRead: 0 },
    });
  });

  it("removes from the old store what has arrived, when told to, and is done when done again", async () => {
    await move();
    expect(outcomes(await move(true))).toEqual([
      "current removed",
      "current removed",
      "current removed",
    ]);
    expect(world.backups.blobs.size).toBe(0);
    expect(blobs.blobs.size).toBe(3);
    expect(await move(true)).toEqual([]);
  });

  it.each(["create", "read"] as const)(
    "removes nothing that has not arrived when %s fails, and goes on the next time",
    async (call) => {
      for (const when of ["before", "after"] as const) {
        faults.clear();
        faults.add({ call, nth: 2, when });
        const copies = await move(true);
        faults.clear();
        expect(copies.filter(({ outcome }) => outcome === "failed").length).toBe(1);
        expect(new Set([...world.backups.blobs.keys(), ...blobs.blobs.keys()]).size).toBe(3);
        for (const { key, outcome } of copies)
          if (outcome === "failed") expect(world.backups.blobs.has(key)).toBe(true);
        for (const [key, bytes] of world.backups.blobs)
          expect(blobs.blobs.get(key) ?? bytes).toEqual(bytes);
        await move();
        expect(blobs.blobs.size).toBe(3);
        // Back again, for the other moment of failing.
        for (const [key, bytes] of blobs.blobs) world.backups.blobs.set(key, bytes);
        blobs.blobs.clear();
      }
    },
  );

  it(
    "leaves what is damaged, what isn't the recorded copy, and what something else stands in " +
      "the way of",
    async () => {
      const [damaged = "", forged = "", blocked = ""] = [...world.backups.blobs.keys()].toSorted();
      world.backups.blobs.set(damaged, new TextEncoder().encode("{"));
      const digest = (await world.state()).copies[versionOf(forged)]?.digest ?? "";
      expect(digest).not.toBe("");
      const { states } = world.ports();
      const cluster = forged.split("/")[0] ?? "";
      const stored = await states.read(stateName(cluster));
      await states.write(
        stateName(cluster),
        stored?.text.replaceAll(digest, "0".repeat(64)) ?? "",
        stored?.revision ?? null,
      );
      blobs.blobs.set(blocked, new TextEncoder().encode("another"));
      const copies = await move(true);
      expect(outcomes(copies)).toEqual(["failed left", "failed left", "failed left"]);
      expect(copies.find(({ key }) => key === forged)?.message).toContain(
        "isn't the copy that an audit recorded",
      );
      expect(copies.find(({ key }) => key === blocked)?.message).toContain(
        "something else lies under its key in memory:new",
      );
      expect(world.backups.blobs.size).toBe(3);
      expect(blobs.blobs.get(blocked)).toEqual(new TextEncoder().encode("another"));
    },
  );

  it("takes what an audit has sealed again for the new store meanwhile as arrived", async () => {
    const before = new Map(world.backups.blobs);
    world.backups.blobs.clear();
    await world.audit();
    for (const [key, bytes] of world.backups.blobs) blobs.blobs.set(key, bytes);
    world.backups.blobs.clear();
    for (const [key, bytes] of before) world.backups.blobs.set(key, bytes);
    for (const [key, bytes] of before) expect(blobs.blobs.get(key)).not.toEqual(bytes);
    expect(outcomes(await move(true))).toEqual([
      "current removed",
      "current removed",
      "current removed",
    ]);
    expect(blobs.blobs.size).toBe(3);
  });

  it(
    "leaves retired copies behind, takes those that no audit recorded, and only those that a " +
      "pattern names",
    async () => {
      const [retired = "", ...others] = [...world.backups.blobs.keys()].toSorted();
      const { backups, states, clock } = world.ports();
      await retireCopy(versionOf(retired), "leaked", false, { backups, states, clock });
      const copies = await move();
      expect(copies.find(({ key }) => key === retired)?.outcome).toBe("retired");
      expect([...blobs.blobs.keys()].toSorted()).toEqual(others);
      blobs.blobs.clear();
      expect(outcomes(await move(false, [versionOf(others[0] ?? "")]))).toEqual(["moved left"]);
    },
  );

  it("refuses to move a store into itself", async () => {
    await expect(move(false, [], { to: world.ports().backups })).rejects.toMatchObject({
      code: "usage",
    });
  });
});

/** Sealing copies again: every one, resumable, verified, and nothing lost on the way. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { generateIdentity, createOpener } from "../../lib/adapters/age/identity.ts";
import { createSealer } from "../../lib/adapters/age/sealer.ts";
import { parseDocument } from "../../lib/backup/document.ts";
import type { Opener } from "../../lib/ports/stores.ts";
import { runRekey, type RekeyPorts, type RekeyReport } from "../../lib/usecases/rekey.ts";
import { ingressSecret, startWorld, type World } from "../support/world.ts";

const HOSTS = ["a", "b", "c"].map((host) => `${host}.tail1a2b3.ts.net`);

let world: World;
let added: { recipient: string; secret: string; opener: Opener };

beforeEach(async () => {
  world = await startWorld();
  const { secret, recipient } = await generateIdentity();
  added = { secret, recipient, opener: await createOpener([{ where: "test", content: secret }]) };
  world.put(...HOSTS.map((host) => ingressSecret(host, world.issue([host]))));
  await world.audit();
});
afterEach(() => world.stop());

function rekey(
  recipients: readonly string[],
  purgeOld = false,
  ports: Partial<RekeyPorts> = {},
): Promise<RekeyReport> {
  const { backups, states, kit, clock, progress } = world.ports();
  return runRekey(
    {
      backups,
      states,
      kit,
      clock,
      progress,
      opener: world.opener,
      sealer: createSealer(),
      recipientsFor: () => recipients,
      ...ports,
    },
    [],
    purgeOld,
  );
}

const recipientsIn = (): string[][] =>
  [...world.backups.blobs.values()].map((bytes) => {
    const parsed = parseDocument(new TextDecoder().decode(bytes));
    return parsed.ok ? [...parsed.document.header.recipients] : [];
  });
const outcomes = (report: RekeyReport): string[] =>
  report.copies.map(({ outcome, old }) => `${outcome} ${old}`).toSorted();

describe("rekey", () => {
  it("leaves what is sealed for the right recipients", async () => {
    const before = new Map(world.backups.blobs);
    expect(outcomes(await rekey([world.recipient]))).toEqual([
      "current left",
      "current left",
      "current left",
    ]);
    expect(world.backups.blobs).toEqual(before);
  });

  it(
    "makes new versions that a new recipient opens, records them, and an audit takes them as " +
      "its own",
    async () => {
      const both = [world.recipient, added.recipient].toSorted();
      expect(outcomes(await rekey(both))).toEqual(["sealed left", "sealed left", "sealed left"]);
      expect(recipientsIn().filter((recipients) => recipients.length === 2).length).toBe(3);
      expect(world.backups.blobs.size).toBe(6);
      const state = await world.state();
      for (const record of Object.values(state.secrets))
        for (const { copy } of Object.values(record.certificates))
          expect(state.copies[copy?.version ?? ""]?.digest).toBe(copy?.digest);
      // The next audit, with the new recipients, makes no copy and reads no value.
      const report = await world.audit({ settings: { recipients: both } });
      expect(report.clusters[0]).toMatchObject({
        complete: true,
        copies: { made: 0 },
        stats: { valuesRead: 0 },
      });
      // Done again it is done already.
      expect(outcomes(await rekey(both)).filter((one) => one === "current left").length).toBe(3);
      expect(world.backups.blobs.size).toBe(6);
    },
  );

  it(
    "removes what the old recipient could open only when told, and only once the new version " +
      "was opened",
    async () => {
      const opener = await createOpener([{ where: "both", content: added.secret }]);
      const only = [added.recipient];
      // The leaked identity opens the old, and none of this run the new: nothing may go.
      const blind = await rekey(only, true);
      expect(outcomes(blind)).toEqual(["sealed kept", "sealed kept", "sealed kept"]);
      expect(world.backups.blobs.size).toBe(6);
      const union: Opener = {
        recipients: [...world.opener.recipients, ...opener.recipients],
        open: (sealed) => world.opener.open(sealed).catch(() => opener.open(sealed)),
      };
      const report = await rekey(only, true, { opener: union });
      expect(report.copies.filter(({ old }) => old === "removed").length).toBe(3);
      expect(recipientsIn()).toEqual([only, only, only]);
      expect(Object.values((await world.state()).copies).length).toBe(3);
      expect((await world.audit({ settings: { recipients: only } })).clusters[0]).toMatchObject({
        complete: true,
        copies: { made: 0 },
      });
    },
  );

  it("tells an old version that a lock keeps, which lies under its key no more", async () => {
    const opener = await createOpener([{ where: "both", content: added.secret }]);
    const union: Opener = {
      recipients: [...world.opener.recipients, ...opener.recipients],
      open: (sealed) => world.opener.open(sealed).catch(() => opener.open(sealed)),
    };
    const { backups } = world.ports();
    const locked = {
      ...backups,
      remove: async (key: string) =>
        (await backups.remove(key)) ?? "one version of the object is kept by an object lock",
    };
    const report = await rekey([added.recipient], true, { opener: union, backups: locked });
    expect(report.copies.map(({ old, message }) => [old, message])).toEqual(
      HOSTS.map(() => ["hidden", "one version of the object is kept by an object lock"]),
    );
    // No drill takes it for lost.
    expect(
      Object.values((await world.state()).copies).map(({ key }) => world.backups.blobs.has(key)),
    ).toEqual(HOSTS.map(() => true));
  });

  it.each(["create", "read", "write", "list"] as const)(
    "goes on where it ended when %s fails, and loses nothing",
    async (call) => {
      const both = [world.recipient, added.recipient].toSorted();
      for (const when of ["before", "after"] as const) {
        world.faults.add({ call, nth: 2, when });
        await rekey(both, true).catch(() => null);
        world.faults.clear();
        // Whatever was left, each certificate has a copy that opens.
        for (const host of HOSTS)
          expect([...world.backups.blobs.keys()].some((key) => key.includes(`/${host}/`))).toBe(
            true,
          );
      }
      const report = await rekey(both);
      expect(report.problems).toEqual([]);
      expect(report.copies.filter(({ outcome }) => outcome === "failed")).toEqual([]);
      expect(recipientsIn().filter((recipients) => recipients.length === 2).length).toBe(3);
    },
  );

  it(
    "leaves a copy that no audit recorded alone: sealing it again would make it look as if one " +
      "had",
    async () => {
      const { backups } = world;
      const [key = "", bytes] = [...backups.blobs][0] ?? [];
      const forged = key.replace(/[0-9a-f]{64}/, "0".repeat(64));
      backups.blobs.set(forged, bytes ?? new Uint8Array());
      const report = await rekey([world.recipient, added.recipient]);
      expect(report.copies.find((copy) => copy.key === forged)).toMatchObject({
        outcome: "unrecorded",
        replacedBy: null,
      });
    },
  );

  it("tells a copy that it can't open, and does the others", async () => {
    const report = await rekey([added.recipient], false, { opener: added.opener });
    expect(outcomes(report)).toEqual(["failed left", "failed left", "failed left"]);
    expect(report.copies[0]?.message).toContain("copy_sealed_for_others");
  });

  it("refuses to seal for nobody", async () => {
    const report = await rekey([]);
    expect(report.problems.map(({ code }) => code)).toEqual(["usage"]);
    expect(world.backups.blobs.size).toBe(3);
  });
});

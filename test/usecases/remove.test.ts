/**
 * Removing clusters, also those that no registration brought: they leave reports, and their backups
 * stay.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CertkeepError } from "../../lib/error.ts";
import type { Registrar } from "../../lib/ports/cluster.ts";
import type { Registrations } from "../../lib/ports/registry.ts";
import { emptyState, formatState } from "../../lib/state/document.ts";
import { identityKey, type ClusterIdentity } from "../../lib/state/identity.ts";
import { auditAll } from "../../lib/usecases/audit.ts";
import {
  runRemove,
  type RemovePorts,
  type RemoveResult,
} from "../../lib/usecases/register/remove.ts";
import { reportAll } from "../../lib/usecases/report.ts";
import { stateName } from "../../lib/usecases/states.ts";
import { restore } from "../support/restoring.ts";
import { ingressSecret, startWorld, type World } from "../support/world.ts";

const DOMAIN = "shop.tail1a2b3.ts.net";
const WRONG = "https://203.0.113.7:6443";

let world: World;
let registered: string[];
beforeEach(async () => {
  world = await startWorld();
  registered = [];
  world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
});
afterEach(() => world.stop());

const registrations = {
  place: "clusters",
  read: async (name: string) => (registered.includes(name) ? { revision: "1", text: "" } : null),
  remove: async (name: string) => void (registered = registered.filter((one) => one !== name)),
} as unknown as Registrations;

function remove(name: string, admin: RemovePorts["admin"] = null): Promise<RemoveResult> {
  const { states, clock } = world.ports();
  return runRemove(name, { registrations, states, clock, admin, configured: null });
}
/** Clusters of a report, then those that it names as left out. */
async function shown(): Promise<readonly string[][]> {
  const { states, clock, kit } = world.ports();
  const { summaries, unregistered } = await reportAll(
    { states, clock, issuance: { kit } },
    { registered, ignore: [] },
  );
  return [summaries.map(({ cluster }) => cluster), [...unregistered]];
}
/** An audit of a context whose server can't be reached. */
async function auditWrong(name: string | null, title = "lab"): Promise<void> {
  const target = await world.target({ name });
  const identity = async (): Promise<never> => {
    throw new CertkeepError("cluster_unreachable", { where: title, found: "no answer" });
  };
  const reader = { ...target.reader, identity };
  await auditAll([{ ...target, title, server: WRONG, reader }], world.ports(), []);
}
const leftKey = identityKey({ uid: null, caSha256: null }, WRONG);
/** As earlier versions left it. */
async function leave(key: string, title: string): Promise<void> {
  await world.states.write(stateName(key), formatState(emptyState(key, title, WRONG)), null);
}

describe("an audit of a context that never led to a cluster", () => {
  it("leaves nothing behind", async () => {
    await auditWrong(null);
    expect(await world.states.names()).toEqual([]);
  });

  it("of a name that the configuration gives is remembered, since somebody waits for it", async () => {
    await auditWrong("lab");
    expect(await shown()).toEqual([["lab"], []]);
  });
});

describe("a cluster that an audit left behind", () => {
  it.each([
    ["by its key", leftKey],
    ["by its context", "kubernetes-admin@lab"],
  ])("is removed %s, and failing again doesn't bring it back", async (_, name) => {
    await leave(leftKey, "kubernetes-admin@lab");
    expect(await shown()).toEqual([[leftKey], []]);
    expect(await remove(name)).toEqual({
      name: leftKey,
      registered: false,
      revoked: [],
      copies: 0,
    });
    expect(await shown()).toEqual([[], []]);
    await auditWrong(null, "kubernetes-admin@lab");
    expect(await shown()).toEqual([[], []]);
  });

  it("is removed by the name that certkeep.yaml gave it", async () => {
    await auditWrong("lab");
    registered = ["prod"];
    await remove("lab");
    expect(await shown()).toEqual([["prod"], []]);
  });

  it("is named by its key where two are called the same, and another's damage is no obstacle", async () => {
    const other = identityKey({ uid: null, caSha256: null }, "https://203.0.113.8:6443");
    await leave(leftKey, "lab");
    await leave(other, "lab");
    await world.states.write(stateName("damaged"), "{", null);
    await expect(remove("lab")).rejects.toThrow(`one of: ${[leftKey, other].join(", ")}`);
    await remove(other);
    await remove("lab");
    expect((await shown())[0]).toEqual(["damaged"]);
  });

  it("is refused under a name that nothing has, with what was probably meant", async () => {
    await leave(leftKey, "kind-lab");
    await expect(remove("kind-lap")).rejects.toThrow("Did you mean kind-lab?");
  });
});

describe("a cluster that was audited", () => {
  it(
    "leaves reports when it is removed, keeps its backups for another, and comes back with an " +
      "audit",
    async () => {
      await world.audit({ name: null });
      const [[key = ""] = []] = await shown();
      expect(await remove(key)).toMatchObject({ registered: false, copies: 1 });
      expect(await shown()).toEqual([[], []]);
      const { items } = await restore(world, { all: true, fromCluster: key, mode: "plan" });
      expect(items).toHaveLength(1);
      await world.audit({ name: null });
      expect(await shown()).toEqual([[key], []]);
    },
  );

  it(
    "isn't named as left out once its registration was removed, and is back when it is " +
      "registered",
    async () => {
      registered = ["prod", "other"];
      await world.audit();
      await world.audit({ name: "other" });
      expect(await remove("prod")).toMatchObject({ registered: true, copies: 1 });
      expect(await shown()).toEqual([["other"], []]);
      registered = ["prod", "other"];
      expect((await shown())[0]).toEqual(["other", "prod"]);
    },
  );

  it("is revoked only where the context leads to it, by uid and CA", async () => {
    registered = ["prod"];
    await world.audit();
    const reader = await world.reader();
    const seen = await reader.identity();
    const removed: string[] = [];
    const registrar = {
      find: async () => [{ kind: "Role", name: "certkeep-prod-read", namespace: "shop" }],
      remove: async ({ name }: { name: string }) => void removed.push(name),
    } as unknown as Registrar;
    const by = (identity: ClusterIdentity): RemovePorts["admin"] => ({
      registrar,
      reader: { ...reader, identity: async () => identity },
      server: world.sandbox.url,
    });
    for (const other of [
      { ...seen, caSha256: "b".repeat(64), alsoProvenBy: [] },
      { ...seen, uid: null },
    ])
      await expect(remove("prod", by(other))).rejects.toThrow("leads to another cluster");
    expect([registered, removed]).toEqual([["prod"], []]);
    expect(await remove("prod", by(seen))).toMatchObject({ registered: true });
    expect([registered, removed]).toEqual([[], ["certkeep-prod-read"]]);
    await reader.close();
  });
});

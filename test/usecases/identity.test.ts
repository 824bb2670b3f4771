/**
 * Servers that claim to be another cluster, over real TLS: they get nothing written, nothing shown
 * and no key.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { codesOf } from "../../lib/restoreplan/item.ts";
import { inClusterConnection } from "../../lib/adapters/kubernetes/credential.ts";
import { createClusterReader } from "../../lib/adapters/kubernetes/reader.ts";
import { serviceAccount, startSandbox, type Sandbox } from "../fake-apiserver/api.ts";
import { auditAll, isIncomplete, type AuditReport } from "../../lib/usecases/audit.ts";
import { auditDocument } from "../../lib/usecases/audit/document.ts";
import { loadState, stateName } from "../../lib/usecases/states.ts";
import { formatState, type StateDocument } from "../../lib/state/document.ts";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dataAt, restore, restoreTarget, type RestoreChoice } from "../support/restoring.ts";
import { ingressSecret, startWorld, type World } from "../support/world.ts";

const DOMAIN = "shop.tail1a2b3.ts.net";
const LOST = "lost.tail1a2b3.ts.net";
/** Of the same cluster as the namespace kube-system tells, with a CA of its own. */
let liar: Sandbox;
let world: World;
let uid: string;

const BLIND = serviceAccount("certkeep", "blind", [
  { verbs: ["get", "list", "create", "patch"], resources: ["secrets"] },
]);

beforeEach(async () => {
  world = await startWorld();
  uid = world.sandbox.get(null, "kube-system", "Namespace")?.metadata.uid ?? "";
  liar = await startSandbox({ namespaces: ["default", "tailscale", "shop"] });
  liar.put([{ kind: "Namespace", metadata: { name: "kube-system", uid } }]);
  for (const sandbox of [world.sandbox, liar]) sandbox.setToken("blind", BLIND);
  world.put(
    ingressSecret(DOMAIN, world.issue([DOMAIN])),
    ingressSecret(LOST, world.issue([LOST])),
    // What it belongs to stands, so that its Secret is lost and not removed.
    {
      apiVersion: "networking.k8s.io/v1",
      kind: "Ingress",
      metadata: { name: "lost", namespace: "shop" },
    },
  );
});
afterEach(async () => {
  await world.stop();
  await liar.stop();
});

async function audit(choice: RestoreChoice = {}): Promise<AuditReport> {
  return auditAll([await restoreTarget(world, choice)], world.ports(), []);
}
/** An audit, a loss, and another audit. */
async function recorded(name: string | null): Promise<void> {
  await audit({ name });
  world.sandbox.remove("tailscale", LOST);
  world.nowMs += 3_600_000;
  const report = await audit({ name });
  expect(codes(report)).toEqual(["secret_lost"]);
}
const codes = (report: AuditReport): string[] =>
  report.clusters.flatMap(({ findings }) => findings.map(({ code }) => code)).toSorted();
const stored = (): string =>
  JSON.stringify([...world.states.states].filter(([name]) => !name.startsWith("lease-")));
const keyOf = (name: string | null): string => name ?? `uid-${uid}`;
async function stateOf(name: string | null): Promise<StateDocument> {
  const loaded = await loadState(world.states, keyOf(name));
  if (loaded === null) throw new Error("no state");
  return loaded.state;
}
/** What an audit of an impostor says, all of it. */
const shown = (report: AuditReport): string =>
  JSON.stringify([
    auditDocument(report, world.nowMs),
    report.failed.map(({ error }) => error.message),
  ]);

const NAMES = [
  ["with a name", "prod"],
  ["of a context without a name", null],
] as const;

const IMPOSTORS: readonly (readonly [string, () => RestoreChoice, RegExp])[] = [
  ["has its uid under another CA", () => ({ sandbox: liar }), /under another CA/],
  [
    "has its uid under another CA, in a bundle that holds its CA as well",
    () => ({ sandbox: liar, reached: { caPem: `${world.sandbox.caPem}${liar.caPem}` } }),
    /under another CA/,
  ],
  [
    "answers 403 for kube-system",
    () => ({ token: "blind" }),
    /the uid of kube-system can't be read/,
  ],
];

describe.each(NAMES)("a cluster %s: a server that", (_, name) => {
  describe.each(IMPOSTORS)("%s", (_title, impostor, words) => {
    beforeEach(() => recorded(name));

    it("gets nothing written for it, and nothing shown", async () => {
      const before = stored();
      const state = await stateOf(name);
      const report = await audit({ name, ...impostor() });
      expect(isIncomplete(report)).toBe(true);
      expect(shown(report)).toMatch(words);
      expect(shown(report)).not.toMatch(/secret_lost|tail1a2b3/);
      if (name === null) expect(stored()).toBe(before);
      // Of a name it is remembered that another cluster answers there, and nothing else.
      else expect({ ...(await stateOf(name)), replacedBy: null }).toEqual(state);
      expect(codes(report)).toEqual(name === null ? [] : ["cluster_replaced"]);
    });

    it("gets no key", async () => {
      const there = impostor().sandbox ?? world.sandbox;
      const before = stored();
      for (const mode of ["plan", "rehearse", "apply"] as const)
        await expect(restore(world, { all: true, mode }, { name, ...impostor() })).rejects.toThrow(
          words,
        );
      await expect(
        restore(world, { names: [LOST], version: null, unrecorded: true }, { name, ...impostor() }),
      ).rejects.toThrow(words);
      expect(dataAt(there, "tailscale", LOST)).toBeNull();
      expect(stored()).toBe(before);
    });

    it("gets no restore offered by an audit", async () => {
      const report = await audit({ name, ...impostor() });
      expect(shown(report)).not.toMatch(/--apply|certkeep restore/);
      const isUid = words.source.includes("uid of");
      const way =
        name === null
          ? isUid
            ? "Grant this credential get on the namespace kube-system"
            : "certkeep clusters add NAME --context prod"
          : isUid
            ? "certkeep doctor prod"
            : "certkeep clusters add prod";
      expect(shown(report)).toContain(way);
    });

    it("is the cluster once a person says so, as a restore offers", async () => {
      const choice = { name, ...impostor() };
      const offered = `certkeep restore prod --rebuilt --all --apply`;
      await expect(restore(world, { all: true }, choice)).rejects.toThrow(offered);
      const done = await restore(world, { all: true, rebuilt: true }, choice);
      expect(done.pinned).toBe(true);
      expect(dataAt(impostor().sandbox ?? world.sandbox, "tailscale", LOST)).not.toBeNull();
      const { identity, copies } = await stateOf(name);
      expect(identity).toMatchObject({ key: `uid-${uid}`, pin: { by: "person" } });
      expect(Object.keys(copies).length).toBeGreaterThan(1);
      world.nowMs += 60_000;
      expect(isIncomplete(await audit(choice))).toBe(false);
      const again = await restore(world, { all: true }, choice);
      expect(new Set(again.items.map(({ outcome }) => outcome))).toEqual(new Set(["kept"]));
    });
  });

  it("answers 403 for kube-system and has another CA is another cluster", async () => {
    await recorded(name);
    const before = stored();
    const choice = { name, sandbox: liar, token: "blind" };
    const report = await audit(choice);
    expect(shown(report)).not.toMatch(/secret_lost|tail1a2b3/);
    if (name === null) {
      // It has a state of its own, in which nothing of the other's is.
      expect(report.clusters.map(({ cluster }) => cluster)).not.toContain(keyOf(name));
      expect(JSON.parse(stored())).toEqual(expect.arrayContaining(JSON.parse(before) as unknown[]));
      expect((await restore(world, { all: true }, choice)).items).toEqual([]);
    } else {
      expect(codes(report)).toEqual(["cluster_replaced"]);
      await expect(restore(world, { all: true }, choice)).rejects.toThrow(
        /another cluster answers.* Correct the context or the registration, or, if it was rebuilt: certkeep/,
      );
    }
    expect(dataAt(liar, "tailscale", LOST)).toBeNull();
  });

  it("of a person who may read less than its audits changes nothing that is recorded", async () => {
    world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
    await audit({ name: "prod" });
    const before = [...world.states.states];
    world.sandbox.setToken("viewer", {
      user: "jane",
      rules: [{ verbs: ["get", "list"], apiGroups: [""], resources: ["namespaces", "pods"] }],
    });
    const report = await audit({ name: null, token: "viewer" });
    expect([isIncomplete(report), report.clusters.map(({ cluster }) => cluster)]).toEqual([
      true,
      ["prod"],
    ]);
    expect([...world.states.states]).toEqual(before);
    expect(isIncomplete(await audit({ name: null }))).toBe(false);
    expect([...world.states.states]).not.toEqual(before);
    expect((await world.state()).server).toBe(JSON.parse(before[0]?.[1].text ?? "{}").server);
  });

  it("was never reached leaves the recorded address alone", async () => {
    await recorded(name);
    const target = await restoreTarget(world, { name });
    const elsewhere = { ...target, server: "https://203.0.113.7:6443" };
    await auditAll([{ ...elsewhere, reader: await world.reader("revoked") }], world.ports(), []);
    expect((await stateOf(name)).server).toBe(world.sandbox.url);
  });
});

describe("one cluster", () => {
  it.each(NAMES)(
    "%s is the same by another kubeconfig, a bundle of two, another address, and from inside",
    async (_, name) => {
      await audit({ name });
      const other = liar.caPem;
      for (const reached of [
        { token: world.sandbox.adminToken, context: "another" },
        { caPem: `${other}${world.sandbox.caPem}` },
        { caPem: `${world.sandbox.caPem}${other}` },
        { server: world.sandbox.url.replace("127.0.0.1", "localhost") },
      ])
        expect([isIncomplete(await audit({ name, reached })), world.states.states.size]).toEqual([
          false,
          1,
        ]);
      const folder = await mkdtemp(join(tmpdir(), "certkeep-inside-"));
      try {
        await writeFile(join(folder, "token"), world.sandbox.adminToken);
        await writeFile(join(folder, "ca.crt"), world.sandbox.caPem);
        const { hostname, port } = new URL(world.sandbox.url);
        const inside = await inClusterConnection({
          environment: { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port },
          nowMs: () => world.nowMs,
          serviceAccountFolder: folder,
        });
        const target = { ...(await world.target({ name })), reader: createClusterReader(inside) };
        expect(isIncomplete(await auditAll([target], world.ports(), []))).toBe(false);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
      expect(world.states.states.size).toBe(1);
      expect((await stateOf(name)).identity?.pin?.by).toBe("audit");
    },
  );

  it("whose bundle an earlier version pinned goes on, held to the CA that proves it", async () => {
    const bundle = { caPem: `${liar.caPem}${world.sandbox.caPem}` };
    await audit({ reached: bundle });
    const { identity, ...state } = await stateOf("prod");
    const reader = (await restoreTarget(world, { reached: bundle })).reader;
    const { bundleSha256 = null } = await reader.identity();
    await reader.close();
    expect(bundleSha256).toMatch(/^[0-9a-f]{64}$/);
    if (identity?.pin === undefined) throw new Error("no pin");
    const old = {
      ...identity,
      caSha256: bundleSha256,
      pin: { ...identity.pin, caSha256: bundleSha256 },
    };
    const text = formatState({ ...state, identity: old });
    await world.states.write(
      stateName("prod"),
      text,
      (await world.states.read(stateName("prod")))?.revision ?? null,
    );
    expect(isIncomplete(await audit({ reached: bundle }))).toBe(false);
    expect((await stateOf("prod")).identity).toEqual(identity);
    expect(codes(await audit({ sandbox: liar, reached: bundle }))).toEqual(["cluster_replaced"]);
  });

  it(
    "that an earlier version recorded without a pin gets no backup restored before an audit has " +
      "pinned it",
    async () => {
      await recorded("prod");
      const loaded = await loadState(world.states, "prod");
      if (loaded?.state.identity == null) throw new Error("no state");
      const { pin: _pin, host: _host, ...identity } = loaded.state.identity;
      await world.states.write(
        stateName("prod"),
        formatState({ ...loaded.state, identity }),
        loaded.revision,
      );
      await expect(restore(world, { all: true })).rejects.toThrow("certkeep audit prod");
      await expect(restore(world, { all: true }, { sandbox: liar })).rejects.toThrow(
        "under another CA",
      );
      expect(codes(await audit({ sandbox: liar }))).toEqual(["cluster_replaced"]);
      await audit();
      expect((await restore(world, { all: true })).items.map(({ outcome }) => outcome)).toContain(
        "done",
      );
    },
  );

  it("whose state is lost gets none of the unrecorded backups under its name until it is pinned", async () => {
    await recorded("prod");
    world.states.states.delete(stateName("prod"));
    const wish = { names: [LOST], unrecorded: true } as const;
    for (const sandbox of [world.sandbox, liar]) {
      const { items } = await restore(world, wish, { sandbox });
      expect(items.map(({ outcome, item }) => [outcome, ...codesOf(item)])).toEqual([
        ["refused", "copy_of_another"],
      ]);
      expect(dataAt(sandbox, "tailscale", LOST)).toBeNull();
    }
    const done = await restore(world, { ...wish, rebuilt: true });
    expect(done.items.map(({ outcome }) => outcome)).toEqual(["done"]);
    expect((await stateOf("prod")).identity?.pin?.by).toBe("person");
  });

  it("without a name that was rebuilt gets the earlier one's backups once a person names that", async () => {
    await recorded(null);
    const rebuilt = await startSandbox({ namespaces: ["default", "tailscale"] });
    try {
      const choice = { name: null, sandbox: rebuilt } as const;
      const offered = `certkeep restore prod --all --from-cluster uid-${uid}`;
      await expect(restore(world, { all: true, rebuilt: true }, choice)).rejects.toThrow(offered);
      expect((await restore(world, { all: true }, choice)).items).toEqual([]);
      const done = await restore(world, { all: true, fromCluster: `uid-${uid}` }, choice);
      expect(done.items.map(({ outcome }) => outcome)).toEqual(["done", "done"]);
    } finally {
      await rebuilt.stop();
    }
  });
});

describe("a state whose entries point at another cluster's backups", () => {
  const OTHER = "bank.tail1a2b3.ts.net";
  let other: Sandbox;
  beforeEach(async () => {
    other = await startSandbox({ namespaces: ["default", "tailscale"] });
    other.put([ingressSecret(OTHER, world.issue([OTHER]))]);
    await recorded("prod");
    await audit({ name: "bank", sandbox: other });
  });
  afterEach(() => other.stop());

  /**
   * Entries of the cluster `bank`, written into the state of `prod` as if audits had recorded them
   * there.
   */
  async function forge(): Promise<string> {
    const [from, to] = [await stateOf("bank"), await loadState(world.states, "prod")];
    if (to === null) throw new Error("no state");
    const copies = { ...to.state.copies, ...from.copies };
    const secrets = { ...to.state.secrets, ...from.secrets };
    const bank = from.identity?.key ?? "";
    const at = new Date(world.nowMs - 1_000).toISOString();
    const predecessors = [{ key: bank, document: stateName("bank"), at }];
    await world.states.write(
      stateName("prod"),
      formatState({ ...to.state, cluster: "bank", copies, secrets, predecessors }),
      to.revision,
    );
    return Object.keys(from.copies)[0] ?? "";
  }

  it("gets none of them restored, by whatever way they are asked for", async () => {
    const version = await forge();
    for (const wish of [
      { names: [OTHER] },
      { version },
      { all: true },
      { names: [OTHER], unrecorded: true },
      { names: [OTHER], rebuilt: true },
    ]) {
      const { items } = await restore(world, wish);
      const [one] = items.filter(({ item }) => item.title === OTHER);
      expect(one).toMatchObject({
        outcome: "refused",
        item: { why: [{ code: "copy_of_another" }] },
      });
      expect(dataAt(world.sandbox, "tailscale", OTHER)).toBeNull();
    }
    // Its own are restored beside them.
    expect(dataAt(world.sandbox, "tailscale", LOST)).not.toBeNull();
  });

  it("gets them where a person names both clusters", async () => {
    const { items } = await restore(world, { names: [OTHER], fromCluster: "bank" });
    expect(items.map(({ outcome }) => outcome)).toEqual(["done"]);
  });

  it("but not where what answers isn't the cluster that the person named", async () => {
    const wish = { names: [OTHER], fromCluster: "bank" };
    await expect(restore(world, wish, { sandbox: liar })).rejects.toThrow("under another CA");
    expect(dataAt(liar, "tailscale", OTHER)).toBeNull();
  });
});

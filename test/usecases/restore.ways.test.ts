/** The ways a restore can be asked for, and what it says where it can't be done. */
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { codesOf } from "../../lib/restoreplan/item.ts";
import { createManifestFolder } from "../../lib/adapters/file/manifests.ts";
import { generateIdentity, createOpener } from "../../lib/adapters/age/identity.ts";
import { isCertkeepError } from "../../lib/error.ts";
import { serviceAccount, startSandbox, type Sandbox } from "../fake-apiserver/api.ts";
import { restoreDocument, restoreExit } from "../../lib/usecases/restore/context.ts";
import { DAY_MS, ingressSecret, startWorld, type World } from "../support/world.ts";
import {
  accountPem,
  dataAt,
  operatorSecret,
  outcomes,
  proxySecret,
  restore,
  tlsSecret,
} from "../support/restoring.ts";

let world: World;
beforeEach(async () => {
  world = await startWorld();
});
afterEach(() => world.stop());

const DOMAIN = "shop.tail1a2b3.ts.net";
const at = (ms: number): number => ms;

describe("which certificates are meant", () => {
  it("all: what stood, what lost its fields, what is lost; not what went with its parent", async () => {
    const names = ["a", "b", "c"].map((host) => `${host}.tail1a2b3.ts.net`);
    for (const name of names) world.put(ingressSecret(name, world.issue([name])));
    world.put(
      {
        apiVersion: "networking.k8s.io/v1",
        kind: "Ingress",
        metadata: { name: "a", namespace: "shop" },
      },
      {
        apiVersion: "networking.k8s.io/v1",
        kind: "Ingress",
        metadata: { name: "b", namespace: "shop" },
      },
    );
    await world.audit();
    world.sandbox.remove("tailscale", names[0] ?? "");
    await world.audit();
    world.sandbox.remove("tailscale", names[2] ?? "");
    await world.audit();
    const report = await restore(world, { all: true, mode: "plan" });
    // c's Ingress is gone with it: it was removed.
    expect(outcomes(report)).toEqual([
      `${names[0]} restore planned secret_absent`,
      `${names[1]} keep kept already_there`,
    ]);
    expect(outcomes(await restore(world, { names: [names[2] ?? ""], mode: "plan" }))).toEqual([
      `${names[2]} restore planned secret_absent`,
    ]);
  });

  it("as of an instant: what the audit before it saw", async () => {
    const first = world.issue([DOMAIN], { notAfter: new Date(world.nowMs + 40 * DAY_MS) });
    world.put(ingressSecret(DOMAIN, first));
    await world.audit();
    const then = world.nowMs;
    world.nowMs += 20 * DAY_MS;
    world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
    await world.audit();
    world.sandbox.remove("tailscale", DOMAIN);
    await restore(world, { all: true, asOfMs: at(then + DAY_MS) });
    expect(dataAt(world.sandbox, "tailscale", DOMAIN)).toEqual(ingressSecret(DOMAIN, first).data);
    expect(
      (await restore(world, { all: true, asOfMs: at(then - DAY_MS), mode: "plan" })).items,
    ).toEqual([]);
  });

  it("a version by its beginning, a Secret, a namespace; what nothing has gets a suggestion", async () => {
    world.put(
      ingressSecret(DOMAIN, world.issue([DOMAIN])),
      tlsSecret("shop", "web-tls", world.issue(["a.example.com"])),
    );
    await world.audit();
    const [version] = Object.entries((await world.state()).copies).find(
      ([, { namespace }]) => namespace === "shop",
    ) ?? [""];
    const titles = async (request: Parameters<typeof restore>[1]): Promise<string[]> =>
      (await restore(world, { ...request, mode: "plan" })).items.map(({ item }) => item.title);
    expect(await titles({ version: version.slice(0, 12) })).toEqual(["a.example.com"]);
    expect(await titles({ namespace: "tailscale" })).toEqual([DOMAIN]);
    expect(await titles({ names: ["shop/web-tls"] })).toEqual(["a.example.com"]);
    expect(await titles({ names: ["*.example.com", "shop.*"] })).toHaveLength(2);
    await expect(restore(world, { names: ["shop.tail1a2b.ts.net"] })).rejects.toThrow(
      `did you mean ${DOMAIN}?`,
    );
    await expect(restore(world, { version: "0123" })).rejects.toSatisfy((error) =>
      isCertkeepError(error, "usage"),
    );
    await expect(restore(world, {})).rejects.toThrow("nothing to restore");
  });

  it("to another place: generic TLS may, a shape that is found by its name may not", async () => {
    const pair = world.issue(["a.example.com"]);
    world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])), tlsSecret("shop", "web-tls", pair));
    await world.audit();
    expect(
      (
        await restore(world, {
          names: ["a.example.com"],
          as: { namespace: "default", name: "copy" },
        })
      ).items[0]?.outcome,
    ).toBe("done");
    expect(dataAt(world.sandbox, "default", "copy")).toEqual(
      tlsSecret("shop", "web-tls", pair).data,
    );
    const other = await restore(world, {
      names: [DOMAIN],
      as: { namespace: "tailscale", name: "other.tail1a2b3.ts.net" },
    });
    expect(other.items[0]?.item.why).toMatchObject([{ code: "place_not_for_shape" }]);
    await expect(
      restore(world, { all: true, as: { namespace: "default", name: "copy" } }),
    ).rejects.toThrow("can't all go to one place");
  });
});

describe("what a person may override, by naming it", () => {
  it("a valid one that is shorter; the names; nothing else", async () => {
    const short = world.issue([DOMAIN], { notAfter: new Date(world.nowMs + 20 * DAY_MS) });
    world.put(ingressSecret(DOMAIN, short));
    await world.audit();
    const [version] = Object.keys((await world.state()).copies);
    world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
    await world.audit();
    const refused = await restore(world, { version: version ?? "" });
    expect(outcomes(refused)).toEqual([`${DOMAIN} refuse refused live_valid`]);
    expect(refused.items[0]?.item.force).toEqual(["live_valid"]);
    const forced = await restore(world, { version: version ?? "", force: new Set(["live_valid"]) });
    expect(forced.items[0]).toMatchObject({
      outcome: "done",
      item: { overridden: ["live_valid"] },
    });
    expect(dataAt(world.sandbox, "tailscale", DOMAIN)).toEqual(ingressSecret(DOMAIN, short).data);
  });

  it("other names than those last seen there are refused", async () => {
    const old = world.issue(["a.example.com"]);
    world.put(tlsSecret("shop", "web-tls", old));
    await world.audit();
    const [version] = Object.keys((await world.state()).copies);
    world.nowMs += 1000;
    world.put(tlsSecret("shop", "web-tls", world.issue(["a.example.com", "b.example.com"])));
    await world.audit();
    world.sandbox.remove("shop", "web-tls");
    expect(outcomes(await restore(world, { version: version ?? "", mode: "plan" }))[0]).toContain(
      "refuse refused names_differ",
    );
    expect((await restore(world, { names: ["a.example.com"] })).items[0]?.item.names).toEqual([
      "a.example.com",
      "b.example.com",
    ]);
  });
});

describe("account keys", () => {
  const name = "operator.tail1a2b3.ts.net";

  it("stay where another is there that a valid certificate belongs to", async () => {
    const [before, after] = [accountPem(), accountPem()];
    world.put(operatorSecret(name, world.issue([name]), before));
    await world.audit();
    world.put(
      operatorSecret(
        name,
        world.issue([name], { notAfter: new Date(world.nowMs + 85 * DAY_MS) }),
        after,
      ),
    );
    expect(outcomes(await restore(world, { names: [name] }))).toEqual([
      "ACME account key keep kept account_in_use",
      `${name} keep kept live_valid`,
    ]);
    expect(dataAt(world.sandbox, "tailscale", "operator")?.["acme-account.key.pem"]).toBe(
      Buffer.from(after).toString("base64"),
    );
  });

  it("go back together with their certificate over one that a broken certificate is left with", async () => {
    const [before, after] = [accountPem(), accountPem()];
    const pair = world.issue([name]);
    world.put(operatorSecret(name, pair, before));
    await world.audit();
    world.put(operatorSecret(name, { ...pair, keyPem: world.issue([name]).keyPem }, after));
    world.sandbox.forgetRequests();
    expect(outcomes(await restore(world, { names: [name] }))).toEqual([
      "ACME account key restore done account_with_certificate",
      `${name} restore done live_invalid`,
    ]);
    expect(world.sandbox.requests.filter(({ method }) => method !== "GET")).toHaveLength(1);
    expect(dataAt(world.sandbox, "tailscale", "operator")?.["acme-account.key.pem"]).toBe(
      Buffer.from(before).toString("base64"),
    );
    const kept = Object.values((await world.state()).copies).filter(
      ({ kind }) => kind === "replaced",
    );
    expect(kept.map(({ fieldBase }) => fieldBase).toSorted()).toEqual(["acme-account", name]);
  });

  it("are refused where another valid certificate beside them belongs to the one that is there", async () => {
    const [before, after] = [accountPem(), accountPem()];
    const other = "two.tail1a2b3.ts.net";
    const [pair, second] = [
      world.issue([name]),
      world.issue([other], { notAfter: new Date(world.nowMs + 85 * DAY_MS) }),
    ];
    world.put(operatorSecret(name, pair, before));
    await world.audit();
    const broken = operatorSecret(name, { ...pair, keyPem: second.keyPem }, after);
    world.put({
      ...broken,
      data: {
        ...broken.data,
        ...Object.fromEntries(
          Object.entries(operatorSecret(other, second, null).data ?? {}).filter(([field]) =>
            field.startsWith(other),
          ),
        ),
      },
    });
    expect(outcomes(await restore(world, { names: [name] }))).toEqual([
      "ACME account key refuse refused account_belongs_to_live",
      `${name} restore done live_invalid`,
    ]);
    expect(dataAt(world.sandbox, "tailscale", "operator")?.["acme-account.key.pem"]).toBe(
      Buffer.from(after).toString("base64"),
    );
  });
});

describe("a cluster that isn't the recorded one", () => {
  let rebuilt: Sandbox;
  beforeEach(async () => {
    rebuilt = await startSandbox({ namespaces: ["default"] });
    world.put(
      operatorSecret(
        "operator.tail1a2b3.ts.net",
        world.issue(["operator.tail1a2b3.ts.net"]),
        accountPem(),
      ),
      ingressSecret(DOMAIN, world.issue([DOMAIN])),
      proxySecret("ts-web-aaaaa-0", "web", "web.tail1a2b3.ts.net", {
        pair: world.issue(["web.tail1a2b3.ts.net"]),
        device: "web.tail1a2b3.ts.net",
      }),
    );
    await world.audit();
  });
  afterEach(() => rebuilt.stop());

  it(
    "is refused, with the way on; rebuilt, its earlier copies are taken and the new identity is " +
      "pinned",
    async () => {
      await expect(restore(world, { all: true }, { sandbox: rebuilt })).rejects.toThrow(
        "certkeep restore prod --rebuilt --all",
      );
      const all = { all: true, rebuilt: true, createNamespace: true } as const;
      const planned = await restore(world, { ...all, mode: "plan" }, { sandbox: rebuilt });
      expect(planned.warnings[0]).toEqual({ warning: "machines_of_rebuilt" });
      expect(restoreDocument(planned)).toMatchObject({
        warnings: [
          expect.stringContaining("remove or rename the old cluster's machines in the tailnet"),
          expect.stringContaining("is treated as its successor"),
        ],
      });
      expect((await world.state()).identity?.uid).toBe(
        world.sandbox.get(null, "kube-system", "Namespace")?.metadata.uid,
      );
      const done = await restore(world, all, { sandbox: rebuilt });
      expect(outcomes(done)).toEqual([
        "ACME account key restore done account_absent",
        "operator.tail1a2b3.ts.net restore done secret_absent",
        `${DOMAIN} restore done secret_absent`,
        "web.tail1a2b3.ts.net later later owner_makes_it",
      ]);
      expect(done.pinned).toBe(true);
      const state = await world.state();
      expect(state.identity?.uid).toBe(rebuilt.get(null, "kube-system", "Namespace")?.metadata.uid);
      expect(Object.keys(state.copies)).toHaveLength(4);
      expect(
        [...world.states.states.keys()].filter((name) => name.startsWith("predecessor-prod-uid-")),
      ).toHaveLength(1);
      expect(restoreExit(done, false)).toBe(3);
      expect(restoreExit(done, true)).toBe(0);

      rebuilt.forgetRequests();
      const again = await restore(world, all, { sandbox: rebuilt });
      expect(again.items.map(({ outcome }) => outcome).toSorted()).toEqual([
        "kept",
        "kept",
        "kept",
        "later",
      ]);
      expect(rebuilt.requests.filter(({ method }) => method !== "GET")).toEqual([]);
      expect(restoreExit(again, true)).toBe(0);
    },
  );

  it("without leave to make its namespaces says so, and does nothing else", async () => {
    const report = await restore(world, { all: true, rebuilt: true }, { sandbox: rebuilt });
    expect(new Set(report.items.map(({ item }) => codesOf(item)[0]))).toEqual(
      new Set(["namespace_absent", "owner_makes_it"]),
    );
    expect(rebuilt.all()).toEqual([]);
  });

  it("another cluster's copies can be taken along by name", async () => {
    const report = await restore(
      world,
      { names: [DOMAIN], fromCluster: "prod", createNamespace: true },
      { sandbox: rebuilt, name: null },
    );
    expect(report.items.map(({ outcome }) => outcome)).toEqual(["done"]);
    await expect(
      restore(world, { all: true, fromCluster: "prd" }, { sandbox: rebuilt, name: null }),
    ).rejects.toThrow("Did you mean prod?");
  });
});

describe("following a cluster while it comes up", () => {
  const name = "web.tail1a2b3.ts.net";
  it.each(["watch", "list"] as const)(
    "by %s: fills the new Secret before its pod starts, and ends",
    async (how) => {
      world.sandbox.setToken(
        "restorer",
        serviceAccount("certkeep", "restorer", [
          {
            verbs: ["get", "list", "create", "patch", ...(how === "watch" ? ["watch"] : [])],
            resources: ["secrets"],
          },
          { verbs: ["get"], resources: ["namespaces"], resourceNames: ["kube-system"] },
        ]),
      );
      const pair = world.issue([name]);
      world.put(proxySecret("ts-web-aaaaa-0", "web", name, { pair, device: name }));
      await world.audit();
      world.sandbox.remove("tailscale", "ts-web-aaaaa-0");
      const following = restore(world, { all: true, followMs: 10_000 }, { token: "restorer" });
      await new Promise((resolve) => setTimeout(resolve, 400));
      world.put(
        proxySecret("ts-web-zzzzz-0", "other", name, {}),
        proxySecret("ts-web-bbbbb-0", "web", name, { host: "web" }),
      );
      const report = await following;
      expect(report.items.map(({ outcome }) => outcome)).toEqual(["done"]);
      expect(report.events.join(" ").includes("4 times a second")).toBe(how === "list");
      expect(dataAt(world.sandbox, "tailscale", "ts-web-bbbbb-0")?.[`${name}.crt`]).toBe(
        Buffer.from(pair.certificatePem).toString("base64"),
      );
      expect(dataAt(world.sandbox, "tailscale", "ts-web-zzzzz-0")?.[`${name}.crt`]).toBeUndefined();
    },
  );

  it("ends with what is still missing when its time is over, or it is stopped", async () => {
    world.put(
      proxySecret("ts-web-aaaaa-0", "web", name, { pair: world.issue([name]), device: name }),
    );
    await world.audit();
    world.sandbox.remove("tailscale", "ts-web-aaaaa-0");
    expect(
      (await restore(world, { all: true, followMs: 300 })).items.map(({ outcome }) => outcome),
    ).toEqual(["later"]);
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 300);
    const report = await restore(
      world,
      { all: true, followMs: 60_000 },
      { restorePorts: { signal: stop.signal } },
    );
    expect(report.interrupted).toBe(true);
  });
});

describe("without a cluster", () => {
  it("manifests go to a folder of one's own, are whole, and aren't written twice", async () => {
    const folder = join(await mkdtemp(join(tmpdir(), "certkeep-")), "out");
    try {
      world.put(
        ingressSecret(DOMAIN, world.issue([DOMAIN])),
        operatorSecret(
          "operator.tail1a2b3.ts.net",
          world.issue(["operator.tail1a2b3.ts.net"]),
          accountPem(),
        ),
      );
      await world.audit();
      const offline = { name: null, target: createManifestFolder(folder) };
      const report = await restore(world, { all: true, fromCluster: "prod" }, offline);
      expect(report.items.map(({ outcome }) => outcome)).toEqual(["done", "done", "done"]);
      const files = (await readdir(folder)).toSorted();
      expect(files).toEqual(["tailscale_operator.json", `tailscale_${DOMAIN}.json`]);
      for (const file of files) expect((await stat(join(folder, file))).mode & 0o777).toBe(0o600);
      expect((await stat(folder)).mode & 0o777).toBe(0o700);
      const manifest = JSON.parse(
        await readFile(join(folder, `tailscale_${DOMAIN}.json`), "utf8"),
      ) as { data: unknown; metadata: { annotations?: unknown } };
      expect(manifest.data).toEqual(dataAt(world.sandbox, "tailscale", DOMAIN));
      expect(manifest.metadata.annotations).toBeUndefined();
      expect(
        (await restore(world, { all: true, fromCluster: "prod" }, offline)).items.map(
          ({ outcome }) => outcome,
        ),
      ).toEqual(["kept", "kept", "kept"]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe("what can't be opened or written is told", () => {
  it("sealed for others; an immutable Secret; a denial; a namespace that is gone", async () => {
    world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
    await world.audit();
    const other = await createOpener([
      { where: "other", content: (await generateIdentity()).secret },
    ]);
    world.sandbox.remove("tailscale", DOMAIN);
    const foreign = await restore(world, { names: [DOMAIN] }, { restorePorts: { opener: other } });
    expect(outcomes(foreign)).toEqual([`${DOMAIN} refuse refused copy_sealed_for_others`]);

    world.put({ ...ingressSecret(DOMAIN, null), immutable: true });
    expect(outcomes(await restore(world, { names: [DOMAIN] }))).toEqual([
      `${DOMAIN} refuse refused secret_immutable`,
    ]);
    expect(outcomes(await restore(world, { names: [DOMAIN], replace: true }))).toEqual([
      `${DOMAIN} restore done fields_absent`,
    ]);

    world.sandbox.remove("tailscale", DOMAIN);
    const undo = world.sandbox.intercept(({ verb }) =>
      verb === "create"
        ? {
            kind: "status",
            status: 400,
            message: 'admission webhook "w.example.com" denied the request: no',
          }
        : undefined,
    );
    const denied = await restore(world, { names: [DOMAIN] });
    expect(denied.items[0]).toMatchObject({ outcome: "failed", code: "cluster_rejected" });
    undo();
    world.sandbox.remove(null, "tailscale", "Namespace");
    expect(outcomes(await restore(world, { names: [DOMAIN] }))).toEqual([
      `${DOMAIN} refuse refused namespace_absent`,
    ]);
    expect(outcomes(await restore(world, { names: [DOMAIN], createNamespace: true }))).toEqual([
      `${DOMAIN} restore done secret_absent`,
    ]);
  });

  it("a run that is stopped finishes what is under way, and says what is left", async () => {
    const names = Array.from({ length: 40 }, (_, index) => `s${index}.tail1a2b3.ts.net`);
    for (const name of names) world.put(ingressSecret(name, world.issue([name])));
    await world.audit();
    for (const name of names) world.sandbox.remove("tailscale", name);
    const stop = new AbortController();
    let made = 0;
    world.sandbox.intercept(({ verb }) => {
      if (verb === "create" && (made += 1) === 10) stop.abort();
      return undefined;
    });
    const report = await restore(world, { all: true }, { restorePorts: { signal: stop.signal } });
    const of = (outcome: string): number =>
      report.items.filter((item) => item.outcome === outcome).length;
    expect(report.interrupted).toBe(true);
    expect(of("done")).toBe(world.sandbox.all().length);
    expect(of("done") + of("not_tried")).toBe(40);
    expect(of("not_tried")).toBeGreaterThan(10);
    const rest = await restore(world, { all: true });
    expect(rest.items.filter(({ outcome }) => outcome === "done")).toHaveLength(of("not_tried"));
  });
});

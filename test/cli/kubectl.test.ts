/** The options that kubectl's users expect: --context, --kubeconfig, -n, -A, -o. */
import { cp, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Ended, runIn } from "../support/cli.ts";
import { parse } from "yaml";
import { generateIdentity } from "../../lib/adapters/age/identity.ts";
import { yamlOf } from "../../lib/cli/yaml.ts";
import { startSandbox } from "../fake-apiserver/api.ts";
import { named } from "../support/named.ts";
import { tlsSecret } from "../support/restoring.ts";
import { ingressSecret, startWorld, type World } from "../support/world.ts";

const DOMAIN = "shop.tail1a2b3.ts.net";

let world: World;
let folder: string;
/** Whether standard output is a terminal; in a pipe nothing is cut anyway. */
let isTerminal = false;

const certkeep = (...args: readonly string[]): Promise<Ended> =>
  runIn(folder, named(folder, args), {
    outTty: isTerminal,
    columns: 80,
    nowMs: () => world.nowMs,
  });

/** Titles of the clusters that an audit's document is about, and names of their certificates. */
function audited({ out }: Ended): readonly unknown[] {
  const { clusters } = JSON.parse(out) as {
    clusters: { title: string; counts: { certificates: number } }[];
  };
  return clusters.map(({ title, counts }) => [title, counts.certificates]);
}

beforeEach(async () => {
  world = await startWorld();
  folder = await mkdtemp(join(tmpdir(), "certkeep-cli-kubectl-"));
  const { secret, recipient } = await generateIdentity();
  const put = (name: string, text: string): Promise<void> =>
    writeFile(join(folder, name), text, { mode: 0o600 });
  await put("identity.txt", `${secret}\n`);
  await put("kubeconfig", world.sandbox.kubeconfig({ context: "here" }));
  await put("other", world.sandbox.kubeconfig({ context: "there" }));
  await put("anchors.pem", world.authority.root.pem);
  await put(
    "certkeep.yaml",
    `recipients: [${recipient}]\n` +
      "identity: file:identity.txt\n" +
      "clusters:\n" +
      "  - {name: prod, kubeconfig: kubeconfig, context: nowhere}\n" +
      `stores: {backups: "file:backups", state: "file:state"}\n` +
      "issuers:\n" +
      "  - {id: test, anchors: anchors.pem}\n",
  );
  world.put(
    ingressSecret(DOMAIN, world.issue([DOMAIN])),
    tlsSecret("shop", "web-tls", world.issue(["a.example.com"])),
  );
});
afterEach(async () => {
  isTerminal = false;
  await world.stop();
  await rm(folder, { recursive: true, force: true });
});

describe("--context and --kubeconfig", () => {
  it.each([
    ["--context here", ["here", 2]],
    ["here", ["here", 2]],
    ["--kubeconfig other", ["there", 2]],
    ["there --kubeconfig other", ["there", 2]],
    ["--kubeconfig other --context there", ["there", 2]],
  ])("audit %s: that context, whatever certkeep.yaml registers", async (args, expected) => {
    const ended = await certkeep("audit", ...args.split(" "), "--json");
    expect([ended.code, ended.err, audited(ended)]).toEqual([0, "", [expected]]);
  });

  it.each([
    ["--context here", "- {name: prod, context: here}", "prod"],
    ["here", "- {name: prod, context: here}", "prod"],
    ["--kubeconfig kubeconfig --context here", "- {name: prod, context: here}", "here"],
    [
      "--kubeconfig kubeconfig --context here",
      "- {name: prod, kubeconfig: kubeconfig, context: here}",
      "prod",
    ],
    [
      "--context here",
      "- {name: prod, context: here}\n  - {name: more, context: here, namespaces: [shop]}",
      "here",
    ],
  ])("%s, with %s: is %s in audit, doctor and restore", async (args, entries, title) => {
    const file = join(folder, "certkeep.yaml");
    const text = await readFile(file, "utf8");
    await writeFile(file, text.replace(/- \{name: prod.*\}/, entries), { mode: 0o600 });
    const audit = await certkeep("audit", ...args.split(" "), "--json");
    expect([audit.code, audit.err, audited(audit)]).toEqual([0, "", [[title, 2]]]);
    const keys = (await readdir(join(folder, "state"))).filter((name) =>
      name.startsWith("cluster-"),
    );
    expect(keys).toEqual([expect.stringMatching(title === "prod" ? /^cluster-prod\b/ : /-uid-/)]);
    const doctor = await certkeep("doctor", ...args.split(" "));
    expect(doctor.out).toContain(title);
    world.sandbox.remove("tailscale", DOMAIN);
    const [first = "", ...rest] = args.split(" ");
    const restore = first.startsWith("--") ? [DOMAIN, first, ...rest] : [first, DOMAIN];
    expect(await certkeep("restore", ...restore, "--apply")).toMatchObject({ code: 0, err: "" });
    expect(world.sandbox.all().map(({ metadata }) => metadata.name)).toContain(DOMAIN);
  });

  const prodReaches = async (entries: string): Promise<void> => {
    const file = join(folder, "certkeep.yaml");
    const text = await readFile(file, "utf8");
    await writeFile(file, text.replace(/- \{name: prod.*\}/, entries), { mode: 0o600 });
  };
  const states = async (): Promise<string[]> =>
    (await readdir(join(folder, "state"))).filter((name) => name.startsWith("cluster-"));

  it("another context of an audited cluster: its name, state, settings and backups", async () => {
    await prodReaches("- {name: prod, kubeconfig: kubeconfig, context: here, namespaces: [tail*]}");
    const other = ["--kubeconfig", "other", "--context", "there"];
    expect(audited(await certkeep("audit", "prod", "--json"))).toEqual([["prod", 1]]);
    const audit = await certkeep("audit", ...other, "--json");
    expect([audit.code, audit.err, audited(audit)]).toEqual([0, "", [["prod", 1]]]);
    expect(audit.out).not.toContain("cluster_named_twice");
    expect(await states()).toEqual([expect.stringMatching(/^cluster-prod\b/)]);
    const outside = await certkeep("audit", ...other, "-n", "shop");
    expect([outside.code, outside.err]).toEqual([2, expect.stringContaining("cluster prod: ")]);
    const doctor = await certkeep("doctor", ...other, "-v");
    expect(doctor.out).toContain("This context leads to cluster prod");
    expect(doctor.out).toContain("Same cluster as pinned");
    expect(doctor.out).not.toContain("clusters add");
    world.sandbox.remove("tailscale", DOMAIN);
    const lost = await certkeep("audit", ...other);
    const offered = /certkeep restore .*/.exec(lost.out)?.[0] ?? "";
    expect(offered).toContain("--context there");
    expect((await certkeep(...offered.split(" ").slice(1))).code).toBe(0);
    expect(world.sandbox.all().map(({ metadata }) => metadata.name)).toContain(DOMAIN);
    expect(await states()).toHaveLength(1);
  });

  it("a state that a context began before the cluster had a name is superseded", async () => {
    await prodReaches("- {name: prod, kubeconfig: kubeconfig, context: here}");
    await certkeep("audit", "prod");
    const unnamed = join(folder, "before");
    await rename(join(folder, "state"), unnamed);
    await certkeep("audit", "--kubeconfig", "other");
    await cp(unnamed, join(folder, "state"), { recursive: true });
    expect(await states()).toHaveLength(2);
    const [report, explain] = [await certkeep("report"), await certkeep("explain", DOMAIN)];
    for (const { out, err } of [report, explain]) {
      expect(err).toBe("");
      expect(out).toContain("prod");
      expect(out).not.toMatch(/there|uid-/u);
    }
  });

  it("a server that only claims the uid of an audited cluster isn't taken for it", async () => {
    await prodReaches("- {name: prod, kubeconfig: kubeconfig, context: here}");
    await certkeep("audit", "prod");
    const uid = world.sandbox.get(null, "kube-system", "Namespace")?.metadata.uid ?? "";
    const liar = await startSandbox({ namespaces: ["default", "tailscale"] });
    try {
      liar.put([{ kind: "Namespace", metadata: { name: "kube-system", uid } }]);
      await writeFile(join(folder, "other"), liar.kubeconfig({ context: "there" }));
      const audit = await certkeep("audit", "--kubeconfig", "other", "--json");
      expect(audited(audit)).toEqual([["there", 0]]);
      const restore = await certkeep(
        "restore",
        DOMAIN,
        "--context",
        "there",
        "--kubeconfig",
        "other",
      );
      expect([restore.code, restore.out.includes(DOMAIN)]).not.toEqual([0, true]);
      expect(await states()).toHaveLength(2);
    } finally {
      await liar.stop();
    }
  });

  it("say where a context or a file isn't", async () => {
    expect(await certkeep("audit", "--context", "there")).toMatchObject({
      code: 2,
      err: expect.stringContaining("no context there. Name one of: here") as string,
    });
    expect(await certkeep("audit", "--kubeconfig", "gone")).toMatchObject({
      code: 2,
      err: expect.stringContaining(`${join(folder, "gone")}: `) as string,
    });
  });

  it.each([
    ["--kubeconfig other", /certkeep restore there \S+ --kubeconfig other --config \S+ --apply/],
    ["--context here", /certkeep restore \S+ --context here --config \S+ --apply/],
  ])("audit %s: its commands lead there too, as they stand", async (args, command) => {
    await certkeep("audit", ...args.split(" "));
    world.sandbox.remove("tailscale", DOMAIN);
    const { out } = await certkeep("audit", ...args.split(" "));
    const offered = command.exec(out)?.[0] ?? "";
    expect(offered).not.toBe("");
    expect((await certkeep(...offered.split(" ").slice(1))).code).toBe(0);
    expect(world.sandbox.all().map(({ metadata }) => metadata.name)).toContain(DOMAIN);
  });

  it("restore: with --context all names are certificates; else the first is the cluster", async () => {
    await certkeep("audit", "here");
    world.sandbox.remove("tailscale", DOMAIN);
    for (const args of [
      ["here", DOMAIN],
      [DOMAIN, "--context", "here"],
      ["there", DOMAIN, "--kubeconfig", "other"],
    ]) {
      const ended = await certkeep("restore", ...args, "--json");
      expect([ended.code, ended.err]).toEqual([0, ""]);
      expect(JSON.parse(ended.out)).toMatchObject({ items: [{ names: [DOMAIN] }] });
    }
    expect((await certkeep("restore", "--context", "here", DOMAIN, "--apply")).code).toBe(0);
    expect(world.sandbox.all().map(({ metadata }) => metadata.name)).toContain(DOMAIN);
  });
});

describe("-n and -A", () => {
  it("audit one namespace, or all", async () => {
    expect(audited(await certkeep("audit", "here", "-n", "shop", "--json"))).toEqual([["here", 1]]);
    expect(audited(await certkeep("audit", "here", "-A", "--json"))).toEqual([["here", 2]]);
  });

  it("audit, of a namespace that isn't there: one line that says so", async () => {
    expect(await certkeep("audit", "here", "-n", "shpo")).toEqual({
      code: 2,
      out: "",
      err: expect.stringMatching(
        /^certkeep: cluster here: there is no namespace shpo\. Correct -n; [^\n]*\.\n/u,
      ) as string,
    });
  });

  it("list the backups of one namespace", async () => {
    await certkeep("audit", "here");
    const { out } = await certkeep("backups", "-n", "shop");
    expect([out.includes("a.example.com"), out.includes(DOMAIN)]).toEqual([true, false]);
    const one = await certkeep("backups", "verify", "-n", "shop", "-o", "json");
    expect((JSON.parse(one.out) as { copies: unknown[] }).copies.length).toBe(1);
  });

  it("explain a Secret of a namespace", async () => {
    await certkeep("audit", "here");
    const whole = await certkeep("explain", "shop/web-tls");
    expect(await certkeep("explain", "-n", "shop", "web-tls")).toEqual(whole);
    expect((await certkeep("explain", "-n", "tailscale", "web-tls")).code).toBe(2);
    expect((await certkeep("explain", "-n", "tailscale", "shop/web-tls")).code).toBe(2);
  });

  it("refuse a namespace that the cluster's settings leave out, and what is no namespace", async () => {
    await writeFile(
      join(folder, "certkeep.yaml"),
      "clusters: [{name: prod, context: here, namespaces: [tailscale]}]\n" +
        `stores: {backups: "file:backups", state: "file:state"}\n`,
    );
    expect(await certkeep("audit", "prod", "-n", "shop")).toMatchObject({
      code: 2,
      err: expect.stringContaining("namespace shop isn't among those that are audited") as string,
    });
    expect((await certkeep("audit", "prod", "-n", "shop*")).code).toBe(2);
  });
});

describe("-o", () => {
  it("json is --json, and yaml the same document", async () => {
    await certkeep("audit", "here");
    for (const command of [["report"], ["explain", DOMAIN], ["backups"], ["doctor", "here"]]) {
      const json = await certkeep(...command, "-o", "json");
      expect(json.out).toBe((await certkeep(...command, "--json")).out);
      const yaml = await certkeep(...command, "-o", "yaml");
      expect(yaml.out).toMatch(/^schema: certkeep\./);
      expect(parse(yaml.out)).toEqual(JSON.parse(json.out));
    }
  });

  it("wide cuts no column", async () => {
    const long = `${"a".repeat(60)}.tail1a2b3.ts.net`;
    world.put(ingressSecret(long, world.issue([long])));
    await certkeep("audit", "here");
    isTerminal = true;
    expect((await certkeep("backups")).out).not.toContain(`tailscale/${long}`);
    expect((await certkeep("backups", "-o", "wide")).out).toContain(`tailscale/${long}`);
  });

  it("yaml holds what a terminal acts on as escapes, and reads back the same", () => {
    const value = { evil: "\u001b[2J\u202e\u2028", lines: "a\nb: [", empty: "", no: null, n: 1 };
    const text = yamlOf(JSON.stringify(value));
    expect(text.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    expect(parse(text)).toEqual(value);
  });
});

describe("-v", () => {
  it("logs what is used and read on standard error, one line each, and no secret", async () => {
    const { code, out, err } = await certkeep("audit", "here", "-v", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ clusters: [{ title: "here" }] });
    for (const line of [
      `certkeep: configuration in use: ${join(folder, "certkeep.yaml")}`,
      `certkeep: 0.00 s: backups in file://${join(folder, "backups")}`,
      `certkeep: 0.00 s: states in file://${join(folder, "state")}`,
      "certkeep: 0.00 s: sources: clusters",
      `certkeep: 0.00 s: cluster here: ${new URL(world.sandbox.url).origin}, context here of ${join(folder, "kubeconfig")}`,
      "certkeep: 0.00 s: done",
    ])
      expect(err.split("\n")).toContain(line);
    expect(err).toMatch(
      /^certkeep: 0\.00 s: cluster here: \d+ requests \(.*list metadata \d+.*\)$/m,
    );
    expect(err).not.toMatch(/token|PRIVATE KEY|AGE-SECRET/);
    expect((await certkeep("audit", "here")).err).toBe("");
  });

  it.each([
    { args: ["audit", "here"], cluster: "here" },
    { args: ["doctor", "here"], cluster: "here" },
    { args: ["restore", "here", "--all", "--create-namespace"], cluster: "here" },
    { args: ["restore", "here", "other.example.com"], cluster: "here", fails: true },
    // This server has no RBAC, so both fail.
    {
      args: ["clusters", "add", "lab", "--context", "here", "--yes"],
      cluster: "lab",
      fails: true,
    },
    {
      args: ["clusters", "remove", "prod", "--revoke", "--context", "here"],
      cluster: "prod",
      fails: true,
    },
    { args: ["explain", DOMAIN], cluster: null },
    { args: ["report"], cluster: null },
    { args: ["drill"], cluster: null },
  ])("counts every request of certkeep $args", async ({ args, cluster, fails = false }) => {
    await certkeep("audit", "here");
    world.sandbox.forgetRequests();
    const { code, err } = await certkeep(...args, "-v");
    expect([code > 1, err.includes("internal error")]).toEqual([fails, false]);
    const counted = [...err.matchAll(/: cluster (\S+): (\d+) requests? \(/g)];
    expect(counted.map(([, title, total]) => [title, Number(total)])).toEqual(
      world.sandbox.requests.length === 0 ? [] : [[cluster, world.sandbox.requests.length]],
    );
    expect(world.sandbox.requests.length > 0).toBe(cluster !== null);
  });
});

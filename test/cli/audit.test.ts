/**
 * The audit as a person runs it: every bad input gets one plain message, and what can be done is
 * done.
 */
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Ended, runIn } from "../support/cli.ts";
import { generateIdentity } from "../../lib/adapters/age/identity.ts";
import { kubeconfig, startStub } from "../adapters/kubernetes/support.ts";
import { base64, ingressSecret, startWorld, type World } from "../support/world.ts";
import { named } from "../support/named.ts";

const DOMAIN = "shop.tail1a2b3.ts.net";

let world: World;
let folder: string;

const certkeep = (
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> => runIn(folder, named(folder, args), { env, nowMs: () => world.nowMs });

async function configure(extra = ""): Promise<void> {
  const { recipient } = await generateIdentity();
  await writeFile(join(folder, "anchors.pem"), world.authority.root.pem);
  await writeFile(
    join(folder, "certkeep.yaml"),
    `recipients: [${recipient}]\n` +
      `stores: {backups: "file:backups", state: "file:state"}\n` +
      "issuers:\n" +
      "  - {id: test, title: Test, kind: production, anchors: anchors.pem}\n" +
      `${extra}`,
  );
}

beforeEach(async () => {
  world = await startWorld();
  folder = await mkdtemp(join(tmpdir(), "certkeep-cli-audit-"));
  await writeFile(join(folder, "kubeconfig"), world.sandbox.kubeconfig({ context: "here" }), {
    mode: 0o600,
  });
  await configure();
  world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
});
afterEach(async () => {
  await world.stop();
  await rm(folder, { recursive: true, force: true });
});

/** One line that names what is wrong; never a stack. */
function expectPlain(ended: Ended, code: number, words: RegExp): void {
  expect(ended.code, `${ended.err}`).toBe(code);
  expect(ended.err).toMatch(words);
  expect(ended.err).not.toMatch(/\n\s+at |undefined|\[object/);
}

/** What wasn't read is said once: in an item of the report, and not on standard error. */
function expectItem(ended: Ended, code: number, words: RegExp): void {
  const out = ended.out.replaceAll(/\s+/g, " ");
  expect([ended.code, ended.err]).toEqual([code, ""]);
  expect(out.match(new RegExp(words, "g")) ?? []).toHaveLength(1);
}

describe("certkeep audit", () => {
  it("reports, keeps, and says nothing on standard error", async () => {
    const ended = await certkeep(["audit"]);
    expect(ended.err).toBe("");
    expect(ended.code).toBe(0);
    expect(ended.out).toBe("here: 1 certificate OK, backed up (1 new backup)\n");
    const json = await certkeep(["audit", "--json"]);
    expect(JSON.parse(json.out)).toMatchObject({
      schema: "certkeep.audit/v2",
      clusters: [{ title: "here", complete: true, counts: { certificates: 1, ok: 1, copies: 1 } }],
    });
  });

  it("says with -v what was read, where backups are, and every certificate", async () => {
    const { out } = await certkeep(["audit", "-v"]);
    expect(out).toContain("Looked through ");
    expect(out).toMatch(/file:.*backups/);
    expect(out).toMatch(
      new RegExp(`^ {2}${DOMAIN} +tailscale/\\S+ +OK +\\d{4}-\\d\\d-\\d\\d +yes$`, "m"),
    );
  });

  it("ends with 1 at the severity that was asked for", async () => {
    world.put(ingressSecret("empty.tail1a2b3.ts.net", null));
    expect((await certkeep(["audit"])).code).toBe(0);
    expect((await certkeep(["audit", "--fail-on", "info"])).code).toBe(1);
    // As earlier versions called it.
    expect((await certkeep(["audit", "--fail-on", "information"])).code).toBe(1);
    expectPlain(
      await certkeep(["audit", "--fail-on", "notice"]),
      2,
      /critical, warning, info, never/,
    );
    world.put(ingressSecret("bad.tail1a2b3.ts.net", { certificatePem: "x", keyPem: "y" }));
    expect((await certkeep(["audit"])).code).toBe(1);
    expect((await certkeep(["audit", "--fail-on", "never"])).code).toBe(0);
  });

  it("mutes what ignore: names, and discloses how many", async () => {
    world.put(ingressSecret("bad.tail1a2b3.ts.net", { certificatePem: "x", keyPem: "y" }));
    await configure("ignore:\n  - {name: 'bad.*', reason: known}\n");
    const ended = await certkeep(["audit"]);
    expect(ended.code).toBe(0);
    expect(ended.out).toContain("1 finding muted");
  });

  it("tells a big cluster's first report by cause", async () => {
    for (let n = 0; n < 40; n += 1)
      world.put(ingressSecret(`h${n}.tail1a2b3.ts.net`, { certificatePem: "x", keyPem: "y" }));
    const { out } = await certkeep(["audit"]);
    expect(out).toContain("1 problem; 1 of 41 certificates OK");
    expect(out).toContain("40 certificates: ");
    expect(out).toContain("and 28 more");
    expect(out).toContain("certkeep report");
    expect(out.split("\n").length).toBeLessThan(30);
  });

  it("audits several clusters by certkeep.yaml, and one that is broken hides none", async () => {
    const other = await startWorld();
    try {
      await writeFile(join(folder, "other"), other.sandbox.kubeconfig({ context: "default" }), {
        mode: 0o600,
      });
      await writeFile(join(folder, "mine"), world.sandbox.kubeconfig({ context: "default" }), {
        mode: 0o600,
      });
      await configure(
        "clusters:\n" +
          "  - {name: one, kubeconfig: mine, context: default, namespaces: [tailscale]}\n" +
          "  - {name: two, kubeconfig: other, context: default}\n" +
          "  - {name: three, kubeconfig: other, context: nowhere}\n",
      );
      const ended = await certkeep(["audit", "--json"]);
      expectPlain(ended, 2, /no context nowhere/);
      const { clusters } = JSON.parse(ended.out) as {
        clusters: { title: string; complete: boolean; cluster: string }[];
      };
      expect(clusters.map(({ title, complete }) => [title, complete])).toEqual([
        ["one", true],
        ["two", true],
        ["three", false],
      ]);
    } finally {
      await other.stop();
    }
  });

  it.each([
    ["a broken kubeconfig", "clusters: [", 2, /kubeconfig:\d+:\d+: the YAML is broken/],
    ["an empty kubeconfig", "", 2, /the file is empty/],
  ])("%s", async (_, text, code, words) => {
    await writeFile(join(folder, "kubeconfig"), text);
    expectPlain(await certkeep(["audit"]), code, words);
  });

  it("an unknown context, with what there is", async () => {
    expectPlain(
      await certkeep(["audit", "hree"]),
      2,
      /no context hree\. Name one of: here\. Did you mean here\?/,
    );
  });

  it("an expired token is told as such", async () => {
    await writeFile(join(folder, "kubeconfig"), world.sandbox.kubeconfig({ token: "expired" }));
    const ended = await certkeep(["audit"]);
    expectPlain(ended, 3, /credential|token/);
    expect(ended.out).toContain("sandbox  credential rejected (401)");
  });

  it("another CA, a port where nobody listens, a proxy that refuses", async () => {
    const other = await startWorld();
    const choices = [
      [{ caPem: other.sandbox.caPem }, /CERT_LOCALLY/],
      [{ server: "https://127.0.0.1:1" }, /ECONNREFUSED/],
      [{ proxyUrl: "http://127.0.0.1:1" }, /ECONNREFUSED/],
    ] as const;
    try {
      for (const [choice, words] of choices) {
        await writeFile(join(folder, "kubeconfig"), world.sandbox.kubeconfig(choice));
        expectItem(await certkeep(["audit"]), 3, words);
      }
    } finally {
      await other.stop();
    }
  });

  it("a namespace that isn't there", async () => {
    await configure("clusters:\n  - {name: prod, namespaces: [tailscale, shpo]}\n");
    expectItem(await certkeep(["audit"]), 3, /there is no namespace shpo/);
  });

  it("a misspelt key in certkeep.yaml, with its place and what was meant", async () => {
    await configure("clsuters: []\n");
    expectPlain(await certkeep(["audit"]), 2, /certkeep\.yaml:5:1.*clsuters.*clusters/s);
  });

  it("a state file cut in half is told and left as it is", async () => {
    await certkeep(["audit"]);
    const [document = ""] = (await readdir(join(folder, "state"))).filter((name) =>
      name.startsWith("cluster-"),
    );
    const [revision = ""] = await readdir(join(folder, "state", document));
    const file = join(folder, "state", document, revision);
    const whole = await readFile(file);
    await writeFile(file, whole.subarray(0, whole.length / 2));
    expectPlain(await certkeep(["audit"]), 3, new RegExp(revision));
    expect((await readFile(file)).length).toBe(Math.floor(whole.length / 2));
  });

  it(
    "a state file from a newer version: its unknown fields survive, an unreadable format is " +
      "refused",
    async () => {
      await certkeep(["audit"]);
      const [document = ""] = (await readdir(join(folder, "state"))).filter((name) =>
        name.startsWith("cluster-"),
      );
      const at = join(folder, "state", document);
      const newest = async (): Promise<string> =>
        join(at, (await readdir(at)).toSorted().at(-1) ?? "");
      const [text = ""] = (await readFile(await newest(), "utf8")).split("\n");
      const state = JSON.parse(text) as { secrets: Record<string, object> };
      const secrets = Object.fromEntries(
        Object.entries(state.secrets).map(([key, record]) => [
          key,
          { ...record, future: "kept too" },
        ]),
      );
      const newer = { ...state, secrets, format: 7, future: { kept: true } };
      await writeFile(await newest(), JSON.stringify(newer));
      expect((await certkeep(["audit"])).code).toBe(0);
      const [after = ""] = (await readFile(await newest(), "utf8")).split("\n");
      expect(JSON.parse(after)).toMatchObject({ format: 7, future: { kept: true } });
      expect(after).toContain("kept too");
      await writeFile(await newest(), JSON.stringify({ ...newer, readableFrom: 7 }));
      expectPlain(await certkeep(["audit"]), 3, /Update certkeep: a newer version wrote it/);
    },
  );

  it.runIf(process.getuid?.() !== 0)("a store that may not be written", async () => {
    await mkdir(join(folder, "backups"));
    await chmod(join(folder, "backups"), 0o500);
    expectPlain(await certkeep(["audit"]), 3, /backups/);
  });

  it("a store that is a file", async () => {
    await writeFile(join(folder, "backups"), "not a folder");
    const ended = await certkeep(["audit"]);
    expectItem(ended, 3, /Cause \S+\/backups\//);
    expect(ended.out).toContain("backup store  can't be read or written");
    expect(ended.out).toContain(`${DOMAIN}  certificate not backed up`);
  });

  const listOf = (token: string, items: string): string =>
    `{"kind":"SecretList","apiVersion":"v1","metadata":{"resourceVersion":"1","continue":"${token}"},"items":[${items}]}`;
  const item = (name: string): string =>
    `{"metadata":{"name":"${name}","namespace":"x","uid":"u","resourceVersion":"1"},"type":"Opaque"}`;

  it.each<[string, (nth: number) => string, RegExp]>([
    ["lists empty pages for ever", (nth) => listOf(`t${nth}`, ""), /doesn't end: 10 pages/],
    ["lists the same for ever", (nth) => listOf(`t${nth}`, item("a")), /doesn't end: it goes in/],
    [
      "lists small objects, 15 MB of them",
      () => listOf("", "{},".repeat(5_000_000)),
      /of millions/,
    ],
    ["sends something else", () => "[".repeat(5_000_000), /of millions/],
  ])("a cluster that %s, with the findings of the others", async (_name, answer, words) => {
    world.put(ingressSecret(DOMAIN, world.issue([DOMAIN], { noIntermediate: true })));
    const stub = await startStub((request, response, nth) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(
        request.url?.includes("/secrets") === true
          ? answer(nth)
          : '{"kind":"Namespace","metadata":{"name":"kube-system","uid":"other"}}',
      );
    });
    await writeFile(join(folder, "hostile"), kubeconfig({ server: stub.server }), { mode: 0o600 });
    const KUBECONFIG = `${join(folder, "kubeconfig")}:${join(folder, "hostile")}`;
    const ended = await certkeep(["audit", "stub", "here"], { KUBECONFIG });
    expectItem(ended, 3, words);
    expect(ended.out).toContain("cluster stub: ");
    expect(ended.out).toContain(`${DOMAIN} (here)  not signed by a trusted CA`);
  });

  it("a Secret of 1 MB of noise and hostile names", async () => {
    const noise = base64(Buffer.alloc(700_000, 0x41));
    world.put(
      {
        metadata: { name: "noise", namespace: "shop" },
        type: "kubernetes.io/tls",
        data: { "tls.crt": noise, "tls.key": noise },
      },
      {
        metadata: { name: "x", namespace: "shop" },
        type: "Opaque",
        data: {
          "$(reboot).ts.net.crt": base64("x"),
          "$(reboot).ts.net.key": base64("y"),
          "../../etc/passwd.crt": base64("x"),
        },
      },
      {
        metadata: { name: "op", namespace: "shop" },
        type: "Opaque",
        data: { "\u001b[31mred.ts.net.crt": base64("x"), "\u001b[31mred.ts.net.key": base64("y") },
      },
    );
    const ended = await certkeep(["audit"]);
    expect(ended.code).toBe(1);
    expect(ended.out).toContain("1 problem; 1 of 2 certificates OK");
    expect(ended.out + ended.err).not.toContain("\u001b");
    expect(ended.out).not.toContain("$(reboot)");
  });
});

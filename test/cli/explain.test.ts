/** `explain` as a person runs it. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import stringWidth from "string-width";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Ended, runIn } from "../support/cli.ts";
import { generateIdentity } from "../../lib/adapters/age/identity.ts";
import { ingressSecret, startWorld, type World } from "../support/world.ts";
import { named } from "../support/named.ts";

const DOMAIN = "shop.tail1a2b3.ts.net";
const TAILNET = "tail1a2b3.ts.net";
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

let world: World;
let folder: string;
let columns = 100;
let outTty = false;

const certkeep = (...args: readonly string[]): Promise<Ended> =>
  runIn(folder, named(folder, args), { outTty, columns, nowMs: () => world.nowMs });

/**
 * Certificates issued so many hours ago, each in the Secret until the next, each seen by an audit.
 */
async function issue(...hours: number[]): Promise<void> {
  const now = world.nowMs;
  for (const ago of hours) {
    world.nowMs = now - ago * HOUR_MS;
    world.put(
      ingressSecret(
        DOMAIN,
        world.issue([DOMAIN], {
          notBefore: new Date(world.nowMs),
          notAfter: new Date(world.nowMs + 90 * DAY_MS),
        }),
      ),
    );
    expect((await certkeep("audit")).code).toBeLessThan(2);
  }
  world.nowMs = now;
}

beforeEach(async () => {
  columns = 100;
  outTty = false;
  world = await startWorld();
  world.nowMs = Date.parse("2026-11-23T12:00:00Z");
  folder = await mkdtemp(join(tmpdir(), "certkeep-cli-explain-"));
  await writeFile(join(folder, "kubeconfig"), world.sandbox.kubeconfig({ context: "here" }), {
    mode: 0o600,
  });
  const { recipient } = await generateIdentity();
  await writeFile(join(folder, "anchors.pem"), world.authority.root.pem);
  await writeFile(
    join(folder, "certkeep.yaml"),
    `recipients: [${recipient}]\n` +
      `stores: {backups: "file:backups", state: "file:state"}\n` +
      "clusters: [{name: prod, context: here}]\n" +
      "issuers:\n" +
      "  - {id: test, title: Test CA, anchors: anchors.pem, limits: {perSet: {count: 5}, " +
      "perDomain: {count: 50}}}\n" +
      "limits:\n" +
      `  - {issuer: test, domain: ${TAILNET}, count: 60}\n`,
  );
});
afterEach(async () => {
  await world.stop();
  await rm(folder, { recursive: true, force: true });
});

describe("certkeep explain", () => {
  it("tells verdict, timeline, what is left, backups and what to do on one page", async () => {
    await issue(50, 3, 2);
    const brief = await certkeep("explain", DOMAIN);
    expect([brief.code, brief.err]).toEqual([0, ""]);
    expect(brief.out.split("\n").length).toBeLessThan(20);
    const short = brief.out.replaceAll(/\s+/g, " ");
    expect(short).toContain("Status OK, expires in 89 days (Feb 21 10:00 UTC) Backup ");
    expect(short).toContain(
      "Limit 3 of 5 left (estimate), next available Nov 24 18:36 UTC, all 5 available Nov 26 " +
        "04:12 UTC",
    );
    expect(short).toContain("Nov 23 10:00:00 UTC issued ");
    expect(short).toMatch(/Estimate: certkeep can't see every issuance\. Not checked: .*CT logs/);
    expect(brief.out.match(/estimate/gi)).toHaveLength(2);
    const { out } = await certkeep("explain", DOMAIN, "-v");
    const words = out.replaceAll(/\s+/g, " ");
    expect(words).toContain("2026-11-21T10:00:00Z notBefore");
    // Full at -50 h, one taken; it is back by -16.4 h; then two.
    expect(out.match(/■+□* \d of 5/g)).toEqual(["■■■■□ 4 of 5", "■■■■□ 4 of 5", "■■■□□ 3 of 5"]);
    expect(words).toContain(
      `■■■□□ ${DOMAIN}: 3 of 5 left (estimate), next available Nov 24 18:36 UTC, all 5 available ` +
        "Nov 26 04:12 UTC",
    );
    expect(words).toContain(`new names under ${TAILNET}: 60 of 60 left (estimate)`);
    expect(words).toContain(
      "Not checked: CT logs (not enabled); logs of prod (no pod matches since " +
        "2026-11-21T10:00:00Z).",
    );
    expect(words).toContain("reissued_without_need");
    expect(out.match(/ usable$/gm)).toHaveLength(3);
  });

  it("keeps within the terminal's width, whatever stands in it", async () => {
    await issue(4, 3, 2, 1);
    outTty = true;
    for (const [width, ...options] of [60, 80, 120].flatMap((one) => [
      [one],
      [one, "-v"],
      [one, "--plan", "8"],
    ]) as [number, ...string[]][]) {
      columns = width;
      const { out } = await certkeep("explain", DOMAIN, "--no-color", ...options);
      // A finding's own first line stays whole, and so does a command: they are copied from.
      const lines = out
        .split("\n")
        .filter(
          (line) =>
            !/^ +(?:certkeep|kubectl) /.test(line) && !/[a-z]+_[a-z_]+(, since|$)/.test(line),
        );
      expect(Math.max(...lines.map((line) => stringWidth(line)))).toBeLessThanOrEqual(columns);
    }
  });

  it("plans: a set by its own bucket, and new names by the configured limit", async () => {
    await issue(1);
    const set = (await certkeep("explain", DOMAIN, "--plan", "6")).out.replaceAll(/ +/g, " ");
    expect(set).toContain(
      "\n" +
        " 1 to 4 now unknown\n" +
        " 5 Nov 24 20:36 UTC (32 hours) unknown\n" +
        " 6 Nov 26 06:12 UTC (2 days) unknown\n",
    );
    const names = JSON.parse(
      (await certkeep("explain", TAILNET, "--plan", "61", "--json")).out,
    ) as { issuances: { plan: { earliest: string[]; sure: null } }[] };
    const { earliest, sure } = names.issuances[0]?.plan ?? { earliest: [], sure: null };
    expect([
      earliest.length,
      sure,
      earliest.filter((at) => at === "2026-11-23T12:00:00Z").length,
    ]).toEqual([61, null, 59]);
  });

  it("prints one JSON document, and nothing else", async () => {
    await issue(2);
    const { out, code } = await certkeep("explain", DOMAIN, "--json");
    expect(code).toBe(0);
    expect(out.trim().split("\n")).toHaveLength(1);
    expect(JSON.parse(out)).toMatchObject({
      schema: "certkeep.explain/v2",
      name: DOMAIN,
      kind: "certificate",
      at: "2026-11-23T12:00:00Z",
      places: [{ cluster: "prod", state: "live", verdict: { valid: true }, advice: null }],
      issuances: [
        {
          kind: "set",
          budget: { atMost: 4 },
          domains: [{ key: TAILNET, limit: { count: 60, burst: 60, periodSeconds: 604_800 } }],
          timeline: [{ leaves: 4 }],
        },
      ],
      problems: [],
    });
  });

  it("tells of another instant, and writes nothing", async () => {
    await issue(30, 2);
    const files = async (): Promise<string[]> =>
      Promise.all(
        (await readdir(folder, { recursive: true, withFileTypes: true }))
          .filter((entry) => entry.isFile())
          .map(async (entry) => readFile(join(entry.parentPath, entry.name), "latin1")),
      );
    const before = await files();
    const { out } = await certkeep("explain", DOMAIN, "--json", "--at", "2026-11-23T00:00:00Z");
    expect(JSON.parse(out)).toMatchObject({
      at: "2026-11-23T00:00:00Z",
      issuances: [{ budget: { atMost: 4, later: 1 }, timeline: [{ effect: "spent" }] }],
    });
    expect(await files()).toEqual(before);
  });

  it("says what to do about one that is lost", async () => {
    await issue(2);
    world.sandbox.remove("tailscale", DOMAIN);
    await certkeep("audit");
    const { out } = await certkeep("explain", DOMAIN);
    expect(out.replaceAll(/\s+/g, " ")).toContain("Limit 4 of 5 left (estimate)");
    expect(out).toContain(
      `\nRestore, if it wasn't removed on purpose\n  certkeep restore prod ${DOMAIN} --config ${join(folder, "certkeep.yaml")} --apply\n`,
    );
  });

  it.each([
    [["explain"], /missing required argument 'name'/],
    [
      ["explain", "shp.tail1a2b3.ts.net"],
      /no match for "shp\.tail1a2b3\.ts\.net"\. Did you mean shop\.tail1a2b3\.ts\.net\?/,
    ],
    [["explain", "shop"], /no match for "shop"\. Did you mean shop\.tail1a2b3\.ts\.net\?/],
    [["explain", "expiring"], /no expiring finding now/],
    [["explain", ""], /no match for ""\. Name a domain, NAMESPACE\/SECRET, a cluster or a finding/],
    [["explain", "\u001b[2J\u202ex"], /no match for/],
    [["explain", DOMAIN, "--plan", "0"], /Expected a whole number from 1 to 10000/],
    [["explain", DOMAIN, "--plan", "1e9"], /Expected a whole number from 1 to 10000/],
    [["explain", DOMAIN, "--at", "soon"], /Expected an RFC 3339 instant/],
    [["explain", "prod", "--plan", "3"], /prod is a cluster\. Name a host, or a registered domain/],
  ])("ends %j with 2 and one plain message", async (args, message) => {
    await issue(2);
    const { code, out, err } = await certkeep(...args);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toMatch(message);
    // oxlint-disable-next-line no-control-regex
    expect(err).not.toMatch(/[\u001b\u202e]|\n\s+at |undefined/);
  });

  it("says that nothing was audited yet", async () => {
    const { code, err } = await certkeep("explain", DOMAIN);
    expect([code, err]).toEqual([
      2,
      "certkeep: explain: no cluster was audited yet. Run: certkeep audit\n" +
        `certkeep: configuration in use: ${join(folder, "certkeep.yaml")}\n`,
    ]);
  });

  it("tells what it knows where one state is damaged, and ends with 3", async () => {
    await issue(2);
    const [state = ""] = (await readdir(join(folder, "state"), { recursive: true })).filter(
      (name) => /prod.*\d/.test(name),
    );
    const other = state.replace("prod", "other");
    const { mkdir } = await import("node:fs/promises");
    await mkdir(join(folder, "state", other, ".."), { recursive: true });
    await writeFile(join(folder, "state", other), "{", { mode: 0o600 });
    const { code, out, err } = await certkeep("explain", DOMAIN);
    expect(code).toBe(3);
    expect(err).toContain("cluster-other");
    expect(out).toContain("4 of 5 left (estimate)");
    expect(out.replaceAll(/\s+/g, " ")).toContain("the state of other (state damaged)");
  });
});

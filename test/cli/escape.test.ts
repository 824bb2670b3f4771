/**
 * Names, paths and states full of what a terminal acts on: no command lets any of it through,
 * colours included.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Ended, runIn } from "../support/cli.ts";
import { generateIdentity } from "../../lib/adapters/age/identity.ts";
import { createFileStates } from "../../lib/adapters/file/stores.ts";
import { named } from "../support/named.ts";
import { ingressSecret, startWorld, type World } from "../support/world.ts";

const DOMAIN = "shop.tail1a2b3.ts.net";
/**
 * A title, a cleared screen, a colour of certkeep's own, a line of its own, text from right to
 * left.
 */
const EVIL = "\u001b]0;x\u0007\u001b[2J\u001b[31m\u009b2J\ncertkeep: all is well\u202e";
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]|[\u{e0000}-\u{e0fff}]/u;

let world: World;
let folder: string;

function certkeep(...args: readonly string[]): Promise<Ended> {
  const isNamed = args.includes("--config") || args[0] === "check";
  return runIn(folder, isNamed ? args : named(folder, args), { nowMs: () => world.nowMs });
}

function expectHarmless({ out, err }: { out: string; err: string }): void {
  for (const text of [out, err]) {
    expect(text.replaceAll("\n", "")).not.toMatch(UNSAFE);
    expect(text).not.toMatch(/^certkeep: all is well/m);
  }
  expect(`${out}${err}`).not.toBe("");
}

beforeEach(async () => {
  world = await startWorld();
  folder = await mkdtemp(join(tmpdir(), "certkeep-cli-escape-"));
  await writeFile(join(folder, "kubeconfig"), world.sandbox.kubeconfig({ context: "here" }), {
    mode: 0o600,
  });
  const { secret, recipient } = await generateIdentity();
  await writeFile(join(folder, "anchors.pem"), world.authority.root.pem);
  await writeFile(join(folder, "identity"), `${secret}\n`, { mode: 0o600 });
  await writeFile(
    join(folder, "certkeep.yaml"),
    `recipients: [${recipient}]\n` +
      "identity: file:identity\n" +
      `stores: {backups: "file:backups", state: "file:state"}\n` +
      "issuers:\n" +
      "  - {id: test, title: Test, kind: production, anchors: anchors.pem}\n",
  );
});
afterEach(async () => {
  await world.stop();
  await rm(folder, { recursive: true, force: true });
});

describe("what a terminal acts on", () => {
  it.each([
    ["a command", [EVIL]],
    ["an option", ["audit", `--${EVIL}`]],
    ["an option's value", ["audit", "--at", EVIL]],
    ["a context", ["audit", EVIL]],
    ["a configuration file", ["audit", "--config", EVIL]],
    ["a file to check", ["check", EVIL]],
    ["a file that is there", ["check", `there${EVIL}`]],
    ["a name", ["explain", EVIL]],
    ["a name to restore", ["restore", EVIL]],
    ["a pattern of backups", ["backups", EVIL]],
    ["a cluster to remove", ["clusters", "remove", EVIL]],
    ["a cluster to look at", ["doctor", EVIL]],
    ["a page's file", ["report", "--html", join(EVIL, EVIL)]],
  ])("in %s is shown", async (_name, args) => {
    await writeFile(join(folder, `there${EVIL.replaceAll("/", "")}`), "nothing");
    expectHarmless(await certkeep(...args));
  });

  it("in a configuration is shown", async () => {
    for (const text of [
      JSON.stringify({ [EVIL]: 1, recipients: [EVIL], clusters: [{ name: EVIL, context: EVIL }] }),
      JSON.stringify({ stores: { backups: `file:${EVIL}`, state: `s3://${EVIL}` } }),
      `a: "${EVIL}`,
    ]) {
      await writeFile(join(folder, "certkeep.yaml"), text);
      expectHarmless(await certkeep("audit"));
      expectHarmless(await certkeep("doctor"));
    }
  });

  it("in a kubeconfig is shown", async () => {
    const text = world.sandbox.kubeconfig({ context: "here" }).replaceAll("here", "HERE");
    await writeFile(
      join(folder, "kubeconfig"),
      text.replaceAll(/"?HERE"?/g, JSON.stringify(EVIL)),
      { mode: 0o600 },
    );
    world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
    expectHarmless(await certkeep("audit", "-v"));
    expectHarmless(await certkeep("audit", "--json"));
    expectHarmless(await certkeep("report"));
    expectHarmless(await certkeep("doctor"));
    await world.stop();
    expectHarmless(await certkeep("audit"));
  });

  it("in a damaged or forged state is shown", async () => {
    world.put(
      ingressSecret(DOMAIN, world.issue([DOMAIN])),
      ingressSecret(
        `old.${DOMAIN}`,
        world.issue([`old.${DOMAIN}`], { notAfter: new Date(world.nowMs + 5 * 86_400_000) }),
      ),
      ingressSecret(`lost.${DOMAIN}`, world.issue([`lost.${DOMAIN}`])),
    );
    await certkeep("audit");
    world.sandbox.remove("tailscale", `lost.${DOMAIN}`);
    await certkeep("audit");
    const states = createFileStates(join(folder, "state"));
    const [name = ""] = await states.names();
    const stored = await states.read(name);
    const forged = poisoned(JSON.parse(stored?.text ?? "")) as Record<string, unknown>;
    for (const text of [
      JSON.stringify(forged),
      JSON.stringify({ ...forged, audit: { [EVIL]: EVIL } }),
      EVIL,
    ]) {
      const revision = (await states.read(name))?.revision ?? null;
      expect(await states.write(name, text, revision)).not.toBeNull();
      for (const args of [
        ["report"],
        ["report", "--format", "prometheus"],
        ["report", "--json"],
        ["report", "--html", "page.html"],
        ["digest", "--dry-run"],
        ["digest", "--dry-run", "--json"],
        ["explain", DOMAIN],
        ["explain", "*"],
        ["explain", DOMAIN, "--json"],
        ["backups"],
        ["backups", "verify"],
        ["clusters"],
        ["doctor"],
        ["drill"],
        ["restore", "here", "--all"],
        ["restore", "here", "--all", "--offline", "--json"],
        ["audit", "--at", "2026-12-24T00:00:00Z"],
        ["audit"],
      ]) {
        expectHarmless(await certkeep(...args));
      }
    }
  });
});

/**
 * Every text but instants, digests and short words, which a state is refused or not understood
 * without.
 */
function poisoned(value: unknown): unknown {
  if (typeof value === "string")
    return /^\d{4}-\d\d-\d\d|^[0-9a-f]{16,}$|^[a-z0-9_-]{0,12}$|^uid-/.test(value)
      ? value
      : `${value}${EVIL}`;
  if (Array.isArray(value)) return value.map(poisoned);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, poisoned(inner)]));
}

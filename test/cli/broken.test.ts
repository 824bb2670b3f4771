/**
 * Whatever lies where a file or folder of certkeep's is looked for: each command ends in time, and
 * with words of its own.
 */
import { execFileSync } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Ended, runIn } from "../support/cli.ts";
import { parse } from "yaml";
import { generateIdentity } from "../../lib/adapters/age/identity.ts";
import { ingressSecret, startWorld, type World } from "../support/world.ts";

const DOMAIN = "shop.tail1a2b3.ts.net";

let world: World;
let root: string;
let folder: string;

const certkeep = (args: readonly string[]): Promise<Ended> =>
  runIn(folder, args, { nowMs: () => world.nowMs });

const deep = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);

/** What lies there instead. */
const KINDS: Readonly<Record<string, (path: string) => Promise<void>>> = {
  "a folder": async (path) => void (await mkdir(path)),
  "a FIFO": async (path) => {
    execFileSync("/usr/bin/env", ["mkfifo", path]);
  },
  "a link to itself": (path) => symlink(path, path),
  "an endless device": (path) => symlink("/dev/zero", path),
  "600 MB": async (path) => {
    await writeFile(path, "");
    await truncate(path, 600_000_000);
  },
  noise: (path) => writeFile(path, Buffer.alloc(100_000, 0xfe)),
  "JSON of 100,000 levels": (path) => writeFile(path, deep(100_000)),
  "JSON of 5,000 levels": (path) =>
    writeFile(path, `{"clusters":${deep(5_000)},"users":${deep(5_000)}}`),
  "an object of nothing": (path) =>
    writeFile(
      path,
      JSON.stringify({
        format: 1,
        apiVersion: 1,
        kind: [],
        clusters: null,
        users: [null],
        stores: 5,
        header: null,
        sealed: {},
      }),
    ),
};

const newest = async (...parts: string[]): Promise<string> => {
  const within = join(folder, ...parts);
  const [entry = ""] = (await readdir(within))
    .filter((name) => !name.startsWith("."))
    .toSorted()
    .toReversed();
  return join(within, entry);
};
async function deepest(from: string): Promise<string> {
  for (let at = from; ;) {
    const entries = await readdir(at, { withFileTypes: true });
    const entry = entries.find(({ name }) => !name.startsWith("."));
    if (entry === undefined) return at;
    at = join(at, entry.name);
    if (!entry.isDirectory()) return at;
  }
}

const READ = [["backups", "verify"], ["drill"], ["restore", "here", "--all"]];
const WRITE = [["audit"], ["report", "--json"], ["restore", "here", "--all"]];
const LOOK = [["audit"], ["doctor"]];

/** Where it lies, and the commands that look there. */
const PLACES: Readonly<Record<string, readonly [() => Promise<string>, readonly string[][]]>> = {
  "the backups": [async () => join(folder, "backups"), [["audit"], ...READ]],
  "a cluster's backups": [() => newest("backups"), [["audit"], ...READ]],
  "a backup": [() => deepest(join(folder, "backups")), READ],
  "the states": [async () => join(folder, "state"), WRITE],
  "a cluster's state": [() => newest("state"), WRITE],
  "a revision of a state": [() => deepest(join(folder, "state")), WRITE],
  "the configuration": [async () => join(folder, "certkeep.yaml"), LOOK],
  "an issuer's anchors": [async () => join(folder, "anchors.pem"), LOOK],
  "the identity": [async () => join(folder, "identity"), [["drill"], ["doctor"]]],
  "the kubeconfig": [async () => join(folder, "kubeconfig"), LOOK],
  "a kubeconfig's authority": [async () => join(folder, "ca.pem"), LOOK],
  "a kubeconfig's token": [async () => join(folder, "token"), LOOK],
  "the registrations": [async () => join(folder, "clusters"), [["clusters"], ...LOOK]],
  "a registration": [async () => join(folder, "clusters", "prod.yaml"), [["clusters"], ...LOOK]],
};

/** A folder in which an audit succeeded. */
async function prepare(): Promise<void> {
  const kubeconfig = parse(world.sandbox.kubeconfig({ context: "here" })) as {
    clusters: { cluster: Record<string, string> }[];
    users: { user: Record<string, string> }[];
  };
  const [cluster, user] = [kubeconfig.clusters[0]?.cluster ?? {}, kubeconfig.users[0]?.user ?? {}];
  await writeFile(
    join(folder, "ca.pem"),
    Buffer.from(cluster["certificate-authority-data"] ?? "", "base64"),
  );
  await writeFile(join(folder, "token"), user["token"] ?? "");
  delete cluster["certificate-authority-data"];
  delete user["token"];
  cluster["certificate-authority"] = "ca.pem";
  user["tokenFile"] = "token";
  await writeFile(join(folder, "kubeconfig"), JSON.stringify(kubeconfig), { mode: 0o600 });
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
  world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
  await certkeep(["audit", "--config", "certkeep.yaml"]);
}

beforeAll(async () => {
  world = await startWorld();
  root = await mkdtemp(join(tmpdir(), "certkeep-cli-broken-"));
  folder = join(root, "prepared");
  await mkdir(folder);
  await prepare();
});
afterAll(async () => {
  await world.stop();
  await rm(root, { recursive: true, force: true });
});
beforeEach(async () => {
  folder = await mkdtemp(join(root, "run-"));
  await cp(join(root, "prepared"), folder, { recursive: true });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe.each(Object.entries(PLACES))("in place of %s", (_place, [pathOf, commands]) => {
  it.each(Object.entries(KINDS))("%s ends in words of certkeep's own", async (_kind, make) => {
    const path = await pathOf();
    await rm(path, { recursive: true, force: true });
    await mkdir(dirname(path), { recursive: true });
    await make(path);
    for (const command of commands) {
      const { code, out, err } = await certkeep([...command, "--config", "certkeep.yaml"]);
      expect([0, 1, 2, 3]).toContain(code);
      expect(`${out}${err}`).not.toMatch(/internal error|\[object|undefined|NaN/);
    }
  });
});

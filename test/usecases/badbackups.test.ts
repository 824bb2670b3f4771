/**
 * One bad thing of each kind among a store's backups: each is that backup's trouble, and stops no
 * other.
 */
import { execFileSync } from "node:child_process";
import {
  mkdir,
  mkdtemp,
  readFile,
  rename,
  rm,
  symlink,
  truncate,
  unlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { armor } from "age-encryption";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSealer } from "../../lib/adapters/age/sealer.ts";
import { createFileBlobs } from "../../lib/adapters/file/stores.ts";
import { digestOf } from "../../lib/backup/document.ts";
import { CertkeepError } from "../../lib/error.ts";
import type { BlobStore } from "../../lib/ports/stores.ts";
import { listBackups } from "../../lib/usecases/backups.ts";
import { runDrill } from "../../lib/usecases/drill.ts";
import { retireCopy } from "../../lib/usecases/drill/retire.ts";
import { moveCopies } from "../../lib/usecases/move.ts";
import { runRekey } from "../../lib/usecases/rekey.ts";
import { restoreExit } from "../../lib/usecases/restore/context.ts";
import { changeState } from "../../lib/usecases/states.ts";
import { watchFileSystem } from "../adapters/file/watched.ts";
import { createMemoryBlobs } from "../support/memory.ts";
import { outcomes, restore, tlsSecret } from "../support/restoring.ts";
import { startWorld, type World } from "../support/world.ts";

const KINDS = [
  "fifo",
  "folder",
  "huge",
  "larger",
  "link",
  "recipients",
  "text",
  "unreadable",
] as const;
type Kind = (typeof KINDS)[number];
/**
 * A folder in a backup's place holds nothing to list: what is recorded there is asked for by name.
 */
const LISTED = KINDS.filter((kind) => kind !== "folder");
const GOOD = ["good0", "good1"];
/** Kinds that can't be read, or not opened in bounded time; the others are damaged. */
const UNREADABLE: ReadonlySet<Kind> = new Set([
  "fifo",
  "folder",
  "huge",
  "larger",
  "link",
  "unreadable",
]);

let world: World;
let folder: string;
let backups: BlobStore;
beforeEach(async () => {
  world = await startWorld();
  folder = await mkdtemp(join(tmpdir(), "certkeep-bad-"));
  backups = createFileBlobs(folder);
});
afterEach(async () => {
  await world.stop();
  await rm(folder, { recursive: true });
});

const audit = () => world.audit({ ports: { backups } });

async function keyOf(secret: string): Promise<string> {
  const found = Object.values((await world.state()).copies).find((copy) => copy.secret === secret);
  if (found === undefined) throw new Error(`no backup of ${secret}`);
  return found.key;
}

/** The recorded backup, sealed for 40,000 besides: digests fit, so that only opening it tells. */
async function forMany(secret: string): Promise<void> {
  const path = join(folder, await keyOf(secret));
  const document = JSON.parse(await readFile(path, "utf8")) as {
    header: Record<string, unknown>;
    sealed: string;
  };
  const [head, ...rest] = Buffer.from(armor.decode(document.sealed))
    .toString("latin1")
    .split("\n---");
  const stanzas = `\n-> X25519 ${"A".repeat(43)}\n${"A".repeat(43)}`.repeat(40_000);
  document.sealed = armor.encode(
    Buffer.from([`${head}${stanzas}`, ...rest].join("\n---"), "latin1"),
  );
  const digest = digestOf(document.sealed);
  document.header["digest"] = digest;
  await writeFile(path, JSON.stringify(document));
  await changeState(world.states, "prod", "prod", "", (state) => ({
    ...state,
    copies: Object.fromEntries(
      Object.entries(state.copies).map(([version, copy]) => [
        version,
        copy.secret === secret ? { ...copy, digest } : copy,
      ]),
    ),
  }));
}

async function spoil(kind: Kind): Promise<void> {
  const path = join(folder, await keyOf(kind));
  if (kind === "recipients") return forMany(kind);
  if (kind === "text") return writeFile(path, "no backup");
  if (kind === "huge") return truncate(path, 600e6);
  if (kind === "larger") return truncate(path, 3e9);
  if (kind === "unreadable") return;
  await unlink(path);
  if (kind === "fifo") execFileSync("/usr/bin/env", ["mkfifo", path]);
  else if (kind === "folder") await mkdir(path);
  else await symlink("/etc/hostname", path);
}

/** A Secret for each kind and two good ones, all backed up; then the backups are spoiled. */
async function prepare(): Promise<void> {
  for (const name of [...GOOD, ...KINDS])
    world.put(tlsSecret("shop", name, world.issue([`${name}.example.com`])));
  expect((await audit()).clusters.map(({ complete }) => complete)).toEqual([true]);
  await Promise.all(KINDS.map(spoil));
  const denied = watchFileSystem(async (call) => {
    if (call.name === "open" && String(call.args[0]).includes("/unreadable/"))
      throw Object.assign(new Error("denied"), { code: "EACCES" });
    return call.effect();
  });
  backups = createFileBlobs(folder, { fileSystem: denied });
}

describe("one bad backup of each kind", () => {
  it("stops no other in a restore of all, which says what is missing and ends with 3", async () => {
    await prepare();
    for (const name of [...GOOD, ...KINDS]) world.sandbox.remove("shop", name);
    await audit();
    const report = await restore(world, { all: true }, { restorePorts: { backups } });
    expect(outcomes(report)).toEqual(
      [
        ...GOOD.map((name) => `${name}.example.com restore done secret_absent`),
        ...KINDS.map(
          (kind) =>
            `${kind}.example.com refuse refused ` +
            `${UNREADABLE.has(kind) ? "copy_unreadable" : "copy_damaged"}`,
        ),
      ].toSorted(),
    );
    expect(restoreExit(report, false)).toBe(3);
  });

  it("is found by a drill, which opens the others", async () => {
    await prepare();
    const report = await runDrill(
      {
        ...world.ports(),
        backups,
        opener: world.opener,
        recipientsFor: () => [world.recipient],
        remove: true,
      },
      [],
    );
    expect(report.problems).toEqual([]);
    const found = report.copies.map(
      ({ key, verdict, code }) => `${key.split("/")[2]} ${verdict} ${code}`,
    );
    expect(found.toSorted()).toEqual(
      [
        ...GOOD.map((name) => `${name} good null`),
        ...KINDS.map(
          (kind) =>
            `${kind} unreadable ${UNREADABLE.has(kind) ? "copy_unreadable" : "copy_damaged"}`,
        ),
      ].toSorted(),
    );
    expect(report.findings).toHaveLength(KINDS.length);
    expect((await world.state()).drill?.unreadable).toHaveLength(KINDS.length);
  });

  it("is listed with its problem beside the others", async () => {
    await prepare();
    const { copies, problems } = await listBackups({ ...world.ports(), backups }, []);
    expect(problems).toEqual([]);
    const bad = copies.filter(({ problem }) => problem !== null);
    expect(bad.map(({ key, problem }) => `${key.split("/")[2]} ${problem?.code}`)).toEqual(
      LISTED.filter((kind) => kind !== "recipients").map(
        (kind) => `${kind} ${UNREADABLE.has(kind) ? "unreadable" : "not_json"}`,
      ),
    );
    expect(copies).toHaveLength(LISTED.length + GOOD.length);
  });

  it("keeps an audit from nothing but that one", async () => {
    await prepare();
    world.put(tlsSecret("shop", "later", world.issue(["later.example.com"])));
    const { clusters } = await audit();
    const missing = clusters.flatMap(({ findings }) =>
      findings.filter(({ code }) => code === "backup_missing").map(({ subject }) => subject.secret),
    );
    // What can't be a backup is seen in the listing; what a file holds, a drill finds.
    expect(missing.toSorted()).toEqual(["fifo", "folder", "link"]);
    expect(await backups.read(await keyOf("later"))).not.toBeNull();
  });

  it("is left by a rekey and a move, which do the others", async () => {
    await prepare();
    const { copies } = await runRekey(
      {
        ...world.ports(),
        backups,
        opener: world.opener,
        sealer: createSealer(),
        recipientsFor: () => [world.recipient],
      },
      [],
      false,
    );
    const count = (outcome: string): number =>
      copies.filter((copy) => copy.outcome === outcome).length;
    // Sealed for nobody else, by what its header says.
    expect([count("current"), count("failed")]).toEqual([GOOD.length + 1, LISTED.length - 1]);
    const moved = await moveCopies(
      { ...world.ports(), from: backups, to: createMemoryBlobs() },
      [],
      false,
    );
    expect(moved.filter(({ outcome }) => outcome === "moved")).toHaveLength(GOOD.length + 1);
    expect(moved.filter(({ outcome }) => outcome === "failed")).toHaveLength(LISTED.length - 1);
  });
});

describe("a folder that can't be looked into", () => {
  async function linked(): Promise<string> {
    world.put(
      tlsSecret("shop", "web", world.issue(["web.example.com"])),
      tlsSecret("other", "web", world.issue(["other.example.com"])),
    );
    await world.audit({ ports: { backups } });
    const key = Object.values((await world.state()).copies).find(
      ({ namespace }) => namespace === "shop",
    )?.key;
    const shop = dirname(dirname(join(folder, key ?? "")));
    await rename(shop, `${folder}.moved`);
    await symlink(`${folder}.moved`, shop);
    backups = createFileBlobs(folder);
    return shop;
  }
  afterEach(() => rm(`${folder}.moved`, { recursive: true, force: true }));

  it("is a problem of its own, and what is recorded below it is unreadable, not missing", async () => {
    const shop = await linked();
    const listed = await listBackups({ ...world.ports(), backups }, []);
    expect(listed.copies.map(({ header }) => header?.namespace)).toEqual(["other"]);
    expect(listed.problems.map(({ message }) => message)).toEqual([
      expect.stringContaining(`${shop}: the store holds a symbolic link`),
    ]);
    const report = await runDrill(
      {
        ...world.ports(),
        backups,
        opener: world.opener,
        recipientsFor: () => [world.recipient],
        remove: true,
      },
      [],
    );
    expect(report.copies.map(({ verdict, code }) => `${verdict} ${code}`).toSorted()).toEqual([
      "good null",
      "unreadable copy_unreadable",
    ]);
    expect(report.problems).toHaveLength(1);
  });

  it("keeps nobody from retiring a backup, and a purge says that it didn't look there", async () => {
    await linked();
    const [version = ""] = Object.entries((await world.state()).copies).find(
      ([, { namespace }]) => namespace === "other",
    ) ?? [""];
    const retired = await retireCopy(version, "leaked", true, { ...world.ports(), backups });
    expect(retired.purgeNote).toContain("could not be looked into");
    expect(retired.clusters).toEqual(["prod"]);
  });
});

describe("a store that fails", () => {
  const failing = (failures: number): BlobStore => {
    let left = failures;
    return {
      ...world.backups,
      read: async (key) => {
        if ((left -= 1) < 0) return world.backups.read(key);
        throw new CertkeepError("store_unavailable", { where: key, found: "no connection" });
      },
    };
  };
  const drill = (store: BlobStore) =>
    runDrill(
      {
        ...world.ports(),
        backups: store,
        opener: world.opener,
        recipientsFor: () => [world.recipient],
        remove: true,
      },
      [],
    );
  beforeEach(async () => {
    for (let at = 0; at < 12; at += 1)
      world.put(tlsSecret("shop", `s${at}`, world.issue([`s${at}.example.com`])));
    await world.audit();
  });

  it("for one backup stops no other, and a drill takes it for not looked at", async () => {
    const report = await drill(failing(1));
    expect(report.copies.map(({ verdict }) => verdict)).toEqual(
      Array.from({ length: 11 }, () => "good"),
    );
    expect(report.problems.map(({ code }) => code)).toEqual(["store_unavailable"]);
    expect(report.findings).toEqual([]);
    expect((await listBackups({ ...world.ports(), backups: failing(1) }, [])).copies).toHaveLength(
      12,
    );
  });

  it("again and again ends the run", async () => {
    await expect(drill(failing(99))).rejects.toMatchObject({ code: "store_unavailable" });
  });
});

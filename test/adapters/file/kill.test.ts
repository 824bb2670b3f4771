/**
 * A process killed at any call of the file system loses nothing and leaves nothing that a reader
 * takes for whole; the next run completes it.
 */
import { spawn } from "node:child_process";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  createFileBlobs,
  createFileStates,
  KEPT_REVISIONS,
} from "../../../lib/adapters/file/stores.ts";
import type { FileSystem } from "../../../lib/adapters/file/system.ts";
import { callsOf, dyingFileSystem } from "./watched.ts";

const NEW = Buffer.alloc(100_000, "n");
const OLD = Buffer.from("old");
let folder = "";
let template = "";

/** A store with a copy and more revisions than are kept, so that a write also removes one. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "certkeep-kill-"));
  template = join(folder, "template");
  await createFileBlobs(join(template, "blobs")).create("prod/ns/secret/old.json", OLD);
  const states = createFileStates(join(template, "states"));
  let revision: string | null = null;
  for (let count = 0; count < KEPT_REVISIONS; count += 1)
    revision = await states.write("prod", '"old"', revision);
});
afterAll(() => rm(folder, { recursive: true }));

async function copyOf(name: string): Promise<string> {
  const path = join(folder, name);
  await cp(template, path, { recursive: true });
  return path;
}

async function work(path: string, fileSystem: FileSystem): Promise<void> {
  await createFileBlobs(join(path, "blobs"), { fileSystem }).create("prod/ns/secret/new.json", NEW);
  const states = createFileStates(join(path, "states"), { fileSystem });
  const stored = await states.read("prod");
  await states.write("prod", '"new"', stored?.revision ?? null);
}

/** What holds wherever the process died. */
async function expectWhole(path: string): Promise<void> {
  const blobs = createFileBlobs(join(path, "blobs"));
  const listed: string[] = [];
  for await (const entry of blobs.list("")) listed.push(`${entry.key} ${entry.sizeBytes}`);
  const created = listed.some((line) => line.includes("new.json"));
  expect(listed.toSorted()).toEqual([
    ...(created ? ["prod/ns/secret/new.json 100000"] : []),
    "prod/ns/secret/old.json 3",
  ]);
  const read = await blobs.read("prod/ns/secret/new.json");
  expect(read === null ? null : Buffer.from(read).equals(NEW)).toBe(created ? true : null);
  expect(Buffer.from((await blobs.read("prod/ns/secret/old.json")) ?? []).equals(OLD)).toBe(true);
  const states = createFileStates(join(path, "states"));
  const state = await states.read("prod");
  expect(['"old"', '"new"']).toContain(state?.text);

  // The next run completes it.
  expect(await blobs.create("prod/ns/secret/new.json", NEW)).toBe(created ? "exists" : "created");
  expect(await states.write("prod", '"next"', state?.revision ?? null)).not.toBeNull();
  expect((await states.read("prod"))?.text).toBe('"next"');
}

test("at every call, none after it taking effect", async () => {
  const calls = await callsOf(async (fileSystem) => work(await copyOf("counted"), fileSystem));
  expect(calls).toEqual(
    expect.arrayContaining([
      "open",
      "handle.writeFile",
      "handle.sync",
      "link",
      "unlink",
      "readdir",
    ]),
  );
  for (let nth = 1; nth <= calls.length; nth += 1) {
    for (const half of calls[nth - 1] === "handle.writeFile" ? [false, true] : [false]) {
      const path = await copyOf(`dying-${nth}-${half}`);
      await work(path, dyingFileSystem(nth, half)).catch(() => undefined);
      await expectWhole(path);
    }
  }
});

test("by SIGKILL at every call that writes", { timeout: 120_000 }, async () => {
  const calls = await callsOf(async (fileSystem) => work(await copyOf("counted-2"), fileSystem));
  const deaths = calls.flatMap((name, index) => {
    if (name === "handle.writeFile")
      return [[index + 1, "whole"] as const, [index + 1, "half"] as const];
    return ["handle.sync", "link", "unlink"].includes(name) ? [[index + 1, "whole"] as const] : [];
  });
  const die = async ([nth, how]: readonly [number, string]): Promise<void> => {
    const path = await copyOf(`killed-${nth}-${how}`);
    const victim = fileURLToPath(new URL("./victim.ts", import.meta.url));
    const child = spawn(
      process.execPath,
      [victim, join(path, "blobs"), join(path, "states"), String(nth), how],
      { stdio: "ignore" },
    );
    const signal = await new Promise((resolve) => {
      child.once("exit", (_, by) => resolve(by));
    });
    expect(signal).toBe("SIGKILL");
    await expectWhole(path);
  };
  expect(deaths.length).toBeGreaterThan(8);
  for (let at = 0; at < deaths.length; at += 4)
    await Promise.all(deaths.slice(at, at + 4).map(die));
});

/**
 * What is particular to backups in a folder: modes, links, leftovers, and what a disk can do wrong.
 */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import {
  access,
  appendFile,
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MAX_DOCUMENT_BYTES } from "../../../lib/backup/document.ts";
import { createFileBlobs } from "../../../lib/adapters/file/stores.ts";
import { SWEEP_AFTER_MS } from "../../../lib/adapters/file/folder.ts";
import { CertkeepError } from "../../../lib/error.ts";
import type { BlobStore } from "../../../lib/ports/stores.ts";
import { callsOf, failingFileSystem, watchFileSystem } from "./watched.ts";

const KEY = "prod/ns/secret/v.json";
const DOCUMENT = Buffer.from("document");
let folder = "";
let root = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "certkeep-blobs-"));
  root = join(folder, "store");
});
afterEach(async () => {
  for (const server of servers.splice(0)) server.close();
  await rm(folder, { recursive: true });
});

const servers: Server[] = [];

async function listen(path: string): Promise<void> {
  const server = createServer();
  servers.push(server);
  server.listen(path);
  await once(server, "listening");
}

async function keysOf(store: BlobStore): Promise<readonly string[]> {
  const keys: string[] = [];
  for await (const entry of store.list("")) if (entry.trouble === undefined) keys.push(entry.key);
  return keys.toSorted();
}

/** What is listed with trouble, by key. */
async function troublesOf(store: BlobStore): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {};
  for await (const { key, trouble } of store.list(""))
    if (trouble !== undefined) found[key] = trouble.message;
  return found;
}

async function errorOf(promise: Promise<unknown>): Promise<CertkeepError> {
  const error: unknown = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof CertkeepError) return error;
  throw new Error(`not an error of the project: ${String(error)}`);
}

test("files are 0600 and folders 0700, and no temporary file is left", async () => {
  await createFileBlobs(root).create(KEY, DOCUMENT);
  expect((await lstat(join(root, KEY))).mode & 0o777).toBe(0o600);
  for (const path of [
    root,
    join(root, "prod"),
    join(root, "prod/ns"),
    join(root, "prod/ns/secret"),
    join(root, ".tmp"),
  ]) {
    expect((await lstat(path)).mode & 0o777).toBe(0o700);
  }
  expect(await readdir(join(root, ".tmp"))).toEqual([]);
  expect((await lstat(join(root, KEY))).nlink).toBe(1);
});

test("the file is the document as it was given, where its key says", async () => {
  await createFileBlobs(root).create(KEY, DOCUMENT);
  expect(await readFile(join(root, KEY), "utf8")).toBe("document");
});

test("a document counts only after the file, and the folder it is in, are on the disk", async () => {
  const calls = await callsOf((fileSystem) =>
    createFileBlobs(root, { fileSystem }).create(KEY, DOCUMENT),
  );
  const write = calls.indexOf("handle.writeFile");
  const link = calls.indexOf("link");
  expect(calls.slice(write, link)).toEqual(["handle.writeFile", "handle.sync", "handle.close"]);
  expect(calls.slice(link)).toEqual(["link", "unlink", "open", "handle.sync", "handle.close"]);
});

test("listing makes no folder and leaves what isn't a key alone", async () => {
  const store = createFileBlobs(root);
  expect(await keysOf(store)).toEqual([]);
  await expect(access(root)).rejects.toThrow("ENOENT");
  await store.create(KEY, DOCUMENT);
  await writeFile(join(root, ".DS_Store"), "x");
  await writeFile(join(root, "prod", "notes~"), "x");
  await mkdir(join(root, "lost+found"));
  await writeFile(join(root, ".tmp", "123-left"), "half");
  expect(await keysOf(store)).toEqual([KEY]);
});

test("temporaries of killed processes are swept once they are old, and not before", async () => {
  await createFileBlobs(root).create(KEY, DOCUMENT);
  const left = join(root, ".tmp", "123-left");
  await writeFile(left, "half");
  await createFileBlobs(root).create("prod/ns/secret/v2.json", DOCUMENT);
  expect(await readFile(left, "utf8")).toBe("half");
  const past = new Date(Date.now() - SWEEP_AFTER_MS - 1000);
  await utimes(left, past, past);
  await createFileBlobs(root).create("prod/ns/secret/v3.json", DOCUMENT);
  await expect(access(left)).rejects.toThrow("ENOENT");
});

test("a folder removed under a running process is made again", async () => {
  const store = createFileBlobs(root);
  await store.create(KEY, DOCUMENT);
  await rm(root, { recursive: true });
  expect(await store.create("prod/ns/secret/v2.json", DOCUMENT)).toBe("created");
  expect(await keysOf(store)).toEqual(["prod/ns/secret/v2.json"]);
});

describe("symbolic links inside the store are not followed", () => {
  test("a folder that leads outside", async () => {
    await mkdir(join(folder, "outside", "ns", "secret"), { recursive: true });
    await writeFile(join(folder, "outside", "ns", "secret", "v.json"), "secret of somebody");
    await mkdir(root);
    await symlink(join(folder, "outside"), join(root, "prod"));
    const store = createFileBlobs(root);
    const attempts = (): Promise<unknown>[] => [
      store.read(KEY),
      store.create("prod/ns/secret/w.json", DOCUMENT),
      store.remove(KEY),
    ];
    // At once, since one call must not take another's unfinished look at a folder for a good one;
    // and again.
    for (const round of [1, 2]) {
      const outcomes = await Promise.allSettled(attempts());
      expect(
        outcomes.map((outcome) =>
          outcome.status === "rejected" && outcome.reason instanceof CertkeepError
            ? outcome.reason.code
            : `${round}: none`,
        ),
      ).toEqual(Array.from({ length: 3 }, () => "store_damaged"));
    }
    await createFileBlobs(root).create("other/ns/secret/v.json", DOCUMENT);
    expect(await keysOf(store)).toEqual(["other/ns/secret/v.json"]);
    expect((await troublesOf(store))["prod"]).toContain("symbolic link");
    expect((await errorOf(store.read(KEY))).message).toContain(join(root, "prod"));
    expect(await readdir(join(folder, "outside", "ns", "secret"))).toEqual(["v.json"]);
  });

  test("a file that leads outside", async () => {
    await writeFile(join(folder, "outside"), "secret of somebody");
    await mkdir(join(root, "prod/ns/secret"), { recursive: true });
    await symlink(join(folder, "outside"), join(root, KEY));
    const store = createFileBlobs(root);
    expect((await errorOf(store.read(KEY))).message).toContain("symbolic link");
    expect((await troublesOf(store))[KEY]).toContain("symbolic link");
    expect(await keysOf(store)).toEqual([]);
    expect(await store.create(KEY, DOCUMENT)).toBe("exists");
    expect(await readFile(join(folder, "outside"), "utf8")).toBe("secret of somebody");
  });

  test("the store's own folder may be one", async () => {
    await mkdir(join(folder, "real"));
    await symlink(join(folder, "real"), root);
    await createFileBlobs(root).create(KEY, DOCUMENT);
    expect(await keysOf(createFileBlobs(root))).toEqual([KEY]);
  });
});

describe("what is no file of a backup's size", () => {
  const BAD = "prod/ns/secret/bad.json";
  const path = (): string => join(root, BAD);
  const TOO_LARGE = MAX_DOCUMENT_BYTES + 1;

  async function sparse(sizeBytes: number): Promise<void> {
    await writeFile(path(), "");
    await truncate(path(), sizeBytes);
  }

  test.each([
    [
      "a FIFO",
      () => execFileSync("/usr/bin/env", ["mkfifo", path()]),
      "a FIFO is where a file must be",
    ],
    ["a folder", () => mkdir(path()), "a folder is where a file must be"],
    ["a socket", () => listen(path()), "a socket"],
    ["a link", () => symlink("/etc/hostname", path()), "a symbolic link"],
    [
      "600 MB",
      () => sparse(600e6),
      `the file has ${600e6} bytes; the limit is ${MAX_DOCUMENT_BYTES}`,
    ],
    ["3 GB", () => sparse(3e9), `the file has ${3e9} bytes; the limit is ${MAX_DOCUMENT_BYTES}`],
    ["one byte too many", () => sparse(TOO_LARGE), `the file has ${TOO_LARGE} bytes`],
  ])("%s is refused at once, and named", async (_name, make, words) => {
    const store = createFileBlobs(root);
    await store.create(KEY, DOCUMENT);
    await make();
    const error = await errorOf(store.read(BAD));
    expect([error.code, error.message]).toEqual(["store_damaged", expect.stringContaining(words)]);
    expect(error.message).toContain(path());
    expect(await keysOf(store)).toContain(KEY);
    expect(await store.read(KEY)).not.toBeNull();
  });

  test(
    "a FIFO, a socket and a link are listed with their trouble; a folder that can't be listed, " +
      "too",
    async () => {
      const store = createFileBlobs(root);
      await store.create(KEY, DOCUMENT);
      await store.create("shut/ns/secret/v.json", DOCUMENT);
      execFileSync("/usr/bin/env", ["mkfifo", path()]);
      await symlink("/etc/hostname", join(root, "prod/ns/link"));
      const shut = watchFileSystem(async (call) => {
        if (call.name === "readdir" && call.args[0] === join(root, "shut/ns"))
          throw Object.assign(new Error("denied"), { code: "EACCES" });
        return call.effect();
      });
      const again = createFileBlobs(root, { fileSystem: shut });
      expect(await keysOf(again)).toEqual([KEY]);
      const troubles = await troublesOf(again);
      expect(Object.keys(troubles).toSorted()).toEqual(["prod/ns/link", BAD, "shut/ns"].toSorted());
      expect(troubles["shut/ns"]).toContain("permission denied");
    },
  );

  test("a file is read whole up to what a document may have, and one that grows is refused", async () => {
    const store = createFileBlobs(root);
    const whole = Buffer.alloc(MAX_DOCUMENT_BYTES, "d");
    await store.create(KEY, whole);
    expect(whole.equals((await store.read(KEY)) ?? Buffer.alloc(0))).toBe(true);
    const lying = watchFileSystem(async (call) => {
      const result = await call.effect();
      if (call.name !== "handle.stat") return result;
      await appendFile(join(root, KEY), "more");
      return result;
    });
    const error = await errorOf(createFileBlobs(root, { fileSystem: lying }).read(KEY));
    expect([error.code, error.message]).toEqual([
      "store_damaged",
      expect.stringContaining("grows while it is read"),
    ]);
  });

  test.each([
    ["EACCES", "file_unreadable"],
    ["EIO", "file_unreadable"],
    ["EWHATEVER", "file_unreadable"],
    ["EMFILE", "store_unavailable"],
  ])("%s at a read is trouble of %s", async (code, expected) => {
    await createFileBlobs(root).create(KEY, DOCUMENT);
    const failing = watchFileSystem(async (call) => {
      if (call.name === "open") throw Object.assign(new Error(code), { code });
      return call.effect();
    });
    const error = await errorOf(createFileBlobs(root, { fileSystem: failing }).read(KEY));
    expect(error.code).toBe(expected);
  });
});

describe("what a disk can do wrong is told plainly, and damages nothing", () => {
  test("a file where the store's folder should be", async () => {
    await writeFile(root, "a file");
    const store = createFileBlobs(root);
    for (const call of [
      () => store.create(KEY, DOCUMENT),
      () => store.read(KEY),
      () => keysOf(store),
    ]) {
      const error = await errorOf(call());
      expect(error.code).toBe("store_unavailable");
      expect(error.message).toContain(root);
    }
  });

  test("a file where a folder of it should be", async () => {
    await mkdir(root);
    await writeFile(join(root, "prod"), "a file");
    const error = await errorOf(createFileBlobs(root).create(KEY, DOCUMENT));
    expect(error.message).toContain("a file is where a folder must be");
  });

  test.each([
    ["ENOSPC", "store_full", "no space is left"],
    ["EDQUOT", "store_full", "quota"],
    ["EACCES", "store_unavailable", "permission denied"],
    ["EROFS", "store_unavailable", "read-only"],
    ["EIO", "store_unavailable", "input or output error"],
    ["ENOTSUP", "store_unavailable", "no hard links"],
    ["EWHATEVER", "store_unavailable", "EWHATEVER"],
  ])("%s at any call of a write", async (code, expected, words) => {
    const calls = await callsOf((fileSystem) =>
      createFileBlobs(join(folder, "counted"), { fileSystem }).create(KEY, DOCUMENT),
    );
    for (let nth = 1; nth <= calls.length; nth += 1) {
      const path = join(folder, `failing-${nth}`);
      const outcome = await createFileBlobs(path, { fileSystem: failingFileSystem(nth, code) })
        .create(KEY, DOCUMENT)
        .catch((error: unknown) => error);
      // What can't be swept or can't be unlinked isn't worth a failure; some network disks can't
      // sync a folder.
      const ignored =
        ["unlink", "readdir"].includes(calls[nth - 1] ?? "") ||
        (code === "ENOTSUP" && calls[nth - 1] === "handle.sync");
      expect(outcome instanceof CertkeepError ? outcome.code : outcome).toBe(
        ignored && !(outcome instanceof CertkeepError) ? "created" : expected,
      );
      const text = outcome instanceof CertkeepError ? outcome.message : `${path} ${words}`;
      expect(text).toContain(words);
      expect(text).toContain(path);
      const store = createFileBlobs(path);
      expect(["created", "exists"]).toContain(await store.create(KEY, DOCUMENT));
      expect(Buffer.from((await store.read(KEY)) ?? []).toString()).toBe("document");
      expect(await keysOf(store)).toEqual([KEY]);
    }
  });

  test("an unreadable file, an unreadable folder", async () => {
    await createFileBlobs(root).create(KEY, DOCUMENT);
    const denied = watchFileSystem(async (call) => {
      if (call.name === "open" || call.name === "readdir")
        throw Object.assign(new Error("denied"), { code: "EACCES" });
      return call.effect();
    });
    const store = createFileBlobs(root, { fileSystem: denied });
    expect((await errorOf(store.read(KEY))).message).toContain(join(root, KEY));
    expect((await errorOf(keysOf(store))).message).toContain("permission denied");
  });

  test("a copy that vanishes while the store is listed is no error", async () => {
    await createFileBlobs(root).create(KEY, DOCUMENT);
    const racing = watchFileSystem(async (call) => {
      const result = await call.effect();
      if (call.name === "readdir") await rm(join(root, KEY), { force: true });
      return result;
    });
    expect(await keysOf(createFileBlobs(root, { fileSystem: racing }))).toEqual([]);
  });
});

test("many copies at once share the syncs of their folder", async () => {
  let syncs = 0;
  const counting = watchFileSystem((call) => {
    if (call.name === "handle.sync") syncs += 1;
    return call.effect();
  });
  const store = createFileBlobs(root, { fileSystem: counting });
  await Promise.all(
    Array.from({ length: 200 }, (_, index) =>
      store.create(`prod/ns/secret/${index}.json`, DOCUMENT),
    ),
  );
  expect((await keysOf(store)).length).toBe(200);
  // One of each file; those of the folder are few.
  expect(syncs).toBeGreaterThanOrEqual(200);
  expect(syncs).toBeLessThan(320);
});

test("a store that may only be read is read", async () => {
  await createFileBlobs(root).create(KEY, DOCUMENT);
  await chmod(root, 0o500);
  expect(await keysOf(createFileBlobs(root))).toEqual([KEY]);
  await chmod(root, 0o700);
});

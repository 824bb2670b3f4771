/** What is particular to states in a folder: revisions, damage, and the way back. */
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createFileStates, KEPT_REVISIONS } from "../../../lib/adapters/file/stores.ts";
import { CertkeepError } from "../../../lib/error.ts";
import type { StateStore } from "../../../lib/ports/stores.ts";
import { emptyState, formatState } from "../../../lib/state/document.ts";
import { failingFileSystem, callsOf, watchFileSystem } from "./watched.ts";

let root = "";
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "certkeep-states-"));
});
afterEach(() => rm(root, { recursive: true }));

const TEXT = formatState(emptyState("prod", "prod", "https://127.0.0.1:6443"));

async function writeMany(store: StateStore, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const stored = await store.read("prod");
    await store.write(
      "prod",
      TEXT.replace('"title":"prod"', `"title":"${index}"`),
      stored?.revision ?? null,
    );
  }
}

async function files(): Promise<readonly string[]> {
  return (await readdir(join(root, "prod"))).toSorted();
}

async function errorOf(promise: Promise<unknown>): Promise<CertkeepError> {
  const error: unknown = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof CertkeepError) return error;
  throw new Error(`not an error of the project: ${String(error)}`);
}

test("keeps the last few revisions", async () => {
  await writeMany(createFileStates(root), KEPT_REVISIONS + 3);
  expect(await files()).toEqual([4, 5, 6, 7, 8].map((revision) => `000000000${revision}.json`));
});

test("a leftover beside the revisions is none", async () => {
  await writeMany(createFileStates(root), 1);
  await writeFile(join(root, "prod", "0000000009.json.damaged"), "x");
  await writeFile(join(root, "prod", "notes.json"), "x");
  await writeFile(join(root, "README"), "x");
  expect((await createFileStates(root).read("prod"))?.revision).toBe("1");
  expect(await createFileStates(root).names()).toEqual(["prod"]);
});

describe("a damaged newest revision", () => {
  test("cut off anywhere is told, with the file and the whole one before it", async () => {
    await writeMany(createFileStates(root), 3);
    const newest = join(root, "prod", "0000000003.json");
    const whole = await readFile(newest);
    const text = TEXT.replace('"title":"prod"', '"title":"2"');
    for (let length = 0; length < whole.length; length += 1) {
      await writeFile(newest, whole.subarray(0, length));
      // What lacks nothing but a part of its own seal is told as well, unless it lacks the whole of
      // that.
      if ([text.length - 1, text.length, text.length + 1].includes(length)) continue;
      const error = await errorOf(createFileStates(root).read("prod"));
      expect(error.code).toBe("state_damaged");
      expect(error.message).toContain(newest);
      expect(error.message).toContain("0000000002.json");
    }
  });

  test("the way back that it names works", async () => {
    await writeMany(createFileStates(root), 3);
    const newest = join(root, "prod", "0000000003.json");
    await writeFile(newest, (await readFile(newest)).subarray(0, 100));
    await errorOf(createFileStates(root).read("prod"));
    await rename(newest, `${newest}.damaged`);
    const stored = await createFileStates(root).read("prod");
    expect(stored?.text).toContain('"title":"1"');
    expect(
      await createFileStates(root).write("prod", TEXT, stored?.revision ?? null),
    ).not.toBeNull();
  });

  test("with a flipped bit anywhere is told", async () => {
    await writeMany(createFileStates(root), 1);
    const newest = join(root, "prod", "0000000001.json");
    const whole = await readFile(newest);
    const accepted: number[] = [];
    for (let at = 0; at < whole.length; at += 1) {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      await writeFile(newest, damaged);
      await createFileStates(root)
        .read("prod")
        .then(
          () => accepted.push(at),
          () => undefined,
        );
    }
    expect(accepted).toEqual([]);
  });

  test("a damaged one before it is passed over for the whole one before that; none whole is said", async () => {
    await writeMany(createFileStates(root), 3);
    await writeFile(join(root, "prod", "0000000003.json"), "{");
    await writeFile(join(root, "prod", "0000000002.json"), "");
    expect((await errorOf(createFileStates(root).read("prod"))).message).toContain(
      "0000000001.json",
    );
    await writeFile(join(root, "prod", "0000000001.json"), "x");
    expect((await errorOf(createFileStates(root).read("prod"))).message).toContain(
      "No older revision is undamaged",
    );
  });

  test("a damaged older one is in nobody's way", async () => {
    await writeMany(createFileStates(root), 3);
    await writeFile(join(root, "prod", "0000000002.json"), "");
    await writeMany(createFileStates(root), 1);
    expect((await createFileStates(root).read("prod"))?.revision).toBe("4");
  });

  test("one that a person fixed, without the last line, is taken", async () => {
    await writeMany(createFileStates(root), 1);
    const fixed = TEXT.replace('"title":"prod"', '"title":"by hand"');
    await writeFile(join(root, "prod", "0000000001.json"), fixed);
    expect((await createFileStates(root).read("prod"))?.text).toBe(fixed);
  });
});

test(
  "a writer that stood still while others wrote on does not win with a number that was free " +
    "again",
  async () => {
    const others = createFileStates(root);
    await writeMany(others, 1);
    let overtaken = false;
    const slow = createFileStates(root, {
      fileSystem: watchFileSystem(async (call) => {
        if (call.name === "link" && !overtaken) {
          overtaken = true;
          await writeMany(others, KEPT_REVISIONS + 2);
        }
        return call.effect();
      }),
    });
    const before = await others.read("prod");
    expect(await slow.write("prod", '"stale"', before?.revision ?? null)).toBeNull();
    const after = await others.read("prod");
    expect(after?.text).toContain(`"title":"${KEPT_REVISIONS + 1}"`);
    expect((await files()).length).toBe(KEPT_REVISIONS);
  },
);

test("a reader whose revision is removed while it reads starts again", async () => {
  const others = createFileStates(root);
  await writeMany(others, 1);
  let overtaken = false;
  const slow = createFileStates(root, {
    fileSystem: watchFileSystem(async (call) => {
      if (call.name === "open" && !overtaken) {
        overtaken = true;
        await writeMany(others, KEPT_REVISIONS + 1);
      }
      return call.effect();
    }),
  });
  expect((await slow.read("prod"))?.revision).toBe(String(KEPT_REVISIONS + 2));
});

test.each(["ENOSPC", "EACCES", "EROFS"])(
  "%s at any call of a write leaves a whole document",
  async (code) => {
    await writeMany(createFileStates(root), KEPT_REVISIONS);
    const write = async (store: StateStore): Promise<unknown> =>
      store.write("prod", '"new"', (await store.read("prod"))?.revision ?? null);
    const calls = await callsOf((fileSystem) => write(createFileStates(root, { fileSystem })));
    for (let nth = 1; nth <= calls.length; nth += 1) {
      const outcome = await write(
        createFileStates(root, { fileSystem: failingFileSystem(nth, code) }),
      ).catch((error: unknown) => error);
      expect(typeof outcome === "string" || outcome instanceof CertkeepError).toBe(true);
      const stored = await createFileStates(root).read("prod");
      expect(stored).not.toBeNull();
      expect(
        await createFileStates(root).write("prod", TEXT, stored?.revision ?? null),
      ).not.toBeNull();
    }
  },
);

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readFileAtMost, whyUnread } from "../../lib/adapters/readfile.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "certkeep-readfile-"));
  path = join(folder, "file");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const fifo = (): unknown => execFileSync("/usr/bin/env", ["mkfifo", path]);
const why = async (maxBytes = 10): Promise<string> =>
  readFileAtMost(path, maxBytes, { silentMs: 100 }).then(
    (bytes) => `${bytes.length} bytes`,
    whyUnread,
  );

describe("a file that somebody named", () => {
  it.each<[string, () => unknown, string]>([
    ["a file", () => writeFileSync(path, "0123456789"), "10 bytes"],
    ["an empty file", () => writeFileSync(path, ""), "0 bytes"],
    ["/dev/null", () => symlinkSync("/dev/null", path), "0 bytes"],
    ["one byte too much", () => writeFileSync(path, "0123456789a"), "is too large"],
    [
      "a disk image",
      () => {
        writeFileSync(path, "");
        truncateSync(path, 3_000_000_000);
      },
      "is too large",
    ],
    ["a device without an end", () => symlinkSync("/dev/zero", path), "is too large"],
    ["a folder", () => mkdirSync(path), "is a folder"],
    ["nothing", () => undefined, "doesn't exist"],
    ["a link to itself", () => symlinkSync(path, path), "is a symbolic link that leads to itself"],
    ["a FIFO to which nobody writes", fifo, "is a FIFO that no program writes to"],
  ])("%s", async (_name, make, told) => {
    make();
    expect(await why()).toBe(told);
  });

  it("a FIFO is read to its end, however late and slowly its writer begins", async () => {
    fifo();
    const reading = readFileAtMost(path, 10, { silentMs: 5_000 });
    await wait(50);
    const writer = await open(path, "w");
    await wait(50);
    await writer.write("01234");
    await wait(50);
    await writer.write("56789");
    await writer.close();
    expect((await reading).toString()).toBe("0123456789");
  });

  it("a FIFO whose writer says nothing isn't waited for without an end", async () => {
    fifo();
    const reading = why();
    const writer = await open(path, "w");
    expect(await reading).toBe("is a FIFO that no program writes to");
    await writer.close();
  });

  it("a FIFO whose writer doesn't end isn't taken without a bound", async () => {
    fifo();
    const reading = why();
    const writer = await open(path, "w");
    await writer.write("0123456789a");
    expect(await reading).toBe("is too large");
    await writer.close();
  });
});

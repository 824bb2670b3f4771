/**
 * Values that the configuration names: where each is read from, and what is said where it isn't.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readValue, readReference } from "../../lib/wiring/reference.ts";
import { CertkeepError } from "../../lib/error.ts";

const VALUE = "s3cret";
const denied = new CertkeepError("store_unavailable", {
  where: "x",
  found: "AccessDeniedException",
});
const secrets = {
  read: async (name: string) => {
    if (name === "denied") throw denied;
    if (name === "broken") throw new TypeError("a mistake of ours");
    return name === "there" ? VALUE : name === "blank" ? " \n" : null;
  },
};

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "certkeep-reference-"));
  writeFileSync(join(folder, "there"), VALUE);
  writeFileSync(join(folder, "blank"), "\n");
  writeFileSync(join(folder, "most"), "x".repeat(1024 * 1024));
  writeFileSync(join(folder, "more"), "x".repeat(1024 * 1024 + 1));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const read = (reference: string) =>
  readReference(reference.replace("FOLDER", folder), {
    env: { THERE: VALUE, BLANK: " " },
    secrets,
  });

describe("a reference", () => {
  it.each(["env:THERE", "file:FOLDER/there", "secretsmanager://there"])(
    "%s gives what is there",
    async (reference) => {
      const referred = await read(reference);
      expect(referred.ok && Buffer.from(referred.bytes).toString("utf8")).toBe(VALUE);
    },
  );

  it.each([
    ["env:NONE", "the environment variable is missing or empty", true],
    ["env:BLANK", "the environment variable is missing or empty", true],
    ["file:FOLDER/none", "there is no such file", true],
    ["file:FOLDER/there/none", "there is no such file", true],
    ["file:FOLDER/blank", "the file is empty", false],
    ["file:FOLDER", "the file is a folder", false],
    ["file:FOLDER/more", "the file is too large", false],
    ["secretsmanager://none", "the secret is missing or empty", true],
    ["secretsmanager://blank", "the secret is missing or empty", true],
    ["vault://there", "certkeep doesn't know this kind of reference", false],
  ])("%s: %s", async (reference, found, absent) => {
    expect(await read(reference)).toEqual({ ok: false, found, absent, error: null });
  });

  it("gives a value of the largest size, and what the keeper of secrets said", async () => {
    expect(await read("file:FOLDER/most")).toMatchObject({ ok: true });
    expect(await read("secretsmanager://denied")).toEqual({
      ok: false,
      found: "the secret can't be read (store_unavailable)",
      absent: false,
      error: denied,
    });
    await expect(read("secretsmanager://broken")).rejects.toThrow(TypeError);
  });

  it("ends reading a stream without an end", async () => {
    const endless = Readable.from(
      (function* () {
        for (;;) yield "x".repeat(65_536);
      })(),
    );
    expect(await readValue(endless)).toBeNull();
    expect(endless.destroyed).toBe(true);
  });
});

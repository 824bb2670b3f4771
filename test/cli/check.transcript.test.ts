/**
 * `certkeep check --json` is a contract: its fields, their order, its words and its exit codes are
 * those of the recorded transcript, byte for byte.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { runIn } from "../support/cli.ts";
import { readVectors } from "../certificate/vector.ts";

const CASES = [
  ["valid", "key rsa2048-65537leaf pkcs8 as PRIVATE KEY"],
  ["other", "key rsa2048-65537leaf wrong"],
  ["weak", "key rsa512-65537leaf pkcs8 as PRIVATE KEY"],
] as const;
const AT = ["--at", "2026-06-01T12:00:00Z"];
const ANCHORS = ["--anchors", "valid.roots"];

const RUNS: readonly (readonly string[])[] = [
  ["valid.crt", "valid.key", ...ANCHORS, ...AT],
  ["valid.crt", "valid.key", ...ANCHORS, "--domain", "www.example.test", ...AT],
  ["valid.crt", "valid.key", ...ANCHORS, "--domain", "other.example", ...AT],
  ["valid.crt", ...ANCHORS, ...AT],
  ["valid.crt", "valid.key", ...AT],
  ["valid.crt", "valid.key", ...ANCHORS, "--at", "2027-06-01T12:00:00Z"],
  ["other.crt", "other.key", ...ANCHORS, ...AT],
  ["weak.crt", "weak.key", ...ANCHORS, ...AT],
  ["valid.key", "valid.key", ...ANCHORS, ...AT],
  ["nothing.crt", "nothing.key", ...AT],
  ["valid.crt", "valid.key", "--nonsense"],
  ["valid.crt", "valid.key", "--at", "tomorrow"],
];

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "certkeep-transcript-"));
  const { cases } = readVectors();
  for (const [file, name] of CASES) {
    const found = cases.find((one) => one.name === name);
    if (found === undefined) throw new Error(`no vector called ${name}`);
    await writeFile(join(folder, `${file}.crt`), found.certificate);
    await writeFile(join(folder, `${file}.key`), found.key);
    await writeFile(join(folder, `${file}.roots`), found.roots);
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function transcriptOf(args: readonly string[]): Promise<string> {
  const { code, out } = await runIn(folder, ["check", ...args, "--json"], {
    columns: 80,
    nowMs: () => Date.UTC(2026, 5, 1, 12),
  });
  return `$ certkeep check ${args.join(" ")} --json\n${out}(exit ${code})\n`;
}

it("says what it always said", async () => {
  const all: string[] = [];
  for (const args of RUNS) all.push(await transcriptOf(args));
  await expect(all.join("\n")).toMatchFileSnapshot("transcripts/check.txt");
});

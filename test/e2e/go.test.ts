/**
 * The judge beside Go itself, on mutants that no one has seen before: each run takes a new seed,
 * which the failure names. Needs Go 1.26; nothing is downloaded.
 */

import { execFile } from "node:child_process";
import { randomInt } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { anchorsFromPem } from "../../lib/certificate/anchors.ts";
import { judge, type Judgement, verdictAt } from "../../lib/certificate/judge.ts";
import { parseMs } from "../../lib/certificate/time.ts";
import { Verifier } from "../../lib/certificate/verifier.ts";
import { lacksTools, requireTool } from "./support/tools.ts";

const run = promisify(execFile);
const SOURCES = join(import.meta.dirname, "../certificate/vectors");
const MUTANTS = Number(process.env["CERTKEEP_MUTANTS"] ?? 2_000);

interface Mutant {
  name: string;
  cert: string;
  key: string;
  roots: string;
  checks: [dnsName: string, at: string, valid: 0 | 1][];
  error: string;
}

async function disagreements(mutant: Mutant): Promise<string[]> {
  const pair = {
    certificate: Buffer.from(mutant.cert, "base64"),
    key: Buffer.from(mutant.key, "base64"),
  };
  const options = {
    anchors: anchorsFromPem(Buffer.from(mutant.roots, "base64")),
    verifier: new Verifier(),
  };
  const judged = new Map<string, Judgement>();
  const found: string[] = [];
  for (const [dnsName, at, valid] of mutant.checks) {
    const judgement = judged.get(dnsName) ?? (await judge(pair, { ...options, dnsName }));
    judged.set(dnsName, judgement);
    const verdict = verdictAt(judgement, parseMs(at));
    if (verdict.valid !== (valid === 1)) {
      found.push(
        `${mutant.name} for "${dnsName}" at ${at}: Go says ${valid} (${mutant.error}), judge ` +
          `${verdict.reasons}`,
      );
    }
  }
  return found;
}

describe.skipIf(lacksTools("go"))("Go's own verdicts", () => {
  let folder = "";
  let program = "";

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "certkeep-go-"));
    program = join(folder, "vectors");
    const env = { ...process.env, GOTOOLCHAIN: "local", GOFLAGS: "-mod=readonly" };
    await run(requireTool("go"), ["build", "-o", program, "."], { cwd: SOURCES, env });
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test(`${MUTANTS} new mutants`, async () => {
    const seed = randomInt(2 ** 40);
    const { stdout } = await run(program, ["-fuzz", String(MUTANTS), "-seed", String(seed)], {
      maxBuffer: 2 ** 30,
    });
    const mutants = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Mutant);
    expect(mutants).toHaveLength(MUTANTS);
    const found: string[] = [];
    for (const mutant of mutants) found.push(...(await disagreements(mutant)));
    expect(found).toEqual([]);
  });

  test("the vectors that are checked in are what the program writes", async () => {
    const { stdout } = await run(program, [], { maxBuffer: 2 ** 30 });
    // Go's version and its wording may differ between releases of 1.26; inputs and verdicts may
    // not.
    const decided = (text: string): string =>
      text.replace(/^\{"go":.*$/m, "").replace(/,"error":"(?:[^"\\]|\\.)*"/g, "");
    const checkedIn = await readFile(join(SOURCES, "../vectors.json"), "utf8");
    expect(decided(stdout) === decided(checkedIn)).toBe(true);
  });
});

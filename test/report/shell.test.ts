import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, writeFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { commandLine, fitsCommand, literal } from "../../lib/report/command.ts";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "certkeep-command-"));
  const stub = join(folder, "certkeep");
  writeFileSync(stub, '#!/bin/sh\nfor a in "$@"; do printf \'%s\\n\' "$a"; done\n');
  chmodSync(stub, 0o755);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What the stub is given when a person pastes `line` into a shell. */
function paste(line: string): string[] {
  const out = execFileSync("sh", ["-c", line], {
    cwd: folder,
    env: { PATH: `${folder}:/usr/bin:/bin` },
    encoding: "utf8",
  });
  return out.split("\n").slice(0, -1);
}

const HOSTILE = [
  "; touch owned",
  "$(touch owned)",
  "`touch owned`",
  "a b",
  "a'b",
  'a"b',
  "a\nb",
  "a&b",
  "a|b",
  "a>b",
  "~root",
  "-rf",
  "@file",
  "--apply",
  "a\u202eb",
  "!x",
  "{a,b}",
  "a\\b",
  "#x",
  "?",
  "[a]",
  "%s",
  "",
  "é",
];

describe("commands offered for pasting", () => {
  it.each(HOSTILE)("leave the name %j out", (name) => {
    expect(fitsCommand(name)).toBe(false);
    expect(commandLine(literal("certkeep restore"), "prod", name)).toBeNull();
  });

  it.each([
    "shop.tail1a2b3.ts.net",
    "tailscale/operator",
    "*.example.com",
    "a*",
    "*",
    "eks@eu-west-1",
  ])("give the shell %j as one word", (name) => {
    const line = commandLine(
      literal("certkeep restore"),
      "prod",
      name,
      literal("--all --namespace"),
      "shop",
    );
    expect(line).not.toBeNull();
    expect(paste(line ?? "")).toEqual(["restore", "prod", name, "--all", "--namespace", "shop"]);
  });

  it("whatever a name is: nothing, or that very word to a real shell", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string({
            unit: fc.constantFrom("a", "-", "*", ".", "/", "$", "'", " ", ";", "=", ":", "_"),
          }),
        ),
        (name) => {
          const line = commandLine(literal("certkeep explain"), name);
          if (line !== null) expect(paste(line)).toEqual(["explain", name]);
        },
      ),
      { numRuns: 60 },
    );
    expect(readdirSync(folder)).toEqual(["certkeep"]);
  });
});

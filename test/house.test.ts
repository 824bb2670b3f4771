/**
 * The rules of the house fire: a small project that breaks each of them once, laid out as this one
 * is and linted with this one's configuration, is told so at exactly the places that break one.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "..");
const imports = "house(import-rules)";
const globals = "eslint(no-restricted-globals)";
const sentences = "house(no-sentences)";
const walk = "house(one-walk)";
const properties = "eslint(no-restricted-properties)";

function imported(from: string): string {
  return `import { thing } from "${from}";\nexport const other = thing;\n`;
}

function returned(expression: string): string {
  return `export function other(): unknown {\n  return ${expression};\n}\n`;
}

/** What it is about, the file, its source, the one rule that it breaks. */
const broken: readonly (readonly [string, string, string, string])[] = [
  ["a pure room and the file system", "lib/certificate/a.ts", imported("node:fs"), imports],
  [
    "a pure room and a promise of files",
    "lib/certificate/b.ts",
    imported("node:fs/promises"),
    imports,
  ],
  ["a pure room and Slack's package", "lib/report/g.ts", imported("@slack/types"), imports],
  ["a pure room and an SDK", "lib/backup/a.ts", imported("@aws-sdk/client-s3"), imports],
  [
    "a pure room and an adapter",
    "lib/secret/a.ts",
    imported("../adapters/kubernetes/reader.ts"),
    imports,
  ],
  [
    "a pure room and an adapter, the long way",
    "lib/secret/b.ts",
    imported("../../lib/adapters/aws/s3.ts"),
    imports,
  ],
  [
    "a pure room and an adapter's types",
    "lib/secret/c.ts",
    'import type { T } from "../adapters/age/seal.ts";\nexport type U = T;\n',
    imports,
  ],
  [
    "a pure room and what it passes on",
    "lib/secret/d.ts",
    'export { thing } from "../usecases/audit.ts";\n',
    imports,
  ],
  [
    "a pure room and a late import",
    "lib/report/a.ts",
    'export const other = () => import("../wiring/audit.ts");\n',
    imports,
  ],
  ["a pure room and a port", "lib/issuer/a.ts", imported("../ports/clock.ts"), imports],
  [
    "a use case and an adapter",
    "lib/usecases/a.ts",
    imported("../adapters/file/stores.ts"),
    imports,
  ],
  ["a use case and the composition", "lib/usecases/b.ts", imported("../wiring/audit.ts"), imports],
  [
    "a use case in a folder and an adapter",
    "lib/usecases/audit/a.ts",
    imported("../../adapters/file/stores.ts"),
    imports,
  ],
  ["a use case and the file system", "lib/usecases/c.ts", imported("node:fs"), imports],
  [
    "an adapter and a use case",
    "lib/adapters/file/a.ts",
    imported("../../usecases/audit.ts"),
    imports,
  ],
  ["an adapter and another's folder", "lib/adapters/file/b.ts", imported("../aws/s3.ts"), imports],
  ["a port and a package", "lib/ports/a.ts", imported("@kubernetes/client-node"), imports],
  ["a command and an adapter", "lib/cli/a.ts", imported("../adapters/file/stores.ts"), imports],
  ["a function and a command", "functions/a.ts", imported("../lib/cli/main.ts"), imports],
  ["a function and the demo", "functions/b.ts", imported("../lib/demo/api.ts"), imports],
  ["the demo and an adapter", "lib/demo/a.ts", imported("../adapters/age/identity.ts"), imports],
  ["an adapter and the demo", "lib/adapters/aws/d.ts", imported("../../demo/api.ts"), imports],
  ["the stack and the composition", "stack/a.ts", imported("../lib/wiring/audit.ts"), imports],
  ["the stack and a package", "stack/b.ts", imported("@aws-sdk/client-s3"), imports],
  ["a pure room and the stack", "lib/report/e.ts", imported("../../stack/names.ts"), imports],
  ["process in the stack", "stack/c.ts", returned('process.env["HOME"]'), globals],
  ["the composition and a command", "lib/wiring/a.ts", imported("../cli/main.ts"), imports],
  ["a command and a function", "lib/cli/b.ts", imported("../../functions/audit.ts"), imports],
  [
    "the program and its tests",
    "lib/usecases/d.ts",
    imported("../../test/support/pki.ts"),
    imports,
  ],
  ["a room that isn't one", "lib/helpers/a.ts", imported("node:fs"), imports],
  ["process in a pure room", "lib/config/a.ts", returned('process.env["HOME"]'), globals],
  ["console in a pure room", "lib/report/b.ts", returned('console.log("x")'), globals],
  ["fetch in a pure room", "lib/report/c.ts", returned('fetch("x")'), globals],
  ["a timer in a pure room", "lib/report/d.ts", returned("setTimeout(other, 1)"), globals],
  ["Date.now in a pure room", "lib/ratelimit/a.ts", returned("Date.now()"), properties],
  ["Math.random in a pure room", "lib/ratelimit/b.ts", returned("Math.random()"), properties],
  ["new Date() in a pure room", "lib/ratelimit/c.ts", returned("new Date()"), "house(no-clock)"],
  ["Date() in a pure room", "lib/ratelimit/d.ts", returned("Date()"), "house(no-clock)"],
  ["the clock in a use case", "lib/usecases/k.ts", returned("Date.now()"), properties],
  [
    "a signal that goes by the clock in a use case",
    "lib/usecases/m.ts",
    returned("AbortSignal.timeout(1)"),
    properties,
  ],
  ["process in a use case", "lib/usecases/l.ts", returned('process.env["HOME"]'), globals],
  ["a default export", "lib/usecases/e.ts", "export default 1;\n", "import(no-default-export)"],
  [
    "any",
    "lib/usecases/f.ts",
    "export const other = (a: any): unknown => a;\n",
    "typescript(no-explicit-any)",
  ],
  [
    "an ignored type error",
    "lib/usecases/g.ts",
    "// @ts-ignore\nexport const other = 1;\n",
    "typescript(ban-ts-comment)",
  ],
  [
    "a walk over a state",
    "lib/report/f.ts",
    "export const other = (state: S): unknown => Object.keys(state.secrets);\n",
    walk,
  ],
  [
    "a walk over a state, by its other map",
    "lib/usecases/n.ts",
    'export const other = (known: { state: S }): unknown => known.state["lost"];\n',
    walk,
  ],
  [
    "a walk over a state that is taken apart",
    "lib/state/n.ts",
    "export const other = ({ secrets }: StateDocument): unknown => secrets;\n",
    walk,
  ],
  [
    "a walk over a state that is taken apart in passing",
    "lib/cli/n.ts",
    "export function other(state: S): unknown {\n  const { lost } = state;\n  return lost;\n}\n",
    walk,
  ],
  [
    "a sentence in a room of facts",
    "lib/finding/o.ts",
    returned('"is gone since yesterday"'),
    sentences,
  ],
  [
    "a sentence with something put in",
    "lib/restoreplan/o.ts",
    "export const other = (name: string): string => `the Secret ${name} is immutable`;\n",
    sentences,
  ],
  [
    "a command in a room of facts",
    "lib/diagnosis/o.ts",
    "export const other = (name: string): string => `certkeep restore ${name}`;\n",
    sentences,
  ],
  [
    "words that are read back",
    "lib/state/o.ts",
    'export const other = (text: string): boolean => text.includes("sealed for others");\n',
    sentences,
  ],
  ["a barrel", "lib/usecases/h.ts", 'export * from "./i.ts";\n', "oxc(no-barrel-file)"],
  [
    "a loose comparison",
    "lib/usecases/j.ts",
    "export const other = (a: number): boolean => a == 1;\n",
    "eslint(eqeqeq)",
  ],
  [
    "a test that runs alone",
    "test/a.test.ts",
    'import { expect, it } from "vitest";\nit.only("x", () => {\n  expect(1).toBe(1);\n});\n',
    "vitest(no-focused-tests)",
  ],
  [
    "a test that doesn't run",
    "test/b.test.ts",
    'import { expect, it } from "vitest";\nit.skip("x", () => {\n  expect(1).toBe(1);\n});\n',
    "vitest(no-disabled-tests)",
  ],
  [
    "a module that is mocked",
    "test/c.test.ts",
    'import { vi } from "vitest";\nvi.mock("node:fs");\n',
    "vitest(no-restricted-vi-methods)",
  ],
];

const sound: readonly (readonly [string, string, string])[] = [
  ["a pure room and another", "lib/backup/ok.ts", imported("../certificate/pem.ts")],
  ["a pure room and what it may use", "lib/certificate/ok.ts", imported("node:crypto")],
  [
    "a pure room and Slack's types",
    "lib/report/ok.ts",
    'import type { HeaderBlock } from "@slack/types";\nexport type Header = HeaderBlock;\n',
  ],
  ["a pure room and the errors", "lib/config/ok.ts", imported("../error.ts")],
  ["a pure room and a part of a small library", "lib/config/ok2.ts", imported("zod/mini")],
  [
    "a time that was given",
    "lib/ratelimit/ok.ts",
    "export const other = (atMs: number): Date => new Date(atMs);\n",
  ],
  [
    "the one file that walks over a state",
    "lib/state/secrets.ts",
    "export const other = (state: S): unknown => Object.keys(state.secrets);\n",
  ],
  [
    "names of Secrets in settings",
    "lib/usecases/ok2.ts",
    "export const other = (target: T): unknown => target.settings.secrets;\n",
  ],
  ["a sentence in the report", "lib/report/ok3.ts", returned('"is gone since yesterday"')],
  [
    "what an error says",
    "lib/finding/ok.ts",
    "export function other(): never {\n" +
      '  throw new RangeError("count 0: expected a whole number above 0");\n' +
      "}\n",
  ],
  ["a code and a name", "lib/finding/ok2.ts", returned('["secret_lost", "Let\'s Encrypt"]')],
  ["a use case and a port", "lib/usecases/ok.ts", imported("../ports/clock.ts")],
  [
    "an adapter and the world",
    "lib/adapters/file/ok.ts",
    imported("node:fs") + "export const now = (): Date => new Date();\n",
  ],
  ["an adapter and its own folder", "lib/adapters/aws/ok.ts", imported("./client.ts")],
  ["the composition and an adapter", "lib/wiring/ok.ts", imported("../adapters/file/stores.ts")],
  ["a command and the composition", "lib/cli/ok.ts", imported("../wiring/audit.ts")],
  ["a function and the composition", "functions/ok.ts", imported("../lib/wiring/audit.ts")],
  ["a function and an adapter", "functions/ok2.ts", imported("../lib/adapters/aws/queue.ts")],
  ["the stack and a pure room", "stack/ok.ts", imported("../lib/report/metrics.ts")],
  ["a test and a command", "test/ok.test.ts", imported("../lib/cli/main.ts")],
];

interface Diagnostic {
  readonly code: string;
  readonly filename: string;
}

describe("the rules of the house", () => {
  const folder = mkdtempSync(join(tmpdir(), "certkeep-house-"));
  const told = new Map<string, string[]>();

  beforeAll(() => {
    for (const file of [".oxlintrc.json", "scripts/house.ts"]) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      copyFileSync(join(root, file), join(folder, file));
    }
    for (const [, file, source] of [...broken, ...sound]) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), source);
    }
    const oxlint = join(root, "node_modules/oxlint/bin/oxlint");
    const linted = spawnSync(process.execPath, [oxlint, "-f", "json"], {
      cwd: folder,
      encoding: "utf8",
    });
    const { diagnostics } = JSON.parse(linted.stdout) as { diagnostics: Diagnostic[] };
    for (const { filename, code } of diagnostics)
      told.set(filename, [...(told.get(filename) ?? []), code]);
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it.each(broken)("stop %s", (_, file, _source, rule) => {
    expect(told.get(file)).toEqual([rule]);
  });

  it.each(sound)("let %s pass", (_, file) => {
    expect(told.get(file) ?? []).toEqual([]);
  });
});

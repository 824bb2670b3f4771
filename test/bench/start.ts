/**
 * What passes before anything is done: import of each function's bundle, beside a bundle that
 * imports the same names of the same packages and nothing of certkeep; and the command's own start.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAuthority } from "../support/pki.ts";
import { bundleFunction, bundleText, functionNames } from "../../scripts/bundle.ts";
import { measure } from "./support/measure.ts";
import { putRow } from "./support/row.ts";

const ROOT = join(import.meta.dirname, "../..");
const COMMAND = join(ROOT, "dist/cli/main.js");
const RUNS = 7;
const RATIO = 1.2;
const AIM_MS = 150;
const DAY_MS = 86_400_000;

const TIMED =
  "const begin = performance.now(); require(process.argv[1]); " +
  "process.stdout.write(String(performance.now() - begin)); process.exit(0);";

/**
 * Milliseconds of `require` alone in a fresh process; the median, since a short time has no lower
 * bound worth much.
 */
async function importMs(file: string): Promise<number> {
  const all: number[] = [];
  for (let i = 0; i < RUNS; i += 1) {
    const run = await measure(process.execPath, ["-e", TIMED, file]);
    if (run.code !== 0) throw new Error(`${file} can't be imported:\n${run.stderr}`);
    all.push(Number(run.stdout));
  }
  return all.toSorted((a, b) => a - b)[Math.floor(RUNS / 2)] ?? 0;
}

const IMPORT = /^import (?!type)([^;]*?) from "([^."][^"]*)";$|^import "([^."][^"]*)";$/gmu;

/** Source that imports from packages what these files import from them. */
function importsOf(files: readonly string[]): string {
  const lines = new Set<string>();
  let count = 0;
  for (const file of files) {
    for (const [, what, from, bare] of readFileSync(join(ROOT, file), "utf8").matchAll(IMPORT)) {
      if (bare !== undefined) lines.add(`import "${bare}";`);
      if (what === undefined || from === undefined || from.startsWith("node:")) continue;
      const names =
        /^\{(.*)\}$/su
          .exec(what)?.[1]
          ?.split(",")
          .map((name) => name.trim())
          .filter((name) => name !== "" && !name.startsWith("type ")) ?? null;
      if (names === null)
        lines.add(
          `import ${what.replace(/\w+$/u, `all${(count += 1)}`)} from "${from}"; export { ` +
            `all${count} };`,
        );
      else
        for (const name of names)
          lines.add(`export { ${name.split(" as ")[0]} as one${(count += 1)} } from "${from}";`);
    }
  }
  return [...lines].join("\n");
}

const folder = mkdtempSync(join(tmpdir(), "certkeep-bench-"));
try {
  for (const name of functionNames()) {
    const file = join(folder, `${name}.cjs`);
    const { inputs } = await bundleFunction(name, file);
    const bareFile = join(folder, `${name}-bare.cjs`);
    await bundleText(
      importsOf(
        Object.keys(inputs).filter(
          (input) => !input.includes("node_modules") && input.endsWith(".ts"),
        ),
      ),
      bareFile,
    );
    const [own, bare] = [await importMs(file), await importMs(bareFile)];
    putRow({
      what: `import of function ${name}`,
      hold: `at most ${RATIO} of its packages alone; aim ${AIM_MS} ms`,
      measured: `${Math.round(own)} ms, ${(own / bare).toFixed(2)} of ${Math.round(bare)} ms`,
      holds: own <= RATIO * bare,
    });
  }

  const now = Date.now();
  const issued = createAuthority({ name: "Bench" }).issue({
    names: ["app.example.com"],
    notBefore: new Date(now - DAY_MS),
    notAfter: new Date(now + DAY_MS),
  });
  const [certificate, key] = [join(folder, "tls.crt"), join(folder, "tls.key")];
  writeFileSync(certificate, issued.certificatePem);
  writeFileSync(key, issued.keyPem);
  for (const [what, args] of [
    ["certkeep --version", ["--version"]],
    ["certkeep check CERT KEY", ["check", certificate, key]],
  ] as const) {
    const all: number[] = [];
    for (let i = 0; i < RUNS; i += 1)
      all.push(
        (await measure(process.execPath, [COMMAND, ...args], { cwd: folder })).seconds * 1000,
      );
    const nodeAlone =
      Math.min(
        (await measure(process.execPath, ["-e", "0"])).seconds,
        (await measure(process.execPath, ["-e", "0"])).seconds,
      ) * 1000;
    putRow({
      what,
      hold: "",
      measured: `${Math.round(Math.min(...all))} ms (node alone ${Math.round(nodeAlone)} ms)`,
      holds: null,
    });
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

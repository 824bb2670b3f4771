/**
 * Runs the benchmarks, each in a process of its own so that none warms another up, and prints one
 * table with the machine and the versions. What is compared is measured in the same run.
 *
 *   npm run bench                     all of them, some minutes
 *   npm run bench -- judge memory     some of them
 *
 * Ends with 0 whatever the numbers are; a benchmark that fails to run is told, and ends it with 1.
 */
import { fork } from "node:child_process";
import { join } from "node:path";
import { bundleCommand } from "../../scripts/bundle.ts";
import { type Row, machine, note, rowText } from "./support/row.ts";

/** By name: file and arguments. */
const BENCHMARKS: Readonly<Record<string, readonly string[]>> = {
  judge: ["judge.ts"],
  "audit-p384": ["audit.ts", "P-384"],
  "audit-p256": ["audit.ts", "P-256"],
  memory: ["memory.ts"],
  loop: ["loop.ts"],
  start: ["start.ts"],
  budget: ["budget.ts"],
  restore: ["restore.ts"],
  digest: ["digest.ts"],
};

function runOne(name: string, rows: Row[]): Promise<boolean> {
  const [file = "", ...args] = BENCHMARKS[name] ?? [];
  process.stderr.write(`${name}\n`);
  return new Promise((resolve) => {
    // What it prints itself goes to standard error: standard output is the table.
    const child = fork(join(import.meta.dirname, file), args, { stdio: ["ignore", 2, 2, "ipc"] });
    child.on("message", (row) => rows.push(row as Row));
    child.once("error", () => resolve(false));
    child.once("exit", (code) => resolve(code === 0));
  });
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !Object.hasOwn(BENCHMARKS, name));
if (unknown.length > 0) {
  note(
    `no such benchmark: ${unknown.join(", ")}; there are: ${Object.keys(BENCHMARKS).join(", ")}`,
  );
  process.exitCode = 2;
} else {
  const begin = performance.now();
  await bundleCommand(join(import.meta.dirname, "../../dist/cli"));
  const rows: Row[] = [];
  const failed: string[] = [];
  for (const name of wanted.length === 0 ? Object.keys(BENCHMARKS) : wanted)
    if (!(await runOne(name, rows))) failed.push(name);
  const widths = [
    Math.max(...rows.map(({ what }) => what.length), 0),
    Math.max(...rows.map(({ hold }) => hold.length), 0),
  ] as const;
  process.stdout.write(
    `${machine()}; ${Math.round((performance.now() - begin) / 1000)} s\n` +
      `${rows.map((row) => `${rowText(row, widths)}\n`).join("")}`,
  );
  for (const name of failed) note(`failed to run: ${name}`);
  if (failed.length > 0) process.exitCode = 1;
}

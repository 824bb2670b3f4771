/**
 * Builds the command and each function, prints what they weigh, and fails where one grew past its
 * limit or has none. A limit is about a tenth above what it was when it was set: a dependency that
 * comes in unnoticed is noticed here. Raise it in the change that knows why.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { bundleCommand, bundleFunction, functionNames } from "./bundle.ts";

/** Kilobytes, minified. */
const LIMITS_KB: Readonly<Record<string, number>> = {
  "command, at start": 54,
  "command audit": 1140,
  "command check": 680,
  "command, all": 2410,
  "function audit": 1760,
  "function digest": 1340,
  "function dispatch": 1020,
  "function drill": 1360,
  "function restore": 1590,
};

interface Size {
  readonly bytes: number;
  readonly gzipBytes: number;
}

function sizeOf(files: readonly string[]): Size {
  const contents = files.map((file) => readFileSync(file));
  return {
    bytes: contents.reduce((sum, { length }) => sum + length, 0),
    gzipBytes: contents.reduce((sum, content) => sum + gzipSync(content).length, 0),
  };
}

/** The output of a source file and of the start-up file, and all that they import statically. */
function loadedBy(
  source: string,
  folder: string,
  metafile: Awaited<ReturnType<typeof bundleCommand>>,
): string[] {
  const outputs = new Map(
    Object.entries(metafile.outputs).map(([path, output]) => [
      path.slice(path.lastIndexOf("/") + 1),
      output,
    ]),
  );
  const met = new Set<string>();
  const queue = [
    "main.js",
    ...[...outputs].filter(([, { entryPoint }]) => entryPoint === source).map(([name]) => name),
  ];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (met.has(name)) continue;
    met.add(name);
    for (const one of outputs.get(name)?.imports ?? [])
      if (one.kind === "import-statement" && one.external !== true)
        queue.push(one.path.slice(one.path.lastIndexOf("/") + 1));
  }
  return [...met].map((name) => join(folder, name));
}

const folder = mkdtempSync(join(tmpdir(), "certkeep-sizes-"));
try {
  const sizes = new Map<string, Size>();
  const cli = join(folder, "cli");
  const metafile = await bundleCommand(cli);
  sizes.set("command, at start", sizeOf(loadedBy("lib/cli/main.ts", cli, metafile)));
  for (const name of ["audit", "check"])
    sizes.set(`command ${name}`, sizeOf(loadedBy(`lib/cli/${name}.ts`, cli, metafile)));
  sizes.set(
    "command, all",
    sizeOf(
      readdirSync(cli)
        .filter((name) => name.endsWith(".js"))
        .map((name) => join(cli, name)),
    ),
  );
  for (const name of functionNames()) {
    const file = join(folder, `${name}.cjs`);
    await bundleFunction(name, file);
    sizes.set(`function ${name}`, sizeOf([file]));
  }
  const kb = (bytes: number): string => `${Math.round(bytes / 1000)} kB`.padStart(8);
  for (const [name, { bytes, gzipBytes }] of sizes) {
    const limit = LIMITS_KB[name] ?? null;
    const over = limit === null || bytes > limit * 1000;
    process.stdout.write(
      `${name.padEnd(20)} ${kb(bytes)} minified ${kb(gzipBytes)} gzip   limit ` +
        `${limit === null ? "none: set one in scripts/sizes.ts" : `${limit} kB`}${over ? "   OVER" : ""}\n`,
    );
    if (over) process.exitCode = 1;
  }
  for (const name of Object.keys(LIMITS_KB).filter((known) => !sizes.has(known))) {
    process.stdout.write(
      `${name.padEnd(20)} has a limit and is not there: take it out of scripts/sizes.ts\n`,
    );
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

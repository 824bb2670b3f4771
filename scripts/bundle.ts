/**
 * How the command and the functions are bundled: one place for what is published, deployed and
 * measured.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { build, type BuildOptions, type Metafile } from "esbuild";

const ROOT = join(import.meta.dirname, "..");

/** CommonJS parts of an ESM bundle call `require`. */
const REQUIRE_BANNER =
  'import { createRequire as certkeepRequire } from "node:module"; const require = ' +
  "certkeepRequire(import.meta.url);";

const SHARED = {
  absWorkingDir: ROOT,
  bundle: true,
  minify: true,
  platform: "node",
  mainFields: ["module", "main"],
  metafile: true,
  logLevel: "warning",
} as const satisfies BuildOptions;

/** Bundles the command: one start-up file and the parts that only some commands load. */
export async function bundleCommand(outdir: string): Promise<Metafile> {
  const { metafile } = await build({
    ...SHARED,
    entryPoints: ["lib/cli/main.ts"],
    outdir,
    splitting: true,
    format: "esm",
    target: "node22",
    banner: { js: REQUIRE_BANNER },
    legalComments: "linked",
  });
  return metafile;
}

/** Names of the functions, as their files are called. */
export function functionNames(): readonly string[] {
  return readdirSync(join(ROOT, "functions"))
    .filter((name) => name.endsWith(".ts"))
    .map((name) => name.slice(0, -3))
    .toSorted();
}

/** Bundles one function as serverless.yml has it done. */
export async function bundleFunction(name: string, outfile: string): Promise<Metafile> {
  const { metafile } = await build({
    ...SHARED,
    entryPoints: [`functions/${name}.ts`],
    outfile,
    format: "cjs",
    target: "node24",
  });
  return metafile;
}

/** Bundles source text in the same way, for comparison. */
export async function bundleText(contents: string, outfile: string): Promise<void> {
  await build({
    ...SHARED,
    stdin: { contents, resolveDir: ROOT, loader: "js" },
    outfile,
    format: "cjs",
    target: "node24",
  });
}

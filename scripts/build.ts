/** Bundles the command into dist/cli: one start-up file and the parts that only some commands load. */
import { rm } from "node:fs/promises";
import { build } from "esbuild";

/** CommonJS parts of an ESM bundle call `require`. */
export const REQUIRE_BANNER = 'import { createRequire as certkeepRequire } from "node:module"; const require = certkeepRequire(import.meta.url);';

await rm("dist/cli", { recursive: true, force: true });
await build({
  entryPoints: ["lib/cli/main.ts"],
  outdir: "dist/cli",
  bundle: true,
  splitting: true,
  minify: true,
  platform: "node",
  format: "esm",
  target: "node22",
  mainFields: ["module", "main"],
  banner: { js: REQUIRE_BANNER },
  legalComments: "linked",
  logLevel: "warning",
});

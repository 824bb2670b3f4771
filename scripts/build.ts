/** Bundles the command into dist/cli. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { bundleCommand } from "./bundle.ts";

const folder = join(import.meta.dirname, "../dist/cli");
await rm(folder, { recursive: true, force: true });
await bundleCommand(folder);

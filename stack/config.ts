/** The certkeep.yaml that is packaged: a mistake in it, and what no function could follow, is told before anything is made. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseConfig } from "../lib/config/parse.ts";
import { invalidConfig } from "../lib/config/problem.ts";
import { refuseUnpackaged } from "../lib/config/remote.ts";

const NAME = "certkeep.yaml";

/** `folder`: where serverless.yml lies. @throws CertkeepError config_invalid */
export function checkConfig(folder: string): void {
  const path = join(folder, NAME);
  if (!existsSync(path)) return;
  const parsed = parseConfig(readFileSync(path, "utf8"), NAME);
  if (!parsed.ok) throw invalidConfig(NAME, parsed.problems);
  refuseUnpackaged(parsed.config, NAME);
}

/**
 * Prints docs/findings.md from the table of codes and docs/permissions.md from that of
 * capabilities: `npm run docs`. Tests compare them.
 */
import { writeFile } from "node:fs/promises";
import { findingsPage } from "../lib/report/findingspage.ts";
import { permissionsPage } from "../lib/report/permissionspage.ts";

await writeFile(new URL("../docs/findings.md", import.meta.url), findingsPage());
await writeFile(new URL("../docs/permissions.md", import.meta.url), permissionsPage());

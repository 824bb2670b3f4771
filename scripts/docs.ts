/** Prints docs/findings.md from the table of codes: `npm run docs`. A test compares the two. */
import { writeFile } from "node:fs/promises";
import { findingsPage } from "../lib/finding/page.ts";

await writeFile(new URL("../docs/findings.md", import.meta.url), findingsPage());

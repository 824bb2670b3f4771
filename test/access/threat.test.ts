/** Every claim of the threat model names a test that exists. */
import { existsSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";

const ROOT = new URL("../../", import.meta.url);
const text = readFileSync(new URL("docs/threat-model.md", ROOT), "utf8");
const shown = [...text.matchAll(/`(test\/[\w./-]+\.test\.ts)`: "([^"]+)"/g)].map(([, file = "", title = ""]) => ({ file, title }));

it("the threat model has claims", () => {
  expect(shown.length).toBeGreaterThan(25);
  // Whatever names a test names its title as well.
  expect(text.split("`test/").length - 1).toBe(shown.length);
});

it.each(shown)("$file shows: $title", ({ file, title }) => {
  const path = new URL(file, ROOT);
  expect(existsSync(path)).toBe(true);
  expect(readFileSync(path, "utf8")).toContain(JSON.stringify(title).slice(1, -1));
});

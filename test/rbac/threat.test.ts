/** Every claim of docs/security.md names a test that exists. */
import { existsSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";

const ROOT = new URL("../../", import.meta.url);
const text = readFileSync(new URL("docs/security.md", ROOT), "utf8");
const shown = [...text.matchAll(/`(test\/[\w./-]+\.test\.ts)`: "([^"]+)"/g)].map(
  ([, file = "", title = ""]) => ({ file, title }),
);

it("the security model has claims", () => {
  expect(shown.length).toBeGreaterThan(25);
  // Whatever names a test names its title as well.
  expect(text.split("`test/").length - 1).toBe(shown.length);
});

it.each(shown)("$file shows: $title", ({ file, title }) => {
  const path = new URL(file, ROOT);
  expect(existsSync(path)).toBe(true);
  // The whole title of a test, or of a row of one, not a part of it.
  const source = readFileSync(path, "utf8")
    .replaceAll(/" \+\s*"/g, "")
    .replaceAll(/\s+/g, " ");
  const quoted = JSON.stringify(title);
  expect(
    ["(", "( ", "[", "[ ", "name: "].some((before) => source.includes(`${before}${quoted}, `)),
  ).toBe(true);
});

it("every claim names a test, but for what is said to be left to people", () => {
  const bare = text
    .split(/\n(?=- |\n)/)
    .filter((block) => block.startsWith("- ") && !block.includes("`test/"));
  expect(bare.map((block) => block.replaceAll(/\s+/g, " "))).toEqual([
    "- With permission to write both states and backups, someone can have a key of theirs " +
      "restored. Keep the two apart.",
  ]);
});

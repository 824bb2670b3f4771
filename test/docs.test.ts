/** The files that docs/design.md names exist, and each of its walks can be read in one sitting. */
import { existsSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";

const ROOT = new URL("../", import.meta.url);
const text = readFileSync(new URL("docs/design.md", ROOT), "utf8");
const pathsOf = (part: string): string[] =>
  [...part.matchAll(/`((?:lib|functions|stack|test|scripts)\/[\w./-]+)`/g)].map(
    ([, path = ""]) => path,
  );

it("names files and folders that exist", () => {
  const paths = pathsOf(text);
  expect(paths.length).toBeGreaterThan(20);
  expect(paths.filter((path) => !existsSync(new URL(path, ROOT)))).toEqual([]);
});

it("walks from a cluster to Slack, and from a name to a Secret, in a dozen files at most", () => {
  const [, walks = ""] = /## Two walks\n(.*?)\n## /s.exec(text) ?? [];
  const [, ...each] = walks.split(/^\*\*/m);
  expect(each).toHaveLength(2);
  for (const walk of each) {
    expect(new Set(pathsOf(walk)).size).toBeGreaterThan(5);
    expect(new Set(pathsOf(walk)).size).toBeLessThanOrEqual(12);
  }
});

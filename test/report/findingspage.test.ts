import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { findingsPage } from "../../lib/report/findingspage.ts";

it("docs/findings.md is what the table of phrases prints (npm run docs)", () => {
  expect(readFileSync(new URL("../../docs/findings.md", import.meta.url), "utf8")).toBe(
    findingsPage(),
  );
});

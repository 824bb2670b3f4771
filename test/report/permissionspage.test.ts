import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { permissionsPage } from "../../lib/report/permissionspage.ts";

it("docs/permissions.md is what the table of capabilities prints (npm run docs)", () => {
  expect(readFileSync(new URL("../../docs/permissions.md", import.meta.url), "utf8")).toBe(
    permissionsPage(),
  );
});

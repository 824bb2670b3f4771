import { expect, test } from "vitest";
import { createCollector } from "../../../lib/adapters/kubernetes/garbage.ts";

test("collects after pages of large values, thoroughly after every 8 MB, and never after ordinary ones", () => {
  const runs: string[] = [];
  const told = createCollector((kind) => runs.push(kind));
  told(7_000_000, 500);
  told(99_999, 1);
  told(5_000_000, 0);
  expect(runs).toEqual([]);
  for (const bytes of [4_000_000, 3_999_999, 1_000_000, 7_000_000]) told(bytes, 2);
  expect(runs).toEqual(["minor", "minor", "major", "minor"]);
});

test("V8's own collector can be had", () => {
  expect(() => createCollector()(9_000_000, 1)).not.toThrow();
});

import { expect, test } from "vitest";
import { createCollector, createHeapLimits } from "../../lib/adapters/heap.ts";

test(
  "collects after pages of large values, thoroughly after every 8 MB, and never after ordinary " +
    "ones",
  () => {
    const runs: string[] = [];
    const told = createCollector((kind) => runs.push(kind));
    told(7_000_000, 500);
    told(99_999, 1);
    told(5_000_000, 0);
    expect(runs).toEqual([]);
    for (const bytes of [4_000_000, 3_999_999, 1_000_000, 7_000_000]) told(bytes, 2);
    expect(runs).toEqual(["minor", "minor", "major", "minor"]);
  },
);

test("V8's own collector can be had", () => {
  expect(() => createCollector()(9_000_000, 1)).not.toThrow();
});

test("the limits hold the young generation once it has grown, and set each flag of V8 once", () => {
  const said: string[] = [];
  let young = 1024 * 1024;
  const after = createHeapLimits({ set: (flag) => said.push(flag), youngBytes: () => young });
  after();
  after();
  expect(said).toEqual(["--heap-growing-percent=30"]);
  young = 8 * 1024 * 1024;
  after();
  after();
  expect(said).toEqual(["--heap-growing-percent=30", "--semi-space-growth-factor=1"]);
});

test("V8 takes both", () => {
  const after = createHeapLimits();
  expect(after).not.toThrow();
});

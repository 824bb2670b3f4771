import { defineConfig } from "vitest/config";

// A folder for the counts as JSON beside what is printed: what .ci/run sums up.
const report = process.env["CERTKEEP_TEST_REPORT"];

export default defineConfig({
  test: {
    ...(report === undefined
      ? {}
      : { reporters: ["default", "json"], outputFile: { json: `${report}/vitest.json` } }),
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/e2e/**", "test/bench/**"],
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
});

/**
 * What holds for every function: no foreign error gets out, and its end is counted whatever it was.
 */
import { inspect } from "node:util";
import { expect, it } from "vitest";
import { CertkeepError } from "../../lib/error.ts";
import { guarded } from "../../functions/shared/run.ts";
import { keepTelemetry } from "../support/telemetry.ts";

class ForeignError extends Error {
  readonly $response = { body: "CANARY" };
}

function run(work: () => Promise<unknown>) {
  const telemetry = keepTelemetry();
  let published = 0;
  const metrics = { ...telemetry.metrics, publish: () => void (published += 1) };
  return {
    telemetry,
    published: () => published,
    ended: guarded("drill", { log: telemetry.log, metrics }, work).then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    ),
  };
}

it.each([
  ["an error", () => Promise.reject(new ForeignError("CANARY", { cause: "CANARY" }))],
  ["a text", () => Promise.reject("CANARY" as unknown as Error)],
  [
    "one that is thrown at once",
    () => {
      throw new ForeignError("CANARY");
    },
  ],
])("of %s that isn't the project's own, class and place are told", async (_, work) => {
  const { telemetry, published, ended } = run(work);
  const result = (await ended) as { error: unknown };
  expect(result.error).toMatchObject({ code: "internal" });
  expect(inspect(result, { depth: 9, showHidden: true }) + telemetry.text()).not.toContain(
    "CANARY",
  );
  expect(result.error).not.toHaveProperty("cause");
  expect([telemetry.numbers.Failures, published()]).toEqual([1, 1]);
});

it(
  "one of the project's own is told as it is; what was counted is published after a good end " +
    "too",
  async () => {
    const own = new CertkeepError("store_full", { where: "s3://x", found: "no room" });
    const bad = run(() => Promise.reject(own));
    expect(await bad.ended).toEqual({ error: own });
    expect(bad.telemetry.lines).toEqual([
      {
        level: "error",
        step: "drill failed",
        fields: { code: "store_full", problem: "s3://x: no room" },
      },
    ]);
    const good = run(async () => 7);
    expect(await good.ended).toEqual({ value: 7 });
    expect([good.telemetry.lines, good.telemetry.numbers, good.published()]).toEqual([[], {}, 1]);
  },
);

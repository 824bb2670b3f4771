/** The span of a look at certificate logs: what it says is complete has to be. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { uniteSpans } from "../../../lib/ratelimit/evidence.ts";
import { LOG_LAG_MS, spanOfLook } from "../../../lib/ratelimit/transparency.ts";

const HOUR_MS = 3_600_000;
const SHORTEST_MS = 160 * HOUR_MS;
const NOW = Date.parse("2026-11-23T12:00:00Z");

describe("the span of a look", () => {
  it("reaches back by the shortest lifetime less two hours, and ends a day and an hour ago", () => {
    expect(spanOfLook(SHORTEST_MS, NOW, NOW + 60_000)).toEqual({
      fromMs: NOW + 60_000 - 158 * HOUR_MS,
      untilMs: NOW - 25 * HOUR_MS,
    });
    expect(LOG_LAG_MS).toBe(25 * HOUR_MS);
  });

  it.each([24 * HOUR_MS, 27 * HOUR_MS])(
    "is none where certificates live no longer than logs may take (%d ms)",
    (lifetimeMs) => {
      expect(spanOfLook(lifetimeMs, NOW, NOW)).toBeNull();
    },
  );

  it(
    "holds no certificate that no look saw, however long any lives, logs lag, and looks are " +
      "apart",
    () => {
      const issued = fc.record({
        atMs: fc.integer({ min: 0, max: 1_500 }),
        lifetime: fc.integer({ min: 160, max: 2_160 }),
        lag: fc.integer({ min: 0, max: 24 }),
      });
      fc.assert(
        fc.property(
          fc.array(issued, { maxLength: 40 }),
          fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 10 }),
          (certificates, gaps) => {
            const looks = gaps.map((_, i) =>
              gaps.slice(0, i + 1).reduce((sum, gap) => sum + gap, 0),
            );
            const spans = uniteSpans(
              looks.flatMap((at) => spanOfLook(SHORTEST_MS, at * HOUR_MS, at * HOUR_MS) ?? []),
            );
            for (const { atMs: at, lifetime, lag } of certificates) {
              // An hour dated back; in the log a while later; shown until it expires.
              const seen = looks.some((look) => look >= at + lag && look < at - 1 + lifetime);
              const covered = spans.some(
                ({ fromMs, untilMs }) => fromMs <= at * HOUR_MS && at * HOUR_MS <= untilMs,
              );
              expect({ at, lifetime, lag, looks, missed: covered && !seen }).toMatchObject({
                missed: false,
              });
            }
          },
        ),
        { numRuns: 2_000 },
      );
    },
  );
});

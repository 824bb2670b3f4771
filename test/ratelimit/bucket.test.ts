/**
 * The bucket against the issuer's own code (vectors.json, made by test/e2e/boulder), and its
 * properties.
 */
import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  bucket,
  cappedTat,
  ceilMs,
  emptyAt,
  pinnedBy,
  stateOf,
} from "../../lib/ratelimit/bucket.ts";
import {
  createLimit,
  HOUR_MS,
  type Limit,
  limitProblem,
  MS_NS,
  pace,
} from "../../lib/ratelimit/limit.ts";

interface Vector {
  readonly count: number;
  readonly burst: number;
  readonly periodNs: string;
  readonly spends: readonly string[];
  readonly answers: readonly {
    at: string;
    allowed: boolean;
    remaining: number;
    retryInNs: string;
    tat: string | null;
  }[];
}
const vectors = JSON.parse(readFileSync(new URL("vectors.json", import.meta.url), "utf8")) as {
  timelines: readonly Vector[];
};

const SET = createLimit({ count: 5, periodMs: 168 * HOUR_MS });
const DOMAIN = createLimit({ count: 50, periodMs: 168 * HOUR_MS });
const hours = (h: number): bigint => BigInt(Math.round(h * HOUR_MS)) * MS_NS;

describe("the issuer's own answers", () => {
  test("there are vectors, refused ones among them", () => {
    const answers = vectors.timelines.flatMap((timeline) => timeline.answers);
    expect(answers.length).toBeGreaterThan(300);
    expect(answers.filter((answer) => !answer.allowed).length).toBeGreaterThan(30);
  });

  test.each(vectors.timelines.map((timeline, i) => ({ i, timeline })))(
    "timeline $i",
    ({ timeline }) => {
      const limit: Limit = {
        count: timeline.count,
        burst: timeline.burst,
        periodNs: BigInt(timeline.periodNs),
      };
      for (const answer of timeline.answers) {
        expect(bucket(limit, timeline.spends.map(BigInt), BigInt(answer.at))).toEqual({
          remaining: answer.remaining,
          allowed: answer.allowed,
          retryInMs: ceilMs(BigInt(answer.retryInNs)),
          tat: answer.tat === null ? null : BigInt(answer.tat),
        });
      }
    },
  );
});

describe("worked examples", () => {
  test("five of a set in four hours: denied at 5 h, free at 33.6 h, then one each 33.6 h", () => {
    const spends = [0, 1, 2, 3, 4].map(hours);
    expect(bucket(SET, spends, hours(5))).toEqual({
      remaining: 0,
      allowed: false,
      retryInMs: 102_960_000,
      tat: hours(168),
    });
    expect(bucket(SET, spends, hours(33.6) - 1n)).toMatchObject({
      remaining: 0,
      allowed: false,
      retryInMs: 1,
    });
    expect(bucket(SET, spends, hours(33.6))).toMatchObject({
      remaining: 1,
      allowed: true,
      retryInMs: 0,
    });
    expect(bucket(SET, [...spends, hours(33.6)], hours(34))).toMatchObject({
      allowed: false,
      retryInMs: 119_520_000,
    });
    expect(bucket(SET, spends, hours(168))).toMatchObject({ remaining: 5, allowed: true });
  });

  test(
    "thirty of a domain at once leave 27 after a day; after fifty the next goes at 3 h 21 min " +
      "36 s",
    () => {
      const at = hours(24);
      expect(
        bucket(
          DOMAIN,
          Array.from({ length: 30 }, () => 0n),
          at,
        ),
      ).toMatchObject({ remaining: 27, tat: hours(100.8) });
      const fifty = Array.from({ length: 50 }, () => 0n);
      const slot = BigInt(((3 * 60 + 21) * 60 + 36) * 1000) * MS_NS;
      expect(bucket(DOMAIN, fifty, slot - 1n)).toMatchObject({ allowed: false, retryInMs: 1 });
      expect(bucket(DOMAIN, fifty, slot)).toMatchObject({ allowed: true, remaining: 1 });
    },
  );

  test("the exact bucket isn't monotone, the capped one is", () => {
    const five = [33.5, 33.5, 33.5, 33.5, 33.5].map(hours);
    const six = [hours(0), ...five];
    expect(bucket(SET, five, hours(34)).remaining).toBe(0);
    expect(bucket(SET, six, hours(34)).remaining).toBe(1);
    expect(stateOf(SET, cappedTat(SET, six, hours(34)), hours(34)).remaining).toBe(0);
  });

  test("nothing known: full, and nothing stored", () => {
    expect(bucket(SET, [], 123n)).toEqual({ remaining: 5, allowed: true, retryInMs: 0, tat: null });
    expect(bucket(SET, [hours(9)], hours(8))).toEqual({
      remaining: 5,
      allowed: true,
      retryInMs: 0,
      tat: null,
    });
  });

  test("started empty, it fills one token each interval", () => {
    const start = emptyAt(SET, hours(10));
    expect(bucket(SET, [hours(1), hours(10)], hours(10), start)).toMatchObject({
      remaining: 0,
      allowed: false,
      retryInMs: 120_960_000,
    });
    expect(bucket(SET, [hours(1)], hours(10 + 67.2), start)).toMatchObject({
      remaining: 2,
      allowed: true,
    });
    expect(bucket(SET, [], hours(10 + 168), start).remaining).toBe(5);
  });
});

describe("limits that can't be computed with", () => {
  test.each([
    [{ count: 0, burst: 1, periodNs: 10n }],
    [{ count: 1, burst: 0, periodNs: 10n }],
    [{ count: 1.5, burst: 1, periodNs: 10n }],
    [{ count: Number.NaN, burst: 1, periodNs: 10n }],
    [{ count: 1, burst: 1, periodNs: 0n }],
    [{ count: 11, burst: 1, periodNs: 10n }],
  ])("%o", (limit) => {
    expect(limitProblem(limit)).not.toBeNull();
    expect(() => bucket(limit, [], 0n)).toThrow(RangeError);
  });
});

const limits = fc
  .record({
    count: fc.integer({ min: 1, max: 60 }),
    burst: fc.integer({ min: 1, max: 60 }),
    periodNs: fc.bigInt({ min: 60n, max: hours(300) }),
  })
  .filter((limit) => limitProblem(limit) === null);
/** Instants on the scale of the limit, often on its grid, so that boundaries are hit. */
const scenes = limits.chain((limit) => {
  const { intervalNs, offsetNs } = pace(limit);
  const instant = fc.oneof(
    fc.bigInt({ min: 0n, max: offsetNs * 2n }),
    fc.integer({ min: 0, max: 2 * limit.burst }).map((n) => BigInt(n) * intervalNs),
  );
  return fc.record({
    limit: fc.constant(limit),
    spends: fc.array(instant, { maxLength: 80 }),
    at: instant,
    extra: instant,
  });
});

describe("properties", () => {
  test("a wait that is told is exact: refused 1 ns before, allowed at it", () => {
    fc.assert(
      fc.property(scenes, ({ limit, spends, at }) => {
        const now = bucket(limit, spends, at);
        const before = spends.filter((spend) => spend <= at);
        const { intervalNs, offsetNs } = pace(limit);
        if (now.allowed) return now.remaining >= 1 && now.retryInMs === 0;
        const free = (now.tat as bigint) + intervalNs - offsetNs;
        return (
          !bucket(limit, before, free - 1n).allowed &&
          bucket(limit, before, free).allowed &&
          now.retryInMs === ceilMs(free - at)
        );
      }),
    );
  });

  test("order doesn't matter, what comes after doesn't count, remaining lies between 0 and burst", () => {
    fc.assert(
      fc.property(scenes, ({ limit, spends, at }) => {
        const now = bucket(limit, spends, at);
        expect(bucket(limit, spends.toReversed(), at)).toEqual(now);
        expect(
          bucket(
            limit,
            spends.filter((spend) => spend <= at),
            at,
          ),
        ).toEqual(now);
        expect(now.remaining).toBeGreaterThanOrEqual(0);
        expect(now.remaining).toBeLessThanOrEqual(limit.burst);
      }),
    );
  });

  test(
    "one more known spend never gives the capped bucket more, and it never says more than the " +
      "exact one",
    () => {
      fc.assert(
        fc.property(scenes, ({ limit, spends, at, extra }) => {
          const capped = stateOf(limit, cappedTat(limit, spends, at), at);
          const more = stateOf(limit, cappedTat(limit, [...spends, extra], at), at);
          expect(more.remaining).toBeLessThanOrEqual(capped.remaining);
          expect(more.retryInMs).toBeGreaterThanOrEqual(capped.retryInMs);
          expect(capped.remaining).toBeLessThanOrEqual(bucket(limit, spends, at).remaining);
          expect(capped.remaining).toBeGreaterThanOrEqual(0);
        }),
      );
    },
  );

  test("a later start never leaves more", () => {
    fc.assert(
      fc.property(
        scenes,
        fc.bigInt({ min: 0n, max: hours(300) }),
        ({ limit, spends, at, extra }, share) => {
          const { offsetNs } = pace(limit);
          const tatNs = extra + (share < offsetNs ? share : offsetNs);
          const from = { atNs: extra, tatNs };
          const kept = spends.filter((spend) => spend > extra);
          fc.pre(at >= extra);
          const started = stateOf(limit, cappedTat(limit, kept, at, from), at).remaining;
          expect(started).toBeLessThanOrEqual(
            stateOf(limit, cappedTat(limit, kept, at), at).remaining,
          );
          expect(started).toBeGreaterThanOrEqual(
            stateOf(limit, cappedTat(limit, kept, at, emptyAt(limit, extra)), at).remaining,
          );
        },
      ),
    );
  });

  test("a refusal's retry time, up to 3 % late and cut to seconds, bounds the TAT", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 40 * HOUR_MS }), { minLength: 5, maxLength: 9 }),
        fc.integer({ min: 0, max: 40 * HOUR_MS }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (spentMs, at, luck) => {
          const atNs = BigInt(at) * MS_NS;
          const spends = spentMs.map((ms) => BigInt(ms) * MS_NS);
          const state = bucket(SET, spends, atNs);
          fc.pre(!state.allowed && state.tat !== null);
          const { intervalNs, offsetNs } = pace(SET);
          const waitNs = (state.tat as bigint) + intervalNs - offsetNs - atNs;
          const lateNs = waitNs + BigInt(Math.floor(Number(waitNs) * 0.03 * luck));
          const shownNs = ((atNs + lateNs) / 1_000_000_000n) * 1_000_000_000n;
          const pin = pinnedBy(SET, atNs, shownNs);
          expect(pin).not.toBeNull();
          expect(pin?.earliest.tatNs).toBeLessThanOrEqual(state.tat as bigint);
          expect(pin?.latest.tatNs).toBeGreaterThanOrEqual(state.tat as bigint);
        },
      ),
    );
  });

  test("a retry time that no bucket of this limit gives pins nothing", () => {
    expect(pinnedBy(SET, hours(0), hours(34.7))).toBeNull();
    expect(pinnedBy(SET, hours(10), hours(9))).toBeNull();
    expect(pinnedBy(SET, hours(0), hours(33.6))?.latest.tatNs).toBe(hours(168));
  });
});

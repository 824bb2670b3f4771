/** Budgets against an issuer that knows everything, and what must hold whatever is known. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { allBudgets, type Budget, budgetOf } from "../../lib/ratelimit/budget.ts";
import {
  type Coverage,
  type Evidence,
  mergeEvidence,
  type Refusal,
} from "../../lib/ratelimit/evidence.ts";
import type { Issuance } from "../../lib/ratelimit/issuance.ts";
import { accountsOf, createLedger } from "../../lib/ratelimit/ledger.ts";
import { bucket } from "../../lib/ratelimit/bucket.ts";
import { createLimit, HOUR_MS, MS_NS } from "../../lib/ratelimit/limit.ts";
import { plainText } from "../../lib/report/part.ts";
import { leftText } from "../../lib/report/phrases/limits.ts";
import { createIssuer, evidence, KNOWN, LE, LIMITS, made, type Made, T0 } from "./support.ts";

const DOMAIN = "tail1.ts.net";
const at = (hours: number, parts?: Made): Issuance => made(T0 + hours * HOUR_MS, parts);
const span = (fromHours: number, untilHours: number): Coverage => ({
  source: "ct",
  cluster: null,
  issuer: LE,
  scope: { kind: "domain", key: DOMAIN },
  fromMs: T0 + fromHours * HOUR_MS,
  untilMs: T0 + untilHours * HOUR_MS,
});
const refusal = (seenHours: number, retryHours: number, key: string): Refusal => ({
  issuer: LE,
  kind: "set",
  key,
  seenAtMs: T0 + seenHours * HOUR_MS,
  retryAtMs: T0 + retryHours * HOUR_MS,
  cluster: "evil",
  where: "tailscale/ts-app-0",
  burst: 5,
});
const ofDomain = (known: Evidence, atMs: number): Budget =>
  budgetOf(createLedger(known, { limits: KNOWN }), "domain", LE, DOMAIN, atMs) as Budget;

/** A true history, and sources that each saw a part of it. */
const worlds = fc.record({
  orders: fc.array(
    fc.record({
      atMs: fc.integer({ min: 0, max: 30 * 24 }).map((h) => T0 + h * HOUR_MS),
      name: fc.constantFrom("a", "b", "c", "d", "e", "f", "g").map((n) => `${n}.tail1.ts.net`),
    }),
    { maxLength: 60 },
  ),
  seen: fc.array(fc.array(fc.nat(59), { maxLength: 40 }), { minLength: 1, maxLength: 4 }),
  spans: fc.array(fc.tuple(fc.integer({ min: -240, max: 720 }), fc.integer({ min: 1, max: 900 })), {
    maxLength: 3,
  }),
  askMs: fc.integer({ min: 0, max: 32 * 24 * 4 }).map((q) => T0 + (q * HOUR_MS) / 4),
});
const SMALL = { ...LIMITS, domain: createLimit({ count: 6, periodMs: 168 * HOUR_MS }) };
const SMALL_KNOWN = new Map([[LE, SMALL]]);

function enact(world: typeof worlds extends fc.Arbitrary<infer W> ? W : never): {
  issuer: ReturnType<typeof createIssuer>;
  truth: readonly Issuance[];
  parts: readonly Evidence[];
} {
  const issuer = createIssuer(SMALL);
  const truth = world.orders
    .toSorted((a, b) => a.atMs - b.atMs)
    .map((order, i) => ({ ...order, atMs: order.atMs + i }))
    .filter(({ atMs }) => atMs <= world.askMs)
    .flatMap((order) => issuer.order(order) ?? []);
  const looked = world.seen.map((indexes) => evidence(indexes.flatMap((i) => truth[i] ?? [])));
  const watched = world.spans.map(([from, length]) => {
    const coverage = span(from, Math.min(from + length, (world.askMs - T0) / HOUR_MS));
    return evidence(
      truth.filter(
        ({ issuedAtMs }) => issuedAtMs >= coverage.fromMs && issuedAtMs <= coverage.untilMs,
      ),
      { coverage: [coverage] },
    );
  });
  return { issuer, truth, parts: [...looked, ...watched] };
}

describe("against an issuer that knows everything", () => {
  test(
    "a set: at most is never too low, at least never too high unless something was issued " +
      "unseen",
    () => {
      fc.assert(
        fc.property(worlds, (world) => {
          const { issuer, truth, parts } = enact(world);
          const known = mergeEvidence(...parts);
          const ledger = createLedger(known, { limits: SMALL_KNOWN });
          const serials = new Set(known.issuances.map(({ serial }) => serial));
          for (const account of accountsOf(ledger, "set")) {
            const told = budgetOf(ledger, "set", LE, account.key, world.askMs) as Budget;
            const really = issuer.remaining("set", account.key, world.askMs);
            expect(told.atMost).toBeGreaterThanOrEqual(really);
            const unseen = truth.some(
              (issuance) =>
                issuance.set === account.key &&
                issuance.issuedAtMs > (told.unseenSinceMs ?? 0) &&
                !serials.has(issuance.serial),
            );
            if (told.atLeast !== null && !unseen) expect(told.atLeast).toBeLessThanOrEqual(really);
            if (told.atLeast !== null) expect(told.atLeast).toBeLessThanOrEqual(told.atMost);
          }
        }),
        { numRuns: 300 },
      );
    },
  );

  test("a domain: likewise, at most where each certificate's predecessors are known", () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const { issuer, truth, parts } = enact(world);
        const known = mergeEvidence(...parts);
        const told = budgetOf(
          createLedger(known, { limits: SMALL_KNOWN }),
          "domain",
          LE,
          DOMAIN,
          world.askMs,
        ) as Budget;
        const really = issuer.remaining("domain", DOMAIN, world.askMs);
        const serials = new Set(known.issuances.map(({ serial }) => serial));
        const seen = (issuance: Issuance): boolean => serials.has(issuance.serial);
        const firstUnseen = truth.some(
          (first, i) =>
            !seen(first) &&
            truth.slice(0, i).every(({ set }) => set !== first.set) &&
            truth.slice(i).some((later) => later.set === first.set && seen(later)),
        );
        if (!firstUnseen) expect(told.atMost).toBeGreaterThanOrEqual(really);
        if (told.atLeast === null) return;
        expect(told.atLeast).toBeLessThanOrEqual(told.atMost);
        const unseen = truth.some(
          (issuance) => issuance.issuedAtMs > (told.unseenSinceMs ?? 0) && !seen(issuance),
        );
        if (!unseen) expect(told.atLeast).toBeLessThanOrEqual(really);
      }),
      { numRuns: 300 },
    );
  });

  test("all that was ever issued is known: at most is what the issuer says", () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const { issuer, truth } = enact(world);
        const ledger = createLedger(evidence(truth), { limits: SMALL_KNOWN });
        for (const told of allBudgets(ledger, world.askMs)) {
          expect(told.atMost).toBe(issuer.remaining(told.kind, told.key, world.askMs));
          expect(told.overshoots).toEqual([]);
        }
      }),
    );
  });
});

/** Any timeline, overshoots and nonsense included. */
const scraps = fc.array(
  fc.record({
    hours: fc.integer({ min: 0, max: 500 }),
    name: fc.constantFrom("a", "b", "c", "d").map((n) => `${n}.tail1.ts.net`),
    serial: fc.integer({ min: 1, max: 60 }).map(String),
  }),
  { maxLength: 60 },
);
const scrap = ({
  hours,
  name,
  serial,
}: {
  hours: number;
  name: string;
  serial: string;
}): Issuance => at(hours, { names: [name], serial: `${serial}f${hours}e${name.charCodeAt(0)}` });

describe("must hold", () => {
  test("more known issuances never raise a set's at most, nor bring its next slot forward", () => {
    fc.assert(
      fc.property(scraps, scraps, fc.integer({ min: 0, max: 600 }), (few, others, hours) => {
        const askMs = T0 + hours * HOUR_MS;
        const less = createLedger(mergeEvidence(evidence(few.map(scrap))), { limits: KNOWN });
        const more = createLedger(
          mergeEvidence(evidence(few.map(scrap)), evidence(others.map(scrap))),
          { limits: KNOWN },
        );
        for (const { key } of accountsOf(more, "set")) {
          const before = budgetOf(less, "set", LE, key, askMs) as Budget;
          const after = budgetOf(more, "set", LE, key, askMs) as Budget;
          expect(after.atMost).toBeLessThanOrEqual(before.atMost);
          expect(after.freeFromMs).toBeGreaterThanOrEqual(before.freeFromMs);
          expect(after.fullAtMs ?? 0).toBeGreaterThanOrEqual(before.fullAtMs ?? 0);
        }
      }),
    );
  });

  test("nor a domain's, where no older certificate of a known set comes to light", () => {
    fc.assert(
      fc.property(scraps, scraps, fc.integer({ min: 0, max: 600 }), (few, others, hours) => {
        const askMs = T0 + hours * HOUR_MS;
        const known = few.map(scrap);
        const added = others
          .map(scrap)
          .filter(
            (issuance) =>
              !known.some(
                (later) => later.set === issuance.set && later.issuedAtMs >= issuance.issuedAtMs,
              ),
          );
        expect(
          ofDomain(mergeEvidence(evidence(known), evidence(added)), askMs).atMost,
        ).toBeLessThanOrEqual(ofDomain(mergeEvidence(evidence(known)), askMs).atMost);
      }),
    );
  });

  test(
    "without one source nothing is claimed that was unknown, no at most falls, no sight reaches " +
      "further",
    () => {
      fc.assert(
        fc.property(worlds, fc.nat(6), (world, dropped) => {
          const { parts } = enact(world);
          const whole = createLedger(mergeEvidence(...parts), { limits: SMALL_KNOWN });
          const less = createLedger(
            mergeEvidence(...parts.filter((_, i) => i !== dropped % parts.length)),
            { limits: SMALL_KNOWN },
          );
          for (const { key } of accountsOf(whole, "set")) {
            const before = budgetOf(whole, "set", LE, key, world.askMs) as Budget;
            const after = budgetOf(less, "set", LE, key, world.askMs) as Budget;
            expect(after.atMost).toBeGreaterThanOrEqual(before.atMost);
            if (before.atLeast === null) expect(after.atLeast).toBeNull();
          }
        }),
      );
    },
  );

  test("the order in which sources arrive changes nothing", () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const { parts } = enact(world);
        const told = (order: readonly Evidence[]): readonly Budget[] =>
          allBudgets(
            createLedger(mergeEvidence(...order), { limits: SMALL_KNOWN }),
            world.askMs,
          ).toSorted((a, b) => (a.kind + a.key < b.kind + b.key ? -1 : 1));
        expect(told(parts.toReversed())).toEqual(told(parts));
        const unmerged = {
          ...mergeEvidence(...parts),
          issuances: mergeEvidence(...parts).issuances.toReversed(),
        };
        expect(told([unmerged])).toEqual(told(parts));
      }),
    );
  });

  test("what other clusters claim changes no number", () => {
    fc.assert(
      fc.property(scraps, scraps, fc.integer({ min: 0, max: 600 }), (real, forged, hours) => {
        const askMs = T0 + hours * HOUR_MS;
        const known = evidence(real.map(scrap));
        const claims = forged.map((one) => ({ ...scrap(one), verified: false, claimedBy: "evil" }));
        const with429 = evidence(claims, {
          refusals: forged.map(({ hours: h, name }) => refusal(h, h + 200, name)),
        });
        const told = (all: Evidence, cluster: string | null): readonly unknown[] =>
          allBudgets(createLedger(all, { limits: KNOWN, cluster }), askMs).map(
            ({ claims: _claims, ...numbers }) => numbers,
          );
        expect(told(mergeEvidence(known, with429), null)).toEqual(told(mergeEvidence(known), null));
        expect(told(mergeEvidence(known, with429), "a")).toEqual(told(mergeEvidence(known), "a"));
      }),
    );
  });
});

/** What was issued for one set, in races too; which of it is known; since when a source saw all. */
const races = fc.record({
  hours: fc.array(fc.tuple(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 1, max: 8 })), {
    maxLength: 8,
  }),
  known: fc.array(fc.boolean(), { minLength: 64, maxLength: 64 }),
  fromHours: fc.integer({ min: -10, max: 400 }),
  askHours: fc.integer({ min: 0, max: 500 }),
});

describe("raced histories, replayed by the issuer's own bucket", () => {
  const limit = createLimit({ count: 5, periodMs: 168 * HOUR_MS });
  const SET = "app.tail1.ts.net";
  /** Nothing checks a raced order: each of them was issued. */
  function raced({
    hours,
    known,
    fromHours,
    askHours,
  }: typeof races extends fc.Arbitrary<infer R> ? R : never) {
    const askMs = T0 + askHours * HOUR_MS;
    const truth = hours.flatMap(([hour, count]) => Array.from({ length: count }, () => at(hour)));
    const issued = truth.filter(({ issuedAtMs }) => issuedAtMs <= askMs);
    const real = bucket(
      limit,
      issued.map(({ issuedAtMs }) => BigInt(issuedAtMs) * MS_NS),
      BigInt(askMs) * MS_NS,
    );
    const told = (seen: readonly Issuance[], coverage: readonly Coverage[] = []): Budget =>
      budgetOf(
        createLedger(evidence(seen, { coverage }), { limits: KNOWN }),
        "set",
        LE,
        SET,
        askMs,
      ) as Budget;
    const sinceMs = T0 + fromHours * HOUR_MS;
    const seen = issued.filter(({ issuedAtMs }, i) => known[i] === true || issuedAtMs >= sinceMs);
    return { askMs, issued, real, told, seen, complete: [span(fromHours, askHours)] };
  }

  test("all known: the times are exact, or after an overshoot the latest, and said so", () => {
    let overshoots = 0;
    fc.assert(
      fc.property(races, (race) => {
        const { askMs, issued, real, told } = raced(race);
        const budget = told(issued);
        const freeMs = askMs + real.retryInMs;
        expect(budget.atMost).toBeLessThanOrEqual(real.remaining);
        expect(budget.freeFromMs).toBeGreaterThanOrEqual(freeMs);
        const fullMs = Number((real.tat ?? 0n) / MS_NS);
        expect(budget.fullAtMs ?? askMs).toBeGreaterThanOrEqual(fullMs);
        if (!budget.overshot) {
          expect([budget.atMost, budget.freeFromMs]).toEqual([real.remaining, freeMs]);
          if (budget.fullAtMs !== null) expect(budget.fullAtMs).toBe(fullMs);
        } else overshoots += 1;
        if (budget.atMost === 0)
          expect(plainText(leftText(budget)).includes("at the latest")).toBe(budget.overshot);
      }),
      { numRuns: 1000 },
    );
    expect(overshoots).toBeGreaterThan(50);
  });

  test("partly known: at least holds, and nothing that isn't sure is told as sure", () => {
    let higher = 0;
    fc.assert(
      fc.property(races, (race) => {
        const { real, told, seen, complete } = raced(race);
        const estimate = told(seen);
        const sure = told(seen, complete);
        if (sure.atLeast !== null) expect(sure.atLeast).toBeLessThanOrEqual(real.remaining);
        if (real.remaining > estimate.atMost) higher += 1;
        const text = plainText(leftText(estimate));
        expect(text).not.toMatch(/at most|or less/);
        if (estimate.atMost > 0) expect(text).toContain("(estimate)");
        if (sure.atLeast !== null && sure.atLeast < sure.atMost)
          expect(plainText(leftText(sure))).toContain("(estimate), at least");
      }),
      { numRuns: 1000 },
    );
    // Why the number is called an estimate and no bound.
    expect(higher).toBeGreaterThan(0);
  });
});

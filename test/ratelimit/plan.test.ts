/**
 * Plans against the issuer's own bucket: each instant goes through, none a millisecond earlier
 * does.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Evidence, NO_EVIDENCE } from "../../lib/ratelimit/evidence.ts";
import { createLedger } from "../../lib/ratelimit/ledger.ts";
import { createLimit, DAY_MS, HOUR_MS } from "../../lib/ratelimit/limit.ts";
import { planNewNames, planSet } from "../../lib/ratelimit/plan.ts";
import { createIssuer, evidence, KNOWN, LE, LIMITS, made, T0 } from "./support.ts";

const NAME = "app.tail1.ts.net";
const SLOT_SET = 120_960_000;
const SLOT_DOMAIN = 12_096_000;
const ledger = (known: Evidence): ReturnType<typeof createLedger> =>
  createLedger(known, { limits: KNOWN });
const whole = {
  source: "ct",
  cluster: null,
  issuer: LE,
  scope: { kind: "all" },
  fromMs: T0 - 100 * DAY_MS,
  untilMs: T0,
} as const;

describe("more of one set", () => {
  test("from full: five at once, then one a slot", () => {
    const plan = planSet(ledger(NO_EVIDENCE), LE, [NAME], 7, T0);
    expect(plan?.earliestMs.map((ms) => ms - T0)).toEqual([0, 0, 0, 0, 0, SLOT_SET, 2 * SLOT_SET]);
    expect(plan?.sureMs).toBeNull();
  });

  test("after five: none before the slots", () => {
    const known = evidence([0, 1, 2, 3, 4].map((h) => made(T0 + h * HOUR_MS)));
    expect(
      planSet(ledger(known), LE, [NAME], 2, T0 + 5 * HOUR_MS)?.earliestMs.map((ms) => ms - T0),
    ).toEqual([SLOT_SET, 2 * SLOT_SET]);
  });

  test("the first of a new set waits for its domain, the renewals after it don't", () => {
    const known = evidence(
      Array.from({ length: 50 }, (_, i) => made(T0, { names: [`n${i}.tail1.ts.net`] })),
    );
    expect(planSet(ledger(known), LE, [NAME], 3, T0)?.earliestMs.map((ms) => ms - T0)).toEqual([
      SLOT_DOMAIN,
      SLOT_DOMAIN,
      SLOT_DOMAIN,
    ]);
    expect(
      planSet(ledger(known), LE, ["n7.tail1.ts.net"], 2, T0 + 1)?.earliestMs.map((ms) => ms - T0),
    ).toEqual([1, 1]);
  });

  test("where a source sees everything, the sure instants as well", () => {
    const known = evidence([made(T0 - HOUR_MS)], { coverage: [whole] });
    const plan = planSet(ledger(known), LE, [NAME], 6, T0);
    expect(plan?.sureMs).toEqual(plan?.earliestMs);
    const short = evidence([made(T0 - HOUR_MS)], {
      coverage: [{ ...whole, fromMs: T0 - 2 * HOUR_MS }],
    });
    const late = planSet(ledger(short), LE, [NAME], 2, T0);
    expect(late?.earliestMs.map((ms) => ms - T0)).toEqual([0, 0]);
    expect(late?.sureMs?.map((ms) => ms - T0)).toEqual([
      SLOT_SET - HOUR_MS,
      2 * SLOT_SET - HOUR_MS,
    ]);
  });

  test("an issuer without known limits gives no plan", () => {
    expect(planSet(ledger(NO_EVIDENCE), "letsencrypt-staging", [NAME], 3, T0)).toBeNull();
    expect(
      planNewNames(ledger(NO_EVIDENCE), "letsencrypt-staging", "tail1.ts.net", 3, T0),
    ).toBeNull();
  });
});

describe("new names under a domain", () => {
  test("thirty are spent: twenty at once, then one a slot", () => {
    const known = evidence(
      Array.from({ length: 30 }, (_, i) => made(T0, { names: [`n${i}.tail1.ts.net`] })),
    );
    const plan = planNewNames(ledger(known), LE, "tail1.ts.net", 22, T0);
    expect(plan?.earliestMs.map((ms) => ms - T0)).toEqual([
      ...Array.from({ length: 20 }, () => 0),
      SLOT_DOMAIN,
      2 * SLOT_DOMAIN,
    ]);
  });
});

describe("against the issuer", () => {
  const small = { ...LIMITS, domain: createLimit({ count: 4, periodMs: 168 * HOUR_MS }) };
  const past = fc.array(
    fc.record({
      hours: fc.integer({ min: 0, max: 300 }),
      name: fc.constantFrom("app", "b", "c", "d", "e", "f"),
    }),
    { maxLength: 20 },
  );

  test("every planned order goes through, and none 1 ms before the next", () => {
    fc.assert(
      fc.property(
        past,
        fc.integer({ min: 300, max: 500 }),
        fc.integer({ min: 1, max: 9 }),
        fc.boolean(),
        (history, hours, count, fresh) => {
          const issuer = createIssuer(small);
          const orders = history
            .toSorted((a, b) => a.hours - b.hours)
            .map(({ hours: h, name }, i) => ({
              atMs: T0 + h * HOUR_MS + i,
              name: `${name}.tail1.ts.net`,
            }));
          const known = evidence(orders.flatMap((order) => issuer.order(order) ?? []));
          const askMs = T0 + hours * HOUR_MS;
          const small1 = createLedger(known, { limits: new Map([[LE, small]]) });
          const plan = fresh
            ? planNewNames(small1, LE, "tail1.ts.net", count, askMs)
            : planSet(small1, LE, [NAME], count, askMs);
          let last = askMs;
          plan?.earliestMs.forEach((atMs, i) => {
            const name = fresh ? `new${i}.tail1.ts.net` : NAME;
            if (atMs > last) expect(issuer.order({ atMs: atMs - 1, name })).toBeNull();
            expect(issuer.order({ atMs, name })).not.toBeNull();
            last = atMs;
          });
          expect(plan?.earliestMs).toHaveLength(count);
        },
      ),
    );
  });
});

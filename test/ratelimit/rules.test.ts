/** Findings about issuances, at their thresholds and a step beside them. */
import { describe, expect, test } from "vitest";
import { allBudgets } from "../../lib/ratelimit/budget.ts";
import { issuanceKey } from "../../lib/ratelimit/issuance.ts";
import { createLedger } from "../../lib/ratelimit/ledger.ts";
import { DAY_MS, HOUR_MS } from "../../lib/ratelimit/limit.ts";
import {
  budgetFindings,
  CONCURRENT_MS,
  concurrentIssuances,
  type Holder,
  LOOK_BACK_MS,
  needlessReissues,
  renewalDueMs,
  sharedSets,
} from "../../lib/ratelimit/rules.ts";
import { evidence, KNOWN, LE, made, type Made, T0 } from "./support.ts";

const ledgerOf = (issuances: readonly ReturnType<typeof made>[]): ReturnType<typeof createLedger> =>
  createLedger(evidence(issuances), { limits: KNOWN });
const codes = (issuances: readonly ReturnType<typeof made>[], atMs: number): string[] => {
  const ledger = ledgerOf(issuances);
  return budgetFindings(ledger, allBudgets(ledger, atMs)).map(({ code }) => code);
};
const names = (count: number, parts: Made = {}): ReturnType<typeof made>[] =>
  Array.from({ length: count }, (_, i) => made(T0, { ...parts, names: [`n${i}.tail1.ts.net`] }));

describe("budgets that run out", () => {
  test.each([
    [2, []],
    [3, ["set_budget_low"]],
    [4, ["set_budget_low"]],
    [5, ["set_budget_exhausted"]],
  ])("%i of a set", (count, expected) => {
    expect(
      codes(
        Array.from({ length: count }, () => made(T0)),
        T0,
      ),
    ).toEqual(expected);
  });

  test.each([
    [39, []],
    [40, ["domain_budget_low"]],
    [49, ["domain_budget_low"]],
    [50, ["domain_budget_exhausted"]],
  ])("%i names of a domain", (count, expected) => {
    expect(codes(names(count), T0)).toEqual(expected);
  });

  test("it says since when, until when, which clusters and which issuances", () => {
    const ledger = ledgerOf(
      [0, 1, 2, 3, 4].map((h) => made(T0 + h * HOUR_MS, { cluster: h % 2 === 0 ? "b" : "a" })),
    );
    const [finding] = budgetFindings(ledger, allBudgets(ledger, T0 + 5 * HOUR_MS));
    expect(finding).toMatchObject({
      sinceMs: T0 + 4 * HOUR_MS,
      untilMs: T0 + 120_960_000,
      subject: { issuer: LE, kind: "set", key: "app.tail1.ts.net", clusters: ["a", "b"] },
    });
    expect(finding?.issuances).toHaveLength(5);
  });
});

describe("reissued without need", () => {
  const first = made(T0);
  const due = renewalDueMs(first.notBeforeMs, first.notAfterMs);
  const second = (ms: number, parts: Made = {}): ReturnType<typeof made> => made(ms, parts);

  test("due a third before the end, half below ten days, less 1 %", () => {
    const lifetime = 90 * DAY_MS;
    expect(due).toBe(first.notAfterMs - lifetime / 3 - lifetime / 100);
    const short = made(T0, { lifetimeMs: 160 * HOUR_MS });
    expect(renewalDueMs(short.notBeforeMs, short.notAfterMs)).toBe(
      short.notAfterMs - 80 * HOUR_MS - 1.6 * HOUR_MS,
    );
  });

  test.each([
    ["a day later", T0 + DAY_MS, true],
    ["1 ms before it was due", due - 1, true],
    ["when it was due", due, false],
    ["after it had expired", first.notAfterMs + 1, false],
  ])("%s", (_, ms, found) => {
    const findings = needlessReissues(ledgerOf([first, second(ms)]), ms);
    expect(findings.map(({ code }) => code)).toEqual(found ? ["reissued_without_need"] : []);
  });

  test("a window that the issuer moved, or a revocation, makes a need", () => {
    const next = second(T0 + DAY_MS);
    const ledger = ledgerOf([first, next]);
    expect(
      needlessReissues(ledger, T0 + DAY_MS, {
        suggestedMs: new Map([[issuanceKey(first), T0 + DAY_MS]]),
      }),
    ).toEqual([]);
    expect(
      needlessReissues(ledger, T0 + DAY_MS, {
        suggestedMs: new Map([[issuanceKey(first), T0 + DAY_MS + 1]]),
      }),
    ).toHaveLength(1);
    expect(
      needlessReissues(ledger, T0 + DAY_MS, { revoked: new Set([issuanceKey(first)]) }),
    ).toEqual([]);
  });

  test("another cluster's first one isn't a reissue; the same cluster's or one of unknown owner is", () => {
    const of = (cluster: string | null): number =>
      needlessReissues(ledgerOf([first, second(T0 + DAY_MS, { cluster })]), T0 + DAY_MS).length;
    expect([of("a"), of("b"), of(null)]).toEqual([1, 0, 1]);
  });

  test("told for a week, with both certificates, and not before it happened", () => {
    const next = second(T0 + DAY_MS);
    const ledger = ledgerOf([first, next]);
    expect(needlessReissues(ledger, T0 + DAY_MS - 1)).toEqual([]);
    expect(needlessReissues(ledger, T0 + DAY_MS + LOOK_BACK_MS - 1)[0]).toMatchObject({
      sinceMs: T0 + DAY_MS,
      issuances: [first, next],
    });
    expect(needlessReissues(ledger, T0 + DAY_MS + LOOK_BACK_MS)).toEqual([]);
  });
});

describe("concurrent issuance", () => {
  test.each([
    [CONCURRENT_MS, 1],
    [CONCURRENT_MS + 1, 0],
  ])("%i ms apart", (gap, count) => {
    expect(
      concurrentIssuances(
        ledgerOf([made(T0), made(T0 + gap, { where: "shop/web" }), made(T0 - DAY_MS)]),
        T0 + HOUR_MS,
      ),
    ).toHaveLength(count);
  });

  test("none of one Secret that is written again and again, and one where none is known", () => {
    const found = (parts: Made): number =>
      concurrentIssuances(ledgerOf([made(T0, parts), made(T0 + 1000, parts)]), T0 + HOUR_MS).length;
    expect([found({}), found({ kind: "ct" })]).toEqual([0, 1]);
  });

  test("which ones, and of one set only", () => {
    const race = [made(T0), made(T0 + 1000, { cluster: "b" }), made(T0 + 2000)];
    const [finding, ...others] = concurrentIssuances(
      ledgerOf([...race, made(T0 + 3000, { names: ["b.tail1.ts.net"] }), made(T0 - HOUR_MS)]),
      T0 + HOUR_MS,
    );
    expect(others).toEqual([]);
    expect(finding?.issuances).toEqual(race);
    expect(finding?.sinceMs).toBe(T0);
  });
});

describe("shared set", () => {
  const holder = (parts: Partial<Holder>): Holder => ({
    cluster: "a",
    namespace: "tailscale",
    secret: "s",
    issuer: LE,
    set: "x.org",
    serial: "1",
    firstSeenMs: T0,
    ...parts,
  });

  test("two Secrets, namespaces or clusters; not one Secret twice, another issuer or another set", () => {
    const found = (parts: Partial<Holder>): number =>
      sharedSets([holder({}), holder(parts)]).length;
    expect([found({ secret: "t" }), found({ namespace: "n" }), found({ cluster: "b" })]).toEqual([
      1, 1, 1,
    ]);
    expect([
      found({}),
      found({ serial: "2" }),
      found({ cluster: "b", issuer: "staging" }),
      found({ cluster: "b", set: "y.org" }),
    ]).toEqual([0, 0, 0, 0]);
  });

  test("whether it is a copy or a certificate each, and since when", () => {
    const [copy] = sharedSets([holder({}), holder({ cluster: "b", firstSeenMs: T0 + 5 })]);
    expect(copy).toMatchObject({
      sameSerial: true,
      sinceMs: T0 + 5,
      subject: { kind: "set", key: "x.org", clusters: ["a", "b"] },
    });
    expect(sharedSets([holder({}), holder({ cluster: "b", serial: "2" })])[0]?.sameSerial).toBe(
      false,
    );
  });
});

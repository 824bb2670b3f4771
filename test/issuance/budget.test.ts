/** What people are told: worked examples, what each source settles, and properties against an issuer that knows everything. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { allBudgets, type Budget, budgetOf, timelineOf } from "../../lib/issuance/budget.ts";
import { type Coverage, type Evidence, mergeEvidence, type Refusal } from "../../lib/issuance/evidence.ts";
import type { Issuance } from "../../lib/issuance/issuance.ts";
import { accountOf, createLedger } from "../../lib/issuance/ledger.ts";
import { createLimit, DAY_MS, HOUR_MS, type LimitOverride } from "../../lib/issuance/limit.ts";
import { createIssuer, evidence, KNOWN, LE, LIMITS, made, type Made, T0 } from "./support.ts";

const SET = "app.tail1.ts.net";
const DOMAIN = "tail1.ts.net";

function budget(known: Evidence, kind: "set" | "domain", atMs: number, cluster: string | null = null, overrides: readonly LimitOverride[] = []): Budget {
  const found = budgetOf(createLedger(known, { limits: KNOWN, cluster, overrides }), kind, LE, kind === "set" ? SET : DOMAIN, atMs);
  if (found === null) throw new Error("no budget");
  return found;
}
const at = (hours: number, parts?: Made): Issuance => made(T0 + hours * HOUR_MS, parts);
const names = (count: number, hours = 0, parts: Made = {}): Issuance[] => Array.from({ length: count }, (_, i) => at(hours, { ...parts, names: [`n${i}.tail1.ts.net`] }));
const span = (fromHours: number, untilHours: number, parts: Partial<Coverage> = {}): Coverage => ({
  source: "ct",
  cluster: null,
  issuer: LE,
  scope: { kind: "domain", key: DOMAIN },
  fromMs: T0 + fromHours * HOUR_MS,
  untilMs: T0 + untilHours * HOUR_MS,
  ...parts,
});
const refusal = (seenHours: number, retryHours: number, parts: Partial<Refusal> = {}): Refusal => ({
  issuer: LE,
  kind: "set",
  key: SET,
  seenAtMs: T0 + seenHours * HOUR_MS,
  retryAtMs: T0 + retryHours * HOUR_MS,
  cluster: "a",
  where: "tailscale/ts-app-0",
  burst: 5,
  ...parts,
});

describe("at most", () => {
  test("five in four hours: nothing left, the next at 33.6 h, full after a week", () => {
    const known = evidence([0, 1, 2, 3, 4].map((h) => at(h)));
    expect(budget(known, "set", T0 + 5 * HOUR_MS)).toMatchObject({
      atMost: 0,
      atLeast: null,
      because: "no_complete_source",
      unseenSinceMs: null,
      nextSlotMs: T0 + 120_960_000,
      freeFromMs: T0 + 120_960_000,
      fullAtMs: T0 + 168 * HOUR_MS,
      spent: 5,
      exempt: 0,
      overshoots: [],
      later: 0,
    });
    expect(budget(known, "set", T0 + 120_960_000)).toMatchObject({ atMost: 1, nextSlotMs: T0 + 2 * 120_960_000, freeFromMs: T0 + 120_960_000 });
    expect(budget(known, "set", T0 + 168 * HOUR_MS)).toMatchObject({ atMost: 5, nextSlotMs: null, fullAtMs: null });
    expect(budget(known, "set", T0 + 2.5 * HOUR_MS)).toMatchObject({ atMost: 2, spent: 3, later: 2 });
  });

  test("thirty names of a tailnet: 27 left after a day", () => {
    expect(budget(evidence(names(30)), "domain", T0 + 24 * HOUR_MS)).toMatchObject({ atMost: 27, spent: 30 });
  });

  test("the case in which the issuer's own bucket isn't monotone", () => {
    const five = Array.from({ length: 5 }, () => at(33.5));
    expect(budget(evidence(five), "set", T0 + 34 * HOUR_MS).atMost).toBe(0);
    const six = budget(evidence([at(0), ...five]), "set", T0 + 34 * HOUR_MS);
    expect(six.atMost).toBe(0);
    expect(six.overshoots).toHaveLength(1);
  });

  test("a renewal takes nothing from the domain and a token from its set", () => {
    const known = evidence([at(-60 * 24), at(0)]);
    expect(budget(known, "domain", T0)).toMatchObject({ atMost: 50, spent: 1, exempt: 1 });
    expect(budget(known, "set", T0).atMost).toBe(4);
  });

  test("120 days decide: counted from the predecessor's notBefore to the issuance, strictly", () => {
    const later = at(0);
    const before = (ms: number): number => budget(evidence([made(later.issuedAtMs - 120 * DAY_MS + 3_510_000 + ms), later]), "domain", T0).exempt;
    expect(before(0)).toBe(0);
    expect(before(1)).toBe(1);
    expect(before(-1)).toBe(0);
  });

  test("a certificate of many names takes one token of each of its domains", () => {
    const known = evidence([at(0, { names: ["a.tail1.ts.net", "b.tail1.ts.net", "c.tail2.ts.net"] })]);
    const ledger = createLedger(known, { limits: KNOWN });
    expect(budgetOf(ledger, "domain", LE, "tail1.ts.net", T0)?.atMost).toBe(49);
    expect(budgetOf(ledger, "domain", LE, "tail2.ts.net", T0)?.atMost).toBe(49);
  });

  test("two clusters share a set and a tailnet: one budget", () => {
    const known = mergeEvidence(evidence([at(0, { cluster: "a" }), ...names(3, 0, { cluster: "a" })]), evidence([at(1, { cluster: "b" }), at(0, { cluster: "b", names: ["z.tail1.ts.net"] })]));
    expect(budget(known, "set", T0 + HOUR_MS).atMost).toBe(3);
    expect(budget(known, "domain", T0 + HOUR_MS).atMost).toBe(45);
  });

  test("staging has buckets of its own, and an issuer without limits no budget", () => {
    const known = evidence([at(0, { issuer: "letsencrypt-staging" }), at(0, { issuer: "unheard-of" })]);
    const ledger = createLedger(known, { limits: KNOWN });
    expect(budgetOf(ledger, "set", LE, SET, T0)?.atMost).toBe(5);
    expect(budgetOf(ledger, "set", "letsencrypt-staging", SET, T0)).toBeNull();
    expect(budgetOf(ledger, "set", "unheard-of", SET, T0)).toBeNull();
    expect(allBudgets(ledger, T0)).toEqual([]);
  });

  test("an override from the configuration holds for its domain alone", () => {
    const override: LimitOverride = { issuer: LE, kind: "domain", key: DOMAIN, limit: createLimit({ count: 300, periodMs: 168 * HOUR_MS }) };
    expect(budget(evidence(names(30)), "domain", T0, null, [override]).atMost).toBe(270);
    expect(budget(evidence(names(30)), "domain", T0, null, [{ ...override, key: "tail2.ts.net" }]).atMost).toBe(20);
  });

  test("nothing known: full at most, at least unknown", () => {
    expect(budget(evidence([]), "set", T0)).toMatchObject({ atMost: 5, atLeast: null, spent: 0, nextSlotMs: null, freeFromMs: T0 });
  });
});

describe("at least", () => {
  test("from an empty bucket at the beginning of a complete span", () => {
    const known = evidence([at(-24)], { coverage: [span(-30 * 24, -2)] });
    expect(budget(known, "set", T0)).toMatchObject({ atMost: 4, atLeast: 4, because: "complete_source", unseenSinceMs: T0 - 2 * HOUR_MS });
    const short = evidence([at(-24)], { coverage: [span(-48, -2)] });
    expect(budget(short, "set", T0)).toMatchObject({ atMost: 4, atLeast: 0 });
  });

  test.each([
    ["another domain", { scope: { kind: "domain", key: "tail2.ts.net" } }],
    ["another issuer", { issuer: "other" }],
    ["one cluster's logs", { source: "log", cluster: "a" }],
    ["a span that ended more than a week ago", { untilMs: T0 - 169 * HOUR_MS }],
  ] as const)("%s gives none", (_, parts) => {
    expect(budget(evidence([at(0)], { coverage: [span(-900, 0, parts)] }), "set", T0)).toMatchObject({ atLeast: null, because: "no_complete_source" });
  });

  test("one cluster's gapless logs serve its own view", () => {
    const known = evidence([at(0)], { coverage: [span(-900, 0, { source: "log", cluster: "a" })] });
    expect(budget(known, "set", T0, "a").atLeast).toBe(4);
    expect(budget(known, "set", T0, "b").atLeast).toBeNull();
  });

  test("a span that reaches past the instant asked for ends there", () => {
    expect(budget(evidence([], { coverage: [span(-900, 10)] }), "domain", T0)).toMatchObject({ atLeast: 50, unseenSinceMs: T0 });
  });

  test("what was left unread in a span makes it incomplete up to there", () => {
    const unread = [{ source: "state" as const, cluster: "a", count: 9, untilMs: T0 - HOUR_MS }];
    expect(budget(evidence([], { coverage: [span(-900, 0)], unread }), "set", T0).atLeast).toBe(0);
    expect(budget(evidence([], { coverage: [span(-900, 0)], unread: [{ ...(unread[0] as (typeof unread)[0]), untilMs: null }] }), "set", T0).atLeast).toBeNull();
  });

  test("two certificates of one instant may both have taken a token of the domain", () => {
    const known = evidence([at(0), at(0)], { coverage: [span(-900, 0)] });
    expect(budget(known, "domain", T0)).toMatchObject({ atMost: 49, atLeast: 48 });
  });
});

describe("a 429", () => {
  const five = [0, 1, 2, 3, 4].map((h) => at(h));

  test("that verified issuances bear out settles both", () => {
    const known = evidence(five, { refusals: [refusal(5, 33.6)] });
    expect(budget(known, "set", T0 + 6 * HOUR_MS)).toMatchObject({ atMost: 0, atLeast: 0, because: "refusal", unseenSinceMs: T0 + 5 * HOUR_MS, claims: [] });
    expect(budget(known, "set", T0 + 6 * HOUR_MS).pinnedBy?.cluster).toBe("a");
    expect(budget(known, "set", T0 + 35 * HOUR_MS)).toMatchObject({ atMost: 1, atLeast: 1 });
    expect(budget(evidence(five), "set", T0 + 35 * HOUR_MS).atLeast).toBeNull();
  });

  test("up to 3 % late still pins; at least then lags by that much, never leads", () => {
    const known = evidence(five, { refusals: [refusal(5, 33.6 + 28.6 * 0.029)] });
    expect(budget(known, "set", T0 + 33.61 * HOUR_MS)).toMatchObject({ atMost: 1, atLeast: 0 });
    expect(budget(known, "set", T0 + 35 * HOUR_MS)).toMatchObject({ atMost: 1, atLeast: 1 });
  });

  test.each([
    ["issuances that are not known", five.slice(0, 2), refusal(5, 33.6)],
    ["another retry time than theirs", five, refusal(5, 38)],
    ["a retry time that no such bucket gives", five, refusal(5, 90)],
    ["another burst than the limit's", five, refusal(5, 33.6, { burst: 20 })],
  ])("that rests on %s stays a claim and changes no number", (_, issuances, claim) => {
    const with429 = budget(evidence(issuances, { refusals: [claim] }), "set", T0 + 6 * HOUR_MS);
    const { claims, overrideSeen, ...numbers } = with429;
    expect(claims).toEqual([claim]);
    expect(overrideSeen).toBe(claim.burst === 20 ? 20 : null);
    expect(numbers).toEqual((({ claims: _c, overrideSeen: _o, ...rest }) => rest)(budget(evidence(issuances), "set", T0 + 6 * HOUR_MS)));
  });

  test("forged lines by the thousand: one claim of each cluster is shown", () => {
    const refusals = Array.from({ length: 3000 }, (_, i) => refusal(i / 1000, 90 + i, { cluster: i % 2 === 0 ? "a" : "b" }));
    const { claims, atMost, atLeast } = budget(evidence(five, { refusals }), "set", T0 + 6 * HOUR_MS);
    expect(claims.map(({ cluster, retryAtMs }) => [cluster, (retryAtMs - T0) / HOUR_MS])).toEqual([
      ["a", 90 + 2998],
      ["b", 90 + 2999],
    ]);
    expect([atMost, atLeast]).toEqual([0, null]);
  });

  test("of a time that has passed is no claim any more", () => {
    expect(budget(evidence([], { refusals: [refusal(5, 33)] }), "set", T0 + 34 * HOUR_MS).claims).toEqual([]);
  });
});

describe("what a cluster claims", () => {
  const claims = [1, 2, 3].map((h) => at(h, { claimedBy: "a", kind: "log", serial: `c${h}` }));

  test("counts for itself and for nobody else", () => {
    const known = evidence([at(0, { cluster: "b" }), ...claims]);
    expect(budget(known, "set", T0 + 4 * HOUR_MS).atMost).toBe(4);
    expect(budget(known, "set", T0 + 4 * HOUR_MS, "b").atMost).toBe(4);
    expect(budget(known, "set", T0 + 4 * HOUR_MS, "a").atMost).toBe(1);
  });

  test("a line and the certificate that it tells of count once", () => {
    const known = evidence([...claims, made(T0 + HOUR_MS + 60_000), made(T0 + 2 * HOUR_MS - 60_000)]);
    expect(budget(known, "set", T0 + 4 * HOUR_MS, "a").atMost).toBe(2);
  });
});

describe("timeline", () => {
  test("level after each, what was exempt and what overshot", () => {
    const known = evidence([at(-60 * 24), ...[0, 0, 0, 0, 0, 0].map((_, i) => at(i / 10))]);
    const ledger = createLedger(known, { limits: KNOWN });
    const ofSet = timelineOf(ledger, accountOf(ledger, "set", LE, SET), T0 + HOUR_MS);
    expect(ofSet?.map(({ effect, leaves }) => [effect, leaves])).toEqual([
      ["spent", 4],
      ["spent", 4],
      ["spent", 3],
      ["spent", 2],
      ["spent", 1],
      ["spent", 0],
      ["overshoot", 0],
    ]);
    const ofDomain = timelineOf(ledger, accountOf(ledger, "domain", LE, DOMAIN), T0);
    expect(ofDomain?.map(({ effect, leaves }) => [effect, leaves])).toEqual([
      ["spent", 49],
      ["renewal", 50],
    ]);
  });
});

/** A true history, and sources that each saw a part of it. */
const worlds = fc.record({
  orders: fc.array(fc.record({ atMs: fc.integer({ min: 0, max: 30 * 24 }).map((h) => T0 + h * HOUR_MS), name: fc.constantFrom("a", "b", "c", "d", "e", "f", "g").map((n) => `${n}.tail1.ts.net`) }), { maxLength: 60 }),
  seen: fc.array(fc.array(fc.nat(59), { maxLength: 40 }), { minLength: 1, maxLength: 4 }),
  spans: fc.array(fc.tuple(fc.integer({ min: -240, max: 720 }), fc.integer({ min: 1, max: 900 })), { maxLength: 3 }),
  askMs: fc.integer({ min: 0, max: 32 * 24 * 4 }).map((q) => T0 + (q * HOUR_MS) / 4),
});
const SMALL = { ...LIMITS, domain: createLimit({ count: 6, periodMs: 168 * HOUR_MS }) };
const SMALL_KNOWN = new Map([[LE, SMALL]]);

function enact(world: typeof worlds extends fc.Arbitrary<infer W> ? W : never): { issuer: ReturnType<typeof createIssuer>; truth: readonly Issuance[]; parts: readonly Evidence[] } {
  const issuer = createIssuer(SMALL);
  const truth = world.orders
    .toSorted((a, b) => a.atMs - b.atMs)
    .map((order, i) => ({ ...order, atMs: order.atMs + i }))
    .filter(({ atMs }) => atMs <= world.askMs)
    .flatMap((order) => issuer.order(order) ?? []);
  const looked = world.seen.map((indexes) => evidence(indexes.flatMap((i) => truth[i] ?? [])));
  const watched = world.spans.map(([from, length]) => {
    const coverage = span(from, Math.min(from + length, (world.askMs - T0) / HOUR_MS));
    return evidence(truth.filter(({ issuedAtMs }) => issuedAtMs >= coverage.fromMs && issuedAtMs <= coverage.untilMs), { coverage: [coverage] });
  });
  return { issuer, truth, parts: [...looked, ...watched] };
}

describe("against an issuer that knows everything", () => {
  test("a set: at most is never too low, at least never too high unless something was issued unseen", () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const { issuer, truth, parts } = enact(world);
        const known = mergeEvidence(...parts);
        const ledger = createLedger(known, { limits: SMALL_KNOWN });
        const serials = new Set(known.issuances.map(({ serial }) => serial));
        for (const account of ledger.sets.values()) {
          const told = budgetOf(ledger, "set", LE, account.key, world.askMs) as Budget;
          const really = issuer.remaining("set", account.key, world.askMs);
          expect(told.atMost).toBeGreaterThanOrEqual(really);
          const unseen = truth.some((issuance) => issuance.set === account.key && issuance.issuedAtMs > (told.unseenSinceMs ?? 0) && !serials.has(issuance.serial));
          if (told.atLeast !== null && !unseen) expect(told.atLeast).toBeLessThanOrEqual(really);
          if (told.atLeast !== null) expect(told.atLeast).toBeLessThanOrEqual(told.atMost);
        }
      }),
      { numRuns: 300 },
    );
  });

  test("a domain: likewise, at most where each certificate's predecessors are known", () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const { issuer, truth, parts } = enact(world);
        const known = mergeEvidence(...parts);
        const told = budgetOf(createLedger(known, { limits: SMALL_KNOWN }), "domain", LE, DOMAIN, world.askMs) as Budget;
        const really = issuer.remaining("domain", DOMAIN, world.askMs);
        const serials = new Set(known.issuances.map(({ serial }) => serial));
        const seen = (issuance: Issuance): boolean => serials.has(issuance.serial);
        const firstUnseen = truth.some((first, i) => !seen(first) && truth.slice(0, i).every(({ set }) => set !== first.set) && truth.slice(i).some((later) => later.set === first.set && seen(later)));
        if (!firstUnseen) expect(told.atMost).toBeGreaterThanOrEqual(really);
        if (told.atLeast === null) return;
        expect(told.atLeast).toBeLessThanOrEqual(told.atMost);
        const unseen = truth.some((issuance) => issuance.issuedAtMs > (told.unseenSinceMs ?? 0) && !seen(issuance));
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
  fc.record({ hours: fc.integer({ min: 0, max: 500 }), name: fc.constantFrom("a", "b", "c", "d").map((n) => `${n}.tail1.ts.net`), serial: fc.integer({ min: 1, max: 60 }).map(String) }),
  { maxLength: 60 },
);
const scrap = ({ hours, name, serial }: { hours: number; name: string; serial: string }): Issuance => at(hours, { names: [name], serial: `${serial}f${hours}e${name.charCodeAt(0)}` });

describe("must hold", () => {
  test("more known issuances never raise a set's at most, nor bring its next slot forward", () => {
    fc.assert(
      fc.property(scraps, scraps, fc.integer({ min: 0, max: 600 }), (few, others, hours) => {
        const askMs = T0 + hours * HOUR_MS;
        const less = createLedger(mergeEvidence(evidence(few.map(scrap))), { limits: KNOWN });
        const more = createLedger(mergeEvidence(evidence(few.map(scrap)), evidence(others.map(scrap))), { limits: KNOWN });
        for (const { key } of more.sets.values()) {
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
        const added = others.map(scrap).filter((issuance) => !known.some((later) => later.set === issuance.set && later.issuedAtMs >= issuance.issuedAtMs));
        expect(budget(mergeEvidence(evidence(known), evidence(added)), "domain", askMs).atMost).toBeLessThanOrEqual(budget(mergeEvidence(evidence(known)), "domain", askMs).atMost);
      }),
    );
  });

  test("without one source nothing is claimed that was unknown, no at most falls, no sight reaches further", () => {
    fc.assert(
      fc.property(worlds, fc.nat(6), (world, dropped) => {
        const { parts } = enact(world);
        const whole = createLedger(mergeEvidence(...parts), { limits: SMALL_KNOWN });
        const less = createLedger(mergeEvidence(...parts.filter((_, i) => i !== dropped % parts.length)), { limits: SMALL_KNOWN });
        for (const { key } of whole.sets.values()) {
          const before = budgetOf(whole, "set", LE, key, world.askMs) as Budget;
          const after = budgetOf(less, "set", LE, key, world.askMs) as Budget;
          expect(after.atMost).toBeGreaterThanOrEqual(before.atMost);
          if (before.atLeast === null) expect(after.atLeast).toBeNull();
        }
      }),
    );
  });

  test("the order in which sources arrive changes nothing", () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const { parts } = enact(world);
        const told = (order: readonly Evidence[]): readonly Budget[] =>
          allBudgets(createLedger(mergeEvidence(...order), { limits: SMALL_KNOWN }), world.askMs).toSorted((a, b) => (a.kind + a.key < b.kind + b.key ? -1 : 1));
        expect(told(parts.toReversed())).toEqual(told(parts));
        const unmerged = { ...mergeEvidence(...parts), issuances: mergeEvidence(...parts).issuances.toReversed() };
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
        const with429 = evidence(claims, { refusals: forged.map(({ hours: h, name }) => refusal(h, h + 200, { key: name, cluster: "evil" })) });
        const told = (all: Evidence, cluster: string | null): readonly unknown[] =>
          allBudgets(createLedger(all, { limits: KNOWN, cluster }), askMs).map(({ claims: _claims, ...numbers }) => numbers);
        expect(told(mergeEvidence(known, with429), null)).toEqual(told(mergeEvidence(known), null));
        expect(told(mergeEvidence(known, with429), "a")).toEqual(told(mergeEvidence(known), "a"));
      }),
    );
  });
});

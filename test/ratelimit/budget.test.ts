/** What people are told: worked examples, and what each source settles. */
import { describe, expect, test } from "vitest";
import { allBudgets, type Budget, budgetOf, timelineOf } from "../../lib/ratelimit/budget.ts";
import {
  type Coverage,
  type Evidence,
  mergeEvidence,
  type Refusal,
} from "../../lib/ratelimit/evidence.ts";
import type { Issuance } from "../../lib/ratelimit/issuance.ts";
import { accountOf, createLedger } from "../../lib/ratelimit/ledger.ts";
import { createLimit, DAY_MS, HOUR_MS, type LimitOverride } from "../../lib/ratelimit/limit.ts";
import { evidence, KNOWN, LE, made, type Made, T0 } from "./support.ts";

const SET = "app.tail1.ts.net";
const DOMAIN = "tail1.ts.net";

function budget(
  known: Evidence,
  kind: "set" | "domain",
  atMs: number,
  cluster: string | null = null,
  overrides: readonly LimitOverride[] = [],
): Budget {
  const found = budgetOf(
    createLedger(known, { limits: KNOWN, cluster, overrides }),
    kind,
    LE,
    kind === "set" ? SET : DOMAIN,
    atMs,
  );
  if (found === null) throw new Error("no budget");
  return found;
}
const at = (hours: number, parts?: Made): Issuance => made(T0 + hours * HOUR_MS, parts);
const names = (count: number, hours = 0, parts: Made = {}): Issuance[] =>
  Array.from({ length: count }, (_, i) => at(hours, { ...parts, names: [`n${i}.tail1.ts.net`] }));
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
    expect(budget(known, "set", T0 + 120_960_000)).toMatchObject({
      atMost: 1,
      nextSlotMs: T0 + 2 * 120_960_000,
      freeFromMs: T0 + 120_960_000,
    });
    expect(budget(known, "set", T0 + 168 * HOUR_MS)).toMatchObject({
      atMost: 5,
      nextSlotMs: null,
      fullAtMs: null,
    });
    expect(budget(known, "set", T0 + 2.5 * HOUR_MS)).toMatchObject({
      atMost: 2,
      spent: 3,
      later: 2,
    });
  });

  test("thirty names of a tailnet: 27 left after a day", () => {
    expect(budget(evidence(names(30)), "domain", T0 + 24 * HOUR_MS)).toMatchObject({
      atMost: 27,
      spent: 30,
    });
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
    const before = (ms: number): number =>
      budget(
        evidence([made(later.issuedAtMs - 120 * DAY_MS + 3_510_000 + ms), later]),
        "domain",
        T0,
      ).exempt;
    expect(before(0)).toBe(0);
    expect(before(1)).toBe(1);
    expect(before(-1)).toBe(0);
  });

  test("a certificate of many names takes one token of each of its domains", () => {
    const known = evidence([
      at(0, { names: ["a.tail1.ts.net", "b.tail1.ts.net", "c.tail2.ts.net"] }),
    ]);
    const ledger = createLedger(known, { limits: KNOWN });
    expect(budgetOf(ledger, "domain", LE, "tail1.ts.net", T0)?.atMost).toBe(49);
    expect(budgetOf(ledger, "domain", LE, "tail2.ts.net", T0)?.atMost).toBe(49);
  });

  test("two clusters share a set and a tailnet: one budget", () => {
    const known = mergeEvidence(
      evidence([at(0, { cluster: "a" }), ...names(3, 0, { cluster: "a" })]),
      evidence([at(1, { cluster: "b" }), at(0, { cluster: "b", names: ["z.tail1.ts.net"] })]),
    );
    expect(budget(known, "set", T0 + HOUR_MS).atMost).toBe(3);
    expect(budget(known, "domain", T0 + HOUR_MS).atMost).toBe(45);
  });

  test("staging has buckets of its own, and an issuer without limits no budget", () => {
    const known = evidence([
      at(0, { issuer: "letsencrypt-staging" }),
      at(0, { issuer: "unheard-of" }),
    ]);
    const ledger = createLedger(known, { limits: KNOWN });
    expect(budgetOf(ledger, "set", LE, SET, T0)?.atMost).toBe(5);
    expect(budgetOf(ledger, "set", "letsencrypt-staging", SET, T0)).toBeNull();
    expect(budgetOf(ledger, "set", "unheard-of", SET, T0)).toBeNull();
    expect(allBudgets(ledger, T0)).toEqual([]);
  });

  test("an override from the configuration holds for its domain alone", () => {
    const override: LimitOverride = {
      issuer: LE,
      kind: "domain",
      key: DOMAIN,
      limit: createLimit({ count: 300, periodMs: 168 * HOUR_MS }),
    };
    expect(budget(evidence(names(30)), "domain", T0, null, [override]).atMost).toBe(270);
    expect(
      budget(evidence(names(30)), "domain", T0, null, [{ ...override, key: "tail2.ts.net" }])
        .atMost,
    ).toBe(20);
  });

  test("nothing known: full at most, at least unknown", () => {
    expect(budget(evidence([]), "set", T0)).toMatchObject({
      atMost: 5,
      atLeast: null,
      spent: 0,
      nextSlotMs: null,
      freeFromMs: T0,
    });
  });
});

describe("at least", () => {
  test("from an empty bucket at the beginning of a complete span", () => {
    const known = evidence([at(-24)], { coverage: [span(-30 * 24, -2)] });
    expect(budget(known, "set", T0)).toMatchObject({
      atMost: 4,
      atLeast: 4,
      because: "complete_source",
      unseenSinceMs: T0 - 2 * HOUR_MS,
    });
    const short = evidence([at(-24)], { coverage: [span(-48, -2)] });
    expect(budget(short, "set", T0)).toMatchObject({ atMost: 4, atLeast: 0 });
  });

  test.each([
    ["another domain", { scope: { kind: "domain", key: "tail2.ts.net" } }],
    ["another issuer", { issuer: "other" }],
    ["one cluster's logs", { source: "log", cluster: "a" }],
    ["a span that ended more than a week ago", { untilMs: T0 - 169 * HOUR_MS }],
  ] as const)("%s gives none", (_, parts) => {
    expect(
      budget(evidence([at(0)], { coverage: [span(-900, 0, parts)] }), "set", T0),
    ).toMatchObject({ atLeast: null, because: "no_complete_source" });
  });

  test("one cluster's gapless logs serve its own view", () => {
    const known = evidence([at(0)], { coverage: [span(-900, 0, { source: "log", cluster: "a" })] });
    expect(budget(known, "set", T0, "a").atLeast).toBe(4);
    expect(budget(known, "set", T0, "b").atLeast).toBeNull();
  });

  test("a span that reaches past the instant asked for ends there", () => {
    expect(budget(evidence([], { coverage: [span(-900, 10)] }), "domain", T0)).toMatchObject({
      atLeast: 50,
      unseenSinceMs: T0,
    });
  });

  test("what was left unread in a span makes it incomplete up to there", () => {
    const unread = [{ source: "state" as const, cluster: "a", count: 9, untilMs: T0 - HOUR_MS }];
    expect(budget(evidence([], { coverage: [span(-900, 0)], unread }), "set", T0).atLeast).toBe(0);
    expect(
      budget(
        evidence([], {
          coverage: [span(-900, 0)],
          unread: [{ ...(unread[0] as (typeof unread)[0]), untilMs: null }],
        }),
        "set",
        T0,
      ).atLeast,
    ).toBeNull();
  });

  test("two certificates of one instant may both have taken a token of the domain", () => {
    const known = evidence([at(0), at(0)], { coverage: [span(-900, 0)] });
    expect(budget(known, "domain", T0)).toMatchObject({ atMost: 49, atLeast: 48 });
  });
});

describe("a 429", () => {
  const five = [0, 1, 2, 3, 4].map((h) => at(h));

  test("that verified issuances confirm settles both", () => {
    const known = evidence(five, { refusals: [refusal(5, 33.6)] });
    expect(budget(known, "set", T0 + 6 * HOUR_MS)).toMatchObject({
      atMost: 0,
      atLeast: 0,
      because: "refusal",
      unseenSinceMs: T0 + 5 * HOUR_MS,
      claims: [],
    });
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
    ["a later retry time than theirs", five, refusal(5, 38)],
    ["an earlier retry time than theirs", five, refusal(5, 20)],
    ["a retry time that no such bucket gives", five, refusal(5, 90)],
    ["another burst than the limit's", five, refusal(5, 33.6, { burst: 20 })],
  ])("that rests on %s stays a claim and changes no number", (_, issuances, claim) => {
    const with429 = budget(evidence(issuances, { refusals: [claim] }), "set", T0 + 6 * HOUR_MS);
    const { claims, overrideSeen, ...numbers } = with429;
    expect(claims).toEqual([claim]);
    expect(overrideSeen).toBe(claim.burst === 20 ? 20 : null);
    expect(numbers).toEqual(
      (({ claims: _c, overrideSeen: _o, ...rest }) => rest)(
        budget(evidence(issuances), "set", T0 + 6 * HOUR_MS),
      ),
    );
  });

  test("at least never exceeds at most, though the issuer's own bucket stored less than was issued", () => {
    const known = evidence([at(0), ...Array.from({ length: 5 }, () => at(33.5))], {
      refusals: [refusal(33.55, 33.6)],
    });
    expect(budget(known, "set", T0 + 34 * HOUR_MS)).toMatchObject({
      atMost: 0,
      atLeast: 0,
      because: "refusal",
    });
  });

  test("forged lines by the thousand: one claim of each cluster is shown", () => {
    const refusals = Array.from({ length: 3000 }, (_, i) =>
      refusal(i / 1000, 90 + i, { cluster: i % 2 === 0 ? "a" : "b" }),
    );
    const { claims, atMost, atLeast } = budget(
      evidence(five, { refusals }),
      "set",
      T0 + 6 * HOUR_MS,
    );
    expect(claims.map(({ cluster, retryAtMs }) => [cluster, (retryAtMs - T0) / HOUR_MS])).toEqual([
      ["a", 90 + 2998],
      ["b", 90 + 2999],
    ]);
    expect([atMost, atLeast]).toEqual([0, null]);
  });

  test("of a time that has passed is no claim any more", () => {
    expect(
      budget(evidence([], { refusals: [refusal(5, 33)] }), "set", T0 + 34 * HOUR_MS).claims,
    ).toEqual([]);
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
    const known = evidence([
      ...claims,
      made(T0 + HOUR_MS + 60_000),
      made(T0 + 2 * HOUR_MS - 60_000),
    ]);
    expect(budget(known, "set", T0 + 4 * HOUR_MS, "a").atMost).toBe(2);
  });

  test("two lines near one certificate: one of them is accounted for", () => {
    const near = [0, 4].map((minutes) =>
      made(T0 + minutes * 60_000, { claimedBy: "a", kind: "log" }),
    );
    expect(budget(evidence([...near, made(T0 + 120_000)]), "set", T0 + HOUR_MS, "a").atMost).toBe(
      3,
    );
    const byClaimedSerial = [
      made(T0, { serial: "5e" }),
      made(T0 + 5 * HOUR_MS, { serial: "5e", claimedBy: "a" }),
    ];
    expect(budget(evidence(byClaimedSerial), "set", T0 + 6 * HOUR_MS, "a").atMost).toBe(4);
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

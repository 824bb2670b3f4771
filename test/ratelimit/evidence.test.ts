/** Merging is a semilattice; what comes from the future or past the bounds is noticed. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  believe,
  boundEvidence,
  type Coverage,
  type Evidence,
  KEEP_MS,
  mergeEvidence,
  NO_EVIDENCE,
  type Refusal,
  SKEW_MS,
} from "../../lib/ratelimit/evidence.ts";
import {
  createIssuance,
  issuanceKey,
  mergeIssuances,
  serialKey,
  SOURCE_KINDS,
} from "../../lib/ratelimit/issuance.ts";
import { DAY_MS, HOUR_MS } from "../../lib/ratelimit/limit.ts";
import { evidence, LE, made, T0 } from "./support.ts";

/** Records that often speak of the same issuance, and sometimes contradict each other. */
const records = fc
  .record({
    serial: fc.constantFrom("1", "02", "A:B", "ab"),
    names: fc.constantFrom(["a.x.org"], ["b.x.org", "A.x.org"]),
    notBeforeMs: fc.constantFrom(T0, T0 + 1000),
    sctMs: fc.option(fc.constantFrom(T0 + 5, T0 + 9, T0 + DAY_MS)),
    claimedBy: fc.option(fc.constantFrom("a", "b")),
    sources: fc.array(
      fc.record({
        kind: fc.constantFrom(...SOURCE_KINDS),
        cluster: fc.option(fc.constantFrom("a", "b")),
        where: fc.constantFrom("x", "y"),
        firstSeenMs: fc.integer({ min: T0, max: T0 + 50 }),
      }),
      {
        minLength: 1,
        maxLength: 3,
      },
    ),
  })
  .map((parts) =>
    createIssuance({ issuer: LE, notAfterMs: T0 + 90 * DAY_MS, backdateMs: 7, ...parts }),
  );
const span = fc.record({
  source: fc.constantFrom("ct", "log"),
  cluster: fc.option(fc.constantFrom("a")),
  issuer: fc.constant(LE),
  scope: fc.constantFrom({ kind: "all" }, { kind: "domain", key: "x.org" }),
  fromMs: fc.integer({ min: 0, max: 40 }),
  untilMs: fc.integer({ min: 0, max: 40 }),
}) as fc.Arbitrary<Coverage>;
const parts: fc.Arbitrary<Evidence> = fc.record({
  issuances: fc.array(records, { maxLength: 5 }),
  coverage: fc.array(span, { maxLength: 4 }),
  refusals: fc.array(
    fc.record({
      issuer: fc.constant(LE),
      kind: fc.constant("set"),
      key: fc.constant("a.x.org"),
      retryAtMs: fc.nat(3),
      seenAtMs: fc.nat(3),
      cluster: fc.constant("a"),
      where: fc.constant(""),
      burst: fc.option(fc.constant(5)),
    }) as fc.Arbitrary<Refusal>,
    { maxLength: 3 },
  ),
  silences: fc.array(
    fc.record({
      source: fc.constant("ct" as const),
      cluster: fc.constant(null),
      reason: fc.constantFrom("unreachable", "not_enabled"),
      sinceMs: fc.option(fc.nat(3)),
    }),
    { maxLength: 3 },
  ),
  unread: fc.array(
    fc.record({
      source: fc.constant("state" as const),
      cluster: fc.constantFrom("a", "b"),
      count: fc.nat(3),
      untilMs: fc.option(fc.nat(3)),
    }),
    { maxLength: 3 },
  ),
});

describe("merging is a semilattice", () => {
  test("commutative", () => {
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        expect(mergeEvidence(a, b)).toEqual(mergeEvidence(b, a));
      }),
    );
  });
  test("associative", () => {
    fc.assert(
      fc.property(parts, parts, parts, (a, b, c) => {
        const all = mergeEvidence(a, b, c);
        expect(mergeEvidence(mergeEvidence(a, b), c)).toEqual(all);
        expect(mergeEvidence(a, mergeEvidence(b, c))).toEqual(all);
      }),
    );
  });
  test("idempotent", () => {
    fc.assert(
      fc.property(parts, (a) => {
        const once = mergeEvidence(a);
        expect(mergeEvidence(once, once)).toEqual(once);
        expect(mergeEvidence(once, NO_EVIDENCE, a)).toEqual(once);
      }),
    );
  });
});

describe("one issuance from several sources", () => {
  test("serials as different sources write them", () => {
    expect(serialKey("00:AB:cd")).toBe("abcd");
    expect(serialKey("0000")).toBe("0");
  });

  test("counts once, with the earliest SCT, first sight and every place", () => {
    const base = {
      issuer: LE,
      names: ["a.x.org"],
      notBeforeMs: T0,
      notAfterMs: T0 + DAY_MS,
      backdateMs: 10,
      claimedBy: null,
    };
    const precertificate = createIssuance({
      ...base,
      serial: "00AB",
      sctMs: null,
      sources: [{ kind: "ct", cluster: null, where: "log", firstSeenMs: T0 + 900 }],
    });
    const final = createIssuance({
      ...base,
      serial: "ab",
      sctMs: T0 + 12,
      sources: [{ kind: "secret", cluster: "a", where: "n/s", firstSeenMs: T0 + 500 }],
    });
    const [merged, ...others] = mergeIssuances([precertificate], [final]);
    expect(others).toEqual([]);
    expect(merged).toMatchObject({
      serial: "ab",
      issuedAtMs: T0 + 12,
      basis: "sct",
      verified: true,
    });
    expect(merged?.sources.map(({ kind }) => kind)).toEqual(["ct", "secret"]);
    expect(precertificate).toMatchObject({ issuedAtMs: T0 + 10, basis: "not_before" });
  });

  test("a place that saw it twice keeps the first sight", () => {
    const [merged] = mergeIssuances(
      [made(T0, { serial: "9", seenMs: T0 + 9 })],
      [made(T0, { serial: "9", seenMs: T0 + 3 })],
      [made(T0, { serial: "9", seenMs: T0 + 5 })],
    );
    expect(merged?.sources).toHaveLength(1);
    expect(merged?.sources[0]?.firstSeenMs).toBe(T0 + 3);
  });

  test("a claim never touches what is verified, nor another cluster's claim", () => {
    const real = made(T0, { serial: "77" });
    const claims = [
      made(T0 - HOUR_MS, { serial: "77", claimedBy: "a" }),
      made(T0 - HOUR_MS, { serial: "77", claimedBy: "b" }),
    ];
    const merged = mergeIssuances(claims, [real]);
    expect(merged).toHaveLength(3);
    expect(merged.filter(({ verified }) => verified)).toEqual([real]);
    expect(new Set(merged.map(issuanceKey)).size).toBe(3);
  });

  test("without a source it is refused", () => {
    expect(() => createIssuance({ ...made(T0), claimedBy: null, sources: [] })).toThrow(RangeError);
  });
});

describe("spans", () => {
  test("touching ones become one, apart ones stay, reversed ones say nothing", () => {
    const at = (fromMs: number, untilMs: number): Coverage => ({
      source: "ct",
      cluster: null,
      issuer: LE,
      scope: { kind: "all" },
      fromMs,
      untilMs,
    });
    const { coverage } = mergeEvidence(
      evidence([], { coverage: [at(5, 9), at(0, 2), at(2, 3), at(20, 10), at(7, 8)] }),
    );
    expect(coverage).toEqual([at(0, 3), at(5, 9)]);
  });
});

describe("from the future", () => {
  test("a state whose clock is ahead: its issuances count as of now and it is told", () => {
    const ahead = made(T0 + DAY_MS, { seenMs: T0 + 2 * DAY_MS });
    const coverage: Coverage = {
      source: "ct",
      cluster: null,
      issuer: LE,
      scope: { kind: "all" },
      fromMs: T0 - DAY_MS,
      untilMs: T0 + DAY_MS,
    };
    const refusal: Refusal = {
      issuer: LE,
      kind: "set",
      key: ahead.set,
      retryAtMs: T0 + 9 * DAY_MS,
      seenAtMs: T0 + DAY_MS,
      cluster: "a",
      where: "",
      burst: 5,
    };
    const { evidence: believed, future } = believe(
      evidence([ahead], { coverage: [coverage], refusals: [refusal] }),
      T0,
    );
    expect(believed.issuances[0]).toMatchObject({
      issuedAtMs: T0,
      basis: "first_seen",
      future: true,
    });
    expect(believed.coverage).toEqual([]);
    expect(believed.refusals).toEqual([]);
    expect(future.map(({ what }) => what)).toEqual(["sighting", "coverage", "refusal"]);
  });

  test("within the skew of two clocks nothing is told", () => {
    const near = made(T0 + 10, { seenMs: T0 + SKEW_MS });
    const coverage: Coverage = {
      source: "ct",
      cluster: null,
      issuer: LE,
      scope: { kind: "all" },
      fromMs: T0 - DAY_MS,
      untilMs: T0 + SKEW_MS,
    };
    const { evidence: believed, future } = believe(evidence([near], { coverage: [coverage] }), T0);
    expect(future).toEqual([]);
    expect(believed.issuances[0]?.issuedAtMs).toBe(T0);
    expect(believed.coverage[0]?.untilMs).toBe(T0);
  });
});

describe("bounds", () => {
  test("what no longer matters goes, what the cap cuts off is told", () => {
    const old = made(T0 - KEEP_MS - HOUR_MS);
    const issuances = [old, ...Array.from({ length: 10 }, (_, i) => made(T0 - i * HOUR_MS))];
    const coverage: Coverage = {
      source: "ct",
      cluster: null,
      issuer: LE,
      scope: { kind: "all" },
      fromMs: T0 - 2 * KEEP_MS,
      untilMs: T0,
    };
    const bounded = boundEvidence(evidence(issuances, { coverage: [coverage] }), T0, 4, "a");
    expect(
      bounded.issuances
        .map(({ issuedAtMs }) => (T0 - issuedAtMs) / HOUR_MS)
        .toSorted((a, b) => a - b),
    ).toEqual([0, 1, 2, 3]);
    expect(bounded.unread).toEqual([
      { source: "state", cluster: "a", count: 6, untilMs: T0 - 4 * HOUR_MS },
    ]);
    expect(bounded.coverage[0]?.fromMs).toBe(T0 - KEEP_MS);
    expect(boundEvidence(bounded, T0, 4, "a")).toEqual(bounded);
    expect(boundEvidence(evidence(issuances), T0, 100).unread).toEqual([]);
  });

  test("a flood of refusals keeps the latest few of each cluster", () => {
    const flood = Array.from({ length: 50 }, (_, i): Refusal => ({
      issuer: LE,
      kind: "set",
      key: "x",
      retryAtMs: T0 + i,
      seenAtMs: T0 - i,
      cluster: i % 2 === 0 ? "a" : "b",
      where: "",
      burst: 5,
    }));
    const { refusals } = boundEvidence(evidence([], { refusals: flood }), T0, 10);
    expect(refusals).toHaveLength(10);
    expect(Math.min(...refusals.map(({ seenAtMs }) => seenAtMs))).toBe(T0 - 9);
  });
});

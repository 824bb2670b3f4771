/**
 * What sources besides Secrets told, as a state keeps it: read whatever stands there, merged in any
 * order, bounded.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mergeStates } from "../../lib/state/merge.ts";
import {
  boundObservations,
  carryObservations,
  mergeObservations,
  NO_OBSERVATIONS,
  type Observations,
  observationsOf,
  parseObservations,
} from "../../lib/state/observations.ts";
import { STATUS_SOURCES, SIGNAL_KINDS } from "../../lib/state/signals.ts";
import { NOW, state } from "../finding/fixture.ts";

const NOW_MS = Date.parse(NOW);
const DAY_MS = 86_400_000;

const name = fc.constantFrom("a", "b", "c.tail1.ts.net");
const maybe = fc.option(name);
const ms = fc.integer({ min: NOW_MS - 200 * DAY_MS, max: NOW_MS });
const count = fc.integer({ min: 1, max: 9 });
const some = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(one, { maxLength: 6 });
/** Each key once, as a state holds them. */
const observations: fc.Arbitrary<Observations> = fc
  .record({
    looks: some(
      fc.record({
        source: fc.constantFrom(...STATUS_SOURCES),
        scope: name,
        askedMs: ms,
        wholeMs: fc.option(ms),
        code: maybe,
        sinceMs: fc.option(ms),
        unread: maybe,
      }),
    ),
    signs: some(
      fc.record({
        kind: fc.constantFrom(...SIGNAL_KINDS.slice(0, 3)),
        code: maybe,
        domain: maybe,
        where: name,
        firstMs: ms,
        lastMs: ms,
        count,
        sample: name,
      }),
    ),
    events: some(
      fc.record({
        namespace: name,
        object: name,
        type: fc.constantFrom("Normal" as const, "Warning" as const),
        reason: name,
        message: name,
        count,
        firstMs: ms,
        lastMs: ms,
      }),
    ),
    access: some(
      fc.record({
        secret: name,
        account: name,
        verb: name,
        allowed: fc.boolean(),
        reason: name,
        sinceMs: ms,
        atMs: ms,
      }),
    ),
    windows: some(
      fc.record({
        issuer: name,
        serial: name,
        startMs: ms,
        endMs: ms,
        explanationUrl: maybe,
        askedMs: ms,
        nextMs: ms,
      }),
    ),
    revocations: some(
      fc.record({
        issuer: name,
        serial: name,
        revokedMs: fc.option(ms),
        reason: maybe,
        list: name,
        askedMs: ms,
        nextMs: ms,
      }),
    ),
  })
  .map((raw: Observations) => mergeObservations(raw, NO_OBSERVATIONS));
const merged = (...parts: readonly Observations[]): Observations =>
  parts.reduce(mergeObservations, NO_OBSERVATIONS);

describe("merging", () => {
  it("is commutative, idempotent, and the same in any grouping", () => {
    fc.assert(
      fc.property(observations, observations, observations, (a, b, c) => {
        expect(mergeObservations(a, b)).toEqual(mergeObservations(b, a));
        const once = mergeObservations(a, b);
        expect(mergeObservations(once, once)).toEqual(once);
        expect(mergeObservations(once, b)).toEqual(once);
        expect(merged(merged(a, b), c).signs).toEqual(merged(a, merged(b, c)).signs);
      }),
    );
  });
  it("keeps of a look the later, and when it was last whole", () => {
    const look = {
      source: "logs",
      scope: "x",
      askedMs: 1,
      wholeMs: 1,
      code: null,
      sinceMs: null,
      unread: null,
    } as const;
    const failed = { ...look, askedMs: 2, wholeMs: null, code: "forbidden", sinceMs: 2 };
    expect(
      mergeObservations(
        { ...NO_OBSERVATIONS, looks: [look] },
        { ...NO_OBSERVATIONS, looks: [failed] },
      ).looks,
    ).toEqual([{ ...failed, wholeMs: 1 }]);
  });
  it("keeps since when an answer is the same", () => {
    const answer = {
      secret: "n/s",
      account: "u",
      verb: "get",
      allowed: false,
      reason: "",
      sinceMs: 1,
      atMs: 1,
    };
    const again = { ...answer, sinceMs: 5, atMs: 5 };
    expect(
      mergeObservations(
        { ...NO_OBSERVATIONS, access: [answer] },
        { ...NO_OBSERVATIONS, access: [again] },
      ).access,
    ).toEqual([{ ...again, sinceMs: 1 }]);
    const other = { ...again, allowed: true };
    expect(
      mergeObservations(
        { ...NO_OBSERVATIONS, access: [answer] },
        { ...NO_OBSERVATIONS, access: [other] },
      ).access,
    ).toEqual([other]);
  });
});

describe("bounding", () => {
  it("is idempotent, forgets the old, and doesn't mind when it is done", () => {
    fc.assert(
      fc.property(observations, observations, (a, b) => {
        const once = boundObservations(merged(a, b), NOW_MS);
        expect(boundObservations(once, NOW_MS)).toEqual(once);
        expect(once.signs.every(({ lastMs }) => lastMs >= NOW_MS - 30 * DAY_MS)).toBe(true);
      }),
    );
  });
  it("keeps the newest where there are too many", () => {
    const signs = Array.from({ length: 3_000 }, (_, i) => ({
      kind: "issued" as const,
      code: null,
      domain: `n${i}.ts.net`,
      where: "w",
      firstMs: NOW_MS - i,
      lastMs: NOW_MS - i,
      count: 1,
      sample: "",
    }));
    const bounded = boundObservations({ ...NO_OBSERVATIONS, signs }, NOW_MS).signs;
    expect(bounded).toHaveLength(1_000);
    expect(Math.min(...bounded.map(({ lastMs }) => lastMs))).toBe(NOW_MS - 999);
  });
});

describe("reading", () => {
  it("is total, and what was written is read back", () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => void parseObservations(value)));
    fc.assert(
      fc.property(
        observations,
        (value) => void expect(parseObservations(JSON.parse(JSON.stringify(value)))).toEqual(value),
      ),
    );
  });
  it("drops an entry that isn't one and keeps the others", () => {
    const sign = {
      kind: "issued",
      code: null,
      domain: "a.b",
      where: "w",
      firstMs: 1,
      lastMs: 2,
      count: 1,
      sample: "s",
    };
    const signs = [
      sign,
      { ...sign, kind: "no such" },
      { ...sign, count: -1 },
      { ...sign, firstMs: "1" },
      null,
      7,
      { ...sign, sample: "x".repeat(2_000) },
    ];
    expect(parseObservations({ signs, looks: {}, events: null }).signs).toEqual([sign]);
  });
  it("of a state without any gives none", () => {
    expect(observationsOf(state())).toBe(NO_OBSERVATIONS);
    expect(carryObservations(state(), state(), NOW_MS)).toBeUndefined();
  });
});

describe("states that two audits wrote", () => {
  const with_ = (value: unknown) => ({ ...state(), observations: value });
  const sign = {
    kind: "issued" as const,
    code: null,
    domain: "a.b",
    where: "w",
    firstMs: NOW_MS - 5,
    lastMs: NOW_MS - 5,
    count: 1,
    sample: "s",
  };
  it("have what either saw, and fields of a later version", () => {
    const a = with_({ signs: [sign], later: { more: 1 } });
    const b = with_({ signs: [{ ...sign, domain: "c.d" }] });
    expect(mergeStates(a, b).observations).toMatchObject({
      signs: [{ domain: "a.b" }, { domain: "c.d" }],
      later: { more: 1 },
    });
    expect(mergeStates(a, b).observations).toEqual(mergeStates(b, a).observations);
  });
  it("have none where neither has any", () => {
    expect(mergeStates(state(), state())).not.toHaveProperty("observations");
  });
});

it("what an earlier version stored of a webhook's words is redacted as it is read", () => {
  const said = 'admission webhook "policy.example.com" denied the request: CA:NA:RY';
  const [firstMs, lastMs] = [NOW_MS, NOW_MS];
  const where = "tailscale/pg-0/tailscale";
  const read = parseObservations({
    signs: [
      {
        kind: "store_write_failed",
        code: "other",
        domain: null,
        where,
        firstMs,
        lastMs,
        count: 1,
        sample: said,
      },
    ],
    events: [
      {
        namespace: "tailscale",
        object: "Pod/pg-0",
        type: "Warning",
        reason: "x",
        message: said,
        count: 1,
        firstMs,
        lastMs,
      },
    ],
    access: [
      {
        secret: "a/b",
        account: "c",
        verb: "get",
        allowed: false,
        reason: said,
        sinceMs: firstMs,
        atMs: lastMs,
      },
    ],
  });
  expect([read.signs, read.events, read.access].map(({ length }) => length)).toEqual([1, 1, 1]);
  expect(JSON.stringify(read)).not.toContain("CA:NA:RY");
  expect(read.signs[0]?.sample).toBe(
    'admission webhook "policy.example.com" denied the request [redacted]',
  );
});

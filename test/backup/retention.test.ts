/** Which copies go, at the boundaries and for any set of them. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  planRetention,
  planUnopenedRetention,
  RETENTION_MS,
  type RetentionCopy,
} from "../../lib/backup/retention.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const NOW = 2_000 * DAY_MS;

function copy(key: string, change: Partial<RetentionCopy> = {}): RetentionCopy {
  return {
    key,
    kind: "certificate",
    clusterIdentity: "uid-1",
    namespace: "tailscale",
    secret: "operator",
    fieldBase: "shop.example.ts.net",
    names: ["shop.example.ts.net"],
    judged: true,
    valid: true,
    notBeforeMs: NOW - 91 * DAY_MS,
    notAfterMs: NOW - DAY_MS,
    recordedAtMs: NOW - 90 * DAY_MS,
    recipientsConfigured: true,
    retired: false,
    ...change,
  };
}

function outcome(copies: readonly RetentionCopy[], nowMs = NOW): Record<string, string> {
  const plan = planRetention(copies, nowMs);
  return Object.fromEntries([
    ...plan.keep.map((entry) => [entry.copy.key, `keep: ${entry.reason}`]),
    ...plan.remove.map((entry) => [entry.copy.key, `remove: ${entry.reason}`]),
  ]);
}

const LONG_GONE = { notAfterMs: NOW - 400 * DAY_MS, notBeforeMs: NOW - 490 * DAY_MS };

test("the newest two valid copies stay, the others go 30 days after expiry", () => {
  const copies = [1, 2, 3, 4].map((age) => copy(`${age}`, { notAfterMs: NOW - age * 60 * DAY_MS }));
  expect(outcome(copies)).toEqual({
    1: "keep: newest_valid",
    2: "keep: newest_valid",
    3: "remove: expired",
    4: "remove: expired",
  });
});

test("at the very instant, not a millisecond before", () => {
  const notAfterMs = NOW - 100 * DAY_MS;
  const copies = [
    copy("a", { notAfterMs: NOW }),
    copy("b", { notAfterMs: NOW }),
    copy("old", { notAfterMs }),
  ];
  expect(outcome(copies, notAfterMs + RETENTION_MS - 1)["old"]).toBe("keep: not_due");
  expect(outcome(copies, notAfterMs + RETENTION_MS)["old"]).toBe("remove: expired");
  expect(
    planRetention(copies, notAfterMs).keep.find((entry) => entry.copy.key === "old")?.untilMs,
  ).toBe(notAfterMs + RETENTION_MS);
});

describe("what counts as one of the newest two", () => {
  const others: [string, Partial<RetentionCopy>][] = [
    ["an invalid one", { valid: false }],
    ["a retired one", { retired: true }],
    ["one for recipients no longer configured", { recipientsConfigured: false }],
    ["one that wasn't opened", { judged: false }],
    ["one of another name set", { names: ["other.example.ts.net"] }],
    ["one of another Secret", { secret: "other" }],
    ["one of another namespace", { namespace: "other" }],
    ["one of another cluster", { clusterIdentity: "uid-2" }],
    ["one of another field", { fieldBase: "other.example.ts.net" }],
    ["a standby one", { kind: "standby" }],
    ["a replaced one", { kind: "replaced" }],
  ];
  test.each(others)("not %s, though it is newer", (_, change) => {
    const copies = [
      copy("old-1", LONG_GONE),
      copy("old-2", LONG_GONE),
      copy("new-1", { ...change, notAfterMs: NOW }),
      copy("new-2", { ...change, notAfterMs: NOW }),
    ];
    const result = outcome(copies);
    expect([result["old-1"], result["old-2"]]).toEqual([
      "keep: newest_valid",
      "keep: newest_valid",
    ]);
  });

  test("the order of names doesn't make another certificate", () => {
    const copies = ["a", "b", "c"].map((key, index) =>
      copy(key, { ...LONG_GONE, notBeforeMs: index, names: index === 0 ? ["x", "y"] : ["y", "x"] }),
    );
    expect(outcome(copies)).toEqual({
      a: "remove: expired",
      b: "keep: newest_valid",
      c: "keep: newest_valid",
    });
  });
});

test("a retired copy, and one that nobody can open any more, go 30 days after expiry like others", () => {
  expect(
    outcome([
      copy("a", { ...LONG_GONE, retired: true }),
      copy("b", { ...LONG_GONE, recipientsConfigured: false }),
      copy("c", { retired: true, notAfterMs: NOW }),
    ]),
  ).toEqual({
    a: "remove: expired",
    b: "remove: expired",
    c: "keep: not_due",
  });
});

test("what was not opened stays, whatever it says of itself", () => {
  expect(
    outcome([copy("a", { ...LONG_GONE, judged: false, valid: false, retired: true })]),
  ).toEqual({ a: "keep: not_judged" });
});

test("an account key has no expiry", () => {
  expect(
    outcome([
      copy("a", { kind: "account-key", notAfterMs: null, notBeforeMs: null, valid: false }),
    ]),
  ).toEqual({ a: "keep: no_expiry" });
});

describe("a replaced copy", () => {
  const replaced = (change: Partial<RetentionCopy>): RetentionCopy =>
    copy("r", { kind: "replaced", recordedAtMs: NOW, ...change });
  test("that wasn't valid goes after 30 days", () => {
    const one = [replaced({ valid: false, notAfterMs: NOW + 60 * DAY_MS })];
    expect(outcome(one, NOW + RETENTION_MS - 1)).toEqual({ r: "keep: not_due" });
    expect(outcome(one, NOW + RETENTION_MS)).toEqual({ r: "remove: replaced" });
  });
  test("that was valid stays until 30 days after its expiry", () => {
    const one = [replaced({ notAfterMs: NOW + 60 * DAY_MS })];
    expect(outcome(one, NOW + 90 * DAY_MS - 1)).toEqual({ r: "keep: not_due" });
    expect(outcome(one, NOW + 90 * DAY_MS)).toEqual({ r: "remove: replaced" });
  });
  test("that was valid and has long expired still stays its 30 days", () => {
    expect(outcome([replaced({ notAfterMs: NOW - 200 * DAY_MS })], NOW + RETENTION_MS - 1)).toEqual(
      { r: "keep: not_due" },
    );
  });
  test("of unknown age stays", () => {
    expect(outcome([replaced({ recordedAtMs: null })], NOW + 9_999 * DAY_MS)).toEqual({
      r: "keep: age_unknown",
    });
  });
});

test("an unusable clock removes nothing", () => {
  expect(
    planRetention([copy("a", LONG_GONE), copy("b", LONG_GONE), copy("c", LONG_GONE)], Number.NaN)
      .remove,
  ).toEqual([]);
});

const anyCopy = fc.record({
  kind: fc.constantFrom(
    "certificate" as const,
    "account-key" as const,
    "standby" as const,
    "replaced" as const,
  ),
  secret: fc.constantFrom("a", "b"),
  names: fc.constantFrom(["x"], ["x", "y"]),
  judged: fc.boolean(),
  valid: fc.boolean(),
  notBeforeMs: fc.option(
    fc.integer({ min: 0, max: 1_000 }).map((day) => day * DAY_MS),
    { nil: null },
  ),
  notAfterMs: fc.option(
    fc.integer({ min: 0, max: 1_000 }).map((day) => day * DAY_MS),
    { nil: null },
  ),
  recordedAtMs: fc.option(
    fc.integer({ min: 0, max: 1_000 }).map((day) => day * DAY_MS),
    { nil: null },
  ),
  recipientsConfigured: fc.boolean(),
  retired: fc.boolean(),
});
const anyCopies = fc
  .array(anyCopy, { maxLength: 30 })
  .map((all) => all.map((change, index) => copy(`${index}`, change)));

test(
  "for any copies, at any time: what is valid or within 30 days of it stays, two valid ones of " +
    "each stay, and a second run removes nothing more",
  () => {
    fc.assert(
      fc.property(anyCopies, fc.integer({ min: -2_000, max: 9_000 }), (copies, day) => {
        const nowMs = day * DAY_MS;
        const plan = planRetention(copies, nowMs);
        expect(plan.keep.length + plan.remove.length).toBe(copies.length);
        const gone = plan.remove.map((entry) => entry.copy);
        expect(gone.filter((one) => !one.judged)).toEqual([]);
        expect(
          gone.filter(
            (one) => one.valid && !((one.notAfterMs ?? Infinity) <= nowMs - RETENTION_MS),
          ),
        ).toEqual([]);
        const counts = (one: RetentionCopy): boolean =>
          one.kind === "certificate" &&
          one.judged &&
          one.valid &&
          one.recipientsConfigured &&
          !one.retired;
        const kept = plan.keep.map((entry) => entry.copy).filter(counts);
        const newerKept = (one: RetentionCopy): number =>
          kept.filter(
            (other) =>
              other.secret === one.secret &&
              other.names.join() === one.names.join() &&
              (other.notAfterMs ?? -1) >= (one.notAfterMs ?? -1),
          ).length;
        expect(gone.filter((one) => counts(one) && newerKept(one) < 2)).toEqual([]);
        expect(
          planRetention(
            plan.keep.map((entry) => entry.copy),
            nowMs,
          ).remove,
        ).toEqual([]);
      }),
      { numRuns: 500 },
    );
  },
);

describe("without an identity", () => {
  type Owned = RetentionCopy & { readonly cluster: string };
  const owned = (key: string, change: Partial<RetentionCopy> = {}): Owned => ({
    ...copy(key, change),
    cluster: "prod",
  });
  const keys = (copies: readonly Owned[], nowMs = NOW): string[] =>
    planUnopenedRetention(copies, nowMs).map(({ key }) => key);
  /** So many of one certificate, each of 90 days, one every 60; the last expired `age` days ago. */
  const series = (count: number, age: number, change: Partial<RetentionCopy> = {}): Owned[] =>
    Array.from({ length: count }, (_, index) =>
      owned(`${index}`, {
        notAfterMs: NOW - (age + (count - 1 - index) * 60) * DAY_MS,
        notBeforeMs: NOW - (age + 90 + (count - 1 - index) * 60) * DAY_MS,
        ...change,
      }),
    );

  test("at most a tenth of a cluster's goes in a run, the longest expired first", () => {
    expect(keys(series(9, 100))).toEqual([]);
    expect(keys(series(10, 100))).toEqual(["0"]);
    expect(keys(series(39, 100))).toEqual(["0", "1", "2"]);
  });

  test("the newest two valid ones stay, and the last of a certificate that never was", () => {
    const others = Array.from({ length: 40 }, (_, index) =>
      owned(`live-${index}`, { secret: `s${index}`, notAfterMs: NOW + DAY_MS }),
    );
    const three = series(3, 400);
    expect(keys([...three, ...others])).toEqual(["0"]);
    expect(keys([...series(3, 400, { valid: false }), ...others])).toEqual(["0", "1"]);
  });

  test("what doesn't agree with its record, was replaced, imported or retired and last, stays", () => {
    for (const change of [
      { judged: false },
      { kind: "replaced" as const },
      { kind: "standby" as const },
      { kind: "account-key" as const },
      { notAfterMs: null },
      { notAfterMs: Number.NaN },
    ])
      expect({ change, gone: keys(series(40, 100, change)) }).toEqual({ change, gone: [] });
    expect(keys(series(1, 400, { retired: true }))).toEqual([]);
  });

  test("at the very instant, not a millisecond before", () => {
    const [first] = series(10, 100);
    const due = (first?.notAfterMs ?? 0) + RETENTION_MS;
    expect(keys(series(10, 100), due - 1)).toEqual([]);
    expect(keys(series(10, 100), due)).toEqual(["0"]);
  });

  test("storage is bounded over years of renewals, and a clock years ahead takes a tenth", () => {
    const certificates = 50;
    let copies: Owned[] = [];
    let most = 0;
    for (let week = 0; week < 5 * 52; week += 1) {
      const nowMs = NOW + week * 7 * DAY_MS;
      for (let one = 0; one < certificates; one += 1)
        if ((week + one) % 9 === 0)
          copies.push(
            owned(`${one}-${week}`, {
              secret: `s${one}`,
              notBeforeMs: nowMs,
              notAfterMs: nowMs + 90 * DAY_MS,
              recordedAtMs: nowMs,
            }),
          );
      const ahead = planUnopenedRetention(copies, nowMs + 3650 * DAY_MS);
      expect(ahead.length).toBeLessThanOrEqual(copies.length / 10);
      const gone = new Set(planUnopenedRetention(copies, nowMs));
      copies = copies.filter((one) => !gone.has(one));
      most = Math.max(most, copies.length);
    }
    expect(most).toBeLessThan(4 * certificates);
    for (let one = 0; one < certificates; one += 1)
      expect(copies.filter(({ secret }) => secret === `s${one}`).length).toBeGreaterThanOrEqual(2);
  });

  test("for any copies, at any time: two valid ones and the last of each certificate stay", () => {
    fc.assert(
      fc.property(anyCopies, fc.integer({ min: -2_000, max: 9_000 }), (all, day) => {
        const copies = all.map((one) => ({ ...one, cluster: "prod" }));
        const nowMs = day * DAY_MS;
        const gone = planUnopenedRetention(copies, nowMs);
        expect(gone.length).toBeLessThanOrEqual(copies.length / 10);
        const opened = new Set(planRetention(copies, nowMs).remove.map((entry) => entry.copy));
        // Stricter than with an identity: nothing goes that would stay then.
        expect(gone.filter((one) => !opened.has(one))).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });
});

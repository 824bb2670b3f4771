/** A stored history is read back as it was; anything else is counted as unread. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatHistory, parseHistory } from "../../lib/ratelimit/history.ts";
import { mergeIssuances } from "../../lib/ratelimit/issuance.ts";
import { HOUR_MS } from "../../lib/ratelimit/limit.ts";
import { made, T0 } from "./support.ts";

describe("history", () => {
  test("a round trip through JSON, newest first", () => {
    const issuances = mergeIssuances(
      [0, 3, 1, 2].map((h) =>
        made(T0 + h * HOUR_MS, { names: ["b.x.org", "a.x.org"], claimedBy: h === 3 ? "a" : null }),
      ),
    );
    const stored = JSON.parse(JSON.stringify(formatHistory(issuances))) as unknown;
    expect((stored as { sctMs: number }[]).map(({ sctMs }) => (sctMs - T0) / HOUR_MS)).toEqual([
      3, 2, 1, 0,
    ]);
    expect(parseHistory(stored, "a")).toEqual({ issuances, unread: [] });
  });

  test("an absent one is empty, another thing is unread", () => {
    expect(parseHistory(undefined, "a")).toEqual({ issuances: [], unread: [] });
    expect(parseHistory("x", "a").unread).toEqual([
      { source: "state", cluster: "a", count: 1, untilMs: null },
    ]);
  });

  const whole = JSON.parse(JSON.stringify(formatHistory([made(T0)])[0])) as Record<string, unknown>;
  test.each([
    ["issuer", 5],
    ["serial", null],
    ["serial", "f".repeat(2000)],
    ["names", "a.x"],
    ["names", [1]],
    ["names", Array.from({ length: 5000 }, () => "a")],
    ["notBeforeMs", "2026"],
    ["notAfterMs", null],
    ["notAfterMs", 1e300],
    ["sctMs", 0.5],
    ["backdateMs", undefined],
    ["sources", []],
    ["sources", [{ kind: "secret", cluster: "a", where: "x", firstSeenMs: -1e20 }]],
    ["sources", [{ kind: "rumour", cluster: "a", where: "x", firstSeenMs: 1 }]],
    ["sources", [null]],
    ["claimedBy", 7],
  ])("an entry with %s = %j is counted, the others are read", (field, value) => {
    const { issuances, unread } = parseHistory([{ ...whole, [field]: value }, whole], "a");
    expect(issuances).toHaveLength(1);
    expect(unread).toEqual([{ source: "state", cluster: "a", count: 1, untilMs: null }]);
  });

  test("a million entries: bounded, and the rest counted", () => {
    const million = Array.from({ length: 1_000_000 }, () => whole);
    const { issuances, unread } = parseHistory(million, null, 1_000);
    expect(issuances).toHaveLength(1);
    expect(unread[0]?.count).toBe(999_000);
  });

  test("any JSON: never an exception, each entry read or counted", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.jsonValue(), fc.constant(whole))), (entries) => {
        const { unread } = parseHistory(entries, null);
        const good = entries.filter((entry) => entry === whole).length;
        expect(unread.reduce((sum, { count }) => sum + count, 0)).toBe(entries.length - good);
      }),
    );
  });
});

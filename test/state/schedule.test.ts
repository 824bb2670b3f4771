/** When a cluster is audited again, and when it should have been long ago. */
import { describe, expect, it } from "vitest";
import { isDue, isOverdue, sinceAudit, sinceAuditOrPin } from "../../lib/state/schedule.ts";
import type { StateDocument } from "../../lib/state/document.ts";

const NOW = Date.parse("2026-06-01T12:00:00Z");
const MINUTE = 60_000;
const QUARTER = 15 * MINUTE;

function finished(ms: number): StateDocument["audit"] {
  const at = new Date(ms).toISOString();
  return {
    startedAt: at,
    finishedAt: at,
    complete: true,
    lastCompleteAt: at,
    lastReachedAt: at,
    unread: [],
    secrets: 0,
    foreign: 0,
  };
}

describe("since the last audit", () => {
  it.each([
    ["never audited", null, null],
    ["a minute ago", finished(NOW - MINUTE), MINUTE],
    ["by a clock slightly ahead", finished(NOW + 5 * MINUTE), 0],
    ["by a clock that was set wrong", finished(NOW + 5 * MINUTE + 1), null],
    [
      "at an instant that is none",
      { ...finished(NOW), finishedAt: "yesterday" } as StateDocument["audit"],
      null,
    ],
  ])("%s", (_, audit, expected) => {
    expect(sinceAudit(audit, NOW)).toBe(expected);
  });
});

describe("due", () => {
  it.each([
    ["never", null, QUARTER, true],
    ["just now", 0, QUARTER, false],
    ["a moment before the slack", 10 * MINUTE - 1, QUARTER, false],
    ["an audit that took all its time, an interval ago", 10 * MINUTE, QUARTER, true],
    ["an interval ago", QUARTER, QUARTER, true],
    ["a third at most is slack", 2 * MINUTE, 3 * MINUTE, true],
    ["a turn that comes twice", 2 * MINUTE - 1, 3 * MINUTE, false],
    ["hourly: 54 minutes ago", 54 * MINUTE, 60 * MINUTE, false],
    ["hourly: 55 minutes ago", 55 * MINUTE, 60 * MINUTE, true],
  ])("%s", (_, sinceMs, intervalMs, expected) => {
    expect(isDue(sinceMs, intervalMs)).toBe(expected);
  });

  it("a schedule of an interval never leaves a cluster out, however long its audits take", () => {
    for (const tookMs of [1_000, 60_000, 5 * MINUTE]) {
      let last: number | null = null;
      for (let turn = 0; turn < 20; turn += 1) {
        const now: number = turn * QUARTER;
        expect(
          isDue(last === null ? null : now - last, QUARTER),
          `turn ${turn}, ${tookMs} ms`,
        ).toBe(true);
        last = now + tookMs;
      }
    }
  });
});

it.each([
  [null, true],
  [2 * QUARTER, false],
  [2 * QUARTER + 1, true],
])("overdue after two intervals: %s", (sinceMs, expected) => {
  expect(isOverdue(sinceMs, QUARTER)).toBe(expected);
});

it("counts a cluster's time from its registration until its first audit", () => {
  const identity = {
    key: "uid-1",
    uid: "1",
    caSha256: null,
    pin: { caSha256: null, by: "person", at: new Date(NOW - MINUTE).toISOString() },
  };
  expect(sinceAuditOrPin({ audit: null, identity }, NOW)).toBe(MINUTE);
  expect(sinceAuditOrPin({ audit: finished(NOW - 2 * MINUTE), identity }, NOW)).toBe(2 * MINUTE);
  expect(sinceAuditOrPin({ audit: null, identity: null }, NOW)).toBeNull();
});

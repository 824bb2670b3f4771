import { NOW_MS } from "../../finding/fixture.ts";
import { describe, expect, it } from "vitest";
import type { RouteRecord } from "../../../lib/state/digest.ts";
import { countState } from "../../../lib/report/metrics.ts";
import { partsText } from "../../../lib/report/part.ts";
import { summarize, unseenSummary } from "../../../lib/report/summary.ts";
import type { StateDocument } from "../../../lib/state/document.ts";
import { copy, secret } from "../../finding/fixture.ts";
import {
  cluster,
  DAY,
  HOUR,
  lasting,
  later,
  plan,
  ROUTE,
  summaryOf,
  unreachable,
} from "../support.ts";

const MINUTE = 60_000;
const good = cluster("prod", 3);
const bad = cluster("prod", 3, {
  "shop/web": secret({ certificates: { tls: lasting(3, "web.shop.example") } }),
});
const soon = cluster("prod", 3, {
  "shop/web": secret({ certificates: { tls: lasting(20, "web.shop.example") } }),
});

/** Runs at these times, each with its states; the titles of what was reported. */
function runs(
  steps: readonly (readonly [atMs: number, state: StateDocument])[],
  from: RouteRecord | null = plan([good]).record,
): (readonly string[] | null)[] {
  let record = from;
  return steps.map(([atMs, state]) => {
    const { message, record: after } = plan([later(state, atMs)], { record, nowMs: atMs });
    record = after;
    return message === null ? null : message.notices.map(({ title }) => partsText(title));
  });
}

/** A critical one and a warning. */
const EXPIRES = /^web\.shop\.example in prod: expires in \d+ (days|hours)/;
const OVERDUE = /^web\.shop\.example in prod: expires in \d+ days, renewal was due \d+ days ago/;
const title = (pattern: RegExp): string => expect.stringMatching(pattern) as string;

describe("a digest is sent", () => {
  it("at once when something critical is seen, and each day again until it is gone", () => {
    const noon = NOW_MS;
    expect(
      runs([
        [noon + 5 * MINUTE, bad],
        [noon + 10 * MINUTE, bad],
        [noon + 19 * HOUR + 59 * MINUTE, bad],
        [noon + 20 * HOUR, bad],
        [noon + 20 * HOUR + 5 * MINUTE, bad],
        [noon + 44 * HOUR, bad],
      ]),
    ).toEqual([[title(EXPIRES)], null, null, [title(EXPIRES)], null, [title(EXPIRES)]]);
  });

  it("with the day's digest when it isn't critical, and once", () => {
    expect(
      runs([
        [NOW_MS + 5 * MINUTE, soon],
        [NOW_MS + 20 * HOUR, soon],
        [NOW_MS + 44 * HOUR, soon],
      ]),
    ).toEqual([null, [title(OVERDUE)], null]);
  });

  it("when what was a warning becomes critical", () => {
    const { record } = plan([soon]);
    expect(runs([[NOW_MS + 5 * MINUTE, bad]], record)).toEqual([[title(EXPIRES)]]);
  });

  it("with what is over, after it has stayed away for an hour", () => {
    const { record } = plan([bad]);
    const tomorrow = NOW_MS + 20 * HOUR;
    expect(
      runs(
        [
          [NOW_MS + 5 * MINUTE, good],
          [tomorrow, good],
          [tomorrow + DAY, good],
        ],
        record,
      ),
    ).toEqual([null, ["Resolved: web.shop.example in prod: no longer about to expire"], null]);
  });

  it("once for what comes and goes", () => {
    const { record } = plan([bad]);
    const steps: (readonly [number, StateDocument])[] = [];
    for (let i = 1; i < 19 * 4; i += 1)
      steps.push([NOW_MS + i * 15 * MINUTE, Math.floor(i / 3) % 2 === 0 ? bad : good]);
    expect(runs(steps, record).filter((told) => told !== null)).toEqual([]);
  });

  it("once for what stays away for hours, and still comes back", () => {
    const { record } = plan([soon]);
    const steps: (readonly [number, StateDocument])[] = [];
    for (let i = 1; i < 6 * 24; i += 1)
      steps.push([NOW_MS + i * HOUR, Math.floor((i + 2) / 3) % 2 === 0 ? soon : good]);
    expect(runs(steps, record).filter((told) => told !== null)).toEqual([]);
  });

  describe("of a plain Secret that is gone and whose parent is unknown", () => {
    const web = { namespace: "shop", secret: "web", names: ["web.shop.example"] };
    const record = secret({
      shape: "tls",
      certificates: { tls: lasting(50, "web.shop.example") },
    });
    const lost: StateDocument = {
      ...good,
      copies: { v1: copy(web) },
      lost: {
        "shop/web": {
          how: "unknown",
          incident: null,
          lostAt: "2026-11-23T11:00:00Z",
          lastSeenAt: "2026-11-23T10:00:00Z",
          record,
        },
      },
    };
    const replaced = { ...lost, secrets: { ...lost.secrets, "shop/web-2": record } };
    const told = [title(/^web\.shop\.example in prod: Secret missing/)];

    it("at once: it may serve", () => {
      expect(runs([[NOW_MS + 5 * MINUTE, lost]], plan([good]).record)).toEqual([told]);
    });

    it("at once when the same finding gets worse", () => {
      expect(
        runs(
          [
            [NOW_MS + 5 * MINUTE, replaced],
            [NOW_MS + 10 * MINUTE, lost],
            [NOW_MS + 15 * MINUTE, lost],
          ],
          plan([replaced]).record,
        ),
      ).toEqual([null, told, null]);
    });
  });

  it("never for what can't be seen: neither new nor over", () => {
    const { record } = plan([bad]);
    const blind = unseenSummary(
      "prod",
      { of: "unreadable", newer: false },
      { atMs: NOW_MS, ignore: [] },
    );
    const first = plan([], { summaries: [blind], record, nowMs: NOW_MS + 20 * HOUR });
    const second = plan([], {
      summaries: [blind],
      record: first.record,
      nowMs: NOW_MS + 44 * HOUR,
    });
    for (const { message } of [first, second])
      expect(message?.notices.map(({ severity }) => severity) ?? []).not.toContain("resolved");
    expect(
      Object.values(second.record.said).some(
        ({ code, goneMs }) => code === "expiring" && goneMs === null,
      ),
    ).toBe(true);
    expect(runs([[NOW_MS + 44 * HOUR + 5 * MINUTE, bad]], second.record)).toEqual([null]);
  });

  describe("first", () => {
    const never = unseenSummary("eu", { of: "never" }, { atMs: NOW_MS, ignore: [] });
    const at = (ms: number, record: RouteRecord | null, eu = never) =>
      plan([good], { record, nowMs: ms, summaries: [summaryOf(later(good, ms), ms), eu] });

    it("once each cluster was audited, and names what it is about", () => {
      const waiting = at(NOW_MS, null);
      expect(waiting.message).toBeNull();
      const still = at(NOW_MS + 5 * MINUTE, waiting.record);
      expect(still.message).toBeNull();
      const seen = later(cluster("eu", 2), NOW_MS + 10 * MINUTE);
      const posted = at(NOW_MS + 10 * MINUTE, still.record, summaryOf(seen, NOW_MS + 10 * MINUTE));
      expect(posted.message).toMatchObject({ kind: "first" });
      expect(posted.message?.notes.map(partsText)).toContainEqual(
        "First digest of prod, eu. From now on only changes are reported.",
      );
    });

    it("at once where something critical is seen meanwhile", () => {
      const summaries = [summaryOf(bad), never];
      expect(plan([], { summaries }).message).toMatchObject({ kind: "first" });
    });

    it("after an hour at the latest, telling what no audit has seen", () => {
      let { message, record } = at(NOW_MS, null);
      for (let minutes = 5; minutes < 60; minutes += 5) {
        ({ message, record } = at(NOW_MS + minutes * MINUTE, record));
        expect(message, `after ${minutes} minutes`).toBeNull();
      }
      ({ message } = at(NOW_MS + HOUR, record));
      expect(message).toMatchObject({ kind: "first" });
      expect(message?.notices.map(({ title: said }) => partsText(said)).join()).toContain("eu");
    });
  });

  it("for no certificate whose state is dated in the future as if it were seen now", () => {
    const ahead = later(good, NOW_MS + HOUR);
    const seen = summaryOf(ahead);
    expect(seen).toMatchObject({ sight: "stale", tally: { ok: 0, unknown: 3 } });
    expect(countState(ahead, NOW_MS, 15 * MINUTE)).toMatchObject({ valid: 0, unknown: 3 });
    expect(summaryOf(later(good, NOW_MS + 4 * MINUTE))).toMatchObject({ tally: { ok: 3 } });
  });

  it("at once after a clock that was ahead is right again", () => {
    const { record } = plan([soon], { nowMs: NOW_MS + 400 * DAY });
    const { message } = plan([soon], { record });
    expect(JSON.stringify(message?.notes)).toContain("The clock went back by 400 days");
    expect(
      plan([soon], { record: plan([soon], { record }).record, nowMs: NOW_MS + HOUR }).message,
    ).toBeNull();
  });

  it("without the clusters and the severities of other routes", () => {
    const route = { name: "x", clusters: ["stag*"], severity: "critical" as const };
    const states = [
      bad,
      cluster("staging", 2, { "a/b": secret({ certificates: { tls: lasting(20, "b.example") } }) }),
    ];
    const { message } = plan(states, { route });
    expect(partsText(message?.title ?? [])).toBe(
      "staging: 2 of 3 certificates OK, all 3 backed up",
    );
    expect(message?.notices).toEqual([]);
  });

  it("forgets a cluster that is no longer registered, and says so", () => {
    const { record } = plan([bad]);
    const { message } = plan([], {
      summaries: [],
      unregistered: ["prod"],
      record,
      nowMs: NOW_MS + 7 * DAY,
    });
    expect(partsText(message?.title ?? [])).toBe("No cluster was audited yet");
    expect(JSON.stringify(message?.notes)).toContain("no longer registered");
    expect(message?.notices).toEqual([]);
  });
});

describe("a summary", () => {
  it("vouches for nothing after a day without an audit", () => {
    const old = later(good, NOW_MS - 27 * HOUR);
    const { tally, sight, findings } = summaryOf(old);
    expect({
      ok: tally.ok,
      unknown: tally.unknown,
      sight,
      codes: findings.map(({ code }) => code),
    }).toEqual({ ok: 0, unknown: 3, sight: "stale", codes: ["audit_incomplete"] });
    expect(summaryOf(later(good, NOW_MS - 25 * HOUR)).tally.ok).toBe(3);
  });

  it("as of a later time than now is as fresh as now", () => {
    const atMs = NOW_MS + 30 * 86_400_000;
    expect(summarize(good, { atMs, ignore: [], wallMs: NOW_MS }).sight).toBe("now");
    expect(summarize(good, { atMs, ignore: [] }).sight).toBe("stale");
  });

  it("doesn't call OK what an audit could not read", () => {
    const audit = {
      startedAt: "2026-11-23T12:00:00Z",
      finishedAt: "2026-11-23T12:00:00Z",
      complete: false,
      lastCompleteAt: null,
      lastReachedAt: "2026-11-23T12:00:00Z",
      secrets: 3,
      foreign: 0,
    };
    const part = (scope: string): StateDocument => ({
      ...good,
      audit: {
        ...audit,
        unread: [
          { scope, code: "cluster_timeout", message: "no answer", since: "2026-11-23T12:00:00Z" },
        ],
      },
    });
    expect(summaryOf(part("Secret apps/app1")).tally).toMatchObject({ ok: 2, unknown: 1 });
    expect(summaryOf(part("rest")).tally).toMatchObject({ ok: 0, unknown: 3 });
    expect(summaryOf(part("backups")).tally).toMatchObject({ ok: 3, unknown: 0 });
    expect(summaryOf(unreachable("prod", 3, NOW_MS)).tally).toMatchObject({ ok: 0, unknown: 3 });
  });

  it("is the same for the same input", () => {
    expect(plan([bad], { route: ROUTE })).toEqual(plan([bad], { route: ROUTE }));
  });
});

/** What to do about one certificate: a table, and that no advice goes beyond the evidence. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Advice, adviseOn } from "../../lib/ratelimit/advice.ts";
import { type Evidence, type Refusal } from "../../lib/ratelimit/evidence.ts";
import { createLedger } from "../../lib/ratelimit/ledger.ts";
import { DAY_MS, HOUR_MS } from "../../lib/ratelimit/limit.ts";
import { evidence, KNOWN, LE, made, type Made, T0 } from "./support.ts";

const NAME = "app.tail1.ts.net";
const NOW = T0 + 5 * HOUR_MS;
const five = (parts: Made = {}): ReturnType<typeof made>[] =>
  [0, 1, 2, 3, 4].map((h) => made(T0 + h * HOUR_MS, parts));
const fifty = Array.from({ length: 50 }, (_, i) => made(T0, { names: [`n${i}.tail1.ts.net`] }));
const whole = {
  source: "ct",
  cluster: null,
  issuer: LE,
  scope: { kind: "all" },
  fromMs: T0 - 100 * DAY_MS,
  untilMs: NOW,
} as const;
const claim = (cluster: string): Refusal => ({
  issuer: LE,
  kind: "set",
  key: NAME,
  seenAtMs: T0 + 4 * HOUR_MS,
  retryAtMs: T0 + 30 * HOUR_MS,
  cluster,
  where: "",
  burst: 5,
});

function advise(
  known: Evidence,
  parts: {
    copy?: "good" | "none" | "unknown";
    issuer?: string | null;
    cluster?: string;
    atMs?: number;
  } = {},
): Advice {
  const shared = createLedger(known, { limits: KNOWN });
  const own = createLedger(known, { limits: KNOWN, cluster: parts.cluster ?? "a" });
  return adviseOn(shared, own, {
    names: [NAME],
    issuer: parts.issuer === undefined ? LE : parts.issuer,
    copy: parts.copy ?? "none",
    atMs: parts.atMs ?? NOW,
  });
}

describe("advice", () => {
  test("a usable backup: restore, whatever is left", () => {
    expect(advise(evidence(five()), { copy: "good" })).toMatchObject({
      action: "restore",
      because: ["good_copy"],
      left: { atMost: 0, atLeast: null },
      untilMs: null,
    });
    expect(advise(evidence([]), { copy: "good", issuer: null })).toMatchObject({
      action: "restore",
      left: null,
    });
  });

  test("none, and some left: reissue, with what is known of how many", () => {
    expect(advise(evidence([made(T0)]))).toMatchObject({
      action: "reissue",
      because: ["budget_left", "at_least_unknown"],
      left: { atMost: 4, atLeast: null },
    });
    expect(advise(evidence([made(T0)], { coverage: [whole] }))).toMatchObject({
      action: "reissue",
      because: ["budget_left"],
      left: { atMost: 4, atLeast: 4 },
    });
  });

  test("none left of its set: wait, or another host name, or staging", () => {
    expect(advise(evidence(five()))).toMatchObject({
      action: "wait",
      because: ["set_exhausted"],
      untilMs: T0 + 120_960_000,
      otherWays: ["other_host_name", "staging"],
    });
  });

  test("none left of its domain: another name of it doesn't help", () => {
    expect(advise(evidence(fifty), { atMs: T0 })).toMatchObject({
      action: "wait",
      because: ["domain_exhausted"],
      untilMs: T0 + 12_096_000,
      otherWays: ["staging"],
    });
  });

  test("a renewal isn't held to the domain's limit", () => {
    const advice = advise(evidence([...fifty, made(T0 - 30 * DAY_MS)]), { atMs: T0 });
    expect(advice).toMatchObject({ action: "reissue", domains: [], left: { atMost: 5 } });
  });

  test("both exhausted: the later of the two, and only staging besides", () => {
    const recent = Array.from({ length: 6 }, () => made(T0, { claimedBy: null }));
    const advice = advise(evidence([...recent, ...fifty]), { atMs: T0 });
    expect(advice).toMatchObject({ action: "wait", untilMs: T0 + 120_960_000 });
    expect(advice.because).toContain("set_exhausted");
  });

  test("a refusal that its own cluster claims: wait until then; another cluster's doesn't count", () => {
    const known = evidence([made(T0)], { refusals: [claim("a")] });
    expect(advise(known, { cluster: "a" })).toMatchObject({
      action: "wait",
      because: ["refused_until"],
      untilMs: T0 + 30 * HOUR_MS,
    });
    const other = advise(known, { cluster: "b" });
    expect(other).toMatchObject({ action: "reissue", left: { atMost: 4 } });
    expect(other.set?.claims.map(({ cluster }) => cluster)).toEqual(["a"]);
  });

  test("certificates that its own log claims count for it", () => {
    const claims = five({ claimedBy: "a", kind: "log" });
    expect(advise(evidence(claims), { cluster: "a" }).action).toBe("wait");
    expect(advise(evidence(claims), { cluster: "b" }).action).toBe("reissue");
  });

  test("what isn't known is no ground for an action", () => {
    expect(advise(evidence([]), { copy: "unknown" })).toMatchObject({
      action: "unknown",
      because: ["copies_unread"],
      left: { atMost: 5 },
    });
    expect(advise(evidence(five()), { copy: "unknown" })).toMatchObject({
      action: "unknown",
      because: ["copies_unread", "set_exhausted"],
      untilMs: T0 + 120_960_000,
    });
    expect(advise(evidence([]), { issuer: null })).toMatchObject({
      action: "unknown",
      because: ["issuer_unknown"],
      left: null,
    });
    expect(advise(evidence([]), { issuer: "letsencrypt-staging" })).toMatchObject({
      action: "unknown",
      because: ["limit_unknown"],
    });
  });

  test(
    "reissuing is never advised where the bucket is known to be empty, nor without a look at " +
      "the copies",
    () => {
      const issuances = fc.array(
        fc.integer({ min: 0, max: 300 }).map((h) => made(T0 + h * HOUR_MS)),
        { maxLength: 12 },
      );
      fc.assert(
        fc.property(
          issuances,
          fc.integer({ min: 0, max: 400 }),
          fc.constantFrom("good" as const, "none" as const, "unknown" as const),
          (known, hours, copy) => {
            const advice = advise(evidence(known), { atMs: T0 + hours * HOUR_MS, copy });
            if (copy === "good") expect(advice.action).toBe("restore");
            if (advice.action === "reissue") {
              expect(copy).toBe("none");
              expect(advice.left?.atMost).toBeGreaterThan(0);
            }
            if (advice.action === "wait")
              expect(advice.untilMs).toBeGreaterThan(T0 + hours * HOUR_MS);
          },
        ),
      );
    },
  );
});

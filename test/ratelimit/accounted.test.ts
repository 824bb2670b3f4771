/** What a cluster's log claims and certificate logs show is one certificate, not two. */
import { describe, expect, it } from "vitest";
import { budgetOf } from "../../lib/ratelimit/budget.ts";
import { createLedger } from "../../lib/ratelimit/ledger.ts";
import { DAY_MS, HOUR_MS } from "../../lib/ratelimit/limit.ts";
import { evidence, KNOWN, LE, made } from "./support.ts";

const T0 = Date.parse("2026-11-20T00:00:00Z");
const NAME = "app.tail1.ts.net";
const claim = (atMs: number) => made(atMs, { kind: "log", claimedBy: "a" });
const logged = (atMs: number) => made(atMs, { kind: "ct", cluster: null, where: "logs.test" });
const spent = (issuances: Parameters<typeof evidence>[0], cluster: string | null = "a") =>
  budgetOf(
    createLedger(evidence(issuances), { limits: KNOWN, cluster }),
    "set",
    LE,
    NAME,
    T0 + DAY_MS,
  )?.spent;

describe("a claim of a cluster's log", () => {
  it("is accounted for by a certificate that certificate logs alone show: issued and lost", () => {
    expect(spent([claim(T0), logged(T0 + 60_000)])).toBe(1);
    expect(spent([claim(T0), claim(T0 + HOUR_MS), logged(T0 + 60_000)])).toBe(2);
    expect(
      spent([
        claim(T0),
        claim(T0 + HOUR_MS),
        logged(T0),
        logged(T0 + HOUR_MS),
        logged(T0 + 2 * HOUR_MS),
      ]),
    ).toBe(3);
  });

  it("isn't by one that another cluster holds", () => {
    expect(spent([claim(T0), made(T0, { cluster: "b" })])).toBe(2);
  });

  it("counts for nobody else", () => {
    expect(spent([claim(T0), claim(T0 + HOUR_MS), logged(T0)], null)).toBe(1);
    expect(spent([claim(T0), claim(T0 + HOUR_MS), logged(T0)], "b")).toBe(1);
  });
});

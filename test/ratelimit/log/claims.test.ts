/**
 * What a log claims, beside what was verified: whose numbers it changes, and how much of it is
 * kept.
 */
import { describe, expect, it } from "vitest";
import { budgetOf } from "../../../lib/ratelimit/budget.ts";
import { mergeEvidence } from "../../../lib/ratelimit/evidence.ts";
import { createLedger } from "../../../lib/ratelimit/ledger.ts";
import { boundClaims, claimsOf, type ClaimOptions } from "../../../lib/ratelimit/log/claims.ts";
import { readLog } from "../../../lib/ratelimit/log/reader.ts";
import { evidence, KNOWN, LE, made, T0 } from "../support.ts";

const D = "app.tail1.ts.net";
const HOUR_MS = 3_600_000;
const WHERE = "tailscale/ts-app-0/tailscale";
const OPTIONS: ClaimOptions = { cluster: "a", issuerOf: () => LE, nowMs: T0 + 24 * HOUR_MS };
const line = (ms: number, text: string): string =>
  `${new Date(ms).toISOString().replace("Z", "000001Z")} 2026/11/01 00:00:00 ${text}\n`;
const got = (ms: number, domain = D): string => line(ms, `cert("${domain}"): got cert`);
const claims = (text: string, options = OPTIONS) => claimsOf(readLog(text, WHERE, 0), options);

describe("a line that says that a certificate was issued", () => {
  it("is a claim of its cluster, at its time", () => {
    expect(claims(got(T0)).issuances).toMatchObject([
      {
        issuer: LE,
        names: [D],
        set: D,
        domains: ["tail1.ts.net"],
        issuedAtMs: T0,
        claimedBy: "a",
        verified: false,
        sources: [{ kind: "log", cluster: "a", where: WHERE }],
      },
    ]);
  });
  it("read twice is one claim; in another cluster or pod it is another", () => {
    const once = claims(got(T0) + got(T0 + 1_000));
    expect(mergeEvidence(once, claims(got(T0)), once).issuances).toHaveLength(2);
    const other = claimsOf(readLog(got(T0), "tailscale/ts-app-1/tailscale", 0), OPTIONS);
    expect(
      mergeEvidence(once, other, claims(got(T0), { ...OPTIONS, cluster: "b" })).issuances,
    ).toHaveLength(4);
  });
  it(
    "changes no budget but its own cluster's, and there counts once with the certificate that " +
      "it tells of",
    () => {
      const logs = claims(got(T0) + got(T0 + HOUR_MS) + got(T0 + 2 * HOUR_MS));
      const all = mergeEvidence(evidence([made(T0 + 2_000, { names: [D], cluster: "a" })]), logs);
      const atMs = T0 + 3 * HOUR_MS;
      const left = (cluster: string | null): number | undefined =>
        budgetOf(createLedger(all, { limits: KNOWN, cluster }), "set", LE, D, atMs)?.atMost;
      expect([left(null), left("b"), left("a")]).toEqual([4, 4, 2]);
    },
  );
  it("of later than now is one of now", () => {
    expect(claims(got(OPTIONS.nowMs + 99 * HOUR_MS)).issuances[0]?.issuedAtMs).toBe(OPTIONS.nowMs);
  });
});

describe("a refusal in a log", () => {
  const retry = "2026-11-02 12:00:00 UTC";
  const refused = (text: string): string =>
    line(T0, `cert("${D}"): getCertPEM: 429 urn:ietf:params:acme:error:rateLimited: ${text}`);
  const retryAtMs = Date.UTC(2026, 10, 2, 12);
  it.each([
    [
      "too many certificates (5) already issued for this exact set of identifiers in the last " +
        `168h0m0s, retry after ${retry}`,
      [
        {
          issuer: LE,
          kind: "set",
          key: D,
          retryAtMs,
          seenAtMs: T0,
          cluster: "a",
          where: WHERE,
          burst: 5,
        },
      ],
    ],
    [
      `too many certificates (60) already issued for "tail1.ts.net" in the last 168h0m0s, ` +
        `retry after ${retry}`,
      [
        {
          issuer: LE,
          kind: "domain",
          key: "tail1.ts.net",
          retryAtMs,
          seenAtMs: T0,
          cluster: "a",
          where: WHERE,
          burst: 60,
        },
      ],
    ],
    [`too many new orders (300) from this account in the last 3h0m0s, retry after ${retry}`, []],
    ["too many certificates already issued for exact set of domains: a.example.com", []],
    [
      "too many certificates (5) already issued for this exact set of identifiers in the last " +
        "168h0m0s, retry after 9999-01-02 03:04:05 UTC",
      [],
    ],
  ])("%s", (text, expected) => {
    expect(claims(refused(text)).refusals).toEqual(expected);
  });
  it("of a staging issuer is that one's", () => {
    const options = { ...OPTIONS, issuerOf: () => "letsencrypt-staging" };
    expect(
      claims(
        refused(
          "too many certificates (5) already issued for this exact set of identifiers in the " +
            `last 168h0m0s, retry after ${retry}`,
        ),
        options,
      ).refusals,
    ).toMatchObject([{ issuer: "letsencrypt-staging" }]);
  });
});

describe("what is kept", () => {
  it("is bounded for a set, in all, and of refusals; what was verified stays whole", () => {
    const verified = Array.from({ length: 200 }, (_, i) =>
      made(T0 + i, { names: [D], serial: (4_096 + i).toString(16) }),
    );
    const many = claims(
      Array.from({ length: 400 }, (_, i) => got(T0 + i * 1_000)).join("") +
        Array.from({ length: 300 }, (_, i) => got(T0 + i, `n${i}.tail1.ts.net`)).join(""),
    );
    const refusals = Array.from({ length: 2_000 }, (_, i) => ({
      issuer: LE,
      kind: "set" as const,
      key: `n${i}`,
      retryAtMs: T0,
      seenAtMs: T0 + i,
      cluster: "a",
      where: WHERE,
      burst: 5,
    }));
    const bounded = boundClaims(
      mergeEvidence(evidence(verified), many, evidence([], { refusals })),
    );
    expect(bounded.issuances.filter((one) => one.verified)).toHaveLength(200);
    const claimed = bounded.issuances.filter((one) => !one.verified);
    expect(claimed.filter(({ set }) => set === D)).toHaveLength(50);
    expect(
      Math.max(...claimed.filter(({ set }) => set === D).map(({ issuedAtMs }) => issuedAtMs)),
    ).toBe(T0 + 399_000);
    expect(claimed).toHaveLength(350);
    expect(bounded.refusals).toHaveLength(500);
    expect(Math.min(...bounded.refusals.map(({ seenAtMs }) => seenAtMs))).toBe(T0 + 1_500);
    expect(boundClaims(bounded)).toEqual(bounded);
  });
});

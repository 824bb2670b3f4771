import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KEEP_MS } from "../../lib/ratelimit/evidence.ts";
import { createIssuance } from "../../lib/ratelimit/issuance.ts";
import { formatHistory } from "../../lib/ratelimit/history.ts";
import {
  formatState,
  parseState,
  type CopyRecord,
  type SecretRecord,
  type StateDocument,
} from "../../lib/state/document.ts";
import { carryEvidence, stateEvidence } from "../../lib/state/evidence.ts";
import { mergeStates } from "../../lib/state/merge.ts";
import { certificate, NOW, secret, state } from "../finding/fixture.ts";

const NOW_MS = Date.parse(NOW);
const DAY_MS = 86_400_000;
const KEY = "tailscale/shop.tail1a2b3.ts.net";

const iso = (ms: number): string => new Date(ms).toISOString().replace(".000Z", "Z");
const held = (serial: string, over: Parameters<typeof certificate>[0] = {}): SecretRecord =>
  secret({ certificates: { tls: certificate({ serial, sha256: serial, ...over }) } });
const serials = (of: StateDocument): string[] =>
  stateEvidence(of)
    .issuances.map(({ serial }) => serial)
    .toSorted();

/** As if an audit of it had ended then. */
function audited(of: StateDocument, atMs: number): StateDocument {
  const finishedAt = iso(atMs);
  return of.audit === null ? of : { ...of, audit: { ...of.audit, finishedAt } };
}

function copy(over: Partial<CopyRecord> = {}): CopyRecord {
  return {
    namespace: "tailscale",
    secret: "shop.tail1a2b3.ts.net",
    shape: "ha-ingress",
    fieldBase: "tls",
    kind: "certificate",
    names: ["shop.tail1a2b3.ts.net"],
    issuer: "letsencrypt",
    serial: "0b",
    sha256: "bb",
    notBefore: "2026-10-01T00:00:00Z",
    notAfter: "2026-12-30T00:00:00Z",
    issuedAt: "2026-10-01T00:58:30Z",
    account: null,
    digest: "d",
    key: "k",
    recordedAt: "2026-10-02T00:00:00Z",
    seenValid: true,
    liveFrom: "2026-10-02T00:00:00Z",
    liveUntil: "2026-11-01T00:00:00Z",
    ...over,
  };
}

describe("what a state knows of issuances", () => {
  it(
    "counts Secrets, what they held before, losses and backups, each issuance once, with all " +
      "its places",
    () => {
      const evidence = stateEvidence(
        state(
          {
            [KEY]: held("0a"),
            "shop/emptied": secret({
              certificates: {},
              gaps: {
                tls: {
                  domain: null,
                  state: "empty",
                  reasons: [],
                  since: NOW,
                  held: certificate({ serial: "0c" }),
                },
              },
            }),
          },
          {
            lost: {
              "shop/lost": {
                how: "lost",
                incident: null,
                lostAt: NOW,
                lastSeenAt: NOW,
                record: held("0d"),
              },
            },
            copies: {
              version1: copy(),
              version2: copy({
                serial: "0a",
                issuedAt: "2026-11-01T00:00:00Z",
                notBefore: "2026-11-01T00:00:00Z",
                notAfter: "2027-01-30T00:00:00Z",
              }),
            },
          },
        ),
      );
      expect(evidence.issuances.map(({ serial }) => serial).toSorted()).toEqual([
        "a",
        "b",
        "c",
        "d",
      ]);
      expect(
        evidence.issuances
          .find(({ serial }) => serial === "a")
          ?.sources.map(({ kind, cluster, where }) => `${kind} ${cluster} ${where}`),
      ).toEqual(["backup prod version2", `secret prod ${KEY}`]);
      expect(evidence.issuances.find(({ serial }) => serial === "b")).toMatchObject({
        issuedAtMs: Date.parse("2026-10-01T00:58:30Z"),
        verified: true,
      });
    },
  );

  it.each([
    ["without the key that fits", { keyFits: false }],
    ["of no known issuer", { issuer: null }],
    ["without a name", { names: [] }],
  ])("counts no certificate %s", (_what, over) => {
    expect(stateEvidence(state({ [KEY]: held("0a", over) })).issuances).toEqual([]);
  });

  it("takes no foreign Secret, no account key and no replaced content for an issuance", () => {
    expect(
      stateEvidence(
        state(
          { [KEY]: secret({ foreign: true }) },
          {
            copies: {
              a: copy({ kind: "account-key" }),
              b: copy({ kind: "replaced" }),
              c: copy({ kind: "standby" }),
            },
          },
        ),
      ).issuances,
    ).toEqual([]);
  });

  it(
    "doesn't believe a certificate that claims to be younger than its first sight, and still " +
      "says so",
    () => {
      const firstSeenAt = "2026-11-20T10:00:00Z";
      const evidence = stateEvidence(
        state({
          [KEY]: held("0a", {
            notBefore: "2026-12-01T00:00:00Z",
            issuedAt: firstSeenAt,
            issuedBy: "first_seen",
            firstSeenAt,
          }),
        }),
      );
      expect(evidence.issuances).toMatchObject([
        { issuedAtMs: Date.parse(firstSeenAt), basis: "first_seen", future: true },
      ]);
    },
  );

  it("counts a record whose instants can't be read as unread, never as nothing", () => {
    const evidence = stateEvidence(
      state({ [KEY]: held("0a", { issuedAt: "yesterday" }), "shop/b": held("0b") }),
    );
    expect(evidence.issuances).toHaveLength(1);
    expect(evidence.unread).toEqual([
      { source: "state", cluster: "prod", count: 1, untilMs: null },
    ]);
  });

  it.each([
    [null],
    [7],
    ["x"],
    [[]],
    [{ issuances: 7 }],
    [{ issuances: [7, {}, null], coverage: "x", refusals: [{}], silences: {}, unread: [1] }],
  ])("takes any stored value: %j", (evidence) => {
    expect(stateEvidence(state({}, { evidence })).issuances).toEqual([]);
  });

  it("looks at 100,000 of a history of a million, and says how many it left", () => {
    const [entry] = formatHistory([
      createIssuance({
        issuer: "letsencrypt",
        serial: "1",
        names: ["a.example.com"],
        notBeforeMs: 0,
        notAfterMs: DAY_MS,
        sctMs: 0,
        backdateMs: 0,
        sources: [{ kind: "secret", cluster: "prod", where: "x/y", firstSeenMs: 0 }],
        claimedBy: null,
      }),
    ]);
    const evidence = stateEvidence(
      state({}, { evidence: { issuances: Array.from({ length: 1_000_000 }, () => entry) } }),
    );
    expect(evidence.issuances).toHaveLength(1);
    expect(evidence.unread).toEqual([
      { source: "state", cluster: "prod", count: 900_000, untilMs: null },
    ]);
  });
});

describe("the history", () => {
  it("holds what was replaced, and nothing that the records still show", () => {
    const before = state({ [KEY]: held("0a"), "shop/b": held("0b") });
    const after = state({ [KEY]: held("0c"), "shop/b": before.secrets["shop/b"] ?? secret() });
    const evidence = carryEvidence([before], after, NOW_MS) as { issuances: { serial: string }[] };
    expect(evidence.issuances.map(({ serial }) => serial)).toEqual(["a"]);
    expect(serials({ ...after, evidence })).toEqual(["a", "b", "c"]);
  });

  it("is absent while there is nothing to hold", () => {
    const one = state({ [KEY]: held("0a") });
    expect(carryEvidence([one], { ...one }, NOW_MS)).toBeUndefined();
  });

  it("keeps what a forgotten copy and a forgotten loss knew", () => {
    const before = state(
      {},
      {
        copies: { v: copy() },
        lost: {
          "shop/lost": {
            how: "lost",
            incident: null,
            lostAt: NOW,
            lastSeenAt: NOW,
            record: held("0d"),
          },
        },
      },
    );
    expect(serials({ ...state({}), evidence: carryEvidence([before], state({}), NOW_MS) })).toEqual(
      ["b", "d"],
    );
  });

  it("drops an issuance 150 days after it by two audits' clocks, not a moment before", () => {
    const notBefore = iso(NOW_MS);
    const before = state({
      [KEY]: held("0a", { notBefore, issuedAt: notBefore, firstSeenAt: notBefore }),
    });
    const at = (auditedMs: number, ms: number): unknown =>
      carryEvidence([audited(before, auditedMs)], state({}), ms);
    const [last, over] = [NOW_MS + KEEP_MS, NOW_MS + KEEP_MS + 1];
    expect((at(last, last) as { issuances: unknown[] }).issuances).toHaveLength(1);
    expect((at(last, over) as { issuances: unknown[] }).issuances).toHaveLength(1);
    expect((at(over, last) as { issuances: unknown[] }).issuances).toHaveLength(1);
    expect(at(over, over)).toBeUndefined();
  });

  it("keeps the newest of too many, and says that the rest is unread", () => {
    const before = state(
      Object.fromEntries(
        Array.from({ length: 20 }, (_, i) => [
          `shop/s${i}`,
          held((i + 16).toString(16), {
            notBefore: iso(NOW_MS - i * DAY_MS),
            issuedAt: iso(NOW_MS - i * DAY_MS),
            firstSeenAt: NOW,
          }),
        ]),
      ),
    );
    const evidence = carryEvidence([before], state({}), NOW_MS, [], 5) as {
      issuances: { serial: string }[];
    };
    expect(evidence.issuances.map(({ serial }) => serial)).toEqual(["10", "11", "12", "13", "14"]);
    expect(stateEvidence(state({}, { evidence })).unread).toEqual([
      { source: "state", cluster: "prod", count: 15, untilMs: NOW_MS - 5 * DAY_MS },
    ]);
  });

  it("keeps fields of a later version", () => {
    expect(
      carryEvidence([state({}, { evidence: { cursors: { ct: 7 } } })], state({}), NOW_MS),
    ).toMatchObject({ cursors: { ct: 7 }, issuances: [] });
  });

  it("keeps what other sources told through a write and a read", () => {
    const told = {
      coverage: [
        {
          source: "ct",
          cluster: null,
          issuer: "letsencrypt",
          scope: { kind: "domain", key: "tail1a2b3.ts.net" },
          fromMs: NOW_MS - DAY_MS,
          untilMs: NOW_MS,
        },
      ],
      refusals: [
        {
          issuer: "letsencrypt",
          kind: "set",
          key: "shop.tail1a2b3.ts.net",
          retryAtMs: NOW_MS + 1,
          seenAtMs: NOW_MS,
          cluster: "prod",
          where: "pod",
          burst: 5,
        },
      ],
      silences: [{ source: "log", cluster: "prod", reason: "forbidden", sinceMs: NOW_MS }],
      unread: [{ source: "log", cluster: "prod", count: 3, untilMs: NOW_MS }],
    };
    const carried = carryEvidence([state({}, { evidence: told })], state({}), NOW_MS);
    const parsed = parseState(formatState(state({}, { evidence: carried })));
    expect(parsed.ok && stateEvidence(parsed.state)).toMatchObject(told);
  });
});

describe("merging two states", () => {
  const arbitrary = fc.uniqueArray(
    fc.record({
      serial: fc.integer({ min: 1, max: 12 }),
      place: fc.integer({ min: 0, max: 3 }),
      day: fc.integer({ min: 0, max: 20 }),
    }),
    { selector: ({ place }) => place, maxLength: 4 },
  );

  it("knows every issuance that either knew, whichever comes first", () => {
    fc.assert(
      fc.property(arbitrary, arbitrary, arbitrary, (common, one, other) => {
        const grown = (
          from: StateDocument,
          records: typeof common,
          finished: number,
        ): StateDocument => {
          const at = iso(NOW_MS + finished * 60_000);
          const secrets = { ...from.secrets };
          for (const { serial, place, day } of records) {
            const notBefore = iso(NOW_MS - day * DAY_MS);
            secrets[`shop/s${place}`] = {
              ...held(String(serial), { notBefore, issuedAt: notBefore, firstSeenAt: at }),
              recordedAt: at,
            };
          }
          const next = {
            ...from,
            secrets,
            audit: from.audit === null ? null : { ...from.audit, startedAt: at, finishedAt: at },
          };
          const evidence = carryEvidence([from], next, NOW_MS);
          return evidence === undefined ? next : { ...next, evidence };
        };
        const base = grown(state({}), common, 0);
        const [a, b] = [grown(base, one, 1), grown(base, other, 2)];
        const wanted = [...new Set([...serials(a), ...serials(b)])].toSorted();
        expect(serials(mergeStates(a, b))).toEqual(wanted);
        expect(serials(mergeStates(b, a))).toEqual(wanted);
        const instants = (of: StateDocument): [string, number][] =>
          stateEvidence(of).issuances.map(({ serial, issuedAtMs }) => [serial, issuedAtMs]);
        expect(instants(mergeStates(a, b))).toEqual(instants(mergeStates(b, a)));
      }),
    );
  });
});

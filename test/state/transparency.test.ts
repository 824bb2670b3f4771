/** What is kept of certificate logs: read whatever it is, joined in any order, bounded. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createIssuance } from "../../lib/ratelimit/issuance.ts";
import {
  boundTransparency,
  emptyTransparency,
  formatTransparency,
  mergeTransparency,
  parseTransparency,
  type TransparencyDocument,
  transparencyDomain,
  transparencyEvidence,
  transparencyName,
} from "../../lib/state/transparency.ts";
import { DAY_MS } from "../../lib/ratelimit/limit.ts";

const DOMAIN = "tail1a2b3.ts.net";
const NOW = Date.parse("2026-11-23T12:00:00Z");
const made = (serial: number, atMs: number, firstSeenMs = NOW) =>
  createIssuance({
    issuer: "test",
    serial: serial.toString(16),
    names: [`n${serial}.${DOMAIN}`],
    notBeforeMs: atMs,
    notAfterMs: atMs + 90 * DAY_MS,
    sctMs: null,
    backdateMs: 0,
    sources: [{ kind: "ct", cluster: null, where: "logs.test", firstSeenMs }],
    claimedBy: null,
  });

const instant = fc.integer({ min: NOW - 20, max: NOW });
/** Any that grew from one domain's; few values, so that equals and overlaps are many. */
const document: fc.Arbitrary<TransparencyDocument> = fc.record({
  format: fc.constant(1),
  readableFrom: fc.constant(1),
  domain: fc.constant(DOMAIN),
  source: fc.constantFrom("a.test", "b.test"),
  cursor: fc.constantFrom(null, "1", "2"),
  askedMs: fc.option(instant),
  wholeMs: fc.option(instant),
  nextMs: instant,
  failure: fc.option(
    fc.record({
      code: fc.constantFrom("timeout", "rate_limited"),
      sinceMs: instant,
      tries: fc.integer({ min: 1, max: 3 }),
    }),
  ),
  spans: fc.array(
    fc
      .tuple(fc.constantFrom("test", "letsencrypt"), instant, fc.nat({ max: 9 }))
      .map(([issuer, fromMs, length]) => ({ issuer, fromMs, untilMs: fromMs + length })),
    { maxLength: 4 },
  ),
  unread: fc.option(fc.record({ count: fc.integer({ min: 1, max: 5 }), untilMs: instant })),
  others: fc.nat({ max: 3 }),
  issuances: fc.array(
    fc
      .tuple(fc.nat({ max: 4 }), instant)
      .map(([serial, seen]) => made(serial, NOW - DAY_MS * serial, seen)),
    { maxLength: 4 },
  ),
});
/** What a document is once joined with itself: spans united, each issuance once. */
const whole = (one: TransparencyDocument): TransparencyDocument => mergeTransparency(one, one);

describe("a join", () => {
  it("is the same in any order and grouping, and twice", () => {
    fc.assert(
      fc.property(document, document, document, (a, b, c) => {
        expect(mergeTransparency(a, b)).toEqual(mergeTransparency(b, a));
        expect(mergeTransparency(mergeTransparency(a, b), c)).toEqual(
          mergeTransparency(a, mergeTransparency(b, c)),
        );
        expect(whole(whole(a))).toEqual(whole(a));
        expect(mergeTransparency(mergeTransparency(a, b), b)).toEqual(mergeTransparency(a, b));
      }),
    );
  });

  it("loses no issuance, and takes where to ask on from the later", () => {
    const first = {
      ...emptyTransparency(DOMAIN, "a.test"),
      cursor: "1",
      askedMs: NOW - 2,
      issuances: [made(1, NOW - DAY_MS)],
    };
    const second = {
      ...emptyTransparency(DOMAIN, "a.test"),
      cursor: "2",
      askedMs: NOW - 1,
      issuances: [made(2, NOW - DAY_MS)],
    };
    expect(mergeTransparency(first, second)).toMatchObject({
      cursor: "2",
      askedMs: NOW - 1,
      issuances: [{ serial: "1" }, { serial: "2" }],
    });
  });
});

describe("reading", () => {
  it("gives back what was written", () => {
    fc.assert(
      fc.property(document, (one) => {
        const parsed = parseTransparency(formatTransparency(whole(one)));
        expect(parsed).toEqual({ ok: true, document: whole(one) });
      }),
    );
  });

  it("is total, and says where something is wrong", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          document.chain((one) =>
            fc.nat({ max: 300 }).map((cut) => formatTransparency(one).slice(0, cut)),
          ),
        ),
        (text) => typeof parseTransparency(text).ok === "boolean",
      ),
    );
    const text = formatTransparency(emptyTransparency(DOMAIN, "a.test"));
    expect(parseTransparency(text.replace('"nextMs":0', '"nextMs":"soon"'))).toMatchObject({
      ok: false,
      newer: false,
      place: "nextMs",
    });
    expect(parseTransparency(text.replace('"readableFrom":1', '"readableFrom":2'))).toMatchObject({
      ok: false,
      newer: true,
      place: "readableFrom",
      found: "format 2",
    });
    expect(parseTransparency("{")).toMatchObject({ ok: false, place: "the whole" });
  });

  it("takes no issuance that logs didn't show, and counts it as unread", () => {
    const foreign = createIssuance({
      ...made(1, NOW - DAY_MS),
      sources: [{ kind: "secret", cluster: "prod", where: "a/b", firstSeenMs: NOW }],
    });
    const claim = createIssuance({ ...made(2, NOW - DAY_MS), claimedBy: "prod" });
    const parsed = parseTransparency(
      formatTransparency({
        ...emptyTransparency(DOMAIN, "a.test"),
        askedMs: NOW,
        issuances: [foreign, claim, made(3, NOW - DAY_MS)],
      }),
    );
    expect(parsed).toMatchObject({
      ok: true,
      document: { issuances: [{ serial: "3" }], unread: { count: 2, untilMs: NOW } },
    });
  });

  it("keeps fields of a later version", () => {
    const parsed = parseTransparency(
      formatTransparency({ ...emptyTransparency(DOMAIN, "a.test"), later: { a: 1 } }),
    );
    expect(parsed.ok && JSON.parse(formatTransparency(parsed.document))).toMatchObject({
      later: { a: 1 },
    });
  });

  it("knows its documents by their name", () => {
    expect(transparencyName(DOMAIN)).toBe("ct-tail1a2b3.ts.net");
    expect([
      transparencyDomain("ct-tail1a2b3.ts.net"),
      transparencyDomain("cluster-ct-x"),
      transparencyDomain("digest"),
    ]).toEqual([DOMAIN, null, null]);
  });
});

describe("bounds", () => {
  it("forget what no budget needs, and end a span where issuances were cut off", () => {
    const spans = [{ issuer: "test", fromMs: NOW - 300 * DAY_MS, untilMs: NOW }];
    const old = boundTransparency(
      {
        ...emptyTransparency(DOMAIN, "a.test"),
        spans,
        issuances: [made(1, NOW - 200 * DAY_MS), made(2, NOW - DAY_MS)],
      },
      NOW,
    );
    expect(old.issuances.map(({ serial }) => serial)).toEqual(["2"]);
    expect(old.spans).toEqual([{ issuer: "test", fromMs: NOW - 150 * DAY_MS, untilMs: NOW }]);
    const many = boundTransparency(
      {
        ...emptyTransparency(DOMAIN, "a.test"),
        spans,
        issuances: [1, 2, 3].map((n) => made(n, NOW - n * DAY_MS)),
      },
      NOW,
      2,
    );
    expect(many.issuances.map(({ serial }) => serial)).toEqual(["1", "2"]);
    expect(many.spans).toEqual([{ issuer: "test", fromMs: NOW - 3 * DAY_MS, untilMs: NOW }]);
  });
});

describe("its evidence", () => {
  const look = {
    ...emptyTransparency(DOMAIN, "a.test"),
    wholeMs: NOW,
    spans: [{ issuer: "test", fromMs: NOW - 10 * DAY_MS, untilMs: NOW - DAY_MS }],
    issuances: [made(1, NOW - DAY_MS)],
  };

  it("covers the domain alone, and is no cluster's", () => {
    expect(transparencyEvidence(look, NOW)).toMatchObject({
      issuances: [{ serial: "1" }],
      coverage: [
        {
          source: "ct",
          cluster: null,
          issuer: "test",
          scope: { kind: "domain", key: DOMAIN },
          fromMs: NOW - 10 * DAY_MS,
          untilMs: NOW - DAY_MS,
        },
      ],
      silences: [],
      unread: [],
    });
  });

  it("covers nothing before what was left unread, and says so", () => {
    expect(
      transparencyEvidence({ ...look, unread: { count: 1, untilMs: NOW - 2 * DAY_MS } }, NOW),
    ).toMatchObject({
      coverage: [{ fromMs: NOW - 2 * DAY_MS }],
      silences: [{ source: "ct", reason: "unread_entries", sinceMs: NOW - 2 * DAY_MS }],
    });
    expect(
      transparencyEvidence({ ...look, unread: { count: 1, untilMs: NOW } }, NOW).coverage,
    ).toEqual([]);
  });

  it(
    "of a failure is a silence since then, never “nothing issued”; of one that nobody asks any " +
      "more likewise",
    () => {
      expect(
        transparencyEvidence(
          { ...look, failure: { code: "rate_limited", sinceMs: NOW - 5, tries: 2 } },
          NOW,
        ).silences,
      ).toEqual([{ source: "ct", cluster: null, reason: "rate_limited", sinceMs: NOW - 5 }]);
      expect(transparencyEvidence(look, NOW + 4 * DAY_MS).silences).toEqual([
        { source: "ct", cluster: null, reason: "not_enabled", sinceMs: NOW },
      ]);
    },
  );
});

/**
 * What a search of certificate logs found for one registered domain: a document of its own, since a
 * domain belongs to no single cluster. It holds the verified issuances, the spans in which all were
 * seen, and where the next search continues.
 *
 * Reading is total, entry by entry; merging two is a join: order and repetition change nothing. A
 * cursor is safe to take from either, because the issuances up to it are among those joined.
 */
import * as z from "zod/mini";
import {
  boundEvidence,
  type Coverage,
  type Evidence,
  NO_EVIDENCE,
  type Silence,
  uniteSpans,
} from "../ratelimit/evidence.ts";
import { formatHistory, parseHistory } from "../ratelimit/history.ts";
import { type Issuance, mergeIssuances } from "../ratelimit/issuance.ts";
import { DAY_MS } from "../ratelimit/limit.ts";
import { readDocument } from "./validate.ts";

const FORMAT = 1;
const PREFIX = "ct-";
/**
 * Issuances kept of one domain: a tailnet of 10,000 names, renewed every 60 days, has 25,000 in 150
 * days.
 */
const MAX_ISSUANCES = 30_000;
/** Spans kept of one issuer; looks that follow each other make one. */
const MAX_SPANS = 20;
/** How long unread entries are reported; no bucket looks back further. */
const UNREAD_MS = 30 * DAY_MS;
/** Nothing asks any more where the last whole answer is older than this and nothing failed. */
const STALE_MS = 3 * DAY_MS;

/** Name of the document in a state store. */
export function transparencyName(domain: string): string {
  return `${PREFIX}${domain}`;
}

/** The domain of a document's name; `null` where it is another kind of document. */
export function transparencyDomain(name: string): string | null {
  return name.startsWith(PREFIX) ? name.slice(PREFIX.length) : null;
}

const instant = z
  .number()
  .check(z.int(), z.minimum(-8_640_000_000_000_000), z.maximum(8_640_000_000_000_000));
const short = z.string().check(z.maxLength(1_024));
const failure = z.looseObject({
  code: short,
  sinceMs: instant,
  tries: z.number().check(z.int(), z.positive()),
});

const transparencyDocument = z.looseObject({
  format: z.number(),
  readableFrom: z.number(),
  domain: short,
  /** Whose cursor it is. */
  source: short,
  /** `null`: ask from the beginning. */
  cursor: z.nullable(short),
  askedMs: z.nullable(instant),
  /** Last time that the end of the list was reached. */
  wholeMs: z.nullable(instant),
  /** Not to be asked again before. */
  nextMs: instant,
  failure: z.nullable(failure),
  /**
   * Spans in which every certificate is seen, by issuer; before what was left unread they say
   * nothing.
   */
  spans: z.array(z.looseObject({ issuer: short, fromMs: instant, untilMs: instant })),
  /** Entries that could not be taken in, and until when there were any. */
  unread: z.nullable(
    z.looseObject({ count: z.number().check(z.int(), z.positive()), untilMs: instant }),
  ),
  /** Entries of other issuers. */
  others: z.number().check(z.int(), z.minimum(0)),
  issuances: z.unknown(),
});
type Stored = z.infer<typeof transparencyDocument>;

export type TransparencyDocument = Readonly<Stored> & { readonly issuances: readonly Issuance[] };

export function emptyTransparency(domain: string, source: string): TransparencyDocument {
  return {
    format: FORMAT,
    readableFrom: FORMAT,
    domain,
    source,
    cursor: null,
    askedMs: null,
    wholeMs: null,
    nextMs: 0,
    failure: null,
    spans: [],
    unread: null,
    others: 0,
    issuances: [],
  };
}

export type ParsedTransparency =
  | { readonly ok: true; readonly document: TransparencyDocument }
  | { readonly ok: false; readonly newer: boolean; readonly place: string; readonly found: string };

export function parseTransparency(text: string): ParsedTransparency {
  const read = readDocument(text, FORMAT, transparencyDocument);
  if (!read.ok) return read;
  // Only what logs show stands in it: an entry of another kind was put there by somebody else.
  const { issuances, unread } = parseHistory(read.value.issuances, null);
  const own = issuances.filter(
    ({ claimedBy, sources }) =>
      claimedBy === null && sources.every(({ kind, cluster }) => kind === "ct" && cluster === null),
  );
  const lost = unread.reduce((sum, { count }) => sum + count, 0) + issuances.length - own.length;
  const document = { ...read.value, issuances: own };
  return {
    ok: true,
    document:
      lost === 0
        ? document
        : {
            ...document,
            unread: {
              count: lost + (document.unread?.count ?? 0),
              untilMs: Math.max(document.askedMs ?? 0, document.unread?.untilMs ?? 0),
            },
          },
  };
}

export function formatTransparency(document: TransparencyDocument): string {
  return `${JSON.stringify({ ...document, issuances: formatHistory(document.issuances) })}\n`;
}

/** The one that was asked later; of equals, whatever the order, the same one. */
function laterOf(a: TransparencyDocument, b: TransparencyDocument): TransparencyDocument {
  const rank = ({
    askedMs,
    wholeMs,
    source,
    cursor,
    nextMs,
    failure: failed,
  }: TransparencyDocument): string =>
    JSON.stringify([source, cursor, nextMs, failed, wholeMs, askedMs]);
  const [first, second] = [
    a.askedMs ?? Number.NEGATIVE_INFINITY,
    b.askedMs ?? Number.NEGATIVE_INFINITY,
  ];
  return first === second ? (rank(a) >= rank(b) ? a : b) : first > second ? a : b;
}

function uniteSpansOf(spans: Stored["spans"]): Stored["spans"] {
  return [...Map.groupBy(spans, ({ issuer }) => issuer).entries()]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, own]) => uniteSpans(own).slice(-MAX_SPANS));
}

function uniteUnread(a: Stored["unread"], b: Stored["unread"]): Stored["unread"] {
  return a === null || b === null
    ? (a ?? b)
    : { ...a, count: Math.max(a.count, b.count), untilMs: Math.max(a.untilMs, b.untilMs) };
}

/** What two runs that grew from one document each know, joined. */
export function mergeTransparency(
  a: TransparencyDocument,
  b: TransparencyDocument,
): TransparencyDocument {
  const later = laterOf(a, b);
  const earlier = later === a ? b : a;
  const wholeMs = Math.max(
    a.wholeMs ?? Number.NEGATIVE_INFINITY,
    b.wholeMs ?? Number.NEGATIVE_INFINITY,
  );
  return {
    ...earlier,
    ...later,
    format: Math.max(a.format, b.format),
    readableFrom: Math.max(a.readableFrom, b.readableFrom),
    wholeMs: Number.isFinite(wholeMs) ? wholeMs : null,
    spans: uniteSpansOf([...a.spans, ...b.spans]),
    unread: uniteUnread(a.unread, b.unread),
    others: Math.max(a.others, b.others),
    issuances: mergeIssuances(a.issuances, b.issuances),
  };
}

/**
 * Without what no budget needs any more, and with at most so many issuances, the newest; spans
 * reach back no further than those.
 */
export function boundTransparency(
  document: TransparencyDocument,
  nowMs: number,
  maxIssuances = MAX_ISSUANCES,
): TransparencyDocument {
  const { issuances, coverage, unread } = boundEvidence(
    {
      ...NO_EVIDENCE,
      issuances: document.issuances,
      coverage: coverageOf(document.domain, document.spans),
    },
    nowMs,
    maxIssuances,
  );
  const past =
    document.unread !== null && document.unread.untilMs < nowMs - UNREAD_MS
      ? document.unread
      : null;
  const cutMs = unread.reduce(
    (latest, { untilMs }) => Math.max(latest, untilMs ?? nowMs),
    past?.untilMs ?? Number.NEGATIVE_INFINITY,
  );
  const spans = coverage.map(({ issuer, fromMs, untilMs }) => ({
    issuer,
    fromMs: Math.max(fromMs, cutMs),
    untilMs,
  }));
  return {
    ...document,
    issuances,
    spans: uniteSpansOf(spans),
    unread: past === null ? document.unread : null,
  };
}

function coverageOf(domain: string, spans: Stored["spans"]): Coverage[] {
  return spans.map(({ issuer, fromMs, untilMs }) => ({
    source: "ct",
    cluster: null,
    issuer,
    scope: { kind: "domain", key: domain },
    fromMs,
    untilMs,
  }));
}

/**
 * What it says of issuances, and why it says no more. What was left unread narrows this domain's
 * spans, and no other's.
 */
export function transparencyEvidence(document: TransparencyDocument, nowMs: number): Evidence {
  const { domain, failure: failed, unread, wholeMs } = document;
  const spans = document.spans.flatMap((span) =>
    unread === null
      ? [span]
      : span.untilMs > unread.untilMs
        ? [{ ...span, fromMs: Math.max(span.fromMs, unread.untilMs) }]
        : [],
  );
  const silences: Silence[] = [];
  if (failed !== null)
    silences.push({ source: "ct", cluster: null, reason: failed.code, sinceMs: failed.sinceMs });
  else if (wholeMs !== null && wholeMs < nowMs - STALE_MS)
    silences.push({ source: "ct", cluster: null, reason: "not_enabled", sinceMs: wholeMs });
  if (unread !== null)
    silences.push({
      source: "ct",
      cluster: null,
      reason: "unread_entries",
      sinceMs: unread.untilMs,
    });
  return {
    ...NO_EVIDENCE,
    issuances: document.issuances,
    coverage: coverageOf(domain, spans),
    silences,
  };
}

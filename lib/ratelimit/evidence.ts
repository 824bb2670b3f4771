/**
 * All that is known about issuances, from whatever source: the certificates, the spans in which a
 * source sees every issuance, refusals (429), sources that were silent, and what was left unread.
 *
 * Each source adds a part; parts are joined, so the order in which they arrive, and one that
 * arrives twice, changes nothing. A source that failed is a silence, never “0 issued”.
 */
import { type Issuance, mergeIssuances, seenIn, type SourceKind } from "./issuance.ts";
import { DAY_MS, type LimitKind, RENEWAL_WINDOW_MS } from "./limit.ts";

/** What a span of complete sight is about. */
export type Scope = { readonly kind: "all" } | { readonly kind: LimitKind; readonly key: string };

/** From `fromMs` to `untilMs` this source shows every issuance of its scope. */
export interface Coverage {
  readonly source: SourceKind;
  /**
   * A span of one cluster's logs is complete for that cluster alone: it carries no shared number.
   */
  readonly cluster: string | null;
  readonly issuer: string;
  readonly scope: Scope;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** A 429 that a cluster tells of. It stays a claim until verified issuances bear it out. */
export interface Refusal {
  readonly issuer: string;
  readonly kind: LimitKind;
  /** Key of the set, or the registered domain. */
  readonly key: string;
  /** The retry time that was shown: up to 3 % of the wait late, cut to seconds. */
  readonly retryAtMs: number;
  readonly seenAtMs: number;
  readonly cluster: string;
  /** Pod or file, for people. */
  readonly where: string;
  /**
   * The number in brackets: the bucket's burst, which reveals an override; `null` in older texts.
   */
  readonly burst: number | null;
}

/** A source that could not be asked, or isn't set up. */
export interface Silence {
  readonly source: SourceKind;
  readonly cluster: string | null;
  /** Stable code: `not_enabled`, `unreachable`, `forbidden`, `rate_limited`, `invalid_answer`, … */
  readonly reason: string;
  /** `null`: since ever. */
  readonly sinceMs: number | null;
}

/** Issuances that are known to exist in a source and weren't taken in. */
export interface Unread {
  readonly source: SourceKind;
  readonly cluster: string | null;
  readonly count: number;
  /** None of them is later than this; `null`: not known how late they are. */
  readonly untilMs: number | null;
}

export interface Evidence {
  readonly issuances: readonly Issuance[];
  readonly coverage: readonly Coverage[];
  readonly refusals: readonly Refusal[];
  readonly silences: readonly Silence[];
  readonly unread: readonly Unread[];
}

export const NO_EVIDENCE: Evidence = {
  issuances: [],
  coverage: [],
  refusals: [],
  silences: [],
  unread: [],
};

/** One value per key, sorted by key. */
function joined<T>(
  items: readonly T[],
  keyOf: (item: T) => unknown,
  join: (a: T, b: T) => T,
): readonly T[] {
  const byKey = new Map<string, T>();
  for (const item of items) {
    const key = JSON.stringify(keyOf(item));
    const known = byKey.get(key);
    byKey.set(key, known === undefined ? item : join(known, item));
  }
  return [...byKey.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, item]) => item);
}

/** Spans that touch or overlap become one; empty and reversed ones say nothing. */
export function uniteSpans<T extends { readonly fromMs: number; readonly untilMs: number }>(
  spans: readonly T[],
): readonly T[] {
  const united: T[] = [];
  for (const span of spans
    .filter(({ fromMs, untilMs }) => fromMs <= untilMs)
    .toSorted((a, b) => a.fromMs - b.fromMs)) {
    const last = united.at(-1);
    if (last === undefined || span.fromMs > last.untilMs) united.push(span);
    else if (span.untilMs > last.untilMs)
      united[united.length - 1] = { ...last, untilMs: span.untilMs };
  }
  return united;
}

function uniteCoverage(coverage: readonly Coverage[]): readonly Coverage[] {
  const groups = Map.groupBy(coverage, ({ source, cluster, issuer, scope }) =>
    JSON.stringify([source, cluster, issuer, scope.kind, scope.kind === "all" ? null : scope.key]),
  );
  return [...groups]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, group]) => uniteSpans(group));
}

/** The join of all parts. */
export function mergeEvidence(...parts: readonly Evidence[]): Evidence {
  return {
    issuances: mergeIssuances(...parts.map(({ issuances }) => issuances)),
    coverage: uniteCoverage(parts.flatMap(({ coverage }) => coverage)),
    refusals: joined(
      parts.flatMap(({ refusals }) => refusals),
      (refusal) => [
        refusal.issuer,
        refusal.kind,
        refusal.key,
        refusal.retryAtMs,
        refusal.seenAtMs,
        refusal.cluster,
        refusal.where,
        refusal.burst,
      ],
      (a) => a,
    ),
    silences: joined(
      parts.flatMap(({ silences }) => silences),
      (silence) => [silence.source, silence.cluster, silence.reason],
      (a, b) => (a.sinceMs === null || (b.sinceMs !== null && a.sinceMs <= b.sinceMs) ? a : b),
    ),
    unread: joined(
      parts.flatMap(({ unread }) => unread),
      (unread) => [unread.source, unread.cluster],
      (a, b) => ({
        ...a,
        count: Math.max(a.count, b.count),
        untilMs: a.untilMs === null || b.untilMs === null ? null : Math.max(a.untilMs, b.untilMs),
      }),
    ),
  };
}

/** Something that bears a time later than now. */
export interface FromFuture {
  readonly what: "sighting" | "coverage" | "refusal";
  readonly source: SourceKind;
  readonly cluster: string | null;
  readonly atMs: number;
}

/** How far two honest clocks may differ. */
export const SKEW_MS = 5 * 60_000;

/**
 * Evidence as it can be believed at `nowMs`: a first sight in the future becomes now (so the
 * issuance still counts), a span or refusal from the future says nothing. What lies within the skew
 * isn't told.
 */
export function believe(
  evidence: Evidence,
  nowMs: number,
): { readonly evidence: Evidence; readonly future: readonly FromFuture[] } {
  const future: FromFuture[] = [];
  const note = (entry: FromFuture): void => {
    if (entry.atMs > nowMs + SKEW_MS) future.push(entry);
  };
  const issuances = evidence.issuances.map((issuance) => {
    if (issuance.sources.every(({ firstSeenMs }) => firstSeenMs <= nowMs)) return issuance;
    for (const { kind, cluster, firstSeenMs } of issuance.sources)
      note({ what: "sighting", source: kind, cluster, atMs: firstSeenMs });
    return seenIn(
      issuance,
      issuance.sources.map((source) => ({
        ...source,
        firstSeenMs: Math.min(source.firstSeenMs, nowMs),
      })),
    );
  });
  const coverage = evidence.coverage.flatMap((span) => {
    note({ what: "coverage", source: span.source, cluster: span.cluster, atMs: span.untilMs });
    if (span.untilMs > nowMs + SKEW_MS || span.fromMs > nowMs) return [];
    return span.untilMs > nowMs ? [{ ...span, untilMs: nowMs }] : [span];
  });
  const refusals = evidence.refusals.filter((refusal) => {
    note({ what: "refusal", source: "log", cluster: refusal.cluster, atMs: refusal.seenAtMs });
    return refusal.seenAtMs <= nowMs + SKEW_MS;
  });
  return { evidence: { ...evidence, issuances, coverage, refusals }, future };
}

/** Refusals kept of each cluster for one bucket. */
const MAX_REFUSALS = 5;

function newestRefusals(refusals: readonly Refusal[]): readonly Refusal[] {
  const counts = new Map<string, number>();
  return refusals
    .toSorted((a, b) => b.seenAtMs - a.seenAtMs || b.retryAtMs - a.retryAtMs)
    .filter(({ issuer, kind, key, cluster }) => {
      const bucket = JSON.stringify([issuer, kind, key, cluster]);
      const count = counts.get(bucket) ?? 0;
      counts.set(bucket, count + 1);
      return count < MAX_REFUSALS;
    });
}

/**
 * How long after an issuance it is kept: while it can make a later one a renewal, and 30 days more.
 */
export const KEEP_MS = RENEWAL_WINDOW_MS + 30 * DAY_MS;

/**
 * Evidence without what is no longer needed, and with at most `maxIssuances`, the newest. What the
 * cap cuts off is told as unread; spans of complete sight no longer reach back before what is kept.
 */
export function boundEvidence(
  evidence: Evidence,
  nowMs: number,
  maxIssuances: number,
  cluster: string | null = null,
): Evidence {
  const oldestMs = nowMs - KEEP_MS;
  const needed = evidence.issuances.filter(
    ({ issuedAtMs, notBeforeMs }) => Math.max(issuedAtMs, notBeforeMs) >= oldestMs,
  );
  const newest = needed.toSorted(
    (a, b) => b.issuedAtMs - a.issuedAtMs || (a.serial < b.serial ? -1 : 1),
  );
  const cut = newest.slice(maxIssuances);
  const unread: Unread[] =
    cut.length === 0
      ? []
      : [{ source: "state", cluster, count: cut.length, untilMs: cut[0]?.issuedAtMs ?? null }];
  return mergeEvidence({
    issuances: cut.length === 0 ? needed : newest.slice(0, maxIssuances),
    coverage: evidence.coverage.flatMap((span) =>
      span.untilMs < oldestMs ? [] : [{ ...span, fromMs: Math.max(span.fromMs, oldestMs) }],
    ),
    refusals: newestRefusals(evidence.refusals.filter(({ seenAtMs }) => seenAtMs >= oldestMs)),
    silences: evidence.silences,
    unread: [...evidence.unread, ...unread],
  });
}

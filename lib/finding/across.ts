/**
 * What all clusters together tell of issuances: one ledger, its budgets, and what is worth a
 * finding. Pure.
 *
 * A cluster enters with a part of its state, so that a thousand states needn't be held at once.
 * What a cluster's own logs claim enters only the ledger opened for it.
 */
import {
  believe,
  type Evidence,
  type FromFuture,
  mergeEvidence,
  NO_EVIDENCE,
  type Silence,
  SKEW_MS,
} from "../ratelimit/evidence.ts";
import { type Budget, eachBudget } from "../ratelimit/budget.ts";
import { createLedger, type Ledger, ledgerFor } from "../ratelimit/ledger.ts";
import { type LimitOverride, limitsOf, setOf } from "../ratelimit/limit.ts";
import {
  budgetFindings,
  concurrentIssuances,
  type Holder,
  type IssuanceFinding,
  type NeedOptions,
  needlessReissues,
  sharedSets,
} from "../ratelimit/rules.ts";
import type { Issuer } from "../issuer/issuers.ts";
import { parseMs, parseMsOrNull } from "../certificate/time.ts";
import { certificates } from "../state/certificates.ts";
import { standingSecrets } from "../state/secrets.ts";
import type { StateDocument } from "../state/document.ts";
import { stateEvidence } from "../state/evidence.ts";
import { isUnnamed, pinnedCluster } from "../state/identity.ts";
import { observationsOf, type Observations } from "../state/observations.ts";
import { issuanceKey, serialKey } from "../ratelimit/issuance.ts";

/**
 * A live certificate as other clusters see it, and how safe it is; small, since all clusters' are
 * held at once.
 */
export interface LiveHolder extends Holder {
  readonly name: string | null;
  readonly domain: string | null;
  readonly valid: boolean;
}

export interface ClusterPart {
  readonly cluster: string;
  readonly evidence: Evidence;
  readonly places: readonly LiveHolder[];
  /**
   * What the issuer itself said of certificates that were seen there: when to renew them, and that
   * they are revoked.
   */
  readonly issuerAnswers?: Pick<Observations, "windows" | "revocations">;
  /** Whether its last audits asked for logs of what issues there; `null`: nothing does. */
  readonly logsAsked: boolean | null;
  /** End of its last audit, ms; `null` where there was none. */
  readonly finishedMs: number | null;
  /** Which cluster it is, whatever its name; `null`: nothing pinned it. */
  readonly pinned?: string | null;
  /**
   * Of several names of one cluster the lowest counts: 0 for a name, 1 for none, 2 for one that was
   * removed.
   */
  readonly rank?: number;
}

export interface AcrossOptions {
  /** Known issuers: their limits, and which of them are for staging. */
  readonly issuers: readonly Pick<Issuer, "id" | "title" | "environment" | "limits">[];
  readonly overrides: readonly LimitOverride[];
  readonly atMs: number;
  /** The clock: what bears a later time isn't believed. */
  readonly nowMs: number;
  /** Sources that were not asked or didn't answer, besides those that the states tell of. */
  readonly silences?: readonly Silence[];
  /** Clusters that a report or an audit is about; absent: all. */
  readonly shown?: ReadonlySet<string>;
}

export interface Across {
  readonly atMs: number;
  readonly ledger: Ledger;
  /**
   * Sets first; staging's left out. Worked out one after the other: there may be a hundred
   * thousand.
   */
  budgets(): Generator<Budget>;
  readonly found: readonly IssuanceFinding[];
  /** What makes a reissue a needed one: windows that the issuer suggested, and revocations. */
  readonly need: NeedOptions;
  /** The Secrets that hold a set now that something was found about, over all clusters. */
  placesOf(issuer: string, set: string): readonly LiveHolder[];
  /** Evidence that bears a time later than the clock's. */
  readonly future: readonly FromFuture[];
  /** Clusters whose whole state is from the future, with its time. */
  readonly ahead: ReadonlyMap<string, number>;
  /** Of a cluster that has several names: the one that counts, by each of the others. */
  readonly firstNames: ReadonlyMap<string, string>;
  /** Ids of issuers for tests: what they issue again and again costs nothing. */
  readonly staging: ReadonlySet<string>;
  readonly titles: ReadonlyMap<string, string>;
  /** The ledger as one cluster sees it: its own claims too. */
  ledgerOf(cluster: string): Ledger;
}

/** The issuer's answers of all clusters: a certificate is the same wherever it was seen. */
function needOf(parts: readonly ClusterPart[]): NeedOptions {
  const suggestedMs = new Map<string, number>();
  const revoked = new Set<string>();
  const keyOf = ({
    issuer,
    serial,
  }: {
    readonly issuer: string;
    readonly serial: string;
  }): string => issuanceKey({ issuer, serial: serialKey(serial), claimedBy: null });
  for (const { issuerAnswers } of parts) {
    for (const window of issuerAnswers?.windows ?? [])
      suggestedMs.set(
        keyOf(window),
        Math.min(window.startMs, suggestedMs.get(keyOf(window)) ?? Number.POSITIVE_INFINITY),
      );
    for (const answer of issuerAnswers?.revocations ?? [])
      if (answer.revokedMs !== null) revoked.add(keyOf(answer));
  }
  return { suggestedMs, revoked };
}

/** The part of a state that others need, judged at `atMs`. */
export function partOf(state: StateDocument, atMs: number): ClusterPart {
  const places: LiveHolder[] = [];
  for (const entry of certificates(state, atMs)) {
    if (entry.condition !== "live") continue;
    const { record, namespace, secret, verdict } = entry;
    // A certificate without its key, or one that has expired, takes part in nothing.
    if (record.issuer === null || !record.keyFits || parseMs(record.notAfter) < atMs) continue;
    places.push({
      cluster: state.cluster,
      namespace,
      secret,
      issuer: record.issuer,
      set: setOf(record.names).key,
      serial: record.serial,
      firstSeenMs: entry.sinceMs,
      name: entry.name,
      domain: record.domain,
      valid: verdict.valid,
    });
  }
  const silences: Silence[] = (state.audit?.unread ?? []).flatMap(({ scope, code, since }) => {
    const sinceMs = parseMsOrNull(since);
    return [
      {
        source: scope === "backups" ? ("backup" as const) : ("secret" as const),
        cluster: state.cluster,
        reason: code,
        sinceMs: sinceMs === null ? null : sinceMs,
      },
    ];
  });
  const observations = observationsOf(state);
  const looks = observations.looks.filter(({ source }) => source === "logs");
  for (const { code, sinceMs } of looks)
    if (code !== null)
      silences.push({ source: "log", cluster: state.cluster, reason: code, sinceMs });
  const logsAsked =
    looks.length > 0
      ? true
      : [...standingSecrets(state)].some(
            ({ record: { shape } }) => shape !== null && shape !== "tls",
          )
        ? false
        : null;
  const finishedMs = parseMsOrNull(state.audit?.finishedAt ?? "");
  return {
    cluster: state.cluster,
    evidence: stateEvidence(state, { ...NO_EVIDENCE, silences }),
    places,
    logsAsked,
    issuerAnswers: { windows: observations.windows, revocations: observations.revocations },
    finishedMs: finishedMs === null ? null : finishedMs,
    pinned: pinnedCluster(state),
    rank: state.removedAt !== undefined ? 2 : isUnnamed(state) ? 1 : 0,
  };
}

/** A cluster whose state could not be read: a silence, never “0 issued”. */
export function unreadPart(cluster: string, reason: string): ClusterPart {
  return {
    cluster,
    evidence: { ...NO_EVIDENCE, silences: [{ source: "state", cluster, reason, sinceMs: null }] },
    places: [],
    logsAsked: null,
    finishedMs: null,
  };
}

/**
 * Parts of clusters that have several names, by cluster; in each the name that counts is the first.
 */
function severalNames(
  parts: readonly ClusterPart[],
  shown: AcrossOptions["shown"],
): readonly (readonly ClusterPart[])[] {
  const order = ({ cluster, rank = 0 }: ClusterPart): string =>
    `${shown === undefined || shown.has(cluster) ? 0 : 1} ${rank} ${cluster}`;
  return [...Map.groupBy(parts, ({ pinned }) => pinned ?? null)]
    .filter(([pinned, same]) => pinned !== null && same.length > 1)
    .map(([, same]) => same.toSorted((a, b) => (order(a) < order(b) ? -1 : 1)));
}

/** What wasn't read of a cluster before it had a name doesn't matter any more. */
function withoutOutdated(
  parts: readonly ClusterPart[],
  several: readonly (readonly ClusterPart[])[],
): readonly ClusterPart[] {
  const outdated = new Set(
    several.flatMap((same) => same.slice(1).filter(({ rank = 0 }) => rank > 0)),
  );
  return parts.map((part) =>
    outdated.has(part) ? { ...part, evidence: { ...part.evidence, silences: [] } } : part,
  );
}

/** What lives in a cluster of several names is there once, under the first name that knows it. */
function livePlaces(
  parts: readonly ClusterPart[],
  several: readonly (readonly ClusterPart[])[],
): LiveHolder[] {
  const twice = new Set<LiveHolder>();
  for (const same of several) {
    const known = new Set<string>();
    for (const place of same.flatMap(({ places }) => places)) {
      const key = `${place.namespace}/${place.secret} ${place.issuer} ${place.serial}`;
      if (known.has(key)) twice.add(place);
      known.add(key);
    }
  }
  return parts.flatMap(({ places }) => places).filter((place) => !twice.has(place));
}

/** A finding about a cluster of several names is reported under one of them. */
function underFirstNames<T extends { readonly clusters: readonly string[] }>(
  subject: T,
  firstNames: ReadonlyMap<string, string>,
): T {
  const clusters = subject.clusters.filter(
    (cluster) => !subject.clusters.includes(firstNames.get(cluster) ?? ""),
  );
  return { ...subject, clusters };
}

function ledgerOfAll(
  parts: readonly ClusterPart[],
  { issuers, overrides, silences = [], nowMs }: AcrossOptions,
): ReturnType<typeof believe> & { readonly ledger: Ledger } {
  const merged = mergeEvidence(...parts.map(({ evidence }) => evidence), {
    ...NO_EVIDENCE,
    silences,
  });
  const { evidence, future } = believe(merged, nowMs);
  const limits = new Map(issuers.map((issuer) => [issuer.id, limitsOf(issuer)]));
  return { ledger: createLedger(evidence, { limits, overrides }), evidence, future };
}

/** By issuer and set, of those that something was found about. */
function holdersBySet(
  places: readonly LiveHolder[],
  found: readonly IssuanceFinding[],
): ReadonlyMap<string, readonly LiveHolder[]> {
  const sets = new Set(found.map(({ subject }) => `${subject.issuer} ${subject.key}`));
  return Map.groupBy(
    places.filter(({ issuer, set }) => sets.has(`${issuer} ${set}`)),
    ({ issuer, set }) => `${issuer} ${set}`,
  );
}

export function createAcross(given: readonly ClusterPart[], options: AcrossOptions): Across {
  const { atMs, nowMs } = options;
  const several = severalNames(given, options.shown);
  const parts = withoutOutdated(given, several);
  const staging = new Set(
    options.issuers.filter(({ environment }) => environment === "staging").map(({ id }) => id),
  );
  const { ledger, evidence, future } = ledgerOfAll(parts, options);
  const budgets = function* (): Generator<Budget> {
    for (const budget of eachBudget(ledger, atMs)) if (!staging.has(budget.issuer)) yield budget;
  };
  const firstNames = new Map(
    several.flatMap(([first, ...others]) =>
      others.map(({ cluster }) => [cluster, first?.cluster ?? cluster] as const),
    ),
  );
  const places = livePlaces(parts, several);
  const need = needOf(parts);
  const found = [
    ...budgetFindings(ledger, budgets()),
    ...needlessReissues(ledger, atMs, need),
    ...concurrentIssuances(ledger, atMs),
    ...sharedSets(places),
  ]
    .filter(({ subject }) => !staging.has(subject.issuer))
    .map((one) => ({ ...one, subject: underFirstNames(one.subject, firstNames) }));
  const claims = Map.groupBy(
    evidence.issuances.filter(({ claimedBy }) => claimedBy !== null),
    ({ claimedBy }) => claimedBy,
  );
  const bySet = holdersBySet(places, found);
  const own = new Map<string, Ledger>();
  return {
    atMs,
    ledger,
    budgets,
    found,
    need,
    placesOf: (issuer, set) => bySet.get(`${issuer} ${set}`) ?? [],
    future,
    ahead: new Map(
      parts.flatMap(({ cluster, finishedMs }) =>
        finishedMs !== null && finishedMs > nowMs + SKEW_MS ? [[cluster, finishedMs] as const] : [],
      ),
    ),
    firstNames,
    staging,
    titles: new Map(options.issuers.map(({ id, title }) => [id, title])),
    ledgerOf(cluster) {
      const known = own.get(cluster) ?? ledgerFor(ledger, cluster, claims.get(cluster) ?? []);
      own.set(cluster, known);
      return known;
    },
  };
}

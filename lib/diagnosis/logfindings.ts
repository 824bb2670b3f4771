/**
 * Findings from what owners' logs report, by name and kind, and from the refusals (429) in them.
 * Pure.
 */
import { type Draft, explainAction, type Subject, subjectOf } from "../finding/finding.ts";
import { allowedRestore } from "../finding/losses.ts";
import { type Action, restoreAction } from "../finding/action.ts";
import type { BackupStatus } from "../finding/params.ts";
import { bareName } from "../finding/place.ts";
import { instantOf, parseMs } from "../certificate/time.ts";
import { type Refusal, SKEW_MS } from "../ratelimit/evidence.ts";
import { parseRefusal } from "../ratelimit/log/refusal.ts";
import { registeredDomain } from "../ratelimit/limit.ts";
import { type CertificateEntry, requestedNames } from "../state/certificates.ts";
import { combinedHelp } from "../restoreplan/recorded.ts";
import { storedRefusals } from "../state/evidence.ts";
import { calledBy } from "../state/identity.ts";
import type { LogSignal, SignalKind } from "../state/signals.ts";
import { type ClusterIndex, podOf } from "./clusterindex.ts";
import { isExpected, storedMsOf } from "./subject.ts";
import { shortened } from "../plain.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Ends by age, after the last line of its kind. */
const AGE_MS: Partial<Record<SignalKind, number>> = {
  store_write_failed: 7 * DAY_MS,
  store_read_failed: DAY_MS,
  dns_failed: DAY_MS,
  https_not_enabled: DAY_MS,
  replaces_refused: 30 * DAY_MS,
  paused: 7 * DAY_MS,
};
/**
 * Ends of refusals whose time isn't known. A limit of orders, failed authorizations or
 * registrations frees itself within its period; of certificates one more comes free within the
 * period's share of each, and the wait shown is up to 3 % longer.
 */
const LIMITS_MS: ReadonlyMap<string | null, number> = new Map([
  ["orders", 3 * HOUR_MS],
  ["authorizations", HOUR_MS],
  ["registrations", 3 * HOUR_MS],
  ["set", 35 * HOUR_MS],
  ["domain", 4 * HOUR_MS],
  ["other", DAY_MS],
]);
/** Findings about names of which no Secret is known; more are counted in one. */
const MAX_UNPLACED = 20;

/**
 * Until when the last line says that the issuer refuses; `null` where it doesn't, or was cut off
 * before.
 */
function untilMsOf({ sample }: LogSignal): number | null {
  return parseRefusal(sample)?.retryAtMs ?? null;
}

const FINDING_OF_SIGNAL = {
  store_write_failed: "issued_not_stored",
  store_read_failed: "storage_failing",
  dns_failed: "dns_failing",
  https_not_enabled: "dns_failing",
  replaces_refused: "account_key_lost",
  paused: "rate_limited",
  rate_limited: "rate_limited",
} as const satisfies Partial<Record<SignalKind, Draft["code"]>>;
type ReportedCode = (typeof FINDING_OF_SIGNAL)[keyof typeof FINDING_OF_SIGNAL];

/** Whether a signal is too old to say anything of now. */
function isStale(signal: LogSignal, atMs: number): boolean {
  if (signal.kind === "rate_limited" && (untilMsOf(signal) ?? Number.POSITIVE_INFINITY) <= atMs)
    return true;
  const ageMs =
    signal.kind === "rate_limited" ? (LIMITS_MS.get(signal.code) ?? 0) : (AGE_MS[signal.kind] ?? 0);
  return signal.lastMs <= atMs - ageMs || signal.firstMs > atMs + SKEW_MS;
}

/** Whether the state keeps its refusal, which knows until when: that is reported instead. */
function isTimed(
  { kind, code, domain, where, lastMs }: LogSignal,
  refusals: readonly Refusal[],
): boolean {
  if (kind !== "rate_limited") return false;
  return refusals.some(
    (refusal) =>
      refusal.kind === code &&
      refusal.where === where &&
      refusal.seenAtMs >= lastMs - SKEW_MS &&
      (domain === null ||
        (code === "set"
          ? refusal.key.split(",").includes(domain)
          : refusal.key === registeredDomain(domain))),
  );
}

/** A line without a name is attributed to what its pod writes, never to a neighbour. */
function entriesFor({ domain, where }: LogSignal, index: ClusterIndex): CertificateEntry[] {
  const entries = domain !== null ? index.named(domain) : index.ofPod(...podOf(where));
  return entries.filter(isExpected);
}

/** Whether the Secret that was missing on a write was read with a valid certificate since. */
function isBack(
  { loss, holder, verdict }: CertificateEntry,
  { kind, code, lastMs }: LogSignal,
): boolean {
  return (
    kind === "store_write_failed" &&
    code === "not_found" &&
    loss === null &&
    verdict?.valid === true &&
    // The line's time is the node's.
    parseMs(holder.recordedAt) > lastMs + SKEW_MS
  );
}

interface Group {
  readonly subject: Subject;
  readonly reported: ReportedCode;
  readonly entry: CertificateEntry | null;
  readonly signals: [LogSignal, ...LogSignal[]];
}

function groupsOf(index: ClusterIndex): Group[] {
  const {
    state,
    atMs,
    observations: { signs: signals },
  } = index;
  const issuedMs = new Map<string, number>();
  for (const { kind, domain, lastMs } of signals)
    if (kind === "issued" && domain !== null)
      issuedMs.set(domain, Math.max(lastMs, issuedMs.get(domain) ?? Number.NEGATIVE_INFINITY));
  const refusals = storedRefusals(state).filter(({ cluster }) => cluster === state.cluster);
  const groups = new Map<string, Group>();
  for (const signal of signals) {
    const reported = (FINDING_OF_SIGNAL as Partial<Record<SignalKind, ReportedCode>>)[signal.kind];
    if (reported === undefined || isStale(signal, atMs) || isTimed(signal, refusals)) continue;
    // An order that succeeded since shows that what kept orders from succeeding is over; not that
    // it could be stored.
    if (
      signal.kind !== "store_write_failed" &&
      signal.domain !== null &&
      (issuedMs.get(signal.domain) ?? Number.NEGATIVE_INFINITY) > signal.lastMs
    )
      continue;
    const near = entriesFor(signal, index);
    const open: readonly (CertificateEntry | null)[] =
      near.length === 0 && signal.domain !== null
        ? [null]
        : near.filter(
            (entry) =>
              (storedMsOf(entry) ?? Number.NEGATIVE_INFINITY) <= signal.lastMs &&
              !isBack(entry, signal),
          );
    for (const entry of open) {
      const subject =
        entry === null
          ? {
              cluster: state.cluster,
              namespace: signal.where.split("/")[0] ?? null,
              secret: null,
              name: signal.domain,
            }
          : subjectOf(entry);
      const key = `${reported} ${JSON.stringify(subject)}`;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, { subject, reported, entry, signals: [signal] });
      else group.signals.push(signal);
    }
  }
  return [...groups.values()];
}

export function* signalDrafts(index: ClusterIndex): Generator<Draft> {
  const groups = groupsOf(index);
  yield* groups.filter(({ entry }) => entry !== null).map((group) => draftOf(group, index));
  yield* boundedDrafts(
    groups.filter(({ entry }) => entry === null),
    index,
  );
}

/** What the restore planner says of those of the certificates that a refusal is about that fail. */
function remedyOf(
  entries: readonly CertificateEntry[],
  index: ClusterIndex,
): { readonly restore: BackupStatus | null; readonly actions?: readonly Action[] } {
  const failing = entries.filter(({ verdict }) => verdict?.valid !== true);
  if (failing.length === 0) return { restore: null };
  const helps = failing.map((entry) => ({ entry, help: index.planner().helpFor(entry) }));
  const { backup, createNamespace, replace, standby } = combinedHelp(helps.map(({ help }) => help));
  if (backup === "unknown")
    return { restore: backup, actions: [{ kind: "doctor", cluster: null }] };
  if (backup === "none") return { restore: backup };
  const names = helps.flatMap(({ entry, help }) =>
    help.backup === "restorable" ? [entry.name ?? entry.secret] : [],
  );
  const cluster = calledBy(index.state);
  return {
    restore: backup,
    actions: allowedRestore(
      index.state,
      restoreAction(cluster, [...new Set(names)], { createNamespace, replace, standby }),
    ),
  };
}

function draftOf({ subject, reported, entry, signals }: Group, index: ClusterIndex): Draft {
  const newest = signals.toSorted((a, b) => b.lastMs - a.lastMs) as typeof signals;
  const [first] = newest;
  const safe = reported === "rate_limited" && entry?.verdict?.valid === true;
  // A domain's limit is one of new names alone.
  const { restore, actions = explainAction(subject) } =
    reported === "rate_limited" && entry !== null && first.code !== "domain"
      ? remedyOf([entry], index)
      : { restore: null };
  return {
    code: reported,
    subject,
    params: { by: "log", signs: newest, untilMs: untilMsOf(first), safe, restore },
    actions,
    ...(safe ? { severity: "warning" } : {}),
    cause: [first.code ?? first.kind],
  };
}

/** A log can make names up: so many are reported, and the rest as one. */
function* boundedDrafts(groups: readonly Group[], index: ClusterIndex): Generator<Draft> {
  for (const [reported, of] of Map.groupBy(groups, (group) => group.reported)) {
    yield* of.slice(0, MAX_UNPLACED).map((group) => draftOf(group, index));
    if (of.length > MAX_UNPLACED)
      yield {
        code: reported,
        subject: { cluster: index.state.cluster, namespace: null, secret: null, name: null },
        params: { by: "unplaced", count: of.length - MAX_UNPLACED },
        actions: [{ kind: "explain", name: index.state.cluster }],
      };
  }
}

/** No limit lasts longer: a later time is ignored. */
const MAX_WAIT_MS = 31 * 86_400_000;
const MAX_NAME = 120;

export function* refusalDrafts(index: ClusterIndex): Generator<Draft> {
  const { state, atMs } = index;
  const running = storedRefusals(state).filter(
    ({ cluster, retryAtMs, seenAtMs }) =>
      cluster === state.cluster &&
      retryAtMs > atMs &&
      seenAtMs <= atMs + SKEW_MS &&
      retryAtMs - seenAtMs <= MAX_WAIT_MS,
  );
  for (const refusals of Map.groupBy(running, ({ issuer, kind, key }) =>
    JSON.stringify([issuer, kind, key]),
  ).values()) {
    const latest = refusals.toSorted((a, b) => b.retryAtMs - a.retryAtMs)[0];
    if (latest === undefined) continue;
    const { kind, key, retryAtMs, seenAtMs, where, burst } = latest;
    const entries = (
      kind === "set"
        ? index.ofSet(key)
        : index.entries.filter((entry) =>
            requestedNames(entry).some((name) => registeredDomain(bareName(name)) === key),
          )
    ).filter(isExpected);
    // One issued since shows that the refusal is over.
    if (
      kind === "set" &&
      entries.some((entry) => (storedMsOf(entry) ?? Number.NEGATIVE_INFINITY) > seenAtMs)
    )
      continue;
    const safe = entries.length > 0 && entries.every(({ verdict }) => verdict?.valid === true);
    const only = kind === "set" && entries.length === 1 ? entries[0] : undefined;
    const subject =
      only === undefined
        ? { cluster: state.cluster, namespace: null, secret: null, name: shortened(key, MAX_NAME) }
        : subjectOf(only);
    const { restore, actions = explainAction(subject) } =
      kind === "set" ? remedyOf(entries, index) : { restore: null };
    yield {
      code: "rate_limited",
      subject,
      ...(safe ? { severity: "warning" as const } : {}),
      params: {
        by: "refusal",
        kind,
        key,
        untilMs: retryAtMs,
        seenMs: seenAtMs,
        where,
        burst,
        safe,
        restore,
      },
      actions,
      due: instantOf(retryAtMs),
      cause: [kind],
    };
  }
}

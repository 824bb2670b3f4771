/** Findings from what owners' logs report, by name and kind, and from the refusals (429) in them. Pure. */
import {
  type Draft,
  explainCommand,
  labelOf,
  type Subject,
  subjectOf,
} from "../finding/finding.ts";
import { commandLine, literal } from "../finding/command.ts";
import { bareName } from "../finding/place.ts";
import { instantOf } from "../finding/words.ts";
import { type Refusal, SKEW_MS } from "../ratelimit/evidence.ts";
import { parseRefusal } from "../ratelimit/log/refusal.ts";
import { registeredDomain } from "../ratelimit/names.ts";
import { type CertificateEntry, requestedNames } from "../state/certificates.ts";
import { storedRefusals } from "../state/evidence.ts";
import type { LogSignal, SignalKind } from "../state/observations.ts";
import { type ClusterIndex, podOf } from "./clusterindex.ts";
import { isExpected, storedMsOf } from "./subject.ts";
import { shortened, whenText } from "./text.ts";

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
 * Ends of refusals whose time isn't known. A limit of orders, failed authorizations or registrations frees itself within
 * its period; of certificates one more comes free within the period's share of each, and the wait shown is up to 3 % longer.
 */
const LIMITS_MS: ReadonlyMap<string | null, number> = new Map([
  ["orders", 3 * HOUR_MS],
  ["authorizations", HOUR_MS],
  ["registrations", 3 * HOUR_MS],
  ["set", 35 * HOUR_MS],
  ["domain", 4 * HOUR_MS],
  ["other", DAY_MS],
]);
const LIMIT_WORDS: ReadonlyMap<string | null, string> = new Map([
  ["orders", "for too many new orders"],
  ["authorizations", "for too many failed authorizations"],
  ["registrations", "for too many new accounts"],
  ["set", "for too many certificates of the same names"],
  ["domain", "for too many certificates under its domain"],
]);
const MAX_SAMPLE = 200;
const MAX_LINES = 5;
/** Findings about names of which no Secret is known; more are counted in one. */
const MAX_UNPLACED = 20;

/** Until when the last line says that the issuer refuses; `null` where it doesn't, or was cut off before. */
function untilMsOf({ sample }: LogSignal): number | null {
  return parseRefusal(sample)?.retryAtMs ?? null;
}

function untilText(signal: LogSignal): string {
  const untilMs = untilMsOf(signal);
  return untilMs === null ? "until when isn't known" : `until ${instantOf(untilMs)}, as it says`;
}

interface Told {
  readonly code: Draft["code"];
  readonly seen: (label: string, signal: LogSignal) => string;
}

const TOLD: Partial<Record<SignalKind, Told>> = {
  store_write_failed: {
    code: "issued_not_stored",
    seen: (name, signal) =>
      `A certificate of ${name} was issued and could not be stored (${(signal.code ?? "other").replaceAll("_", " ")}), ${whenText(signal)}.`,
  },
  store_read_failed: {
    code: "storage_failing",
    seen: (name, signal) =>
      `What is stored for ${name} could not be read by its owner (${(signal.code ?? "other").replaceAll("_", " ")}), ${whenText(signal)}.`,
  },
  dns_failed: {
    code: "dns_failing",
    seen: (name, signal) =>
      `Orders for ${name} fail for DNS (${(signal.code ?? "other").replaceAll("_", " ")}), ${whenText(signal)}.`,
  },
  https_not_enabled: {
    code: "dns_failing",
    seen: (name, signal) =>
      `The owner of ${name} gets no certificate, since HTTPS isn't enabled for it, ${whenText(signal)}.`,
  },
  replaces_refused: {
    code: "account_key_lost",
    seen: (name, signal) =>
      `The issuer refused to renew ${name}, as another ACME account asked for it before, ${whenText(signal)}.`,
  },
  paused: {
    code: "rate_limited",
    seen: (name, signal) => `The issuer has paused the account for ${name}, ${whenText(signal)}.`,
  },
  rate_limited: {
    code: "rate_limited",
    seen: (name, signal) =>
      `The issuer refused an order for ${name}, ${LIMIT_WORDS.get(signal.code) ?? "by one of its limits"}, ${whenText(signal)}; ${untilText(signal)}.`,
  },
};

/** Whether a signal is too old to tell of what is now. */
function isStale(signal: LogSignal, atMs: number): boolean {
  if (signal.kind === "rate_limited" && (untilMsOf(signal) ?? Number.POSITIVE_INFINITY) <= atMs)
    return true;
  const ageMs =
    signal.kind === "rate_limited" ? (LIMITS_MS.get(signal.code) ?? 0) : (AGE_MS[signal.kind] ?? 0);
  return signal.lastMs <= atMs - ageMs || signal.firstMs > atMs + SKEW_MS;
}

/** Whether a refusal was kept of it: that knows until when, and tells it. */
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

/** A line that names nobody is its owner's alone, never a neighbour's. */
function entriesFor({ domain, where }: LogSignal, index: ClusterIndex): CertificateEntry[] {
  const entries = domain !== null ? index.named(domain) : index.ofPod(...podOf(where));
  return entries.filter(isExpected);
}

interface Group {
  readonly subject: Subject;
  readonly told: Told;
  readonly entry: CertificateEntry | null;
  readonly signals: LogSignal[];
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
    const told = TOLD[signal.kind];
    if (told === undefined || isStale(signal, atMs) || isTimed(signal, refusals)) continue;
    // An order that went through since tells that what kept orders from it is over; not that it could be stored.
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
        : near.filter((entry) => (storedMsOf(entry) ?? Number.NEGATIVE_INFINITY) <= signal.lastMs);
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
      const key = `${told.code} ${JSON.stringify(subject)}`;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, { subject, told, entry, signals: [signal] });
      else group.signals.push(signal);
    }
  }
  return [...groups.values()];
}

export function* signalDrafts(index: ClusterIndex): Generator<Draft> {
  const groups = groupsOf(index);
  yield* groups.filter(({ entry }) => entry !== null).map(draftOf);
  yield* boundedDrafts(
    groups.filter(({ entry }) => entry === null).map(draftOf),
    index.state.cluster,
  );
}

function draftOf({ subject, told, entry, signals }: Group): Draft {
  const newest = signals.toSorted((a, b) => b.lastMs - a.lastMs);
  const first = newest[0] as LogSignal;
  return {
    code: told.code,
    subject,
    seen: told.seen(labelOf(subject), first),
    evidence: newest
      .slice(0, MAX_LINES)
      .map((signal) => `${signal.where}: ${shortened(signal.sample, MAX_SAMPLE)}`),
    command: explainCommand(subject),
    ...(told.code === "rate_limited" && entry?.verdict?.valid === true
      ? {
          severity: "warning" as const,
          advice: "what is live is valid: keep it; nothing else is issued for it meanwhile",
        }
      : {}),
    cause: `${told.code}:${first.code ?? first.kind}`,
  };
}

/** Names that a log made up are told up to a number; the rest in one. */
function* boundedDrafts(drafts: readonly Draft[], cluster: string): Generator<Draft> {
  for (const [code, of] of Map.groupBy(drafts, (draft) => draft.code)) {
    yield* of.slice(0, MAX_UNPLACED);
    if (of.length > MAX_UNPLACED)
      yield {
        code,
        subject: { cluster, namespace: null, secret: null, name: null },
        seen: `Logs tell the same of ${(of.length - MAX_UNPLACED).toLocaleString("en-US")} more names of which no Secret is known.`,
        command: commandLine(literal("certkeep explain"), cluster),
      };
  }
}

/** No limit makes anybody wait longer: a later time is none. */
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
    const held = (
      kind === "set"
        ? index.ofSet(key)
        : index.entries.filter((entry) =>
            requestedNames(entry).some((name) => registeredDomain(bareName(name)) === key),
          )
    ).filter(isExpected);
    // One issued since tells that the refusal is over.
    if (
      kind === "set" &&
      held.some((entry) => (storedMsOf(entry) ?? Number.NEGATIVE_INFINITY) > seenAtMs)
    )
      continue;
    const safe = held.length > 0 && held.every(({ verdict }) => verdict?.valid === true);
    const only = kind === "set" && held.length === 1 ? held[0] : undefined;
    const subject = only === undefined ? null : subjectOf(only);
    const name = shortened(key, MAX_NAME);
    yield {
      code: "rate_limited",
      subject: subject ?? { cluster: state.cluster, namespace: null, secret: null, name },
      ...(safe
        ? {
            severity: "warning" as const,
            advice: "what is live is valid: keep it, nothing is issued in its place until then",
          }
        : {
            advice: `restore a copy; without one, wait until ${instantOf(retryAtMs)}, or use another host name`,
          }),
      seen: `The owner's log tells of a refusal by the issuer for ${kind === "set" ? name : `new names under ${name}`}, until ${instantOf(retryAtMs)}.`,
      evidence: [
        `${where} at ${instantOf(seenAtMs)}`,
        ...(burst === null ? [] : [`limit of ${burst}`]),
      ],
      command:
        subject === null ? commandLine(literal("certkeep explain"), name) : explainCommand(subject),
      due: instantOf(retryAtMs),
      cause: `rate_limited:${kind}`,
    };
  }
}

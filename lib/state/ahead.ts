/**
 * What a clock that was ahead leaves in a state: instants in the future, and decisions that time
 * had not come for. The next audit with a right clock takes back the former; the latter it must
 * never meet, so nothing is forgotten by the clock of one audit alone. Pure.
 */
import { formatMs, parseMs } from "../certificate/time.ts";
import { SKEW_MS } from "../ratelimit/evidence.ts";
import type { GapRecord, SecretRecord, StateDocument } from "./document.ts";
import { observationsOf, storedObservations } from "./observations.ts";
import { mapRecords, mapValues } from "./secrets.ts";

/**
 * The instant by which an audit at `nowMs` forgets what is old: the audit before it has to have
 * come that far.
 */
export function forgettingMs({ audit }: Pick<StateDocument, "audit">, nowMs: number): number {
  return audit === null ? nowMs : Math.min(nowMs, parseMs(audit.finishedAt));
}

/** The state as a right clock would have left it: what was seen in the future was seen now. */
export function withoutFuture(state: StateDocument, nowMs: number): StateDocument {
  const { audit } = state;
  // Comparing every instant costs as much as an unchanged audit: the last audit's end tells whether
  // it is needed.
  if (audit === null || parseMs(audit.finishedAt) <= nowMs + SKEW_MS) return state;
  const now = formatMs(nowMs);
  const seen = (at: string): string => (parseMs(at) > nowMs ? now : at);
  const seenOrNull = (at: string | null): string | null => (at === null ? null : seen(at));
  const record = (of: SecretRecord): SecretRecord => ({
    ...of,
    recordedAt: seen(of.recordedAt),
    certificates: mapValues(of.certificates, (one) => ({
      ...one,
      firstSeenAt: seen(one.firstSeenAt),
    })),
    gaps: mapValues(of.gaps, (one): GapRecord => ({
      ...one,
      since: seen(one.since),
      held: one.held === null ? null : { ...one.held, firstSeenAt: seen(one.held.firstSeenAt) },
    })),
    ...(of.earlier === undefined
      ? {}
      : { earlier: of.earlier.map((one) => ({ ...one, at: seen(one.at) })) }),
  });
  const observations = observationsNow(state, nowMs);
  return {
    ...state,
    audit: {
      ...audit,
      startedAt: seen(audit.startedAt),
      finishedAt: seen(audit.finishedAt),
      lastCompleteAt: seenOrNull(audit.lastCompleteAt),
      lastReachedAt: seenOrNull(audit.lastReachedAt),
      unread: audit.unread.map((one) => ({ ...one, since: seen(one.since) })),
    },
    ...mapRecords(state, record, (one) => ({
      ...one,
      lostAt: seen(one.lostAt),
      lastSeenAt: seen(one.lastSeenAt),
    })),
    copies: mapValues(state.copies, (one) => ({
      ...one,
      recordedAt: seen(one.recordedAt),
      liveFrom: seen(one.liveFrom),
      liveUntil: seen(one.liveUntil),
    })),
    findings: mapValues(state.findings, (one) => ({
      ...one,
      since: seen(one.since),
      lastAt: seen(one.lastAt),
    })),
    ...(observations === undefined ? {} : { observations }),
  };
}

/**
 * Without answers from the future: each would win over every later one. They are asked for again.
 */
function observationsNow(state: StateDocument, nowMs: number): unknown {
  const { looks, signs, events, access, windows, revocations } = observationsOf(state);
  const past = (...instants: readonly (number | null | undefined)[]): boolean =>
    instants.every((at) => at == null || at <= nowMs + SKEW_MS);
  return storedObservations(state.observations, {
    looks: looks.filter((one) => past(one.askedMs, one.wholeMs, one.lineMs)),
    signs: signs.filter(({ lastMs }) => past(lastMs)),
    events: events.filter(({ lastMs }) => past(lastMs)),
    access: access.filter(({ atMs }) => past(atMs)),
    windows: windows.filter(({ askedMs }) => past(askedMs)),
    revocations: revocations.filter(({ askedMs }) => past(askedMs)),
  });
}

/**
 * One cluster's state as a report or digest tells it: findings, counts, what comes next. Pure; small, so that a
 * thousand states can be read one after the other and forgotten.
 *
 * Unknown is never fine: a state that is too old, was never made or could not be read vouches for nothing, and is
 * itself a finding.
 */
import type { Across } from "../finding/across.ts";
import { calledBy } from "../state/identity.ts";
import { adviseFindings } from "../finding/advise.ts";
import { attachCauses } from "../diagnosis/attach.ts";
import { evaluateState } from "../finding/evaluate.ts";
import { isUnreachable, STALE_MS } from "../finding/reach.ts";
import { createFinding, type Draft, type Finding } from "../finding/finding.ts";
import { applyIgnore, type IgnoreEntry } from "../finding/ignore.ts";
import { offerInvoke, type RestoreFunction } from "../finding/invoke.ts";
import { commandLine, literal } from "../finding/command.ts";
import { issuanceFindings } from "../finding/issuance.ts";
import { tally, type Tally } from "../finding/tally.ts";
import { fractionLeft, msOf } from "../finding/verdict.ts";
import { formatInstant, parseInstantOrNull, parseMs } from "../certificate/time.ts";
import { certificates, titleOf } from "../state/certificates.ts";
import type { StateDocument } from "../state/document.ts";

/** Owners renew below this fraction of the lifetime left. */
const RENEWAL_FRACTION = 1 / 3;
/** Next renewals that a summary keeps. */
const UPCOMING = 8;

export interface Upcoming {
  readonly cluster: string;
  readonly name: string;
  readonly namespace: string;
  readonly secret: string;
  /** RFC 3339. */
  readonly notAfter: string;
}

export interface ClusterSummary {
  /** Key of the state. */
  readonly cluster: string;
  readonly title: string;
  readonly server: string;
  /** `now`; `part`: something could not be read; `stale`: no audit for too long; `unseen`: not reached, or replaced; `never`: no audit yet; `unreadable`: its state can't be read. */
  readonly sight: "now" | "part" | "stale" | "unseen" | "never" | "unreadable";
  /** RFC 3339: when it was last seen, or `null`. */
  readonly seenAt: string | null;
  readonly tally: Tally;
  readonly findings: readonly Finding[];
  readonly ignored: number;
  /** Valid certificates that no finding is about and that are due for renewal, the soonest first. */
  readonly upcoming: readonly Upcoming[];
}

export interface SummaryView {
  readonly atNs: bigint;
  readonly ignore: readonly IgnoreEntry[];
  /** The time it really is, where `atNs` is later: what lies ahead makes no audit stale. */
  readonly wallNs?: bigint | null;
  /** What all clusters tell of issuances together; `null`: not gathered, and nothing is said of budgets. */
  readonly across?: Across | null;
  /** The function on AWS that restores, offered beside each restore; `null`: there is none. */
  readonly restore?: RestoreFunction | null;
}

const NOTHING: Tally = {
  certificates: 0,
  fine: 0,
  staging: 0,
  unknown: 0,
  foreign: 0,
  copies: 0,
  critical: 0,
  warning: 0,
  information: 0,
};

/** @throws RangeError for a state whose instants aren't any: the caller takes `unreadableSummary` then */
export function summarize(
  state: StateDocument,
  { atNs, ignore, wallNs = null, across = null, restore = null }: SummaryView,
): ClusterSummary {
  const now = formatInstant(atNs);
  const finished = state.audit === null ? null : parseInstantOrNull(state.audit.finishedAt);
  const seenFromNs = wallNs !== null && wallNs < atNs ? wallNs : atNs;
  const stale = finished === null || seenFromNs - finished > BigInt(STALE_MS) * 1_000_000n;
  const own = evaluateState(state, atNs, now);
  const all = [
    ...(across === null
      ? own
      : attachCauses(
          [...adviseFindings(own, state, across), ...issuanceFindings(across, state.cluster)],
          state,
          across,
        )),
    ...staleFindings(state, stale, now),
  ];
  const { said, ignored } = applyIgnore(offerInvoke(all, restore), ignore, atNs);
  const counts = tally(state, all, atNs, stale);
  return {
    cluster: state.cluster,
    title: state.title,
    server: state.server,
    sight:
      state.audit === null
        ? "never"
        : isUnreachable(state) || state.replacedBy !== null
          ? "unseen"
          : stale
            ? "stale"
            : state.audit.complete
              ? "now"
              : "part",
    seenAt: state.audit?.lastReachedAt ?? null,
    tally: counts,
    findings: said,
    ignored: ignored.length,
    upcoming: upcomingOf(state, all, atNs),
  };
}

/** A state that can't be read, or a registered cluster that has none. `seen`: what was found, one sentence. */
export function unseenSummary(
  cluster: string,
  sight: "never" | "unreadable",
  seen: string,
  { atNs, ignore }: SummaryView,
  since: string = formatInstant(atNs),
): ClusterSummary {
  const draft: Draft = {
    code: "audit_incomplete",
    subject: { cluster, namespace: null, secret: null, name: "state" },
    seen,
    command: commandLine(literal("certkeep audit"), cluster),
    cause: `audit_incomplete:${sight}`,
  };
  const { said, ignored } = applyIgnore([createFinding(draft, since)], ignore, atNs);
  return {
    cluster,
    title: cluster,
    server: "",
    sight,
    seenAt: null,
    tally: NOTHING,
    findings: said,
    ignored: ignored.length,
    upcoming: [],
  };
}

function staleFindings(state: StateDocument, stale: boolean, now: string): Finding[] {
  if (!stale || isUnreachable(state)) return [];
  const finishedAt = state.audit?.finishedAt ?? null;
  const draft: Draft = {
    code: "audit_incomplete",
    subject: { cluster: state.cluster, namespace: null, secret: null, name: "audits" },
    seen:
      finishedAt === null
        ? `No audit of ${state.title} has finished yet.`
        : `No audit of ${state.title} has finished since ${finishedAt}: what is told of it is as last seen.`,
    advice: "see why audits don't run, or run one",
    command: commandLine(literal("certkeep audit"), calledBy(state)),
    cause: "audit_incomplete:stale",
  };
  return [createFinding(draft, finishedAt ?? now)];
}

function upcomingOf(state: StateDocument, findings: readonly Finding[], atNs: bigint): Upcoming[] {
  const told = new Set(
    findings
      .filter(({ severity }) => severity !== "information")
      .map(({ subject }) => `${subject.namespace}/${subject.secret}`),
  );
  const upcoming: { readonly one: Upcoming; readonly untilMs: number }[] = [];
  for (const entry of certificates(state, msOf(atNs))) {
    const { condition, key, namespace, secret, record, verdict } = entry;
    if (
      condition !== "live" ||
      told.has(key) ||
      record.staging ||
      !verdict.valid ||
      fractionLeft(record, atNs) >= RENEWAL_FRACTION
    )
      continue;
    const { notAfter } = record;
    const one = { cluster: state.cluster, name: titleOf(entry), namespace, secret, notAfter };
    upcoming.push({ one, untilMs: parseMs(notAfter) });
  }
  return upcoming
    .toSorted((a, b) => a.untilMs - b.untilMs)
    .slice(0, UPCOMING)
    .map(({ one }) => one);
}

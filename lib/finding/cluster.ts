/**
 * All findings of one cluster, as an audit, a report, a digest and explain tell them: from here
 * alone, so that they agree.
 */
import { formatMs, parseMs, parseMsOrNull } from "../certificate/time.ts";
import { attachCauses } from "../diagnosis/attach.ts";
import { SKEW_MS } from "../ratelimit/evidence.ts";
import type { StateDocument } from "../state/document.ts";
import { calledBy } from "../state/identity.ts";
import type { Across } from "./across.ts";
import { type Action, reachedVia, type RestoreFunction, type Via } from "./action.ts";
import { adviseFindings } from "./advise.ts";
import { evaluateState } from "./evaluate.ts";
import { clusterSubject, createFinding, type Finding } from "./finding.ts";
import { applyIgnore, type IgnoreEntry } from "./ignore.ts";
import { issuanceFindings } from "./issuance.ts";
import { isUnreachable, STALE_MS } from "./reach.ts";

export interface FindingsView {
  readonly atMs: number;
  readonly ignore: readonly IgnoreEntry[];
  /** The time it really is, where `atMs` is later: what lies ahead makes no audit stale. */
  readonly wallMs?: number | null;
  /**
   * What is known of issuances in all clusters; `null`: not gathered, and nothing is reported of
   * rate limits.
   */
  readonly across?: Across | null;
  /** The function on AWS that restores, offered beside each restore; `null`: there is none. */
  readonly restore?: RestoreFunction | null;
  /** What offered commands are reached by; `null`: nothing that they name. */
  readonly via?: Via | null;
}

export interface ClusterFindings {
  /** Those that `ignore:` doesn't mute. */
  readonly said: readonly Finding[];
  readonly ignored: readonly Finding[];
}

/** `own`: what `evaluateState` found, where the caller has it already. */
export function clusterFindings(
  state: StateDocument,
  view: FindingsView,
  own: readonly Finding[] = evaluateState(state, view.atMs, formatMs(view.atMs)),
): ClusterFindings {
  const { across = null, ignore, atMs, restore = null, via = null } = view;
  const found =
    across === null
      ? own
      : attachCauses(
          [...adviseFindings(own, state, across), ...issuanceFindings(across, state)],
          state,
          across,
        );
  const all = [...found, ...staleFindings(state, view), ...nameFindings(state, view)];
  const offered = offerFunction(all, restore).map((finding) => reachedVia(finding, via));
  return applyIgnore(offered, ignore, atMs);
}

/**
 * Whether the last audit is too long ago to vouch for anything, or dated in the future: then nobody
 * knows when it was.
 */
export function isStale(
  { audit }: Pick<StateDocument, "audit">,
  { atMs, wallMs = null }: Pick<FindingsView, "atMs" | "wallMs">,
): boolean {
  const finished = audit === null ? null : parseMsOrNull(audit.finishedAt);
  const seenFromMs = wallMs !== null && wallMs < atMs ? wallMs : atMs;
  const latestMs = Math.max(atMs, wallMs ?? atMs) + SKEW_MS;
  return finished === null || seenFromMs - finished > STALE_MS || finished > latestMs;
}

/** What a cluster that has another name as well is reported under that one. */
function nameFindings(state: StateDocument, { across = null, atMs }: FindingsView): Finding[] {
  const first = across?.firstNames.get(state.cluster) ?? null;
  if (first === null) return [];
  const { cluster, title, identity } = state;
  return [
    createFinding(
      {
        code: "cluster_named_twice",
        subject: clusterSubject({ cluster }),
        params: { title, first },
        actions: [{ kind: "doctor", cluster: calledBy(state) }],
      },
      identity?.pin?.at ?? formatMs(atMs),
    ),
  ];
}

function staleFindings(state: StateDocument, view: FindingsView): Finding[] {
  // A clock that is ahead has a finding of its own.
  const ahead = view.across?.ahead.has(state.cluster) === true;
  if (!isStale(state, view) || ahead || isUnreachable(state)) return [];
  const finishedAt = state.audit?.finishedAt ?? null;
  return [
    createFinding(
      {
        code: "audit_incomplete",
        subject: { cluster: state.cluster, namespace: null, secret: null, name: "audits" },
        params: {
          of: "stale",
          title: state.title,
          finishedMs: finishedAt === null ? null : parseMs(finishedAt),
        },
        actions: [{ kind: "audit", cluster: calledBy(state) }],
        cause: ["stale"],
      },
      finishedAt ?? formatMs(view.atMs),
    ),
  ];
}

/** Beside each restore the same by the function on AWS, for who has the AWS command line alone. */
function offerFunction(
  findings: readonly Finding[],
  by: RestoreFunction | null,
): readonly Finding[] {
  if (by === null) return findings;
  return findings.map((finding) => ({
    ...finding,
    actions: finding.actions.flatMap((action): Action[] =>
      action.kind === "restore" ? [action, { kind: "invoke", by, restore: action }] : [action],
    ),
  }));
}

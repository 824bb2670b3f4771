/**
 * How far each source went, and why no further: one look for each place, counted on from the one
 * before. Pure.
 */
import { isCertkeepError } from "../../../error.ts";
import type { Issuer } from "../../../issuer/issuers.ts";
import type { ClusterDiagnosis } from "../../../ports/cluster.ts";
import type { StateDocument } from "../../../state/document.ts";
import type { Observations } from "../../../state/observations.ts";
import type { StatusSource, SourceStatus } from "../../../state/signals.ts";

/** What each part of an observation is given. */
export interface ObserveContext {
  readonly diagnosis: ClusterDiagnosis;
  readonly state: StateDocument;
  /** What earlier audits observed. */
  readonly before: Observations;
  readonly issuers: readonly Pick<Issuer, "id" | "directory">[];
  readonly nowMs: number;
  readonly signal: AbortSignal;
}

/**
 * A failure in the words of a look. What is no failure of the cluster's must not cost an audit: it
 * wasn't understood.
 */
export function statusCode(error: unknown): string {
  if (!isCertkeepError(error)) return "invalid_answer";
  switch (error.code) {
    case "cluster_forbidden":
    case "cluster_unauthorized":
      return "forbidden";
    case "cluster_timeout":
    case "deadline":
      return "timeout";
    case "cluster_answer_invalid":
    case "cluster_rejected":
      return "invalid_answer";
    default:
      return "unreachable";
  }
}

export interface StatusParts {
  readonly code: string | null;
  readonly unread?: string | null;
  readonly lineMs?: number | null;
  readonly restarts?: number;
}

/** Of a log, what the next read goes on from where this one failed. */
export function readBefore(last: SourceStatus | null): Pick<StatusParts, "lineMs" | "restarts"> {
  const { lineMs, restarts } = last ?? {};
  return {
    ...(lineMs === undefined ? {} : { lineMs }),
    ...(restarts === undefined ? {} : { restarts }),
  };
}

export function lastStatus(
  before: Observations,
  source: StatusSource,
  scope: string,
): SourceStatus | null {
  return before.looks.find((look) => look.source === source && look.scope === scope) ?? null;
}

/** The look of now, with since when it isn't whole by the one before. */
export function statusOf(
  { before, nowMs }: Pick<ObserveContext, "before" | "nowMs">,
  source: StatusSource,
  scope: string,
  { code, unread = null, ...read }: StatusParts,
): SourceStatus {
  const last = lastStatus(before, source, scope);
  return {
    source,
    scope,
    askedMs: nowMs,
    wholeMs: code === null ? nowMs : (last?.wholeMs ?? null),
    code,
    sinceMs: code === null ? null : last?.code === code ? (last.sinceMs ?? nowMs) : nowMs,
    unread,
    ...read,
  };
}

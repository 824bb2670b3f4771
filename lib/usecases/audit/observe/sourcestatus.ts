/**
 * How far each source went, and why no further: one look for each place, counted on from the one
 * before. Pure.
 */
import { isCertkeepError } from "../../../error.ts";
import type { StatusSource, SourceStatus } from "../../../state/signals.ts";

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
export function readBefore(
  last: SourceStatus | null | undefined,
): Pick<StatusParts, "lineMs" | "restarts"> {
  return {
    ...(last?.lineMs === undefined ? {} : { lineMs: last.lineMs }),
    ...(last?.restarts === undefined ? {} : { restarts: last.restarts }),
  };
}

/** The look of now, with since when it isn't whole by the one before. */
export function statusOf(
  source: StatusSource,
  scope: string,
  nowMs: number,
  before: SourceStatus | null,
  { code, unread = null, ...read }: StatusParts,
): SourceStatus {
  return {
    source,
    scope,
    askedMs: nowMs,
    wholeMs: code === null ? nowMs : (before?.wholeMs ?? null),
    code,
    sinceMs: code === null ? null : before?.code === code ? (before.sinceMs ?? nowMs) : nowMs,
    unread,
    ...read,
  };
}

/**
 * What an audit of a cluster vouches for: whether it was reached, and until when what was seen
 * counts as of now.
 */
import type { StateDocument, Unread } from "../state/document.ts";

/** An audit older than this vouches for nothing: a day, and two hours for a run that is late. */
export const STALE_MS = 26 * 3_600_000;

const CLUSTER_FAILURES: ReadonlySet<string> = new Set([
  "cluster_unreachable",
  "cluster_tls",
  "cluster_timeout",
  "cluster_unauthorized",
  "cluster_rejected",
  "cluster_answer_invalid",
  "kubeconfig_invalid",
  "context_unknown",
  "deadline",
]);

export function isWhole({ scope, code }: Pick<Unread, "scope" | "code">): boolean {
  return scope === "cluster" && CLUSTER_FAILURES.has(code);
}

export function isUnreachable(state: StateDocument): boolean {
  return state.audit !== null && state.audit.unread.some(isWhole);
}

/**
 * When a cluster that can't be seen now was seen last; `null`: it was reached by the last look, or
 * never.
 */
export function lastSeenOf(state: StateDocument): string | null {
  return isUnreachable(state) ? (state.audit?.lastReachedAt ?? null) : null;
}

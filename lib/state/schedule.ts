/**
 * Whether a cluster is to be audited now, and whether it should have been long ago, by what its
 * state says of the last audit. Pure.
 */
import { parseMsOrNull } from "../certificate/time.ts";
import type { StateDocument } from "./document.ts";

/**
 * The longest that an audit takes after it was asked for: one that was asked for an interval ago
 * and took that long is no reason to leave this turn out. At most a third of an interval, so that a
 * turn that comes twice is still noticed.
 */
const SLACK_MS = 5 * 60_000;
/**
 * Clocks of two machines may differ by this much; an audit that finished later than that from now
 * never was.
 */
const SKEW_MS = 5 * 60_000;
const OVERDUE_INTERVALS = 2;

/**
 * Milliseconds since the last audit finished, 0 at least; `null` where none has, or where its
 * instant can't be believed.
 */
export function sinceAudit(audit: StateDocument["audit"], nowMs: number): number | null {
  return audit === null ? null : since(audit.finishedAt, nowMs);
}

/** The same; for a cluster that no audit has seen yet, since it was registered. */
export function sinceAuditOrPin(
  { audit, identity }: Pick<StateDocument, "audit" | "identity">,
  nowMs: number,
): number | null {
  return audit === null && identity?.pin !== undefined
    ? since(identity.pin.at, nowMs)
    : sinceAudit(audit, nowMs);
}

function since(instant: string, nowMs: number): number | null {
  const atMs = parseMsOrNull(instant);
  return atMs === null || atMs > nowMs + SKEW_MS ? null : Math.max(0, nowMs - atMs);
}

export function isDue(sinceMs: number | null, intervalMs: number): boolean {
  return sinceMs === null || sinceMs >= intervalMs - Math.min(SLACK_MS, intervalMs / 3);
}

/** No audit has finished in two intervals. */
export function isOverdue(sinceMs: number | null, intervalMs: number): boolean {
  return sinceMs === null || sinceMs > OVERDUE_INTERVALS * intervalMs;
}

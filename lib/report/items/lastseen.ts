/** Clusters of which nothing is known now, by findings about themselves. */
import { instantOf } from "../../certificate/time.ts";
import type { Finding } from "../../finding/finding.ts";

/** When each cluster whose audits are old was last seen, RFC 3339, by the key of its state. */
export function lastSeenIn(findings: readonly Finding[]): ReadonlyMap<string, string> {
  const seen = new Map<string, string>();
  for (const { code, params, subject } of findings) {
    if (code === "audit_incomplete" && params.of === "stale" && params.finishedMs !== null)
      seen.set(subject.cluster, instantOf(params.finishedMs));
  }
  return seen;
}

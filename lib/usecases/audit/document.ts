/** An audit as one JSON document, `certkeep.audit/v1`. Pure. */
import { formatMsOrNull } from "../../certificate/time.ts";
import { acrossData } from "../../finding/budgets.ts";
import { certificateViews } from "../../finding/tally.ts";
import { observationsOf, type SourceLook } from "../../state/observations.ts";
import type { AuditReport } from "../audit.ts";

/** How far a source besides Secrets went; `code` is `null` where it answered whole. */
function sourceData({
  source,
  scope,
  code,
  askedMs,
  wholeMs,
  sinceMs,
  unread,
}: SourceLook): object {
  return {
    source,
    scope,
    code,
    asked: formatMsOrNull(askedMs),
    whole: formatMsOrNull(wholeMs),
    since: formatMsOrNull(sinceMs),
    unread,
  };
}

export const AUDIT_SCHEMA = "certkeep.audit/v1";

export function auditDocument(report: AuditReport, atNs: bigint): object {
  return {
    clusters: report.clusters.map((cluster) => ({
      cluster: cluster.cluster,
      title: cluster.title,
      server: cluster.server,
      identity: cluster.state.identity,
      complete: cluster.complete,
      audit: cluster.state.audit,
      scopes: cluster.scopes,
      counts: cluster.tally,
      copies: cluster.copies,
      requests: cluster.stats.requests,
      valuesRead: cluster.stats.valuesRead,
      unfilteredFullListings: cluster.stats.unfilteredFullListings,
      certificates: [...certificateViews(cluster.state, atNs)],
      findings: cluster.findings,
      ignored: cluster.ignored.length,
      unsaved: cluster.unsaved?.message ?? null,
      sources: observationsOf(cluster.state).looks.map(sourceData),
    })),
    ...acrossData(report.across),
    transparency: report.transparency.map(
      ({ domain, source, askedMs, wholeMs, code, sinceMs, unread, others }) => ({
        domain,
        source,
        code,
        asked: formatMsOrNull(askedMs),
        whole: formatMsOrNull(wholeMs),
        since: formatMsOrNull(sinceMs),
        unread,
        others,
      }),
    ),
    unreadStates: report.unreadStates.map(({ code, message }) => ({ code, message })),
    failed: report.failed.map(({ title, error }) => ({
      title,
      code: error.code,
      message: error.message,
    })),
  };
}

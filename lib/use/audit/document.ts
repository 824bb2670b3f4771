/** An audit as one JSON document, `certkeep.audit/v1`. Pure. */
import { acrossData } from "../../finding/budgets.ts";
import { certificateViews } from "../../finding/tally.ts";
import { formatInstant } from "../../certificate/time.ts";
import type { AuditReport } from "../audit.ts";

export const AUDIT_SCHEMA = "certkeep.audit/v1";

function iso(ms: number | null): string | null {
  return ms === null ? null : formatInstant(BigInt(ms) * 1_000_000n);
}

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
    })),
    ...acrossData(report.across),
    transparency: report.transparency.map(({ domain, source, askedMs, wholeMs, code, sinceMs, unread, others }) => ({ domain, source, askedAt: iso(askedMs), wholeAt: iso(wholeMs), code, since: iso(sinceMs), unread, others })),
    unreadStates: report.unreadStates.map(({ code, message }) => ({ code, message })),
    failed: report.failed.map(({ title, error }) => ({ title, code: error.code, message: error.message })),
  };
}

/** An audit as one JSON document, `certkeep.audit/v2`. Pure. */
import { formatMsOrNull } from "../../certificate/time.ts";
import { acrossData } from "../../finding/budgets.ts";
import { findingDocument } from "../../report/phrases.ts";
import { certificates, type LiveCertificate } from "../../state/certificates.ts";
import { observationsOf } from "../../state/observations.ts";
import type { SourceStatus } from "../../state/signals.ts";
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
}: SourceStatus): object {
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

function certificateData({
  namespace,
  secret,
  layout,
  fieldBase,
  record,
  verdict,
}: LiveCertificate): object {
  return {
    namespace,
    secret,
    shape: layout,
    fieldBase,
    domain: record.domain,
    names: record.names,
    valid: verdict.valid,
    reasons: verdict.reasons,
    staging: record.staging,
    issuer: record.issuer,
    issuerName: record.issuerName,
    serial: record.serial,
    sha256: record.sha256,
    notBefore: record.notBefore,
    notAfter: record.notAfter,
    issuedAt: record.issuedAt,
    issuedBy: record.issuedBy,
    // Version of the encrypted backup, or `null` with the reason in `notKept`.
    copy: record.copy?.version ?? null,
    notKept: record.notKept?.reason ?? null,
  };
}

export const AUDIT_SCHEMA = "certkeep.audit/v2";

export function auditDocument(report: AuditReport, atMs: number): object {
  return {
    clusters: report.clusters.map((cluster) => ({
      cluster: cluster.cluster,
      title: cluster.title,
      server: cluster.server,
      identity: cluster.state.identity,
      complete: cluster.complete,
      audit: cluster.state.audit,
      scopes: cluster.scopes,
      skipped: cluster.skipped,
      counts: cluster.tally,
      copies: cluster.copies,
      requests: cluster.stats.requests,
      valuesRead: cluster.stats.valuesRead,
      unfilteredFullListings: cluster.stats.unfilteredFullListings,
      certificates: [...certificates(cluster.state, atMs)].flatMap((entry) =>
        entry.condition === "live" ? [certificateData(entry)] : [],
      ),
      findings: cluster.findings.map(findingDocument),
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

/** An audit as one JSON document, `certkeep.audit/v2`. Pure. */
import { formatMsOrNull } from "../../certificate/time.ts";
import { acrossData } from "../../finding/budgets.ts";
import { pick } from "../../pick.ts";
import { findingDocument } from "../../report/phrases.ts";
import { certificates, type LiveCertificate } from "../../state/certificates.ts";
import { observationsOf } from "../../state/observations.ts";
import type { SourceStatus } from "../../state/signals.ts";
import type { AuditReport } from "../audit.ts";

/** How far a source besides Secrets went; `code` is `null` where it answered whole. */
function sourceData(status: SourceStatus): object {
  return {
    ...pick(status, "source", "scope", "code", "unread"),
    asked: formatMsOrNull(status.askedMs),
    whole: formatMsOrNull(status.wholeMs),
    since: formatMsOrNull(status.sinceMs),
  };
}

function certificateData(entry: LiveCertificate): object {
  const { layout, record, verdict } = entry;
  return {
    ...pick(entry, "namespace", "secret", "fieldBase"),
    shape: layout,
    ...pick(verdict, "valid", "reasons"),
    ...pick(record, "domain", "names", "staging", "issuer", "issuerName", "serial", "sha256"),
    ...pick(record, "notBefore", "notAfter", "issuedAt", "issuedBy"),
    // Version of the encrypted backup, or `null` with the reason in `notKept`.
    copy: record.copy?.version ?? null,
    notKept: record.notKept?.reason ?? null,
  };
}

export const AUDIT_SCHEMA = "certkeep.audit/v2";

export function auditDocument(report: AuditReport, atMs: number): object {
  return {
    clusters: report.clusters.map((cluster) => ({
      ...pick(cluster, "cluster", "title", "server", "complete", "scopes", "skipped", "copies"),
      ...pick(cluster.state, "identity", "audit"),
      counts: cluster.tally,
      ...pick(cluster.stats, "requests", "valuesRead", "unfilteredFullListings"),
      certificates: [...certificates(cluster.state, atMs)].flatMap((entry) =>
        entry.condition === "live" ? [certificateData(entry)] : [],
      ),
      findings: cluster.findings.map(findingDocument),
      ignored: cluster.ignored.length,
      unsaved: cluster.unsaved?.message ?? null,
      sources: observationsOf(cluster.state).looks.map(sourceData),
    })),
    ...acrossData(report.across),
    transparency: report.transparency.map((status) => ({
      ...pick(status, "domain", "source", "code", "unread", "others"),
      asked: formatMsOrNull(status.askedMs),
      whole: formatMsOrNull(status.wholeMs),
      since: formatMsOrNull(status.sinceMs),
    })),
    unreadStates: report.unreadStates.map((error) => pick(error, "code", "message")),
    failed: report.failed.map(({ title, error }) => ({ title, ...pick(error, "code", "message") })),
  };
}

/**
 * Every finding there is, with how severe it is unless its rule says otherwise.
 * lib/report/phrases.ts says what each means.
 */
import { formatMs, parseMs } from "../certificate/time.ts";
import type { CertificateRecord } from "../state/document.ts";

export type Severity = "critical" | "warning" | "info";

export const SEVERITIES: readonly Severity[] = ["critical", "warning", "info"];

/** What earlier versions called `info`, in configurations and options. */
export const EARLIER_INFO = "information";

export function currentSeverity<S extends string>(severity: S): Exclude<S, "information"> | "info" {
  return severity === EARLIER_INFO ? "info" : (severity as Exclude<S, "information">);
}

/**
 * Thresholds are fractions of each certificate's own lifetime (90 days today, 45 from 2028, 160
 * hours in the short-lived profile), never a fixed number of days. Controllers renew at 1/3; below
 * this a renewal is overdue.
 */
export const OVERDUE_FRACTION = 1 / 4;
/** Below this fraction of its lifetime (7.5 days of 90) a certificate is expiring. */
export const EXPIRING_FRACTION = 1 / 12;

/** A Secret that was only ever seen empty is a warning after an hour, critical after a day. */
export const EMPTY_WARNING_MS = 3_600_000;
export const EMPTY_CRITICAL_MS = 24 * EMPTY_WARNING_MS;

/**
 * Days before a credential's end from which on it is reported, and from which on that is critical.
 */
export const CREDENTIAL_DAYS = 14;
export const CREDENTIAL_CRITICAL_DAYS = 3;
export const TOKEN_AGE_DAYS = 365;

export const CODES = {
  secret_lost: "critical",
  secret_removed: "info",
  fields_emptied: "critical",
  certificate_pending: "info",
  certificate_invalid: "critical",
  expired: "critical",
  expiring: "critical",
  renewal_overdue: "warning",
  backup_missing: "warning",
  backup_unreadable: "critical",
  backup_quota: "warning",
  certificate_revoked: "critical",
  issued_not_stored: "critical",
  rate_limited: "critical",
  storage_forbidden: "critical",
  storage_immutable: "critical",
  storage_failing: "warning",
  dns_failing: "warning",
  account_key_lost: "critical",
  renewal_window_forced: "warning",
  set_budget_low: "warning",
  set_budget_exhausted: "critical",
  domain_budget_low: "warning",
  domain_budget_exhausted: "warning",
  reissued_without_need: "warning",
  concurrent_issuance: "warning",
  shared_set: "warning",
  clock_off: "warning",
  credential_expiring: "warning",
  cluster_replaced: "critical",
  rebuilt_not_restored: "critical",
  cluster_named_twice: "warning",
  audit_incomplete: "warning",
  cluster_unreachable: "critical",
} as const satisfies Record<string, Severity>;

export type FindingCode = keyof typeof CODES;

export function fractionLeft(record: CertificateRecord, atMs: number): number {
  const from = parseMs(record.notBefore);
  const until = parseMs(record.notAfter);
  if (until <= from) return -1;
  return Math.min(1, (until - atMs) / (until - from));
}

export function atFraction(record: CertificateRecord, fraction: number): string {
  const from = parseMs(record.notBefore);
  const until = parseMs(record.notAfter);
  const left = Math.round((until - from) * fraction);
  return formatMs(until - left);
}

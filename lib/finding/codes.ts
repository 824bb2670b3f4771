/**
 * Every finding there is: code, severity, from when on, what it leads to, what to do. The docs print this
 * table. Thresholds are fractions of each certificate's own lifetime (90 days today, 45 from 2028, 160 hours
 * in the short-lived profile), never a fixed number of days.
 */
export type Severity = "critical" | "warning" | "information";

export const SEVERITIES: readonly Severity[] = ["critical", "warning", "information"];

export interface CodeEntry {
  readonly severity: Severity;
  /** What makes it one, with its threshold. */
  readonly when: string;
  readonly leadsTo: string;
  readonly advice: string;
}

/** Below this fraction of its lifetime left, a certificate that its owner should have renewed at 1/3 is overdue. */
export const OVERDUE_FRACTION = 1 / 4;
/** Below this fraction of its lifetime left (7.5 days of 90), it is expiring. */
export const EXPIRING_FRACTION = 1 / 12;

export const CODES = {
  secret_lost: {
    severity: "critical",
    when: "a Secret that held a certificate is gone while its parent stands, or its namespace was deleted or made anew, or more than three and over a fifth of a cluster's certificates went in one interval; a warning where the parent is not known",
    leadsTo: "its owner asks for a new certificate at the next access, which uses up one of five a week",
    advice: "restore it before its owner is used again",
  },
  secret_removed: {
    severity: "information",
    when: "a Secret went together with its parent, while its namespace stands",
    leadsTo: "nothing, if the parent was removed on purpose",
    advice: "nothing to do if it was meant",
  },
  fields_emptied: {
    severity: "critical",
    when: "a Secret that held a certificate is still there, its fields are empty or gone",
    leadsTo: "its owner asks for a new certificate at the next access or restart",
    advice: "restore the fields before the owner restarts",
  },
  certificate_pending: {
    severity: "information",
    when: "an operator made a Secret for a certificate and none was ever stored in it",
    leadsTo: "nothing while the first certificate is on its way",
    advice: "if it stays empty for an hour, look at the owner's log",
  },
  certificate_invalid: {
    severity: "critical",
    when: "the owner's own check refuses what is stored, for another reason than its expiry",
    leadsTo: "its owner throws it away and asks for another at the next access",
    advice: "restore the last good copy",
  },
  expired: {
    severity: "critical",
    when: "its last instant has passed",
    leadsTo: "clients refuse it, and its owner asks for another at the next access",
    advice: "find out why it was not renewed; a copy would be expired as well",
  },
  expiring: {
    severity: "critical",
    when: "less than 1/12 of its lifetime is left",
    leadsTo: "an outage when it expires",
    advice: "have it renewed now: its owner renews on access, so open the service once",
  },
  renewal_overdue: {
    severity: "warning",
    when: "less than 1/4 of its lifetime is left, though owners renew at 1/3",
    leadsTo: "an outage if nothing renews it",
    advice: "look why its owner does not renew it; opening the service once triggers it",
  },
  backup_missing: {
    severity: "warning",
    when: "a good certificate has no sealed copy",
    leadsTo: "if it is lost it can only be issued again",
    advice: "make copies possible",
  },
  backup_quota: {
    severity: "warning",
    when: "more new copies were wanted in a day than the cluster's cap allows",
    leadsTo: "the rest have no copy until tomorrow",
    advice: "find out what makes so many new certificates, or raise backups.perDay",
  },
  cluster_replaced: {
    severity: "critical",
    when: "another cluster answers under a registered name",
    leadsTo: "nothing is audited or written for it until a person decides",
    advice: "if the cluster was rebuilt, say so; else mend the address or the credential",
  },
  audit_incomplete: {
    severity: "warning",
    when: "something in an audit's scope could not be read or kept",
    leadsTo: "what it would have shown is not known",
    advice: "mend what is named",
  },
  cluster_unreachable: {
    severity: "critical",
    when: "the cluster's API could not be reached or refused the credential",
    leadsTo: "nothing is known of it since then",
    advice: "mend the address, the network or the credential",
  },
} as const satisfies Record<string, CodeEntry>;

export type FindingCode = keyof typeof CODES;

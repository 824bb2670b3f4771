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

/** Days before its end from which on a credential is told, and from which on that is critical. */
export const CREDENTIAL_DAYS = 14;
export const CREDENTIAL_CRITICAL_DAYS = 3;
/** Days after which a token that doesn't end by itself is told. */
export const TOKEN_AGE_DAYS = 365;

export const CODES = {
  secret_lost: {
    severity: "critical",
    when: "a Secret that held a certificate is gone while its parent stands, or its namespace was deleted or made anew, or more than three and over a fifth of a cluster's certificates went in one interval; a warning where the parent is not known",
    leadsTo:
      "its owner asks for a new certificate at the next access, which uses up one of five a week",
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
  backup_unreadable: {
    severity: "critical",
    when: "a copy could not be opened, isn't the one that an audit recorded, holds what its header doesn't say, or is gone from the store",
    leadsTo: "what only it holds can't be restored",
    advice: "move the copy away and audit: what is still live gets a new one",
  },
  backup_quota: {
    severity: "warning",
    when: "more new copies were wanted in a day than the cluster's cap allows",
    leadsTo: "the rest have no copy until tomorrow",
    advice: "find out what makes so many new certificates, or raise backups.perDay",
  },
  certificate_revoked: {
    severity: "critical",
    when: "its issuer's own revocation list names the certificate that is live",
    leadsTo: "clients that look at revocation refuse it; its owner goes on serving it",
    advice: "have it issued anew with another key, and retire its copies",
  },
  issued_not_stored: {
    severity: "critical",
    when: "the owner's log says that a certificate was issued and could not be stored",
    leadsTo: "the next access has another one issued and lost: five of them use up the week",
    advice: "mend what keeps the owner from writing its Secret, before anybody uses the service",
  },
  rate_limited: {
    severity: "critical",
    when: "the owner's log tells of a refusal by the issuer (429) whose time isn't over, or isn't known; a warning where a valid certificate is live",
    leadsTo: "no certificate of these names until then",
    advice: "restore a copy; without one, wait, or use another host name",
  },
  storage_forbidden: {
    severity: "critical",
    when: "the server says that the owner's service account may not read or write its Secret; a warning where no pod of the owner was seen, so that the account is the one that its operator makes",
    leadsTo: "each access has a certificate issued that can't be stored",
    advice:
      "give the account its rights back: look for a RoleBinding that is gone or names another account",
  },
  storage_immutable: {
    severity: "critical",
    when: "a Secret that an owner has to write is immutable",
    leadsTo: "a renewal is issued and can't be stored, again at each access",
    advice: "make the Secret anew without immutable: true; a restore with --replace does",
  },
  storage_failing: {
    severity: "warning",
    when: "the owner's log or events tell of failures to read or write its Secret that are neither of the two above",
    leadsTo: "a certificate that is issued meanwhile is lost",
    advice: "look at the API server: its load, its storage, its webhooks and quotas",
  },
  dns_failing: {
    severity: "warning",
    when: "the owner's log tells of names that could not be looked up, or of challenges that failed",
    leadsTo: "no certificate is issued or renewed while it lasts",
    advice:
      "look at the cluster's resolver, and whether the tailnet has HTTPS certificates enabled",
  },
  account_key_lost: {
    severity: "critical",
    when: "the issuer refuses renewals because another ACME account asked for the certificate before",
    leadsTo: "every renewal fails until the certificate expires",
    advice:
      "restore the ACME account key that the certificate was issued under, then restart the node",
  },
  renewal_window_forced: {
    severity: "warning",
    when: "the issuer suggests that a live certificate be renewed before it is due (ARI), as it does ahead of a revocation",
    leadsTo: "the certificate may be revoked before its owner renews it",
    advice: "restart its owner, which then asks for the time anew, and see that it renews",
  },
  set_budget_low: {
    severity: "warning",
    when: "of an issuer's limit for one exact set of names, over all clusters, at most 2 of 5 are left",
    leadsTo:
      "after a few more reissues nothing is issued for these names for a day and a half each",
    advice: "find out what reissues it before the rest is used up",
  },
  set_budget_exhausted: {
    severity: "critical",
    when: "of that limit nothing is left; a warning where every Secret that holds the set is valid and has a sealed copy",
    leadsTo: "if the certificate is lost now, none can be issued in its place until the next slot",
    advice: "keep what is live, and find out what reissues it",
  },
  domain_budget_low: {
    severity: "warning",
    when: "of an issuer's limit for a registered domain (a tailnet), over all clusters, at most 10 of 50 are left",
    leadsTo: "after that new names get a certificate every few hours only; renewals go on",
    advice: "make no new names that aren't needed; look for pods with names that change",
  },
  domain_budget_exhausted: {
    severity: "warning",
    when: "of that limit nothing is left",
    leadsTo: "a name that has no certificate yet gets none until the next slot; renewals go on",
    advice: "wait with new names; look for pods with names that change",
  },
  reissued_without_need: {
    severity: "warning",
    when: "within a week a certificate was issued though one of the same names was valid and not due for renewal",
    leadsTo: "each one uses up one of five a week",
    advice: "find out why its owner didn't go on with the one it had",
  },
  concurrent_issuance: {
    severity: "warning",
    when: "within a week certificates of one set were issued no more than ten minutes apart",
    leadsTo: "replicas or clusters that race each other use up the budget in minutes",
    advice: "let one replica issue, or give each a name of its own",
  },
  shared_set: {
    severity: "warning",
    when: "several Secrets, namespaces or clusters hold a certificate of the same names; information where it is one and the same",
    leadsTo: "they share one budget of five a week, and each renews by itself",
    advice: "give each a name of its own, or let one issue and the others copy",
  },
  clock_off: {
    severity: "warning",
    when: "what is recorded bears a time more than five minutes later than now",
    leadsTo: "budgets, verdicts and ages are wrong by as much where the wrong clock is believed",
    advice:
      "set the clock of whoever audits right; what bears such a time isn't believed meanwhile",
  },
  credential_expiring: {
    severity: "warning",
    when: "a registered cluster's credential ends within 14 days (critical: within 3, or it has ended), or is a token without an end that is older than a year",
    leadsTo:
      "nothing can be read once it has ended; a token without an end stays good for whoever copied it",
    advice: "rotate it: the same command as for registering",
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

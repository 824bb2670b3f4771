/**
 * The numbers that functions publish: names and units. They are an interface, since alarms name
 * them. Pure data.
 */

/** Units by name. */
export const METRICS = {
  /** Audits whose state was saved. */
  AuditsFinished: "Count",
  /** Of those, such as left something unread. */
  AuditsIncomplete: "Count",
  /** Messages that were older than their interval when they first arrived, and dropped. */
  MessagesTooOld: "Count",
  /** Registered clusters of which no audit finished in two intervals. */
  ClustersOverdue: "Count",
  /** 1 where clusters are registered and none of them had an audit in two intervals, else 0. */
  AuditingStalled: "Count",
  CertificatesValid: "Count",
  CertificatesInvalid: "Count",
  CertificatesUnknown: "Count",
  /** Of the certificate that is the next to expire; below 0 once it has. */
  LeastDaysLeft: "None",
  /** Certificates left in the tightest budget, by what is known. */
  LeastBudgetLeft: "Count",
  /** Routes whose digest could not be delivered in a run. */
  DigestsUndelivered: "Count",
  /** 1 where a drill met copies that can't be used, or could not do its work, else 0. */
  DrillFailed: "Count",
  /** What a function could not do: messages that failed, runs that ended with an error. */
  Failures: "Count",
} as const satisfies Record<string, "Count" | "None">;

export type MetricName = keyof typeof METRICS;

/**
 * What alarms look at, out of the states: counts over all clusters, and the least of what runs out.
 * Pure; one state after the other.
 */
import { unseenPlaces } from "../finding/counts.ts";
import { parseMs } from "../certificate/time.ts";
import { certificates } from "../state/certificates.ts";
import { isOverdue, sinceAuditOrPin } from "../state/schedule.ts";
import type { StateDocument } from "../state/document.ts";
import type { BudgetLevel } from "./budgets.ts";

/**
 * The numbers that functions publish, with their units. Alarms name them: they are an interface.
 */
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

const DAY_MS = 86_400_000;

interface Counted {
  readonly valid: number;
  readonly invalid: number;
  readonly unknown: number;
  /** `null`: no certificate is known. */
  readonly leastDays: number | null;
  readonly overdue: boolean;
}

/**
 * Of one cluster; staging and what leads to no known issuer left out. @throws RangeError for a
 * state whose instants aren't any
 */
export function countState(state: StateDocument, atMs: number, intervalMs: number): Counted {
  const overdue = isOverdue(sinceAuditOrPin(state, atMs), intervalMs);
  const unseen = unseenPlaces(state);
  let [valid, invalid, unknown] = [0, 0, 0];
  let leastDays: number | null = null;
  for (const { condition, key, record, verdict } of certificates(state, atMs)) {
    if (condition !== "live" || record.staging) continue;
    // An audit that is overdue vouches for nothing; time goes on all the same.
    if (overdue || unseen === "all" || unseen.has(key)) unknown += 1;
    else if (verdict.valid) valid += 1;
    else invalid += 1;
    const days = (parseMs(record.notAfter) - atMs) / DAY_MS;
    if (leastDays === null || days < leastDays) leastDays = days;
  }
  return { valid, invalid, unknown, leastDays, overdue };
}

/** `null` for a registered cluster without a state that can be read. */
export function fleetMetrics(
  counted: readonly (Counted | null)[],
  budgets: readonly BudgetLevel[],
): readonly (readonly [MetricName, number])[] {
  const sum = (of: (one: Counted) => number): number =>
    counted.reduce((total, one) => total + (one === null ? 0 : of(one)), 0);
  const overdue = counted.filter((one) => one === null || one.overdue).length;
  const days = counted.flatMap((one) => one?.leastDays ?? []);
  return [
    ["ClustersOverdue", overdue],
    ["AuditingStalled", counted.length > 0 && overdue === counted.length ? 1 : 0],
    ["CertificatesValid", sum(({ valid }) => valid)],
    ["CertificatesInvalid", sum(({ invalid }) => invalid)],
    ["CertificatesUnknown", sum(({ unknown }) => unknown)],
    ...(days.length === 0
      ? []
      : [["LeastDaysLeft", Math.floor(Math.min(...days) * 100) / 100] as const]),
    ...(budgets.length === 0
      ? []
      : [
          [
            "LeastBudgetLeft",
            Math.max(0, Math.min(...budgets.map(({ remaining }) => remaining))),
          ] as const,
        ]),
  ];
}

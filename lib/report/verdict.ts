/**
 * The verdict on everything in one line: what needs a person, what is fine, what isn't known.
 * Numbers only, so that it can stand anywhere. Pure.
 */
import { parseMsOrNull } from "../certificate/time.ts";
import type { ClusterSummary } from "./summary.ts";
import { count } from "./text.ts";

const DAY_MS = 86_400_000;

/**
 * `2 need you today, 118 certificates fine, 1 cluster not seen since 03:10 UTC`; at most 150
 * characters, Slack's limit of a header.
 */
export function verdictText(summaries: readonly ClusterSummary[], nowMs: number): string {
  if (summaries.length === 0) return "Nothing is known: no cluster was audited yet";
  const said = (severity: "critical" | "warning"): number =>
    summaries.reduce(
      (sum, { findings }) =>
        sum + findings.filter((finding) => finding.severity === severity).length,
      0,
    );
  const sum = (pick: (one: ClusterSummary) => number): number =>
    summaries.reduce((total, one) => total + pick(one), 0);
  const critical = said("critical");
  const warning = said("warning");
  const fine = sum(({ tally }) => tally.fine);
  const unknown = sum(({ tally }) => tally.unknown);
  const part = summaries.filter(({ sight }) => sight === "part").length;
  const blind = summaries.filter(({ sight }) => sight !== "now" && sight !== "part");
  const parts = [
    critical > 0
      ? `${critical.toLocaleString("en-US")} ${critical === 1 ? "needs" : "need"} you today`
      : blind.length > 0 && blind.length === summaries.length
        ? "Nothing is known now"
        : "Nothing needs you today",
    ...(warning === 0 ? [] : [`${warning.toLocaleString("en-US")} soon`]),
    ...(fine === 0 ? [] : [`${count(fine, "certificate")} fine`]),
    ...(unknown === 0 ? [] : [`${unknown.toLocaleString("en-US")} not known`]),
    ...(blind.length === 0 ? [] : [blindText(blind, nowMs)]),
    ...(part === 0 ? [] : [`${count(part, "cluster")} partly read`]),
  ];
  return parts.join(", ");
}

function blindText(blind: readonly ClusterSummary[], nowMs: number): string {
  const seen = blind
    .map(({ seenAt }) => (seenAt === null ? null : parseMsOrNull(seenAt)))
    .filter((at) => at !== null);
  const what = `${count(blind.length, "cluster")} not seen`;
  if (seen.length < blind.length) return blind.length === 1 ? `${what} yet` : `${what}`;
  // Of several, the one that has been out of sight the longest.
  const atMs = Math.min(...seen);
  const text = new Date(atMs).toISOString();
  return (
    `${what} since ` +
    `${nowMs - atMs < DAY_MS && nowMs >= atMs ? `${text.slice(11, 16)} UTC` : text.slice(0, 10)}`
  );
}

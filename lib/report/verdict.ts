/**
 * What every report says of all clusters: the verdict in one line (numbers only, so that it can
 * stand anywhere), the counts that it is made from, and the notes about what is left out. Pure.
 */
import { parseMsOrNull } from "../certificate/time.ts";
import type { Severity } from "../finding/codes.ts";
import type { Finding } from "../finding/finding.ts";
import { sumTallies, type Tally } from "../finding/tally.ts";
import type { Item } from "./items.ts";
import { someNames, type Text } from "./part.ts";
import type { ClusterSummary } from "./summary.ts";
import { count } from "./text.ts";

const DAY_MS = 86_400_000;

/**
 * `2 critical, 1 warning, 118 certificates OK, 1 cluster not seen since 03:10 UTC`; at most 150
 * characters, Slack's limit of a header.
 */
export function verdictText(summaries: readonly ClusterSummary[], nowMs: number): string {
  if (summaries.length === 0) return "Nothing is known: no cluster was audited yet";
  const critical = findingCount(summaries, "critical");
  const warning = findingCount(summaries, "warning");
  const ok = sumOf(summaries, ({ tally }) => tally.ok);
  const unknown = sumOf(summaries, ({ tally }) => tally.unknown);
  const part = summaries.filter(({ sight }) => sight === "part").length;
  const blind = summaries.filter(({ sight }) => sight !== "now" && sight !== "part");
  const parts = [
    critical > 0
      ? `${critical.toLocaleString("en-US")} critical`
      : blind.length > 0 && blind.length === summaries.length
        ? "Nothing is known now"
        : "Nothing critical",
    ...(warning === 0 ? [] : [count(warning, "warning")]),
    ...(ok === 0 ? [] : [`${count(ok, "certificate")} OK`]),
    ...(unknown === 0 ? [] : [`${unknown.toLocaleString("en-US")} unknown`]),
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

/** `prod: 2 problems; 2 of 14 certificates OK, all 14 backed up` */
export function summaryText(summaries: readonly ClusterSummary[], items: readonly Item[]): string {
  const [only] = summaries;
  if (only === undefined) return "Nothing is known: no cluster was audited yet";
  const who = summaries.length === 1 ? only.title : count(summaries.length, "cluster");
  return `${who}: ${countsText(summaries, items)}`;
}

/** `2 problems; 2 of 14 certificates OK, all 14 backed up` */
export function countsText(
  summaries: readonly Pick<ClusterSummary, "tally">[],
  items: readonly Item[],
): string {
  const backups = backupsText(sumTallies(summaries.map(({ tally }) => tally)));
  return [problemsText(items), backups].filter((part) => part !== "").join("; ");
}

/** `2 problems`, `1 problem, 2 as last seen`; empty where there is none. */
export function problemsText(items: readonly Item[]): string {
  const problems = items.filter(({ severity }) => severity !== "info");
  const old = problems.filter(({ asLastSeen }) => asLastSeen !== null).length;
  const now = problems.length - old;
  return [
    ...(now === 0 ? [] : [count(now, "problem")]),
    ...(old === 0 ? [] : [`${old.toLocaleString("en-US")} as last seen`]),
  ].join(", ");
}

/** `2 of 14 certificates OK, all 14 backed up` */
export function backupsText({ certificates, lost, ok, staging, unknown, backedUp }: Tally): string {
  const total = certificates + lost - staging;
  if (staging > 0 && total <= 0) return count(staging, "staging certificate");
  if (total === 0) return "no certificates seen";
  const number = (n: number): string => n.toLocaleString("en-US");
  const all = count(total, "certificate");
  const okText =
    unknown === total
      ? `${all} unknown`
      : ok === total
        ? `${all} OK`
        : `${number(ok)} of ${all} OK`;
  const backed =
    backedUp <= 0
      ? "none backed up"
      : backedUp < total
        ? `${number(backedUp)} backed up`
        : total === 1
          ? "backed up"
          : `all ${number(total)} backed up`;
  return [
    okText,
    ...(unknown === 0 || unknown === total ? [] : [`${number(unknown)} unknown`]),
    ...(staging === 0 ? [] : [`${number(staging)} staging`]),
    backed,
  ].join(", ");
}

export function totalOf({ certificates, lost }: Tally): number {
  return certificates + lost;
}

export function sumOf<Of>(all: readonly Of[], pick: (one: Of) => number): number {
  return all.reduce((total, one) => total + pick(one), 0);
}

export function findingCount(
  summaries: readonly { readonly findings: readonly Finding[] }[],
  severity: Severity,
): number {
  return sumOf(
    summaries,
    ({ findings }) => findings.filter((finding) => finding.severity === severity).length,
  );
}

export const SIGHTS: Readonly<Record<Exclude<ClusterSummary["sight"], "now">, string>> = {
  part: "partly read",
  stale: "no recent audit",
  unseen: "can't be seen",
  never: "never audited",
  unreadable: "state unreadable",
};

export function ignoredNotes(ignored: number): string[] {
  return ignored === 0 ? [] : [`${count(ignored, "finding")} muted by ignore: in certkeep.yaml.`];
}

/** Clusters that have a state and aren't registered any more; `shown` of them by name. */
export function unregisteredNotes(clusters: readonly string[], shown: number): Text[] {
  if (clusters.length === 0) return [];
  return [["Left out, since no longer registered: ", ...someNames(clusters, shown), "."]];
}

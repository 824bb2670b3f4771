/**
 * The state of everything for a terminal: the verdict, what needs people worst first, the clusters,
 * what comes next. Pure.
 */
import { type BudgetLevel, budgetLines } from "./budgets.ts";
import { findingLines } from "./findings.ts";

import { instantParts, partsText, plainText, utcText } from "./part.ts";
import { type Style, tableLines, wrap } from "./text.ts";
import { allUpcoming, type ClusterSummary } from "./summary.ts";
import { plain } from "../plain.ts";
import { ignoredNotes, SIGHTS, sumOf, unregisteredNotes, verdictText } from "./verdict.ts";

export interface OverviewView {
  readonly summaries: readonly ClusterSummary[];
  readonly unregistered: readonly string[];
  readonly budgets: readonly BudgetLevel[];
  readonly nowMs: number;
  readonly width: number;
  readonly style: Style;
}

const CLUSTERS_SHOWN = 40;
const UPCOMING_SHOWN = 10;

export function overviewText({
  summaries,
  unregistered,
  budgets,
  nowMs,
  width,
  style,
}: OverviewView): string {
  const lines = wrap(verdictText(summaries, nowMs), width).map((line) => style.bold(line));
  const findings = summaries.flatMap((one) => one.findings);
  lines.push(...findingLines({ findings, nowMs, width, style, several: summaries.length > 1 }));
  lines.push(
    ...clusterLines(summaries, width, style),
    ...budgetLines(budgets, { atMs: nowMs, width, style, unreadStates: 0 }),
    ...upcomingLines(summaries, width, style),
  );
  const notes = [
    ...ignoredNotes(sumOf(summaries, ({ ignored }) => ignored)),
    ...unregisteredNotes(unregistered, 5).map(plainText),
    `From what audits recorded, as of ${utcText(nowMs)}; no cluster was asked.`,
  ];
  lines.push(
    "",
    ...notes.flatMap((note) => wrap(plain(note), width).map((line) => style.dim(line))),
  );
  return lines.join("\n");
}

function clusterLines(summaries: readonly ClusterSummary[], width: number, style: Style): string[] {
  if (summaries.length === 0) return [];
  const rank = (one: ClusterSummary): number =>
    (one.sight === "now" ? 0 : 1e9) +
    one.findings.filter(({ severity }) => severity === "critical").length * 1e4 +
    one.findings.length;
  const sorted = summaries.toSorted(
    (a, b) => rank(b) - rank(a) || (a.cluster < b.cluster ? -1 : 1),
  );
  const rows = sorted
    .slice(0, CLUSTERS_SHOWN)
    .map((one) => [
      one.title,
      String(one.tally.certificates),
      String(one.tally.ok),
      one.tally.unknown === 0 ? "" : String(one.tally.unknown),
      String(one.tally.copies),
      one.seenAt === null ? "" : partsText(instantParts(one.seenAt)),
      one.sight === "now" ? "" : SIGHTS[one.sight],
    ]);
  const [head = "", ...body] = tableLines(
    ["CLUSTER", "CERTS", "FINE", "UNKNOWN", "COPIED", "LAST SEEN", ""],
    rows,
    width,
    "  ",
  );
  return [
    "",
    style.bold(`Clusters (${summaries.length.toLocaleString("en-US")})`),
    "",
    style.dim(head),
    ...body,
    ...(sorted.length > CLUSTERS_SHOWN ? [`  and ${sorted.length - CLUSTERS_SHOWN} more`] : []),
  ];
}

function upcomingLines(
  summaries: readonly ClusterSummary[],
  width: number,
  style: Style,
): string[] {
  const all = allUpcoming(summaries);
  if (all.length === 0) return [];
  const rows = all
    .slice(0, UPCOMING_SHOWN)
    .map((one) => [one.name, partsText(instantParts(one.notAfter)), one.cluster]);
  const [head = "", ...body] = tableLines(["CERTIFICATE", "EXPIRES", "CLUSTER"], rows, width, "  ");
  return [
    "",
    style.bold("Next to expire, still to be renewed by their owners"),
    "",
    style.dim(head),
    ...body,
  ];
}

/**
 * The state of everything for a terminal: the verdict, every problem worst first, then tables of
 * what else is worth knowing. Pure.
 */
import { instantOf, parseMsOrNull } from "../certificate/time.ts";
import { type BudgetLevel, limitTable } from "./budgets.ts";
import { itemsOf } from "./items.ts";
import { itemLines } from "./items/lines.ts";
import { plainText, utcText } from "./part.ts";
import { type CertificateRow, certificateTable } from "./rows.ts";
import {
  allUpcoming,
  type ClusterSummary,
  titleIn,
  ignoredNotes,
  SIGHTS,
  summaryText,
  sumOf,
  totalOf,
  unregisteredNotes,
} from "./summary.ts";
import { count, headedTable, type Page, section, wrap } from "./text.ts";
import { plain } from "../plain.ts";

interface OverviewView extends Page {
  readonly summaries: readonly ClusterSummary[];
  readonly unregistered: readonly string[];
  readonly budgets: readonly BudgetLevel[];
  readonly rows: readonly CertificateRow[];
  readonly nowMs: number;
  readonly room: number;
  /** Every cluster, every certificate, and all that findings say. */
  readonly verbose: boolean;
}

const UPCOMING_SHOWN = 10;

export function overviewText(view: OverviewView): string {
  const { summaries, unregistered, budgets, rows, nowMs, width, room, style, verbose } = view;
  const nameOf = titleIn(summaries);
  const findings = summaries.flatMap((one) => one.findings);
  const items = itemsOf({ findings, nameOf, nowMs });
  const { lines } = itemLines(items, {
    width,
    style,
    nowMs,
    several: summaries.length > 1,
    names: Number.POSITIVE_INFINITY,
    verbose,
  });
  const page = { width: room, style };
  const notes = [
    ...ignoredNotes(sumOf(summaries, ({ ignored }) => ignored)),
    ...unregisteredNotes(unregistered, 5).map(plainText),
    `From what audits recorded, as of ${utcText(nowMs)}; no cluster was asked.`,
  ];
  return [
    ...wrap(style.bold(plain(summaryText(summaries, items))), width),
    ...lines,
    ...clusterLines(view),
    ...limitTable(budgets, { ...page, textWidth: width }),
    ...upcomingLines(summaries, nameOf, page),
    ...(verbose ? section("CERTIFICATES", certificateTable(rows, { ...page, nameOf }), page) : []),
    "",
    ...notes.flatMap((note) => wrap(plain(note), width).map((line) => style.dim(line))),
  ].join("\n");
}

/** Clusters that aren't all OK; the others are counted. */
function clusterLines({ summaries, room, width, style, verbose }: OverviewView): string[] {
  if (summaries.length < 2 && !verbose) return [];
  const isOk = ({ sight, tally }: ClusterSummary): boolean =>
    sight === "now" && tally.critical === 0 && tally.warning === 0;
  const shown = summaries
    .filter((one) => verbose || !isOk(one))
    .toSorted(
      (a, b) =>
        Number(a.sight === "now") - Number(b.sight === "now") ||
        b.tally.critical - a.tally.critical ||
        b.tally.warning - a.tally.warning ||
        (a.title < b.title ? -1 : 1),
    );
  const rest = summaries.length - shown.length;
  const number = (n: number): string => n.toLocaleString("en-US");
  const table = headedTable(
    ["CLUSTER", "CERTS", "OK", "UNKNOWN", "BACKED UP", "LAST SEEN", ""],
    shown.map(({ title, tally, seenAt, sight }) => [
      title,
      number(totalOf(tally)),
      number(tally.ok),
      number(tally.unknown),
      number(tally.backedUp),
      seenText(seenAt),
      sight === "now" ? "" : SIGHTS[sight],
    ]),
    { width: room, style },
  );
  const noun = shown.length === 0 ? "cluster" : "other cluster";
  const others = `${count(rest, noun)} OK (-v lists them).`;
  return ["", style.bold("CLUSTERS"), ...table, ...(rest === 0 ? [] : wrap(others, width, "  "))];
}

function seenText(instant: string | null): string {
  const ms = instant === null ? null : parseMsOrNull(instant);
  return ms === null ? "never" : instantOf(ms);
}

function upcomingLines(
  summaries: readonly ClusterSummary[],
  nameOf: (cluster: string) => string,
  page: Page,
): string[] {
  const several = summaries.length > 1;
  const rows = allUpcoming(summaries)
    .slice(0, UPCOMING_SHOWN)
    .map(({ name, notAfter, cluster }) => [name, notAfter, ...(several ? [nameOf(cluster)] : [])]);
  const head = ["CERTIFICATE", "EXPIRES", ...(several ? ["CLUSTER"] : [])];
  return section("DUE FOR RENEWAL", headedTable(head, rows, page), page);
}

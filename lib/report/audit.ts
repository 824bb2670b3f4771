/**
 * The report of an audit for a terminal: the verdict in one line, then what needs a person. Pure.
 */
import type { Finding } from "../finding/finding.ts";
import { sumCounts, type Counts } from "../finding/counts.ts";
import type { SourceStatus } from "../state/signals.ts";
import { type BudgetLevel, rateLimitLines } from "./budgets.ts";
import { type Item, itemsOf } from "./items.ts";
import { itemLines } from "./items/lines.ts";
import { plain } from "../plain.ts";
import { sourceText } from "./phrases/missing.ts";
import { type CertificateRow, certificateTable } from "./rows.ts";
import { count, type Page, wrap } from "./text.ts";
import { backupsText, ignoredNotes, problemsText, sumOf } from "./summary.ts";

export interface AuditedCluster {
  readonly cluster: string;
  readonly title: string;
  readonly server: string;
  readonly complete: boolean;
  readonly scopes: readonly string[];
  readonly copies: { readonly made: number; readonly present: number };
  readonly tally: Counts;
  readonly findings: readonly Finding[];
  readonly ignored: number;
  readonly valuesRead: number;
  readonly unfilteredFullListings: number;
  /** Secrets that hold certificates, or seem to, and aren't judged. */
  readonly skipped: readonly { readonly reason: "private_ca" | "selector" | "layout" }[];
  /** How far logs, Events and others were read; shown with `-v`, as are all rows. */
  readonly sources?: readonly SourceStatus[];
  readonly rows?: readonly CertificateRow[];
}

interface AuditView extends Page {
  readonly nowMs: number;
  /** Where backups and states are, in one line; `null`: nowhere. */
  readonly stores: string | null;
  /** Width of tables; absent: that of the text. */
  readonly room?: number;
  readonly verbose?: boolean;
  readonly budgets?: readonly BudgetLevel[];
  readonly unreadStates?: number;
  readonly failed?: readonly { readonly title: string; readonly found: string }[];
}

/** Lines of items without `-v`, and names under each. */
const MAX_LINES = 32;
const MAX_NAMES = 12;

export function auditText(clusters: readonly AuditedCluster[], view: AuditView): string {
  const { style, width, nowMs, budgets = [], unreadStates = 0, failed = [] } = view;
  const { stores, verbose = false } = view;
  const titles = new Map(clusters.map(({ cluster, title }) => [cluster, title]));
  const items = itemsOf({
    findings: clusters.flatMap(({ findings }) => findings),
    nameOf: (cluster) => titles.get(cluster) ?? cluster,
    nowMs,
  });
  const several = clusters.length + failed.length > 1;
  const names = verbose ? Number.POSITIVE_INFINITY : MAX_NAMES;
  const shown = itemLines(
    items,
    { width, style, nowMs, several, names, verbose },
    verbose ? Number.POSITIVE_INFINITY : MAX_LINES,
  );
  const ignored = sumOf(clusters, (one) => one.ignored);
  const lines = [
    ...headLines(clusters, items, view),
    ...failed.flatMap(({ title, found }) => [
      "",
      ...wrap(`${style.bold(plain(title))}  ${style.red(`not audited: ${plain(found)}`)}`, width),
    ]),
    ...shown.lines,
    ...rateLimitLines(budgets, items, { width, style, nowMs, unreadStates }),
  ];
  const notes = [...ignoredNotes(ignored), ...skippedNotes(clusters)];
  if (notes.length > 0) lines.push("", ...notes.flatMap((note) => wrap(style.dim(note), width)));
  if (shown.hidden) lines.push("", `All of them: ${style.green("certkeep report")}`);
  if (verbose) {
    lines.push(...clusters.flatMap((cluster) => detailLines(cluster, view)));
    if (stores !== null) lines.push("", ...wrap(style.dim(plain(stores)), width));
  }
  return lines.join("\n");
}

/** `prod: 2 problems; 2 of 14 certificates OK, all 14 backed up` */
function headLines(
  clusters: readonly AuditedCluster[],
  items: readonly Item[],
  { style, width, failed = [] }: AuditView,
): string[] {
  const total = clusters.length + failed.length;
  const [only] = clusters;
  const who = total === 1 && only !== undefined ? only.title : count(total, "cluster");
  const made = sumOf(clusters, ({ copies }) => copies.made);
  const tally = sumCounts(clusters.map((one) => one.tally));
  const incomplete = clusters.filter(({ complete }) => !complete).length;
  const parts = [
    [
      problemsText(items),
      failed.length === 0 ? "" : `${count(failed.length, "cluster")} not audited`,
    ]
      .filter((part) => part !== "")
      .join(", "),
    [backupsText(tally), newText(made, tally)].filter((part) => part !== "").join(" "),
    incomplete === 0 || items.some(({ unseen }) => unseen)
      ? ""
      : total === 1
        ? "not fully read"
        : `${count(incomplete, "cluster")} not fully read`,
  ].filter((part) => part !== "");
  const paint = items.some(({ severity }) => severity === "critical") ? style.red : style.bold;
  return wrap(`${paint(`${plain(who)}:`)} ${parts.join("; ")}`, width).map((line) =>
    style.bold(line),
  );
}

function newText(made: number, { backedUp }: Counts): string {
  if (made === 0) return "";
  const keys =
    backedUp === 0
      ? " of ACME account keys"
      : made > backedUp
        ? ", including ACME account keys"
        : "";
  return `(${count(made, "new backup")}${keys})`;
}

/** A certificate that isn't audited must not seem OK. */
function skippedNotes(clusters: readonly AuditedCluster[]): string[] {
  const skipped = clusters.flatMap((cluster) => cluster.skipped);
  const n = skipped.filter(({ reason }) => reason === "private_ca").length;
  if (n === 0) return [];
  return [
    `Skipped ${count(n, "TLS Secret")} from ${n === 1 ? "a private CA" : "private CAs"}; to ` +
      `include ${n === 1 ? "it" : "them"}, list the CA under issuers: in certkeep.yaml.`,
  ];
}

const SKIPPED = {
  private_ca: "from private CAs",
  selector: "left out by the selector",
  layout: "in fields that certkeep doesn't know",
};

/** What `-v` shows of a cluster: what was read, what was skipped, and every certificate. */
function detailLines(cluster: AuditedCluster, { style, width, room = width }: AuditView): string[] {
  const { title, server, skipped, sources = [], rows = [], tally } = cluster;
  const parts = [...Map.groupBy(skipped, ({ reason }) => reason)].map(
    ([reason, of]) => `${of.length} ${SKIPPED[reason]}`,
  );
  const notes = [
    readText(cluster),
    ...(tally.staging === 0 ? [] : [`${count(tally.staging, "staging certificate")}, not judged.`]),
    ...(parts.length === 0
      ? []
      : [`Skipped ${count(skipped.length, "Secret")}: ${parts.join(", ")}. --json lists them.`]),
    ...sources.map((one) => `${sourceText(one)}: ${one.scope}`),
  ];
  const table = certificateTable(rows, { width: room, style, nameOf: (name) => name });
  return [
    "",
    `${style.bold(plain(title))}  ${style.dim(plain(server))}`,
    ...notes.flatMap((note) => wrap(style.dim(plain(note)), width, "  ")),
    ...(table.length === 0 ? [] : ["", ...table]),
  ];
}

function readText({ scopes, valuesRead, unfilteredFullListings }: AuditedCluster): string {
  const where = scopes.length === 0 ? "nothing" : scopes.join(", ");
  const listings =
    unfilteredFullListings === 0 ? "" : `, ${count(unfilteredFullListings, "unfiltered listing")}`;
  return `Looked through ${where}; read the values of ${count(valuesRead, "Secret")}${listings}.`;
}

/** The report of an audit for a terminal. Pure. */
import type { Finding } from "../finding/finding.ts";
import type { Tally } from "../finding/tally.ts";
import { type BudgetLevel, budgetLines } from "./budgets.ts";
import { findingLines } from "./findings.ts";
import { plain } from "../plain.ts";
import { count, type Page, wrap } from "./text.ts";
import { findingCount, ignoredNotes, sumOf } from "./verdict.ts";

export interface AuditedCluster {
  readonly cluster: string;
  readonly title: string;
  readonly server: string;
  readonly complete: boolean;
  readonly scopes: readonly string[];
  readonly copies: { readonly made: number; readonly present: number };
  readonly tally: Tally;
  readonly findings: readonly Finding[];
  readonly ignored: number;
  /** Secrets read with their values in this run. */
  readonly valuesRead: number;
  readonly unfilteredFullListings: number;
  /** Secrets that hold certificates, or seem to, and aren't judged. */
  readonly skipped: readonly { readonly reason: "private_ca" | "selector" | "layout" }[];
}

const SKIPPED = {
  private_ca: "of a private CA",
  selector: "left out by the selector",
  layout: "in fields that certkeep doesn't know",
};

function skippedText(skipped: AuditedCluster["skipped"]): string {
  const parts = [...Map.groupBy(skipped, ({ reason }) => reason)].map(
    ([reason, of]) => `${of.length} ${SKIPPED[reason]}`,
  );
  return (
    `Skipped ${count(skipped.length, "Secret")} with certificates: ${parts.join(", ")}. ` +
    "--json lists them."
  );
}

interface AuditView extends Page {
  readonly nowMs: number;
  /** Where backups and states are, in one line; `null`: nowhere. */
  readonly stores: string | null;
  readonly budgets?: readonly BudgetLevel[];
  readonly unreadStates?: number;
  readonly failed?: readonly { readonly title: string; readonly found: string }[];
}

export function auditText(clusters: readonly AuditedCluster[], view: AuditView): string {
  const { style, width, nowMs, stores, budgets = [], unreadStates = 0, failed = [] } = view;
  const findings = clusters.flatMap((cluster) => cluster.findings);
  const [need = "", ...rest] = headline(clusters, failed.length);
  const isCritical = findings.some(({ severity }) => severity === "critical");
  const lines = [
    ...wrap([isCritical ? style.red(need) : need, ...rest].join(", "), width).map((line) =>
      style.bold(line),
    ),
    ...clusters.flatMap((cluster) => clusterLines(cluster, view)),
  ];
  for (const { title, found } of failed)
    lines.push("", `${style.bold(plain(title))}  ${style.red(`not audited: ${plain(found)}`)}`);
  lines.push(
    ...findingLines({ findings, nowMs, width, style, several: clusters.length > 1 }),
    ...budgetLines(budgets, { atMs: nowMs, width, style, unreadStates }),
  );
  if (stores !== null) lines.push("", ...wrap(style.dim(plain(stores)), width));
  return lines.join("\n");
}

function clusterLines(cluster: AuditedCluster, { style, width }: Page): string[] {
  const { title, server, tally, copies, ignored } = cluster;
  const made =
    copies.made === 0
      ? ""
      : ` (${count(copies.made, "copy", "copies")} made now, account keys included)`;
  const counts = [
    `${count(tally.certificates, "certificate")}, ${tally.ok} OK`,
    ...(tally.unknown === 0 ? [] : [`${tally.unknown} not known now`]),
    ...(tally.staging === 0 ? [] : [`${tally.staging} of staging`]),
    `${tally.copies} with an encrypted backup${made}`,
  ];
  const notes = [
    plain(readText(cluster)),
    ...(cluster.skipped.length > 0 ? [skippedText(cluster.skipped)] : []),
    ...ignoredNotes(ignored),
  ];
  return [
    "",
    `${style.bold(plain(title))}  ${style.dim(plain(server))}`,
    ...wrap(counts.join(" · "), width, "  "),
    ...notes.flatMap((note) => wrap(style.dim(note), width, "  ")),
  ];
}

function readText({ scopes, valuesRead, unfilteredFullListings }: AuditedCluster): string {
  const more = scopes.length > 5 ? ` and ${scopes.length - 5} more` : "";
  const where = scopes.length === 0 ? "nothing" : scopes.slice(0, 5).join(", ") + more;
  const listings =
    unfilteredFullListings === 0 ? "" : `, ${count(unfilteredFullListings, "unfiltered listing")}`;
  return `Looked through ${where}; read the values of ${count(valuesRead, "Secret")}${listings}.`;
}

/** The verdict in one line: what needs a person, what is fine, what isn't known. */
function headline(clusters: readonly AuditedCluster[], failed: number): string[] {
  const critical = findingCount(clusters, "critical");
  const warning = findingCount(clusters, "warning");
  const fine = sumOf(clusters, ({ tally }) => tally.ok);
  const unknown = sumOf(clusters, ({ tally }) => tally.unknown);
  const incomplete = clusters.filter(({ complete }) => !complete).length;
  return [
    critical === 0
      ? clusters.length === 0
        ? "Nothing is known now"
        : "Nothing critical now"
      : `${critical} critical now`,
    ...(warning === 0 ? [] : [count(warning, "warning")]),
    `${count(fine, "certificate")} OK`,
    ...(unknown === 0 ? [] : [`${unknown} not known now`]),
    ...(failed === 0 ? [] : [`${count(failed, "cluster")} not audited`]),
    ...(incomplete === 0 ? [] : [`${count(incomplete, "cluster")} not fully read`]),
  ];
}

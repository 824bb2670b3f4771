/** The report of an audit for a terminal. Pure. */
import type { Finding } from "../finding/finding.ts";
import type { Tally } from "../finding/tally.ts";
import type { BudgetLevel } from "./budget.ts";
import { budgetLines } from "./budgets.ts";
import { findingLines } from "./findings.ts";
import type { Style } from "./style.ts";
import { plain } from "../plain.ts";
import { count, wrap } from "./text.ts";

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
}

export function auditText(
  clusters: readonly AuditedCluster[],
  view: {
    readonly nowMs: number;
    readonly width: number;
    readonly style: Style;
    readonly stores: string | null;
    readonly budgets?: readonly BudgetLevel[];
    readonly unreadStates?: number;
    readonly failed?: readonly { readonly title: string; readonly found: string }[];
  },
): string {
  const { style, width } = view;
  const lines: string[] = [];
  const findings = clusters.flatMap((cluster) => cluster.findings);
  const failed = view.failed ?? [];
  const [need, ...rest] = headline(clusters, failed.length);
  lines.push(
    ...wrap(
      [
        findings.some(({ severity }) => severity === "critical") ? style.red(need ?? "") : need,
        ...rest,
      ].join(", "),
      width,
    ).map((line) => style.bold(line)),
  );
  for (const cluster of clusters) {
    const { tally } = cluster;
    lines.push("", `${style.bold(plain(cluster.title))}  ${style.dim(plain(cluster.server))}`);
    const parts = [
      `${count(tally.certificates, "certificate")}, ${tally.fine} fine`,
      ...(tally.unknown === 0 ? [] : [`${tally.unknown} not known now`]),
      ...(tally.staging === 0 ? [] : [`${tally.staging} of staging`]),
      `${tally.copies} with a sealed ` +
        `copy${cluster.copies.made === 0 ? "" : ` (${count(cluster.copies.made, "copy", "copies")} made now, account keys included)`}`,
    ];
    lines.push(...wrap(parts.join(" · "), width, "  "));
    const looked =
      cluster.scopes.length === 0
        ? "nothing"
        : cluster.scopes.slice(0, 5).join(", ") +
          (cluster.scopes.length > 5 ? ` and ${cluster.scopes.length - 5} more` : "");
    lines.push(
      ...wrap(
        style.dim(
          plain(
            `Looked through ${looked}; read the values of ` +
              `${count(cluster.valuesRead, "Secret")}${cluster.unfilteredFullListings === 0 ? "" : `, ${count(cluster.unfilteredFullListings, "unfiltered listing")}`}.`,
          ),
        ),
        width,
        "  ",
      ),
    );
    if (tally.foreign > 0)
      lines.push(
        ...wrap(
          style.dim(
            `${count(tally.foreign, "TLS Secret")} of no known issuer (webhooks, meshes): ` +
              "neither judged nor kept.",
          ),
          width,
          "  ",
        ),
      );
    if (cluster.ignored > 0)
      lines.push(
        ...wrap(
          style.dim(`${count(cluster.ignored, "finding")} muted by ignore: in certkeep.yaml.`),
          width,
          "  ",
        ),
      );
  }
  for (const { title, found } of failed)
    lines.push("", `${style.bold(plain(title))}  ${style.red(`not audited: ${plain(found)}`)}`);
  lines.push(
    ...findingLines({ findings, nowMs: view.nowMs, width, style, several: clusters.length > 1 }),
  );
  lines.push(
    ...budgetLines(view.budgets ?? [], {
      atMs: view.nowMs,
      width,
      style,
      unreadStates: view.unreadStates ?? 0,
    }),
  );
  if (view.stores !== null) lines.push("", ...wrap(style.dim(plain(view.stores)), width));
  return lines.join("\n");
}

/** The verdict in one line: what needs a person, what is fine, what isn't known. */
function headline(clusters: readonly AuditedCluster[], failed: number): string[] {
  const sum = (pick: (tally: Tally) => number): number =>
    clusters.reduce((total, { tally }) => total + pick(tally), 0);
  const said = (severity: Finding["severity"]): number =>
    clusters.reduce(
      (total, { findings }) =>
        total + findings.filter((finding) => finding.severity === severity).length,
      0,
    );
  const critical = said("critical");
  const warning = said("warning");
  const incomplete = clusters.filter(({ complete }) => !complete).length;
  return [
    critical === 0
      ? clusters.length === 0
        ? "Nothing is known now"
        : "Nothing needs you now"
      : `${critical} ${critical === 1 ? "needs" : "need"} you now`,
    ...(warning === 0 ? [] : [`${warning} soon`]),
    `${count(
      sum((tally) => tally.fine),
      "certificate",
    )} fine`,
    ...(sum((tally) => tally.unknown) === 0
      ? []
      : [`${sum((tally) => tally.unknown)} not known now`]),
    ...(failed === 0 ? [] : [`${count(failed, "cluster")} not audited`]),
    ...(incomplete === 0 ? [] : [`${count(incomplete, "cluster")} not fully read`]),
  ];
}

/** `certkeep audit [CLUSTER…]` */
import { namespaceOf, refusedNamespaces } from "../finding/refused.ts";
import { Command } from "commander";
import { composeAudit } from "../wiring/audit.ts";
import { fullStop, ERROR_CODES, type ErrorCode } from "../error.ts";
import type { Finding } from "../finding/finding.ts";
import { reachedVia, restoreFunctionOf, type Via } from "../finding/action.ts";
import { auditText } from "../report/audit.ts";
import { certificateRows } from "../report/rows.ts";
import { observationsOf } from "../state/observations.ts";
import { budgetLevels } from "../report/budgets.ts";
import { plain } from "../plain.ts";
import { auditAll, isIncomplete, type AuditedTarget, type AuditReport } from "../usecases/audit.ts";
import { AUDIT_SCHEMA, auditDocument } from "../usecases/audit/document.ts";
import { viaOfWorld } from "../wiring/world.ts";
import { log, tell, writeLine, type Io } from "./io.ts";
import {
  failsOn,
  pageOf,
  present,
  refuseContextAnd,
  TABLE,
  withAt,
  withCommon,
  withContext,
  withFailOn,
  withNamespace,
  worldOf,
  type CommonOptions,
} from "./options.ts";

export function auditCommand(io: Io): Command {
  const command = new Command("audit")
    .description("Audit clusters and back up their certificates")
    .argument(
      "[cluster...]",
      "Registered clusters, or contexts of your kubeconfig (default: all that are registered, " +
        "or the current context)",
    );
  const reach = withNamespace(
    withContext(withFailOn(withAt(command))),
    "Audit only this namespace",
  );
  return withCommon(reach, TABLE)
    .addHelpText(
      "after",
      `
Examples:
  certkeep audit prod
  certkeep audit --context prod-admin --at 2026-12-24T00:00:00Z`,
    )
    .action(async (clusters: string[], options: CommonOptions) => {
      refuseContextAnd(clusters, options);
      const world = worldOf(io, options);
      const run = await composeAudit(world, { clusters, namespace: options.namespace ?? null });
      const audited = await auditAll(
        run.targets,
        run.ports,
        run.config.ignore,
        restoreFunctionOf(run.config.aws),
      );
      const report = offeredVia(audited, viaOfWorld(world));
      world.progress.done();
      // Where nothing was audited, standard error says why, once.
      if (report.clusters.length > 0 || report.failed.length === 0 || options.json === true)
        present(io, options, {
          schema: AUDIT_SCHEMA,
          document: () => auditDocument(report, run.ports.clock.nowMs()),
          text: (page) =>
            reportText(report, {
              ...page,
              stores: `Backups are in ${run.ports.backups.url}, states in ${run.ports.states.url}.`,
            }),
        });
      endAudit(io, report, options);
    });
}

/** The same report, with commands that lead to the context and configuration that were named. */
function offeredVia(report: AuditReport, via: Via | null): AuditReport {
  if (via === null) return report;
  const clusters = report.clusters.map((cluster) => ({
    ...cluster,
    findings: cluster.findings.map((finding) => reachedVia(finding, via)),
  }));
  return { ...report, clusters };
}

function reportText(
  report: AuditReport,
  view: ReturnType<typeof pageOf> & { readonly stores: string },
): string {
  return auditText(
    report.clusters.map((cluster) => ({
      ...cluster,
      ignored: cluster.ignored.length,
      valuesRead: cluster.stats.valuesRead,
      skipped: cluster.skipped,
      unfilteredFullListings: cluster.stats.unfilteredFullListings,
      ...(view.verbose ? detailsOf(cluster, view.nowMs) : {}),
    })),
    {
      ...view,
      budgets: budgetLevels(report.across),
      unreadStates: report.unreadStates.length,
      failed: report.failed.map(({ title, error }) => ({ title, found: error.parts.found })),
    },
  );
}

function detailsOf({ state, findings }: AuditedTarget, atMs: number) {
  return {
    sources: observationsOf(state).looks,
    rows: [...certificateRows(state, findings, atMs, true)],
  };
}

function instantText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}

/** The messages of unread parts, and the namespaces, that the item of a finding names. */
function unreadOf({ code, params }: Finding): readonly string[] {
  // Of a rejected credential the item says no more than that.
  if (code === "cluster_unreachable")
    return params.code === "cluster_unauthorized" ? [] : [params.message];
  if (code !== "audit_incomplete") return [];
  if (params.of === "part") return [params.message];
  return params.of === "namespaces" ? params.namespaces : [];
}

/** Says what could not be done and sets the exit code. */
function endAudit(io: Io, report: AuditReport, options: CommonOptions): void {
  for (const { error } of report.failed) tell(io, error);
  for (const error of report.unreadStates) tell(io, error);
  for (const { unsaved } of report.clusters) if (unsaved !== null) tell(io, unsaved);
  for (const { domain, source, code, sinceMs, wholeMs } of report.transparency) {
    if (code === null || sinceMs === null) continue;
    const whole =
      wholeMs === null
        ? "it never answered whole"
        : `what it shows is as of ${instantText(wholeMs)}`;
    writeLine(
      io.stderr,
      plain(
        `certkeep: certificate logs, ${source} about ${domain}: ${code.replaceAll("_", " ")} ` +
          `since ${instantText(sinceMs)}; ${whole}`,
      ),
    );
  }
  if (isIncomplete(report)) io.exit(3);
  for (const { title, state, stats, findings } of report.clusters) {
    const refused = refusedNamespaces(state);
    const inItems = options.json === true ? new Set() : new Set(findings.flatMap(unreadOf));
    for (const part of state.audit?.unread ?? []) {
      const namespace = namespaceOf(part) ?? "";
      // Of a namespace that can't be read, one line says it for its Secrets.
      const isSaid =
        inItems.has(part.message) ||
        (refused.has(namespace) && (part.scope.startsWith("Secret ") || inItems.has(namespace)));
      if (!isSaid) writeLine(io.stderr, `certkeep: ${fullStop(plain(part.message))}`);
      if (Object.hasOwn(ERROR_CODES, part.code)) io.exit(ERROR_CODES[part.code as ErrorCode]);
    }
    log(io, `cluster ${title}: ${stats.valuesRead} Secrets read, state ${state.cluster}`);
  }
  const findings = report.clusters.flatMap((cluster) => cluster.findings);
  if (failsOn(findings, options)) io.exit(1);
}

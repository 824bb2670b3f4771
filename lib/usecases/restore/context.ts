/**
 * What a restore is given, and what it gives back.
 *
 * A restore as one JSON document, `certkeep.restore/v1`. Names of fields and facts, no value. Pure.
 */
import type { ClusterWriter } from "../../ports/cluster.ts";
import type { RevocationSource } from "../../ports/outside.ts";
import type { ProcessTable, Timer } from "../../ports/runtime.ts";
import type { Opener } from "../../ports/stores.ts";
import { warningText } from "../../report/phrases/plannotes.ts";
import { itemDocument } from "../../report/plan.ts";
import { type PlanItem, savedIssuances } from "../../restoreplan/item.ts";
import type { PlanCode, PlanWarning } from "../../restoreplan/objection.ts";
import type { AuditPorts, AuditTarget } from "../audit/context.ts";
import type { RestoreAccess } from "./permissions.ts";

export interface RestoreTarget extends AuditTarget {
  readonly writer: ClusterWriter;
  /** Absent: permissions aren't asked for beforehand. */
  readonly access?: RestoreAccess;
}

export interface RestorePorts extends Omit<AuditPorts, "dryRun"> {
  readonly opener: Opener;
  readonly timer: Timer;
  /** `null`: revocation isn't asked for. */
  readonly revocation: RevocationSource | null;
  /** A name for this run among those that may hold the lease: random, told to nobody else. */
  readonly holder: string;
  /** Absent: no lease is taken over before its time. */
  readonly processes?: ProcessTable;
}

export interface RestoreRequest {
  /** Domains, Secrets, `namespace/secret`, patterns. */
  readonly names: readonly string[];
  readonly namespace: string | null;
  readonly all: boolean;
  readonly asOfMs: number | null;
  readonly version: string | null;
  readonly as: { readonly namespace: string; readonly name: string } | null;
  readonly rebuilt: boolean;
  readonly fromCluster: string | null;
  readonly unrecorded: boolean;
  readonly standby: boolean;
  readonly force: ReadonlySet<PlanCode>;
  readonly replace: boolean;
  readonly createNamespace: boolean;
  /** `plan` shows; `apply` writes; `rehearse` asks the server whether it would (its dry run). */
  readonly mode: "plan" | "apply" | "rehearse";
  /** How long to wait for what its controller still makes; `null`: not at all. */
  readonly followMs: number | null;
}

export type Outcome = "planned" | "done" | "kept" | "refused" | "later" | "failed" | "not_tried";

export interface RestoredItem {
  readonly item: PlanItem;
  readonly outcome: Outcome;
  /** What went wrong, or what is worth knowing of how it went; `null` for nothing. */
  readonly message: string | null;
  readonly code: string | null;
}

export interface RestoreReport {
  readonly cluster: string;
  readonly title: string;
  readonly server: string;
  readonly mode: RestoreRequest["mode"];
  readonly warnings: readonly PlanWarning[];
  /** Facts alone: the plan's writes, which hold key bytes, end with the run. */
  readonly items: readonly RestoredItem[];
  /** What happened beside the items, in the order in which it did. */
  readonly events: readonly string[];
  /** Ended before everything was tried. */
  readonly interrupted: boolean;
  /** Neither an audit nor a backup says anything of what was asked for. */
  readonly nothingKnown: boolean;
  /** Another cluster than the recorded one was taken for its successor in this run. */
  readonly pinned: boolean;
}

/**
 * The exit code of a restore: 0 where all that was asked for is there, 3 where something is
 * missing. Pure.
 */
export function restoreExit(report: RestoreReport, allowLater: boolean): 0 | 3 {
  const missing = report.items.some(
    ({ outcome }) =>
      outcome === "failed" ||
      outcome === "not_tried" ||
      outcome === "refused" ||
      (outcome === "later" && !allowLater),
  );
  return missing || report.interrupted || report.nothingKnown ? 3 : 0;
}

export const RESTORE_SCHEMA = "certkeep.restore/v1";

export function restoreDocument(report: RestoreReport): object {
  const counts: Record<string, number> = {};
  for (const { outcome } of report.items) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return {
    cluster: report.cluster,
    title: report.title,
    server: report.server,
    mode: report.mode,
    interrupted: report.interrupted,
    pinned: report.pinned,
    warnings: report.warnings.map((warning) => warningText(warning).replace("\n", " ")),
    events: report.events,
    counts,
    saved: savedIssuances(
      report.items
        .filter(({ outcome }) => outcome === "done" || outcome === "planned")
        .map(({ item }) => item),
    ),
    items: report.items.map(({ item, outcome, message, code }) => ({
      ...itemDocument(item),
      outcome,
      message,
      error: code,
    })),
  };
}

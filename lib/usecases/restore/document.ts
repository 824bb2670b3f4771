/**
 * A restore as one JSON document, `certkeep.restore/v1`. Names of fields and facts, no value. Pure.
 */
import { savedIssuances } from "../../restoreplan/item.ts";
import { itemDocument } from "../../report/plan.ts";
import { warningText } from "../../report/phrases/plannotes.ts";
import type { RestoreReport } from "./context.ts";

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

/**
 * The exit code of a restore: 0 where all that was asked for is there, 3 where something is
 * missing. Pure.
 */
import type { RestoreReport } from "./context.ts";

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

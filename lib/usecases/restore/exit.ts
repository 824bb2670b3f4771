/** The exit code of a restore: 0 where all that was asked for is there, 3 where something is missing. Pure. */
import type { RestoreReport } from "./context.ts";

/** Where everything is asked for, what nothing can be done about isn't a failure of this run. */
const NOTHING_TO_DO: ReadonlySet<string> = new Set([
  "no_copy",
  "copy_expired",
  "copy_retired",
  "copy_staging",
]);

export function restoreExit(
  report: RestoreReport,
  view: { readonly all: boolean; readonly allowLater: boolean },
): 0 | 3 {
  if (report.interrupted) return 3;
  for (const { item, outcome } of report.items) {
    if (outcome === "failed" || outcome === "not_tried") return 3;
    if (outcome === "later" && !view.allowLater) return 3;
    if (outcome === "refused" && !(view.all && item.codes.every((code) => NOTHING_TO_DO.has(code))))
      return 3;
  }
  return 0;
}

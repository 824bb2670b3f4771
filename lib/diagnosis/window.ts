/** The issuer itself asks for a renewal before it is due (ARI), as it does ahead of a revocation. */
import { issuanceKey } from "../ratelimit/issuance.ts";
import { renewalDueMs } from "../ratelimit/rules.ts";
import type { RenewalWindow } from "../state/observations.ts";
import { instantOf } from "../finding/words.ts";
import type { Case } from "./case.ts";
import type { Cause } from "./cause.ts";
import { causeOf, type Lead } from "./lead.ts";

/** Whether a window ends before an ordinary one would begin. */
export function isForced(
  window: Pick<RenewalWindow, "endMs">,
  notBeforeMs: number,
  notAfterMs: number,
): boolean {
  return window.endMs < renewalDueMs(notBeforeMs, notAfterMs);
}

export function windowCause(of: Case): Cause | null {
  const leads: Lead[] = [];
  const newest = of.issuances.findLast(({ claimedBy }) => claimedBy === null);
  for (const issuance of of.issuances) {
    const window = of.windows.get(issuanceKey({ ...issuance, claimedBy: null }));
    if (
      window === undefined ||
      !isForced(window, issuance.notBeforeMs, issuance.notAfterMs) ||
      window.askedMs > of.atMs
    )
      continue;
    const replaced = newest !== undefined && newest.issuedAtMs > issuance.issuedAtMs;
    leads.push({
      confidence: "proven",
      because: `the issuer asks for its renewal before it is due (from ${instantOf(window.startMs)} to ${instantOf(window.endMs)})`,
      evidence: [
        {
          source: "issuer",
          where: of.across.titles.get(issuance.issuer) ?? issuance.issuer,
          atMs: window.askedMs,
          text: `suggested for serial ${issuance.serial}: ${instantOf(window.startMs)} to ${instantOf(window.endMs)}${window.explanationUrl === null ? "" : `, see ${window.explanationUrl}`}`,
        },
      ],
      measures: [
        {
          text: "restart its owner, which then asks for the time anew (it asks once a process), and see that it renews",
          command: null,
        },
      ],
      overMs: replaced ? newest.issuedAtMs : null,
    });
  }
  return causeOf("renewal_window_forced", leads);
}

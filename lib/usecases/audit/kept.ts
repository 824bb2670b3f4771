/**
 * Whether all that is to be kept of a Secret is kept as is wanted now; if not, it is looked at
 * again.
 */
import { parseMs } from "../../certificate/time.ts";
import type { SecretRecord, StateDocument } from "../../state/document.ts";

export interface WantedKept {
  readonly copies: StateDocument["copies"];
  /** What this run's listing of the store shows; `null`: it could not be listed. */
  readonly listed: ReadonlySet<string> | null;
  /** Key of the recipients now configured; `null`: nothing is to be kept. */
  readonly recipients: string | null;
  readonly nowMs: number;
}

/** Reasons that something else than time has changed by the next run, perhaps. */
const CHANGES_WITHOUT_TIME: ReadonlySet<string> = new Set([
  "no_recipients",
  "dry_run",
  "quota",
  "store_failed",
  "seal_failed",
]);

/**
 * For each thing that is to be kept now: the listing shows the recorded version for the recipients
 * now configured.
 */
export function isKeptAsWanted(
  record: SecretRecord,
  { copies, listed, recipients, nowMs }: WantedKept,
): boolean {
  if (recipients === null) return true;
  for (const one of [...Object.values(record.certificates), ...Object.values(record.accounts)]) {
    if (one.copy !== null) {
      const copy = copies[one.copy.version];
      if (
        copy === undefined ||
        one.copy.recipients !== recipients ||
        listed?.has(copy.key) !== true
      )
        return false;
    } else if (one.notKept === null || CHANGES_WITHOUT_TIME.has(one.notKept.reason)) return false;
    else if (one.notKept.from !== undefined && nowMs >= parseMs(one.notKept.from)) return false;
    // An audit whose clock was ahead took it for expired: by the right time it isn't.
    else if (one.notKept.reason === "expired" && !isExpired(one, nowMs)) return false;
  }
  return true;
}

function isExpired(one: object, nowMs: number): boolean {
  return "notAfter" in one && typeof one.notAfter === "string" && nowMs > parseMs(one.notAfter);
}

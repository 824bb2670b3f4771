/** Why it is unknown whether a certificate was revoked. */
import { formatMs } from "../../certificate/time.ts";
import type { RevocationGap } from "../../restoreplan/view.ts";

const GAPS: Readonly<
  Record<Exclude<RevocationGap["gap"], "to_come" | "outdated" | "unreached">, string>
> = {
  not_asked: "not asked for",
  issuer_not_asked: "no source for this CA",
  no_list: "the certificate names no revocation list",
  no_issuer: "the certificate's issuer is unknown here",
  list_unreadable: "the issuer's list can't be read",
  other_issuer: "the list is of another issuer",
  bad_signature: "the list's signature doesn't verify with the issuer's key",
  no_end: "the list doesn't say until when it is valid",
  unread_extension: "the list has an extension that certkeep doesn't know",
  unread_entries: "the list has entries that certkeep doesn't know",
  partial: "the list isn't one of all of the issuer's certificates",
  other_address: "the list is of another address than the certificate names",
};

export function revocationGapText(gap: RevocationGap): string {
  switch (gap.gap) {
    case "to_come":
      return `the list's time is in the future (${formatMs(gap.atMs)})`;
    case "outdated":
      return `the list is out of date (since ${formatMs(gap.atMs)})`;
    case "unreached":
      return gap.found;
    default:
      return GAPS[gap.gap];
  }
}

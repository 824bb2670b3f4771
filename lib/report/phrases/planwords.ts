/** The short words in the cells of a plan's table. */
import type { PlanCode } from "../../restoreplan/objection.ts";
import type { Action, Now, PlanItem } from "../../restoreplan/item.ts";
import { count } from "../text.ts";

const INVALID: Readonly<Record<string, string>> = {
  certificate_empty: "empty",
  key_empty: "empty",
  certificate_not_pem: "unreadable",
  certificate_malformed: "unreadable",
  key_not_pem: "unreadable",
  key_malformed: "unreadable",
  key_mismatch: "key mismatch",
  expired: "expired",
  not_yet_valid: "not yet valid",
  name_mismatch: "wrong name",
  unknown_issuer: "untrusted CA",
  missing_intermediate: "chain cut",
};

/** Whether the table's word for it says all: what is invalid in another way needs its reason. */
export function isToldByWord({ state, reasons: [first = ""] }: Now): boolean {
  return state !== "invalid" || Object.hasOwn(INVALID, first);
}

/** What is in the cluster. */
export function nowWord({ now, rule }: Pick<PlanItem, "now" | "rule">): string {
  const [first = ""] = now.reasons;
  switch (now.state) {
    case "absent":
      return "missing";
    case "account_key":
      return "present";
    case "invalid":
      return isToldByWord(now) ? (INVALID[first] ?? "") : "invalid";
    case "valid":
      return rule === "restore" && now.notAfter !== null
        ? `until ${now.notAfter.slice(0, 10)}`
        : "valid";
    default:
      return now.state;
  }
}

export const ACTION_WORDS: Readonly<Record<Action, string>> = {
  create: "create Secret",
  patch: "write fields",
  replace: "recreate Secret",
  none: "unchanged",
};

const REFUSALS: Partial<Readonly<Record<PlanCode, string>>> = {
  no_copy: "no backup",
  copy_damaged: "backup damaged",
  copy_unreadable: "backup unreadable",
  copy_format_newer: "backup too new",
  copy_sealed_for_others: "wrong identity",
  copy_unrecorded: "unrecorded",
  copy_retired: "backup retired",
  copy_expired: "backup expired",
  copy_not_yet_valid: "not yet valid",
  copy_key_mismatch: "backup invalid",
  copy_invalid: "backup invalid",
  copy_staging: "staging backup",
  copy_revoked: "backup revoked",
  names_differ: "names differ",
  standby_not_asked: "standby only",
  live_unknown: "not checked",
  live_deleting: "being deleted",
  namespace_absent: "no namespace",
  secret_immutable: "immutable",
  type_differs: "other type",
  device_renamed: "other machine",
};

/** Why it isn't restored, in two words. */
export function refusalWord({ why: [first] }: Pick<PlanItem, "why">): string {
  return (first === undefined ? undefined : REFUSALS[first.code]) ?? "refused";
}

/** How long what the backup holds is still valid. */
export function leftWord({ daysLeft }: Pick<PlanItem, "daysLeft">): string {
  if (daysLeft === null) return "-";
  return daysLeft < 0 ? "expired" : daysLeft === 0 ? "today" : count(daysLeft, "day");
}

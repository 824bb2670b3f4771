/** A plan, or what became of it, as people are shown it: its rows as a table. */
import type { PlanItem, Action, Now } from "../restoreplan/item.ts";
import type { PlanWarning, PlanCode } from "../restoreplan/objection.ts";
import { itemTitle, type CommandChange } from "./phrases/plan.ts";
import { count, some, type Style, tableLines } from "./text.ts";
import { servedText } from "./phrases/plannotes.ts";

export type ShownOutcome =
  "planned" | "done" | "kept" | "refused" | "later" | "failed" | "not_tried";

export interface ShownItem {
  readonly item: PlanItem;
  readonly outcome: ShownOutcome;
  readonly message: string | null;
}

export interface PlanView {
  readonly title: string;
  readonly server: string;
  readonly mode: "plan" | "apply" | "rehearse";
  readonly items: readonly ShownItem[];
  readonly warnings: readonly PlanWarning[];
  readonly events: readonly string[];
  readonly interrupted: boolean;
  /**
   * The folder that manifests were written to in place of a cluster, so that nothing is restored
   * yet; `null`: none.
   */
  readonly offline: string | null;
  /** The command as given, but for `change`; `null` where a word of it doesn't fit a command. */
  readonly command: (change: CommandChange) => string | null;
  /** Of sentences. */
  readonly width: number;
  /** Of the table: names are cut only where a terminal has no room for them. */
  readonly room: number;
  readonly style: Style;
  readonly verbose: boolean;
}

export function placeOf({ to, from }: PlanItem): string {
  return to === null
    ? `${from.namespace}/(new name, was ${from.secret})`
    : `${to.namespace}/${to.name}`;
}

/** Names of the rows: with the Secret where two would have the same. */
export function createNaming(items: readonly ShownItem[]): (item: PlanItem) => string {
  const titles = Map.groupBy(items, ({ item }) => itemTitle(item));
  return (item) => {
    const title = itemTitle(item);
    if ((titles.get(title)?.length ?? 0) <= 1) return title;
    const { namespace, secret } = item.from;
    return `${title} (${item.to === null ? `${namespace}/${secret}` : placeOf(item)})`;
  };
}

const NAMES_SHOWN = 4;

export const namesText = (names: readonly string[]): string => some(names, NAMES_SHOWN);

/** Whether nothing has to be known of it: what is there is valid and stays. */
export function isQuiet({
  item: { now, notes, overridden },
  outcome,
  message,
}: ShownItem): boolean {
  return (
    outcome === "kept" &&
    message === null &&
    notes.length === 0 &&
    overridden.length === 0 &&
    (now.state === "valid" || now.state === "account_key")
  );
}

const INDENT = "  ";

function paint(outcome: ShownOutcome, style: Style): (text: string) => string {
  if (outcome === "failed" || outcome === "refused") return style.red;
  if (outcome === "later" || outcome === "not_tried") return style.yellow;
  return outcome === "kept" ? style.dim : style.green;
}

function outcomeWord({ item, outcome }: ShownItem, { mode, offline }: PlanView): string {
  switch (outcome) {
    case "planned":
      return ACTION_WORDS[item.action];
    case "done":
      return offline !== null ? "written" : mode === "rehearse" ? "accepted" : "restored";
    case "kept":
      return "unchanged";
    // Without a reason in the plan, the credential has no permission to write it.
    case "refused":
      return item.rule === "refuse" ? refusalWord(item) : "not permitted";
    case "later":
      return "waits";
    case "failed":
      return "FAILED";
    case "not_tried":
      return "not tried";
  }
}

export function planTable(
  rows: readonly ShownItem[],
  nameOf: (item: ShownItem["item"]) => string,
  view: PlanView,
): string[] {
  const isWritten = view.mode !== "plan";
  const [head = "", ...body] = tableLines(
    ["NAME", isWritten ? "WAS" : "NOW", isWritten ? "RESULT" : "ACTION", "EXPIRES IN", "SERVED"],
    rows.map((row) => [
      nameOf(row.item),
      nowWord(row.item),
      outcomeWord(row, view),
      leftWord(row.item),
      row.outcome === "planned" || row.outcome === "done"
        ? (servedText(row.item.restart.note)?.word ?? "-")
        : "-",
    ]),
    view.room,
    INDENT,
  );
  const { style } = view;
  return [
    style.dim(head),
    ...body.map((line, at) => paint(rows[at]?.outcome ?? "kept", style)(line)),
  ];
}

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

function nowWord({ now, rule }: Pick<PlanItem, "now" | "rule">): string {
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

const ACTION_WORDS: Readonly<Record<Action, string>> = {
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

function refusalWord({ why: [first] }: Pick<PlanItem, "why">): string {
  return (first === undefined ? undefined : REFUSALS[first.code]) ?? "refused";
}

function leftWord({ daysLeft }: Pick<PlanItem, "daysLeft">): string {
  if (daysLeft === null) return "-";
  return daysLeft < 0 ? "expired" : daysLeft === 0 ? "today" : count(daysLeft, "day");
}

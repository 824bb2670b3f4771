/**
 * What of a plan isn't in its table: why a row isn't restored and what to do, what else is worth
 * knowing of it, and each row's details. What is the same for several rows is said once. Pure.
 */
import type { PlanItem } from "../restoreplan/item.ts";
import type { Note } from "../restoreplan/objection.ts";
import { plain } from "../plain.ts";
import { shortWhyText, whyText, remedyOf, remedyText } from "./phrases/plan.ts";
import { noteText, restartText } from "./phrases/plannotes.ts";
import {
  isToldByWord,
  isQuiet,
  namesText,
  placeOf,
  type PlanView,
  type ShownItem,
} from "./planview.ts";
import { capitalized, count, wrap } from "./text.ts";

type Naming = (item: PlanItem) => string;

/** Notes that a row's details have: the end says the first once, the second holds nothing bad. */
const DETAILS: ReadonlySet<Note["note"]> = new Set<Note["note"]>([
  "revocation_unknown",
  "certmanager_adopts",
]);

const GROUPS_SHOWN = 15;

interface Reason {
  readonly sentences: readonly string[];
  readonly hasRemedy: boolean;
  readonly pasted: readonly string[];
}

/** What stands beneath the table about a row; `null` where the row says all. */
function reasonOf(row: ShownItem): Reason | null {
  const { item, outcome, message } = row;
  if (isQuiet(row)) return null;
  const hasRemedy = item.rule !== "restore" && outcome !== "done" && outcome !== "failed";
  const [said = "", ...pasted] = message?.split("\n") ?? [];
  const sentences = [
    ...(hasRemedy || !isToldByWord(item.now) ? [capitalized(shortWhyText(item.why))] : []),
    ...(item.overridden.length > 0 ? [`You override ${item.overridden.join(", ")}`] : []),
    ...(item.createNamespace ? [`Creates namespace ${item.to?.namespace ?? ""} first`] : []),
    ...item.notes
      .filter(({ note }) => !DETAILS.has(note))
      .map((note) => capitalized(noteText(note))),
    ...(said === "" ? [] : [said]),
  ];
  return sentences.length === 0 ? null : { sentences, hasRemedy, pasted };
}

function reasonLines(
  rows: readonly (readonly [ShownItem, Reason])[],
  nameOf: Naming,
  view: PlanView,
): string[] {
  const [first] = rows;
  if (first === undefined) return [];
  const [{ item, outcome }, { sentences, hasRemedy, pasted }] = first;
  const offered = hasRemedy ? remedyOf(item, rows.length === 1) : null;
  const isOffline = view.offline !== null;
  // Nothing can be waited for without a cluster.
  const remedy = isOffline && offered?.change?.follow !== undefined ? null : offered;
  const command = remedy?.change == null || isOffline ? null : view.command(remedy.change);
  const names = namesText(rows.map((one) => nameOf(one[0].item)));
  const said = [
    ...sentences.map((one) => (/[.:]$/.test(one) ? one : `${one}.`)),
    ...(remedy === null ? [] : [remedyText(remedy, command !== null)]),
  ];
  const { style } = view;
  const isBad = outcome === "refused" || outcome === "failed" || outcome === "later";
  return [
    "",
    ...hanging(`${names}: ${said.join(" ")}`, view.width).map(isBad ? style.yellow : same),
    ...(command === null ? [] : [`    ${style.green(command)}`]),
    // A manifest is pasted as it is; a single line is a command.
    ...pasted.map((line) => `${pasted.length === 1 ? "    " : ""}${plain(line)}`),
  ];
}

const same = (text: string): string => text;

/** The first line begins at the margin, the others are indented. */
function hanging(text: string, width: number): string[] {
  return wrap(plain(text), width - 2, "").map((line, at) => (at === 0 ? line : `  ${line}`));
}

export function reasonGroups(
  items: readonly ShownItem[],
  nameOf: Naming,
  view: PlanView,
): string[] {
  const rows = items.flatMap((row) => {
    const reason = reasonOf(row);
    return reason === null ? [] : [[row, reason] as const];
  });
  const groups = [
    ...Map.groupBy(rows, ([{ item, outcome }, reason]) =>
      JSON.stringify([outcome, reason, reason.hasRemedy ? remedyOf(item, false) : null]),
    ).values(),
  ];
  const shown = view.verbose ? groups : groups.slice(0, GROUPS_SHOWN);
  const more = groups.length - shown.length;
  return [
    ...shown.flatMap((of) => reasonLines(of, nameOf, view)),
    ...(more > 0 ? ["", `${count(more, "more reason", "more reasons")} (-v shows them).`] : []),
  ];
}

const isWritten = (outcome: ShownItem["outcome"]): boolean =>
  outcome === "planned" || outcome === "done";

/** Everything that is known of each row; of what is valid and stays in a sentence. */
export function detailLines(items: readonly ShownItem[], nameOf: Naming, view: PlanView): string[] {
  const quiet = items.filter(isQuiet);
  return [
    ...items.filter((row) => !isQuiet(row)).flatMap((row) => rowDetails(row, nameOf, view)),
    ...(quiet.length > 0 ? ["", view.style.bold("Unchanged")] : []),
    ...quiet.flatMap(({ item }) => {
      const backup = item.version === null ? "no backup" : `backup ${item.version.slice(0, 12)}`;
      const text = `${nameOf(item)}: ${whyText(item.why)} (${placeOf(item)}, ${backup})`;
      return hanging(text, view.width - 2).map((line) => `  ${line}`);
    }),
  ];
}

function rowDetails(
  { item, outcome }: ShownItem,
  nameOf: Naming,
  { width, style }: PlanView,
): string[] {
  const { fields, version, restart, notes } = item;
  const details: [string, string][] = [
    ["Secret", placeOf(item)],
    ["Backup", version?.slice(0, 12) ?? "none"],
    ["Fields", fields.join(", ")],
    ["Reason", whyText(item.why)],
    ["Restart", isWritten(outcome) ? restartText(restart.note) : ""],
    ...notes.map((note): [string, string] => ["Note", noteText(note)]),
  ];
  return [
    "",
    style.bold(plain(nameOf(item))),
    ...details
      .filter(([, value]) => value !== "")
      .flatMap(([label, value]) =>
        wrap(plain(value), width - 11).map(
          (line, at) => `  ${(at === 0 ? label : "").padEnd(7)}  ${line}`,
        ),
      ),
  ];
}

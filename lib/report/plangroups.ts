/** Why a plan decides as it does: one paragraph for all items that share rule and reason. Pure. */
import type { PlanItem } from "../restoreplan/item.ts";
import type { Note } from "../restoreplan/note.ts";
import { plain } from "../plain.ts";
import { itemTitle, whyText } from "./phrases/plan.ts";
import { noteText } from "./phrases/plannotes.ts";
import { type PlanView, type ShownItem, wordOf } from "./planview.ts";
import { wrap } from "./text.ts";

const NAMES_IN_GROUP = 4;

/** What the items of one group have in common. */
function groupKey({ item, outcome, message }: ShownItem): string {
  return JSON.stringify([
    outcome,
    item.why,
    item.action,
    item.kind === "account-key" && item.action !== "none",
    item.createNamespace,
    item.overridden,
    notesOf(item),
    message,
    item.force,
  ]);
}

export function groupLines(items: readonly ShownItem[], view: PlanView): string[] {
  return [...Map.groupBy(items, groupKey).values()].flatMap((of) => {
    const [first] = of;
    return first === undefined ? [] : groupText(first, of, view);
  });
}

function groupText(
  { item, outcome, message }: ShownItem,
  of: readonly ShownItem[],
  view: PlanView,
): string[] {
  const { width, style } = view;
  const indented = (text: string): string[] => wrap(plain(text), width, "  ");
  const names = of.slice(0, NAMES_IN_GROUP).map((one) => itemTitle(one.item));
  const more =
    of.length > NAMES_IN_GROUP
      ? ` and ${(of.length - NAMES_IN_GROUP).toLocaleString("en-US")} more`
      : "";
  const title = `${wordOf(outcome, view)}: ${names.join(", ")}${more}`;
  const lines = ["", ...wrap(plain(title), width).map((line) => style.bold(line))];
  lines.push(...indented(`Because ${whyText(item.why)}.`));
  if (item.action !== "none")
    lines.push(...indented(`${doing(item)}${item.fields.length === 0 ? "" : ` ${whatOf(of)}`}.`));
  if (item.createNamespace)
    lines.push(...indented(`The namespace ${item.to?.namespace ?? ""} is made first.`));
  if (item.overridden.length > 0)
    lines.push(...indented(`You override: ${item.overridden.join(", ")}.`).map(style.yellow));
  for (const note of notesOf(item)) lines.push(...indented(`Note: ${noteText(note)}.`));
  if (message !== null)
    lines.push(
      ...message
        .split("\n")
        .flatMap((line, at) => (at === 0 ? indented(line) : [`    ${plain(line)}`]))
        .map(style.yellow),
    );
  if (item.force.length > 0 && outcome === "refused")
    lines.push(...indented(`To do it all the same: --force ${item.force.join(",")}`));
  return lines;
}

/** What the end says once for all is left out here. */
function notesOf(item: PlanItem): readonly Note[] {
  return item.notes.filter(({ note }) => note !== "revocation_unknown");
}

function whatOf(of: readonly ShownItem[]): string {
  const fields = new Set(of.map(({ item }) => item.fields.join(", ")));
  const [only] = fields;
  const version =
    of.length === 1 ? ` (copy ${of[0]?.item.version?.slice(0, 12) ?? "unknown"})` : "";
  if (fields.size === 1) return `${only ?? ""}${version}`;
  return fields.size <= 3 ? [...fields].join("; ") : "the two fields of its name, .crt and .key";
}

function doing(item: PlanItem): string {
  return {
    create: "Makes the Secret with",
    patch: "Writes",
    replace:
      "Deletes the Secret and recreates it with everything in " +
      `it${item.fields.length === 0 ? "" : ", and writes"}`,
    none: "",
  }[item.action];
}

/** The table of a plan, or of what became of it. Pure. */
import { ACTION_WORDS, leftWord, nowWord, refusalWord } from "./phrases/planwords.ts";
import { servedText } from "./phrases/restart.ts";
import type { PlanView, ShownItem, ShownOutcome } from "./planview.ts";
import { type Style, tableLines } from "./text.ts";

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
    // Without a reason in the plan, the credential may not write it.
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

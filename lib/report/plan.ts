/**
 * A restore's plan and its outcome for a terminal: a table of what goes where, then why, in groups,
 * then what is left for a person to do, with the commands. Pure.
 */
import { restartCommand } from "./command.ts";
import { itemTitle, whyText } from "./phrases/plan.ts";
import { noteText, warningText } from "./phrases/plannotes.ts";
import { restartText } from "./phrases/restart.ts";
import { revocationGapText } from "./phrases/revocation.ts";
import { groupLines } from "./plangroups.ts";
import { type PlanView, type ShownItem, type ShownOutcome, wordOf } from "./planview.ts";
import { commandLine, literal } from "./shell.ts";
import { reasonText } from "./phrases/reasons.ts";
import { codesOf, type PlanItem, savedIssuances } from "../restoreplan/item.ts";
import { count, type Style, tableLines, wrap } from "./text.ts";
import { plain } from "../plain.ts";

/** Rows that a table shows; of more, those that need a person come first. */
const ROWS_AT_MOST = 60;

const ORDER: Readonly<Record<ShownOutcome, number>> = {
  failed: 0,
  refused: 1,
  later: 2,
  not_tried: 3,
  planned: 4,
  done: 5,
  kept: 6,
};

function placeText({ to, from }: PlanItem): string {
  return to === null ? `${from.namespace}/(new name)` : `${to.namespace}/${to.name}`;
}

function nowText({ now }: PlanItem): string {
  switch (now.state) {
    case "absent":
      return "gone";
    case "empty":
      return "empty";
    case "valid":
      return now.notAfter === null ? "valid" : `valid to ${now.notAfter.slice(0, 10)}`;
    case "invalid":
      return now.reasons.includes("expired")
        ? "expired"
        : `invalid: ${reasonText(now.reasons.slice(0, 1))}`;
    case "account_key":
      return "a key";
    case "unknown":
      return "not known";
  }
}

function leftText({ daysLeft }: PlanItem): string {
  if (daysLeft === null) return "";
  return daysLeft < 0 ? "expired" : daysLeft === 0 ? "today" : count(daysLeft, "day");
}

function paint(outcome: ShownOutcome, style: Style): (text: string) => string {
  if (outcome === "failed" || outcome === "refused") return style.red;
  if (outcome === "later" || outcome === "not_tried") return style.yellow;
  return outcome === "kept" ? style.dim : style.green;
}

export function planText(view: PlanView): string {
  const { style, width } = view;
  const lines: string[] = [];
  for (const warning of view.warnings)
    lines.push(...wrap(plain(warningText(warning)), width).map(style.yellow));
  if (view.warnings.length > 0) lines.push("");
  lines.push(style.bold(headline(view)), style.dim(plain(`${view.title}  ${view.server}`)));
  const sorted = view.items.toSorted((a, b) => ORDER[a.outcome] - ORDER[b.outcome]);
  if (sorted.length > 0) lines.push("", ...table(sorted.slice(0, ROWS_AT_MOST), view));
  if (sorted.length > ROWS_AT_MOST)
    lines.push(
      style.dim(
        `and ${(sorted.length - ROWS_AT_MOST).toLocaleString("en-US")} more; --json has them all`,
      ),
    );
  lines.push(...groupLines(sorted, view));
  lines.push(...restarts(view));
  for (const event of view.events) lines.push(...wrap(plain(event), width));
  lines.push(...ending(view));
  return lines.join("\n");
}

function table(items: readonly ShownItem[], view: PlanView): string[] {
  const { width, style } = view;
  const rows = items.map(({ item, outcome }) => [
    wordOf(outcome, view),
    itemTitle(item),
    placeText(item),
    nowText(item),
    leftText(item),
  ]);
  const [head, ...body] = tableLines(
    ["RULE", "CERTIFICATE", "GOES TO", "THERE NOW", "LEFT"],
    rows,
    width,
  );
  return [
    style.dim(head ?? ""),
    ...body.map((line, at) => paint(items[at]?.outcome ?? "kept", style)(line)),
  ];
}

function commandOf({ restart: { action } }: PlanItem): string | null {
  return action === null ? null : restartCommand(action);
}

/** What a person has to run for pods to see it: each command once. */
function restarts({ items, width, style }: PlanView): string[] {
  const after = items.filter(
    ({ item, outcome }) => item.rule === "restore" && (outcome === "planned" || outcome === "done"),
  );
  const commands = new Set(
    after
      .filter(({ item }) => item.restart.needed === "yes")
      .map(({ item }) => commandOf(item))
      .filter((command) => command !== null),
  );
  const lines: string[] = [];
  if (commands.size > 0)
    lines.push(
      "",
      style.bold("Then restart what reads it at its start alone:"),
      ...[...commands].slice(0, 20).map((command) => `  ${command}`),
    );
  const words = new Map<string, Set<string>>();
  for (const { item } of after) {
    const { needed: need, note } = item.restart;
    const [command, when] = [commandOf(item), restartText(note)];
    if (when === "" || (need === "yes" && command !== null)) continue;
    const lead = { no: "No restart needed", yes: "A restart is needed", unknown: "Restart" }[need];
    const text = `${lead}: ${when}.${command === null ? "" : ` If so: ${command}`}`;
    words.set(text, (words.get(text) ?? new Set()).add(itemTitle(item)));
  }
  if (words.size > 0) lines.push("");
  for (const text of [...words.keys()].slice(0, 10)) lines.push(...wrap(plain(text), width, ""));
  return lines;
}

function numbers({ items, offline }: PlanView): string {
  const of = (outcome: ShownOutcome): number =>
    items.filter((one) => one.outcome === outcome).length;
  const parts: [number, string][] = [
    [of("planned"), "to restore"],
    [of("done"), offline === null ? "restored" : "written"],
    [of("kept"), "kept as they are"],
    [of("refused"), "refused"],
    [of("later"), "later"],
    [of("failed"), "failed"],
    [of("not_tried"), "not tried"],
  ];
  const said = parts
    .filter(([n]) => n > 0)
    .map(([n, word]) => `${n.toLocaleString("en-US")} ${word}`);
  // Where all is as it should be already, that is the answer.
  return items.every(({ outcome }) => outcome === "kept")
    ? ["nothing to do", ...said].join(", ")
    : said.join(", ");
}

function headline(view: PlanView): string {
  const lead = {
    plan: "Plan",
    apply: view.interrupted ? "Interrupted" : "Done",
    rehearse: "Rehearsed by the server (nothing was written)",
  }[view.mode];
  return `${lead}: ${numbers(view)}`;
}

function restoredItems({ items }: PlanView): PlanItem[] {
  return items
    .filter(({ outcome }) => outcome === "done" || outcome === "planned")
    .map(({ item }) => item);
}

function uncheckedLines(view: PlanView): string[] {
  const gaps = restoredItems(view).flatMap(({ notes }) =>
    notes.flatMap((note) => (note.note === "revocation_unknown" ? [note.gap] : [])),
  );
  return [...Map.groupBy(gaps, revocationGapText)].flatMap(([why, of]) =>
    wrap(
      plain(`Revocation of ${count(of.length, "certificate")} not checked (${why}).`),
      view.width,
    ),
  );
}

function ending(view: PlanView): string[] {
  const { style, width } = view;
  const saved = savedIssuances(restoredItems(view));
  const lines: string[] = ["", ...uncheckedLines(view)];
  if (saved > 0)
    lines.push(
      `${count(saved, "issuance")} ` +
        `${view.mode === "apply" && view.offline === null ? "saved" : "would be saved"}.`,
    );
  if (view.interrupted) lines.push("Run it again: it does what is left and repeats nothing.");
  const waits = view.items.filter(({ outcome }) => outcome === "later").length;
  if (waits > 0 && view.mode !== "plan")
    lines.push(
      ...wrap(
        `${count(waits, "waits", "wait")} for a Secret that the operator still makes: ` +
          `${view.offline === null ? "run it again with --follow 30m while the proxies come up" : "no manifest can be applied for them; restore them into the cluster itself, with --follow 30m"}.`,
        width,
      ),
    );
  const writes = view.items.some(
    ({ outcome }) => outcome === "planned" || (view.mode === "rehearse" && outcome === "done"),
  );
  if (view.mode !== "apply" && writes)
    lines.push(
      "Nothing was written. To do it:",
      `  ${style.green(view.applyCommand ?? "the same command with --apply")}`,
    );
  if (view.offline !== null && view.items.some(({ outcome }) => outcome === "done")) {
    const command = commandLine(
      literal("kubectl apply --server-side --force-conflicts --field-manager=certkeep -f"),
      view.offline,
    );
    lines.push(
      ...wrap(
        "Manifests were written, and nothing is restored yet. They hold private keys: delete " +
          "them once they are applied.",
        width,
      ),
      ...(command === null ? [] : [`  ${style.green(command)}`]),
    );
  }
  return lines.length === 1 ? [] : lines;
}

/** An item in a JSON document. */
export function itemDocument(item: PlanItem): object {
  const { why, notes, restart, revocation, ...facts } = item;
  return {
    ...facts,
    title: itemTitle(item),
    codes: codesOf(item),
    why: whyText(why),
    restart: {
      needed: restart.needed,
      command: commandOf(item),
      note: restartText(restart.note),
    },
    revocation:
      revocation?.state === "unknown"
        ? { state: "unknown", why: revocationGapText(revocation.gap) }
        : revocation,
    notes: notes.map(noteText),
  };
}

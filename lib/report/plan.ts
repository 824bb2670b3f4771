/**
 * A restore's plan and its outcome for a terminal: a table, then what isn't simple, then what it
 * comes to, with the command that comes next. Pure.
 */
import { restartCommand, commandLine, literal } from "./command.ts";
import { itemTitle, planCodeText, whyText, remedyOf, remedyText } from "./phrases/plan.ts";
import {
  noteText,
  warningText,
  restartText,
  servedText,
  revocationGapText,
} from "./phrases/plannotes.ts";
import { detailLines, reasonGroups } from "./planreasons.ts";
import {
  planTable,
  createNaming,
  isQuiet,
  namesText,
  type PlanView,
  type ShownItem,
  type ShownOutcome,
} from "./planview.ts";
import { codesOf, type PlanItem, savedIssuances } from "../restoreplan/item.ts";
import type { PlanWarning } from "../restoreplan/objection.ts";
import { capitalized, count, wrap } from "./text.ts";
import { plain } from "../plain.ts";

const ROWS_OF_A_KIND = 30;

const ORDER: Readonly<Record<ShownOutcome, number>> = {
  planned: 0,
  done: 0,
  later: 1,
  refused: 2,
  not_tried: 3,
  failed: 4,
  kept: 5,
};

export function planText(view: PlanView): string {
  const { style, width, verbose } = view;
  const sorted = view.items.toSorted((a, b) => ORDER[a.outcome] - ORDER[b.outcome]);
  const nameOf = createNaming(sorted);
  const loud = sorted.filter((row) => !isQuiet(row));
  const shown = verbose ? loud : firstOfEachKind(loud);
  return [
    ...view.warnings.flatMap((warning) => warningLines(warning, view)),
    ...(view.warnings.length > 0 ? [""] : []),
    ...wrap(plain(headline(view)), width).map(style.bold),
    ...(shown.length > 0 ? planTable(shown, nameOf, view) : []),
    ...wrap(plain(othersText(sorted, loud.length - shown.length, view)), width),
    ...(verbose ? detailLines(sorted, nameOf, view) : []),
    ...reasonGroups(loud, nameOf, view),
    ...(verbose ? eventLines(view) : []),
    ...ending(view, nameOf),
  ].join("\n");
}

function warningLines(warning: PlanWarning, { width, style }: PlanView): string[] {
  const [text = "", ...commands] = capitalized(warningText(warning)).split("\n");
  return [
    ...wrap(plain(text), width).map(style.yellow),
    ...commands.map((command) => `  ${style.green(plain(command))}`),
  ];
}

function firstOfEachKind(rows: readonly ShownItem[]): readonly ShownItem[] {
  const kinds = Map.groupBy(rows, ({ outcome }) => outcome);
  return [...kinds.values()].flatMap((of) => of.slice(0, ROWS_OF_A_KIND));
}

/** They were shown when they happened. */
function eventLines({ events, width }: PlanView): string[] {
  return events.length === 0
    ? []
    : ["", ...events.flatMap((event) => wrap(plain(capitalized(event)), width))];
}

function headline({ title, server, mode, offline, interrupted, verbose }: PlanView): string {
  const what =
    mode === "plan"
      ? "Restore plan"
      : mode === "rehearse"
        ? "Restore rehearsal"
        : offline === null
          ? "Restore"
          : "Restore to manifests";
  return (
    `${what}: ${title}${interrupted ? " (interrupted)" : ""}` + (verbose ? ` (${server})` : "")
  );
}

function othersText(
  rows: readonly ShownItem[],
  cut: number,
  { verbose }: Pick<PlanView, "verbose">,
): string {
  const quiet = rows.filter(isQuiet);
  const keys = quiet.filter(({ item }) => item.kind === "account-key").length;
  if (quiet.length > 0 && quiet.length === rows.length) return nothingText(quiet);
  if (verbose) return "";
  const parts = [
    ...(cut > 0 ? [`${cut.toLocaleString("en-US")} more rows`] : []),
    ...(quiet.length === 0
      ? []
      : keys === quiet.length
        ? [count(keys, "ACME account key unchanged", "ACME account keys unchanged")]
        : [count(quiet.length, "other unchanged", "others unchanged")]),
  ];
  const n = cut + quiet.length;
  return n === 0 ? "" : `${parts.join(", ")} (-v lists ${n === 1 ? "it" : "them"}).`;
}

/** Where everything is as it should be, why. */
function nothingText(quiet: readonly ShownItem[]): string {
  const groups = Map.groupBy(quiet, ({ item }) => whyText(item.why));
  const reasons = [...groups].map(([why, [first, ...more]]) => {
    if (quiet.length === 1 && first !== undefined) return `${itemTitle(first.item)}: ${why}.`;
    const n = (1 + more.length).toLocaleString("en-US");
    return why === planCodeText("already_there") ? `${n} ${why}.` : `${n} unchanged: ${why}.`;
  });
  return `Nothing to restore. ${reasons.join(" ")}`;
}

function commandOf({ restart: { action } }: PlanItem): string | null {
  return action === null ? null : restartCommand(action);
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

function numberOf({ items }: PlanView, ...outcomes: readonly ShownOutcome[]): number {
  return items.filter(({ outcome }) => outcomes.includes(outcome)).length;
}

function ending(view: PlanView, nameOf: (item: PlanItem) => string): string[] {
  const lines = [
    ...uncheckedLines(view),
    ...(view.mode === "plan" ? planEnding(view) : resultEnding(view, nameOf)),
  ];
  return lines.length > 0 && view.items.some((row) => !isQuiet(row)) && isApart(view)
    ? ["", ...lines]
    : lines;
}

/** Whether sentences stand between the table and the ending. */
function isApart(view: PlanView): boolean {
  return view.verbose || reasonGroups(view.items, itemTitle, view).length > 0;
}

function savedText(view: PlanView, verb: string): string {
  const saved = savedIssuances(restoredItems(view));
  return saved === 0 ? "" : `${verb} ${count(saved, "issuance")}. `;
}

/** `lead`, then the command that was given, with `--apply`. */
function applyLines(lead: string, { command, width, style }: PlanView): string[] {
  return [
    ...wrap(lead, width),
    `  ${style.green(command({ apply: true }) ?? "the same command with --apply")}`,
  ];
}

function planEnding(view: PlanView): string[] {
  if (numberOf(view, "planned") === 0) return [];
  return applyLines(`${savedText(view, "Saves")}Nothing written yet. To apply:`, view);
}

function resultEnding(view: PlanView, nameOf: (item: PlanItem) => string): string[] {
  const { mode, offline, width } = view;
  const done = numberOf(view, "done");
  const all = numberOf(view, "done", "failed", "refused", "later", "not_tried");
  if (all === 0) return [];
  const of = `${done.toLocaleString("en-US")} of ${all.toLocaleString("en-US")}`;
  if (mode === "rehearse") {
    const accepted = `The server accepts ${of}. Nothing written yet.`;
    return done === 0 ? wrap(accepted, width) : applyLines(`${accepted} To apply:`, view);
  }
  if (offline !== null) return manifestLines(view, offline, of, done);
  const verified = done > 0 ? "; read back and verified" : "";
  return [
    ...wrap(`Restored ${of}${verified}. ${savedText(view, "Saved")}`.trim(), width),
    ...servingLines(view, nameOf),
    ...(numberOf(view, "failed", "not_tried") > 0 || view.interrupted
      ? applyLines("To do what is left (it repeats nothing):", view)
      : []),
  ];
}

function manifestLines(view: PlanView, folder: string, of: string, done: number): string[] {
  const command = commandLine(
    literal("kubectl apply --server-side --force-conflicts --field-manager=certkeep -f"),
    folder,
  );
  const waits = numberOf(view, "later");
  return [
    ...wrap(
      [
        `Manifests written for ${of}; nothing is restored yet.`,
        ...(waits > 0
          ? [
              `No manifest can be applied for ${waits.toLocaleString("en-US")} whose Secret the ` +
                "operator creates: restore into the cluster itself, with --follow 30m.",
            ]
          : []),
        ...(done > 0
          ? ["The manifests contain private keys: delete them once they are applied. To apply:"]
          : []),
      ].join(" "),
      view.width,
    ),
    ...(done > 0 && command !== null ? [`  ${view.style.green(command)}`] : []),
  ];
}

/** When pods serve what was restored, and the commands that make them: each once. */
function servingLines(view: PlanView, nameOf: (item: PlanItem) => string): string[] {
  const done = view.items.filter(({ outcome }) => outcome === "done").map(({ item }) => item);
  const groups = Map.groupBy(done, ({ restart }) => servedText(restart.note)?.clause ?? "");
  groups.delete("");
  const lines: string[] = [];
  for (const [clause, of] of groups) {
    const commands = [...new Set(of.map(commandOf).filter((command) => command !== null))];
    const served =
      groups.size === 1 ? "Served" : `${namesText([...new Set(of.map(nameOf))])}: served`;
    lines.push(
      ...wrap(plain(`${served} ${clause}${commands.length > 0 ? ":" : "."}`), view.width),
      ...commands.slice(0, COMMANDS_SHOWN).map((command) => `  ${view.style.green(command)}`),
      ...(commands.length > COMMANDS_SHOWN
        ? [`  and ${commands.length - COMMANDS_SHOWN} more: certkeep restore --json lists them`]
        : []),
    );
  }
  return lines;
}

const COMMANDS_SHOWN = 20;

export function itemDocument(item: PlanItem): object {
  const { why, notes, restart, revocation, ...facts } = item;
  const remedy = item.rule === "restore" ? null : remedyOf(item);
  return {
    ...facts,
    title: itemTitle(item),
    codes: codesOf(item),
    why: whyText(why),
    todo: remedy === null ? null : remedyText(remedy, false),
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

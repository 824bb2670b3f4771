/** Composes a digest's message from what is new, what is resolved and what is still true. Pure. */
import { viaOf } from "../../finding/action.ts";
import type { Finding } from "../../finding/finding.ts";
import { commandOf } from "../command.ts";
import { type Text, instantParts, own, say, sentence, someNames } from "../part.ts";
import { sumOf, ignoredNotes, titleIn } from "../summary.ts";
import { fleetText, namesOf, resolvedNotices } from "./fleet.ts";
import type { Message, MessageInput, Notice } from "./message.ts";
import { type Item, type ItemEvent, itemsOf } from "../items.ts";
import { eventTitle, figuresOf } from "../items/say.ts";
import { count } from "../text.ts";

export function composeMessage(input: MessageInput): Message {
  const { kind, nowMs, summaries, resolved, issuedNow, repeated } = input;
  const items = kind === "heartbeat" ? [] : problemItems(input);
  const fleet = fleetText(summaries, nowMs);
  const report = reportCommand(input.reported);
  const notices = [
    ...items.map((item) => problemNotice(item, repeated, report)),
    ...resolvedNotices(resolved, issuedNow),
  ];
  const [first, ...others] = notices;
  const more = others.length === 0 ? "" : `; ${others.length.toLocaleString("en-US")} more`;
  return {
    kind,
    madeMs: nowMs,
    report,
    title: first === undefined ? fleet : [...first.title, more],
    notices,
    notes: [
      fleet,
      ...(items.some(({ estimate }) => estimate)
        ? [["Issuances left are estimates: certkeep can't see every issuance."]]
        : []),
      ...notesOf(input, notices.length > 0),
    ],
  };
}

function reportCommand(findings: readonly Finding[]): string {
  const via = viaOf(findings);
  const command = commandOf({ kind: "report", ...(via === undefined ? {} : { via }) });
  return command ?? "certkeep report";
}

function notesOf({ kind, weekly, summaries, notes }: MessageInput, hasProblems: boolean): Text[] {
  const first: Text = [
    "First digest of ",
    ...namesOf(summaries),
    hasProblems ? ": all problems by cause." : ".",
    " From now on only changes are reported.",
  ];
  return [
    ...(kind === "first" && summaries.length > 0 ? [first] : []),
    ...notes,
    ...(kind === "first" || weekly
      ? ignoredNotes(sumOf(summaries, ({ ignored }) => ignored)).map((note) => [note])
      : []),
  ];
}

const NAMES_SHOWN = 3;
const COMMANDS_SHOWN = 2;
/** Longer ones can't be read. */
const COMMAND_LENGTH = 700;

function problemItems({ reported, summaries, nowMs }: MessageInput): Item[] {
  return itemsOf({ findings: reported, nameOf: titleIn(summaries), nowMs });
}

/** `repeated`: ids of findings that were reported before. */
function problemNotice(item: Item, repeated: ReadonlySet<string>, report: string): Notice {
  const [headline, ...effects] = item.events;
  const isOld = item.findings.every(({ id }) => repeated.has(id));
  const { commands, left } = commandsOf(item);
  return {
    severity: item.severity,
    title: [
      ...eventTitle(headline, item),
      ...(isOld ? say` (since ${instantParts(item.since)})` : []),
    ],
    lines: [
      namesText(headline),
      sentence(figuresOf(item)),
      causeLine(item),
      ...effects.map((event) => sentence(eventTitle(event, item))),
      ...(commands.length === 0 || item.fix.label === "Fix" ? [sentence(item.fix.text)] : []),
      ...(item.asLastSeen === null ? [] : [say`As last seen ${instantParts(item.asLastSeen)}.`]),
      ...(left === 0 ? [] : [own(`${count(left, "more command")}: ${report}`)]),
    ].filter((line) => line.length > 0),
    commands,
  };
}

/** Of what befell a whole namespace or cluster, it says what that was. */
function causeLine({ events: [{ noun }], cause }: Item): Text {
  if (cause.length === 0 || noun === "namespace" || noun === "cluster") return sentence(cause);
  return ["Cause: ", ...sentence(cause)];
}

function commandsOf({ fix, more }: Item): { commands: string[]; left: number } {
  const doing = fix.commands.length > 0 || more === null ? fix.commands : [more.command];
  const fitting = doing.filter((command) => command.length <= COMMAND_LENGTH);
  const invokes = fix.invokes.filter((command) => command.length <= COMMAND_LENGTH);
  return {
    commands: [...fitting.slice(0, COMMANDS_SHOWN), ...invokes.slice(0, 1)],
    left: Math.max(0, fitting.length - COMMANDS_SHOWN),
  };
}

function namesText({ subjects, names: named }: ItemEvent): Text {
  const names = subjects.length < 2 ? named : subjects.map(({ name }) => name);
  return names.length === 0 ? [] : someNames(names, NAMES_SHOWN);
}

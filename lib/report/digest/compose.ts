/** Composes a digest's message from what is new, what is over and what is still true. Pure. */
import { SEVERITIES } from "../../finding/codes.ts";
import { count } from "../text.ts";
import { ignoredNotes, findingCount, sumOf, verdictText } from "../verdict.ts";
import { findingSections } from "./findings.ts";
import { budgetSection, resolvedSection, unknownSection, upcomingSection } from "./fleet.ts";
import type { Message, MessageInput, MessageKind } from "./message.ts";
import type { Part } from "../part.ts";

export function composeMessage(input: MessageInput): Message {
  return {
    kind: input.kind,
    madeMs: input.nowMs,
    verdict: verdictText(input.summaries, input.nowMs),
    context: contextOf(input),
    sections: [
      ...SEVERITIES.flatMap((severity) => findingSections(severity, input)),
      ...unknownSection(input),
      ...budgetSection(input),
      ...upcomingSection(input),
      ...resolvedSection(input),
    ],
    notes: notesOf(input),
  };
}

const KINDS: Readonly<Record<MessageKind, string>> = {
  first: "The first digest: a summary by cause. From now on only what changes is told.",
  news: "What changed since the last digest.",
  urgent: "At once, because it is critical.",
  heartbeat: "The weekly sign of life.",
};

function contextOf({ kind, nowMs, summaries }: MessageInput): Part[] {
  return [`${KINDS[kind]} ${count(summaries.length, "cluster")}, as of `, { atMs: nowMs }, "."];
}

function notesOf({ summaries, notes, reported }: MessageInput): (readonly Part[])[] {
  const shown = new Set(reported.map(({ id }) => id));
  const before = (["critical", "warning"] as const).flatMap((severity) => {
    const n = findingCount(summaries, severity, ({ id }) => !shown.has(id));
    return n === 0 ? [] : [`${n} ${severity === "critical" ? "for today" : "soon"}`];
  });
  return [
    ...(before.length === 0
      ? []
      : [[`Told before and still so: ${before.join(", ")}. See them with: certkeep report`]]),
    ...ignoredNotes(sumOf(summaries, ({ ignored }) => ignored)).map((note) => [note]),
    ...notes,
  ];
}

/** Composes a digest's message from what is new, what is resolved and what is still true. Pure. */
import type { Text } from "../part.ts";
import { sumOf, ignoredNotes } from "../verdict.ts";
import { fleetText, resolvedNotices } from "./fleet.ts";
import type { Message, MessageInput } from "./message.ts";
import { problemItems, problemNotice } from "./notices.ts";

export function composeMessage(input: MessageInput): Message {
  const { kind, nowMs, summaries, resolved, issuedNow, repeated } = input;
  const items = kind === "heartbeat" ? [] : problemItems(input);
  const fleet = fleetText(summaries, nowMs);
  const notices = [
    ...items.map((item) => problemNotice(item, repeated)),
    ...resolvedNotices(resolved, issuedNow),
  ];
  const [first, ...others] = notices;
  const more = others.length === 0 ? "" : `; ${others.length.toLocaleString("en-US")} more`;
  return {
    kind,
    madeMs: nowMs,
    title: first === undefined ? fleet : [...first.title, more],
    notices,
    notes: [
      fleet,
      ...(items.some(({ estimate }) => estimate)
        ? [["Issuances left are estimates: certkeep can't see every issuance."]]
        : []),
      ...notesOf(input),
    ],
  };
}

function notesOf({ kind, weekly, summaries, notes }: MessageInput): Text[] {
  const first = "First digest: all problems by cause. From now on only changes are reported.";
  return [
    ...(kind === "first" ? [[first]] : []),
    ...notes,
    ...(kind === "first" || weekly
      ? ignoredNotes(sumOf(summaries, ({ ignored }) => ignored)).map((note) => [note])
      : []),
  ];
}

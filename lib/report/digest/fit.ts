/**
 * Makes a message fit a medium and a reader: the worst notices whole, the others counted. Pure.
 */
import { partsText, type Text } from "../part.ts";
import type { Message, Notice } from "./message.ts";

export interface FittedMessage extends Message {
  /** `and 7 more (2 critical): certkeep report`, or `null` where nothing is left out. */
  readonly rest: string | null;
}

/** Lines that a person reads on a phone at 3 a.m. */
const MOST_LINES = 10;
/** Characters of one of them, in a window that is wide enough. */
const LINE = 140;

/** `fits` says whether the medium holds the message. */
export function fitMessage(
  message: Message,
  fits: (fitted: FittedMessage) => boolean,
): FittedMessage {
  let shown = 0;
  let lines = 0;
  for (const notice of message.notices) {
    lines += linesOf(notice);
    if (shown > 0 && lines > MOST_LINES) break;
    shown += 1;
  }
  while (shown > 0 && !fits(cutTo(message, shown))) shown -= 1;
  return cutTo(message, shown);
}

function cutTo(message: Message, shown: number): FittedMessage {
  return {
    ...message,
    notices: message.notices.slice(0, shown),
    rest: restText(message.notices.slice(shown), shown === 0),
  };
}

function linesOf({ title, lines, commands }: Notice): number {
  const rows = (text: Text): number => Math.max(1, Math.ceil(partsText(text).length / LINE));
  return rows(title) + lines.reduce((sum, line) => sum + rows(line), 0) + commands.length;
}

function restText(left: readonly Notice[], alone: boolean): string | null {
  if (left.length === 0) return null;
  const of = (severity: Notice["severity"]): number =>
    left.filter((notice) => notice.severity === severity).length;
  const resolved = of("resolved");
  const others = left.length - resolved;
  const critical = of("critical");
  const worst =
    critical === 0
      ? ""
      : critical === others
        ? " critical"
        : ` (${critical.toLocaleString("en-US")} critical)`;
  const counts = [
    ...(others === 0 ? [] : [`${others.toLocaleString("en-US")} more${worst}: certkeep report`]),
    ...(resolved === 0 ? [] : [`${resolved.toLocaleString("en-US")} resolved`]),
  ];
  return `${alone ? "" : "and "}${counts.join("; ")}`;
}

/** Diagnoses and their evidence in words. Pure; a medium escapes them. */
import type { EventSignal, LogSignal } from "../state/observations.ts";
import { instantOf } from "../finding/words.ts";
import type { Cause, Confidence, Diagnosis, EvidenceLine } from "./cause.ts";

const MAX_SAMPLE = 300;
const MAX_REASON = 160;

/** Cut at a character, so that no half of one is left. */
export function shortened(text: string, length: number): string {
  const characters = Array.from(text.slice(0, length * 2 + 2));
  return characters.length <= length && text.length <= length * 2
    ? text
    : `${characters.slice(0, length - 1).join("")}…`;
}

export function times(n: number): string {
  return n === 1 ? "once" : n === 2 ? "twice" : `${n < 1000 ? n : n.toLocaleString("en-US")} times`;
}

/** `3 times from … to …`, `once at …`. */
function whenText({
  count,
  firstMs,
  lastMs,
}: {
  readonly count: number;
  readonly firstMs: number;
  readonly lastMs: number;
}): string {
  return count <= 1 || lastMs - firstMs < 1000
    ? `${times(Math.max(1, count))} at ${instantOf(lastMs)}`
    : `${times(count)} from ${instantOf(firstMs)} to ${instantOf(lastMs)}`;
}

export function logLine(sign: LogSignal): EvidenceLine {
  return {
    source: "log",
    where: sign.where,
    atMs: sign.lastMs,
    text: `${whenText(sign)}: ${shortened(sign.sample, MAX_SAMPLE)}`,
  };
}

/** What an Event says is of its first time, and it is gone after an hour. */
export function eventLine(event: EventSignal): EvidenceLine {
  return {
    source: "event",
    where: `${event.namespace} ${event.object}`,
    atMs: event.lastMs,
    text: `${event.reason} ${whenText(event)}; the message is that of the first time: ${shortened(event.message, MAX_SAMPLE)}`,
  };
}

export function reasonOf(reason: string): string {
  return reason === "" ? "" : ` (${shortened(reason, MAX_REASON)})`;
}

const OPENINGS: Readonly<Record<Confidence, string>> = {
  proven: "Because",
  likely: "Most likely because",
  possible: "Perhaps because",
};

export function becauseText({ confidence, because, overMs }: Cause): string {
  return `${OPENINGS[confidence]} ${because}${overMs === null ? "" : `; over since ${instantOf(overMs)}`}`;
}

/** `null` where nothing wants a cause. */
export function whySentence({ verdict, causes, missing }: Diagnosis): string | null {
  const [first] = causes;
  if (first !== undefined)
    return `${becauseText(first)}${causes.length === 1 ? "" : causes.length === 2 ? ", and one more cause" : `, and ${causes.length - 1} more causes`}.`;
  return verdict === "unknown" ? `${unknownText(missing)}.` : null;
}

/** `Cause unknown: logs not enabled`. */
export function unknownText(missing: Diagnosis["missing"]): string {
  const needed = missing.filter(
    ({ source }) => source === "logs" || source === "access" || source === "events",
  );
  return needed.length === 0
    ? "Cause unknown: logs, Events and access reviews were read and name none"
    : `Cause unknown: ${needed.map(({ text }) => text).join(", ")}`;
}

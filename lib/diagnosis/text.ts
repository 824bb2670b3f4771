/** Evidence from what logs and Events report, and text cut to a length. */
import type { EventSignal, LogSignal } from "../state/signals.ts";
import type { EvidenceLine } from "./cause.ts";

/** Cut at a character, so that no half of one is left. */
export function shortened(text: string, length: number): string {
  const characters = Array.from(text.slice(0, length * 2 + 2));
  return characters.length <= length && text.length <= length * 2
    ? text
    : `${characters.slice(0, length - 1).join("")}…`;
}

export function logLine(signal: LogSignal): EvidenceLine {
  const { where, lastMs: atMs } = signal;
  return { source: "log", where, atMs, seen: { kind: "logged", signal } };
}

export function eventLine(event: EventSignal): EvidenceLine {
  const { namespace, object, lastMs: atMs } = event;
  return { source: "event", where: `${namespace} ${object}`, atMs, seen: { kind: "event", event } };
}

/**
 * A line of a message before it is known where it is read: words of certkeep's own, names and sentences that may
 * hold text of a cluster, and instants. Each medium escapes and shows them in its own way, so nothing that came
 * from a cluster is ever taken for markup. Pure.
 */
import { parseInstantOrNull } from "../certificate/time.ts";
import { msOf } from "../finding/verdict.ts";

export type Part =
  /** certkeep's own words. */
  | string
  /** A name as a cluster has it. */
  | { readonly name: string }
  /** A sentence that may hold text of a cluster. */
  | { readonly said: string }
  /** certkeep's own words, to be seen first. */
  | { readonly strong: string }
  /** Milliseconds since the epoch: shown in the reader's time zone where the medium can. */
  | { readonly atMs: number };

const INSTANT = /\b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?Z/g;

/** A sentence as parts: its RFC 3339 instants become instants. */
export function saidParts(sentence: string): Part[] {
  const parts: Part[] = [];
  let from = 0;
  for (const match of sentence.matchAll(INSTANT)) {
    const at = parseInstantOrNull(match[0]);
    if (at === null) continue;
    if (match.index > from) parts.push({ said: sentence.slice(from, match.index) });
    parts.push({ atMs: msOf(at) });
    from = match.index + match[0].length;
  }
  if (from < sentence.length) parts.push({ said: sentence.slice(from) });
  return parts;
}

/** The instant as parts, or nothing where it is none. */
export function instantParts(instant: string | null): Part[] {
  const at = instant === null ? null : parseInstantOrNull(instant);
  return at === null ? [] : [{ atMs: msOf(at) }];
}

/** `2026-11-23 03:10 UTC`; an instant that no calendar holds as it is. */
export function utcText(atMs: number): string {
  const date = new Date(atMs);
  return Number.isNaN(date.getTime())
    ? "an unknown time"
    : `${date.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

/** At most `length` characters: a long name loses its middle, which tells least. */
export function middle(text: string, length: number): string {
  const characters = Array.from(text);
  if (characters.length <= length) return text;
  const head = Math.ceil((length - 1) * 0.6);
  return `${characters.slice(0, head).join("")}…${characters.slice(characters.length - (length - 1 - head)).join("")}`;
}

/** No more than three combining marks on one character: more only overprint the lines around. */
export function calm(text: string): string {
  return text.replace(/(\p{M}{3})\p{M}+/gu, "$1…");
}

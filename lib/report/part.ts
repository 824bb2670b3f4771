/**
 * A line of a message before it is known where it is read: words of certkeep's own, names and
 * sentences that may hold text of a cluster, and instants. Each medium escapes and shows them in
 * its own way, so nothing that came from a cluster is ever taken for markup. Pure.
 */
import { instantOf, parseMsOrNull } from "../certificate/time.ts";
import { plain } from "../plain.ts";

export type Part =
  | string
  /** A name as a cluster has it. */
  | { readonly name: string }
  /** A sentence that may hold text of a cluster. */
  | { readonly said: string }
  /** certkeep's own words, to be seen first. */
  | { readonly strong: string }
  /** Milliseconds since the epoch: shown in the reader's time zone where the medium can. */
  | { readonly atMs: number };

export type Text = readonly Part[];

/**
 * A sentence: its fixed words are certkeep's own, text put in may be a cluster's, numbers and
 * instants are shown as such.
 */
export function say(
  words: TemplateStringsArray,
  ...values: readonly (string | number | Part | Text)[]
): Text {
  return words.flatMap((written, index): Text => {
    const fixed = written.replaceAll(/\n\s*/g, " ");
    const value = index < values.length ? values[index] : undefined;
    const next: Text =
      value === undefined
        ? []
        : typeof value === "string"
          ? [{ said: value }]
          : typeof value === "number"
            ? [value.toLocaleString("en-US")]
            : Array.isArray(value)
              ? (value as Text)
              : [value as Part];
    return fixed === "" ? next : [fixed, ...next];
  });
}

/** certkeep's own words, put into a sentence. */
export function own(words: string): Text {
  return words === "" ? [] : [words];
}

export function at(atMs: number): Text {
  return [{ atMs }];
}

/**
 * The text alone, instants as RFC 3339: for documents and terminals. What came from a cluster isn't
 * escaped yet.
 */
export function plainText(text: Text): string {
  return text
    .map((part) =>
      typeof part === "string"
        ? part
        : "name" in part
          ? part.name
          : "said" in part
            ? part.said
            : "strong" in part
              ? part.strong
              : instantOf(part.atMs),
    )
    .join("");
}

/** The text for a terminal, instants in UTC; what hides or reorders text is shown. */
export function partsText(parts: Text): string {
  return parts
    .map((part) => {
      if (typeof part === "string") return part;
      if ("name" in part) return plain(calm(part.name));
      if ("said" in part) return plain(calm(part.said));
      return "strong" in part ? part.strong : utcText(part.atMs);
    })
    .join("");
}

export function instantParts(instant: string | null): Part[] {
  const ns = instant === null ? null : parseMsOrNull(instant);
  return ns === null ? [] : [{ atMs: ns }];
}

/** A clause as a sentence. */
export function sentence(clause: Text): Text {
  const [first, ...others] = clause;
  if (first === undefined) return [];
  const capital = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
  const head =
    typeof first === "string"
      ? capital(first)
      : "said" in first
        ? { said: capital(first.said) }
        : first;
  return [head, ...others, ...(partsText(clause).endsWith(".") ? [] : ["."])];
}

/** `a, b and 3 more`, each as a name. */
export function someNames(names: readonly string[], most: number): Text {
  const more = names.length - most;
  return [
    ...names.slice(0, most).flatMap((name, i): Text => [i === 0 ? "" : ", ", { name }]),
    more > 0 ? ` and ${more.toLocaleString("en-US")} more` : "",
  ];
}

/** `2026-11-23 03:10 UTC`; an instant that no calendar holds as it is. */
export function utcText(atMs: number): string {
  const date = new Date(atMs);
  return Number.isNaN(date.getTime())
    ? "an unknown time"
    : `${date.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const YEAR_SHOWN_MS = 270 * 86_400_000;

/** `Nov 30 07:16 UTC`; with its year where that isn't clear from now. */
export function shortUtc(atMs: number, nowMs: number, seconds = false): string {
  const date = new Date(atMs);
  if (Number.isNaN(date.getTime())) return "an unknown time";
  const day = `${MONTHS[date.getUTCMonth()]} ${date.getUTCDate()}`;
  const year = Math.abs(atMs - nowMs) > YEAR_SHOWN_MS ? ` ${date.getUTCFullYear()}` : "";
  return `${day}${year} ${date.toISOString().slice(11, seconds ? 19 : 16)} UTC`;
}

/** As `plainText`, with instants as people read them on the day. */
export function shortText(text: Text, nowMs: number): string {
  return plainText(
    text.map((part) =>
      typeof part === "object" && "atMs" in part ? shortUtc(part.atMs, nowMs) : part,
    ),
  );
}

/** At most `length` characters: a long name loses its middle, which tells least. */
export function middle(text: string, length: number): string {
  const characters = Array.from(text);
  if (characters.length <= length) return text;
  const head = Math.ceil((length - 1) * 0.6);
  const tail = characters.length - (length - 1 - head);
  return `${characters.slice(0, head).join("")}…${characters.slice(tail).join("")}`;
}

/** No more than three combining marks on one character: more only overprint the lines around. */
export function calm(text: string): string {
  return text.replace(/(\p{M}{3})\p{M}+/gu, "$1…");
}

/** Text for a terminal: widths are counted as a terminal shows them. Pure. */
import stringWidth from "string-width";
import { plain } from "../plain.ts";
import { plainText, type Text } from "./part.ts";

/**
 * How a medium marks what matters; the plain style marks nothing, so that a pipe and a screen
 * reader get words alone.
 */
export interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly green: (text: string) => string;
}

const same = (text: string): string => text;

export const PLAIN: Style = { bold: same, dim: same, red: same, yellow: same, green: same };

export interface Page {
  readonly width: number;
  readonly style: Style;
}

/** At most `width` columns; what is cut is marked by `…`. */
export function cut(text: string, width: number): string {
  // No text has so many letters and marks in a column; of more, widths would be counted for
  // seconds.
  const head = text.slice(0, 40 * width);
  if (head === text && stringWidth(text) <= width) return text;
  let out = "";
  let used = 0;
  for (const { segment } of new Intl.Segmenter("en", { granularity: "grapheme" }).segment(head)) {
    const w = stringWidth(segment);
    if (used + w > width - 1) break;
    out += segment;
    used += w;
  }
  return `${out}…`;
}

export function pad(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - stringWidth(text)));
}

/**
 * Lines of at most `width` columns, broken at spaces; a longer word stands alone. `indent` precedes
 * every line.
 */
export function wrap(text: string, width: number, indent = ""): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/ +/)) {
    const next = line === "" ? word : `${line} ${word}`;
    if (line !== "" && stringWidth(indent + next) > width) {
      lines.push(indent + line);
      line = word;
    } else line = next;
  }
  if (line !== "") lines.push(indent + line);
  return lines;
}

/** A paragraph, escaped; `paint` marks it as the page does. */
export function paragraph(
  text: string | Text,
  { width }: Pick<Page, "width">,
  paint: (words: string) => string = (words) => words,
  indent = "  ",
): string[] {
  return wrap(paint(plain(typeof text === "string" ? text : plainText(text))), width, indent);
}

/** A heading and what stands under it; nothing where nothing does. */
export function section(title: string, lines: readonly string[], { style }: Page): string[] {
  return lines.length === 0 ? [] : ["", style.bold(plain(title)), ...lines];
}

export function capitalized(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}

export function count(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString("en-US")} ${n === 1 ? one : many}`;
}

/** `a, b and 3 more` */
export function some(all: readonly string[], most: number): string {
  const more = all.length - most;
  return (
    all.slice(0, most).join(", ") + (more > 0 ? ` and ${more.toLocaleString("en-US")} more` : "")
  );
}

/**
 * A span for people: `3 days`, `5 hours`, `12 minutes`, `9 seconds`; rounded down. `ms` may be
 * negative: its absolute value counts.
 */
export function span(ms: number): string {
  const seconds = Math.floor(Math.abs(ms) / 1000);
  if (seconds < 60) return count(seconds, "second");
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return count(minutes, "minute");
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return count(hours, "hour");
  return count(Math.floor(hours / 24), "day");
}

/** `3 minutes`, `2 hours`, `5 days`; rounded down. */
export function spanPhrase(ms: number): string {
  const units = [
    ["day", 86_400_000],
    ["hour", 3_600_000],
    ["minute", 60_000],
    ["second", 1000],
  ] as const;
  for (const [unit, lengthMs] of units) {
    const n = Math.floor(ms / lengthMs);
    if (n >= (unit === "day" || unit === "hour" ? 2 : 1))
      return `${n} ${unit}${n === 1 ? "" : "s"}`;
  }
  return "a second";
}

const INSTANT = /^\d{4}-\d{2}-\d{2}T\S+Z$/;
/** Columns aren't cut to less, as long as another can be. */
const READABLE = 12;
const READABLE_BESIDE_A_NAME = 20;

/** The widest column that isn't one of these. */
function widestBut(widths: readonly number[], spared: ReadonlySet<number>): number {
  const most = Math.max(0, ...widths.filter((_, column) => !spared.has(column)));
  return widths.findIndex((one, column) => one === most && !spared.has(column));
}

/** Which column to cut: names, which stand first, and instants are cut last. */
function columnToCut(widths: readonly number[], instants: ReadonlySet<number>): number {
  const beside = widestBut(widths, new Set([0, ...instants]));
  if ((widths[beside] ?? 0) > READABLE_BESIDE_A_NAME) return beside;
  const shorter = widestBut(widths, instants);
  return (widths[shorter] ?? 0) > READABLE ? shorter : widestBut(widths, new Set());
}

/** `tailscale/…`, where the first cell has the rest. */
function withoutRepetition(row: readonly string[]): string[] {
  const [first = ""] = row;
  return row.map((cell) =>
    first !== "" && cell.endsWith(`/${first}`) ? `${cell.slice(0, -first.length)}…` : cell,
  );
}

function widthsOf(rows: readonly (readonly string[])[]): number[] {
  const [head = []] = rows;
  return head.map((_, column) => Math.max(...rows.map((row) => stringWidth(row[column] ?? ""))));
}

const sumOf = (widths: readonly number[]): number => widths.reduce((sum, one) => sum + one, 0);

/**
 * A table: columns as wide as they need, two spaces between, no lines. Where it doesn't fit, cells
 * that repeat the first are shortened, then columns are cut.
 */
export function tableLines(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  width: number,
  indent = "",
): string[] {
  const whole = [head, ...rows].map((row) => row.map(plain));
  const room = width - stringWidth(indent) - 2 * (head.length - 1);
  const clean = sumOf(widthsOf(whole)) > room ? whole.map(withoutRepetition) : whole;
  const widths = widthsOf(clean);
  const instants = new Set(
    head.flatMap((_, column) =>
      rows.some((row) => INSTANT.test(row[column] ?? "")) ? [column] : [],
    ),
  );
  while (sumOf(widths) > room) {
    const column = columnToCut(widths, instants);
    const widest = widths[column] ?? 0;
    if (widest <= 6) break;
    widths[column] = widest - 1;
  }
  return clean.map((row) =>
    (
      indent +
      row.map((cell, column) => pad(cut(cell, widths[column] ?? 6), widths[column] ?? 6)).join("  ")
    ).trimEnd(),
  );
}

/** The same with a dimmed head; nothing without rows. */
export function headedTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { width, style }: Page,
): string[] {
  if (rows.length === 0) return [];
  const [first = "", ...body] = tableLines(head, rows, width, "  ");
  return [style.dim(first), ...body];
}

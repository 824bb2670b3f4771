/**
 * Items for a terminal: a section for each severity, what happened to whom on one line, then
 * labels. Commands are never wrapped or cut.
 */
import stringWidth from "string-width";
import type { Severity } from "../../finding/codes.ts";
import { parseMs } from "../../certificate/time.ts";
import { plain } from "../../plain.ts";
import type { Item, ItemEvent, ItemSubject } from "../items.ts";
import { shortText, shortUtc, type Text } from "../part.ts";
import { adviceOf, adviceText, leadsToText, seenText } from "../phrases.ts";
import { pad, type Page, type Style, wrap } from "../text.ts";
import { countText } from "./say.ts";

export interface ItemsPage extends Page {
  readonly nowMs: number;
  /** Whether clusters have to be told apart. */
  readonly several: boolean;
  /** Names shown of one item; the others are counted. */
  readonly names: number;
  /** Only what is needed to act. */
  readonly brief: boolean;
  readonly verbose: boolean;
}

export interface ShownItems {
  readonly lines: readonly string[];
  readonly hidden: boolean;
}

const HEADINGS: Readonly<Record<Severity, string>> = {
  critical: "CRITICAL",
  warning: "WARNING",
  info: "INFO",
};

const LABEL = "Prevent".length;
const INDENT = "    ";
const AS_ABOVE: Text = ["as above"];
const MAX_SPELT = 20;

const FEW_NAMES = 5;

/** Within `most` lines as far as possible: names are counted first, then items. */
export function itemLines(
  items: readonly Item[],
  page: Omit<ItemsPage, "brief">,
  most = Number.POSITIVE_INFINITY,
): ShownItems {
  const whole = linesWithin(items, { ...page, brief: false }, Number.POSITIVE_INFINITY);
  if (whole.lines.length <= most) return whole;
  const names = Math.min(page.names, FEW_NAMES);
  return linesWithin(items, { ...page, names, brief: true }, most);
}

function linesWithin(items: readonly Item[], page: ItemsPage, most: number): ShownItems {
  const lines: string[] = [];
  const fixes = new Set<string>();
  let hidden = false;
  let heading = "";
  for (const [index, item] of items.entries()) {
    const title = headingOf(item, page.nowMs);
    const fix = shortText(item.fix.text, page.nowMs);
    const block = [
      ...(title === heading ? [] : ["", paintOf(item, page.style)(title)]),
      ...(title === heading && item.severity !== "info" ? [""] : []),
      ...itemBlock(item, page, fixes.has(fix)),
    ];
    fixes.add(fix);
    if (index > 0 && lines.length + block.length > most) {
      const left = items.length - index;
      lines.push(
        "",
        `  and ${left.toLocaleString("en-US")} more ${left === 1 ? "problem" : "problems"}`,
      );
      return { lines, hidden: true };
    }
    heading = title;
    lines.push(...block);
    if (item.events.some(({ subjects }) => subjects.length > Math.max(1, page.names)))
      hidden = true;
  }
  return { lines, hidden };
}

function headingOf({ severity, asLastSeen, clusters }: Item, nowMs: number): string {
  return asLastSeen === null
    ? HEADINGS[severity]
    : `LAST SEEN ${shortUtc(parseMs(asLastSeen), nowMs)} (${plain(clusters.join(", "))})`;
}

function paintOf({ severity, asLastSeen }: Item, style: Style): (text: string) => string {
  const paint =
    asLastSeen !== null || severity === "info"
      ? style.dim
      : severity === "critical"
        ? style.red
        : style.yellow;
  return (text) => style.bold(paint(text));
}

/** `repeated`: what to do was said of an item above. */
function itemBlock(item: Item, page: ItemsPage, repeated: boolean): string[] {
  const { width, style, nowMs } = page;
  const labelled = (label: string, text: Text): string[] =>
    labelledLines(label, plain(shortText(text, nowMs)), page);
  const { fix, more, cause, also, events, severity } = item;
  const lines = events.flatMap((event) => eventLines(event, item, page));
  if (cause.length > 0) lines.push(...labelled("Cause", cause));
  for (const one of also) lines.push(...labelled("Also", one));
  const fixText = repeated ? AS_ABOVE : fix.text;
  const quiet = severity === "info" && fix.label !== "Restore";
  if (fix.commands.length === 0) {
    if (!quiet) lines.push(...labelled(fix.label, fixText));
  } else {
    // What a restore does needs no words.
    if (fix.label === "Fix") lines.push(...labelled("Fix", fixText));
    lines.push(
      ...fix.commands.map((command, index) =>
        commandLine(fix.label === "Restore" && index === 0 ? "Restore" : "", command, style),
      ),
    );
  }
  if (more !== null && !quiet && !(page.brief && more.label === "Details"))
    lines.push(moreLine(more, item.findings[0].code, page));
  return page.verbose ? [...lines, ...speltLines(item, { width, style, nowMs })] : lines;
}

/** What the command shows; else the code, by which the documentation and `ignore:` know it. */
function moreLine(
  { label, command, note }: NonNullable<Item["more"]>,
  code: string,
  page: ItemsPage,
): string {
  const line = commandLine(label, command, page.style);
  const remark = note === "" ? code : note;
  const room = page.width - stringWidth(line);
  return room >= remark.length + 6 ? `${line}   ${page.style.dim(`(${remark})`)}` : line;
}

function commandLine(label: string, command: string, style: Style): string {
  return `${INDENT}${style.dim(pad(label, LABEL))}  ${style.green(command)}`;
}

function labelledLines(label: string, text: string, { width, style }: Page): string[] {
  const hang = " ".repeat(INDENT.length + LABEL + 2);
  const [first = "", ...rest] = wrap(text, width, hang);
  return [`${INDENT}${style.dim(pad(label, LABEL))}  ${first.slice(hang.length)}`, ...rest];
}

/** `shop.example  Secret missing; …`, or `11 certificates: …` and their names. */
function eventLines(event: ItemEvent, item: Item, page: ItemsPage): string[] {
  const { subjects, what } = event;
  const { width, style, nowMs } = page;
  const text = plain(shortText(what, nowMs));
  const [first] = subjects;
  if (first !== undefined && subjects.length === 1) {
    const name = plain(subjectName(first, page));
    return [
      ...hanging(`${style.bold(name)}\u00A0 ${text}`, `${name}  ${text}`, width),
      ...wrappedNames(event.names, " ", page),
    ];
  }
  const head = `${countText(event)}: ${text}`;
  const where =
    page.several && item.clusters.length === 1 ? ` (${plain(item.clusters[0] ?? "")})` : "";
  return [
    ...hanging(style.bold(head) + where, head + where, width),
    ...nameLines(subjects, item, page),
  ];
}

/** The first line at 2 columns, what doesn't fit at 4. */
function hanging(painted: string, bare: string, width: number): string[] {
  const spaced = (line: string): string => line.replaceAll("\u00A0", " ");
  if (stringWidth(bare) + 2 <= width) return [`  ${spaced(painted)}`];
  const [first = "", ...rest] = wrap(painted, width, "  ");
  return [first, ...wrap(rest.map((line) => line.trim()).join(" "), width, INDENT)].map(spaced);
}

function subjectName({ name, cluster }: ItemSubject, { several }: ItemsPage): string {
  return several && name !== cluster ? `${name} (${cluster})` : name;
}

/** The part that all names end with, from a dot on; empty where they share none. */
function sharedSuffix(names: readonly string[]): string {
  const [first] = names;
  if (first === undefined || names.length < 3) return "";
  for (let dot = first.indexOf("."); dot !== -1; dot = first.indexOf(".", dot + 1)) {
    const suffix = first.slice(dot);
    if (suffix.length > 3 && names.every((name) => name.endsWith(suffix) && name !== suffix))
      return suffix;
  }
  return "";
}

function nameLines(subjects: readonly ItemSubject[], item: Item, page: ItemsPage): string[] {
  const several = page.several && item.clusters.length > 1;
  return several
    ? wrappedNames(
        subjects.map((subject) => subjectName(subject, page)),
        ", ",
        page,
      )
    : wrappedNames(
        subjects.map(({ name }) => name),
        " ",
        page,
      );
}

/** As many as the page shows, without the domain that all share. */
function wrappedNames(names: readonly string[], separator: string, page: ItemsPage): string[] {
  if (names.length === 0) return [];
  const { width, style, names: most } = page;
  const shown = names.slice(0, most);
  const suffix = separator === " " ? sharedSuffix(names) : "";
  const words = shown.map((name) =>
    plain(name.slice(0, name.length - suffix.length)).replaceAll(" ", "\u00A0"),
  );
  const left = names.length - shown.length;
  const more = left === 0 ? "" : ` and\u00A0${left.toLocaleString("en-US")}\u00A0more`;
  const under = suffix === "" ? "" : ` (under\u00A0${plain(suffix.slice(1))})`;
  return wrap(`${words.join(separator)}${more}${under}`, width, INDENT).map((line) =>
    style.dim(line.replaceAll("\u00A0", " ")),
  );
}

function speltLines(
  { findings, fix }: Item,
  { width, style, nowMs }: Page & { readonly nowMs: number },
): string[] {
  const lines = findings.slice(0, MAX_SPELT).flatMap((finding) => {
    const { subject, code } = finding;
    const place =
      subject.secret === null
        ? (subject.namespace ?? "")
        : `${subject.namespace}/${subject.secret}`;
    const said = [
      shortText(seenText(finding), nowMs),
      leadsToText(finding),
      shortText(adviceText(adviceOf(finding)), nowMs),
    ].join(" ");
    return wrap(plain(`${code}${place === "" ? "" : ` ${place}`}: ${said}`), width, INDENT);
  });
  const left = findings.length - MAX_SPELT;
  return [
    ...lines.map((line) => style.dim(line)),
    ...(left > 0 ? [style.dim(`${INDENT}and ${left} more findings`)] : []),
    ...fix.invokes.map((command) => commandLine("AWS", command, style)),
  ];
}

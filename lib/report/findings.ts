/**
 * Findings as text for a terminal, worst first: a list while a person can read one, else a summary
 * by cause. Pure.
 */
import { parseMs, parseMsOrNull } from "../certificate/time.ts";
import { SEVERITIES, type Severity } from "../finding/codes.ts";
import type { Finding } from "../finding/finding.ts";
import { findingCommands, findingInvoke, isOnlyExplained } from "./command.ts";
import { plainText, type Text } from "./part.ts";
import { adviceOf, causeText, groupKey, leadsToText, seenText, whyText } from "./phrases.ts";
import { count, span, type Style, wrap } from "./text.ts";
import { plain } from "../plain.ts";

/** More findings than this are grouped by cause. */
const LIST_AT_MOST = 20;
const EXAMPLES = 3;

export interface FindingsView {
  readonly findings: readonly Finding[];
  readonly nowMs: number;
  readonly width: number;
  readonly style: Style;
  /** Whether findings of several clusters are shown, so that each subject needs its cluster. */
  readonly several: boolean;
}

const HEADINGS: Readonly<Record<Severity, string>> = {
  critical: "Critical",
  warning: "Soon",
  info: "Info",
};

/** Worst first, then by when it comes true, then by subject. */
export function sortFindings(findings: readonly Finding[]): Finding[] {
  return findings.toSorted(
    (a, b) =>
      SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity) ||
      compare(a.due ?? "9", b.due ?? "9") ||
      compare(a.id, b.id),
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function findingLines(view: FindingsView): string[] {
  const sorted = sortFindings(view.findings);
  const lines: string[] = [];
  for (const severity of SEVERITIES) {
    const of = sorted.filter((finding) => finding.severity === severity);
    if (of.length === 0) continue;
    const paint =
      severity === "critical" ? view.style.red : severity === "warning" ? view.style.yellow : same;
    lines.push(
      "",
      view.style.bold(paint(`${HEADINGS[severity]} (${of.length.toLocaleString("en-US")})`)),
      "",
    );
    lines.push(
      ...(sorted.length > LIST_AT_MOST
        ? causeLines(of, view)
        : groupsOf(of).flatMap((group) => [...groupLines(group, view), ""])
      ).slice(0, -1),
    );
  }
  return lines;
}

const same = (text: string): string => text;

/** Findings that lead to the same and need the same done, in the order of their first. */
function groupsOf(findings: readonly Finding[]): readonly Finding[][] {
  return [...Map.groupBy(findings, groupKey).values()];
}

function placeText(finding: Finding, several: boolean): readonly [name: string, place: string] {
  const { cluster, namespace, secret, name } = finding.subject;
  const where = [
    several ? cluster : null,
    namespace === null
      ? null
      : secret === null
        ? `namespace ${namespace}`
        : `${namespace}/${secret}`,
  ]
    .filter((part) => part !== null)
    .join(" ");
  if (name === null) return [where === "" ? cluster : where, ""];
  return [name, where];
}

/** `expired, since 2 days ago`: the code as `ignore:` takes it, and the time that matters most. */
function stateText({ code, due, since, asLastSeen }: Finding, nowMs: number): string {
  const dueMs = due === null ? null : parseMsOrNull(due);
  const ms = dueMs === null ? nowMs - parseMs(since) : dueMs - nowMs;
  const when =
    dueMs === null
      ? ms < 60_000
        ? ""
        : `, since ${span(ms)} ago`
      : ms < 0
        ? `, ${span(ms)} ago`
        : `, in ${span(ms)}`;
  const isTimed = code === "expired" || code === "expiring" || dueMs === null;
  const seen = asLastSeen === null ? "" : `, as last seen ${asLastSeen}`;
  return `${code}${isTimed ? when : ""}${seen}`;
}

function textLines(text: Text, width: number): string[] {
  return text.length === 0 ? [] : wrap(plain(plainText(text)), width, "    ");
}

function groupLines(
  findings: readonly Finding[],
  { width, style, several, nowMs }: FindingsView,
): string[] {
  const [first] = findings;
  if (first === undefined) return [];
  // What only explains a finding doesn't do what is advised.
  const [explaining, doing] = [true, false].map((only) =>
    findings
      .filter((finding) => isOnlyExplained(finding) === only)
      .flatMap((finding) => [...findingCommands(finding), findingInvoke(finding)])
      .filter((command) => command !== null),
  ) as [string[], string[]];
  const heads = findings.flatMap((finding) => {
    const [name, place] = placeText(finding, several);
    return [
      `  ${style.bold(plain(name))}${place === "" ? "" : `  ${plain(place)}`}  ` +
        `${style.dim(plain(stateText(finding, nowMs)))}`,
      ...textLines(seenText(finding), width),
      ...textLines(whyText(finding), width),
      ...textLines(adviceOf(finding).own, width),
    ];
  });
  return [
    ...heads,
    ...(first.severity === "info" ? [] : wrap(leadsToText(first), width, "    ")),
    ...wrap(`Do: ${adviceOf(first).general}${doing.length === 0 ? "." : ":"}`, width, "    "),
    ...doing.map((command) => `      ${style.green(command)}`),
    ...(explaining.length === 0 ? [] : ["    More about it:"]),
    ...explaining.map((command) => `      ${style.green(command)}`),
  ];
}

function causeLines(findings: readonly Finding[], view: FindingsView): string[] {
  const { width, style, several } = view;
  // Of one cause some may be restored and others not: each says what to do about it.
  const causes = Map.groupBy(findings, (finding) =>
    JSON.stringify([finding.cause, groupKey(finding)]),
  );
  return [...causes.values()]
    .toSorted((a, b) => b.length - a.length)
    .flatMap((of) => {
      const [first] = of;
      if (first === undefined) return [];
      if (of.length === 1) return [...groupLines(of, view), ""];
      const names = of.slice(0, EXAMPLES).map((finding) =>
        placeText(finding, several)
          .filter((part) => part !== "")
          .join("  "),
      );
      const why = plainText(whyText(first));
      const left = of.length - EXAMPLES;
      const more = left > 0 ? `, and ${left.toLocaleString("en-US")} more` : "";
      return [
        `  ${style.bold(plain(`${count(of.length, "finding")}: ${causeText(first.cause)}`))}`,
        ...wrap(
          plain(`For example: ${plainText(seenText(first))}${why === "" ? "" : ` ${why}`}`),
          width,
          "    ",
        ),
        ...wrap(plain(`These: ${names.join(", ")}${more}.`), width, "    "),
        ...wrap(`Do: ${adviceOf(first).general}.`, width, "    "),
        "",
      ];
    });
}

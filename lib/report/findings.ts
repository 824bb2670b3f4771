/** Findings as text for a terminal, worst first: a list while a person can read one, else a summary by cause. Pure. */
import { SEVERITIES, type Severity } from "../finding/codes.ts";
import type { Finding } from "../finding/finding.ts";
import { instantNs, msOf } from "../finding/verdict.ts";
import type { Style } from "./style.ts";
import { count, plain, span, wrap } from "./text.ts";

/** More findings than this are told by cause. */
const LIST_AT_MOST = 20;
const EXAMPLES = 3;

export interface FindingsView {
  readonly findings: readonly Finding[];
  readonly nowNs: bigint;
  readonly width: number;
  readonly style: Style;
  /** Whether several clusters are told of, so that each subject needs its cluster. */
  readonly several: boolean;
}

const HEADINGS: Readonly<Record<Severity, string>> = { critical: "Needs you now", warning: "Soon", information: "For information" };

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
    const paint = severity === "critical" ? view.style.red : severity === "warning" ? view.style.yellow : view.style.bold;
    lines.push("", view.style.bold(paint(`${HEADINGS[severity]} (${of.length})`)));
    lines.push(...(sorted.length > LIST_AT_MOST ? causeLines(of, view) : of.flatMap((finding) => oneLines(finding, view))));
  }
  return lines;
}

function placeText(finding: Finding, several: boolean): string {
  const { cluster, namespace, secret, name } = finding.subject;
  const where = [several ? cluster : null, namespace === null ? null : secret === null ? `namespace ${namespace}` : `${namespace}/${secret}`].filter((part) => part !== null).join(" ");
  if (name === null) return where === "" ? cluster : where;
  return where === "" ? name : `${name}  ${where}`;
}

function sinceText(finding: Finding, nowNs: bigint): string {
  const ms = msOf(nowNs - instantNs(finding.since));
  const since = ms < 60_000 ? "" : `, since ${span(ms)} ago`;
  return finding.asLastSeen === null ? since : `${since}, as last seen ${finding.asLastSeen}`;
}

function oneLines(finding: Finding, { width, style, several, nowNs }: FindingsView): string[] {
  return [
    `  ${style.bold(plain(placeText(finding, several)))}  ${style.dim(finding.code + sinceText(finding, nowNs))}`,
    ...wrap(plain(finding.seen), width, "    "),
    ...(finding.severity === "information" ? [] : wrap(plain(`Leads to: ${finding.leadsTo}.`), width, "    ")),
    ...wrap(plain(`Do: ${finding.advice}${finding.command === null ? "." : ":"}`), width, "    "),
    ...(finding.command === null ? [] : [`      ${style.green(finding.command)}`]),
  ];
}

function causeLines(findings: readonly Finding[], { width, style, several }: FindingsView): string[] {
  const causes = new Map<string, Finding[]>();
  for (const finding of findings) {
    const list = causes.get(finding.cause);
    if (list === undefined) causes.set(finding.cause, [finding]);
    else list.push(finding);
  }
  return [...causes.entries()]
    .toSorted(([, a], [, b]) => b.length - a.length)
    .flatMap(([cause, of]) => {
      const [first] = of;
      if (first === undefined) return [];
      if (of.length === 1) return oneLines(first, { findings, width, style, several, nowNs: instantNs(first.since) });
      const names = of.slice(0, EXAMPLES).map((finding) => placeText(finding, several));
      return [
        `  ${style.bold(`${count(of.length, "finding")} of ${cause.replace(":", ": ").replaceAll("_", " ")}`)}`,
        ...wrap(plain(`For example: ${first.seen}`), width, "    "),
        ...wrap(plain(`These: ${names.join(", ")}${of.length > EXAMPLES ? `, and ${of.length - EXAMPLES} more` : ""}.`), width, "    "),
        ...wrap(plain(`Do: ${first.advice}.`), width, "    "),
      ];
    });
}

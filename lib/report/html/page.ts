/**
 * The state of everything as one self-contained page: no network, no other file. Pure.
 *
 * What needs people, clusters and budgets are plain HTML, readable without scripts; the table of
 * certificates is made by the page's own script. The policy allows that script and that style by
 * their digests and nothing else.
 */
import { SEVERITIES, type Severity } from "../../finding/codes.ts";
import type { Finding } from "../../finding/finding.ts";
import { type BudgetLevel, isLow, levelText } from "../budgets.ts";
import { sortFindings } from "../findings.ts";
import { findingCommand, findingInvoke } from "../command.ts";
import { instantParts, type Text, utcText } from "../part.ts";
import { adviceOf, groupKey, leadsToText, seenText, whyText } from "../phrases.ts";
import type { CertificateRow } from "../rows.ts";
import type { ClusterSummary } from "../summary.ts";
import { count } from "../text.ts";
import {
  findingCount,
  ignoredNotes,
  SIGHTS,
  sumOf,
  unregisteredNotes,
  verdictText,
} from "../verdict.ts";
import { certificateSection, tableData } from "./certificates.ts";
import { levelChart } from "./chart.ts";
import { cspHash, html, scriptJson } from "./escape.ts";
import { SCRIPT } from "./script.ts";
import { STYLE } from "./style.ts";

export interface PageInput {
  readonly summaries: readonly ClusterSummary[];
  readonly rows: readonly CertificateRow[];
  readonly budgets: readonly BudgetLevel[];
  readonly unregistered: readonly string[];
  readonly atMs: number;
}

/** Findings of one severity that are written out; the table has all. */
const FINDINGS_SHOWN = 100;
const BUDGETS_SHOWN = 24;
const CLUSTERS_SHOWN = 1000;

const HEADINGS: Readonly<Record<Severity, string>> = {
  critical: "Critical",
  warning: "Soon",
  info: "Info",
};
export function pageHtml(input: PageInput): string {
  const { summaries, atMs } = input;
  const verdict = verdictText(summaries, atMs);
  const policy =
    `default-src 'none'; script-src ${cspHash(SCRIPT)}; style-src ${cspHash(STYLE)}; base-uri ` +
    "'none'; form-action 'none'";
  return [
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${policy}">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n' +
      '<meta name="referrer" content="no-referrer">\n' +
      '<meta name="robots" content="noindex">',
    `<title>certkeep: ${html(verdict)}</title>`,
    `<style>${STYLE}</style>\n</head>\n<body>`,
    '<a class="skip" href="#certificates">To the certificates</a>',
    `<header><p class="brand">certkeep</p><h1>${html(verdict)}</h1><p class="soft">As of ` +
      `${timeTag(atMs)}, from what audits recorded of ` +
      `${count(summaries.length, "cluster")}.</p>${tiles(summaries)}</header>`,
    "<main>",
    ...SEVERITIES.map((severity) => findingSection(severity, summaries)),
    budgetSection(input),
    certificateSection(input.rows, summaries.length > 1),
    clusterSection(summaries),
    "</main>",
    `<footer>${footText(input)}</footer>`,
    `<script type="application/json" id="data">${scriptJson(tableData(input.rows, atMs))}</script>`,
    `<script>${SCRIPT}</script>\n</body>\n</html>\n`,
  ].join("\n");
}

/** Shown in UTC, and by the script in the reader's zone. */
function timeTag(atMs: number): string {
  const date = new Date(atMs);
  return Number.isNaN(date.getTime())
    ? "an unknown time"
    : `<time datetime="${date.toISOString()}">${html(utcText(atMs))}</time>`;
}

function tiles(summaries: readonly ClusterSummary[]): string {
  const all: readonly (readonly [name: string, title: string, n: number])[] = [
    ["critical", "Critical", findingCount(summaries, "critical")],
    ["warning", "Soon", findingCount(summaries, "warning")],
    ["ok", "Certificates OK", sumOf(summaries, ({ tally }) => tally.ok)],
    ["warning", "Not known now", sumOf(summaries, ({ tally }) => tally.unknown)],
    ["copies", "With an encrypted backup", sumOf(summaries, ({ tally }) => tally.copies)],
  ];
  const tile = ([name, title, n]: (typeof all)[number]): string =>
    `<div class="${n === 0 && name !== "ok" ? "" : name}">` +
    `<dt>${title}</dt><dd>${n.toLocaleString("en-US")}</dd></div>`;
  return `<dl class="tiles">${all.map(tile).join("")}</dl>`;
}

function textHtml(text: Text): string {
  return text
    .map((part) =>
      typeof part === "string"
        ? html(part)
        : "atMs" in part
          ? timeTag(part.atMs)
          : html("name" in part ? part.name : "said" in part ? part.said : part.strong),
    )
    .join("");
}

function findingSection(severity: Severity, summaries: readonly ClusterSummary[]): string {
  const findings = sortFindings(
    summaries.flatMap((one) => one.findings).filter((finding) => finding.severity === severity),
  );
  if (findings.length === 0) return "";
  const groups = Map.groupBy(findings.slice(0, FINDINGS_SHOWN), groupKey);
  const left = findings.length - Math.min(findings.length, FINDINGS_SHOWN);
  return [
    `<section aria-labelledby="${severity}"><h2 id="${severity}">${HEADINGS[severity]} ` +
      `(${findings.length.toLocaleString("en-US")})</h2>`,
    ...[...groups.values()].map((of) => groupHtml(severity, of)),
    left === 0
      ? ""
      : `<p class="soft">And ${left.toLocaleString("en-US")} more: in the table below, or with ` +
        "<code>certkeep report</code>.</p>",
    "</section>",
  ].join("\n");
}

function groupHtml(severity: Severity, findings: readonly Finding[]): string {
  const [first] = findings;
  if (first === undefined) return "";
  const leadsTo = severity === "info" ? "" : `<p class="soft">${html(leadsToText(first))}</p>`;
  const items = findings.map((finding) => findingHtml(severity, finding)).join("");
  return (
    `<article class="group ${severity}"><h3>${html(adviceOf(first).general)}</h3>` +
    `${leadsTo}<ul>${items}</ul></article>`
  );
}

function findingHtml(severity: Severity, finding: Finding): string {
  const { cluster, namespace, secret, name } = finding.subject;
  const place = [
    cluster,
    namespace === null ? "" : secret === null ? namespace : `${namespace}/${secret}`,
  ]
    .filter((part) => part !== "")
    .join(" ");
  const why = whyText(finding);
  const { own } = adviceOf(finding);
  const commands = [findingCommand(finding), findingInvoke(finding)].filter((one) => one !== null);
  return [
    `<li><span class="name">${html(name ?? place)}</span> `,
    name === null ? "" : `<span class="soft">${html(place)}</span>`,
    ` <span class="tag ${severity}">${html(finding.code)}</span><p>${textHtml(seenText(finding))}`,
    own.length === 0 ? "" : ` ${textHtml(own)}`,
    finding.asLastSeen === null
      ? ""
      : ` As last seen ${textHtml(instantParts(finding.asLastSeen))}.`,
    "</p>",
    why.length === 0 ? "" : `<p class="why">${textHtml(why)}</p>`,
    ...commands.map((command) => `<code class="cmd">${html(command)}</code>`),
    "</li>",
  ].join("");
}

function budgetSection({ budgets, atMs }: PageInput): string {
  const touched = budgets
    .filter(({ remaining, capacity }) => remaining < capacity)
    .toSorted((a, b) => a.remaining / a.capacity - b.remaining / b.capacity);
  if (touched.length === 0) return "";
  const shown = touched.slice(0, BUDGETS_SHOWN);
  const left = touched.length - shown.length;
  return [
    '<section aria-labelledby="budgets"><h2 id="budgets">What can still be issued</h2>' +
      '<div class="budgets">',
    ...shown.map((one) => budgetHtml(one, atMs)),
    "</div>",
    left === 0 ? "" : `<p class="soft">And ${left.toLocaleString("en-US")} with more left.</p>`,
    "</section>",
  ].join("\n");
}

function budgetHtml(budget: BudgetLevel, atMs: number): string {
  const { name, remaining, capacity, nextSlotMs, fullAtMs, overshot } = budget;
  const by = overshot ? "by " : "";
  const low = `<span class="tag ${remaining <= 0 ? "critical" : "warning"}">low</span> `;
  const words = remaining <= 0 ? `None of ${capacity} left: locked out` : levelText(budget);
  const next = nextSlotMs === null ? "" : `; next available ${by}${timeTag(nextSlotMs)}`;
  const full = fullAtMs === null ? "" : `; full again ${by}${timeTag(fullAtMs)}`;
  return (
    `<article class="budget"><h3>${html(name)}</h3>` +
    `<p>${isLow(budget) ? low : ""}${words}${next}${full}.</p>${levelChart(budget, atMs)}</article>`
  );
}

const CLUSTER_NUMBERS: readonly (readonly [title: string, of: (one: ClusterSummary) => number])[] =
  [
    ["Certificates", ({ tally }) => tally.certificates],
    ["OK", ({ tally }) => tally.ok],
    ["Not known", ({ tally }) => tally.unknown],
    ["Copies", ({ tally }) => tally.copies],
    ["Findings", ({ findings }) => findings.length],
  ];

function clusterSection(summaries: readonly ClusterSummary[]): string {
  if (summaries.length === 0) return "";
  const sorted = summaries.toSorted(
    (a, b) =>
      Number(b.sight !== "now") - Number(a.sight !== "now") ||
      b.findings.length - a.findings.length ||
      (a.cluster < b.cluster ? -1 : 1),
  );
  const heads = CLUSTER_NUMBERS.map(([title]) => `<th scope="col" class="num">${title}</th>`);
  const left = sorted.length - CLUSTERS_SHOWN;
  const more = left > 0 ? `<p class="soft">And ${left.toLocaleString("en-US")} more.</p>` : "";
  return [
    '<section aria-labelledby="clusters">' +
      `<h2 id="clusters">Clusters (${summaries.length.toLocaleString("en-US")})</h2>` +
      '<div class="scroll" role="region" aria-label="Table of clusters" tabindex="0">' +
      '<table class="cards"><thead><tr><th scope="col">Cluster</th><th scope="col">Seen</th>' +
      `${heads.join("")}</tr></thead><tbody>`,
    ...sorted.slice(0, CLUSTERS_SHOWN).map(clusterRow),
    `</tbody></table></div>${more}</section>`,
  ].join("\n");
}

function clusterRow(summary: ClusterSummary): string {
  const { title, sight, seenAt } = summary;
  const tag =
    sight === "now"
      ? '<span class="tag ok">yes</span>'
      : `<span class="tag warning">${SIGHTS[sight]}</span>`;
  const seen =
    seenAt === null ? "" : ` <span class="soft">${textHtml(instantParts(seenAt))}</span>`;
  const numbers = CLUSTER_NUMBERS.map(
    ([label, of]) =>
      `<td data-label="${label}" class="num">${of(summary).toLocaleString("en-US")}</td>`,
  );
  return (
    `<tr><td><span class="name">${html(title)}</span></td>` +
    `<td data-label="Seen">${tag}${seen}</td>${numbers.join("")}</tr>`
  );
}

function footText({ summaries, unregistered }: PageInput): string {
  return [
    ...ignoredNotes(sumOf(summaries, ({ ignored }) => ignored)),
    ...unregisteredNotes(unregistered, 20).map(textHtml),
    "This page holds no key and no certificate, and asks nobody for anything.",
  ]
    .map((note) => `<p>${note}</p>`)
    .join("");
}

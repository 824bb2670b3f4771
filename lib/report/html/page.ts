/**
 * The state of everything as one page that needs nothing else: no network, no file beside it. Pure.
 *
 * What needs people, clusters and budgets are plain HTML, readable without scripts; the table of
 * certificates is made by the page's own script. The policy allows that script and that style by
 * their digests and nothing else.
 */
import { SEVERITIES, type Severity } from "../../finding/codes.ts";
import type { Finding } from "../../finding/finding.ts";
import { isLow, levelText, type BudgetLevel } from "../budget.ts";
import { sortFindings } from "../findings.ts";
import { findingCommand, findingInvoke } from "../command.ts";
import { instantParts, type Text, utcText } from "../part.ts";
import { adviceOf, groupKey, leadsToText, seenText, whyText } from "../phrases.ts";
import type { CertificateRow, RowStatus } from "../rows.ts";
import type { ClusterSummary } from "../summary.ts";
import { count } from "../text.ts";
import { verdictText } from "../verdict.ts";
import { levelChart } from "./chart.ts";
import { cspHash, html, scriptJson } from "./escape.ts";
import { SCRIPT } from "./script.ts";
import { STYLE } from "./style.ts";
import { plain } from "../../plain.ts";

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
  critical: "Needs you today",
  warning: "Soon",
  information: "For information",
};
const SIGHTS: Readonly<Record<ClusterSummary["sight"], string>> = {
  now: "yes",
  part: "partly read",
  stale: "no recent audit",
  unseen: "can't be seen",
  never: "never audited",
  unreadable: "state unreadable",
};
const STATUSES: readonly (readonly [RowStatus, string])[] = [
  ["critical", "Today"],
  ["warning", "Soon"],
  ["unknown", "Not known"],
  ["information", "Note"],
  ["staging", "Staging"],
  ["fine", "Fine"],
];

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
    certificateSection(input),
    clusterSection(summaries),
    "</main>",
    `<footer>${footText(input)}</footer>`,
    `<script type="application/json" id="data">${scriptJson(tableData(input))}</script>`,
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
  const sum = (pick: (one: ClusterSummary) => number): number =>
    summaries.reduce((total, one) => total + pick(one), 0);
  const found =
    (severity: Severity) =>
    (one: ClusterSummary): number =>
      one.findings.filter((finding) => finding.severity === severity).length;
  const tile = (name: string, title: string, n: number): string =>
    "<div " +
    `class="${n === 0 && name !== "fine" ? "" : name}"><dt>${title}</dt><dd>${n.toLocaleString("en-US")}</dd></div>`;
  return `<dl class="tiles">${[
    tile("critical", "Need you today", sum(found("critical"))),
    tile("warning", "Soon", sum(found("warning"))),
    tile(
      "fine",
      "Certificates fine",
      sum(({ tally }) => tally.fine),
    ),
    tile(
      "warning",
      "Not known now",
      sum(({ tally }) => tally.unknown),
    ),
    tile(
      "copies",
      "With a sealed copy",
      sum(({ tally }) => tally.copies),
    ),
  ].join("")}</dl>`;
}

function said(text: Text): string {
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
  const leadsTo =
    severity === "information" ? "" : `<p class="soft">${html(leadsToText(first))}</p>`;
  return (
    `<article class="group ` +
    `${severity}"><h3>${html(adviceOf(first).general)}</h3>${leadsTo}<ul>${findings.map((finding) => findingHtml(severity, finding)).join("")}</ul></article>`
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
    ` <span class="tag ${severity}">${html(finding.code)}</span><p>${said(seenText(finding))}`,
    own.length === 0 ? "" : ` ${said(own)}`,
    finding.asLastSeen === null ? "" : ` As last seen ${said(instantParts(finding.asLastSeen))}.`,
    "</p>",
    why.length === 0 ? "" : `<p class="why">${said(why)}</p>`,
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
    '<section aria-labelledby="budgets"><h2 id="budgets">What can still be issued</h2><div ' +
      'class="budgets">',
    ...shown.map((one) => {
      const by = one.overshot ? "by " : "";
      const words =
        one.remaining <= 0 ? `None of ${one.capacity} left: locked out` : levelText(one);
      const slot =
        one.nextSlotMs === null ? "" : `; next available ${by}${timeTag(one.nextSlotMs)}`;
      const full = one.fullAtMs === null ? "" : `; full again ${by}${timeTag(one.fullAtMs)}`;
      return (
        "<article " +
        `class="budget"><h3>${html(one.name)}</h3><p>${isLow(one) ? `<span class="tag ${one.remaining <= 0 ? "critical" : "warning"}">low</span> ` : ""}${words}${slot}${full}.</p>${levelChart(one, atMs)}</article>`
      );
    }),
    "</div>",
    left === 0 ? "" : `<p class="soft">And ${left.toLocaleString("en-US")} with more left.</p>`,
    "</section>",
  ].join("\n");
}

function certificateSection({ rows, summaries }: PageInput): string {
  const option = (value: string, text: string): string =>
    `<option value="${html(value)}">${html(text)}</option>`;
  const clusters = [...new Set(rows.map(({ cluster }) => cluster))].toSorted();
  const head = (key: string, text: string): string =>
    `<th scope="col" data-key="${key}"><button class="sort" type="button">${text}</button></th>`;
  return [
    `<section aria-labelledby="certificates-title" id="certificates" tabindex="-1"><h2 ` +
      `id="certificates-title">Certificates (${rows.length.toLocaleString("en-US")})</h2>`,
    "<noscript><p>This table is made by a script, which is switched off here. <code>certkeep " +
      "report --json</code> has the same.</p></noscript>",
    '<div class="filters"><label class="wide">Filter by name, Secret, finding, issuer or ' +
      'serial<input id="query" type="search" autocomplete="off" spellcheck="false"></label>',
    `<label>State<select id="status"><option ` +
      `value="">all</option>${STATUSES.map(([value, text]) => option(value, text)).join("")}</select></label>`,
    `<label${summaries.length > 1 ? "" : " hidden"}>Cluster<select id="cluster"><option ` +
      `value="">all</option>${clusters.map((name) => option(name, name)).join("")}</select></label></div>`,
    `<div class="scroll"><table class="cards"><caption class="vh">Certificates; a name opens ` +
      "its " +
      `details</caption><thead><tr>${head("status", "State")}${head("name", "Certificate")}${head("place", "Secret")}${head("until", "Expires")}${head("copied", "Sealed copy")}</tr></thead><tbody ` +
      `id="rows"></tbody></table></div>`,
    '<div class="pages"><button class="step" id="previous" ' +
      'type="button">Previous</button><button class="step" id="next" ' +
      'type="button">Next</button><p id="count" role="status" class="soft"></p></div>',
    "</section>",
  ].join("\n");
}

function clusterSection(summaries: readonly ClusterSummary[]): string {
  if (summaries.length === 0) return "";
  const sorted = summaries.toSorted(
    (a, b) =>
      Number(b.sight !== "now") - Number(a.sight !== "now") ||
      b.findings.length - a.findings.length ||
      (a.cluster < b.cluster ? -1 : 1),
  );
  const cell = (label: string, text: string, number = true): string =>
    `<td data-label="${label}"${number ? ' class="num"' : ""}>${text}</td>`;
  const rows = sorted.slice(0, CLUSTERS_SHOWN).map(({ title, sight, seenAt, tally, findings }) => {
    const n = (value: number): string => value.toLocaleString("en-US");
    const tag =
      sight === "now"
        ? `<span class="tag fine">${SIGHTS.now}</span>`
        : `<span class="tag warning">${SIGHTS[sight]}</span>`;
    return (
      "<tr><td><span " +
      `class="name">${html(title)}</span></td>${cell("Seen", `${tag}${seenAt === null ? "" : ` <span class="soft">${said(instantParts(seenAt))}</span>`}`, false)}${cell("Certificates", n(tally.certificates))}${cell("Fine", n(tally.fine))}${cell("Not known", n(tally.unknown))}${cell("Copies", n(tally.copies))}${cell("Findings", n(findings.length))}</tr>`
    );
  });
  const left = sorted.length - rows.length;
  return [
    `<section aria-labelledby="clusters"><h2 id="clusters">Clusters ` +
      `(${summaries.length.toLocaleString("en-US")})</h2><div class="scroll" role="region" ` +
      `aria-label="Table of clusters" tabindex="0"><table class="cards"><thead><tr><th ` +
      `scope="col">Cluster</th><th ` +
      `scope="col">Seen</th>${["Certificates", "Fine", "Not known", "Copies", "Findings"].map((text) => `<th scope="col" class="num">${text}</th>`).join("")}</tr></thead><tbody>`,
    ...rows,
    `</tbody></table></div>${left === 0 ? "" : `<p class="soft">And ${left.toLocaleString("en-US")} more.</p>`}</section>`,
  ].join("\n");
}

function footText({ summaries, unregistered }: PageInput): string {
  const ignored = summaries.reduce((sum, one) => sum + one.ignored, 0);
  return [
    ...(ignored === 0
      ? []
      : [`<p>${count(ignored, "finding")} muted by ignore: in certkeep.yaml.</p>`]),
    ...(unregistered.length === 0
      ? []
      : [
          "<p>Left out, since no longer registered: " +
            `${unregistered.slice(0, 20).map(html).join(", ")}${unregistered.length > 20 ? ` and ${unregistered.length - 20} more` : ""}.</p>`,
        ]),
    "<p>This page holds no key and no certificate, and asks nobody for anything.</p>",
  ].join("");
}

/** Rows as arrays, with what repeats by its number: a fifth of the size. */
function tableData({ rows, atMs }: PageInput): object {
  const clusters = indexer();
  const issuers = indexer();
  const statuses = indexer();
  const packed = rows.map((row) => [
    clusters.of(plain(row.cluster)),
    plain(row.namespace),
    plain(row.secret),
    plain(row.name),
    statuses.of(row.status),
    row.gone ? 1 : 0,
    issuers.of(plain(row.issuer)),
    plain(row.serial),
    row.issuedMs,
    row.notBeforeMs,
    row.notAfterMs,
    row.copied ? 1 : 0,
    row.codes.join(", "),
    plain(row.seen),
    plain(row.why),
    plain(row.advice),
    row.command,
    row.history.map(({ issuedMs, untilMs }) => [issuedMs, untilMs]),
    row.restoredMs,
  ]);
  return {
    at: atMs,
    clusters: clusters.all,
    issuers: issuers.all,
    statuses: statuses.all,
    rows: packed,
  };
}

function indexer(): { readonly all: string[]; of(text: string): number } {
  const all: string[] = [];
  const known = new Map<string, number>();
  return {
    all,
    of: (text) => {
      const at = known.get(text) ?? all.push(text) - 1;
      known.set(text, at);
      return at;
    },
  };
}

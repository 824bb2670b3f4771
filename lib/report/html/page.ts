/**
 * The state of everything as one self-contained page: no network, no other file. Pure.
 *
 * Everything is plain HTML, readable without scripts; the page's own script makes the table of
 * certificates filter, sort and open, and shows times in the reader's zone. The policy allows that
 * script and that style by their digests and nothing else.
 */
import { SEVERITIES, type Severity } from "../../finding/codes.ts";
import { type BudgetLevel, isLow } from "../budgets.ts";
import { type Item, type ItemEvent, itemsOf } from "../items.ts";
import { eventTitle, figuresOf } from "../items/say.ts";
import { instantParts, own, say, type Text, utcText, sentence } from "../part.ts";
import type { CertificateRow } from "../rows.ts";
import {
  type ClusterSummary,
  titleIn,
  ignoredNotes,
  SIGHTS,
  summaryText,
  sumOf,
  unregisteredNotes,
} from "../summary.ts";
import { count } from "../text.ts";
import { certificateSection, tableData } from "./certificates.ts";
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

const BUDGETS_SHOWN = 24;
const CLUSTERS_SHOWN = 1000;

const HEADINGS: Readonly<Record<Severity, string>> = {
  critical: "Critical",
  warning: "Warnings",
  info: "Info",
};

export function pageHtml(input: PageInput): string {
  const { summaries, atMs } = input;
  const items = itemsOf({
    findings: summaries.flatMap(({ findings }) => findings),
    nameOf: titleIn(summaries),
    nowMs: atMs,
  });
  const verdict =
    summaries.length === 0 ? "No cluster was audited yet" : summaryText(summaries, items);
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
    '<a class="skip" href="#certificates">Skip to certificates</a>',
    `<header><p class="brand">certkeep</p><h1>${html(verdict)}</h1><p class="soft">As of ` +
      `${timeTag(atMs)}, from the last audits of ${count(summaries.length, "cluster")}.</p>` +
      `${tiles(summaries, items)}</header>`,
    "<main>",
    ...SEVERITIES.map((severity) => itemSection(severity, items)),
    certificateSection(input.rows, summaries.length > 1, atMs),
    budgetSection(input),
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

function tiles(summaries: readonly ClusterSummary[], items: readonly Item[]): string {
  const of = (severity: Severity): number =>
    items.filter((item) => item.severity === severity).length;
  const all: readonly (readonly [name: string, title: string, n: number])[] = [
    ["critical", "Critical", of("critical")],
    ["warning", "Warnings", of("warning")],
    ["ok", "Certificates OK", sumOf(summaries, ({ tally }) => tally.ok)],
    ["warning", "Unknown", sumOf(summaries, ({ tally }) => tally.unknown)],
    ["copies", "Backed up", sumOf(summaries, ({ tally }) => tally.backedUp)],
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
          : "strong" in part
            ? `<strong>${html(part.strong)}</strong>`
            : html("name" in part ? part.name : part.said),
    )
    .join("");
}

const OPEN = 5;
const SUBJECTS_LISTED = 200;

function itemSection(severity: Severity, items: readonly Item[]): string {
  const of = items.filter((item) => item.severity === severity);
  if (of.length === 0) return "";
  return [
    `<section aria-labelledby="${severity}"><h2 id="${severity}">${HEADINGS[severity]} ` +
      `(${of.length.toLocaleString("en-US")})</h2>`,
    ...collapsed(of.map(itemHtml)),
    "</section>",
  ].join("\n");
}

function collapsed(parts: readonly string[], wrap = (inner: string): string => inner): string[] {
  const [open, folded] = [parts.slice(0, OPEN), parts.slice(OPEN)];
  return [
    wrap(open.join("\n")),
    ...(folded.length === 0
      ? []
      : [
          `<details><summary>${folded.length.toLocaleString("en-US")} more</summary>` +
            `${wrap(folded.join("\n"))}</details>`,
        ]),
  ];
}

function itemHtml(item: Item): string {
  const { severity, events, cause, also, fix, more, asLastSeen, estimate } = item;
  const [headline, ...effects] = events;
  const restores = fix.label === "Restore" && fix.commands.length > 0;
  return [
    `<article class="item ${severity}"><h3>${textHtml(eventTitle(headline, item))}</h3>`,
    ...subjectsHtml(headline),
    ...effects.flatMap((event) => [
      paragraph(sentence(eventTitle(event, item))),
      ...subjectsHtml(event),
    ]),
    asLastSeen === null ? "" : paragraph(say`As last seen ${instantParts(asLastSeen)}.`, "soft"),
    paragraph(sentence(figuresOf(item))),
    cause.length === 0 ? "" : paragraph([{ strong: "Cause: " }, ...sentence(cause)]),
    ...also.map((text) => paragraph([{ strong: "Also: " }, ...sentence(text)])),
    estimate ? paragraph(["Estimate: certkeep can't see every issuance."], "soft") : "",
    remedy(fix.label, restores ? [] : fix.text, [...fix.commands, ...fix.invokes]),
    more === null ? "" : remedy(more.label, [], [more.command], more.note),
    "</article>",
  ].join("");
}

function paragraph(text: Text, style = ""): string {
  if (text.length === 0) return "";
  return `<p${style === "" ? "" : ` class="${style}"`}>${textHtml(text)}</p>`;
}

/** Where each is; one alone is named by the headline. */
function subjectsHtml({ subjects: [only, ...others], subjects, names }: ItemEvent): string[] {
  if (only === undefined) return [];
  if (names.length > 0)
    return collapsed(
      names.map((name) => `<li><span class="name">${html(name)}</span></li>`),
      (inner) => `<ul>${inner}</ul>`,
    );
  if (others.length === 0)
    return only.place?.includes("/") === true ? [paragraph(own(only.place), "soft")] : [];
  const shown = subjects.slice(0, SUBJECTS_LISTED).map(({ cluster, name, place }) => {
    const where = [cluster, place].filter((part) => part !== null && part !== name).join(" ");
    return (
      `<li><span class="name">${html(name)}</span> <span ` +
      `class="soft">${html(where)}</span></li>`
    );
  });
  const left = subjects.length - shown.length;
  return [
    ...collapsed(shown, (inner) => `<ul>${inner}</ul>`),
    left === 0
      ? ""
      : `<p class="soft">And ${left.toLocaleString("en-US")} more in the table below.</p>`,
  ];
}

/** An option isn't broken after its hyphens. */
function commandHtml(command: string): string {
  const words = command
    .split(" ")
    .map((word) => (word.startsWith("-") ? `<span>${html(word)}</span>` : html(word)));
  return `<code class="cmd">${words.join(" ")}</code>`;
}

/** What to do, then the commands that do it; `note` says what they show. */
function remedy(label: string, text: Text, commands: readonly string[], note = ""): string {
  if (text.length === 0 && commands.length === 0) return "";
  const after = note === "" ? "" : ` <span class="soft">(${html(note)})</span>`;
  const codes = commands.map(commandHtml).join(" ") + after;
  return (
    `<div class="remedy"><span class="soft">${label}</span><div>` +
    `${text.length === 0 ? "" : paragraph(sentence(text))}${codes}</div></div>`
  );
}

function budgetSection({ budgets }: PageInput): string {
  const touched = budgets
    .filter(({ remaining, capacity }) => remaining < capacity)
    .toSorted((a, b) => a.remaining / a.capacity - b.remaining / b.capacity);
  if (touched.length === 0) return "";
  const shown = touched.slice(0, BUDGETS_SHOWN);
  const left = touched.length - shown.length;
  return [
    '<section aria-labelledby="budgets"><h2 id="budgets">Rate limits in use ' +
      `(${touched.length.toLocaleString("en-US")})</h2>`,
    '<p class="soft">Estimates: certkeep can&#39;t see every issuance. All other names have all ' +
      "issuances left.</p>",
    '<div class="budgets">',
    ...shown.map(budgetHtml),
    "</div>",
    left === 0 ? "" : `<p class="soft">And ${left.toLocaleString("en-US")} with more left.</p>`,
    "</section>",
  ].join("\n");
}

function budgetHtml(budget: BudgetLevel): string {
  const { name, remaining, atLeast, capacity, nextSlotMs, fullAtMs, overshot } = budget;
  const sure = atLeast === null || atLeast >= remaining ? "" : `, at least ${atLeast}`;
  const by = overshot ? "by " : "";
  const low = `<span class="tag ${remaining <= 0 ? "critical" : "warning"}">low</span> `;
  const next = nextSlotMs === null ? "" : `; next available ${by}${timeTag(nextSlotMs)}`;
  const full =
    fullAtMs === null || fullAtMs === nextSlotMs
      ? ""
      : `; all ${capacity} available ${by}${timeTag(fullAtMs)}`;
  return (
    `<article class="budget"><h3>${html(name)}</h3><p>${isLow(budget) ? low : ""}` +
    `${Math.max(0, remaining)} of ${capacity} issuances left${sure}${next}${full}.</p></article>`
  );
}

const CLUSTER_NUMBERS: readonly (readonly [title: string, of: (one: ClusterSummary) => number])[] =
  [
    ["Certificates", ({ tally }) => tally.certificates],
    ["OK", ({ tally }) => tally.ok],
    ["Unknown", ({ tally }) => tally.unknown],
    ["Backed up", ({ tally }) => tally.backedUp],
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
      '<table class="cards"><thead><tr><th scope="col">Cluster</th><th scope="col">Audited</th>' +
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
    `<td data-label="Audited">${tag}${seen}</td>${numbers.join("")}</tr>`
  );
}

function footText({ summaries, unregistered }: PageInput): string {
  return [
    ...ignoredNotes(sumOf(summaries, ({ ignored }) => ignored)),
    ...unregisteredNotes(unregistered, 20).map(textHtml),
    "This page holds no key and no certificate, and loads nothing from the network.",
  ]
    .map((note) => `<p>${note}</p>`)
    .join("");
}

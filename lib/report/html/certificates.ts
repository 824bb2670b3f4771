/**
 * The page's table of certificates: its filters and head as HTML, and the data from which the
 * page's script makes the rows. Pure.
 */
import { plain } from "../../plain.ts";
import type { CertificateRow, RowStatus } from "../rows.ts";
import { span } from "../text.ts";
import { html } from "./escape.ts";

const STATUSES: readonly (readonly [RowStatus, string])[] = [
  ["critical", "Critical"],
  ["warning", "Warning"],
  ["unknown", "Unknown"],
  ["info", "Info"],
  ["staging", "Staging"],
  ["ok", "OK"],
];
const ORDER = STATUSES.map(([status]) => status);
const WORDS: Readonly<Record<RowStatus, string>> = Object.fromEntries(STATUSES) as Record<
  RowStatus,
  string
>;

const COLUMNS: readonly (readonly [key: string, title: string])[] = [
  ["status", "State"],
  ["name", "Certificate"],
  ["place", "Secret"],
  ["until", "Expires"],
  ["copied", "Backup"],
];

const STATIC_ROWS = 200;

/** `several`: whether there is a choice of clusters. */
export function certificateSection(
  rows: readonly CertificateRow[],
  several: boolean,
  atMs: number,
): string {
  const clusters = [...new Set(rows.map(({ cluster }) => cluster))].toSorted();
  const heads = COLUMNS.map(([key, title]) => `<th scope="col" data-key="${key}">${title}</th>`);
  const worst = rows
    .toSorted(
      (a, b) =>
        ORDER.indexOf(a.status) - ORDER.indexOf(b.status) ||
        (a.notAfterMs ?? Infinity) - (b.notAfterMs ?? Infinity),
    )
    .slice(0, STATIC_ROWS);
  const left = rows.length - worst.length;
  const more =
    left === 0
      ? ""
      : `The worst ${STATIC_ROWS} are shown. <code>certkeep report --json</code> has all. `;
  return [
    '<section aria-labelledby="certificates-title" id="certificates" tabindex="-1">' +
      `<h2 id="certificates-title">Certificates (${rows.length.toLocaleString("en-US")})</h2>`,
    `<noscript><p class="soft">${more}Filters, sorting and details need JavaScript.</p></noscript>`,
    '<div class="filters" hidden>' +
      '<label class="wide">Filter by name, Secret, finding, issuer or serial' +
      '<input id="query" type="search" autocomplete="off" spellcheck="false"></label>',
    `<label>State${select("status", STATUSES)}</label>`,
    `<label${several ? "" : " hidden"}>Cluster` +
      `${select(
        "cluster",
        clusters.map((name) => [name, name]),
      )}</label></div>`,
    '<div class="scroll"><table class="cards">' +
      '<caption class="vh">Certificates; a name opens its details</caption>' +
      `<thead><tr>${heads.join("")}</tr></thead><tbody id="rows">`,
    ...worst.map((row) => rowHtml(row, atMs)),
    "</tbody></table></div>",
    '<div class="pages" hidden><button class="step" id="previous" type="button">Previous</button>' +
      '<button class="step" id="next" type="button">Next</button>' +
      '<p id="count" role="status" class="soft"></p></div>',
    "</section>",
  ].join("\n");
}

/** As the script makes it, without what needs the script. */
function rowHtml(row: CertificateRow, atMs: number): string {
  const { cluster, namespace, secret, name, status, notAfterMs, copied } = row;
  const until =
    notAfterMs === null
      ? "unknown"
      : `${new Date(notAfterMs).toISOString().slice(0, 10)} <span class="soft until">` +
        `${span(notAfterMs - atMs)} ${notAfterMs < atMs ? "ago" : "left"}</span>`;
  return (
    `<tr><td><span class="tag ${status}">${WORDS[status]}</span></td>` +
    `<td><span class="name">${html(name)}</span></td>` +
    `<td data-label="Secret"><span class="soft">${html(cluster)}</span> ` +
    `${html(`${namespace}/${secret}`)}</td><td data-label="Expires">${until}</td>` +
    `<td data-label="Backup">${copied ? "yes" : "no"}</td></tr>`
  );
}

function select(id: string, choices: readonly (readonly [value: string, text: string])[]): string {
  const options = choices.map(
    ([value, text]) => `<option value="${html(value)}">${html(text)}</option>`,
  );
  return `<select id="${id}"><option value="">all</option>${options.join("")}</select>`;
}

const KEYS = [
  "cluster",
  "namespace",
  "secret",
  "name",
  "status",
  "issuer",
  "serial",
  "issuedMs",
  "notBeforeMs",
  "notAfterMs",
  "copied",
  "codes",
  "seen",
  "why",
  "advice",
  "command",
  "history",
  "restoredMs",
] as const satisfies readonly (keyof CertificateRow)[];

/** Rows as arrays without their keys: half the size. */
export function tableData(rows: readonly CertificateRow[], atMs: number): object {
  const valueOf = (value: CertificateRow[(typeof KEYS)[number]]): unknown =>
    typeof value === "string" ? plain(value) : value;
  return { at: atMs, keys: KEYS, rows: rows.map((row) => KEYS.map((key) => valueOf(row[key]))) };
}

/**
 * The page's table of certificates: its filters and head as HTML, and the data from which the
 * page's script makes the rows. Pure.
 */
import { plain } from "../../plain.ts";
import type { CertificateRow, RowStatus } from "../rows.ts";
import { html } from "./escape.ts";

const STATUSES: readonly (readonly [RowStatus, string])[] = [
  ["critical", "Today"],
  ["warning", "Soon"],
  ["unknown", "Not known"],
  ["info", "Info"],
  ["staging", "Staging"],
  ["ok", "OK"],
];

const COLUMNS: readonly (readonly [key: string, title: string])[] = [
  ["status", "State"],
  ["name", "Certificate"],
  ["place", "Secret"],
  ["until", "Expires"],
  ["copied", "Backup"],
];

/** `several`: whether there is a choice of clusters. */
export function certificateSection(rows: readonly CertificateRow[], several: boolean): string {
  const clusters = [...new Set(rows.map(({ cluster }) => cluster))].toSorted();
  const heads = COLUMNS.map(
    ([key, title]) =>
      `<th scope="col" data-key="${key}">` +
      `<button class="sort" type="button">${title}</button></th>`,
  );
  return [
    '<section aria-labelledby="certificates-title" id="certificates" tabindex="-1">' +
      `<h2 id="certificates-title">Certificates (${rows.length.toLocaleString("en-US")})</h2>`,
    "<noscript><p>This table is made by a script, which is switched off here. " +
      "<code>certkeep report --json</code> has the same.</p></noscript>",
    '<div class="filters">' +
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
      `<thead><tr>${heads.join("")}</tr></thead><tbody id="rows"></tbody></table></div>`,
    '<div class="pages"><button class="step" id="previous" type="button">Previous</button>' +
      '<button class="step" id="next" type="button">Next</button>' +
      '<p id="count" role="status" class="soft"></p></div>',
    "</section>",
  ].join("\n");
}

function select(id: string, choices: readonly (readonly [value: string, text: string])[]): string {
  const options = choices.map(
    ([value, text]) => `<option value="${html(value)}">${html(text)}</option>`,
  );
  return `<select id="${id}"><option value="">all</option>${options.join("")}</select>`;
}

/** Rows as arrays, repeated texts by their index: a fifth of the size. */
export function tableData(rows: readonly CertificateRow[], atMs: number): object {
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

/**
 * All that is known of one name, for a terminal: answer, fix, evidence, history. `-v` adds every
 * line of evidence, the findings in full, sources and backups. Pure.
 */
import { viaOf } from "../finding/action.ts";
import { actionLines } from "./explain/actions.ts";
import { evidenceLines, footLines, historyLines } from "./explain/evidence.ts";
import {
  clusterName,
  type Explanation,
  type ExplainPage,
  isOfSeveral,
} from "./explain/explanation.ts";
import { headLines } from "./explain/head.ts";
import { planLines, timelineLines } from "./explain/issuances.ts";
import { limitLines } from "./explain/limits.ts";
import { backupLines, CERTIFICATE_CODES, placeLines } from "./explain/places.ts";
import { whyLines } from "./explain/why.ts";
import { commandOf } from "./command.ts";
import { itemsOf } from "./items.ts";
import { itemLines } from "./items/lines.ts";
import { REASON_CODES } from "./items/say.ts";
import { count, type Page, paragraph, section } from "./text.ts";

export function explainText(
  view: Explanation,
  given: Page & Partial<Pick<ExplainPage, "room" | "verbose">>,
): string {
  const page: ExplainPage = { room: given.width, verbose: false, ...given };
  const { planned, kind, places } = view;
  const several = new Set(places.map(({ entry }) => entry.cluster)).size > 1;
  const isListed = places.length > 1 && kind !== "cluster";
  const table = isListed || page.verbose ? placeLines(view, several, page) : [];
  return [
    ...headLines(view, page),
    ...(table.length === 0 ? [] : ["", ...table]),
    ...actionLines(view, page),
    ...(planned === null
      ? []
      : view.accounts.flatMap((account) => planLines(account, planned, view.atMs, page))),
    ...(page.verbose
      ? detailLines(view, page)
      : [
          ...(kind === "cluster" || kind === "finding" ? allFindings(view, page) : []),
          ...otherFindings(view, page),
          ...groundLines(view, page),
        ]),
  ].join("\n");
}

function groundLines(view: Explanation, page: ExplainPage): string[] {
  const { kind, planned } = view;
  const isShown = planned === null && kind !== "cluster";
  const evidence = isShown && kind !== "domain" ? evidenceLines(view, page) : [];
  const history = isShown ? historyLines(view, page) : [];
  const { bold } = page.style;
  const lines = [
    ...(evidence.length === 0 ? [] : [bold("Evidence"), ...evidence]),
    ...(history.length === 0 ? [] : [bold("History"), ...history]),
    ...footLines(view, page),
  ];
  return lines.length === 0 ? [] : ["", ...lines];
}

/** Everything, in the words of the sources. */
function detailLines(view: Explanation, page: ExplainPage): string[] {
  return [
    ...section("Why", whyLines(view, page), page),
    ...allFindings(view, page),
    ...ignoredLines(view, page),
    ...(view.kind === "cluster"
      ? []
      : view.accounts.flatMap((account) => timelineLines(account, view, page))),
    ...section("Rate limits", limitLines(view, page), page),
    ...section("Backups", backupLines(view, page), page),
  ];
}

const MAX_NAMES = 12;
const MAX_LINES = 24;

/** One item a root cause; this page doesn't offer itself. */
function allFindings(view: Explanation, page: ExplainPage): string[] {
  const { findings, name, atMs } = view;
  const items = itemsOf({ findings, nameOf: (cluster) => clusterName(view, cluster), nowMs: atMs });
  const via = viaOf(findings);
  const self = commandOf({ kind: "explain", name, ...(via === undefined ? {} : { via }) });
  const several = isOfSeveral(
    view,
    findings.map(({ subject }) => subject.cluster),
  );
  const names = page.verbose ? Number.POSITIVE_INFINITY : MAX_NAMES;
  return [
    ...itemLines(
      items.map((item) => (item.more?.command === self ? { ...item, more: null } : item)),
      { ...page, nowMs: atMs, several, names },
      page.verbose ? Number.POSITIVE_INFINITY : MAX_LINES,
    ).lines,
  ];
}

/** Findings whose facts the answer has already. */
const ANSWERED: ReadonlySet<string> = new Set([
  ...CERTIFICATE_CODES,
  "secret_lost",
  "secret_removed",
  "fields_emptied",
  "certificate_pending",
  "certificate_invalid",
  "expired",
  "backup_missing",
  "rate_limited",
  "set_budget_low",
  "set_budget_exhausted",
  "domain_budget_low",
  "domain_budget_exhausted",
]);
function otherFindings(view: Explanation, page: ExplainPage): string[] {
  const { kind, diagnoses, findings } = view;
  if (kind === "cluster" || kind === "finding") return ignoredLines(view, page);
  const hasCause = diagnoses.some(({ verdict }) => verdict !== "none");
  const others = findings.filter(
    ({ code }) => !(ANSWERED.has(code) || (hasCause && REASON_CODES.has(code))),
  );
  return [...allFindings({ ...view, findings: others }, page), ...ignoredLines(view, page)];
}

function ignoredLines({ ignored }: Explanation, page: Page): string[] {
  return ignored === 0
    ? []
    : [
        "",
        ...paragraph(
          `${count(ignored, "finding")} muted by ignore: in certkeep.yaml.`,
          page,
          page.style.dim,
          "",
        ),
      ];
}

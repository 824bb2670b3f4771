/**
 * All that is known of one name, for a terminal: answer, fix, evidence, history. `-v` adds every
 * line of evidence, the findings in full, sources and backups. Pure.
 */
import type { Finding } from "../finding/finding.ts";
import { actionLines } from "./explain/actions.ts";
import { evidenceLines, footLines, historyLines } from "./explain/evidence.ts";
import { type Explanation, type ExplainPage, isOfSeveral } from "./explain/explanation.ts";
import { headLines } from "./explain/head.ts";
import { planLines, timelineLines } from "./explain/issuances.ts";
import { limitLines } from "./explain/limits.ts";
import { backupLines, CERTIFICATE_CODES, placeLines } from "./explain/places.ts";
import { whyLines } from "./explain/why.ts";
import { findingLines } from "./findings.ts";
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

/** What the answer rests on. */
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

function allFindings(view: Explanation, page: Page): string[] {
  return findingLines({
    findings: oncePerFinding(view.findings).map((one) => withoutSelfReference(one, view.name)),
    nowMs: view.atMs,
    ...page,
    several: isOfSeveral(
      view,
      view.findings.map(({ subject }) => subject.cluster),
    ),
  });
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
/** Those that a diagnosis explains, where there is one. */
const DIAGNOSED: ReadonlySet<string> = new Set([
  "issued_not_stored",
  "storage_forbidden",
  "storage_immutable",
  "storage_failing",
  "dns_failing",
  "account_key_lost",
  "renewal_window_forced",
  "reissued_without_need",
  "concurrent_issuance",
  "shared_set",
]);

/** What is wrong besides. */
function otherFindings(view: Explanation, page: Page): string[] {
  const { kind, diagnoses, findings } = view;
  if (kind === "cluster" || kind === "finding") return ignoredLines(view, page);
  const hasCause = diagnoses.some(({ verdict }) => verdict !== "none");
  const others = findings.filter(
    ({ code }) => !(ANSWERED.has(code) || (hasCause && DIAGNOSED.has(code))),
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

/** This page doesn't offer itself. */
function withoutSelfReference(finding: Finding, name: string): Finding {
  const actions = finding.actions.filter(
    (action) => action.kind !== "explain" || action.name !== name,
  );
  return { ...finding, actions };
}

/** The same finding in several clusters is shown once, with all of them. */
function oncePerFinding(findings: readonly Finding[]): Finding[] {
  const groups = Map.groupBy(findings, ({ code, severity, params }) =>
    JSON.stringify([code, severity, params], (_key, value: unknown) =>
      typeof value === "bigint" ? value.toString() : value,
    ),
  );
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined || group.length === 1) return group;
    const cluster = [...new Set(group.map(({ subject }) => subject.cluster))].join(", ");
    return [{ ...first, subject: { ...first.subject, cluster, namespace: null, secret: null } }];
  });
}

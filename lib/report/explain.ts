/** All that is known of one name, on one page for a terminal. Pure. */
import type { Finding } from "../finding/finding.ts";
import { STALE_MS } from "../finding/reach.ts";
import { formatMs, parseMs } from "../certificate/time.ts";
import { plain } from "../plain.ts";
import { backupLines, placeLines } from "./explain/places.ts";
import { type ExplainedPlace, type Explanation, isOfSeveral } from "./explain/explanation.ts";
import { actionLines } from "./explain/actions.ts";
import { limitLines } from "./explain/limits.ts";
import { planLines, timelineLines } from "./explain/issuances.ts";
import { findingLines } from "./findings.ts";
import { say } from "./part.ts";
import { reasonText } from "./phrases/reasons.ts";
import { count, type Page, paragraph, section, span } from "./text.ts";
import { whyLines } from "./explain/why.ts";

/** Clusters whose last audit is old that are listed; more are left out. */
const MAX_STALE = 20;

export function explainText(view: Explanation, page: Page): string {
  const { planned } = view;
  const cluster = view.places.length > 0 ? onlyCluster(view) : null;
  return [
    page.style.bold(plain(view.name)),
    ...verdictLines(view, page),
    ...staleLines(view, page),
    ...section(
      `Where it is${cluster === null ? "" : `, in ${cluster}`}`,
      placeLines(view, cluster === null, page),
      page,
    ),
    ...section("What to do", actionLines(view, page), page),
    ...section("Why", whyLines(view, page), page),
    ...findingLines({
      findings: oncePerFinding(view.findings).map((one) => withoutSelfReference(one, view.name)),
      nowMs: view.atMs,
      ...page,
      several: isOfSeveral(
        view,
        view.findings.map(({ subject }) => subject.cluster),
      ),
    }),
    ...(view.ignored === 0
      ? []
      : paragraph(
          `${count(view.ignored, "finding")} muted by ignore: in certkeep.yaml.`,
          page,
          page.style.dim,
        )),
    ...(view.kind === "cluster"
      ? []
      : view.accounts.flatMap((account) => timelineLines(account, view, page))),
    ...section("What is left", limitLines(view, page), page),
    ...(planned === null
      ? []
      : view.accounts.flatMap((account) => planLines(account, planned, view.atMs, page))),
    ...section("Backups", backupLines(view, page), page),
  ].join("\n");
}

/** The cluster of all places, or `null`: a column for it would take room that names need. */
function onlyCluster({ places }: Explanation): string | null {
  const [first, ...others] = new Set(places.map(({ entry }) => entry.cluster));
  return others.length === 0 ? (first ?? null) : null;
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

/** The answer first, in one sentence for each kind of name. */
function verdictLines(view: Explanation, page: Page): string[] {
  const [place] = view.places;
  if (view.clusters.length > 0)
    return view.clusters.flatMap((cluster) => clusterLines(cluster, page));
  if (view.kind === "domain") {
    const live = view.places.filter(({ entry }) => entry.condition === "live").length;
    return paragraph(
      say`A registered domain: names under it share one limit, over all clusters.
        ${count(live, "live certificate")} under it.`,
      page,
    );
  }
  if (place === undefined)
    return view.kind === "finding"
      ? []
      : paragraph(
          "No Secret holds it now. What follows comes from backups, logs and earlier audits.",
          page,
        );
  const valid = view.places.filter(({ entry }) => entry.verdict?.valid === true).length;
  const total = view.places.length;
  const validIn = valid === total ? "all" : valid === 0 ? "none" : String(valid);
  if (total > 1) return paragraph(say`Held in ${total} places, valid in ${validIn}.`, page);
  const { green, yellow, red } = page.style;
  const paint = valid > 0 ? green : place.entry.condition === "pending" ? yellow : red;
  return paragraph(verdictSentence(place, view.atMs), page, paint);
}

function clusterLines({ state, tally }: Explanation["clusters"][number], page: Page): string[] {
  const unknown = tally.unknown === 0 ? "" : `, ${tally.unknown} not known now`;
  const incomplete = state.audit?.complete === false ? ", not fully read" : "";
  return [
    ...paragraph(
      say`Cluster ${state.title} at ${state.server}: ${count(tally.certificates, "certificate")},
        ${tally.ok} OK${unknown}, ${tally.critical} critical and ${tally.warning} to look at
        soon.`,
      page,
    ),
    ...paragraph(
      state.audit === null
        ? "It was never audited."
        : `Last audited at ${state.audit.finishedAt}${incomplete}.`,
      page,
      page.style.dim,
    ),
  ];
}

/** What an old audit saw is no verdict of now. */
function staleLines({ places, atMs }: Explanation, page: Page): string[] {
  const audits = new Map(
    places.flatMap(({ entry, auditedAt }) =>
      auditedAt === null ? [] : [[entry.cluster, auditedAt] as const],
    ),
  );
  return [...audits]
    .filter(([, auditedAt]) => atMs - parseMs(auditedAt) > STALE_MS)
    .slice(0, MAX_STALE)
    .flatMap(([cluster, auditedAt]) =>
      paragraph(
        `As last seen at ${auditedAt}: no audit of ${cluster} has finished since.`,
        page,
        page.style.yellow,
      ),
    );
}

function verdictSentence({ entry, asLastSeen }: ExplainedPlace, atMs: number): string {
  const seen =
    asLastSeen === null ? "" : ` As last seen at ${asLastSeen}: the cluster can't be reached now.`;
  const since = formatMs(entry.sinceMs);
  switch (entry.condition) {
    case "pending":
      return entry.missingContent.issuedFor === undefined
        ? `Empty since ${since}: no certificate has been seen in it.${seen}`
        : `Empty since ${since}: cert-manager issued a certificate for it before.${seen}`;
    case "missing_content":
      return `Gone since ${since}: the Secret stands without it.${seen}`;
    case "lost":
      if (entry.loss.how === "replaced")
        return `Gone since ${since}: what the Secret belonged to names other hosts now.${seen}`;
      return entry.loss.how === "removed"
        ? `Gone since ${since}: the Secret went with what it belonged to.${seen}`
        : `Gone since ${since}: the Secret is not there.${seen}`;
    case "live": {
      const { record, verdict } = entry;
      const staging = record.staging ? " (of a staging issuer: no client trusts it)" : "";
      const left = span(parseMs(record.notAfter) - atMs);
      return verdict.valid
        ? `Valid until ${record.notAfter}, in ${left}${staging}.${seen}`
        : `Its controller will refuse it: ${reasonText(verdict.reasons)}${staging}.${seen}`;
    }
  }
}

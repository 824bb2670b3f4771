/**
 * One cluster's state as a report or digest tells it, and what each says of all of them. Pure;
 * small, so that a thousand states can be read one after the other and forgotten.
 *
 * Unknown is never fine: a state that is too old, was never made or could not be read vouches for
 * nothing, and is itself a finding.
 */
import { clusterFindings, isStale, type FindingsView } from "../finding/cluster.ts";
import { isUnreachable } from "../finding/reach.ts";
import { createFinding, type Finding } from "../finding/finding.ts";
import { applyIgnore } from "../finding/ignore.ts";
import type { ParamsOf } from "../finding/params.ts";
import { sumCounts, countCertificates, type Counts } from "../finding/counts.ts";
import { fractionLeft, type Severity } from "../finding/codes.ts";
import { formatMs, parseMs } from "../certificate/time.ts";
import { certificates, titleOf } from "../state/certificates.ts";
import type { StateDocument } from "../state/document.ts";
import type { Item } from "./items.ts";
import { someNames, type Text } from "./part.ts";
import { count } from "./text.ts";

/** Owners renew below this fraction of the lifetime left. */
const RENEWAL_FRACTION = 1 / 3;
const UPCOMING = 8;

export interface Upcoming {
  readonly cluster: string;
  readonly name: string;
  readonly namespace: string;
  readonly secret: string;
  readonly notAfter: string;
}

export interface ClusterSummary {
  /** Key of the state. */
  readonly cluster: string;
  readonly title: string;
  readonly server: string;
  /**
   * `now`; `part`: something could not be read; `stale`: no audit for too long; `unseen`: not
   * reached, or replaced; `never`: no audit yet; `unreadable`: its state can't be read.
   */
  readonly sight: "now" | "part" | "stale" | "unseen" | "never" | "unreadable";
  /** RFC 3339: when it was last seen, or `null`. */
  readonly seenAt: string | null;
  readonly tally: Counts;
  readonly findings: readonly Finding[];
  readonly ignored: number;
  /**
   * Valid certificates that no finding is about and that are due for renewal, the soonest first.
   */
  readonly upcoming: readonly Upcoming[];
}

/**
 * @throws RangeError for a state whose instants aren't any: the caller takes `unseenSummary` then
 */
export function summarize(state: StateDocument, view: FindingsView): ClusterSummary {
  const { atMs } = view;
  const stale = isStale(state, view);
  const { said, ignored } = clusterFindings(state, view);
  const all = [...said, ...ignored];
  return {
    cluster: state.cluster,
    title: state.title,
    server: state.server,
    sight:
      state.audit === null
        ? "never"
        : isUnreachable(state) || state.replacedBy !== null
          ? "unseen"
          : stale
            ? "stale"
            : state.audit.complete
              ? "now"
              : "part",
    seenAt: state.audit?.lastReachedAt ?? null,
    tally: countCertificates(state, all, atMs, stale),
    findings: said,
    ignored: ignored.length,
    upcoming: upcomingOf(state, all, atMs),
  };
}

/** A state that can't be read, or a registered cluster that has none. */
export function unseenSummary(
  cluster: string,
  params: Extract<ParamsOf<"audit_incomplete">, { of: "never" | "unreadable" }>,
  { atMs, ignore }: Pick<FindingsView, "atMs" | "ignore">,
): ClusterSummary {
  const finding = createFinding(
    {
      code: "audit_incomplete",
      subject: { cluster, namespace: null, secret: null, name: "state" },
      params,
      actions: [{ kind: "audit", cluster }],
      cause: [params.of],
    },
    formatMs(atMs),
  );
  const { said, ignored } = applyIgnore([finding], ignore, atMs);
  return {
    cluster,
    title: cluster,
    server: "",
    sight: params.of,
    seenAt: null,
    tally: sumCounts([]),
    findings: said,
    ignored: ignored.length,
    upcoming: [],
  };
}

export function allUpcoming(summaries: readonly ClusterSummary[]): Upcoming[] {
  return summaries
    .flatMap(({ upcoming }) => upcoming)
    .toSorted((a, b) => (a.notAfter < b.notAfter ? -1 : a.notAfter > b.notAfter ? 1 : 0));
}

function upcomingOf(state: StateDocument, findings: readonly Finding[], atMs: number): Upcoming[] {
  const told = new Set(
    findings
      .filter(({ severity }) => severity !== "info")
      .map(({ subject }) => `${subject.namespace}/${subject.secret}`),
  );
  const upcoming: { readonly one: Upcoming; readonly untilMs: number }[] = [];
  for (const entry of certificates(state, atMs)) {
    const { condition, key, namespace, secret, record, verdict } = entry;
    if (
      condition !== "live" ||
      told.has(key) ||
      record.staging ||
      !verdict.valid ||
      fractionLeft(record, atMs) >= RENEWAL_FRACTION
    )
      continue;
    const { notAfter } = record;
    const one = { cluster: state.cluster, name: titleOf(entry), namespace, secret, notAfter };
    upcoming.push({ one, untilMs: parseMs(notAfter) });
  }
  return upcoming
    .toSorted((a, b) => a.untilMs - b.untilMs)
    .slice(0, UPCOMING)
    .map(({ one }) => one);
}

export function titleIn(summaries: readonly ClusterSummary[]): (cluster: string) => string {
  const titles = new Map(summaries.map(({ cluster, title }) => [cluster, title]));
  return (cluster) => titles.get(cluster) ?? cluster;
}

/** `prod: 2 problems; 2 of 14 certificates OK, all 14 backed up` */
export function summaryText(summaries: readonly ClusterSummary[], items: readonly Item[]): string {
  const [only] = summaries;
  if (only === undefined) return "Nothing is known: no cluster was audited yet";
  const who = summaries.length === 1 ? only.title : count(summaries.length, "cluster");
  return `${who}: ${countsText(summaries, items)}`;
}

/** `2 problems; 2 of 14 certificates OK, all 14 backed up` */
export function countsText(
  summaries: readonly Pick<ClusterSummary, "tally">[],
  items: readonly Item[],
): string {
  const backups = backupsText(sumCounts(summaries.map(({ tally }) => tally)));
  return [problemsText(items), backups].filter((part) => part !== "").join("; ");
}

/** `2 problems`, `1 problem, 2 as last seen`; empty where there is none. */
export function problemsText(items: readonly Item[]): string {
  const problems = items.filter(({ severity }) => severity !== "info");
  const old = problems.filter(({ asLastSeen }) => asLastSeen !== null).length;
  const now = problems.length - old;
  return [
    ...(now === 0 ? [] : [count(now, "problem")]),
    ...(old === 0 ? [] : [`${old.toLocaleString("en-US")} as last seen`]),
  ].join(", ");
}

/** `2 of 14 certificates OK, all 14 backed up` */
export function backupsText(counts: Counts): string {
  const { ok, staging, unknown, backedUp } = counts;
  const total = totalOf(counts) - staging;
  if (staging > 0 && total <= 0) return count(staging, "staging certificate");
  if (total === 0) return "no certificates seen";
  const number = (n: number): string => n.toLocaleString("en-US");
  const all = count(total, "certificate");
  const okText =
    unknown === total
      ? `${all} unknown`
      : ok === total
        ? `${all} OK`
        : `${number(ok)} of ${all} OK`;
  const backed =
    backedUp <= 0
      ? "none backed up"
      : backedUp < total
        ? `${number(backedUp)} backed up`
        : total === 1
          ? "backed up"
          : `all ${number(total)} backed up`;
  return [
    okText,
    ...(unknown === 0 || unknown === total ? [] : [`${number(unknown)} unknown`]),
    ...(staging === 0 ? [] : [`${number(staging)} staging`]),
    backed,
  ].join(", ");
}

export function totalOf({ certificates: held, lost }: Counts): number {
  return held + lost;
}

export function sumOf<Of>(all: readonly Of[], pick: (one: Of) => number): number {
  return all.reduce((total, one) => total + pick(one), 0);
}

export function findingCount(
  summaries: readonly { readonly findings: readonly Finding[] }[],
  severity: Severity,
): number {
  return sumOf(
    summaries,
    ({ findings }) => findings.filter((finding) => finding.severity === severity).length,
  );
}

export const SIGHTS: Readonly<Record<Exclude<ClusterSummary["sight"], "now">, string>> = {
  part: "partly read",
  stale: "no recent audit",
  unseen: "can't be seen",
  never: "never audited",
  unreadable: "state unreadable",
};

export function ignoredNotes(ignored: number): string[] {
  return ignored === 0 ? [] : [`${count(ignored, "finding")} muted by ignore: in certkeep.yaml.`];
}

/** Clusters that have a state and aren't registered any more; `shown` of them by name. */
export function unregisteredNotes(clusters: readonly string[], shown: number): Text[] {
  if (clusters.length === 0) return [];
  return [["Left out, since no longer registered: ", ...someNames(clusters, shown), "."]];
}

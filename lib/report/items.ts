/**
 * What a person has to know, worst first: one root cause is one item, with everything that it
 * affects under it, one cause, one fix. Every output that lists problems lists these, so that an
 * audit, a report, a page and a digest say the same. Pure.
 *
 * An item is data and text pieces (lib/report/part.ts): each medium lays it out and escapes it in
 * its own way. Its commands are made by lib/report/command.ts, from words that fit a command.
 *
 *     itemsOf({ findings, nameOf, nowMs })
 *
 * - Findings about one certificate, or one set of names, are one item: what happened to it is the
 *   headline, a running refusal (429) is part of that, what led to it is the cause.
 * - Certificates with the same event, cause and fix are one item with many subjects.
 * - A namespace that was deleted, and a permission that a controller lost, are one item with
 *   all that they affect.
 * - Clusters that can't be seen come first. What was last seen of them has `asLastSeen`, and comes
 *   after all else.
 *
 * What a finding says besides (evidence, what it leads to) is in `findings`: show it with `-v`.
 */
import { type Severity, SEVERITIES } from "../finding/codes.ts";
import { isRenewal } from "../finding/advise.ts";
import { compare, type Finding, sortFindings } from "../finding/finding.ts";
import { isUnseen, mergeFindings, rankOf } from "./items/merge.ts";
import { alsoText, causeText, eventsOf } from "./items/say.ts";
import { fixOf, moreOf } from "./items/remedy.ts";
import type { Text } from "./part.ts";
import { instantOf } from "../certificate/time.ts";

export interface ItemSubject {
  /** The cluster's name as a person knows it. */
  readonly cluster: string;
  /** A domain, a Secret, a namespace or the cluster's name. */
  readonly name: string;
  /** `namespace/secret`, or the namespace; `null`: the cluster itself, or several places. */
  readonly place: string | null;
  readonly findings: readonly Finding[];
}

export interface ItemEvent {
  readonly subjects: readonly ItemSubject[];
  /** What they are when counted: `certificate`, `cluster`, `namespace`. */
  readonly noun: string;
  /** One clause, which stands after the subject's name or their number. */
  readonly what: Text;
  /** Certificates of the one subject that it is about, where that is a cluster. */
  readonly names: readonly string[];
}

export interface ItemFix {
  /** `Restore` where its commands restore, else `Fix`. */
  readonly label: "Restore" | "Fix";
  /** What to do, an imperative without a full stop; said where there is no command that does it. */
  readonly text: Text;
  /** Complete commands; one, unless several clusters are concerned. */
  readonly commands: readonly string[];
  /** The same restores by the function on AWS, where there is one. */
  readonly invokes: readonly string[];
}

export interface ItemMore {
  /** `Prevent` where it explains a known cause, else `Details`. */
  readonly label: "Prevent" | "Details";
  readonly command: string;
  /** What it shows, in a few words; empty: nothing to add. */
  readonly note: string;
}

export interface Item {
  /** Of its leading finding: stable over runs. */
  readonly id: string;
  readonly severity: Severity;
  /** Names of its clusters. */
  readonly clusters: readonly string[];
  /** The first is the headline; others are further effects of the same cause. */
  readonly events: readonly [ItemEvent, ...ItemEvent[]];
  /** One line without a full stop; empty where nothing is known. */
  readonly cause: Text;
  /** What else is wrong with the same subjects, a clause each. */
  readonly also: readonly Text[];
  readonly fix: ItemFix;
  readonly more: ItemMore | null;
  readonly since: string;
  /** RFC 3339 or `null`: when it comes true. */
  readonly due: string | null;
  /** Its cluster can't be seen now: it holds as last seen then (RFC 3339). */
  readonly asLastSeen: string | null;
  /** It is about a cluster, or a part of one, that can't be seen now. */
  readonly unseen: boolean;
  /** A number of issuances in it is an estimate: say so once an output. */
  readonly estimate: boolean;
  readonly findings: readonly [Finding, ...Finding[]];
}

export interface ItemsInput {
  readonly findings: readonly Finding[];
  readonly nameOf: (cluster: string) => string;
  readonly nowMs: number;
}

const ESTIMATES: ReadonlySet<string> = new Set(["set_budget_low", "domain_budget_low"]);

export function itemsOf(input: ItemsInput): Item[] {
  const seenAt = lastSeenIn(input.findings);
  const items = mergeFindings(sortFindings(input.findings)).map((findings) =>
    itemOf(findings, input, seenAt),
  );
  return items.toSorted(
    (a, b) =>
      Number(a.asLastSeen !== null) - Number(b.asLastSeen !== null) ||
      SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity) ||
      Number(b.unseen) - Number(a.unseen) ||
      rankOf(a.findings[0]) - rankOf(b.findings[0]) ||
      incidentSize(b) - incidentSize(a) ||
      compare(a.due ?? "9", b.due ?? "9") ||
      compare(a.id, b.id),
  );
}

function incidentSize({ findings: [{ code, params }] }: Item): number {
  return code === "secret_lost" && params.of === "many" ? params.count : 0;
}

function itemOf(
  findings: readonly [Finding, ...Finding[]],
  { nameOf, nowMs }: ItemsInput,
  seenAt: ReadonlyMap<string, string>,
): Item {
  const [lead] = findings;
  const events = eventsOf(findings, { nameOf, nowMs });
  const unseen = isUnseen(lead);
  const seen = findings.map(({ asLastSeen, subject }) => asLastSeen ?? seenAt.get(subject.cluster));
  const dues = findings.flatMap(({ due }) => due ?? []).toSorted();
  return {
    id: lead.id,
    severity: worst(findings),
    clusters: [...new Set(findings.map(({ subject }) => nameOf(subject.cluster)))].toSorted(),
    events,
    cause: causeText(findings, nowMs),
    also: alsoText(events, nowMs),
    fix: fixOf(findings),
    more: moreOf(findings, events[0].subjects),
    since: findings.reduce((first, { since }) => (since < first ? since : first), lead.since),
    due: dues[0] ?? null,
    asLastSeen:
      unseen || seen.includes(undefined)
        ? null
        : (seen.flatMap((one) => one ?? []).toSorted()[0] ?? null),
    unseen,
    estimate: findings.some(({ code }) => ESTIMATES.has(code)) || saysLeft(findings),
    findings,
  };
}

/** One that is to be renewed is said with the issuances left. */
function saysLeft([lead, ...others]: readonly [Finding, ...Finding[]]): boolean {
  return others.length === 0 && isRenewal(lead) && lead.advice?.action === "reissue";
}

function worst(findings: readonly Finding[]): Severity {
  return SEVERITIES.find((one) => findings.some(({ severity }) => severity === one)) ?? "warning";
}

/** When each cluster whose audits are old was last seen, RFC 3339, by the key of its state. */
function lastSeenIn(findings: readonly Finding[]): ReadonlyMap<string, string> {
  const seen = new Map<string, string>();
  for (const { code, params, subject } of findings) {
    if (code === "audit_incomplete" && params.of === "stale" && params.finishedMs !== null)
      seen.set(subject.cluster, instantOf(params.finishedMs));
  }
  return seen;
}

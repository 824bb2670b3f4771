/** An item's words: what happened to whom, why, and what else. Pure. */
import { type Finding, labelOf } from "../../finding/finding.ts";
import type { ItemEvent, ItemSubject, Item } from "../items.ts";
import { own, plainText, say, type Text } from "../part.ts";
import { becauseClause } from "../phrases/causes.ts";
import { incidentText } from "../phrases/certificate.ts";
import { eventOfMany, eventText, lostText, refusalText } from "../phrases/events.ts";
import { hintText } from "../phrases/reasons.ts";
import { issuerOf } from "../phrases/phrase.ts";
import { unknownText } from "../phrases/missing.ts";
import { count } from "../text.ts";
import { byRank, isUnseen } from "./merge.ts";
import { usedText } from "../phrases/limits.ts";

interface Names {
  readonly nameOf: (cluster: string) => string;
  readonly nowMs: number;
}

/** Found to be wrong because of something else, or the reason for something else. */
export const REASON_CODES: ReadonlySet<string> = new Set([
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
const SAYS_WHY: ReadonlySet<string> = new Set([
  "storage_forbidden",
  "shared_set",
  "concurrent_issuance",
]);
/** How much may still be issued: part of the headline. */
const LIMITS: ReadonlySet<string> = new Set([
  "rate_limited",
  "set_budget_exhausted",
  "set_budget_low",
  "domain_budget_exhausted",
  "domain_budget_low",
]);

function nounOf({ code, subject }: Finding): string {
  if (code === "audit_incomplete" && subject.name !== null && subject.namespace === null)
    return "part";
  if (code === "domain_budget_low" || code === "domain_budget_exhausted") return "domain";
  if (code === "backup_unreadable") return "backup";
  if (subject.name !== null || subject.secret !== null) return "certificate";
  return subject.namespace === null ? "cluster" : "namespace";
}

function subjectOf(findings: readonly [Finding, ...Finding[]], { nameOf }: Names): ItemSubject {
  const [lead] = findings;
  const { subject, code, params } = lead;
  const { cluster, namespace, secret, name } = subject;
  const known = nameOf(cluster);
  const isCluster =
    (name === null && namespace === null) ||
    (code === "audit_incomplete" && params.of !== "part" && params.of !== "namespaces");
  const several =
    code === "audit_incomplete" && params.of === "namespaces" ? params.namespaces : [];
  const isStore = code === "audit_incomplete" && name === "backups";
  const isNamespace = name === null && secret === null && namespace !== null;
  const label = isStore
    ? "backup store"
    : isNamespace
      ? `namespace ${namespace}`
      : code === "backup_unreadable" && name !== null
        ? `backup ${name}`
        : labelOf(subject);
  return {
    cluster: known,
    name: isCluster ? (several.length > 1 ? several.join(", ") : known) : label,
    place:
      namespace === null || isCluster
        ? null
        : secret === null
          ? namespace
          : `${namespace}/${secret}`,
    findings,
  };
}

/** `app2` before `app10`. */
const BY_NAME = new Intl.Collator("en", { numeric: true });

/** One place may hold a certificate under the name that a limit has. */
function subjectsOf(findings: readonly Finding[], names: Names): ItemSubject[] {
  const byName = Map.groupBy(findings, ({ code, subject }) => {
    const label = isUnseen({ code }) ? code : labelOf(subject);
    return JSON.stringify([subject.cluster, label]);
  });
  const subjects = [...byName.values()].map((of) => {
    const sorted = byRank(of) as [Finding, ...Finding[]];
    const places = new Set(
      sorted
        .map(({ subject: { namespace, secret } }) =>
          secret === null ? null : `${namespace}/${secret}`,
        )
        .filter((one) => one !== null),
    );
    const [only = null] = places;
    const subject = subjectOf(sorted, names);
    return { ...subject, place: places.size > 1 ? null : (only ?? subject.place) };
  });
  return subjects.toSorted(
    (a, b) => BY_NAME.compare(a.name, b.name) || BY_NAME.compare(a.cluster, b.cluster),
  );
}

export function eventsOf(findings: readonly Finding[], names: Names): [ItemEvent, ...ItemEvent[]] {
  const subjects = subjectsOf(findings, names);
  const lost = subjects.find(({ findings: [first] }) => isIncident(first));
  const groups = Map.groupBy(subjects, ({ findings: [first] }) =>
    first === undefined
      ? ""
      : JSON.stringify([first.code, plainText(eventOfMany(first, names.nowMs))]),
  );
  const events = [...groups.values()]
    // What else is said of a Secret that an incident took is not another event.
    .filter((of) => lost === undefined || of.includes(lost))
    .map((of) => eventOf(of as [ItemSubject, ...ItemSubject[]], names.nowMs));
  return events as [ItemEvent, ...ItemEvent[]];
}

/** `11 certificates`, as a headline begins that has no name. */
export function countText({ subjects, noun }: ItemEvent): string {
  return count(subjects.length, noun);
}

function isIncident(finding: Finding | undefined): boolean {
  return finding?.code === "secret_lost" && finding.params.of === "many";
}

function eventOf(subjects: readonly [ItemSubject, ...ItemSubject[]], nowMs: number): ItemEvent {
  const [lead] = subjects[0].findings as [Finding, ...Finding[]];
  const single = subjects.length === 1;
  const limit = limitClause(subjects, nowMs);
  // With a limit, when it was last seen is left to the details.
  const brief = !single || (limit.length > 0 && lead.code === "secret_lost");
  const what = brief ? eventOfMany(lead, nowMs) : eventText(lead, nowMs);
  return {
    subjects,
    noun: nounOf(lead),
    what: [...what, ...limit, ...backupClause(subjects)],
    names: lead.code === "rebuilt_not_restored" ? lead.params.names : [],
  };
}

/** `; Let's Encrypt refuses until …`: of the limits that were found, the one that holds now. */
function limitClause(subjects: readonly ItemSubject[], nowMs: number): Text {
  const limits = subjects.flatMap(({ findings }) => {
    const [, ...others] = findings;
    const [limit] = byRank(others.filter(({ code }) => LIMITS.has(code)));
    return limit === undefined || LIMITS.has(findings[0]?.code ?? "") ? [] : [limit];
  });
  const [first] = limits;
  if (first === undefined) return [];
  const clause =
    first.code === "rate_limited"
      ? refusalText(first, issuerOf(subjects.flatMap(({ findings }) => findings)))
      : eventText(first, nowMs);
  const same = limits.every(
    (one) => plainText(eventText(one, nowMs)) === plainText(eventText(first, nowMs)),
  );
  if (limits.length === subjects.length && same) return say`; ${clause}`;
  return say`; ${limits.length} of them rate limited`;
}

function backupClause(subjects: readonly ItemSubject[]): Text {
  const statuses = subjects.flatMap(({ findings: [first] }) => {
    if (first === undefined) return [];
    const whole =
      first.code === "rebuilt_not_restored"
        ? first.params
        : first.code === "secret_lost" && first.params.of === "many"
          ? first.params
          : null;
    if (whole !== null) {
      const { restorable, backup, count: of } = whole;
      return [{ restorable, unknown: backup === "unknown", of }];
    }
    const { params } = first;
    if (
      first.code === "secret_removed" ||
      first.code === "expiring" ||
      first.code === "renewal_overdue" ||
      !("backup" in params)
    )
      return [];
    const { backup } = params;
    return [{ restorable: Number(backup === "restorable"), unknown: backup === "unknown", of: 1 }];
  });
  if (statuses.length === 0) return [];
  const total = statuses.reduce((sum, { of }) => sum + of, 0);
  const restorable = statuses.reduce((sum, one) => sum + one.restorable, 0);
  if (statuses.every(({ unknown }) => unknown)) return own("; backups can't be read");
  if (restorable === 0) return own(total === 1 ? "; no usable backup" : "; no usable backups");
  if (total === 1) return [];
  return own(restorable === total ? "; all backed up" : `; ${restorable} of ${total} backed up`);
}

/** `tailscale/ingress-proxies` of a service account's full name. */
function accountName(account: string): string {
  return account.replace(/^system:serviceaccount:/, "").replace(":", "/");
}

function reasonClause(finding: Finding, nowMs: number): Text {
  if (finding.code === "issued_not_stored") return lostText(finding);
  if (finding.code !== "storage_forbidden") return eventText(finding, nowMs);
  const { accounts, verbs, assumed } = finding.params;
  const who = accounts.map(accountName).join(" and ");
  const some = accounts.length === 1 ? "service account" : "service accounts";
  const are = accounts.length === 1 ? "isn't" : "aren't";
  return say`${own(some)} ${who} ${own(are)} allowed to ${verbs.join(" or ")} the Secret (403)${own(
    assumed ? "; no pod with it was seen" : "",
  )}`;
}

/** Why it came to that: the surest first, each said once. */
export function causeText(findings: readonly Finding[], nowMs: number): Text {
  const [lead] = findings;
  if (lead === undefined) return [];
  const clauses: Text[] = [];
  if (lead.code === "secret_lost" && lead.params.of === "many")
    clauses.push(incidentText(lead.params));
  if (lead.code === "cluster_unreachable" && lead.params.code !== "cluster_unauthorized")
    clauses.push(say`${lead.params.message}`);
  if (lead.code === "audit_incomplete" && lead.params.of === "part")
    clauses.push(say`${lead.params.message}`);
  if (lead.code === "certificate_invalid")
    clauses.push(...lead.params.hints.map((hint) => own(hintText(hint).replace(/\.$/, ""))));
  const others = findings.filter(
    (one) =>
      one.code === "storage_forbidden" ||
      (one !== lead && one.code !== lead.code && REASON_CODES.has(one.code)),
  );
  const reasons = byRank(others).toSorted(
    (a, b) => Number(b.code === "storage_forbidden") - Number(a.code === "storage_forbidden"),
  );
  for (const of of Map.groupBy(reasons, ({ code }) => code).values()) {
    const [first] = of;
    if (first === undefined) continue;
    clauses.push(
      of.length === 1
        ? reasonClause(first, nowMs)
        : first.code === "storage_forbidden"
          ? reasonClause(first, nowMs)
          : eventOfMany(first, nowMs),
    );
  }
  // These say by themselves what the diagnosis would.
  if (!findings.some(({ code }) => SAYS_WHY.has(code))) clauses.push(...diagnosed(findings));
  const said = new Set<string>();
  return clauses
    .filter((clause) => {
      const text = plainText(clause);
      if (text === "" || said.has(text)) return false;
      said.add(text);
      return true;
    })
    .flatMap((clause, index): Text => (index === 0 ? clause : ["; ", ...clause]));
}

/** What the diagnosis names; of several the first, and that others differ. */
function diagnosed(findings: readonly Finding[]): Text[] {
  const whys = findings.flatMap(({ why }) => (why === null ? [] : [why]));
  const [first] = whys;
  if (first === undefined) return [];
  const [cause] = first.causes;
  // Lost certificates are said with what kept them from being stored.
  if (cause?.code === "storage" && findings.some(({ code }) => code === "issued_not_stored"))
    return [];
  if (first.verdict === "unknown" || cause === undefined)
    return first.verdict === "unknown" ? [unknownText(first)] : [];
  const opening = { proven: "", likely: "probably ", possible: "perhaps " }[cause.confidence];
  const over = cause.overMs === null ? [] : own(" (over since then)");
  return [say`${own(opening)}${becauseClause(cause.because)}${over}`];
}

export function alsoText(events: readonly ItemEvent[], nowMs: number): Text[] {
  const others = events.flatMap(({ subjects }) =>
    subjects.flatMap(({ findings: [, ...rest] }) =>
      rest.filter(({ code }) => !REASON_CODES.has(code) && !LIMITS.has(code)),
    ),
  );
  return [...Map.groupBy(others, ({ code }) => code).values()].flatMap((of) => {
    const [first] = of;
    if (first === undefined) return [];
    return [
      of.length === 1
        ? eventText(first, nowMs)
        : say`${own(count(of.length, "certificate"))}: ${eventOfMany(first, nowMs)}`,
    ];
  });
}

/** `shop.example in prod: Secret missing`, `11 certificates in prod: expired`. */
export function eventTitle({ subjects, noun, what }: ItemEvent, { clusters }: Item): Text {
  const [first] = subjects;
  const [cluster = ""] = clusters;
  if (noun === "cluster" && subjects.length > 1)
    return say`${own(count(subjects.length, noun))}: ${what}`;
  if (first === undefined || subjects.length > 1)
    return say`${own(count(subjects.length, noun))} in ${
      clusters.length === 1 ? { name: cluster } : own(count(clusters.length, "cluster"))
    }: ${what}`;
  // What befell the whole cluster, or many certificates of it, is titled by the cluster.
  const whole = first.name === first.cluster || noun === "namespace";
  return whole
    ? say`${{ name: first.cluster }}: ${what}`
    : say`${{ name: first.name }} in ${{ name: first.cluster }}: ${what}`;
}

/** The figures of a headline about a rate limit; nothing for any other. */
export function figuresOf({ findings: [{ code, params }] }: Item): Text {
  return code === "set_budget_low" || code === "domain_budget_low" ? usedText(params) : [];
}

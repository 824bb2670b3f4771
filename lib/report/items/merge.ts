/**
 * Which findings have one root cause: those of one certificate or set of names, those that a
 * deleted namespace or a lost permission brought, and those alike. Pure.
 */
import type { FindingCode } from "../../finding/codes.ts";
import type { Finding } from "../../finding/finding.ts";
import { groupKey } from "../phrases.ts";

type Merged = readonly [Finding, ...Finding[]];

/**
 * What happened to a certificate before what led to it, and that before what it costs: the first of
 * a certificate's findings is its headline.
 */
const ORDER: readonly FindingCode[] = [
  "cluster_unreachable",
  "cluster_replaced",
  "audit_incomplete",
  "rebuilt_not_restored",
  "secret_lost",
  "fields_emptied",
  "certificate_invalid",
  "expired",
  "certificate_revoked",
  "expiring",
  "renewal_overdue",
  "certificate_pending",
  "account_key_lost",
  "storage_immutable",
  "issued_not_stored",
  "storage_forbidden",
  "rate_limited",
  "set_budget_exhausted",
  "domain_budget_exhausted",
  "set_budget_low",
  "domain_budget_low",
  "storage_failing",
  "dns_failing",
  "renewal_window_forced",
  "reissued_without_need",
  "concurrent_issuance",
  "shared_set",
  "backup_unreadable",
  "backup_missing",
  "backup_quota",
  "credential_expiring",
  "clock_off",
  "cluster_named_twice",
  "secret_removed",
];
const RANK = new Map<string, number>(ORDER.map((code, index) => [code, index]));

export function rankOf({ code }: Pick<Finding, "code">): number {
  return RANK.get(code) ?? ORDER.length;
}

export function byRank<T extends Pick<Finding, "code" | "id">>(findings: readonly T[]): T[] {
  return findings.toSorted((a, b) => rankOf(a) - rankOf(b) || (a.id < b.id ? -1 : 1));
}

/** What happened to a cluster as a whole: what else is known of it may be old. */
export function isUnseen({ code }: Pick<Finding, "code">): boolean {
  return (
    code === "cluster_unreachable" || code === "cluster_replaced" || code === "audit_incomplete"
  );
}

/** These are about a cluster, a backup or a limit: their name is no certificate's. */
const UNNAMED: ReadonlySet<FindingCode> = new Set([
  "audit_incomplete",
  "backup_unreadable",
  "domain_budget_low",
  "domain_budget_exhausted",
]);
const SETS: ReadonlySet<FindingCode> = new Set([
  "set_budget_low",
  "set_budget_exhausted",
  "reissued_without_need",
  "concurrent_issuance",
  "shared_set",
]);

const keyOf = (...parts: readonly (string | null)[]): string => JSON.stringify(parts);

/** Keys of what a finding is about. Findings that share one have one root cause. */
function keysOf(finding: Finding): string[] {
  const { code, params, subject } = finding;
  const { cluster, namespace, secret, name } = subject;
  const keys: string[] = [];
  if (secret !== null) keys.push(keyOf("place", cluster, namespace, secret, name));
  if (name !== null && name.includes(".") && !UNNAMED.has(code))
    keys.push(keyOf("name", cluster, name));
  if (SETS.has(code) && "key" in params) keys.push(keyOf("set", String(params.key)));
  if (code === "domain_budget_low" || code === "domain_budget_exhausted")
    keys.push(keyOf("domain", finding.params.key));
  if (code === "rate_limited" && params.by === "refusal") keys.push(keyOf(params.kind, params.key));
  if (
    code === "backup_missing"
      ? params.of !== "all"
      : code === "audit_incomplete" && name === "backups"
  )
    keys.push(keyOf("store", cluster));
  if (code === "storage_forbidden")
    keys.push(keyOf("access", cluster, namespace, params.accounts.toSorted().join()));
  return keys.length > 0 ? keys : [keyOf("finding", finding.id)];
}

class Unions {
  readonly #parent = new Map<string, string>();

  root(key: string): string {
    let top = key;
    for (let up = this.#parent.get(top); up !== undefined; up = this.#parent.get(top)) top = up;
    // Later look-ups are short.
    for (let one = key; one !== top;) {
      const up = this.#parent.get(one) ?? top;
      this.#parent.set(one, top);
      one = up;
    }
    return top;
  }

  join(a: string, b: string): void {
    const [from, to] = [this.root(a), this.root(b)];
    if (from !== to) this.#parent.set(from, to);
  }
}

/** The incident that took a Secret, by `namespace/secret` or namespace. */
function incidents(findings: readonly Finding[]): (finding: Finding) => string | null {
  const byPlace = new Map<string, string>();
  for (const { code, params, subject, id } of findings) {
    const { cluster, namespace } = subject;
    if (code === "secret_lost" && params.of === "many") {
      for (const key of params.keys) byPlace.set(keyOf(cluster, key), id);
      // Only the first are listed; what else is known of its namespace is about the others.
      if (namespace !== null && params.count > params.keys.length)
        byPlace.set(keyOf(cluster, namespace), id);
    }
    if (code === "audit_incomplete" && params.of === "namespaces")
      for (const one of params.namespaces) byPlace.set(keyOf(cluster, one), id);
  }
  return ({ code, subject: { cluster, namespace, secret } }) =>
    namespace === null || code === "backup_unreadable"
      ? null
      : (byPlace.get(keyOf(cluster, `${namespace}/${secret}`)) ??
        byPlace.get(keyOf(cluster, namespace)) ??
        null);
}

/** Findings with one root cause together, the headline's first; in no order. */
export function mergeFindings(findings: readonly Finding[]): Merged[] {
  const unions = new Unions();
  const incidentOf = incidents(findings);
  const rootKey = (finding: Finding): string => keyOf("finding", finding.id);
  for (const finding of findings) {
    for (const key of keysOf(finding)) unions.join(rootKey(finding), key);
    const incident = incidentOf(finding);
    if (incident !== null) unions.join(rootKey(finding), keyOf("finding", incident));
  }
  const ones = [...Map.groupBy(findings, (finding) => unions.root(rootKey(finding))).values()].map(
    (of) => byRank(of),
  );
  return [...Map.groupBy(ones, alikeKey).values()].map(
    (of) => byRank(of.flat()) as unknown as Merged,
  );
}

/** Groups with the same key have the same event, cause and fix. */
function alikeKey(findings: readonly Finding[]): string {
  const [lead] = findings;
  if (lead === undefined) return "";
  const { code, subject, cause, why, params } = lead;
  const rooted = findings.find(
    (one) =>
      (one.code === "secret_lost" && one.params.of === "many") ||
      (one.code === "storage_forbidden" && findings.length > 1),
  );
  if (rooted !== undefined) return keyOf("root", rooted.id);
  const restores = findings.some(({ actions }) => actions.some(({ kind }) => kind === "restore"));
  // What stops all clusters alike is one item; what is restored needs a command a cluster.
  const cluster = restores ? subject.cluster : null;
  if (
    code === "cluster_replaced" ||
    code === "cluster_named_twice" ||
    code === "rebuilt_not_restored"
  )
    return keyOf("finding", lead.id);
  if (code === "audit_incomplete" && (params.of === "part" || params.of === "namespaces"))
    return keyOf("part", subject.cluster, ...cause);
  // The cause names the account.
  if (lead.code === "storage_forbidden")
    return keyOf(groupKey(lead), cluster, ...lead.params.accounts.toSorted(), ...cause);
  return keyOf(groupKey(lead), cluster, why?.causes[0]?.code ?? null, ...cause);
}

/**
 * What to do about a certificate that fails or is lost: restore it, have it reissued, or wait.
 *
 * Never more than the evidence carries: a usable backup is first; where it isn't known whether
 * there is one, or who issues, or by which limit, no action is named. A cluster's own claims (its
 * logs) count for its own certificates and nobody else's.
 */
import { type Budget, budgetOf } from "./budget.ts";
import { accountOf, isRenewalAt, type Ledger } from "./ledger.ts";
import { registeredDomains, setOf } from "./limit.ts";

export type Action = "restore" | "reissue" | "wait" | "unknown";

/**
 * `other_host_name`: a set of its own, under the same domain; `staging`: for tests, browsers refuse
 * it.
 */
export type OtherWay = "other_host_name" | "staging";

export interface Advice {
  readonly action: Action;
  /** Codes of what decided, most decisive first. */
  readonly because: readonly AdviceReason[];
  /**
   * Certificates that can still be issued for it; `null` where no limit is known. `atLeast` `null`:
   * unknown.
   */
  readonly left: { readonly atMost: number; readonly atLeast: number | null } | null;
  /** For `wait`: not before this. */
  readonly untilMs: number | null;
  readonly otherWays: readonly OtherWay[];
  /** As its own cluster sees them. */
  readonly set: Budget | null;
  /** Empty where the order would be a renewal, which isn't held to the domain's limit. */
  readonly domains: readonly Budget[];
}

export type AdviceReason =
  | "good_copy"
  | "copies_unread"
  | "issuer_unknown"
  | "limit_unknown"
  | "set_exhausted"
  | "domain_exhausted"
  | "refused_until"
  | "budget_left"
  /** No source sees every issuance: less may be left than is known. */
  | "at_least_unknown";

export interface AdviceInput {
  readonly names: readonly string[];
  /** Id, or `null` where it isn't known who issued it or would. */
  readonly issuer: string | null;
  /** Whether a copy that could be restored exists; `unknown` where the store could not be read. */
  readonly copy: "good" | "none" | "unknown";
  readonly atMs: number;
}

/** The lesser of what a cluster sees and what is shared: its claims can take away, never add. */
function lesser(own: Budget | null, shared: Budget | null): Budget | null {
  if (own === null || shared === null) return own ?? shared;
  return shared.atMost < own.atMost ? shared : own;
}

/** What is known of the limits that an order would meet. */
interface Known extends Pick<Advice, "left" | "set" | "domains"> {
  readonly budgets: readonly Budget[];
  /** Also where the order would be a renewal. */
  readonly everyDomain: readonly Budget[];
}

function knownOf(shared: Ledger, own: Ledger, issuer: string, { names, atMs }: AdviceInput): Known {
  const { names: sorted, key } = setOf(names);
  const pick = (kind: "set" | "domain", name: string): Budget | null =>
    lesser(budgetOf(own, kind, issuer, name, atMs), budgetOf(shared, kind, issuer, name, atMs));
  const set = pick("set", key);
  const everyDomain = registeredDomains(sorted).flatMap((domain) => pick("domain", domain) ?? []);
  const renewal = isRenewalAt(accountOf(shared, "set", issuer, key), atMs);
  const domains = renewal ? [] : everyDomain;
  const budgets = set === null ? domains : [set, ...domains];
  return { budgets, everyDomain, left: leastOf(budgets), set, domains };
}

function leastOf(budgets: readonly Budget[]): Advice["left"] {
  if (budgets.length === 0) return null;
  const atLeast = budgets.map((budget) => budget.atLeast);
  return {
    atMost: Math.min(...budgets.map(({ atMost }) => atMost)),
    atLeast: atLeast.includes(null) ? null : Math.min(...(atLeast as number[])),
  };
}

/** `own` was opened for the cluster that the certificate is in; `shared` for nobody. */
export function adviseOn(shared: Ledger, own: Ledger, input: AdviceInput): Advice {
  const { issuer, copy } = input;
  if (issuer === null) {
    const nothing = { left: null, untilMs: null, otherWays: [], set: null, domains: [] } as const;
    if (copy === "good") return { ...nothing, action: "restore", because: ["good_copy"] };
    return {
      ...nothing,
      action: "unknown",
      because: copy === "unknown" ? ["copies_unread", "issuer_unknown"] : ["issuer_unknown"],
    };
  }
  const limits = knownOf(shared, own, issuer, input);
  const { left, set, domains } = limits;
  const known = { left, set, domains, untilMs: null, otherWays: [] };
  if (copy === "good") return { ...known, action: "restore", because: ["good_copy"] };
  const blocked = blockOf(limits, own.cluster, input.atMs);
  if (blocked !== null) {
    const { reasons, untilMs, otherWays } = blocked;
    const wait = { ...known, untilMs, otherWays };
    if (copy === "unknown")
      return { ...wait, action: "unknown", because: ["copies_unread", ...reasons] };
    return { ...wait, action: "wait", because: reasons };
  }
  if (copy === "unknown") return { ...known, action: "unknown", because: ["copies_unread"] };
  if (left === null) return { ...known, action: "unknown", because: ["limit_unknown"] };
  return {
    ...known,
    action: "reissue",
    because: left.atLeast === null ? ["budget_left", "at_least_unknown"] : ["budget_left"],
  };
}

/** Why an order would be refused now, until when, and what could be ordered all the same. */
function blockOf(
  { set, domains, budgets, everyDomain }: Known,
  cluster: string | null,
  atMs: number,
): (Pick<Advice, "otherWays"> & { reasons: AdviceReason[]; untilMs: number }) | null {
  const ownClaims = ({ claims }: Budget): Budget["claims"] =>
    claims.filter((claim) => claim.cluster === cluster);
  const refused = budgets.flatMap((budget) => [
    ...ownClaims(budget),
    ...(budget.pinnedBy === null ? [] : [budget.pinnedBy]),
  ]);
  const refusedUntilMs = Math.max(atMs, ...refused.map(({ retryAtMs }) => retryAtMs));
  const reasons: AdviceReason[] = [];
  if (set?.atMost === 0) reasons.push("set_exhausted");
  if (domains.some(({ atMost }) => atMost === 0)) reasons.push("domain_exhausted");
  if (refusedUntilMs > atMs) reasons.push("refused_until");
  if (reasons.length === 0) return null;
  // Another name is a first certificate of its set: it needs a token of every domain.
  const freshName =
    everyDomain.length > 0 &&
    everyDomain.every((budget) => budget.atMost > 0 && ownClaims(budget).length === 0);
  return {
    reasons,
    untilMs: Math.max(refusedUntilMs, ...budgets.map(({ freeFromMs }) => freeFromMs)),
    otherWays: freshName ? ["other_host_name", "staging"] : ["staging"],
  };
}

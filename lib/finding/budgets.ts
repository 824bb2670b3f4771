/**
 * What all clusters tell of issuances as plain data for machines: numbers, instants, what they rest
 * on, and what a cluster's own log alone claims. Pure.
 */
import { type Budget, budgetOf } from "../ratelimit/budget.ts";
import type { Issuance } from "../ratelimit/issuance.ts";
import { accountOf } from "../ratelimit/ledger.ts";
import type { Advice } from "../ratelimit/advice.ts";
import { formatMs, formatMsOrNull } from "../certificate/time.ts";
import type { Across } from "./across.ts";
import { LOOK_BACK_MS } from "../ratelimit/rules.ts";

export function issuanceData({
  issuer,
  serial,
  names,
  issuedAtMs,
  basis,
  future,
  notBeforeMs,
  notAfterMs,
  sources,
  verified,
  claimedBy,
}: Issuance): object {
  return {
    issuer,
    serial,
    names,
    issuedAt: formatMs(issuedAtMs),
    basis,
    clockOff: future,
    notBefore: formatMs(notBeforeMs),
    notAfter: formatMs(notAfterMs),
    verified,
    claimedBy,
    sources: sources.map(({ kind, cluster, where, firstSeenMs }) => ({
      kind,
      cluster,
      where,
      firstSeenAt: formatMs(firstSeenMs),
    })),
  };
}

/** One budget and the issuances that it rests on, as serials. */
export function budgetData(across: Across, budget: Budget): object {
  const account = accountOf(across.ledger, budget.kind, budget.issuer, budget.key);
  const counted = account.entries.filter(
    ({ issuance, renewal }) =>
      issuance.issuedAtMs <= budget.atMs && (budget.kind === "set" || !renewal),
  );
  return {
    kind: budget.kind,
    issuer: budget.issuer,
    key: budget.key,
    limit: {
      count: budget.limit.count,
      burst: budget.limit.burst,
      periodSeconds: Number(budget.limit.periodNs) / 1e9,
    },
    at: formatMs(budget.atMs),
    atMost: budget.atMost,
    atLeast: budget.atLeast,
    because: budget.because,
    unseenSince: formatMsOrNull(budget.unseenSinceMs),
    nextSlot: formatMsOrNull(budget.nextSlotMs),
    freeFrom: formatMs(budget.freeFromMs),
    fullAt: formatMsOrNull(budget.fullAtMs),
    spent: budget.spent,
    exempt: budget.exempt,
    overshoots: budget.overshoots,
    overshot: budget.overshot,
    later: budget.later,
    claims: budget.claims.map(({ cluster, where, retryAtMs, seenAtMs, burst }) => ({
      cluster,
      where,
      retryAt: formatMs(retryAtMs),
      seenAt: formatMs(seenAtMs),
      burst,
    })),
    claimed: claimedBeside(across, budget),
    overrideSeen: budget.overrideSeen,
    evidence: counted.map(({ issuance }) => ({
      serial: issuance.serial,
      issuedAt: formatMs(issuance.issuedAtMs),
      basis: issuance.basis,
      sources: issuance.sources.map(({ kind, cluster, where }) => ({ kind, cluster, where })),
    })),
  };
}

export function acrossData(across: Across): object {
  return {
    budgets: [...across.budgets()].map((budget) => budgetData(across, budget)),
    ...lackData(across),
  };
}

/** Sources that were silent, what was left unread, and what bears a time that is still to come. */
export function lackData(across: Across): object {
  const { silences, unread } = across.ledger.evidence;
  return {
    silent: silences.map(({ source, cluster, reason, sinceMs }) => ({
      source,
      cluster,
      reason,
      since: formatMsOrNull(sinceMs),
    })),
    unread: unread.map(({ source, cluster, count, untilMs }) => ({
      source,
      cluster,
      count,
      until: formatMsOrNull(untilMs),
    })),
    fromFuture: across.future.map(({ what, source, cluster, atMs }) => ({
      what,
      source,
      cluster,
      at: formatMs(atMs),
    })),
  };
}

export function adviceData({ action, because, left, untilMs, otherWays }: Advice): object {
  return { action, because, left, until: formatMsOrNull(untilMs), otherWays };
}

export interface Claimed {
  readonly cluster: string;
  /** Within the last week; of a domain those that would take from it. */
  readonly count: number;
  readonly atMost: number;
}

const known = new WeakMap<Across, ReadonlyMap<string, ReadonlySet<string>>>();

/** Which clusters claim anything of a set or a domain. */
function claimants(across: Across): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>();
  for (const { claimedBy, issuer, set, domains } of across.ledger.evidence.issuances) {
    if (claimedBy === null) continue;
    for (const of of [
      `set ${issuer} ${set}`,
      ...domains.map((domain) => `domain ${issuer} ${domain}`),
    ])
      found.set(of, (found.get(of) ?? new Set()).add(claimedBy));
  }
  known.set(across, found);
  return found;
}

export function claimedBeside(
  across: Across,
  { kind, issuer, key, atMs, atMost }: Budget,
): readonly Claimed[] {
  const clusters = (known.get(across) ?? claimants(across)).get(`${kind} ${issuer} ${key}`) ?? [];
  return [...clusters].toSorted().flatMap((cluster) => {
    const ledger = across.ledgerOf(cluster);
    const count = accountOf(ledger, kind, issuer, key).entries.filter(
      ({ issuance: { claimedBy, issuedAtMs }, renewal }) =>
        claimedBy === cluster &&
        issuedAtMs <= atMs &&
        issuedAtMs > atMs - LOOK_BACK_MS &&
        (kind === "set" || !renewal),
    ).length;
    const own = budgetOf(ledger, kind, issuer, key, atMs);
    return count === 0 || own === null
      ? []
      : [{ cluster, count, atMost: Math.min(atMost, own.atMost) }];
  });
}

/**
 * Issuances that a cluster's own log claims and nothing else shows: reported beside the shared
 * number, never in it. Pure.
 */
import { type Budget, budgetOf } from "../ratelimit/budget.ts";
import { accountOf } from "../ratelimit/ledger.ts";
import { LOOK_BACK_MS } from "../ratelimit/rules.ts";
import type { Across } from "./across.ts";

export interface Claimed {
  readonly cluster: string;
  /** Within the last week; of a domain those that would take from it. */
  readonly count: number;
  /** What is left at most with them. */
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

/** By cluster. */
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

/** What was issued for a set of names or under a domain, and what is left of its limits. */
import type { Across } from "../../finding/across.ts";
import { budgetOf, timelineOf } from "../../ratelimit/budget.ts";
import type { Account } from "../../ratelimit/ledger.ts";
import { planNewNames, planSet } from "../../ratelimit/plan.ts";
import type { ExplainedAccount } from "../../report/explain/explanation.ts";

export function explainAccount(
  { kind, issuer, key, entries }: Account,
  { ledger, atMs }: Across,
  plan: number | null,
): ExplainedAccount {
  const domains = kind === "domain" ? [] : entries.flatMap(({ issuance }) => issuance.domains);
  const planned =
    plan === null
      ? null
      : kind === "domain"
        ? planNewNames(ledger, issuer, key, plan, atMs)
        : planSet(ledger, issuer, key.split(","), plan, atMs);
  return {
    kind,
    issuer,
    key,
    budget: budgetOf(ledger, kind, issuer, key, atMs),
    domains: [...new Set(domains)].flatMap(
      (domain) => budgetOf(ledger, "domain", issuer, domain, atMs) ?? [],
    ),
    timeline:
      timelineOf(ledger, { kind, issuer, key, entries }, atMs) ??
      entries
        .filter(({ issuance }) => issuance.issuedAtMs <= atMs)
        .map(({ issuance }) => ({ issuance })),
    plan: planned,
  };
}

export function isSeenIn({ entries }: Account, cluster: string): boolean {
  return entries.some(({ issuance }) =>
    issuance.sources.some((source) => source.cluster === cluster),
  );
}

export function distinct(accounts: readonly Account[]): Account[] {
  return [
    ...new Map(
      accounts.map((one) => [JSON.stringify([one.kind, one.issuer, one.key]), one]),
    ).values(),
  ];
}

/**
 * Evidence put in order: the issuances of each set and of each registered domain, in order of time, over
 * all clusters of the registry; each issuer, staging among them, apart.
 *
 * A shared ledger holds verified issuances alone. One opened for a cluster adds what that cluster's own
 * logs claim, for its own advice. Which issuances are renewals, and so took nothing from a domain's
 * bucket, is decided here.
 */
import type { Evidence, Refusal } from "./evidence.ts";
import type { Issuance } from "./issuance.ts";
import { type IssuerLimits, type Limit, limitFor, type LimitKind, type LimitOverride, RENEWAL_WINDOW_MS } from "./limit.ts";

export interface Entry {
  readonly issuance: Issuance;
  /** A known certificate of the same set made it a renewal. */
  readonly renewal: boolean;
  /** As `renewal`, and that certificate was certainly there before: not of the same instant. */
  readonly renewalSure: boolean;
}

export interface Account {
  readonly kind: LimitKind;
  readonly issuer: string;
  /** Key of the set, or the registered domain. */
  readonly key: string;
  /** In order of issuance. */
  readonly entries: readonly Entry[];
}

export interface Ledger {
  readonly evidence: Evidence;
  /** The cluster whose claims are in it, or `null`. */
  readonly cluster: string | null;
  readonly sets: ReadonlyMap<string, Account>;
  readonly domains: ReadonlyMap<string, Account>;
  readonly limits: ReadonlyMap<string, IssuerLimits | null>;
  readonly overrides: readonly LimitOverride[];
  /** Refusals by account. */
  readonly refusals: ReadonlyMap<string, readonly Refusal[]>;
}

export interface LedgerOptions {
  /** Limits by issuer id; an issuer that is missing has no known limits. */
  readonly limits: ReadonlyMap<string, IssuerLimits | null>;
  readonly overrides?: readonly LimitOverride[];
  /** Whose claims count beside what is verified; `null`: nobody's. */
  readonly cluster?: string | null;
}

/** A log line and the certificate that it tells of are this near: the line has no serial to tell them by. */
export const CLAIM_MATCH_MS = 10 * 60_000;

function accountKey(issuer: string, key: string): string {
  return `${issuer}\n${key}`;
}

function byIssuance(a: Issuance, b: Issuance): number {
  return a.issuedAtMs - b.issuedAtMs || (a.serial < b.serial ? -1 : a.serial > b.serial ? 1 : 0);
}

function append<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

/** In order of time, each with whether it was a renewal when it was issued. */
function entriesOf(issuances: readonly Issuance[]): Entry[] {
  const sorted = issuances.toSorted(byIssuance);
  let latestNotBefore = Number.NEGATIVE_INFINITY;
  // The same over those issued strictly before the instant at hand.
  let surelyBefore = Number.NEGATIVE_INFINITY;
  let instant = Number.NaN;
  return sorted.map((issuance) => {
    if (issuance.issuedAtMs !== instant) {
      surelyBefore = latestNotBefore;
      instant = issuance.issuedAtMs;
    }
    // sa/saro.go, FQDNSetTimestampsForWindow: strictly younger than the window; its `issued` is the notBefore.
    const windowStart = issuance.issuedAtMs - RENEWAL_WINDOW_MS;
    const entry = { issuance, renewal: latestNotBefore > windowStart, renewalSure: surelyBefore > windowStart };
    latestNotBefore = Math.max(latestNotBefore, issuance.notBeforeMs);
    return entry;
  });
}

/** The claims of a cluster that no verified issuance accounts for; each verified one accounts for one claim. */
function unaccounted(claims: readonly Issuance[], verified: readonly Issuance[], cluster: string): Issuance[] {
  const free = verified.filter(({ sources }) => sources.some((source) => source.cluster === cluster)).toSorted(byIssuance);
  const serials = new Set(verified.map(({ serial }) => serial));
  let next = 0;
  return claims.toSorted(byIssuance).filter((claim) => {
    if (serials.has(claim.serial)) return false;
    while ((free[next]?.issuedAtMs ?? Number.POSITIVE_INFINITY) < claim.issuedAtMs - CLAIM_MATCH_MS) next++;
    if ((free[next]?.issuedAtMs ?? Number.POSITIVE_INFINITY) > claim.issuedAtMs + CLAIM_MATCH_MS) return true;
    next++;
    return false;
  });
}

/** Puts evidence in order. Pure; linear in the issuances but for sorting. */
export function createLedger(evidence: Evidence, options: LedgerOptions): Ledger {
  const cluster = options.cluster ?? null;
  const bySet = new Map<string, Issuance[]>();
  const claims = new Map<string, Issuance[]>();
  for (const issuance of evidence.issuances) {
    if (issuance.claimedBy === null) append(bySet, accountKey(issuance.issuer, issuance.set), issuance);
    else if (issuance.claimedBy === cluster) append(claims, accountKey(issuance.issuer, issuance.set), issuance);
  }
  if (cluster !== null) {
    for (const [key, claimed] of claims) bySet.set(key, [...(bySet.get(key) ?? []), ...unaccounted(claimed, bySet.get(key) ?? [], cluster)]);
  }
  const sets = new Map<string, Account>();
  const byDomain = new Map<string, Entry[]>();
  for (const [key, issuances] of bySet) {
    const first = issuances[0];
    if (first === undefined) continue;
    const entries = entriesOf(issuances);
    sets.set(key, { kind: "set", issuer: first.issuer, key: first.set, entries });
    for (const entry of entries) for (const domain of entry.issuance.domains) append(byDomain, accountKey(first.issuer, domain), entry);
  }
  const domains = new Map<string, Account>();
  for (const [key, entries] of byDomain) {
    const issuer = entries[0]?.issuance.issuer ?? "";
    domains.set(key, { kind: "domain", issuer, key: key.slice(issuer.length + 1), entries: entries.toSorted((a, b) => byIssuance(a.issuance, b.issuance)) });
  }
  const refusals = new Map<string, Refusal[]>();
  for (const refusal of evidence.refusals) append(refusals, `${refusal.kind}\n${accountKey(refusal.issuer, refusal.key)}`, refusal);
  return { evidence, cluster, sets, domains, limits: options.limits, overrides: options.overrides ?? [], refusals };
}

/** The account of a set or domain; one without entries where nothing is known of it. */
export function accountOf(ledger: Ledger, kind: LimitKind, issuer: string, key: string): Account {
  const map = kind === "set" ? ledger.sets : ledger.domains;
  return map.get(accountKey(issuer, key)) ?? { kind, issuer, key, entries: [] };
}

/** Its limit, or `null` where none is known. */
export function limitOfAccount(ledger: Ledger, account: Pick<Account, "kind" | "issuer" | "key">): Limit | null {
  return limitFor(ledger.limits.get(account.issuer) ?? null, ledger.overrides, account.issuer, account.kind, account.key);
}

/** What clusters tell of refusals for it, whoever they are. */
export function refusalsOf(ledger: Ledger, account: Pick<Account, "kind" | "issuer" | "key">): readonly Refusal[] {
  return ledger.refusals.get(`${account.kind}\n${accountKey(account.issuer, account.key)}`) ?? [];
}

/** Whether an order for this set at `atMs` is certainly a renewal for the issuer, and so not held to the domain's limit. */
export function isRenewalAt(account: Account, atMs: number): boolean {
  return account.entries.some(({ issuance }) => issuance.issuedAtMs < atMs && issuance.notBeforeMs > atMs - RENEWAL_WINDOW_MS);
}

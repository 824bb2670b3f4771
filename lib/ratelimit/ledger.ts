/**
 * Evidence put in order: the issuances of each set and of each registered domain, in order of time,
 * over all clusters of the registry; each issuer, staging among them, apart.
 *
 * A shared ledger holds verified issuances alone. One opened for a cluster adds what that cluster's
 * own logs claim, for its own advice. Which issuances are renewals, and so took nothing from a
 * domain's bucket, is decided here.
 */
import type { Evidence, Refusal } from "./evidence.ts";
import { type Issuance, mayBeOf } from "./issuance.ts";
import {
  type IssuerLimits,
  type Limit,
  limitFor,
  type LimitKind,
  type LimitOverride,
  MS_NS,
  RENEWAL_WINDOW_MS,
} from "./limit.ts";

export interface Entry {
  readonly issuance: Issuance;
  /** `issuedAtMs` as the bucket computes with it. */
  readonly atNs: bigint;
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
  /** By kind, issuer and key. */
  readonly accounts: Readonly<Record<LimitKind, ReadonlyMap<string, ReadonlyMap<string, Account>>>>;
  readonly limits: ReadonlyMap<string, IssuerLimits | null>;
  readonly overrides: readonly LimitOverride[];
  /** Likewise. */
  readonly refusals: Readonly<
    Record<LimitKind, ReadonlyMap<string, ReadonlyMap<string, readonly Refusal[]>>>
  >;
}

export interface LedgerOptions {
  /** Limits by issuer id; an issuer that is missing has no known limits. */
  readonly limits: ReadonlyMap<string, IssuerLimits | null>;
  readonly overrides?: readonly LimitOverride[];
  /** Whose claims count beside what is verified; `null`: nobody's. */
  readonly cluster?: string | null;
}

/**
 * A log line and the certificate that it tells of are this near: the line has no serial to tell
 * them by.
 */
const CLAIM_MATCH_MS = 10 * 60_000;

function byIssuance(a: Issuance, b: Issuance): number {
  return a.issuedAtMs - b.issuedAtMs || (a.serial < b.serial ? -1 : a.serial > b.serial ? 1 : 0);
}

/**
 * Values by issuer and key. Two levels, as joining the two texts a hundred thousand times costs
 * more than all else here.
 */
type ByKey<T> = Map<string, Map<string, T>>;

function append<T>(map: ByKey<T[]>, issuer: string, key: string, value: T): void {
  let keys = map.get(issuer);
  if (keys === undefined) map.set(issuer, (keys = new Map<string, T[]>()));
  const list = keys.get(key);
  if (list === undefined) keys.set(key, [value]);
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
    // sa/saro.go, FQDNSetTimestampsForWindow: strictly younger than the window; its `issued` is the
    // notBefore.
    const windowStart = issuance.issuedAtMs - RENEWAL_WINDOW_MS;
    const entry = {
      issuance,
      atNs: BigInt(Math.round(issuance.issuedAtMs)) * MS_NS,
      renewal: latestNotBefore > windowStart,
      renewalSure: surelyBefore > windowStart,
    };
    latestNotBefore = Math.max(latestNotBefore, issuance.notBeforeMs);
    return entry;
  });
}

/**
 * The claims of a cluster that no verified issuance accounts for; each verified one accounts for
 * one claim.
 */
function unaccounted(
  claims: readonly Issuance[],
  verified: readonly Issuance[],
  cluster: string,
): Issuance[] {
  // One that only the logs of all certificates show may be this cluster's: issued there, and never
  // stored.
  const free = verified.filter((issuance) => mayBeOf(issuance, cluster)).toSorted(byIssuance);
  const serials = new Set(verified.map(({ serial }) => serial));
  let next = 0;
  return claims.toSorted(byIssuance).filter((claim) => {
    if (serials.has(claim.serial)) return false;
    while ((free[next]?.issuedAtMs ?? Number.POSITIVE_INFINITY) < claim.issuedAtMs - CLAIM_MATCH_MS)
      next++;
    if ((free[next]?.issuedAtMs ?? Number.POSITIVE_INFINITY) > claim.issuedAtMs + CLAIM_MATCH_MS)
      return true;
    next++;
    return false;
  });
}

/** Puts evidence in order. Pure; linear in the issuances but for sorting. */
export function createLedger(evidence: Evidence, options: LedgerOptions): Ledger {
  const cluster = options.cluster ?? null;
  const bySet: ByKey<Issuance[]> = new Map();
  const claims: ByKey<Issuance[]> = new Map();
  for (const issuance of evidence.issuances) {
    if (issuance.claimedBy === null) append(bySet, issuance.issuer, issuance.set, issuance);
    else if (issuance.claimedBy === cluster)
      append(claims, issuance.issuer, issuance.set, issuance);
  }
  for (const [issuer, keys] of claims) {
    for (const [key, claimed] of keys) {
      for (const claim of unaccounted(claimed, bySet.get(issuer)?.get(key) ?? [], cluster ?? ""))
        append(bySet, issuer, key, claim);
    }
  }
  const sets: ByKey<Account> = new Map();
  const byDomain: ByKey<Entry[]> = new Map();
  for (const [issuer, keys] of bySet) {
    const accounts = new Map<string, Account>();
    sets.set(issuer, accounts);
    for (const [key, issuances] of keys) {
      const entries = entriesOf(issuances);
      accounts.set(key, { kind: "set", issuer, key, entries });
      for (const entry of entries)
        for (const domain of entry.issuance.domains) append(byDomain, issuer, domain, entry);
    }
  }
  const domains: ByKey<Account> = new Map();
  for (const [issuer, keys] of byDomain) {
    const accounts = new Map<string, Account>();
    domains.set(issuer, accounts);
    for (const [key, entries] of keys)
      accounts.set(key, {
        kind: "domain",
        issuer,
        key,
        entries: entries.toSorted((a, b) => byIssuance(a.issuance, b.issuance)),
      });
  }
  const refusals = { set: new Map() as ByKey<Refusal[]>, domain: new Map() as ByKey<Refusal[]> };
  for (const refusal of evidence.refusals)
    append(refusals[refusal.kind], refusal.issuer, refusal.key, refusal);
  return {
    evidence,
    cluster,
    accounts: { set: sets, domain: domains },
    limits: options.limits,
    overrides: options.overrides ?? [],
    refusals,
  };
}

function overlaid(
  shared: Ledger["accounts"][LimitKind],
  own: Ledger["accounts"][LimitKind],
  isOwn: (key: string) => boolean,
): Ledger["accounts"][LimitKind] {
  const accounts = new Map(shared);
  for (const [issuer, keys] of own)
    accounts.set(
      issuer,
      new Map([...(shared.get(issuer) ?? []), ...[...keys].filter(([key]) => isOwn(key))]),
    );
  return accounts;
}

/**
 * The shared ledger as a cluster sees it that claims these issuances. The same as one created for
 * it, at the cost of what its claims touch alone: there may be a thousand clusters.
 */
export function ledgerFor(shared: Ledger, cluster: string, claims: readonly Issuance[]): Ledger {
  if (claims.length === 0) return { ...shared, cluster };
  const domains = new Map<string, Set<string>>();
  for (const { issuer, domains: claimed } of claims) {
    const known = domains.get(issuer) ?? new Set<string>();
    domains.set(issuer, known);
    for (const domain of claimed) known.add(domain);
  }
  const touched = new Set(claims);
  for (const [issuer, keys] of domains)
    for (const key of keys)
      for (const { issuance } of accountOf(shared, "domain", issuer, key).entries)
        touched.add(issuance);
  const own = createLedger(
    { ...shared.evidence, refusals: [], issuances: [...touched] },
    { limits: shared.limits, overrides: shared.overrides, cluster },
  );
  const claimed = new Set([...domains.values()].flatMap((keys) => [...keys]));
  return {
    ...shared,
    cluster,
    accounts: {
      set: overlaid(shared.accounts.set, own.accounts.set, () => true),
      domain: overlaid(shared.accounts.domain, own.accounts.domain, (key) => claimed.has(key)),
    },
  };
}

/** Every account of a kind that something is known of. */
export function accountsOf(ledger: Ledger, kind: LimitKind): readonly Account[] {
  return [...ledger.accounts[kind].values()].flatMap((accounts) => [...accounts.values()]);
}

/** The account of a set or domain; one without entries where nothing is known of it. */
export function accountOf(ledger: Ledger, kind: LimitKind, issuer: string, key: string): Account {
  return ledger.accounts[kind].get(issuer)?.get(key) ?? { kind, issuer, key, entries: [] };
}

/** Its limit, or `null` where none is known. */
export function limitOfAccount(
  ledger: Ledger,
  account: Pick<Account, "kind" | "issuer" | "key">,
): Limit | null {
  return limitFor(
    ledger.limits.get(account.issuer) ?? null,
    ledger.overrides,
    account.issuer,
    account.kind,
    account.key,
  );
}

/** What clusters tell of refusals for it, whoever they are. */
export function refusalsOf(
  ledger: Ledger,
  account: Pick<Account, "kind" | "issuer" | "key">,
): readonly Refusal[] {
  return ledger.refusals[account.kind].get(account.issuer)?.get(account.key) ?? [];
}

/**
 * Whether an order for this set at `atMs` is certainly a renewal for the issuer, and so not held to
 * the domain's limit.
 */
export function isRenewalAt(account: Account, atMs: number): boolean {
  return account.entries.some(
    ({ issuance }) => issuance.issuedAtMs < atMs && issuance.notBeforeMs > atMs - RENEWAL_WINDOW_MS,
  );
}

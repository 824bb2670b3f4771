/**
 * When more certificates could be issued one by one without a refusal: what a person needs to know
 * before a migration or a rebuild. Both limits hold together: a first certificate of a set takes a
 * token of its set and of every domain in it, a renewal one of its set alone.
 *
 * It promises nothing about what others issue meanwhile.
 */
import { ceilMs, spendCapped } from "./bucket.ts";
import { knownTat, sureTat } from "./known.ts";
import { type Account, accountOf, isRenewalAt, type Ledger, limitOfAccount } from "./ledger.ts";
import {
  DAY_MS,
  type Limit,
  MS_NS,
  pace,
  registeredDomains,
  RENEWAL_WINDOW_MS,
  setOf,
} from "./limit.ts";

/** As far as a plan looks. */
export const MAX_PLANNED = 10_000;

export interface Plan {
  /** By all that is known: an estimate, as others may have issued or an overshoot left more. */
  readonly earliestMs: readonly number[];
  /** By what is sure: at these, if nothing else is issued; `null` where at least is unknown. */
  readonly sureMs: readonly number[] | null;
}

/** A bucket that a plan spends from. */
interface Planned {
  readonly limit: Limit;
  tat: bigint | null;
}

function freeMs(bucket: Planned, fromMs: number): number {
  if (bucket.tat === null) return fromMs;
  const { intervalNs, offsetNs } = pace(bucket.limit);
  return Math.max(fromMs, ceilMs(bucket.tat + intervalNs - offsetNs));
}

function take(bucket: Planned, atMs: number): void {
  bucket.tat = spendCapped(pace(bucket.limit), bucket.tat, BigInt(atMs) * MS_NS);
}

/** Buckets of those accounts that have a limit; `null` if one of them is unknown. */
function opened(
  ledger: Ledger,
  accounts: readonly Account[],
  atMs: number,
  sure: boolean,
): Planned[] | null {
  const buckets: Planned[] = [];
  for (const account of accounts) {
    const limit = limitOfAccount(ledger, account);
    if (limit === null) continue;
    const tat = sure ? sureTat(ledger, account, limit, atMs) : knownTat(account, limit, atMs);
    if (sure && tat === null) return null;
    buckets.push({ limit, tat });
  }
  return buckets;
}

function repeated(
  count: number,
  fromMs: number,
  step: (fromMs: number) => number,
): readonly number[] {
  const instants: number[] = [];
  let at = Math.ceil(fromMs);
  for (let i = 0; i < Math.min(count, MAX_PLANNED); i++) {
    at = step(at);
    instants.push(at);
  }
  return instants;
}

/**
 * `count` more certificates of this very set from `atMs` on; `null` where no limit is known for it.
 */
export function planSet(
  ledger: Ledger,
  issuer: string,
  names: readonly string[],
  count: number,
  atMs: number,
): Plan | null {
  const { names: sorted, key } = setOf(names);
  const set = accountOf(ledger, "set", issuer, key);
  const domains = registeredDomains(sorted).map((domain) =>
    accountOf(ledger, "domain", issuer, domain),
  );
  if ([set, ...domains].every((account) => limitOfAccount(ledger, account) === null)) return null;
  const instants = (sure: boolean): readonly number[] | null => {
    const ofSet = opened(ledger, [set], atMs, sure);
    if (ofSet === null) return null;
    let ofDomains: Planned[] | null | undefined;
    let unknown = false;
    // A day less than the window: the planned certificate's notBefore is dated back.
    let renewalUntilMs = Number.NEGATIVE_INFINITY;
    const times = repeated(count, atMs, (fromMs) => {
      let at = ofSet.reduce((latest, bucket) => Math.max(latest, freeMs(bucket, fromMs)), fromMs);
      if (at >= renewalUntilMs && !isRenewalAt(set, at)) {
        ofDomains ??= opened(ledger, domains, atMs, sure);
        if (ofDomains === null) unknown = true;
        for (const bucket of ofDomains ?? []) at = Math.max(at, freeMs(bucket, at));
        for (const bucket of ofDomains ?? []) take(bucket, at);
      }
      for (const bucket of ofSet) take(bucket, at);
      renewalUntilMs = at + RENEWAL_WINDOW_MS - DAY_MS;
      return at;
    });
    return unknown ? null : times;
  };
  return { earliestMs: instants(false) ?? [], sureMs: instants(true) };
}

/**
 * `count` certificates, each of a name not seen before, under this registered domain from `atMs`
 * on.
 */
export function planNewNames(
  ledger: Ledger,
  issuer: string,
  domain: string,
  count: number,
  atMs: number,
): Plan | null {
  const account = accountOf(ledger, "domain", issuer, domain);
  if (limitOfAccount(ledger, account) === null) return null;
  const instants = (sure: boolean): readonly number[] | null => {
    const buckets = opened(ledger, [account], atMs, sure);
    if (buckets === null) return null;
    return repeated(count, atMs, (fromMs) => {
      const at = buckets.reduce(
        (latest, bucket) => Math.max(latest, freeMs(bucket, fromMs)),
        fromMs,
      );
      for (const bucket of buckets) take(bucket, at);
      return at;
    });
  };
  return { earliestMs: instants(false) ?? [], sureMs: instants(true) };
}

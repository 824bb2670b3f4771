/**
 * What is worth a finding about issuances: budgets that run out, needless and concurrent reissues,
 * sets that several places hold. Data only: words, severities and commands are lib/finding's.
 *
 * A staging issuer's budgets are left out by whoever calls: they are nobody's trouble.
 */
import type { Budget } from "./budget.ts";
import { type Issuance, issuanceKey } from "./issuance.ts";
import { type Account, accountOf, accountsOf, type Ledger } from "./ledger.ts";
import { DAY_MS, type LimitKind } from "./limit.ts";

export interface IssuanceSubject {
  readonly issuer: string;
  readonly kind: LimitKind;
  /** Key of the set, or the registered domain. */
  readonly key: string;
  /** Names of the clusters in which its issuances were seen, sorted. */
  readonly clusters: readonly string[];
}

interface FindingBase {
  readonly subject: IssuanceSubject;
  /** The instant from which it holds, ms. */
  readonly sinceMs: number;
  /** The instant at which it ends by itself if nothing more is issued, or `null`. */
  readonly untilMs: number | null;
  /** The issuances that it rests on, in order of time. */
  readonly issuances: readonly Issuance[];
  readonly places: readonly Holder[];
}

export type IssuanceFinding = FindingBase &
  (
    | {
        readonly code: `${LimitKind}_budget_${"low" | "exhausted"}`;
        readonly budget: Budget;
        readonly sameSerial: null;
      }
    | {
        readonly code: "reissued_without_need" | "concurrent_issuance";
        readonly budget: null;
        readonly sameSerial: null;
      }
    | {
        readonly code: "shared_set";
        readonly budget: null;
        /** Whether all places hold the same certificate (a copy), rather than one each. */
        readonly sameSerial: boolean;
      }
  );

/** A Secret that holds a certificate now. */
export interface Holder {
  readonly cluster: string;
  readonly namespace: string;
  readonly secret: string;
  readonly issuer: string;
  /** Key of the set. */
  readonly set: string;
  readonly serial: string;
  readonly firstSeenMs: number;
}

/** At or below this fraction of the burst a set's budget is low (2 of 5). */
const SET_LOW_FRACTION = 2 / 5;
/** At or below this fraction of the burst a domain's budget is low (10 of 50). */
const DOMAIN_LOW_FRACTION = 1 / 5;
/**
 * Issuances of one set no further apart than this are concurrent: a race, not a sequence of needs.
 */
export const CONCURRENT_MS = 10 * 60_000;
/**
 * How far back needless and concurrent issuances are told: as long as they weigh on a week's
 * budget.
 */
export const LOOK_BACK_MS = 7 * DAY_MS;

function subjectOf(
  account: Pick<Account, "issuer" | "kind" | "key">,
  issuances: readonly Issuance[],
): IssuanceSubject {
  const clusters = new Set<string>();
  for (const { sources } of issuances)
    for (const { cluster } of sources) if (cluster !== null) clusters.add(cluster);
  return {
    issuer: account.issuer,
    kind: account.kind,
    key: account.key,
    clusters: [...clusters].toSorted(),
  };
}

const PLAIN = { untilMs: null, budget: null, issuances: [], places: [], sameSerial: null } as const;

/** Budgets that are low or used up, by what is surely spent (at most). */
export function budgetFindings(
  ledger: Ledger,
  budgets: Iterable<Budget>,
): readonly IssuanceFinding[] {
  const found: IssuanceFinding[] = [];
  for (const budget of budgets) {
    const low = budget.kind === "set" ? SET_LOW_FRACTION : DOMAIN_LOW_FRACTION;
    if (budget.atMost > budget.limit.burst * low) continue;
    const issuances = accountOf(ledger, budget.kind, budget.issuer, budget.key)
      .entries.filter(
        ({ issuance, renewal }) =>
          issuance.issuedAtMs <= budget.atMs && (budget.kind === "set" || !renewal),
      )
      .map(({ issuance }) => issuance);
    const code = `${budget.kind}_budget_${budget.atMost === 0 ? "exhausted" : "low"}` as const;
    found.push({
      ...PLAIN,
      code,
      subject: subjectOf(budget, issuances),
      sinceMs: issuances.at(-1)?.issuedAtMs ?? budget.atMs,
      untilMs: budget.nextSlotMs,
      budget,
      issuances,
    });
  }
  return found;
}

/**
 * From when on an owner may rightly renew: a third of the lifetime before its end (half below ten
 * days), less the half of the window of 2 % that the issuer suggests around it (Boulder
 * core/objects.go, RenewalInfoSimple).
 */
export function renewalDueMs(notBeforeMs: number, notAfterMs: number): number {
  const lifetimeMs = notAfterMs + 1000 - notBeforeMs;
  return notAfterMs - lifetimeMs / (lifetimeMs < 10 * DAY_MS ? 2 : 3) - lifetimeMs / 100;
}

export interface NeedOptions {
  /** Starts of suggested windows by `issuanceKey`, where they were asked for. */
  readonly suggestedMs?: ReadonlyMap<string, number>;
  /** `issuanceKey` of certificates known to be revoked: replacing those was needed. */
  readonly revoked?: ReadonlySet<string>;
}

function wasDue(issuance: Issuance, atMs: number, options: NeedOptions): boolean {
  const key = issuanceKey(issuance);
  if (options.revoked?.has(key) === true) return true;
  return (
    atMs >=
    Math.min(
      renewalDueMs(issuance.notBeforeMs, issuance.notAfterMs),
      options.suggestedMs?.get(key) ?? Number.POSITIVE_INFINITY,
    )
  );
}

/**
 * Whether one place may have had both: some cluster saw both, or one is known from no cluster at
 * all.
 */
function mayShareOwner(a: Issuance, b: Issuance): boolean {
  const [inA, inB] = [a, b].map(({ sources }) =>
    sources.flatMap(({ cluster }) => cluster ?? []),
  ) as [string[], string[]];
  return inA.length === 0 || inB.length === 0 || inA.some((cluster) => inB.includes(cluster));
}

/** The latest issuance before the i-th that its controller still accepted when that was made. */
function validBefore(
  issuances: readonly Issuance[],
  i: number,
  options: NeedOptions,
): Issuance | null {
  const issuance = issuances[i] as Issuance;
  const atMs = issuance.issuedAtMs;
  for (let j = i - 1; j >= 0; j--) {
    const earlier = issuances[j] as Issuance;
    if (
      earlier.notBeforeMs <= atMs &&
      atMs <= earlier.notAfterMs &&
      mayShareOwner(earlier, issuance) &&
      !wasDue(earlier, atMs, options)
    )
      return earlier;
  }
  return null;
}

/**
 * Issuances of one set within the look-back, each with the certificate that was still good then, in
 * order of time.
 */
export function needlessIn(
  account: Account,
  atMs: number,
  options: NeedOptions = {},
): readonly { readonly issuance: Issuance; readonly before: Issuance }[] {
  const issuances = account.entries
    .map(({ issuance }) => issuance)
    .filter(({ issuedAtMs }) => issuedAtMs <= atMs);
  return issuances.flatMap((issuance, i) => {
    if (issuance.issuedAtMs <= atMs - LOOK_BACK_MS) return [];
    const before = validBefore(issuances, i, options);
    return before === null ? [] : [{ issuance, before }];
  });
}

/**
 * Sets of which a certificate was issued within the look-back though an earlier one was valid and
 * not due.
 */
export function needlessReissues(
  ledger: Ledger,
  atMs: number,
  options: NeedOptions = {},
): readonly IssuanceFinding[] {
  return accountsOf(ledger, "set").flatMap((account) => {
    const needless = needlessIn(account, atMs, options);
    const [first] = needless;
    if (first === undefined) return [];
    const told = new Set(needless.flatMap(({ issuance, before }) => [before, issuance]));
    const issuances = account.entries
      .map(({ issuance }) => issuance)
      .filter((issuance) => told.has(issuance));
    return [
      {
        ...PLAIN,
        code: "reissued_without_need" as const,
        subject: subjectOf(account, issuances),
        sinceMs: first.issuance.issuedAtMs,
        issuances,
      },
    ];
  });
}

/** The Secrets that issuances are known to have been stored in. */
function placesOf(issuances: readonly Issuance[]): ReadonlySet<string> {
  const seen = issuances.flatMap(({ sources }) => sources.filter(({ kind }) => kind === "secret"));
  return new Set(seen.map(({ cluster, where }) => `${cluster} ${where}`));
}

/**
 * Sets with issuances within minutes of each other within the look-back. One Secret that is written
 * again and again is no race.
 */
export function concurrentIssuances(ledger: Ledger, atMs: number): readonly IssuanceFinding[] {
  return accountsOf(ledger, "set").flatMap((account) => {
    const issuances = account.entries
      .map(({ issuance }) => issuance)
      .filter(({ issuedAtMs }) => issuedAtMs <= atMs && issuedAtMs > atMs - LOOK_BACK_MS);
    const near = (a: Issuance | undefined, b: Issuance | undefined): boolean =>
      a !== undefined && b !== undefined && b.issuedAtMs - a.issuedAtMs <= CONCURRENT_MS;
    const told = issuances.filter(
      (issuance, i) => near(issuances[i - 1], issuance) || near(issuance, issuances[i + 1]),
    );
    const first = told[0];
    return first === undefined || placesOf(told).size === 1
      ? []
      : [
          {
            ...PLAIN,
            code: "concurrent_issuance" as const,
            subject: subjectOf(account, told),
            sinceMs: first.issuedAtMs,
            issuances: told,
          },
        ];
  });
}

/** Sets that more than one Secret holds, in whatever namespaces and clusters. */
export function sharedSets(holders: readonly Holder[]): readonly IssuanceFinding[] {
  const bySet = new Map<string, Map<string, Holder>>();
  for (const holder of holders) {
    const set = JSON.stringify([holder.issuer, holder.set]);
    const places = bySet.get(set) ?? new Map<string, Holder>();
    const place = JSON.stringify([holder.cluster, holder.namespace, holder.secret]);
    const known = places.get(place);
    if (known === undefined || holder.firstSeenMs < known.firstSeenMs) places.set(place, holder);
    bySet.set(set, places);
  }
  return [...bySet.entries()]
    .filter(([, places]) => places.size > 1)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, byPlace]) => {
      const places = [...byPlace.entries()]
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([, holder]) => holder);
      const first = places[0] as Holder;
      return {
        ...PLAIN,
        code: "shared_set" as const,
        subject: {
          issuer: first.issuer,
          kind: "set" as const,
          key: first.set,
          clusters: [...new Set(places.map(({ cluster }) => cluster))].toSorted(),
        },
        // From when on there were two: the second first sight.
        sinceMs: places
          .map(({ firstSeenMs }) => firstSeenMs)
          .toSorted((a, b) => a - b)[1] as number,
        places,
        sameSerial: places.every(({ serial }) => serial === first.serial),
      };
    });
}

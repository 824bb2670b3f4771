/**
 * The issuer's token bucket, exactly: the generic cell rate algorithm of Boulder's
 * ratelimits/gcra.go in integer nanoseconds. A bucket is one instant, the TAT (theoretical arrival
 * time): when it is full again.
 *
 * The exact bucket isn't monotone in its spends: one on an empty bucket isn't stored, so an
 * additional early spend can push a later one out and leave more. What people are told rests on
 * `cappedTat` as well, which stores every spend, up to empty.
 */
import { type Limit, MS_NS, type Pace, pace } from "./limit.ts";

/** The bucket as it stood right after everything up to and including `atNs`. */
export interface Start {
  readonly atNs: bigint;
  readonly tatNs: bigint;
}

/** What the issuer would answer to the next order. */
export interface BucketState {
  /** Whole tokens left; never below 0 unless a start beyond empty was given. */
  readonly remaining: number;
  /** Whether the next spend would go through. */
  readonly allowed: boolean;
  /** Wait until the next spend goes through, rounded up to whole ms; 0 if it does now. */
  readonly retryInMs: number;
  /**
   * Stored TAT in ns since the epoch, possibly past; `null`: nothing was ever stored, the bucket is
   * full.
   */
  readonly tat: bigint | null;
}

/** Nanoseconds up to the next whole millisecond, as a number. */
export function ceilMs(ns: bigint): number {
  const whole = ns / MS_NS;
  return Number(whole * MS_NS < ns ? whole + 1n : whole);
}

/** A bucket out of which everything was just taken: nothing is left at `atNs`. */
export function emptyAt(limit: Limit, atNs: bigint): Start {
  return { atNs, tatNs: atNs + pace(limit).offsetNs };
}

function byTime(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Those that count between a start and an instant, in order of time. */
function counted(spends: readonly bigint[], at: bigint, start: Start | null): bigint[] {
  return spends.filter((now) => now <= at && (start === null || now > start.atNs)).toSorted(byTime);
}

/**
 * The TAT after a spend at `now`, or `null` where the bucket is empty and nothing is stored
 * (gcra.go, maybeSpend, cost 1).
 */
export function spend(
  { intervalNs, offsetNs }: Pace,
  tat: bigint | null,
  now: bigint,
): bigint | null {
  const next = (tat !== null && tat > now ? tat : now) + intervalNs;
  return now >= next - offsetNs ? next : null;
}

/**
 * The TAT after a spend at `now` that is stored in any case, capped at empty. A TAT beyond empty
 * stays.
 */
export function spendCapped(
  { intervalNs, offsetNs }: Pace,
  tat: bigint | null,
  now: bigint,
): bigint {
  const next = (tat !== null && tat > now ? tat : now) + intervalNs;
  const capped = next < now + offsetNs ? next : now + offsetNs;
  return tat !== null && tat > capped ? tat : capped;
}

/** What a bucket of this TAT answers at `at`. */
export function stateOf(limit: Limit, tat: bigint | null, at: bigint): BucketState {
  const { intervalNs, offsetNs } = pace(limit);
  const base = tat !== null && tat > at ? tat : at;
  const wait = base + intervalNs - offsetNs - at;
  return {
    // Towards zero, as Go divides; the numerator is negative only beyond empty.
    remaining: Number((at - (base - offsetNs)) / intervalNs),
    allowed: wait <= 0n,
    retryInMs: wait <= 0n ? 0 : ceilMs(wait),
    tat,
  };
}

/**
 * The issuer's bucket at `at` after `spends` (ns since the epoch, in any order; those after `at`
 * don't count). It starts full, or as `start` says; spends up to the start are part of it already.
 */
export function bucket(
  limit: Limit,
  spends: readonly bigint[],
  at: bigint,
  start: Start | null = null,
): BucketState {
  let tat = start === null ? null : start.tatNs;
  const steps = pace(limit);
  for (const now of counted(spends, at, start)) tat = spend(steps, tat, now) ?? tat;
  return stateOf(limit, tat, at);
}

/**
 * TAT after storing every spend, capped at empty: never earlier than the exact one, and never
 * earlier with one more spend, so what it leaves never rises with what becomes known.
 */
export function cappedTat(
  limit: Limit,
  spends: readonly bigint[],
  at: bigint,
  start: Start | null = null,
): bigint | null {
  let tat = start === null ? null : start.tatNs;
  const steps = pace(limit);
  for (const now of counted(spends, at, start)) tat = spendCapped(steps, tat, now);
  return tat;
}

/**
 * What a refusal says of the bucket: seen at `seenNs`, with the retry time `retryNs` that was
 * shown, which is up to 3 % of the wait late and cut to whole seconds (limiter.go,
 * Decision.Result). Bounds of the TAT, both inclusive; `null` where no bucket of this limit gives
 * such an answer (the wait is longer than one token takes, or already over).
 */
export function pinnedBy(
  limit: Limit,
  seenNs: bigint,
  retryNs: bigint,
): { readonly earliest: Start; readonly latest: Start } | null {
  const { intervalNs, offsetNs } = pace(limit);
  const shown = retryNs - seenNs;
  const second = 1_000_000_000n;
  // Longest: a whole token's time, 3 % late. The clock that saw it may differ by a second.
  if (shown <= -second || shown > (intervalNs * 103n) / 100n + second) return null;
  const shortest = shown <= 0n ? 0n : (shown * 100n) / 103n;
  const longest = shown + second;
  const toTat = (wait: bigint): bigint => seenNs + wait + offsetNs - intervalNs;
  const emptyNs = seenNs + offsetNs;
  const cap = (tat: bigint): bigint => (tat < emptyNs ? tat : emptyNs);
  return {
    earliest: { atNs: seenNs, tatNs: cap(toTat(shortest)) },
    latest: { atNs: seenNs, tatNs: cap(toTat(longest)) },
  };
}

/**
 * An issuer's limits as token buckets. The numbers come from lib/issuer, which holds what the
 * issuer's documentation says, with source and date; what its production holds is not public, so a
 * person can set them per issuer, set or domain (overrides). Periods are whole nanoseconds, as the
 * issuer computes with them.
 */
import type { Issuer } from "../issuer/issuers.ts";

/** A token bucket: `count` tokens come back every `periodNs`, at most `burst` are held. */
export interface Limit {
  readonly count: number;
  readonly burst: number;
  readonly periodNs: bigint;
}

/** What a bucket is kept for: the exact set of names, or a registered domain. */
export type LimitKind = "set" | "domain";

/** The limits of one issuer, as buckets. */
export interface IssuerLimits {
  /**
   * Per exact set of names over all accounts; `null`: the issuer has no such limit, or none is
   * known.
   */
  readonly set: Limit | null;
  /** Per registered domain over all accounts; `null` likewise. */
  readonly domain: Limit | null;
}

/** Another limit for one set or one domain of one issuer, from the configuration. */
export interface LimitOverride {
  readonly issuer: string;
  readonly kind: LimitKind;
  /** Key of the set (see lib/ratelimit/names.ts) or the registered domain. */
  readonly key: string;
  readonly limit: Limit;
}

export const MS_NS = 1_000_000n;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

/**
 * A set that holds a certificate whose notBefore is younger than this is a renewal for the issuer,
 * exempt from the domain's limit at the order and at the issuance (Boulder ra/ra.go,
 * issueCertificateOuter).
 */
export const RENEWAL_WINDOW_MS = 120 * DAY_MS;

/**
 * A limit in the units of documentation and configuration; without a burst of its own it is the
 * count.
 */
export function createLimit(parts: {
  readonly count: number;
  readonly periodMs: number;
  readonly burst?: number;
}): Limit {
  return {
    count: parts.count,
    burst: parts.burst ?? parts.count,
    periodNs: BigInt(Math.round(parts.periodMs)) * MS_NS,
  };
}

/**
 * The buckets of an issuer out of its data (lib/issuer); `null` where nothing is known of its
 * limits.
 */
export function limitsOf(issuer: Pick<Issuer, "limits">): IssuerLimits | null {
  if (issuer.limits === null) return null;
  const { perSet, perDomain } = issuer.limits;
  return {
    set: perSet === null ? null : createLimit(perSet),
    domain: perDomain === null ? null : createLimit(perDomain),
  };
}

/**
 * Why a limit can't be computed with, or `null` if it can: whole positive numbers, and at least 1
 * ns between two tokens.
 */
export function limitProblem(limit: Limit): RangeError | null {
  if (!Number.isSafeInteger(limit.count) || limit.count <= 0)
    return new RangeError(`count ${limit.count}: expected a whole number above 0`);
  if (!Number.isSafeInteger(limit.burst) || limit.burst <= 0)
    return new RangeError(`burst ${limit.burst}: expected a whole number above 0`);
  if (limit.periodNs <= 0n)
    return new RangeError(`period ${limit.periodNs} ns: expected more than 0`);
  if (limit.periodNs < BigInt(limit.count))
    return new RangeError(
      `period ${limit.periodNs} ns: expected at least 1 ns for each of ${limit.count}`,
    );
  return null;
}

/** How a bucket fills. */
export interface Pace {
  /** Time in which one token comes back. */
  readonly intervalNs: bigint;
  /** Time from empty to full. */
  readonly offsetNs: bigint;
}

/**
 * Emission interval and burst offset (Boulder ratelimits/limit.go, precompute: the division drops
 * the rest). @throws RangeError where `limitProblem` says why.
 */
export function pace(limit: Limit): Pace {
  const problem = limitProblem(limit);
  if (problem !== null) throw new RangeError(`limit: ${problem}`);
  const intervalNs = limit.periodNs / BigInt(limit.count);
  return { intervalNs, offsetNs: intervalNs * BigInt(limit.burst) };
}

/**
 * The limit that holds for a set or domain; `null`: none is known. The last override that names it
 * wins.
 */
export function limitFor(
  limits: IssuerLimits | null,
  overrides: readonly LimitOverride[],
  issuer: string,
  kind: LimitKind,
  key: string,
): Limit | null {
  for (let i = overrides.length - 1; i >= 0; i--) {
    const entry = overrides[i];
    if (entry !== undefined && entry.issuer === issuer && entry.kind === kind && entry.key === key)
      return entry.limit;
  }
  return limits === null ? null : limits[kind];
}

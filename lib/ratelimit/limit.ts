/**
 * An issuer's limits as token buckets. The numbers come from lib/issuer, which holds what the
 * issuer's documentation says, with source and date; what its production holds is not public, so a
 * person can set them per issuer, set or domain (overrides). Periods are whole nanoseconds, as the
 * issuer computes with them.
 *
 * The two things that an issuer counts by: the exact set of names, and the registered domain of
 * each name (Public Suffix List with its private rules, as Boulder's ratelimits/utilities.go,
 * coveringIdentifier, decides: a name that is itself a public suffix stands for itself, `*` is a
 * label like any other, and an IP address counts as its /32 or /64).
 *
 * Total: any text gives a key. What no issuer would have signed (an empty label, say) stands for
 * itself.
 */
import { getDomain } from "tldts";
import { ipText, parseAddress } from "../certificate/ip.ts";
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
  /** Key of the set (`setOf`) or the registered domain. */
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

export interface NameSet {
  /** Lower-cased, sorted, each once. */
  readonly names: readonly string[];
  /** The names joined with commas; equal for equal sets. */
  readonly key: string;
}

/**
 * The exact set that names make (Boulder identifier/identifier.go, Normalize; order within a key is
 * our own).
 */
export function setOf(names: readonly string[]): NameSet {
  const first = names[0];
  if (names.length === 1 && first !== undefined) {
    const name = first.toLowerCase();
    return { names: [name], key: name };
  }
  const sorted = [...new Set(names.map((name) => name.toLowerCase()))].toSorted();
  return { names: sorted, key: sorted.join(",") };
}

const PSL_OPTIONS = {
  allowPrivateDomains: true,
  extractHostname: false,
  validateHostname: false,
} as const;

/** The registered domain that a name counts under. */
export function registeredDomain(name: string): string {
  const lower = name.toLowerCase();
  // An address has a colon or ends in a digit; looking first spares nearly every name the parsing.
  const address = lower.includes(":") || /\d$/.test(lower) ? parseAddress(lower) : null;
  if (address !== null) {
    if (address.bytes.length === 4) return `${ipText(address.bytes)}/32`;
    const network = new Uint8Array(16);
    network.set(address.bytes.subarray(0, 8));
    return `${ipText(network)}/64`;
  }
  const bare = lower.endsWith(".") ? lower.slice(0, -1) : lower;
  return getDomain(bare, PSL_OPTIONS) ?? bare;
}

/**
 * Whether it is a registered domain itself, neither an address nor a suffix under which others
 * register theirs.
 */
export function isRegisteredDomain(domain: string): boolean {
  return !/\d$/.test(domain) && getDomain(domain, PSL_OPTIONS) === domain;
}

/**
 * The registered domains of a set, sorted, each once: an issuance takes a token from every one of
 * them.
 */
export function registeredDomains(names: readonly string[]): readonly string[] {
  if (names.length === 1) return [registeredDomain(names[0] as string)];
  return [...new Set(names.map(registeredDomain))].toSorted();
}

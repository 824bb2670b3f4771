/**
 * One certificate once issued, known by issuer and serial, and where that is known from.
 *
 * Merging two records of one issuance is a join: order, grouping and repetition don't matter. What
 * a cluster's logs claim has a key of its own, so that it never touches what was verified, nor
 * another cluster's claims. `verified` means: its signatures lead to the issuer's anchors, and
 * where a cluster showed it, the key fits; whoever makes the record answers for that.
 */
import { registeredDomains, setOf } from "./limit.ts";
import { type Basis, instantOf } from "./sct.ts";

export const SOURCE_KINDS = ["secret", "backup", "state", "log", "ct"] as const;
export type SourceKind = (typeof SOURCE_KINDS)[number];

/** One place that an issuance is known from. */
export interface Sighting {
  readonly kind: SourceKind;
  /** Name of the cluster, or `null` for what belongs to none (a log of certificates). */
  readonly cluster: string | null;
  /** Namespace and Secret, a copy's version, a pod, a log's name: for people. */
  readonly where: string;
  readonly firstSeenMs: number;
}

export interface Issuance {
  /** Id of the issuer; its staging environment is another issuer. */
  readonly issuer: string;
  /** Lower-case hex without leading zeros. */
  readonly serial: string;
  readonly names: readonly string[];
  /** Key of the set of names. */
  readonly set: string;
  /** Registered domains, sorted. */
  readonly domains: readonly string[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Earliest SCT timestamp seen, or `null`. */
  readonly sctMs: number | null;
  readonly backdateMs: number;
  readonly issuedAtMs: number;
  readonly basis: Basis;
  /** It claims a later issuance than its first sight. */
  readonly future: boolean;
  /** Sorted, each place once, with its first sight. */
  readonly sources: readonly Sighting[];
  readonly verified: boolean;
  /** The cluster whose word it is; `null` for what was verified. */
  readonly claimedBy: string | null;
}

/** What is known of an issuance before anything is derived. */
export interface IssuanceFacts {
  readonly issuer: string;
  readonly serial: string;
  readonly names: readonly string[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly sctMs: number | null;
  readonly backdateMs: number;
  /** At least one. */
  readonly sources: readonly Sighting[];
  /** `null`: verified. */
  readonly claimedBy: string | null;
}

/** Serial numbers as one source and another write them: colons, upper case, leading zeros. */
export function serialKey(serial: string): string {
  const bare = serial.toLowerCase().replaceAll(":", "").replace(/^0+/, "");
  return bare === "" ? "0" : bare;
}

function sightingKey(source: Sighting): string {
  return JSON.stringify([source.kind, source.cluster, source.where]);
}

function uniteSources(sources: readonly Sighting[]): readonly Sighting[] {
  if (sources.length === 1) return sources;
  const byKey = new Map<string, Sighting>();
  for (const source of sources) {
    const key = sightingKey(source);
    const known = byKey.get(key);
    if (known === undefined || source.firstSeenMs < known.firstSeenMs) byKey.set(key, source);
  }
  return [...byKey.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, source]) => source);
}

/**
 * The record of an issuance, its set, domains and instant derived. @throws RangeError without a
 * source.
 */
export function createIssuance(facts: IssuanceFacts): Issuance {
  const { names, key } = setOf(facts.names);
  return derive(facts, names, key, registeredDomains(names), facts.sources);
}

function derive(
  facts: IssuanceFacts,
  names: readonly string[],
  set: string,
  domains: readonly string[],
  seen: readonly Sighting[],
): Issuance {
  if (seen.length === 0)
    throw new RangeError(
      `issuance ${facts.issuer}/${facts.serial}: no source says that it was seen`,
    );
  const sources = uniteSources(seen);
  const firstSeenMs = sources.reduce(
    (least, source) => Math.min(least, source.firstSeenMs),
    Number.POSITIVE_INFINITY,
  );
  const { issuedAtMs, basis, future } = instantOf(
    facts.sctMs,
    facts.notBeforeMs + facts.backdateMs,
    firstSeenMs,
  );
  return {
    issuer: facts.issuer,
    serial: serialKey(facts.serial),
    names,
    set,
    domains,
    notBeforeMs: facts.notBeforeMs,
    notAfterMs: facts.notAfterMs,
    sctMs: facts.sctMs,
    backdateMs: facts.backdateMs,
    issuedAtMs,
    basis,
    future,
    sources,
    verified: facts.claimedBy === null,
    claimedBy: facts.claimedBy,
  };
}

/** The same issuance, seen where and when `sources` say. */
export function seenIn(issuance: Issuance, sources: readonly Sighting[]): Issuance {
  return derive(issuance, issuance.names, issuance.set, issuance.domains, sources);
}

/**
 * Whether it may be a cluster's: seen there, or, as by a log of all certificates alone, nowhere.
 */
export function mayBeOf({ sources }: Pick<Issuance, "sources">, cluster: string): boolean {
  return (
    sources.some((source) => source.cluster === cluster) ||
    sources.every((source) => source.cluster === null)
  );
}

/**
 * What makes two records the same issuance. The lengths keep texts apart, whatever stands in them;
 * JSON would cost several times as much.
 */
export function issuanceKey({
  issuer,
  serial,
  claimedBy,
}: Pick<Issuance, "issuer" | "serial" | "claimedBy">): string {
  const key = `${issuer.length} ${issuer} ${serial.length} ${serial}`;
  return claimedBy === null ? key : `${key} ${claimedBy}`;
}

/**
 * Facts that can't differ between two honest records; where they do, the choice doesn't depend on
 * the order.
 */
function factsKey(issuance: Issuance): string {
  return JSON.stringify([
    issuance.set,
    issuance.notBeforeMs,
    issuance.notAfterMs,
    issuance.backdateMs,
  ]);
}

/** The join of two records with one key. */
function mergeIssuance(a: Issuance, b: Issuance): Issuance {
  const chosen = factsKey(a) <= factsKey(b) ? a : b;
  const sctMs =
    a.sctMs === null ? b.sctMs : b.sctMs === null ? a.sctMs : Math.min(a.sctMs, b.sctMs);
  return derive({ ...chosen, sctMs }, chosen.names, chosen.set, chosen.domains, [
    ...a.sources,
    ...b.sources,
  ]);
}

/**
 * Whether each is there once and sorted by key: what was merged before is merged again, and it is
 * all there is.
 */
function isMerged(issuances: readonly Issuance[]): boolean {
  let last: string | null = null;
  return issuances.every((issuance) => {
    const before = last;
    last = issuanceKey(issuance);
    return before === null || before < last;
  });
}

/** Every issuance once, sorted by key; any number of lists in any order. */
export function mergeIssuances(...lists: readonly (readonly Issuance[])[]): readonly Issuance[] {
  const [only, ...others] = lists.filter(({ length }) => length > 0);
  if (only === undefined || (others.length === 0 && isMerged(only))) return only ?? [];
  const byKey = new Map<string, Issuance>();
  for (const list of lists) {
    for (const issuance of list) {
      const key = issuanceKey(issuance);
      const known = byKey.get(key);
      byKey.set(
        key,
        known === undefined || known === issuance ? issuance : mergeIssuance(known, issuance),
      );
    }
  }
  return [...byKey.keys()].toSorted().map((key) => byKey.get(key) as Issuance);
}

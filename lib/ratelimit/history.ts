/**
 * Issuances as a state keeps them between runs: the facts alone, newest first; what follows from
 * them is worked out again when they are read.
 *
 * Reading is total and bounded: an entry that isn't one, and those past the bound, are counted as
 * unread, so that nothing which rests on them claims to be complete.
 */
import type { Evidence, Unread } from "./evidence.ts";
import {
  createIssuance,
  type Issuance,
  type IssuanceFacts,
  mergeIssuances,
  type Sighting,
  SOURCE_KINDS,
  type SourceKind,
} from "./issuance.ts";
import { isRecord } from "../untrusted.ts";

/** Entries looked at in one history; a state that certkeep wrote holds far fewer. */
const MAX_STORED = 100_000;
/** Names in one certificate: what issuers sign ends at 100. */
const MAX_NAMES = 1_000;
/** Longest text taken for a name, an id or a place. */
const MAX_TEXT = 1_024;
/** ECMAScript's last instant, ms since the epoch. */
const LAST_MS = 8_640_000_000_000_000;

/**
 * Places of one issuance that are stored: the first that saw it, so that a certificate put into a
 * thousand Secrets stays small.
 */
const MAX_SOURCES = 20;

function firstSources(sources: readonly Sighting[]): readonly Sighting[] {
  if (sources.length <= MAX_SOURCES) return sources;
  return sources.toSorted((a, b) => a.firstSeenMs - b.firstSeenMs).slice(0, MAX_SOURCES);
}

/** What to store of issuances: newest first, so that a bound cuts the oldest. */
export function formatHistory(issuances: readonly Issuance[]): readonly IssuanceFacts[] {
  return issuances
    .toSorted((a, b) => b.issuedAtMs - a.issuedAtMs || (a.serial < b.serial ? -1 : 1))
    .map((issuance) => {
      const { issuer, serial, names, notBeforeMs, notAfterMs, sctMs, backdateMs } = issuance;
      const { claimedBy } = issuance;
      const sources = firstSources(issuance.sources);
      const facts = { issuer, serial, names, notBeforeMs, notAfterMs, sctMs, backdateMs };
      return { ...facts, sources, claimedBy };
    });
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.length <= MAX_TEXT;
}

function isInstant(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && Math.abs(value) <= LAST_MS;
}

function parseSighting(value: unknown): Sighting | null {
  if (!isRecord(value)) return null;
  const { kind, cluster, where, firstSeenMs } = value;
  if (
    !SOURCE_KINDS.includes(kind as SourceKind) ||
    !(cluster === null || isText(cluster)) ||
    !isText(where) ||
    !isInstant(firstSeenMs)
  )
    return null;
  return { kind: kind as SourceKind, cluster, where, firstSeenMs };
}

function parseStored(value: unknown): Issuance | null {
  if (!isRecord(value)) return null;
  const { issuer, serial, names, notBeforeMs, notAfterMs, sctMs, backdateMs, sources, claimedBy } =
    value;
  if (
    !isText(issuer) ||
    !isText(serial) ||
    !isInstant(notBeforeMs) ||
    !isInstant(notAfterMs) ||
    !isInstant(backdateMs)
  )
    return null;
  if (!(sctMs === null || isInstant(sctMs)) || !(claimedBy === null || isText(claimedBy)))
    return null;
  if (!Array.isArray(names) || names.length > MAX_NAMES || !names.every(isText)) return null;
  if (!Array.isArray(sources) || sources.length === 0 || sources.length > MAX_NAMES) return null;
  const seen = sources.map(parseSighting);
  if (!seen.every((sighting) => sighting !== null)) return null;
  const facts = { issuer, serial, names, notBeforeMs, notAfterMs, sctMs, backdateMs, claimedBy };
  return createIssuance({ ...facts, sources: seen });
}

/** The issuances of a stored history, and what of it was left unread. */
export function parseHistory(
  value: unknown,
  cluster: string | null,
  maxStored = MAX_STORED,
): Pick<Evidence, "issuances" | "unread"> {
  if (!Array.isArray(value)) {
    const absent = value === undefined || value === null;
    return {
      issuances: [],
      unread: absent ? [] : [{ source: "state", cluster, count: 1, untilMs: null }],
    };
  }
  const issuances: Issuance[] = [];
  let unread = Math.max(0, value.length - maxStored);
  for (const entry of value.slice(0, maxStored) as unknown[]) {
    const issuance = parseStored(entry);
    if (issuance === null) unread++;
    else issuances.push(issuance);
  }
  const left: readonly Unread[] =
    unread === 0 ? [] : [{ source: "state", cluster, count: unread, untilMs: null }];
  return { issuances: mergeIssuances(issuances), unread: left };
}

/**
 * What changed since the last digest, finding by finding: what is new, what is over, and what a
 * route remembers of it. Pure.
 *
 * A finding that goes and comes back counts as resolved only after a while, which doubles each
 * time. What can't be seen now is neither new nor resolved.
 */
import { SEVERITIES } from "../../finding/codes.ts";
import { type Finding, labelOf } from "../../finding/finding.ts";
import { saidKey, type RouteRecord, type SaidEntry } from "../../state/digest.ts";
import { middle } from "../part.ts";
import type { ClusterSummary } from "../summary.ts";
import type { Resolved } from "./message.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Missing for so long before it counts as resolved; doubled each time it comes back. */
const RESOLVE_AFTER_MS = HOUR_MS;
const MAX_RESOLVE_AFTER_MS = DAY_MS;
const REMEMBER_MS = 7 * DAY_MS;
/** Findings remembered one by one, the most severe first; more are counted. */
export const MAX_REMEMBERED = 20_000;
const LABEL_LENGTH = 80;

export function shortLabel(label: string): string {
  return middle(label, LABEL_LENGTH);
}

export interface Changes {
  /** Never reported, or reported as less severe. */
  readonly fresh: readonly Finding[];
  readonly resolved: readonly Resolved[];
  readonly afterPost: Record<string, SaidEntry>;
  readonly afterSilence: Record<string, SaidEntry>;
  /** Findings beyond those that are remembered one by one. */
  readonly left: number;
}

/** `current`: all findings of the summaries, the most severe first. */
export function changesSince(
  before: RouteRecord,
  summaries: readonly ClusterSummary[],
  current: readonly Finding[],
  nowMs: number,
): Changes {
  const present = new Map<string, Finding>();
  for (const finding of current.slice(0, MAX_REMEMBERED)) {
    const key = saidKey(finding.id);
    if (!present.has(key)) present.set(key, finding);
  }
  const fresh: Finding[] = [];
  const resolved: Resolved[] = [];
  const afterPost: Record<string, SaidEntry> = {};
  const afterSilence: Record<string, SaidEntry> = {};
  for (const [key, finding] of present) {
    const known = before.said[key];
    const isNew = isFresh(finding, known);
    if (isNew) fresh.push(finding);
    const entry = entryOf(finding, known, nowMs);
    afterPost[key] = isNew ? { ...entry, saidMs: nowMs } : entry;
    if (known !== undefined) afterSilence[key] = isNew ? known : entry;
  }
  const sights = new Map(summaries.map(({ cluster, sight }) => [cluster, sight]));
  for (const [key, entry] of Object.entries(before.said)) {
    const sight = sights.get(entry.cluster);
    // A cluster that the route no longer has is forgotten.
    if (present.has(key) || sight === undefined) continue;
    // While a state can't be read, nothing that was reported of it is over.
    const next = sight === "unreadable" ? { post: entry, silence: entry } : absent(entry, nowMs);
    if (next.post !== null) afterPost[key] = next.post;
    if (next.silence !== null) afterSilence[key] = next.silence;
    // An information is forgotten without a message.
    if (next.resolved === true && entry.severity !== "info") {
      const { code, cluster, label, saidMs } = entry;
      resolved.push({ code, cluster, label, saidMs });
    }
  }
  const left = Math.max(0, current.length - MAX_REMEMBERED);
  return { fresh, resolved, afterPost, afterSilence, left };
}

function isFresh({ severity }: Finding, known: SaidEntry | undefined): boolean {
  return (
    known === undefined || known.resolvedMs !== null || rankOf(severity) < rankOf(known.severity)
  );
}

function entryOf(finding: Finding, known: SaidEntry | undefined, nowMs: number): SaidEntry {
  const isBack = known !== undefined && (known.goneMs !== null || known.resolvedMs !== null);
  return {
    severity: finding.severity,
    code: finding.code,
    cluster: finding.subject.cluster,
    label: shortLabel(labelOf(finding.subject)),
    saidMs: known?.saidMs ?? nowMs,
    goneMs: null,
    resolvedMs: null,
    flaps: (known?.flaps ?? 0) + (isBack ? 1 : 0),
  };
}

/** What becomes of an entry whose finding isn't there now; `null`: it is forgotten. */
function absent(
  entry: SaidEntry,
  nowMs: number,
): {
  readonly post: SaidEntry | null;
  readonly silence: SaidEntry | null;
  readonly resolved?: true;
} {
  if (entry.resolvedMs !== null) {
    const resolvedMs = Math.min(entry.resolvedMs, nowMs);
    const kept = nowMs - resolvedMs < REMEMBER_MS ? { ...entry, resolvedMs } : null;
    return { post: kept, silence: kept };
  }
  const goneMs = Math.min(entry.goneMs ?? nowMs, nowMs);
  const afterMs = Math.min(MAX_RESOLVE_AFTER_MS, RESOLVE_AFTER_MS * 2 ** Math.min(entry.flaps, 10));
  const gone = { ...entry, goneMs };
  return nowMs - goneMs < afterMs
    ? { post: gone, silence: gone }
    : { post: { ...gone, resolvedMs: nowMs }, silence: gone, resolved: true };
}

function rankOf(severity: string): number {
  const rank = (SEVERITIES as readonly string[]).indexOf(severity);
  return rank === -1 ? SEVERITIES.length : rank;
}

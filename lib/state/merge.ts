/**
 * Merging two states of one cluster that grew from a common one: what two audits at once each saw.
 * Commutative on what either knows: per record the later observation wins, copies are united, spans
 * grow.
 */
import { parseMsOrNull } from "../certificate/time.ts";
import type { CopyRecord, StateDocument } from "./document.ts";
import { carryEvidence } from "./evidence.ts";
import { carryObservations } from "./observations.ts";
import { mergeIdentity } from "./identity.ts";
import { mergeSecrets, union } from "./secrets.ts";

function later(a: string, b: string): string {
  return a >= b ? a : b;
}

function earlier(a: string, b: string): string {
  return a <= b ? a : b;
}

/** One copy as two audits know it: its spans are united, a retirement stays. */
function mergeCopy(a: CopyRecord, b: CopyRecord): CopyRecord {
  const retired = a.retired ?? b.retired;
  const restoredAt = later(a.restoredAt ?? "", b.restoredAt ?? "");
  return {
    ...a,
    ...b,
    digest: a.recordedAt <= b.recordedAt ? a.digest : b.digest,
    recordedAt: earlier(a.recordedAt, b.recordedAt),
    seenValid: a.seenValid || b.seenValid,
    liveFrom: earlier(a.liveFrom, b.liveFrom),
    liveUntil: later(a.liveUntil, b.liveUntil),
    ...(retired === undefined ? {} : { retired }),
    ...(restoredAt === "" ? {} : { restoredAt }),
  };
}

/**
 * `theirs` as stored meanwhile, `ours` as this run would have written it. What was seen of a
 * cluster whose successor was pinned meanwhile is dropped.
 */
export function mergeStates(theirs: StateDocument, ours: StateDocument): StateDocument {
  if (
    theirs.identity !== null &&
    ours.identity !== null &&
    theirs.identity.key !== ours.identity.key
  )
    return theirs;
  const newest = (theirs.audit?.finishedAt ?? "") > (ours.audit?.finishedAt ?? "") ? theirs : ours;
  const drill = (theirs.drill?.at ?? "") > (ours.drill?.at ?? "") ? theirs.drill : ours.drill;
  const merged: StateDocument = {
    ...theirs,
    ...ours,
    format: Math.max(theirs.format, ours.format),
    readableFrom: Math.max(theirs.readableFrom, ours.readableFrom),
    identity: mergeIdentity(theirs.identity, ours.identity),
    replacedBy: newest.replacedBy,
    audit: newest.audit,
    namespaces: { ...theirs.namespaces, ...ours.namespaces },
    ...mergeSecrets(theirs, ours, newest),
    copies: union(theirs.copies, ours.copies, mergeCopy),
    findings: union(theirs.findings, ours.findings, (a, b) => ({
      ...a,
      ...b,
      since: earlier(a.since, b.since),
      lastAt: later(a.lastAt, b.lastAt),
    })),
    ...(drill === undefined ? {} : { drill }),
    quota:
      theirs.quota.day === ours.quota.day
        ? { ...ours.quota, made: Math.max(theirs.quota.made, ours.quota.made) }
        : theirs.quota.day > ours.quota.day
          ? theirs.quota
          : ours.quota,
  };
  const finishedMs = parseMsOrNull(newest.audit?.finishedAt ?? "");
  // Without a time nothing is too old to keep.
  const nowMs = finishedMs === null ? Number.NEGATIVE_INFINITY : finishedMs;
  const evidence = carryEvidence([theirs, ours], merged, nowMs);
  const observations = carryObservations(theirs, ours, nowMs);
  return {
    ...merged,
    ...(evidence === undefined ? {} : { evidence }),
    ...(observations === undefined ? {} : { observations }),
  };
}

/**
 * Merging two states of one cluster that grew from a common one: what two audits at once each saw.
 * Commutative on what either knows: per record the later observation wins, copies are united, spans grow.
 */
import { parseInstantOrNull } from "../certificate/time.ts";
import type { CopyRecord, StateDocument } from "./document.ts";
import { carryEvidence } from "./evidence.ts";
import { carryObservations } from "./observations.ts";
import { mergePin } from "./identity.ts";

function later(a: string, b: string): string {
  return a >= b ? a : b;
}

function earlier(a: string, b: string): string {
  return a <= b ? a : b;
}

/** One copy as two audits know it: its spans are united, a retirement stays. */
function mergeCopy(a: CopyRecord, b: CopyRecord): CopyRecord {
  const retired = a.retired ?? b.retired;
  return {
    ...a,
    ...b,
    digest: a.recordedAt <= b.recordedAt ? a.digest : b.digest,
    recordedAt: earlier(a.recordedAt, b.recordedAt),
    seenValid: a.seenValid || b.seenValid,
    liveFrom: earlier(a.liveFrom, b.liveFrom),
    liveUntil: later(a.liveUntil, b.liveUntil),
    ...(retired === undefined ? {} : { retired }),
  };
}

function mergeIdentity(
  theirs: StateDocument["identity"],
  ours: StateDocument["identity"],
): StateDocument["identity"] {
  const identity = theirs ?? ours;
  const pin = mergePin(theirs?.pin, ours?.pin);
  return identity === null || pin === undefined || theirs?.key !== (ours?.key ?? theirs?.key)
    ? identity
    : { ...identity, pin };
}

function union<T>(
  a: Record<string, T>,
  b: Record<string, T>,
  pick: (a: T, b: T) => T,
): Record<string, T> {
  const merged: Record<string, T> = { ...a };
  for (const [key, value] of Object.entries(b)) {
    const other = Object.hasOwn(merged, key) ? merged[key] : undefined;
    merged[key] = other === undefined ? value : pick(other, value);
  }
  return merged;
}

/** `theirs` as stored meanwhile, `ours` as this run would have written it. */
export function mergeStates(theirs: StateDocument, ours: StateDocument): StateDocument {
  const newest = (theirs.audit?.finishedAt ?? "") > (ours.audit?.finishedAt ?? "") ? theirs : ours;
  const secrets = union(theirs.secrets, ours.secrets, (a, b) =>
    a.recordedAt > b.recordedAt ? a : b,
  );
  const lost = union(theirs.lost, ours.lost, (a, b) => (a.lostAt <= b.lostAt ? a : b));
  for (const [key, entry] of Object.entries(lost)) {
    const present = secrets[key];
    if (present === undefined) continue;
    const gone =
      present.uid === entry.record.uid &&
      present.recordedAt <= entry.lostAt &&
      newest.lost[key] !== undefined;
    if (gone) delete secrets[key];
    else delete lost[key];
  }
  // What one side dropped without a loss (no longer in scope, or found to be nothing) is dropped if that side looked last.
  for (const key of Object.keys(secrets)) {
    if (
      newest.secrets[key] === undefined &&
      newest.lost[key] === undefined &&
      (secrets[key]?.recordedAt ?? "") < (newest.audit?.startedAt ?? "")
    ) {
      delete secrets[key];
    }
  }
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
    secrets,
    lost,
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
  const finishedNs = parseInstantOrNull(newest.audit?.finishedAt ?? "");
  // Without a time nothing is too old to keep.
  const nowMs = finishedNs === null ? Number.NEGATIVE_INFINITY : Number(finishedNs / 1_000_000n);
  const evidence = carryEvidence([theirs, ours], merged, nowMs);
  const observations = carryObservations(theirs, ours, nowMs);
  return {
    ...merged,
    ...(evidence === undefined ? {} : { evidence }),
    ...(observations === undefined ? {} : { observations }),
  };
}

/**
 * What is one incident: a namespace was deleted, or many certificates of a cluster were lost within
 * one hour. Nothing else decides this. Pure.
 */
import { heldIn, lostSecrets, type SecretEntry, type Secrets, standingSecrets } from "./secrets.ts";

export const INCIDENT_MS = 3_600_000;
/** More than this many certificates of a cluster of any size. */
const MASS_COUNT = 10;
/** At least this many, where they are more than this share of a cluster's. */
const SHARE_COUNT = 3;
const MASS_SHARE = 1 / 4;

/** `lost`: certificates lost within one hour; `all`: those that the cluster had before. */
export function isMassLoss(lost: number, all: number): boolean {
  return lost > MASS_COUNT || (lost >= SHARE_COUNT && lost > all * MASS_SHARE);
}

/** What the cluster says of a namespace now. */
export type NamespaceNow =
  | { readonly state: "present"; readonly uid: string; readonly deleting?: true }
  | { readonly state: "absent" | "unknown" };

/** Whether everything in a namespace was taken with it; `recorded`: the uid that it had. */
export function namespaceIncident(
  there: NamespaceNow,
  recorded: string | null,
): "deleted" | "recreated" | null {
  if (there.state === "absent" || (there.state === "present" && there.deleting === true))
    return "deleted";
  return there.state === "present" && recorded !== null && recorded !== there.uid
    ? "recreated"
    : null;
}

/** Certificates lost in one incident. */
export interface MassLoss {
  /** Secrets that held them. */
  readonly keys: readonly string[];
  readonly count: number;
  readonly all: number;
}

/**
 * The single losses of the last hour, if they are that many, with those of an incident that they
 * add to.
 */
export function massLossOf(secrets: Secrets, nowMs: number): MassLoss | null {
  const losses = [...lostSecrets(secrets)];
  const recent = losses.filter(({ loss }) => loss !== null && loss.lostMs > nowMs - INCIDENT_MS);
  const counted = recent.filter(isCounted);
  const count = certificatesIn(counted);
  const all = certificatesIn(standingSecrets(secrets)) + certificatesIn(recent);
  if (!isMassLoss(count, all)) return null;
  const grown = new Set(counted.flatMap(({ loss }) => loss?.incident ?? []));
  const earlier = losses.filter(({ loss }) => grown.has(loss?.incident ?? ""));
  return { keys: [...counted, ...earlier].map(({ key }) => key), count, all };
}

function certificatesIn(entries: Iterable<SecretEntry>): number {
  return [...entries].reduce((sum, { record }) => sum + heldIn(record).length, 0);
}

/**
 * What its parent wants no longer was deleted on purpose; a namespace is an incident of its own.
 */
function isCounted({ loss }: SecretEntry): boolean {
  return loss !== null && loss.how !== "replaced" && (loss.incident === null || loss.isMass);
}

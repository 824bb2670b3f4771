/**
 * A cluster that was rebuilt under its own name: a new state begins under the new identity,
 * knows the copies of the old one, and names where the old state went. Pure.
 *
 * Where the deployed function may restore to: the cluster that the copies came from, its pinned
 * successor, or the second of a pair in the deployed certkeep.yaml. Never by what a registration
 * says, since whoever may register, or invoke, could else have any key sent to a server of his own.
 * Pure.
 *
 * Which cluster answers is for the one rule of state/identity.ts. An audit pins what it meets
 * first; the second of a pair, which is to get another's keys, has to be pinned by a person.
 */
import { parseMs } from "../certificate/time.ts";
import type { RestorePair } from "../config/schema.ts";
import { placeKey } from "../state/backups.ts";
import { certificates } from "../state/certificates.ts";
import { type CopyRecord, emptyState, type StateDocument } from "../state/document.ts";
import {
  type ClusterIdentity,
  notPinned,
  type NotPinned,
  type StoredIdentity,
} from "../state/identity.ts";
import { isIntended, joinSecrets } from "../state/secrets.ts";
import { fieldsOf, listOf } from "../untrusted.ts";

/**
 * For so long after a cluster was rebuilt its earlier state tells what `all` means, beside its own.
 */
const PREDECESSOR_COUNTS_MS = 7 * 86_400_000;

export interface Predecessor {
  /** Key of the earlier identity. */
  readonly key: string;
  /** Name of the document that holds the earlier state. */
  readonly document: string;
  /** RFC 3339: when the successor was pinned. */
  readonly at: string;
  /**
   * By `placeKey`: what it had lost and `restore --all` brings back. Earlier versions
   * recorded none.
   */
  readonly alreadyLost: readonly string[];
}

/** Name of the document that an earlier state is kept under. */
export function predecessorName(cluster: string, key: string): string {
  return `predecessor-${cluster}-${key}`;
}

/**
 * The state of the successor. What is unknown in the old document isn't carried over, but for its
 * copies.
 */
export function succeed(
  before: StateDocument,
  identity: StoredIdentity,
  document: string,
  now: string,
): StateDocument {
  const predecessor: Predecessor = {
    ...{ key: before.identity?.key ?? "unknown", document, at: now },
    alreadyLost: lostBefore(before, parseMs(now)),
  };
  return {
    ...emptyState(before.cluster, before.title, before.server),
    identity: { ...identity },
    copies: before.copies,
    ...(before.drill === undefined ? {} : { drill: before.drill }),
    quota: before.quota,
    predecessors: [...predecessorsOf(before), predecessor],
  };
}

/** Backups of what the last audit until then saw live, whether or not it was valid. */
export function liveCopies(
  { copies }: Pick<StateDocument, "copies">,
  untilMs: number,
): readonly CopyRecord[] {
  const before = Object.values(copies).filter(
    ({ kind, liveUntil }) => kind === "certificate" && parseMs(liveUntil) <= untilMs,
  );
  const lastMs = before.reduce(
    (last, { liveUntil }) => Math.max(last, parseMs(liveUntil)),
    Number.NEGATIVE_INFINITY,
  );
  return before.filter(({ liveUntil }) => parseMs(liveUntil) === lastMs);
}

/** What a state's certificates were that no backup shows as live at the end. */
function lostBefore(state: StateDocument, atMs: number): readonly string[] {
  const live = new Set(liveCopies(state, atMs).map(fieldKey));
  const lost = [...certificates(state, atMs)].filter(
    ({ record, loss, newName, backups }) =>
      record !== null && !isIntended(loss) && newName === null && backups.length > 0,
  );
  return lost.map(fieldKey).filter((key) => !live.has(key));
}

/** The newest backup of each certificate that the earlier cluster had lost. */
export function lostCopies(
  { copies }: Pick<StateDocument, "copies">,
  { alreadyLost }: Predecessor,
): readonly CopyRecord[] {
  if (alreadyLost.length === 0) return [];
  const wanted = new Set(alreadyLost);
  const newest = new Map<string, CopyRecord>();
  for (const copy of Object.values(copies)) {
    const key = fieldKey(copy);
    if (copy.kind !== "certificate" || !wanted.has(key)) continue;
    const known = newest.get(key);
    if (known === undefined || parseMs(known.liveUntil) < parseMs(copy.liveUntil))
      newest.set(key, copy);
  }
  return [...newest.values()];
}

function fieldKey({
  namespace,
  secret,
  fieldBase,
}: Pick<CopyRecord, "namespace" | "secret" | "fieldBase">): string {
  return placeKey(namespace, secret, fieldBase);
}

/** Earlier identities, the oldest first; what isn't one is left out. */
export function predecessorsOf(state: StateDocument): readonly Predecessor[] {
  const { predecessors } = state as { readonly predecessors?: unknown };
  return listOf(predecessors).flatMap((one) => {
    const { key, document, at, alreadyLost } = fieldsOf(one);
    return typeof key === "string" &&
      typeof document === "string" &&
      typeof at === "string" &&
      /^\d{4}-/.test(at)
      ? [
          {
            key,
            document,
            at,
            alreadyLost: Array.isArray(alreadyLost) ? alreadyLost.filter(isText) : [],
          },
        ]
      : [];
  });
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

export function stillCounts(predecessor: Predecessor, nowMs: number): boolean {
  return nowMs <= parseMs(predecessor.at) + PREDECESSOR_COUNTS_MS;
}

/**
 * What the earlier cluster held and this one doesn't know of yet, beside its own: both together are
 * what `all` means.
 */
export function withPredecessor(own: StateDocument, earlier: StateDocument): StateDocument {
  return {
    ...own,
    ...joinSecrets(own, earlier),
    copies: { ...earlier.copies, ...own.copies },
  };
}

export interface Destination {
  readonly cluster: string;
  /** Another cluster whose copies are asked for, or `null`: its own. */
  readonly from: string | null;
  /** `restores:` of the deployed certkeep.yaml. */
  readonly pairs: readonly RestorePair[];
  /** `null`: no audit has recorded it. */
  readonly state: Pick<StateDocument, "identity" | "server"> | null;
  /** What answers there now. */
  readonly seen: ClusterIdentity;
}

/** What rules it out. */
export type Refusal =
  | { readonly kind: "no_pair"; readonly from: string }
  | { readonly kind: "not_recorded" | "no_pin" | "any_authority" | "pinned_by_audit" }
  | { readonly kind: "not_pinned"; readonly differs: NotPinned };

/** `null`: it may. */
export function refusalOf({ cluster, from, pairs, state, seen }: Destination): Refusal | null {
  const other = from === null || from === cluster ? null : from;
  if (other !== null && !pairs.some((pair) => pair.from === other && pair.to === cluster))
    return { kind: "no_pair", from: other };
  if (state === null || state.identity === null) return { kind: "not_recorded" };
  const differs = notPinned(state, seen);
  if (differs !== null) return { kind: "not_pinned", differs };
  const { pin } = state.identity;
  // An earlier version recorded it.
  if (pin === undefined) return { kind: "no_pin" };
  if (seen.caSha256 === null) return { kind: "any_authority" };
  return other !== null && pin.by !== "person" ? { kind: "pinned_by_audit" } : null;
}

/**
 * Where the deployed function may restore to: the cluster that the copies came from, its pinned
 * successor, or the second of a pair in the deployed certkeep.yaml. Never by what a registration
 * says, since whoever may register, or invoke, could else have any key sent to a server of his own.
 * Pure.
 *
 * Which cluster answers is for the one rule of state/identity.ts. An audit pins what it meets
 * first; the second of a pair, which is to get another's keys, has to be pinned by a person.
 */
import type { RestorePair } from "../config/schema.ts";
import type { StateDocument } from "../state/document.ts";
import { notPinned, type ClusterIdentity, type NotPinned } from "../state/identity.ts";

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

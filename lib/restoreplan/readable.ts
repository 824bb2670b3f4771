/**
 * Whose backups a restore may read. A state says where backups lie, and whoever can write states
 * could let one cluster's entry point at another's backup; so what counts is the cluster that the
 * sealed part of the backup names. Pure.
 */
import type { CopyFacts } from "../backup/record.ts";
import type { StateDocument } from "../state/document.ts";
import { predecessorsOf } from "./successor.ts";

export interface Readable {
  /**
   * Name that a person gave, as the state is stored under it: what the state itself says isn't
   * believed.
   */
  readonly cluster: string;
  /**
   * Keys of the identities that they came from; `null`: nothing recorded one, and a person vouches
   * for the name.
   */
  readonly identities: readonly string[] | null;
  /** Key of the cluster that is there: it had that for a name before it was given one. */
  readonly unnamed?: string;
}

/** As a standby has it that was imported before anything recorded which cluster it is for. */
export const UNKNOWN_IDENTITY = "unknown";

/**
 * The cluster of this state, and those that it succeeded. `anyIdentity`: whatever identity lies
 * under its name.
 */
export function readableOf(
  key: string,
  state: StateDocument,
  anyIdentity = false,
  unnamed: string | null = null,
): Readable {
  if (anyIdentity) return { cluster: key, identities: null };
  // Without a pin whoever answers isn't known to be the successor either.
  if (state.identity === null) return { cluster: key, identities: [] };
  const earlier = predecessorsOf(state).map((one) => one.key);
  const identities = [state.identity.key, ...earlier];
  return unnamed !== null && unnamed === state.identity.key
    ? { cluster: key, identities, unnamed }
    : { cluster: key, identities };
}

export function mayRead(
  { cluster, clusterIdentity }: Pick<CopyFacts, "cluster" | "clusterIdentity">,
  readable: Readable,
): boolean {
  const { identities, unnamed } = readable;
  if (cluster === unnamed && clusterIdentity === unnamed) return true;
  if (cluster !== readable.cluster || identities?.length === 0) return false;
  return (
    identities === null ||
    clusterIdentity === UNKNOWN_IDENTITY ||
    identities.includes(clusterIdentity)
  );
}

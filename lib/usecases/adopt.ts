/**
 * What was known of a cluster before it had a name: an audit of a context stores it by the
 * cluster's identity. Whoever names the cluster takes it over, backups included: those of a cluster
 * without a name belong to whoever has its identity (lib/restoreplan/copyrule.ts).
 */
import { formatMs } from "../certificate/time.ts";
import { isCertkeepError } from "../error.ts";
import type { StateStore } from "../ports/stores.ts";
import { emptyState, type StateDocument } from "../state/document.ts";
import { identityKey, notPinned, type ClusterIdentity } from "../state/identity.ts";
import { changeState, loadState } from "./states.ts";

/** The state of the same cluster under `key`; `null` where there is none, or it isn't certain. */
async function stateOf(
  states: StateStore,
  key: string,
  seen: ClusterIdentity,
): Promise<StateDocument | null> {
  const state = (await loadState(states, key))?.state ?? null;
  const isSame = state !== null && state.identity?.uid != null && notPinned(state, seen) === null;
  return isSame && state.removedAt === undefined ? state : null;
}

/**
 * The state that a cluster had before it was called `name`; `null` where it has one by that name
 * already. `others`: names that it may have had in certkeep.yaml.
 */
export async function earlierState(
  states: StateStore,
  name: string,
  seen: ClusterIdentity,
  server: string,
  others: readonly string[] = [],
): Promise<StateDocument | null> {
  if (seen.uid === null || (await loadState(states, name)) !== null) return null;
  for (const key of [identityKey(seen, server), ...others]) {
    const state = await stateOf(states, key, seen);
    if (state !== null) return state;
  }
  return null;
}

/** The same state under its new name. */
export function renamed(state: StateDocument, name: string): StateDocument {
  const findings = Object.entries(state.findings).map(([id, finding]) => [
    id.replace(`|${state.cluster}|`, `|${name}|`),
    finding,
  ]);
  return { ...state, cluster: name, title: name, findings: Object.fromEntries(findings) };
}

/** Ends the state under its earlier name, once the new one is stored. */
export async function endEarlier(
  states: StateStore,
  { cluster, title, server }: StateDocument,
  nowMs: number,
): Promise<void> {
  try {
    await changeState(states, cluster, title, server, ({ identity }) => ({
      ...emptyState(cluster, title, server),
      identity,
      removedAt: formatMs(nowMs),
    }));
  } catch (error) {
    // It stays beside the new one, and is told as a cluster without a registration.
    if (!isCertkeepError(error)) throw error;
  }
}

/**
 * Pinning a cluster as it answers now, because a person says so: by `clusters add`, or by `restore
 * --rebuilt`.
 *
 * What was known of a cluster before it had a name: an audit of a context stores it by the
 * cluster's identity. Whoever names the cluster takes it over, backups included: those of a cluster
 * without a name belong to whoever has its identity (lib/restoreplan/copyrule.ts).
 */
import { formatMs } from "../certificate/time.ts";
import { CHANGED_MEANWHILE, CertkeepError, orError } from "../error.ts";
import type { StateStore } from "../ports/stores.ts";
import { predecessorName, succeed } from "../restoreplan/successor.ts";
import { emptyState, formatState, type StateDocument } from "../state/document.ts";
import { type ClusterIdentity, identityKey, notPinned, pinIdentity } from "../state/identity.ts";
import { changeState, loadState, readState, stateName } from "./states.ts";

/**
 * The state that a cluster had before it was called `name`; `null` where it has one by that name
 * already.
 */
export async function earlierState(
  states: StateStore,
  name: string,
  seen: ClusterIdentity,
  server: string,
): Promise<StateDocument | null> {
  if (seen.uid === null || (await readState(states, name)) !== null) return null;
  const state = await readState(states, identityKey(seen, server));
  const isSame = state !== null && state.identity?.uid != null && notPinned(state, seen) === null;
  return isSame && state.removedAt === undefined ? state : null;
}

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
  // Where that fails it stays beside the new one, as a cluster without a registration.
  await orError(
    changeState(states, cluster, title, server, ({ identity }) => ({
      ...emptyState(cluster, title, server),
      identity,
      removedAt: formatMs(nowMs),
    })),
  );
}

interface PinTarget {
  readonly cluster: string;
  readonly title: string;
  readonly server: string;
  /** It is the successor of the recorded cluster, and not that one with another CA or address. */
  readonly successor: boolean;
  /** Its state from before it had this name; absent: it has none. */
  readonly earlier?: StateDocument | null;
  /** What registering found. */
  readonly registered?: StateDocument["registered"];
}

/**
 * Where another cluster is pinned, its state is kept under a name of its own, and a new one begins.
 * Done twice it changes nothing more.
 */
export async function pinByPerson(
  states: StateStore,
  { cluster, title, server, successor, earlier = null, registered }: PinTarget,
  seen: ClusterIdentity,
  nowMs: number,
): Promise<void> {
  const at = formatMs(nowMs);
  for (let attempt = 0; attempt < 8; attempt += 1) {
    const loaded = await loadState(states, cluster);
    const fresh = earlier === null ? emptyState(cluster, title, server) : renamed(earlier, cluster);
    const { removedAt: _, ...known } = loaded?.state ?? fresh;
    const before: StateDocument = known;
    const old = successor && notPinned(before, seen) !== null ? before.identity : null;
    const identity = pinIdentity("person", seen, {
      server,
      at,
      before: old === null ? before.identity : null,
    });
    let next: StateDocument = { ...before, server, replacedBy: null, identity };
    if (old !== null) {
      const document = predecessorName(cluster, old.key);
      const kept = await states.read(document);
      if (kept === null && (await states.write(document, formatState(before), null)) === null)
        continue;
      next = succeed({ ...before, title, server }, identity, document, at);
    }
    if (registered !== undefined) next = { ...next, registered };
    const revision = loaded?.revision ?? null;
    if ((await states.write(stateName(cluster), formatState(next), revision)) !== null) return;
  }
  throw new CertkeepError("state_conflict", {
    where: `${states.url}/${stateName(cluster)}`,
    found: `${CHANGED_MEANWHILE}, each time`,
    todo: "Run it again",
  });
}

/** Reading and writing state documents: a conflict is merged and tried again, damage is told and never overwritten. */
import { CertkeepError, isCertkeepError } from "../error.ts";
import { identityKey, type ClusterIdentity } from "../state/identity.ts";
import type { StateStore } from "../ports/stores.ts";
import { formatState, parseState, type StateDocument } from "../state/document.ts";
import { mergeStates } from "../state/merge.ts";

export interface LoadedState {
  readonly state: StateDocument;
  readonly revision: string;
}

const PREFIX = "cluster-";
const WRITE_TRIES = 8;

export function stateName(cluster: string): string {
  return `${PREFIX}${cluster}`;
}

/** @throws CertkeepError state_damaged or state_format_newer, naming the document and the place in it */
export async function loadState(states: StateStore, cluster: string): Promise<LoadedState | null> {
  const stored = await states.read(stateName(cluster));
  if (stored === null) return null;
  const parsed = parseState(stored.text);
  if (parsed.ok) return { state: parsed.state, revision: stored.revision };
  const where = `${states.url}/${stateName(cluster)}, ${parsed.place}`;
  if (parsed.newer)
    throw new CertkeepError("state_format_newer", {
      where,
      found: parsed.found,
      expected: parsed.expected,
      todo: "It was written by a newer certkeep: update this one",
    });
  throw new CertkeepError("state_damaged", {
    where,
    found: parsed.found,
    expected: parsed.expected,
    todo: "Nothing was written. Put an older revision in its place, or move it away: the next audit then begins anew, and copies are found again",
  });
}

/** Writes `state`; where another run wrote meanwhile, both are merged. @returns what is stored now */
export async function saveState(
  states: StateStore,
  cluster: string,
  state: StateDocument,
  revision: string | null,
): Promise<StateDocument> {
  let merged = state;
  let known = revision;
  for (let attempt = 0; attempt < WRITE_TRIES; attempt += 1) {
    if ((await states.write(stateName(cluster), formatState(merged), known)) !== null)
      return merged;
    const theirs = await loadState(states, cluster);
    merged = theirs === null ? state : mergeStates(theirs.state, state);
    known = theirs?.revision ?? null;
  }
  throw new CertkeepError("state_conflict", {
    where: `${states.url}/${stateName(cluster)}`,
    found: `other writers, ${WRITE_TRIES} times in a row`,
    expected: "a moment's rest",
    todo: "Run it again",
  });
}

/** Keys of all clusters that have a state. */
export async function stateKeys(states: StateStore): Promise<string[]> {
  return stateKeysIn(await states.names());
}

/** The same out of the names of all documents. */
export function stateKeysIn(names: readonly string[]): string[] {
  return names.filter((name) => name.startsWith(PREFIX)).map((name) => name.slice(PREFIX.length));
}

/**
 * The state of an unregistered cluster that isn't found by its identity's key: its uid can't be seen now, or couldn't
 * when the state was begun. It is the one pinned with the same CA at the same address, or `null`. A damaged document is passed over: it is told when it is the one asked for.
 */
export async function findState(
  states: StateStore,
  identity: ClusterIdentity,
  server: string,
): Promise<string | null> {
  const keys = await stateKeys(states);
  if (identity.uid !== null && keys.includes(identityKey(identity, server))) return null;
  for (const key of keys) {
    try {
      const loaded = await loadState(states, key);
      if (
        loaded === null ||
        loaded.state.server !== server ||
        loaded.state.identity === null ||
        loaded.state.cluster !== loaded.state.identity.key
      )
        continue;
      // Once the uid can be seen, a state begun without it goes on; one of another uid is another cluster's.
      if (identity.uid !== null && loaded.state.identity.uid !== null) continue;
      const ca = loaded.state.identity.caSha256;
      if (identity.caSha256 === null || ca === null || ca === identity.caSha256) return key;
    } catch (error) {
      if (!isCertkeepError(error)) throw error;
    }
  }
  return null;
}

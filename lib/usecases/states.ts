/**
 * Reading and writing state documents: a conflict is merged and tried again, damage is told and
 * never overwritten.
 */
import { CertkeepError, isCertkeepError } from "../error.ts";
import {
  identityKey,
  isUnnamed,
  mismatch,
  pinnedIn,
  type ClusterIdentity,
  type Pinned,
} from "../state/identity.ts";
import type { StateStore } from "../ports/stores.ts";
import { emptyState, formatState, parseState, type StateDocument } from "../state/document.ts";
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

/**
 * @throws CertkeepError state_damaged or state_format_newer, naming the document and the place in
 * it
 */
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
    todo:
      "Nothing was written. Put an older revision in its place, or move it away: the next audit " +
      "then begins anew, and copies are found again",
  });
}

/**
 * Writes `state`; where another run wrote meanwhile, both are merged. @returns what is stored now
 */
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

/** Changes a state by a pure function, again where somebody wrote in between. */
export async function changeState(
  states: StateStore,
  cluster: string,
  title: string,
  server: string,
  change: (state: StateDocument) => StateDocument,
): Promise<void> {
  const loaded = await loadState(states, cluster);
  await saveState(
    states,
    cluster,
    change(loaded?.state ?? emptyState(cluster, title, server)),
    loaded?.revision ?? null,
  );
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
 * Key of the state that an unregistered cluster has: by its uid, or of a state begun while that
 * could not be read. Whether it is the pinned cluster is for the caller to ask. A damaged document
 * is passed over: it is told when it is the one asked for.
 */
export async function findState(
  states: StateStore,
  seen: ClusterIdentity,
  server: string,
): Promise<string> {
  const own = identityKey(seen, server);
  const keys = await stateKeys(states);
  if (keys.includes(own)) return own;
  for await (const { state, pinned } of unnamedStates(states, keys)) {
    const differs = pinned === null ? "another" : mismatch(pinned, seen);
    if (differs === null || (differs === "uid" && state.server === server)) return state.cluster;
  }
  return own;
}

/**
 * Key of the state of an unregistered cluster that doesn't answer: the one last seen at this
 * address.
 */
export async function findStateAt(states: StateStore, server: string): Promise<string> {
  let found: StateDocument | null = null;
  for await (const { state } of unnamedStates(states, await stateKeys(states))) {
    const at = state.audit?.lastReachedAt ?? "";
    if (state.server === server && (found === null || at > (found.audit?.lastReachedAt ?? "")))
      found = state;
  }
  return found?.cluster ?? identityKey({ uid: null, caSha256: null }, server);
}

async function* unnamedStates(
  states: StateStore,
  keys: readonly string[],
): AsyncGenerator<{ readonly state: StateDocument; readonly pinned: Pinned | null }> {
  for (const key of keys) {
    try {
      const state = (await loadState(states, key))?.state ?? null;
      if (state === null || state.cluster !== key) continue;
      if (isUnnamed(state)) yield { state, pinned: pinnedIn(state) };
    } catch (error) {
      if (!isCertkeepError(error)) throw error;
    }
  }
}

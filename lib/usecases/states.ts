/**
 * Reading and writing state documents: a conflict is merged and tried again, damage is told and
 * never overwritten.
 */
import pLimit from "p-limit";
import { CHANGED_MEANWHILE, CertkeepError, isCertkeepError, orError } from "../error.ts";
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
import {
  DIGEST_NAME,
  emptyDigest,
  formatDigest,
  parseDigest,
  type DigestDocument,
  type RouteRecord,
} from "../state/digest.ts";
import { mergeStates } from "../state/merge.ts";
import {
  formatTransparency,
  mergeTransparency,
  parseTransparency,
  type TransparencyDocument,
  transparencyName,
} from "../state/transparency.ts";

export interface LoadedState {
  readonly state: StateDocument;
  readonly revision: string;
}

const PREFIX = "cluster-";
const WRITE_TRIES = 8;
const READS_AT_ONCE = 8;

export function stateName(cluster: string): string {
  return `${PREFIX}${cluster}`;
}

interface DocumentKind<T> {
  parse(text: string):
    | { readonly ok: true; readonly value: T }
    | {
        readonly ok: false;
        readonly newer: boolean;
        readonly place: string;
        readonly found: string;
        readonly expected: string;
      };
  /** What to do about one that is damaged, and where others wrote again and again. */
  readonly todo: { readonly damaged: string; readonly conflict: string };
}

interface MergedKind<T> extends DocumentKind<T> {
  format(value: T): string;
  merge(theirs: T, ours: T): T;
}

/** @throws CertkeepError state_damaged or state_format_newer, naming the place in the document */
async function loadDocument<T>(
  states: StateStore,
  name: string,
  kind: DocumentKind<T>,
): Promise<{ readonly value: T; readonly revision: string } | null> {
  const stored = await states.read(name);
  if (stored === null) return null;
  const parsed = kind.parse(stored.text);
  if (parsed.ok) return { value: parsed.value, revision: stored.revision };
  const { newer, place, found, expected } = parsed;
  throw new CertkeepError(newer ? "state_format_newer" : "state_damaged", {
    where: `${states.url}/${name}, ${place}`,
    found: newer
      ? `it has ${found}, and this version reads ${expected}`
      : `it isn't ${expected} (${found})`,
    todo: newer ? "Update certkeep: a newer version wrote it" : kind.todo.damaged,
  });
}

/** Writes `value`, merged with what another run wrote meanwhile. @returns what is stored now */
async function saveDocument<T>(
  states: StateStore,
  name: string,
  kind: MergedKind<T>,
  { value, revision }: { readonly value: T; readonly revision: string | null },
): Promise<T> {
  let merged = value;
  let known = revision;
  for (let attempt = 0; attempt < WRITE_TRIES; attempt += 1) {
    if ((await states.write(name, kind.format(merged), known)) !== null) return merged;
    const theirs = await loadDocument(states, name, kind);
    merged = theirs === null ? value : kind.merge(theirs.value, value);
    known = theirs?.revision ?? null;
  }
  throw conflict(states, name, WRITE_TRIES, kind.todo.conflict);
}

function conflict({ url }: StateStore, name: string, tries: number, todo: string): CertkeepError {
  return new CertkeepError("state_conflict", {
    where: `${url}/${name}`,
    found: `${CHANGED_MEANWHILE}, ${tries} times in a row`,
    todo,
  });
}

/** What to do about a damaged state. */
export const DAMAGED_STATE =
  "Nothing was written. Replace it with an older revision, or move it away: the next audit " +
  "then starts fresh and finds the backups again";

const STATE: MergedKind<StateDocument> = {
  parse: (text) => {
    const parsed = parseState(text);
    return parsed.ok ? { ok: true, value: parsed.state } : parsed;
  },
  format: formatState,
  merge: mergeStates,
  todo: {
    damaged: DAMAGED_STATE,
    conflict: "Run it again",
  },
};

/** @throws CertkeepError state_damaged or state_format_newer, naming the place in the document */
export async function loadState(states: StateStore, cluster: string): Promise<LoadedState | null> {
  const loaded = await loadDocument(states, stateName(cluster), STATE);
  return loaded === null ? null : { state: loaded.value, revision: loaded.revision };
}

/** `null`: there is none. @throws as `loadState` */
export async function readState(states: StateStore, key: string): Promise<StateDocument | null> {
  return (await loadState(states, key))?.state ?? null;
}

/** A state kept under another name, such as that of the cluster before it was rebuilt. */
export async function readStateAt(states: StateStore, name: string): Promise<StateDocument | null> {
  return (await loadDocument(states, name, STATE))?.value ?? null;
}

export async function saveState(
  states: StateStore,
  cluster: string,
  state: StateDocument,
  revision: string | null,
): Promise<StateDocument> {
  return saveDocument(states, stateName(cluster), STATE, { value: state, revision });
}

/** A copied document still counts once, as what it lies under. */
function transparencyOf(domain: string): MergedKind<TransparencyDocument> {
  return {
    parse: (text) => {
      const parsed = parseTransparency(text);
      if (parsed.ok) return { ok: true, value: { ...parsed.document, domain } };
      const expected = parsed.newer ? "format 1" : "a record of certificate logs";
      return { ...parsed, expected };
    },
    format: formatTransparency,
    merge: mergeTransparency,
    todo: {
      damaged: "Nothing was written. Move it away: the logs are then asked again",
      conflict: "Nothing is lost: the logs are asked again",
    },
  };
}

export interface LoadedTransparency {
  readonly document: TransparencyDocument;
  readonly revision: string;
}

export async function loadTransparency(
  states: StateStore,
  domain: string,
): Promise<LoadedTransparency | null> {
  const loaded = await loadDocument(states, transparencyName(domain), transparencyOf(domain));
  return loaded === null ? null : { document: loaded.value, revision: loaded.revision };
}

export async function saveTransparency(
  states: StateStore,
  { document, revision }: LoadedTransparency,
): Promise<void> {
  const { domain } = document;
  await saveDocument(states, transparencyName(domain), transparencyOf(domain), {
    value: document,
    revision,
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

export async function stateKeys(states: StateStore): Promise<string[]> {
  return stateKeysIn(await states.names());
}

/** All states by their keys; what can't be read is among `problems`. */
export async function loadStates(
  states: StateStore,
  problems: CertkeepError[],
): Promise<Map<string, StateDocument>> {
  const loaded = new Map<string, StateDocument>();
  for (const key of await stateKeys(states)) {
    const found = await orError(readState(states, key));
    if (isCertkeepError(found)) problems.push(found);
    else if (found !== null) loaded.set(key, found);
  }
  return loaded;
}

/** Keys of the clusters whose states are among the names of all documents. */
export function stateKeysIn(names: readonly string[]): string[] {
  return names.filter((name) => name.startsWith(PREFIX)).map((name) => name.slice(PREFIX.length));
}

/** The name of the cluster that answers, by its pin; the last audited of several; `null`: none. */
export async function nameOf(states: StateStore, seen: ClusterIdentity): Promise<string | null> {
  if (seen.uid === null) return null;
  const limit = pLimit(READS_AT_ONCE);
  // The largest document of a run, and of no name: it is read once, as the audit's own.
  const others = (await stateKeys(states)).filter((key) => key !== identityKey(seen, ""));
  const found = await limit.map(others, async (key) => {
    const state = await stateOrNull(states, key);
    if (state === null || isUnnamed(state) || state.removedAt !== undefined) return null;
    const pinned = pinnedIn(state);
    const isSeen = pinned !== null && pinned.uid !== null && mismatch(pinned, seen) === null;
    return isSeen ? { name: key, at: state.audit?.finishedAt ?? "" } : null;
  });
  const named = found.filter((one) => one !== null).toSorted((a, b) => (a.at < b.at ? 1 : -1));
  return named[0]?.name ?? null;
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
    const state = await stateOrNull(states, key);
    if (state !== null && isUnnamed(state)) yield { state, pinned: pinnedIn(state) };
  }
}

/** `null` as well for a damaged document, and for a copy of another cluster's. */
async function stateOrNull(states: StateStore, key: string): Promise<StateDocument | null> {
  const state = await orError(readState(states, key));
  return !isCertkeepError(state) && state?.cluster === key ? state : null;
}

const DIGEST: DocumentKind<DigestDocument> = {
  parse: (text) => {
    const parsed = parseDigest(text);
    if (parsed.ok) return { ok: true, value: parsed.document };
    return { ...parsed, expected: parsed.newer ? "format 1" : "a record of digests" };
  },
  todo: {
    damaged:
      "Nothing was written or posted. Replace it with an older revision, or move it away: the " +
      "next digest is then a first one",
    conflict: "Run it again",
  },
};
const DIGEST_TRIES = 12;

/** What all routes remember and still have queued. */
export async function readDigest(
  states: StateStore,
): Promise<{ readonly document: DigestDocument; readonly revision: string | null }> {
  const loaded = await loadDocument(states, DIGEST_NAME, DIGEST);
  return { document: loaded?.value ?? emptyDigest(), revision: loaded?.revision ?? null };
}

/**
 * Changes one route's record; `change` gives `null` to leave it, and is called again after a
 * conflict.
 */
export async function updateRoute(
  states: StateStore,
  name: string,
  change: (record: RouteRecord | null) => RouteRecord | null | Promise<RouteRecord | null>,
): Promise<RouteRecord | null> {
  for (let tries = 0; tries < DIGEST_TRIES; tries += 1) {
    const { document, revision } = await readDigest(states);
    const before = document.routes[name] ?? null;
    const after = await change(before);
    if (after === null) return before;
    const text = formatDigest({ ...document, routes: { ...document.routes, [name]: after } });
    if ((await states.write(DIGEST_NAME, text, revision)) !== null) return after;
  }
  throw conflict(states, DIGEST_NAME, DIGEST_TRIES, DIGEST.todo.conflict);
}

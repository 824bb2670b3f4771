/**
 * Where a restore takes from: the state of the cluster, of the one it was rebuilt from, or of another one. A cluster
 * whose identity isn't the recorded one is refused, with the way on.
 */
import { formatInstant } from "../../certificate/time.ts";
import { CertkeepError } from "../../error.ts";
import { meant } from "../../config/suggest.ts";
import type { StateStore } from "../../ports/stores.ts";
import {
  predecessorName,
  predecessorsOf,
  stillCounts,
  succeed,
  withPredecessor,
} from "../../restoreplan/successor.ts";
import { emptyState, formatState, parseState, type StateDocument } from "../../state/document.ts";
import { identityKey, pinnedBy, sameCluster, type ClusterIdentity } from "../../state/identity.ts";
import { findState, loadState, saveState, stateKeys, stateName } from "../states.ts";
import type { RestoreRequest, RestoreTarget } from "./context.ts";

export interface Source {
  /** Key of the cluster that is written to: its state, its lease. */
  readonly target: string;
  /** Identity under which what is replaced there is kept. */
  readonly targetIdentity: string;
  /** What selection looks at. */
  readonly state: StateDocument;
  /** Prefixes in the store that copies may lie under: cluster keys. */
  readonly clusters: readonly string[];
  /** To be done before anything is written; `null` where the cluster is the recorded one. */
  readonly pin: (() => Promise<void>) | null;
  readonly rebuilt: boolean;
  readonly notes: readonly string[];
}

export async function findSource(
  target: RestoreTarget,
  request: Pick<RestoreRequest, "rebuilt" | "fromCluster">,
  states: StateStore,
  nowNs: bigint,
  identity: ClusterIdentity,
): Promise<Source> {
  const own = identityKey(identity, target.server);
  const key = target.name ?? (await findState(states, identity, target.server)) ?? own;
  const loaded = await loadState(states, key);
  const state = loaded?.state ?? emptyState(key, target.title, target.server);
  const pinned = state.identity;
  const replaced = pinned !== null && !sameCluster(pinned, identity);
  const base = {
    target: key,
    targetIdentity: replaced ? own : (pinned?.key ?? own),
    notes: [] as readonly string[],
  };

  if (request.fromCluster !== null) {
    const from = await otherState(states, request.fromCluster);
    return {
      ...base,
      state: from,
      clusters: [from.cluster],
      pin: null,
      rebuilt: false,
      notes: [`copies are taken from ${from.title} (${from.cluster})`],
    };
  }
  if (replaced && target.name !== null) {
    if (!request.rebuilt) throw otherCluster(key, pinned.uid, identity.uid);
    const pin = (): Promise<void> => pinSuccessor(states, key, identity, target.server, nowNs);
    return {
      ...base,
      state,
      clusters: [key],
      pin,
      rebuilt: true,
      notes: [
        `another cluster answers under the name ${key} than the recorded one (${pinned.key}): it is taken for its successor`,
      ],
    };
  }
  const earlier = await predecessorState(states, state, nowNs);
  if (earlier !== null)
    return {
      ...base,
      state: withPredecessor(state, earlier),
      clusters: [key],
      pin: null,
      rebuilt: true,
      notes: [],
    };
  if (!request.rebuilt || loaded !== null) {
    const notes = request.rebuilt ? ["this is the cluster as recorded: it was not rebuilt"] : [];
    return { ...base, state, clusters: [key], pin: null, rebuilt: false, notes };
  }
  return earlierByTitle(target, states, { ...base, state });
}

function otherCluster(name: string, recorded: string | null, found: string | null): CertkeepError {
  return new CertkeepError("usage", {
    where: `cluster ${name}`,
    found: `another cluster than the recorded one answers (uid of kube-system ${found ?? "unknown"})`,
    expected: `the uid ${recorded ?? "unknown"}`,
    todo: `If it was rebuilt: certkeep restore ${name} --rebuilt --all    If it is another one: mend its context in certkeep.yaml, or take copies of ${name} along with: certkeep restore OTHER --from-cluster ${name}`,
  });
}

async function otherState(states: StateStore, wanted: string): Promise<StateDocument> {
  const keys = await stateKeys(states);
  if (keys.includes(wanted)) {
    const loaded = await loadState(states, wanted);
    if (loaded !== null) return loaded.state;
  }
  const all = await Promise.all(
    keys.map(async (key) => (await loadState(states, key))?.state ?? null),
  );
  const titled = all
    .filter((state) => state !== null)
    .filter((state) => state.title === wanted || state.identity?.key === wanted);
  const [only] = titled;
  if (titled.length === 1 && only !== undefined) return only;
  const names = all
    .filter((state) => state !== null)
    .flatMap(({ cluster, title }) => [cluster, title]);
  const suggestion = meant(wanted, names);
  throw new CertkeepError("usage", {
    where: `--from-cluster ${wanted}`,
    found:
      titled.length > 1 ? "several clusters of that name" : "no cluster of that name has a state",
    expected: `one of: ${[...new Set(keys)].join(", ") || "none has a state yet"}`,
    ...(suggestion === null ? {} : { todo: `Did you mean ${suggestion}?` }),
  });
}

async function predecessorState(
  states: StateStore,
  state: StateDocument,
  nowNs: bigint,
): Promise<StateDocument | null> {
  const last = predecessorsOf(state).at(-1);
  if (last === undefined || !stillCounts(last, nowNs)) return null;
  const stored = await states.read(last.document);
  const parsed = stored === null ? null : parseState(stored.text);
  if (parsed === null) return null;
  if (parsed.ok) return parsed.state;
  throw new CertkeepError("state_damaged", {
    where: `${states.url}/${last.document}, ${parsed.place}`,
    found: parsed.found,
    expected: parsed.expected,
  });
}

/** An unregistered cluster has its identity for a name: the one it was rebuilt from is told by the context's name or the address. */
async function earlierByTitle(
  target: RestoreTarget,
  states: StateStore,
  base: Pick<Source, "target" | "targetIdentity" | "state" | "notes">,
): Promise<Source> {
  const candidates: StateDocument[] = [];
  for (const key of await stateKeys(states)) {
    const loaded = key === base.target ? null : await loadState(states, key);
    if (
      loaded !== null &&
      (loaded.state.title === target.title || loaded.state.server === target.server)
    )
      candidates.push(loaded.state);
  }
  const [only] = candidates;
  if (candidates.length !== 1 || only === undefined) {
    throw new CertkeepError("usage", {
      where: `cluster ${target.title}`,
      found:
        candidates.length === 0
          ? "no earlier cluster of this name or address has a state"
          : `${candidates.length} earlier clusters of this name or address`,
      expected: "the one that it was rebuilt from",
      todo: `Name it: certkeep restore ${target.title} --from-cluster ${candidates[0]?.cluster ?? "KEY"} --all`,
    });
  }
  return {
    ...base,
    state: only,
    clusters: [only.cluster],
    pin: null,
    rebuilt: true,
    notes: [`copies are taken from the cluster that was ${only.title} before (${only.cluster})`],
  };
}

/** Keeps the old state under a name of its own, then begins the new one. Done twice it changes nothing more. */
export async function pinSuccessor(
  states: StateStore,
  cluster: string,
  identity: ClusterIdentity,
  server: string,
  nowNs: bigint,
): Promise<void> {
  for (let attempt = 0; attempt < 8; attempt += 1) {
    const loaded = await loadState(states, cluster);
    const before = loaded?.state.identity ?? null;
    if (loaded === null || before === null || sameCluster(before, identity)) return;
    const document = predecessorName(cluster, before.key);
    const kept = await states.read(document);
    if (kept === null && (await states.write(document, formatState(loaded.state), null)) === null)
      continue;
    const next = succeed(
      loaded.state,
      {
        ...identity,
        key: identityKey(identity, server),
        pin: pinnedBy("person", identity, formatInstant(nowNs)),
      },
      document,
      formatInstant(nowNs),
    );
    if ((await states.write(stateName(cluster), formatState(next), loaded.revision)) !== null)
      return;
  }
  throw new CertkeepError("state_conflict", {
    where: `${states.url}/${stateName(cluster)}`,
    found: "other writers, again and again",
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

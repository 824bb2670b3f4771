/**
 * Where a restore takes from: the state of the cluster, of the one it was rebuilt from, or of
 * another one that the person names. A cluster that isn't the pinned one is refused, with the way
 * on.
 */
import { CertkeepError } from "../../error.ts";
import { meant } from "../../config/problem.ts";
import { restoreAction } from "../../finding/action.ts";
import { restoreCommand } from "../../report/command.ts";
import { notRestoredParts, type Named } from "../../report/pinning.ts";
import type { StateStore } from "../../ports/stores.ts";
import type { PlanWarning } from "../../restoreplan/objection.ts";
import { readableOf, type Readable } from "../../restoreplan/copyrule.ts";
import {
  predecessorName,
  predecessorsOf,
  stillCounts,
  withPredecessor,
} from "../../restoreplan/successor.ts";
import { emptyState, type StateDocument } from "../../state/document.ts";
import { identityKey, notPinned, type ClusterIdentity } from "../../state/identity.ts";
import { findState, loadState, readState, readStateAt, stateKeys } from "../states.ts";
import type { RestorePorts, RestoreRequest, RestoreTarget } from "./context.ts";
import { pinByPerson } from "../pin.ts";

export interface Source {
  /** Key of the cluster that is written to: its state, its lease. */
  readonly target: string;
  /** Identity under which what is replaced there is kept. */
  readonly targetIdentity: string;
  /** What selection looks at. */
  readonly state: StateDocument;
  /** Prefixes in the store that backups may lie under: cluster keys. */
  readonly clusters: readonly string[];
  /** Whose backups may be restored. */
  readonly readable: Readable;
  /** To be done before anything is written; `null` where the cluster is the pinned one. */
  readonly pin: (() => Promise<void>) | null;
  readonly rebuilt: boolean;
  readonly warnings: readonly PlanWarning[];
}

/**
 * @throws CertkeepError usage, where the cluster isn't the pinned one and nobody says that it is to
 * be pinned
 */
export async function findSource(
  target: RestoreTarget,
  request: Pick<RestoreRequest, "rebuilt" | "fromCluster">,
  { states, clock }: Pick<RestorePorts, "states" | "clock">,
  seen: ClusterIdentity,
): Promise<Source> {
  const { title, server } = target;
  const key = target.name ?? (await findState(states, seen, server));
  const loaded = await loadState(states, key);
  const state = loaded?.state ?? emptyState(key, title, server);
  const own = identityKey(seen, server);
  const differs = notPinned(state, seen);
  const successor = differs?.kind === "another";
  const named = {
    called: target.name ?? title,
    registered: target.name !== null && state.credential != null,
  };
  if (differs !== null && !request.rebuilt)
    throw new CertkeepError("usage", notRestoredParts(named, differs));
  const pin = (): Promise<void> =>
    pinByPerson(states, { cluster: key, title, server, successor }, seen, clock.nowMs());
  const base: Source = {
    target: key,
    targetIdentity: successor ? own : (state.identity?.key ?? own),
    state,
    clusters: [key],
    readable: readableOf(key, state, false, seen.uid === null ? null : own),
    pin: differs === null ? null : pin,
    rebuilt: successor,
    warnings: [],
  };
  if (request.fromCluster !== null) {
    const from = await otherState(states, request.fromCluster);
    return {
      ...base,
      state: from.state,
      clusters: [from.key],
      // The person names both ends, also where nothing recorded which cluster the other one is.
      readable: readableOf(from.key, from.state, from.state.identity === null),
      rebuilt: false,
      warnings: [{ warning: "other_cluster", title: from.state.title, key: from.key }],
    };
  }
  const pinned = { warning: "pinned", key } as const;
  if (successor)
    return {
      ...base,
      warnings: [{ warning: "successor", key, recorded: state.identity?.key ?? null }],
    };
  if (differs !== null) return { ...base, warnings: [pinned] };
  if (state.identity?.pin !== undefined) return pinnedSource(base, request, states, clock.nowMs());
  if (request.rebuilt) {
    if (loaded === null && target.name === null) await refuseUnnamed(target, states, key);
    const readable = readableOf(key, state, state.identity === null);
    return { ...base, readable, pin, warnings: [pinned] };
  }
  if (state.identity !== null) throw unpinned(named.called);
  return { ...base, warnings: unknownWarnings(state, named) };
}

/** Of the pinned cluster, and for a while of the one that it was rebuilt from. */
async function pinnedSource(
  base: Source,
  { rebuilt }: Pick<RestoreRequest, "rebuilt">,
  states: StateStore,
  nowMs: number,
): Promise<Source> {
  const earlier = await predecessorState(states, base.target, base.state, nowMs);
  if (earlier !== null)
    return { ...base, state: withPredecessor(base.state, earlier), rebuilt: true };
  return { ...base, warnings: rebuilt ? [{ warning: "not_rebuilt" }] : [] };
}

/**
 * A cluster that an earlier version recorded. Its audits took whatever CA answered, so that alone
 * gives no key away.
 */
function unpinned(called: string): CertkeepError {
  return new CertkeepError("usage", {
    where: `cluster ${called}`,
    found: "an earlier version recorded it and pinned no CA",
    todo: `Audit it once, which pins it: certkeep audit ${called}`,
  });
}

function unknownWarnings({ copies }: StateDocument, named: Named): PlanWarning[] {
  return Object.keys(copies).length === 0
    ? []
    : [{ warning: "unknown_cluster", called: named.called, isRegistered: named.registered }];
}

interface Other {
  /** Name that it is stored under: it is what a person names, and not what the state says. */
  readonly key: string;
  readonly state: StateDocument;
}

async function otherState(states: StateStore, wanted: string): Promise<Other> {
  const keys = await stateKeys(states);
  const all: Other[] = [];
  for (const key of keys.includes(wanted) ? [wanted] : keys) {
    const state = await readState(states, key);
    if (state !== null) all.push({ key, state });
  }
  const titled = all.filter(({ key, state }) =>
    [key, state.title, state.identity?.key].includes(wanted),
  );
  const [only] = titled;
  if (titled.length === 1 && only !== undefined) return only;
  const suggestion = meant(
    wanted,
    all.flatMap(({ key, state }) => [key, state.title]),
  );
  throw new CertkeepError("usage", {
    where: `--from-cluster ${wanted}`,
    found:
      titled.length > 1 ? "several clusters have this name" : "no cluster of this name has a state",
    todo:
      (keys.length === 0
        ? "No cluster has one yet"
        : `Name one of: ${[...new Set(keys)].join(", ")}`) +
      (suggestion === null ? "" : `. Did you mean ${suggestion}?`),
  });
}

async function predecessorState(
  states: StateStore,
  key: string,
  state: StateDocument,
  nowMs: number,
): Promise<StateDocument | null> {
  const last = predecessorsOf(state).at(-1);
  if (last === undefined || !stillCounts(last, nowMs)) return null;
  return readStateAt(states, predecessorName(key, last.key));
}

/**
 * An unregistered cluster that was rebuilt has a state of its own: which one it was before only a
 * person knows. @throws CertkeepError usage, where earlier ones are recorded
 */
async function refuseUnnamed(
  { title, server }: RestoreTarget,
  states: StateStore,
  key: string,
): Promise<void> {
  const earlier: string[] = [];
  for (const other of await stateKeys(states)) {
    const state = other === key ? null : await readState(states, other);
    if (state !== null && (state.title === title || state.server === server)) earlier.push(other);
  }
  const [first] = earlier;
  if (first === undefined) return;
  const command = restoreCommand(restoreAction(title, [], { all: true }), { fromCluster: first });
  throw new CertkeepError("usage", {
    where: `cluster ${title}`,
    found:
      "it has no name, and there are earlier clusters of its context or address: " +
      earlier.slice(0, 5).join(", "),
    todo:
      "Name the one that it was rebuilt from: " +
      (command ?? "certkeep restore CONTEXT --from-cluster KEY --all"),
  });
}

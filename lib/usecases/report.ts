/**
 * What is known of every cluster, from the states alone: no cluster is asked. A state that can't be
 * read is told, and hides no other.
 */
import { isCertkeepError, type CertkeepError } from "../error.ts";
import type { IgnoreEntry } from "../finding/ignore.ts";
import type { RestoreFunction } from "../finding/action.ts";
import type { FindingsView } from "../finding/cluster.ts";
import type { Clock } from "../ports/runtime.ts";
import type { StateStore } from "../ports/stores.ts";
import { type BudgetLevel, budgetLevels } from "../report/budgets.ts";
import type { Across } from "../finding/across.ts";
import { isAdvised } from "../finding/advise.ts";
import { mayNameCause } from "../diagnosis/attach.ts";
import { clustersTold } from "../finding/issuance.ts";
import { certificateRows, type CertificateRow } from "../report/rows.ts";
import { summarize, unseenSummary, type ClusterSummary } from "../report/summary.ts";
import type { StateDocument } from "../state/document.ts";
import { countedOnce } from "../state/secrets.ts";
import { gatherAcross, type AcrossPorts } from "./across.ts";
import { loadState, stateKeys } from "./states.ts";

export interface ReportPorts {
  readonly states: StateStore;
  readonly clock: Clock;
  /** Known issuers and limits of the configuration; without them nothing is said of budgets. */
  readonly issuance?: Pick<AcrossPorts, "wall" | "kit" | "overrides">;
  /** The function on AWS that restores, where there is one. */
  readonly restore?: RestoreFunction | null;
}

export interface ReportScope {
  /** Registered clusters; empty: every state counts. */
  readonly registered: readonly string[];
  readonly ignore: readonly IgnoreEntry[];
}

export interface Overview {
  readonly summaries: readonly ClusterSummary[];
  /** Clusters that have a state, aren't registered, and that nobody removed. */
  readonly unregistered: readonly string[];
  /** States that could not be read. */
  readonly problems: readonly CertkeepError[];
  /**
   * Over all clusters, the unregistered ones too; those that are full left out unless a report asks
   * for all.
   */
  readonly budgets: readonly BudgetLevel[];
}

/**
 * One state after the other, each forgotten once it is summed up. `look` sees every state that
 * could be read, with its summary; one that it sees a second time takes the place of the first.
 *
 * Issuances have to be known of all before one is told of any. So each state is summed up by itself
 * as its issuances are gathered, and only those of which the others change what is said are read
 * again.
 * @throws CertkeepError where the store can't be listed
 */
export async function surveyStates(
  ports: ReportPorts,
  { registered, ignore }: ReportScope,
  look: (state: StateDocument, summary: ClusterSummary) => void = () => {},
  which: "all" | "touched" = "touched",
): Promise<Overview> {
  const keys = await stateKeys(ports.states);
  const atMs = ports.clock.nowMs();
  const alone: FindingsView = {
    atMs,
    ignore,
    across: null,
    wallMs: ports.issuance?.wall?.nowMs() ?? null,
    restore: ports.restore ?? null,
  };
  const wanted = new Set(
    registered.length === 0 ? keys : keys.filter((key) => registered.includes(key)),
  );
  const removed = new Set<string>();
  const summed = new Map<string, ClusterSummary>();
  const unexplained = new Set<string>();
  const sumUp = (state: StateDocument, view: FindingsView): void => {
    const summary = summarize(state, view);
    if (view.across === null && mayNameCause(summary.findings, state, atMs))
      unexplained.add(state.cluster);
    look(state, summary);
    summed.set(state.cluster, summary);
  };
  let across: Across | null = null;
  if (ports.issuance !== undefined) {
    const asRead = (state: StateDocument): void => {
      if (isRemoved(state)) removed.add(state.cluster);
      // A state with an instant that is none is told below, where it is read again.
      else if (wanted.has(state.cluster)) ignoreRangeError(() => sumUp(state, alone));
    };
    ({ across } = await gatherAcross({ ...ports, ...ports.issuance }, [], asRead, wanted));
  }
  /** A registration brings a cluster back, also before an audit does. */
  function isRemoved({ cluster, removedAt }: StateDocument): boolean {
    return removedAt !== undefined && !registered.includes(cluster);
  }
  const view = { ...alone, across };
  const told = across === null ? null : clustersTold(across);
  /** Nothing that other clusters' issuances would change. */
  const standsAlone = (key: string): boolean =>
    told?.has(key) === false &&
    across?.firstNames.has(key) === false &&
    !unexplained.has(key) &&
    summed.get(key)?.findings.some(isAdvised) === false;
  const summaries: ClusterSummary[] = [];
  const problems: CertkeepError[] = [];
  for (const key of [...wanted].toSorted()) {
    try {
      if (!standsAlone(key)) {
        summed.delete(key);
        const loaded = await loadState(ports.states, key);
        if (loaded === null || isRemoved({ ...loaded.state, cluster: key })) continue;
        const first = across?.firstNames.get(key) ?? null;
        const state = { ...loaded.state, cluster: key };
        const other = first === null ? null : await stateOrNull(ports.states, first);
        sumUp(other === null ? state : countedOnce(state, other), view);
      }
      const summary = summed.get(key);
      if (summary !== undefined) summaries.push(summary);
    } catch (error) {
      // A state of this format may still hold an instant that is none: that is damage as well.
      if (isCertkeepError(error)) problems.push(error);
      else if (!(error instanceof RangeError)) throw error;
      summaries.push(
        unseenSummary(
          key,
          { of: "unreadable", newer: isCertkeepError(error, "state_format_newer") },
          view,
        ),
      );
    }
  }
  for (const name of registered) {
    if (!keys.includes(name)) summaries.push(unseenSummary(name, { of: "never" }, view));
  }
  return {
    summaries,
    unregistered:
      registered.length === 0
        ? []
        : keys.filter((key) => !registered.includes(key) && !removed.has(key)).toSorted(),
    problems,
    budgets: across === null ? [] : budgetLevels(across, which),
  };
}

/** One that can't be read is told in its own turn. */
async function stateOrNull(states: StateStore, key: string): Promise<StateDocument | null> {
  try {
    return (await loadState(states, key))?.state ?? null;
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    return null;
  }
}

function ignoreRangeError(run: () => void): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
}

export interface FullReport extends Overview {
  readonly rows: readonly CertificateRow[];
}

/** Everything that a report shows: the overview, and one row per certificate. */
export async function reportAll(ports: ReportPorts, scope: ReportScope): Promise<FullReport> {
  const atMs = ports.clock.nowMs();
  const rows = new Map<string, readonly CertificateRow[]>();
  const overview = await surveyStates(
    ports,
    scope,
    (state, summary) =>
      void rows.set(state.cluster, [
        ...certificateRows(state, summary.findings, atMs, summary.sight !== "stale"),
      ]),
    "all",
  );
  return {
    ...overview,
    rows: overview.summaries.flatMap(({ cluster }) => rows.get(cluster) ?? []),
  };
}

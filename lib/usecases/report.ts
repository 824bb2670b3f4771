/**
 * What is known of every cluster, from the states alone: no cluster is asked. A state that can't be
 * read is told, and hides no other.
 */
import { type CertkeepError, isCertkeepError, orError } from "../error.ts";
import type { IgnoreEntry } from "../finding/ignore.ts";
import type { RestoreFunction, Via } from "../finding/action.ts";
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
import { loadState, readState, stateKeys } from "./states.ts";

export interface ReportPorts {
  readonly states: StateStore;
  readonly clock: Clock;
  /** Known issuers and limits of the configuration; without them nothing is said of budgets. */
  readonly issuance?: Pick<AcrossPorts, "wall" | "kit" | "overrides">;
  readonly restore?: RestoreFunction | null;
  /** What offered commands are reached by. */
  readonly via?: Via | null;
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
  const alone: FindingsView = {
    atMs: ports.clock.nowMs(),
    ignore,
    across: null,
    wallMs: ports.issuance?.wall?.nowMs() ?? null,
    restore: ports.restore ?? null,
    via: ports.via ?? null,
  };
  const wanted = new Set(
    registered.length === 0 ? keys : keys.filter((key) => registered.includes(key)),
  );
  const survey = new Survey(ports.states, registered, look);
  let across: Across | null = null;
  if (ports.issuance !== undefined) {
    const asRead = (state: StateDocument): void => survey.sumUpAlone(state, wanted, alone);
    ({ across } = await gatherAcross({ ...ports, ...ports.issuance }, [], asRead, wanted));
  }
  const view = { ...alone, across };
  const touched =
    across === null ? null : new Set([...clustersTold(across), ...across.firstNames.keys()]);
  const summaries: ClusterSummary[] = [];
  for (const key of [...wanted].toSorted()) {
    const summary = await survey.summaryOf(key, view, touched?.has(key) !== false);
    if (summary !== null) summaries.push(summary);
  }
  for (const name of registered)
    if (!keys.includes(name)) summaries.push(unseenSummary(name, { of: "never" }, view));
  const isLeftOut = (key: string): boolean =>
    !registered.includes(key) &&
    !registered.includes(across?.firstNames.get(key) ?? "") &&
    !survey.removed.has(key);
  const unregistered = keys.filter(isLeftOut);
  return {
    summaries,
    unregistered: registered.length === 0 ? [] : unregistered.toSorted(),
    problems: survey.problems,
    budgets: across === null ? [] : budgetLevels(across, which),
  };
}

class Survey {
  readonly #states: StateStore;
  readonly #registered: readonly string[];
  readonly #look: (state: StateDocument, summary: ClusterSummary) => void;
  readonly #summed = new Map<string, ClusterSummary>();
  readonly #unexplained = new Set<string>();
  readonly removed = new Set<string>();
  readonly problems: CertkeepError[] = [];

  constructor(
    states: StateStore,
    registered: readonly string[],
    look: (state: StateDocument, summary: ClusterSummary) => void,
  ) {
    this.#states = states;
    this.#registered = registered;
    this.#look = look;
  }

  #sumUp(state: StateDocument, view: FindingsView): ClusterSummary {
    const summary = summarize(state, view);
    if (view.across === null && mayNameCause(summary.findings, state, view.atMs))
      this.#unexplained.add(state.cluster);
    this.#look(state, summary);
    this.#summed.set(state.cluster, summary);
    return summary;
  }

  /** A registration brings a cluster back, also before an audit does. */
  #isRemoved({ cluster, removedAt }: StateDocument): boolean {
    return removedAt !== undefined && !this.#registered.includes(cluster);
  }

  /** One with an instant that is none is told by `summaryOf`, where it is read again. */
  sumUpAlone(state: StateDocument, wanted: ReadonlySet<string>, alone: FindingsView): void {
    if (this.#isRemoved(state)) this.removed.add(state.cluster);
    else if (wanted.has(state.cluster)) ignoreRangeError(() => this.#sumUp(state, alone));
  }

  /**
   * `touched`: other clusters' issuances may change what is said of it. `null`: the cluster was
   * removed.
   */
  async summaryOf(
    key: string,
    view: FindingsView,
    touched: boolean,
  ): Promise<ClusterSummary | null> {
    const alone = touched || this.#unexplained.has(key) ? undefined : this.#summed.get(key);
    if (alone?.findings.some(isAdvised) === false) return alone;
    try {
      const loaded = await loadState(this.#states, key);
      if (loaded === null) return null;
      const state = { ...loaded.state, cluster: key };
      if (this.#isRemoved(state)) return null;
      const first = view.across?.firstNames.get(key) ?? null;
      const other = first === null ? null : await stateOrNull(this.#states, first);
      return this.#sumUp(other === null ? state : countedOnce(state, other), view);
    } catch (error) {
      // A state of this format may still hold an instant that is none: that is damage as well.
      if (isCertkeepError(error)) this.problems.push(error);
      else if (!(error instanceof RangeError)) throw error;
      const newer = isCertkeepError(error, "state_format_newer");
      return unseenSummary(key, { of: "unreadable", newer }, view);
    }
  }
}

/** One that can't be read is told in its own turn. */
async function stateOrNull(states: StateStore, key: string): Promise<StateDocument | null> {
  const state = await orError(readState(states, key));
  return isCertkeepError(state) ? null : state;
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

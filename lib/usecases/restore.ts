/**
 * Restoring certificates to a cluster: choose, open, look, plan; and with leave to write, carry the
 * plan out, read back, and say what became of each.
 *
 * Invariants: nothing is written before the plan is whole; a valid certificate is never replaced by
 * one that isn't better; what is replaced is sealed and recorded first; a run that ends anywhere
 * can be run again, which does what is left and repeats nothing.
 */
import pLimit from "p-limit";
import { CertkeepError, isCertkeepError } from "../error.ts";
import type { RestorePlan, SecretWrite } from "../restoreplan/item.ts";
import { planRestore } from "../restoreplan/plan.ts";
import type { PlanOptions } from "../restoreplan/decide.ts";
import type { PlanWarning } from "../restoreplan/objection.ts";
import type { Wanted } from "../restoreplan/view.ts";
import { spanPhrase } from "../report/text.ts";
import type { SecretPlace } from "../ports/cluster.ts";
import { lastRecord } from "../state/secrets.ts";
import type { ClusterIdentity } from "../state/identity.ts";
import type {
  RestorePorts,
  RestoreReport,
  RestoreRequest,
  RestoreTarget,
} from "./restore/context.ts";
import { asNamed } from "./audit/identify.ts";
import { follow } from "./restore/follow.ts";
import { choose, lookAtCluster, openChoices } from "./restore/gather.ts";
import { withLease } from "./restore/lease.ts";
import type { LiveCluster } from "./restore/live.ts";
import { completeRecreation } from "./restore/recreate.ts";
import { deniedWrites } from "./restore/permissions.ts";
import { createReplacedKeeper, recipientsOf, recordRestores } from "./restore/replaced.ts";
import { createRevocationAsker } from "./restore/open.ts";
import { findSource, type Source } from "./restore/source.ts";
import {
  type Results,
  restoreSecret,
  settled,
  tasksOf,
  type WriteContext,
} from "./restore/write.ts";

const WRITES_AT_ONCE = 16;
/**
 * Shapes whose owner is a machine of a tailnet, which may get another name when it is recreated.
 */
const MACHINES: ReadonlySet<string> = new Set(["operator", "standalone", "sidecar"]);

/**
 * @throws CertkeepError for names that nothing has, another cluster than the recorded one, a lease
 * that somebody holds
 */
export async function runRestore(
  given: RestoreTarget,
  request: RestoreRequest,
  ports: RestorePorts,
): Promise<RestoreReport> {
  checkRequest(request);
  const identity: ClusterIdentity = await given.reader.identity();
  const target = await asNamed(given, ports.states, identity);
  const source = await findSource(target, request, ports, identity);
  const restore = (): Promise<RestoreRun> => restoreFrom(source, target, request, ports);
  // The lease comes before the look at the cluster: who had to wait for another restore plans from
  // what that left. Following may last for hours, one conditional write at a time: it holds nobody
  // up.
  const run = await (request.mode === "apply"
    ? withLease(source.target, ports, ports.progress.note, restore)
    : restore());
  await run.follow();
  const report = run.report();
  if (request.mode === "apply") await recordRestores(source, target, report.items, ports);
  return report;
}

async function restoreFrom(
  source: Source,
  target: RestoreTarget,
  request: RestoreRequest,
  ports: RestorePorts,
): Promise<RestoreRun> {
  const chosen = await choose(source, target.title, request, ports);
  if (
    request.as !== null &&
    chosen.choices.filter(({ kind }) => kind !== "account-key").length > 1
  ) {
    throw new CertkeepError("usage", {
      where: "--as",
      found: `${chosen.choices.length} certificates can't all go to one place`,
      todo: "Name one of them",
    });
  }
  const wanted = await openChoices(chosen, source, request, ports, createRevocationAsker(ports));
  const live = await lookAtCluster(wanted, source, target, request, ports);
  const completed = await completeRecreation(recreatedPlaces(wanted, source, request), live, {
    target,
    ports,
    rehearse: false,
    apply: request.mode === "apply",
  });
  const options: PlanOptions = {
    nowMs: ports.clock.nowMs(),
    as: request.as,
    force: request.force,
    unrecorded: request.unrecorded,
    standby: request.standby,
    replace: request.replace,
    createNamespace: request.createNamespace,
  };
  const machines = wanted.some(({ copies }) => copies.some(({ shape }) => MACHINES.has(shape)));
  const warnings: readonly PlanWarning[] = [
    ...(source.rebuilt && machines ? [{ warning: "machines_of_rebuilt" } as const] : []),
    ...source.warnings,
    ...completed,
    ...unreadWarnings(chosen.problems),
    ...(wanted.length > 0 ? [] : [emptyWarning(source, request)]),
  ];
  const plan = planRestore(wanted, live, options, warnings);
  const denied = await deniedWrites(plan.writes, target.access);
  const run = new RestoreRun({
    ...{ target, request, ports, source, wanted, live, options, plan, denied },
  });
  if (request.mode !== "plan") await run.carryOut();
  return run;
}

/**
 * Places at which an earlier run may have ended while it recreated a Secret: immutable as last
 * seen, or named again.
 */
function recreatedPlaces(
  wanted: readonly Wanted[],
  { state }: Source,
  { replace }: RestoreRequest,
): readonly SecretPlace[] {
  const places = new Map(
    wanted.map(({ namespace, secret }) => [`${namespace}/${secret}`, { namespace, name: secret }]),
  );
  return [...places].flatMap(([key, place]) =>
    replace || lastRecord(state, key)?.immutable === true ? [place] : [],
  );
}

function checkRequest(request: RestoreRequest): void {
  if (
    request.names.length === 0 &&
    !request.all &&
    request.namespace === null &&
    request.version === null &&
    request.asOfMs === null
  ) {
    throw new CertkeepError("usage", {
      where: "certkeep restore",
      found: "it names nothing to restore",
      todo: "Name certificates or Secrets, or use --namespace or --all",
    });
  }
}

const UNREAD_SHOWN = 5;

function unreadWarnings(problems: readonly string[]): PlanWarning[] {
  const more = problems.length - UNREAD_SHOWN;
  return [
    ...problems
      .slice(0, UNREAD_SHOWN)
      .map((found) => ({ warning: "not_looked_at", found }) as const),
    ...(more > 0 ? [{ warning: "more_not_looked_at", count: more } as const] : []),
  ];
}

function emptyWarning(source: Source, request: RestoreRequest): PlanWarning {
  const { state, target } = source;
  if (state.audit === null && Object.keys(state.copies).length === 0)
    return { warning: "never_audited", cluster: target, isAsked: request.unrecorded };
  return { warning: sawNothing(source, request) ? "nothing_known" : "nothing_fits" };
}

/** Whether an audit answers: nothing of what was asked for was live. */
function sawNothing({ state }: Source, { all, asOfMs }: RestoreRequest): boolean {
  return all && asOfMs === null && state.audit !== null;
}

interface Gathered {
  readonly target: RestoreTarget;
  readonly request: RestoreRequest;
  readonly ports: RestorePorts;
  readonly source: Source;
  readonly wanted: readonly Wanted[];
  readonly live: LiveCluster;
  readonly options: PlanOptions;
  readonly plan: RestorePlan;
  readonly denied: ReadonlyMap<SecretWrite, string>;
}

class RestoreRun {
  readonly #run: Gathered;
  readonly #results: Results = new Map();
  readonly #events: string[] = [];
  #interrupted = false;
  #pinned = false;

  constructor(run: Gathered) {
    this.#run = run;
    for (const [write, message] of run.denied)
      for (const [index, { wanted, item }] of this.#tasks().entries())
        if (write.items.includes(index))
          this.#results.set(wanted, {
            ...{ item, message },
            outcome: "refused",
            code: "cluster_forbidden",
          });
  }

  #tasks(): ReturnType<typeof tasksOf> {
    return tasksOf(this.#run.wanted, this.#run.plan);
  }

  #stopped(): boolean {
    return this.#run.ports.signal?.aborted === true;
  }

  #context(): WriteContext {
    const { source, live, options } = this.#run;
    const { writer } = this.#run.target;
    const rehearse = this.#run.request.mode === "rehearse";
    const made = new Map<string, Promise<void>>();
    const makeNamespace = (name: string): Promise<void> => {
      const known =
        made.get(name) ??
        writer.createNamespace(name, { dryRun: rehearse }).then(() => live.namespaceMade(name));
      made.set(name, known);
      return known;
    };
    return {
      writer,
      live,
      options,
      source,
      keeper: createReplacedKeeper(source, this.#run.target, this.#run.ports),
      recreate: {
        target: this.#run.target,
        ports: this.#run.ports,
        recipients: recipientsOf(this.#run.target, this.#run.ports),
        rehearse,
      },
      ports: this.#run.ports,
      rehearse,
      makeNamespace,
    };
  }

  async carryOut(): Promise<void> {
    const { source, plan, denied } = this.#run;
    const { progress } = this.#run.ports;
    if (this.#run.request.mode === "apply" && source.pin !== null) {
      await source.pin();
      this.#pinned = true;
    }
    const context = this.#context();
    const tasks = this.#tasks();
    const limit = pLimit(WRITES_AT_ONCE);
    let done = 0;
    await Promise.all(
      plan.writes
        .filter((write) => !denied.has(write))
        .map((write) =>
          limit(async () => {
            if (this.#stopped()) {
              this.#interrupted = true;
              return;
            }
            for (const [wanted, item] of await restoreSecret(tasks, write, context))
              this.#results.set(wanted, item);
            progress.step("restoring", (done += 1), plan.writes.length - denied.size);
          }),
        ),
    );
  }

  /** Waits for what owners still make, if that was asked for. */
  async follow(): Promise<void> {
    const waiting = this.#tasks().flatMap(({ wanted, item }) =>
      item.rule === "later" && item.version !== null ? [wanted] : [],
    );
    const { followMs } = this.#run.request;
    if (followMs === null || waiting.length === 0 || this.#run.request.mode !== "apply") return;
    if (this.#stopped()) {
      this.#interrupted = true;
      return;
    }
    this.#run.ports.progress.note(
      `Waiting up to ${spanPhrase(followMs)} for ${waiting.length} whose Secrets don't exist yet.`,
    );
    try {
      await follow(waiting, this.#results, {
        target: this.#run.target,
        write: this.#context(),
        followMs,
        event: (message) => this.#event(message),
      });
    } catch (error) {
      if (!isCertkeepError(error)) throw error;
      this.#event(`Waiting ended: ${error.message}`);
    }
    if (this.#stopped()) this.#interrupted = true;
  }

  #event(message: string): void {
    this.#events.push(message);
    this.#run.ports.progress.note(message);
  }

  report(): RestoreReport {
    const { source, plan } = this.#run;
    const planned = this.#run.request.mode === "plan";
    return {
      cluster: source.target,
      title: this.#run.target.title,
      server: this.#run.target.server,
      mode: this.#run.request.mode,
      warnings: plan.warnings,
      items: this.#tasks().map(
        ({ wanted, item }) =>
          this.#results.get(wanted) ??
          (planned && item.rule === "restore"
            ? { item, outcome: "planned", message: null, code: null }
            : settled(item)),
      ),
      events: this.#events,
      interrupted: this.#interrupted,
      nothingKnown: plan.items.length === 0 && !sawNothing(source, this.#run.request),
      pinned: this.#pinned,
    };
  }
}

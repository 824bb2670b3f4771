/**
 * Why certificates are issued, asked of the cluster once its Secrets were read: the logs of the
 * pods that issue, warnings, and what the owners may do to their Secrets.
 *
 * Invariants: nothing of it makes an audit incomplete, nor longer than its bound, whatever the
 * cluster does; a cluster in which nothing issues is asked nothing; a source that failed leaves a
 * look with its reason and since when, never “nothing happened”.
 */
import {
  boundObservations,
  mergeObservations,
  NO_OBSERVATIONS,
  type Observations,
  observationsOf,
} from "../../state/observations.ts";
import type { SourceStatus } from "../../state/signals.ts";
import { type Evidence, mergeEvidence, NO_EVIDENCE } from "../../ratelimit/evidence.ts";
import { boundClaims } from "../../ratelimit/log/claims.ts";
import type { PodFacts } from "../../ports/cluster.ts";
import type { Timer } from "../../ports/runtime.ts";
import type { StateDocument } from "../../state/document.ts";
import { reviewAccess } from "./observe/access.ts";
import { readEvents } from "./observe/events.ts";
import { readLogs } from "./observe/logs.ts";
import {
  lastStatus,
  type ObserveContext,
  readBefore,
  statusCode,
  statusOf,
} from "./observe/sourcestatus.ts";
import {
  OPERATOR_SELECTOR,
  PROXY_SELECTOR,
  type Writer,
  type WriterHint,
  writersOf,
} from "./observe/writers.ts";

export interface ObserveOptions extends Pick<ObserveContext, "diagnosis" | "issuers" | "nowMs"> {
  /** How long it may take; without a timer only what it asks is bounded. */
  readonly budgetMs: number;
  readonly timer: Timer | null;
  readonly signal: AbortSignal | undefined;
}

export interface Observed {
  readonly observations: Observations;
  readonly evidence: Evidence;
}

/** Sources that are read again each time. */
const OWN_SOURCES: ReadonlySet<string> = new Set(["logs", "events", "access"]);

/** What is told as it comes; after the end nothing is taken any more. */
class Gathered {
  readonly #nowMs: number;
  #observations: Observations = NO_OBSERVATIONS;
  #evidence: Evidence = NO_EVIDENCE;
  #ended = false;

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  /** Bounded at each step: two hundred forged logs cost no more than one. */
  add(part: Partial<Observations>, evidence: Evidence = NO_EVIDENCE): void {
    if (this.#ended) return;
    this.#observations = boundObservations(
      mergeObservations(this.#observations, { ...NO_OBSERVATIONS, ...part }),
      this.#nowMs,
    );
    if (evidence !== NO_EVIDENCE)
      this.#evidence = boundClaims(mergeEvidence(this.#evidence, evidence));
  }

  end(): Observed {
    this.#ended = true;
    return { observations: this.#observations, evidence: this.#evidence };
  }
}

async function listPods(
  writers: readonly Writer[],
  context: ObserveContext,
  gathered: Gathered,
): Promise<PodFacts[]> {
  const { diagnosis, signal } = context;
  const asks = new Map<string, { namespace: string; selector: string }>();
  for (const { namespace, shape } of writers) {
    const selector = shape === "operator" ? OPERATOR_SELECTOR : PROXY_SELECTOR;
    asks.set(`${namespace} ${selector}`, { namespace, selector });
  }
  const found = await Promise.all(
    [...asks.values()].map(async ({ namespace, selector }): Promise<readonly PodFacts[]> => {
      const scope = `${namespace}, pods ${selector}`;
      const look = (code: string, unread: string | null = null): SourceStatus =>
        statusOf(context, "logs", scope, { code, unread });
      try {
        const { items, more } = await diagnosis.listPods(namespace, selector, signal);
        if (more) gathered.add({ looks: [look("too_much", "pods after the first page")] });
        else if (items.length === 0) gathered.add({ looks: [look("no_pod")] });
        return items;
      } catch (error) {
        gathered.add({ looks: [look(statusCode(error))] });
        return [];
      }
    }),
  );
  return [...new Map(found.flat().map((pod) => [`${pod.namespace}/${pod.name}`, pod])).values()];
}

async function ask(
  writers: readonly Writer[],
  context: ObserveContext,
  gathered: Gathered,
): Promise<void> {
  const events = readEvents(writers, context, (look, told) =>
    gathered.add({ looks: [look], events: told }),
  );
  const pods = await listPods(writers, context, gathered);
  await Promise.all([
    events,
    reviewAccess(writers, pods, context, ({ looks, answers }) =>
      gathered.add({ looks, access: answers }),
    ),
    readLogs(pods, writers, context, ({ looks, signs, evidence }) =>
      gathered.add({ looks, signs }, evidence),
    ),
  ]);
}

/** Places that were looked at before and could not be this time, as it was over too soon. */
function leftOut(
  before: Observations,
  told: Observations,
  writers: readonly Writer[],
  nowMs: number,
): readonly SourceStatus[] {
  const seen = new Set(told.looks.map(({ source, scope }) => `${source} ${scope}`));
  const expected = ["logs", "events", "access"].flatMap((source) => {
    const known = before.looks.filter((look) => look.source === source).map(({ scope }) => scope);
    const places =
      known.length > 0 ? known : [...new Set(writers.map(({ namespace }) => namespace))];
    return places.map((scope) => ({ source: source as SourceStatus["source"], scope }));
  });
  return expected
    .filter(({ source, scope }) => !seen.has(`${source} ${scope}`))
    .map(({ source, scope }) =>
      statusOf({ before, nowMs }, source, scope, {
        code: "timeout",
        ...readBefore(lastStatus(before, source, scope)),
      }),
    );
}

/**
 * What the state is to hold of other sources from now on, and what they tell of issuances. Never
 * throws for what a cluster does.
 */
export async function observe(
  state: StateDocument,
  hints: ReadonlyMap<string, WriterHint>,
  options: ObserveOptions,
): Promise<Observed> {
  const before = observationsOf(state);
  const writers = writersOf(state, hints);
  const { nowMs, timer, budgetMs } = options;
  const gathered = new Gathered(nowMs);
  let inTime = true;
  if (writers.length > 0) {
    const over = new AbortController();
    const finished = new AbortController();
    const signal =
      options.signal === undefined ? over.signal : AbortSignal.any([over.signal, options.signal]);
    const work = ask(writers, { ...options, state, before, signal }, gathered).then(
      () => true,
      () => false,
    );
    const bound = timer === null ? [] : [timer.sleep(budgetMs, finished.signal).then(() => false)];
    const cut = new Promise<boolean>((resolve) =>
      options.signal?.addEventListener("abort", () => resolve(false), {
        once: true,
        signal: finished.signal,
      }),
    );
    inTime = options.signal?.aborted !== true && (await Promise.race([work, cut, ...bound]));
    // What is still under way ends by this; nobody waits for it.
    over.abort();
    finished.abort();
  }
  const { observations: told, evidence } = gathered.end();
  const late = inTime ? [] : leftOut(before, told, writers, nowMs);
  // Of what was there before, looks and answers of places that are gone are dropped; what was said
  // stays until it is old.
  const kept = {
    ...before,
    looks: before.looks.filter(({ source }) => !OWN_SOURCES.has(source)),
    access: inTime ? [] : before.access,
  };
  return {
    observations: boundObservations(
      [kept, told, { ...NO_OBSERVATIONS, looks: late }].reduce(mergeObservations),
      nowMs,
    ),
    evidence,
  };
}

/**
 * Digests: planned from the states, queued in the state store, delivered from there.
 *
 * At least once: a message is queued in the same write that remembers what it says, and leaves the
 * queue only after Slack's own success answer was read. A run that dies between posting and
 * recording repeats that one message once its claim has expired. While a message waits, only a new
 * critical finding makes another.
 */
import {
  planDigest,
  type DigestInput,
  type DigestPlan,
  type DigestSettings,
  type RouteSettings,
} from "../report/digest.ts";
import { slackMessage } from "../report/slack/blocks.ts";
import type { ClusterSummary } from "../report/summary.ts";
import type { StateStore } from "../ports/stores.ts";
import type { QueuedMessage, RouteRecord } from "../state/digest.ts";
import { deliver, type DigestPorts, type Route, type RouteOutcome } from "./digest/deliver.ts";
import { parseMs } from "../certificate/time.ts";
import { isCertkeepError } from "../error.ts";
import { shortLabel } from "../report/digest/changes.ts";
import type { IssuedNow, Resolved } from "../report/digest/message.ts";
import { certificates, titleOf } from "../state/certificates.ts";
import { readDigest, readState, updateRoute } from "./states.ts";

export interface DigestInputs {
  readonly summaries: readonly ClusterSummary[];
  readonly unregistered: readonly string[];
  readonly settings: DigestSettings;
}

/** Clusters whose states are read for what is resolved; of others nothing is known. */
const MAX_CLUSTERS = 10;
/** Messages that may wait; what is new beyond them is reported once they are delivered. */
const MAX_QUEUED = 10;

/** Posts what is due on each route. A route that fails doesn't stop the others. */
export async function runDigest(
  ports: DigestPorts,
  inputs: DigestInputs,
  routes: readonly Route[],
): Promise<readonly RouteOutcome[]> {
  const outcomes: RouteOutcome[] = [];
  for (const route of routes) {
    await queue(ports, inputs, route);
    outcomes.push(await deliver(ports, route));
  }
  return outcomes;
}

/** What each route would get now, due or not; nothing is written. */
export async function previewDigest(
  ports: DigestPorts,
  inputs: DigestInputs,
  routes: readonly RouteSettings[],
): Promise<
  readonly { readonly route: RouteSettings; readonly plan: DigestPlan; readonly due: boolean }[]
> {
  const { document } = await readDigest(ports.states);
  const nowMs = ports.clock.nowMs();
  const previews = [];
  for (const route of routes) {
    const input = { ...inputs, record: document.routes[route.name] ?? null, nowMs, route };
    const plan = await planFollowed(ports.states, { ...input, anyway: true });
    previews.push({ route, plan, due: planDigest(input).message !== null });
  }
  return previews;
}

/** Where a message says what is resolved, the states tell how. */
async function planFollowed(states: StateStore, input: DigestInput): Promise<DigestPlan> {
  const plan = planDigest(input);
  if (plan.message === null || plan.resolved.length === 0) return plan;
  return planDigest({ ...input, issuedNow: await issuedNow(states, plan.resolved, input.nowMs) });
}

async function queue(
  { states, clock, newId }: DigestPorts,
  inputs: DigestInputs,
  route: Route,
): Promise<void> {
  await updateRoute(states, route.name, async (record) => {
    const waiting = record?.outbox.length ?? 0;
    if (waiting >= MAX_QUEUED) return null;
    const nowMs = clock.nowMs();
    const input = { ...inputs, record, nowMs, route };
    const { message, record: after } = await planFollowed(states, input);
    if (waiting > 0 && message !== null && !hasNewCritical(record, after)) return null;
    if (message === null) return record !== null && isUnchanged(record, after) ? null : after;
    const { text, blocks } = slackMessage(message);
    const queued: QueuedMessage = {
      id: newId(),
      madeMs: nowMs,
      text,
      blocks: [...blocks],
      attempts: 0,
      notBeforeMs: 0,
      claimedUntilMs: 0,
    };
    return { ...after, outbox: [...after.outbox, queued] };
  });
}

/** Whether nothing changed that must be written. */
function isUnchanged(a: RouteRecord, b: RouteRecord): boolean {
  return a.dailyMs === b.dailyMs && JSON.stringify(a.said) === JSON.stringify(b.said);
}

function hasNewCritical(before: RouteRecord | null, after: RouteRecord): boolean {
  return Object.entries(after.said).some(
    ([key, { severity, saidMs }]) =>
      severity === "critical" && before?.said[key]?.saidMs !== saidMs,
  );
}

/** When the certificates were issued that stand now where findings are over. */
async function issuedNow(
  states: StateStore,
  resolved: readonly Resolved[],
  nowMs: number,
): Promise<IssuedNow> {
  const issued = new Map<string, number>();
  const clusters = [...new Set(resolved.map(({ cluster }) => cluster))];
  for (const cluster of clusters.slice(0, MAX_CLUSTERS)) {
    try {
      const state = await readState(states, cluster);
      for (const entry of state === null ? [] : certificates(state, nowMs))
        if (entry.condition === "live" && entry.verdict.valid)
          issued.set(keyOf(cluster, shortLabel(titleOf(entry))), parseMs(entry.record.issuedAt));
    } catch (error) {
      // The survey reports a state that can't be read.
      if (!isCertkeepError(error) && !(error instanceof RangeError)) throw error;
    }
  }
  return ({ cluster, label }) => issued.get(keyOf(cluster, label)) ?? null;
}

function keyOf(cluster: string, label: string): string {
  return JSON.stringify([cluster, label]);
}

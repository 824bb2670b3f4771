/**
 * Digests: planned from the states, queued in the state store, delivered from there.
 *
 * At least once: a message is queued in the same write that remembers what it says, and leaves the
 * queue only after Slack's own success answer was read. Failed tries are repeated with growing
 * pauses. A run claims a message before it posts it, so that two runs don't post the same; one that
 * dies between posting and recording repeats that message, and no other, once its claim has run
 * out. While a message waits, only something critical makes another.
 */
import { CertkeepError } from "../error.ts";
import type { Clock } from "../ports/runtime.ts";
import type { Poster, PostResult } from "../ports/slack.ts";
import type { StateStore } from "../ports/stores.ts";
import {
  planDigest,
  type DigestPlan,
  type DigestSettings,
  type RouteSettings,
} from "../report/digest.ts";
import { waitText } from "../report/phrases/doctor.ts";
import type { BudgetLevel } from "../report/budget.ts";
import type { ClusterSummary } from "../report/summary.ts";
import { answerText } from "../report/slack/answer.ts";
import { slackMessage } from "../report/slack/blocks.ts";
import {
  DIGEST_NAME,
  emptyDigest,
  formatDigest,
  parseDigest,
  type DigestDocument,
  type QueuedMessage,
  type RouteRecord,
} from "../state/digest.ts";

export interface Route extends RouteSettings {
  /** `null`: its webhook can't be used, as `problem` says. */
  readonly poster: Poster | null;
  readonly problem: CertkeepError | null;
}

export interface DigestPorts {
  readonly states: StateStore;
  readonly clock: Clock;
  /** A name for a queued message that no other has. */
  readonly newId: () => string;
  readonly signal?: AbortSignal;
}

export interface DigestInputs {
  readonly summaries: readonly ClusterSummary[];
  readonly unregistered: readonly string[];
  readonly budgets: readonly BudgetLevel[];
  readonly settings: DigestSettings;
}

type Failure = Exclude<PostResult, { ok: true }>;

export interface RouteOutcome {
  readonly name: string;
  /** Messages delivered in this run. */
  readonly delivered: number;
  /** Messages still queued. */
  readonly waiting: number;
  /** Of this run, or `null`. */
  readonly failure: CertkeepError | null;
}

const WRITE_TRIES = 12;
/** Longer than a poster takes with all its tries. */
const CLAIM_MS = 2 * 60_000;
/**
 * Pauses between tries: none before the second, then doubling from the first of these to the last.
 */
const FIRST_PAUSE_MS = 5 * 60_000;
const MAX_PAUSE_MS = 3_600_000;
/** Messages that may wait; what is new beyond them is told once they are delivered. */
const MAX_QUEUED = 10;

/** Posts what is due on each route. One route's trouble is no other's. */
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
  const { document } = await load(ports.states);
  const nowMs = nowOf(ports.clock);
  return routes.map((route) => {
    const input = { ...inputs, record: document.routes[route.name] ?? null, nowMs, route };
    return {
      route,
      plan: planDigest({ ...input, anyway: true }),
      due: planDigest(input).message !== null,
    };
  });
}

function nowOf(clock: Clock): number {
  return clock.nowMs();
}

async function load(
  states: StateStore,
): Promise<{ readonly document: DigestDocument; readonly revision: string | null }> {
  const stored = await states.read(DIGEST_NAME);
  if (stored === null) return { document: emptyDigest(), revision: null };
  const parsed = parseDigest(stored.text);
  if (parsed.ok) return { document: parsed.document, revision: stored.revision };
  const where = `${states.url}/${DIGEST_NAME}, ${parsed.place}`;
  if (parsed.newer)
    throw new CertkeepError("state_format_newer", {
      where,
      found: parsed.found,
      expected: "format 1",
      todo: "It was written by a newer certkeep: update this one",
    });
  throw new CertkeepError("state_damaged", {
    where,
    found: parsed.found,
    expected: "a record of digests",
    todo:
      "Nothing was written or posted. Put an older revision in its place, or move it away: the " +
      "next digest is then a first one",
  });
}

/**
 * Changes one route's record; `change` gives `null` to leave it, and may be asked again after a
 * conflict.
 */
async function update(
  states: StateStore,
  name: string,
  change: (record: RouteRecord | null) => RouteRecord | null,
): Promise<RouteRecord | null> {
  for (let tries = 0; tries < WRITE_TRIES; tries += 1) {
    const { document, revision } = await load(states);
    const before = document.routes[name] ?? null;
    const after = change(before);
    if (after === null) return before;
    if (
      (await states.write(
        DIGEST_NAME,
        formatDigest({ ...document, routes: { ...document.routes, [name]: after } }),
        revision,
      )) !== null
    )
      return after;
  }
  throw new CertkeepError("state_conflict", {
    where: `${states.url}/${DIGEST_NAME}`,
    found: `other writers, ${WRITE_TRIES} times in a row`,
    expected: "a moment's rest",
    todo: "Run it again",
  });
}

async function queue(
  { states, clock, newId }: DigestPorts,
  inputs: DigestInputs,
  route: Route,
): Promise<void> {
  await update(states, route.name, (record) => {
    const waiting = record?.outbox.length ?? 0;
    if (waiting >= MAX_QUEUED) return null;
    const nowMs = nowOf(clock);
    const { message, record: after } = planDigest({ ...inputs, record, nowMs, route });
    if (waiting > 0 && message !== null && !holdsNewCritical(record, after)) return null;
    if (message === null) return record !== null && sameMemory(record, after) ? null : after;
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

/** Whether nothing worth a write has changed. */
function sameMemory(a: RouteRecord, b: RouteRecord): boolean {
  return a.dailyMs === b.dailyMs && JSON.stringify(a.said) === JSON.stringify(b.said);
}

function holdsNewCritical(before: RouteRecord | null, after: RouteRecord): boolean {
  return Object.entries(after.said).some(
    ([key, { severity, saidMs }]) =>
      severity === "critical" && before?.said[key]?.saidMs !== saidMs,
  );
}

async function deliver(ports: DigestPorts, route: Route): Promise<RouteOutcome> {
  const { states, clock, signal } = ports;
  let delivered = 0;
  for (;;) {
    const nowMs = nowOf(clock);
    let claimed: QueuedMessage | null = null;
    const record = await update(states, route.name, (before) => {
      claimed = null;
      // In order: what waits behind another is newer.
      const next = before?.outbox[0];
      if (
        before === null ||
        next === undefined ||
        route.poster === null ||
        isHeld(next, nowMs) ||
        signal?.aborted === true
      )
        return null;
      claimed = { ...next, claimedUntilMs: nowMs + CLAIM_MS, attempts: next.attempts + 1 };
      return { ...before, outbox: [claimed, ...before.outbox.slice(1)] };
    });
    const waiting = record?.outbox.length ?? 0;
    if (claimed === null || route.poster === null)
      return {
        name: route.name,
        delivered,
        waiting,
        failure: waiting === 0 ? route.problem : heldBack(route, record, nowMs),
      };
    const message: QueuedMessage = claimed;
    const result = await post(route.poster, message, signal);
    const after = await settle(ports, route, message, result);
    if (!result.ok)
      return {
        name: route.name,
        delivered,
        waiting: after?.outbox.length ?? 0,
        failure: notDelivered(route, result, pauseMs(message.attempts, result.retryInMs)),
      };
    delivered += 1;
  }
}

function pauseMs(attempts: number, askedMs: number): number {
  const own = attempts < 2 ? 0 : FIRST_PAUSE_MS * 2 ** Math.min(attempts - 2, 10);
  return Math.min(MAX_PAUSE_MS, Math.max(own, askedMs));
}

/**
 * A claim or a wait that reaches further than any can comes from a clock that has gone back since.
 */
function isHeld({ claimedUntilMs, notBeforeMs }: QueuedMessage, nowMs: number): boolean {
  return (
    (claimedUntilMs > nowMs && claimedUntilMs <= nowMs + CLAIM_MS) ||
    (notBeforeMs > nowMs && notBeforeMs <= nowMs + MAX_PAUSE_MS)
  );
}

async function post(
  poster: Poster,
  { text, blocks, id }: QueuedMessage,
  signal?: AbortSignal,
): Promise<PostResult> {
  const result = await poster.post({ text, blocks }, signal);
  if (result.ok || result.how !== "refused") return result;
  // Better a short message than none: what Slack won't take as blocks goes as one line.
  const short = await poster.post(
    {
      text:
        `${text}. (Slack refused the whole digest ${id}: ${result.code}. See it with: certkeep ` +
        "digest --dry-run)",
      blocks: [],
    },
    signal,
  );
  return short.ok ? short : result;
}

async function settle(
  { states, clock }: DigestPorts,
  route: Route,
  message: QueuedMessage,
  result: PostResult,
): Promise<RouteRecord | null> {
  return update(states, route.name, (before) => {
    if (before === null || !before.outbox.some(({ id }) => id === message.id)) return null;
    if (result.ok)
      return {
        ...before,
        outbox: before.outbox.filter(({ id }) => id !== message.id),
        failure: null,
      };
    const nowMs = nowOf(clock);
    const pause = pauseMs(message.attempts, result.retryInMs);
    return {
      ...before,
      outbox: before.outbox.map((one) =>
        one.id === message.id
          ? {
              ...one,
              attempts: message.attempts,
              claimedUntilMs: 0,
              notBeforeMs: pause === 0 ? 0 : nowMs + pause,
            }
          : one,
      ),
      failure: { atMs: nowMs, code: result.code },
    };
  });
}

/** What a person can do about an answer, beside waiting for the next try. */
const TODO: Readonly<Record<Failure["how"], string>> = {
  revoked:
    "Make a new webhook in Slack and put its URL where the route's webhook: points. The " +
    "message stays queued",
  refused:
    "The message stays queued. Please report this with the output of: certkeep digest " +
    "--dry-run --json",
  foreign:
    "Check that the URL is a Slack incoming webhook, and the proxy in between. The message " +
    "stays queued",
  busy: "The message stays queued",
  failed: "The message stays queued",
};

function notDelivered(route: Route, { how, code }: Failure, pause: number): CertkeepError {
  return new CertkeepError("delivery_failed", {
    where: `digest route ${route.name}`,
    found: answerText(code),
    expected: "Slack's answer: ok",
    todo: `${TODO[how]}; the next try is ${waitText(pause)}`,
  });
}

function heldBack(route: Route, record: RouteRecord | null, nowMs: number): CertkeepError | null {
  if (route.problem !== null) return route.problem;
  if (record?.failure == null) return null;
  const waitMs = (record.outbox[0]?.notBeforeMs ?? 0) - nowMs;
  return new CertkeepError("delivery_failed", {
    where: `digest route ${route.name}`,
    found: `a queued message waits after a failed try: ${answerText(record.failure.code)}`,
    todo: `The next try is ${waitText(waitMs)}`,
  });
}

/**
 * Delivers a route's queued messages, in order. A run claims a message before it posts it, so that
 * two runs don't post the same one. A message leaves the queue only after Slack's success answer
 * was read; a failed try is repeated after a pause.
 */
import { CertkeepError } from "../../error.ts";
import type { Clock } from "../../ports/runtime.ts";
import type { Poster, PostResult } from "../../ports/slack.ts";
import type { StateStore } from "../../ports/stores.ts";
import type { RouteSettings } from "../../report/digest.ts";
import { waitText } from "../../report/phrases/doctor.ts";
import { answerText } from "../../report/slack/answer.ts";
import type { QueuedMessage, RouteRecord } from "../../state/digest.ts";
import { updateRoute } from "../states.ts";

export interface Route extends RouteSettings {
  /** `null`: its webhook can't be used; `problem` says why. */
  readonly poster: Poster | null;
  readonly problem: CertkeepError | null;
}

export interface DigestPorts {
  readonly states: StateStore;
  readonly clock: Clock;
  /** A unique name for a queued message. */
  readonly newId: () => string;
  readonly signal?: AbortSignal;
}

type Failure = Exclude<PostResult, { ok: true }>;

export interface RouteOutcome {
  readonly name: string;
  readonly delivered: number;
  readonly waiting: number;
  readonly failure: CertkeepError | null;
}

/** Longer than a poster takes with all its tries. */
const CLAIM_MS = 2 * 60_000;
/**
 * Pauses between tries: none before the second, then doubling from the first of these to the last.
 */
const FIRST_PAUSE_MS = 5 * 60_000;
const MAX_PAUSE_MS = 3_600_000;

export async function deliver(ports: DigestPorts, route: Route): Promise<RouteOutcome> {
  const { states, clock, signal } = ports;
  let delivered = 0;
  for (;;) {
    const nowMs = clock.nowMs();
    let claimed: QueuedMessage | null = null;
    const record = await updateRoute(states, route.name, (before) => {
      claimed = null;
      // In order: what waits behind another is newer.
      const next = before?.outbox[0];
      if (
        before === null ||
        next === undefined ||
        route.poster === null ||
        isPaused(next, nowMs) ||
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
        failure: waiting === 0 ? route.problem : whyWaiting(route, record, nowMs),
      };
    const message: QueuedMessage = claimed;
    const result = await post(route.poster, message, signal);
    const after = await recordResult(ports, route, message, result);
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
 * Whether it is claimed or waits for its next try. A claim or a pause longer than any that is made
 * comes from a clock that was set back since: it counts as over.
 */
function isPaused({ claimedUntilMs, notBeforeMs }: QueuedMessage, nowMs: number): boolean {
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
  // A short message is better than none: without its blocks, Slack may accept it.
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

async function recordResult(
  { states, clock }: DigestPorts,
  route: Route,
  message: QueuedMessage,
  result: PostResult,
): Promise<RouteRecord | null> {
  return updateRoute(states, route.name, (before) => {
    if (before === null || !before.outbox.some(({ id }) => id === message.id)) return null;
    if (result.ok)
      return {
        ...before,
        outbox: before.outbox.filter(({ id }) => id !== message.id),
        failure: null,
      };
    const nowMs = clock.nowMs();
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

/** What to do about an answer, besides waiting for the next try. */
const REMEDIES: Readonly<Record<Failure["how"], string>> = {
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
    found: `Slack didn't answer ok: ${answerText(code)}`,
    todo: `${REMEDIES[how]}; the next try is ${waitText(pause)}`,
  });
}

/** Why nothing was posted though messages are queued; `null`: another run has claimed them. */
function whyWaiting(route: Route, record: RouteRecord | null, nowMs: number): CertkeepError | null {
  if (route.problem !== null) return route.problem;
  if (record?.failure == null) return null;
  const waitMs = (record.outbox[0]?.notBeforeMs ?? 0) - nowMs;
  return new CertkeepError("delivery_failed", {
    where: `digest route ${route.name}`,
    found: `a queued message waits after a failed try: ${answerText(record.failure.code)}`,
    todo: `The next try is ${waitText(waitMs)}`,
  });
}

/**
 * Posts to a Slack incoming webhook. A 429 is waited for as its Retry-After says where that is soon, and handed back
 * where it isn't; 5xx, cut connections and time-outs are tried again; whatever else Slack answers is told in its
 * documented word (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks, "Handling errors").
 *
 * The webhook's URL is a credential: it stands in no result, and errors of the client, which hold requests, end here.
 */
import { IncomingWebhook, IncomingWebhookHTTPError } from "@slack/webhook";
import { realTimer } from "../timer.ts";
import type { PostedMessage, Poster, PostResult } from "../../ports/post.ts";

export interface PosterOptions {
  readonly timeoutMs?: number;
  /** All tries and waits together end within this. */
  readonly totalMs?: number;
  readonly sleep?: (ms: number, signal?: AbortSignal) => Promise<void>;
  readonly nowMs?: () => number;
  readonly fetch?: typeof globalThis.fetch;
}

const TIMEOUT_MS = 10_000;
const TOTAL_MS = 50_000;
const TRIES = 4;
const FIRST_WAIT_MS = 500;
/** Slack's own Retry-After is seconds to a minute; a longer one is taken as this. */
const MAX_RETRY_MS = 24 * 3_600_000;
/** A busy answer without a usable Retry-After. */
const DEFAULT_RETRY_MS = 30_000;

/** Words with which Slack says that this webhook is gone, whatever is sent. */
const REVOKED: ReadonlySet<string> = new Set([
  "no_service",
  "no_service_id",
  "no_team",
  "team_disabled",
  "invalid_token",
  "no_active_hooks",
  "channel_not_found",
  "channel_is_archived",
  "action_prohibited",
  "user_not_found",
  "posting_to_general_channel_denied",
]);

/** `url` must be a webhook's; see `webhookProblem`. */
export function createSlackPoster(url: string, options: PosterOptions = {}): Poster {
  const {
    timeoutMs = TIMEOUT_MS,
    totalMs = TOTAL_MS,
    sleep = realTimer.sleep,
    nowMs = Date.now,
    fetch = globalThis.fetch,
  } = options;

  async function attempt(message: PostedMessage, signal?: AbortSignal): Promise<PostResult> {
    let retryAfter: string | null = null;
    // The client keeps no headers of a refusal, so Retry-After is taken here; and it waits for a body without an end.
    const watching: typeof globalThis.fetch = async (input, init) => {
      const signals = [AbortSignal.timeout(timeoutMs), ...(signal === undefined ? [] : [signal])];
      const response = await fetch(input, { ...init, signal: AbortSignal.any(signals) });
      retryAfter = response.headers.get("retry-after");
      return response;
    };
    try {
      await new IncomingWebhook(url, { fetch: watching }).send({
        text: message.text,
        blocks: message.blocks as never,
        unfurl_links: false,
        unfurl_media: false,
      });
      return { ok: true };
    } catch (error) {
      return failureOf(error, retryAfter, signal, nowMs());
    }
  }

  return {
    async post(message, signal) {
      const endMs = nowMs() + totalMs;
      for (let tries = 1; ; tries += 1) {
        const result = await attempt(message, signal);
        if (
          result.ok ||
          (result.how !== "busy" && result.how !== "failed") ||
          tries >= TRIES ||
          signal?.aborted === true
        )
          return result;
        const waitMs = result.how === "busy" ? result.retryInMs : FIRST_WAIT_MS * 2 ** (tries - 1);
        if (nowMs() + waitMs + timeoutMs > endMs) return result;
        await sleep(waitMs, signal);
      }
    },
  };
}

function failureOf(
  error: unknown,
  retryAfter: string | null,
  signal: AbortSignal | undefined,
  nowMs: number,
): PostResult {
  if (!(error instanceof IncomingWebhookHTTPError)) {
    const timedOut = signal?.aborted === true || isTimeout(error);
    return {
      ok: false,
      how: "failed",
      code: timedOut ? "timeout" : "unreachable",
      found: timedOut ? "no answer in time" : "no connection",
      retryInMs: 0,
    };
  }
  const { statusCode, body } = error;
  const word = /^[a-z0-9_]{1,60}$/.exec(String(body).trim())?.[0] ?? null;
  const code = word ?? `http_${statusCode}`;
  if (statusCode === 429)
    return {
      ok: false,
      how: "busy",
      code: "rate_limited",
      found: "too many messages (429)",
      retryInMs: retryMs(retryAfter, nowMs),
    };
  if (statusCode >= 500)
    return {
      ok: false,
      how: "failed",
      code,
      found: `a server's error (${statusCode})`,
      retryInMs: 0,
    };
  if (
    (word !== null && REVOKED.has(word)) ||
    (word === null &&
      (statusCode === 404 || statusCode === 410 || statusCode === 401 || statusCode === 403))
  ) {
    return {
      ok: false,
      how: "revoked",
      code,
      found: `a webhook that takes nothing any more (${statusCode} ${code})`,
      retryInMs: 0,
    };
  }
  return {
    ok: false,
    how: "refused",
    code,
    found: `a message that is refused (${statusCode} ${code})`,
    retryInMs: 0,
  };
}

function isTimeout(error: unknown): boolean {
  for (
    let cause: unknown = error, depth = 0;
    cause instanceof Error && depth < 5;
    cause = cause.cause, depth += 1
  )
    if (cause.name === "TimeoutError" || cause.name === "AbortError") return true;
  return false;
}

/** Seconds or a date (RFC 9110 §10.2.3) in milliseconds from now. */
function retryMs(header: string | null, nowMs: number): number {
  const text = header?.trim() ?? "";
  const ms = /^\d+$/.test(text)
    ? Number(text) * 1000
    : /^[A-Z][a-z]{2},/.test(text)
      ? Date.parse(text) - nowMs
      : Number.NaN;
  return Number.isFinite(ms) ? Math.min(MAX_RETRY_MS, Math.max(1000, ms)) : DEFAULT_RETRY_MS;
}

/** Why `text` is no webhook's URL, without showing any of it; `null` where it is one. Plain HTTP only within this machine. */
export function webhookProblem(text: string): string | null {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return `${text.length} characters that are no URL`;
  }
  if (url.username !== "" || url.password !== "") return "a URL with a user in it";
  const local =
    url.hostname === "127.0.0.1" || url.hostname === "localhost" || url.hostname === "[::1]";
  if (url.protocol !== "https:" && !(url.protocol === "http:" && local))
    return "a URL that isn't https";
  return null;
}

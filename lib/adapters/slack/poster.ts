/**
 * Posts to a Slack incoming webhook. A message is delivered when Slack answers 200 with the body
 * `ok`, and by nothing else: proxies answer 200 too. A 429 is waited for as its Retry-After says
 * where that is soon, and handed back where it isn't; 5xx, cut connections and time-outs are tried
 * again.
 *
 * The webhook's URL is a credential, and an answer may repeat it: neither is part of a result.
 */
import { realTimer } from "../timer.ts";
import { askWeb } from "../web.ts";
import type { PostedMessage, Poster, PostResult } from "../../ports/slack.ts";
import type { WebAnswer } from "../../ports/outside.ts";
import { foreignCode, isRevoked } from "../../report/slack/answer.ts";

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
/** Slack's own answers are one word. */
const MAX_ANSWER_BYTES = 64 * 1024;
/** Slack's own Retry-After is seconds to a minute; a longer one is taken as this. */
const MAX_RETRY_MS = 3_600_000;
/** A busy answer without a usable Retry-After. */
const DEFAULT_RETRY_MS = 30_000;

/** `url` must be a webhook's; see `webhookProblem`. */
export function createSlackPoster(url: string, options: PosterOptions = {}): Poster {
  const { timeoutMs = TIMEOUT_MS, totalMs = TOTAL_MS, sleep = realTimer.sleep } = options;
  const { nowMs = Date.now, fetch = globalThis.fetch } = options;

  async function attempt(
    { text, blocks }: PostedMessage,
    signal?: AbortSignal,
  ): Promise<PostResult> {
    const answer = await askWeb(
      url,
      {
        headers: { "content-type": "application/json", "user-agent": "certkeep" },
        body: JSON.stringify({ text, blocks, unfurl_links: false, unfurl_media: false }),
        timeoutMs,
        maxBytes: MAX_ANSWER_BYTES,
        signal,
      },
      { fetch, nowMs },
    );
    return resultOf(answer);
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

function resultOf(answer: WebAnswer): PostResult {
  const failure = (
    how: Exclude<PostResult, { ok: true }>["how"],
    code: string,
    retryInMs = 0,
  ): PostResult => ({ ok: false, how, code, retryInMs });
  if (!answer.ok) {
    const reached = answer.code === "redirect" || answer.code === "too_much";
    return failure(reached ? "foreign" : "failed", answer.code);
  }
  const { status, retryMs } = answer;
  const body = answer.body.toString("utf8").trim();
  if (status === 200 && body === "ok") return { ok: true };
  if (status === 429)
    return failure(
      "busy",
      "rate_limited",
      retryMs === null ? DEFAULT_RETRY_MS : Math.min(MAX_RETRY_MS, Math.max(1000, retryMs)),
    );
  const word = /^[a-z0-9_]{1,60}$/.exec(body)?.[0] ?? null;
  if (status >= 500) return failure("failed", word ?? `http_${status}`);
  const foreign = foreignCode(status, body);
  if (status < 400) return failure("foreign", foreign);
  if (word !== null && isRevoked(word)) return failure("revoked", word);
  // Whoever answers 400 read the message: a shorter one may pass.
  if (status === 400) return failure("refused", word ?? foreign);
  return failure("foreign", foreign);
}

/**
 * Why `text` is no webhook's URL, without showing any of it; `null` where it is one. Plain HTTP
 * only within this machine.
 */
export function webhookProblem(text: string): string | null {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return `it isn't a URL (${text.length} characters)`;
  }
  if (url.username !== "" || url.password !== "") return "its URL has a user in it";
  const local =
    url.hostname === "127.0.0.1" || url.hostname === "localhost" || url.hostname === "[::1]";
  if (url.protocol !== "https:" && !(url.protocol === "http:" && local))
    return "its URL isn't https";
  return null;
}

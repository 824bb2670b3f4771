/**
 * Requests by fetch: bounded in time and size, without redirects. No error object leaves this file.
 */
import { Readable } from "node:stream";
import type { WebAnswer, WebReader, WebRequest } from "../ports/outside.ts";
import { readBounded, retryAfterMs } from "./answer.ts";

export interface WebOptions {
  readonly fetch?: typeof globalThis.fetch;
  readonly nowMs?: () => number;
}

export function createWebReader(options: WebOptions = {}): WebReader {
  return { get: (url, request) => askWeb(url, request, options) };
}

/** `body`: what to POST; a GET without it. */
export async function askWeb(
  url: string,
  {
    headers,
    body,
    timeoutMs,
    maxBytes,
    signal,
  }: WebRequest & { readonly body?: string | undefined },
  { fetch = globalThis.fetch, nowMs = Date.now }: WebOptions = {},
): Promise<WebAnswer> {
  const ends = AbortSignal.any([
    AbortSignal.timeout(timeoutMs),
    ...(signal === undefined ? [] : [signal]),
  ]);
  const sent = body === undefined ? {} : { method: "POST", body };
  try {
    const answer = await within(
      fetch(url, { ...sent, headers, redirect: "manual", signal: ends }),
      ends,
    );
    // One that isn't followed has a status of 3xx, or none where the fetch hides it.
    if (answer.status === 0 || (answer.status >= 300 && answer.status < 400))
      return give(answer, { ok: false, code: "redirect" });
    const { bytes, cut } = await within(
      readBounded(answer.body ?? Readable.from([]), maxBytes),
      ends,
    );
    if (cut) return { ok: false, code: "too_much" };
    return {
      ok: true,
      status: answer.status,
      retryMs: retryAfterMs(answer.headers.get("retry-after"), nowMs()),
      body: bytes,
    };
  } catch {
    return { ok: false, code: ends.aborted ? "timeout" : "unreachable" };
  }
}

/** The connection is given back without the body. */
function give(answer: Response, result: WebAnswer): WebAnswer {
  void answer.body?.cancel().catch(() => {});
  return result;
}

/**
 * A server that stops in the middle of a body isn't waited for, whatever the fetch does with its
 * signal.
 */
function within<T>(work: Promise<T>, ends: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(new Error("over"));
    if (ends.aborted) stop();
    ends.addEventListener("abort", stop, { once: true });
    void work.then(resolve, reject).finally(() => ends.removeEventListener("abort", stop));
  });
}

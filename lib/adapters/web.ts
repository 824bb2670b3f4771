/**
 * Requests by fetch: bounded in time and size, without redirects. No error object leaves this file.
 *
 * What every answer is read with: a body of bounded size, JSON that is bounded before it takes
 * memory, and Retry-After.
 */
import { Readable } from "node:stream";
import type { WebAnswer, WebReader, WebRequest } from "../ports/outside.ts";

interface BoundedBody {
  readonly bytes: Buffer;
  /** There was more than was taken. */
  readonly cut: boolean;
}

/** The first `maxBytes` of a stream. One that holds more is ended, and with it its connection. */
export async function readBounded(
  stream: AsyncIterable<Uint8Array | string>,
  maxBytes: number,
): Promise<BoundedBody> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    const bytes = typeof chunk === "string" ? Buffer.from(chunk, "utf8") : chunk;
    chunks.push(bytes);
    size += bytes.length;
    if (size > maxBytes) return { bytes: Buffer.concat(chunks, maxBytes), cut: true };
  }
  const [only] = chunks;
  // A page of a listing is tens of megabytes: not copied where it came in one piece.
  const bytes = chunks.length === 1 && Buffer.isBuffer(only) ? only : Buffer.concat(chunks, size);
  return { bytes, cut: false };
}

/**
 * Milliseconds that a Retry-After asks for (RFC 9110 §10.2.3: seconds or an HTTP date), or `null`.
 */
export function retryAfterMs(value: string | null, nowMs: number): number | null {
  const text = value?.trim() ?? "";
  if (/^\d{1,10}$/.test(text)) return Number(text) * 1000;
  const at = /^[A-Za-z]{3,9},? /.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? null : Math.max(0, at - nowMs);
}

/**
 * More values than 16 MiB of a server's own JSON hold. Small objects take fifty times their text in
 * memory, and minutes.
 */
const MAX_VALUES = 2_000_000;

const [QUOTE, BACKSLASH, COMMA, BRACKET, BRACE] = [...'"\\,[{'].map((sign) => sign.charCodeAt(0));

function endOfString(body: Buffer, from: number): number {
  for (let at = body.indexOf('"', from); at !== -1; at = body.indexOf('"', at + 1)) {
    let escapes = 0;
    while (body[at - 1 - escapes] === BACKSLASH) escapes += 1;
    if (escapes % 2 === 0) return at;
  }
  return body.length;
}

function hasTooManyValues(body: Buffer): boolean {
  let values = 0;
  for (let at = 0; at < body.length; at += 1) {
    const sign = body[at];
    if (sign === QUOTE) at = endOfString(body, at + 1);
    else if (sign === COMMA || sign === BRACKET || sign === BRACE) values += 1;
    if (values > MAX_VALUES) return true;
  }
  return false;
}

/** @throws RangeError for more values than any answer has, SyntaxError for what is no JSON */
export function parseJson(body: Buffer): unknown {
  // Each value takes a byte at least, so a short answer needs no count.
  if (body.length > MAX_VALUES && hasTooManyValues(body)) throw new RangeError("too many values");
  return JSON.parse(body.toString("utf8"));
}

interface WebOptions {
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

/**
 * Requests to one Kubernetes API over node:https, with deadlines, retries, and a bound on what is taken in.
 *
 * Every attempt ends: a server that hangs costs its own cluster alone. Answers of any status are given
 * back; what never became an answer is a `CertkeepError`. Redirects aren't followed (a credential would go
 * with them). Nothing of a request or an answer is logged.
 */
import type { Agent, IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { createGunzip } from "node:zlib";
import { CertkeepError } from "../../error.ts";
import { createAgent } from "./agent.ts";
import { type Connection, type Credentials, whereOf } from "./connection.ts";
import { BodyTooLarge, Timeout, isPassing, networkError } from "./failure.ts";
import { request as httpRequest, bareHost, isLoopback } from "../proxy.ts";

/** How patient a client is; all have defaults. */
export interface HttpOptions {
  /** Until the connection stands, TLS included; default 10,000. */
  readonly connectTimeoutMs?: number;
  /** Until the answer is there to its last byte, one attempt; default 30,000. */
  readonly requestTimeoutMs?: number;
  /** Attempts of one request, the first included; default 5. After a time-out there is one more at most. */
  readonly attempts?: number;
  /** The longest that a Retry-After is waited for; default 30,000. A server that asks for more is given up. */
  readonly maxRetryAfterMs?: number;
  /** Requests at a time; default 8. */
  readonly concurrency?: number;
  /** Ends everything. */
  readonly signal?: AbortSignal;
  /** In [0, 1). */
  readonly random?: () => number;
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly nowMs?: () => number;
  readonly userAgent?: string;
}

export interface HttpRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** With its query; goes after the path of the server's own address. */
  readonly path: string;
  readonly accept: string;
  readonly body?: string;
  readonly contentType?: string;
  /** Further headers, such as those of impersonation; credentials come from the connection. */
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** Default 16 MiB, counted after decompression. */
  readonly maxBodyBytes?: number;
  /** A longer body is given as far as that, and marked as cut; default: it fails. */
  readonly keepPartial?: boolean;
  readonly signal?: AbortSignal;
  /** Whether sending it twice is harmless; default: for GET alone. */
  readonly repeatable?: boolean;
  /** Called for each attempt. */
  readonly onAttempt?: () => void;
}

export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly retryAfter: string | null;
  /** The server's Date header. */
  readonly date: string | null;
  readonly body: Buffer;
  /** There was more of the body than was taken. */
  readonly cut?: boolean;
}

export interface HttpClient {
  /** @throws {CertkeepError} where no answer came; `BodyTooLarge` is one. */
  send(request: HttpRequest): Promise<HttpAnswer>;
  close(): void;
}

const MAX_BODY_BYTES = 16 * 1024 * 1024;
const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 8_000;

function defaultSleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}

/** Milliseconds that a Retry-After asks for (RFC 9110 §10.2.3: seconds or an HTTP date), or `null`. */
export function parseRetryAfterMs(value: string | null, nowMs: number): number | null {
  if (value === null) return null;
  if (/^\s*\d{1,9}\s*$/.test(value)) return Number(value) * 1000;
  const at = /^[A-Za-z]{3,9},? /.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) ? null : Math.max(0, at - nowMs);
}

/**
 * Whether to ask for gzip. On the loopback and inside the cluster the network is faster than the
 * compressor, and the server pays for it; elsewhere metadata shrinks to a tenth.
 */
function wantsGzip(connection: Connection): boolean {
  return !connection.inCluster && !isLoopback(connection.server.hostname);
}

interface BodyLimit {
  readonly maxBytes: number;
  readonly keepPartial: boolean;
  readonly tooLarge: () => Error;
}

function readBody(
  answer: IncomingMessage,
  { maxBytes, keepPartial, tooLarge }: BodyLimit,
  fail: (error: unknown) => void,
  done: (body: Buffer, cut: boolean) => void,
): void {
  const encoding = answer.headers["content-encoding"] ?? "identity";
  if (encoding !== "identity" && encoding !== "gzip") {
    fail(Object.assign(new Error("encoding"), { code: "HPE_UNEXPECTED_CONTENT_ENCODING" }));
    return;
  }
  const chunks: Buffer[] = [];
  let size = 0;
  const source = encoding === "gzip" ? answer.pipe(createGunzip()) : answer;
  source.on("data", (chunk: Buffer) => {
    if (size > maxBytes) return;
    size += chunk.length;
    if (size <= maxBytes) chunks.push(chunk);
    else if (keepPartial) done(Buffer.concat([...chunks, chunk], maxBytes), true);
    else fail(tooLarge());
  });
  source.on("end", () =>
    done(
      chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, size),
      false,
    ),
  );
  source.on("error", fail);
  answer.on("error", fail);
  answer.on("close", () => {
    if (!answer.complete) fail(Object.assign(new Error("cut"), { code: "ECONNRESET" }));
  });
}

interface Attempt {
  readonly connection: Connection;
  readonly agent: Agent;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly request: HttpRequest;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly signal: AbortSignal;
}

function attemptOnce(attempt: Attempt): Promise<HttpAnswer> {
  const { connection, request, signal } = attempt;
  const { server } = connection;
  return new Promise<HttpAnswer>((resolve, reject) => {
    const send = server.protocol === "http:" ? httpRequest : httpsRequest;
    let phase = "didn't answer";
    const outgoing = send({
      agent: attempt.agent,
      host: bareHost(server.hostname),
      port: server.port === "" ? (server.protocol === "http:" ? 80 : 443) : Number(server.port),
      method: request.method,
      path: server.pathname.replace(/\/$/, "") + request.path,
      headers: attempt.headers,
    });
    const finish = (): void => {
      clearTimeout(connecting);
      clearTimeout(whole);
      signal.removeEventListener("abort", abort);
    };
    const fail = (error: unknown): void => {
      finish();
      reject(error);
      outgoing.destroy();
    };
    const abort = (): void => fail(signal.reason);
    const connecting = setTimeout(
      () => fail(new Timeout("couldn't be connected to", attempt.connectTimeoutMs)),
      attempt.connectTimeoutMs,
    );
    const whole = setTimeout(
      () => fail(new Timeout(phase, attempt.requestTimeoutMs)),
      attempt.requestTimeoutMs,
    );
    outgoing.on("error", fail);
    if (signal.aborted) {
      abort();
      return;
    }
    signal.addEventListener("abort", abort, { once: true });
    outgoing.on("socket", (socket) => {
      const ready = server.protocol === "http:" ? "connect" : "secureConnect";
      if (outgoing.reusedSocket) clearTimeout(connecting);
      else socket.once(ready, () => clearTimeout(connecting));
    });
    outgoing.on("response", (answer) => {
      phase = "didn't send its whole answer";
      clearTimeout(connecting);
      const maxBytes = request.maxBodyBytes ?? MAX_BODY_BYTES;
      readBody(
        answer,
        {
          maxBytes,
          keepPartial: request.keepPartial === true,
          tooLarge: () => new BodyTooLarge(connection, maxBytes),
        },
        fail,
        (body, cut) => {
          finish();
          resolve({
            status: answer.statusCode ?? 0,
            contentType: (answer.headers["content-type"] ?? "").toLowerCase(),
            retryAfter: answer.headers["retry-after"] ?? null,
            date: answer.headers.date ?? null,
            body,
            cut,
          });
          if (cut) outgoing.destroy();
        },
      );
    });
    outgoing.end(request.body);
  });
}

function createGate(width: number): <T>(work: () => Promise<T>) => Promise<T> {
  let free = width;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
}

function deadlineError(connection: Connection, signal: AbortSignal): CertkeepError {
  if (signal.reason instanceof CertkeepError) return signal.reason;
  return new CertkeepError("deadline", {
    where: whereOf(connection),
    found: "the time for this cluster was over before it had answered everything",
  });
}

/** Makes a client of one API. */
export function createHttpClient(connection: Connection, options: HttpOptions = {}): HttpClient {
  const connectTimeoutMs = options.connectTimeoutMs ?? 10_000;
  const requestTimeoutMs = options.requestTimeoutMs ?? 30_000;
  const attempts = options.attempts ?? 5;
  const maxRetryAfterMs = options.maxRetryAfterMs ?? 30_000;
  const random = options.random ?? Math.random;
  const sleep = options.sleep ?? defaultSleep;
  const nowMs = options.nowMs ?? Date.now;
  const gate = createGate(options.concurrency ?? 8);
  const closed = new AbortController();
  const gzip = wantsGzip(connection);
  const agents: { readonly pair: Credentials["clientPair"]; readonly agent: Agent }[] = [];

  const agentFor = (pair: Credentials["clientPair"]): Agent => {
    const last = agents.at(-1);
    if (last !== undefined && last.pair?.cert === pair?.cert && last.pair?.key === pair?.key)
      return last.agent;
    // The one before stays until the end: requests may be under way on it.
    const agent = createAgent(connection, pair, connectTimeoutMs);
    agents.push({ pair, agent });
    return agent;
  };

  const backOff = (tries: number): number =>
    random() * Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (tries - 1));

  /** Milliseconds to wait before another attempt, or `null` where the answer stands. */
  const delayAfter = (answer: HttpAnswer, tries: number): number | null => {
    const busy =
      answer.status === 429 ||
      (answer.status >= 500 && answer.status !== 501 && answer.status !== 505);
    if (!busy || tries >= attempts) return null;
    const asked = parseRetryAfterMs(answer.retryAfter, nowMs());
    if (asked !== null && asked > maxRetryAfterMs) return null;
    return (asked ?? 0) + backOff(tries);
  };

  const sendWithRetries = async (
    request: HttpRequest,
    signal: AbortSignal,
  ): Promise<HttpAnswer> => {
    const repeatable = request.repeatable ?? request.method === "GET";
    let timeouts = 0;
    let renewed = false;
    for (let tries = 1; ; tries += 1) {
      let delayMs: number;
      if (signal.aborted) throw deadlineError(connection, signal);
      try {
        const credentials = await connection.credentials(signal);
        const headers: Record<string, string | string[]> = {
          ...credentials.headers,
          accept: request.accept,
          "accept-encoding": gzip ? "gzip" : "identity",
          "user-agent": options.userAgent ?? "certkeep",
          ...request.headers,
        };
        if (request.body !== undefined) {
          headers["content-type"] = request.contentType ?? "application/json";
          headers["content-length"] = String(Buffer.byteLength(request.body));
        }
        request.onAttempt?.();
        const answer = await attemptOnce({
          connection,
          agent: agentFor(credentials.clientPair),
          headers,
          request,
          connectTimeoutMs,
          requestTimeoutMs,
          signal,
        });
        if (answer.status === 401 && !renewed && connection.forget()) {
          renewed = true;
          continue;
        }
        const delay = delayAfter(answer, tries);
        // The API server says 429 before it does anything; after a 5xx a write may have been done.
        if (delay === null || (!repeatable && answer.status !== 429)) return answer;
        delayMs = delay;
      } catch (error) {
        if (signal.aborted) throw deadlineError(connection, signal);
        if (error instanceof CertkeepError) throw error;
        if (error instanceof Timeout) timeouts += 1;
        if (!repeatable || !isPassing(error) || tries >= attempts || timeouts > 1)
          throw networkError(connection, error);
        delayMs = backOff(tries);
      }
      try {
        await sleep(delayMs, signal);
      } catch (error) {
        if (signal.aborted) throw deadlineError(connection, signal);
        throw error;
      }
    }
  };

  return {
    send: (request) => {
      const signals = [closed.signal, options.signal, request.signal].filter(
        (signal) => signal !== undefined,
      );
      return gate(() => sendWithRetries(request, AbortSignal.any(signals)));
    },
    close: () => {
      closed.abort(
        new CertkeepError("deadline", {
          where: whereOf(connection),
          found: "the connection was closed",
        }),
      );
      for (const { agent } of agents.splice(0)) agent.destroy();
    },
  };
}

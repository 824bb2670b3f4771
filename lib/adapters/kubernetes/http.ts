/**
 * Requests to one Kubernetes API over node:https, with deadlines, retries, and a bound on what is
 * taken in.
 *
 * Every attempt ends: a server that hangs costs its own cluster alone. Answers of any status are
 * given back; what never became an answer is a `CertkeepError`. Redirects aren't followed (a
 * credential would go with them). Nothing of a request or an answer is logged.
 */
import type { Agent, IncomingMessage } from "node:http";
import { pipeline, type Readable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { createGunzip } from "node:zlib";
import pLimit, { type LimitFunction } from "p-limit";
import { CertkeepError } from "../../error.ts";
import { parseJson, readBounded, retryAfterMs } from "../web.ts";
import {
  type Connection,
  createAgent,
  type Credentials,
  openRequest,
  type Outgoing,
  whereOf,
} from "./connection.ts";
import { type Action, answerInvalid, BodyTooLarge, statusError } from "./failure.ts";
import { Timeout, isBusy, isPassing, networkError } from "./networkfailure.ts";
import { isLoopback } from "../proxy.ts";
import { fieldsOf, type Untrusted } from "../../untrusted.ts";

/** How patient a client is; all have defaults. */
export interface HttpOptions {
  /** Until the connection stands, TLS included; default 10,000. */
  readonly connectTimeoutMs?: number;
  /** Until the answer is there to its last byte, one attempt; default 30,000. */
  readonly requestTimeoutMs?: number;
  /**
   * Attempts of one request, the first included; default 5. After a time-out there is one more at
   * most.
   */
  readonly attempts?: number;
  /**
   * The longest that a Retry-After is waited for; default 30,000. A server that asks for more is
   * given up.
   */
  readonly maxRetryAfterMs?: number;
  /** Requests at a time; default 8. */
  readonly concurrency?: number;
  /** Ends everything. */
  readonly signal?: AbortSignal;
  /** In [0, 1). */
  readonly random?: () => number;
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly nowMs?: () => number;
}

export interface HttpRequest {
  /** Default GET. */
  readonly method?: "GET" | "POST" | "PATCH" | "DELETE";
  /** With its query; goes after the path of the server's own address. */
  readonly path: string;
  /** Default JSON. */
  readonly accept?: string;
  readonly body?: string | undefined;
  readonly contentType?: string;
  /** Further headers, such as those of impersonation; credentials come from the connection. */
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** Default 16 MiB, counted after decompression. */
  readonly maxBodyBytes?: number;
  /** A longer body is given as far as that, and marked as cut; default: it fails. */
  readonly keepPartial?: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Whether sending it twice is harmless; default: for GET alone. */
  readonly repeatable?: boolean;
  /** What each attempt counts as; default: the method. */
  readonly kind?: string;
}

export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly retryAfter: string | null;
  readonly location?: string;
  /** The server's Date header. */
  readonly date: string | null;
  readonly body: Buffer;
  /** There was more of the body than was taken. */
  readonly cut?: boolean;
}

const MAX_BODY_BYTES = 16 * 1024 * 1024;
const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 8_000;

/**
 * Whether to ask for gzip. On the loopback and inside the cluster the network is faster than the
 * compressor, and the server pays for it; elsewhere metadata shrinks to a tenth.
 */
function wantsGzip(connection: Connection): boolean {
  return !connection.inCluster && !isLoopback(connection.server.hostname);
}

/** The body as it was before compression. @throws where it is coded in another way */
function decoded(answer: IncomingMessage): Readable {
  const encoding = answer.headers["content-encoding"] ?? "identity";
  if (encoding === "identity") return answer;
  if (encoding === "gzip") return pipeline(answer, createGunzip(), () => {});
  throw Object.assign(new Error("encoding"), { code: "HPE_UNEXPECTED_CONTENT_ENCODING" });
}

/** @throws {BodyTooLarge} */
async function takeAnswer(
  answer: IncomingMessage,
  request: HttpRequest,
  connection: Connection,
): Promise<HttpAnswer> {
  const { maxBodyBytes = MAX_BODY_BYTES } = request;
  const { bytes, cut } = await readBounded(decoded(answer), maxBodyBytes);
  if (cut && request.keepPartial !== true) throw new BodyTooLarge(connection, maxBodyBytes);
  return {
    status: answer.statusCode ?? 0,
    contentType: (answer.headers["content-type"] ?? "").toLowerCase(),
    retryAfter: answer.headers["retry-after"] ?? null,
    location: answer.headers.location ?? "",
    date: answer.headers.date ?? null,
    body: bytes,
    cut,
  };
}

interface Attempt extends Outgoing {
  readonly connection: Connection;
  readonly request: HttpRequest;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly signal: AbortSignal;
}

function attemptOnce(attempt: Attempt): Promise<HttpAnswer> {
  const { connection, request, signal } = attempt;
  return new Promise<HttpAnswer>((resolve, reject) => {
    let phase = "didn't answer";
    const outgoing = openRequest(connection, attempt);
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
      const ready = connection.server.protocol === "http:" ? "connect" : "secureConnect";
      if (outgoing.reusedSocket) clearTimeout(connecting);
      else socket.once(ready, () => clearTimeout(connecting));
    });
    outgoing.on("response", (answer) => {
      phase = "didn't send its whole answer";
      clearTimeout(connecting);
      takeAnswer(answer, request, connection).then((taken) => {
        finish();
        resolve(taken);
      }, fail);
    });
    outgoing.end(request.body);
  });
}

function deadlineError(connection: Connection, signal: AbortSignal): CertkeepError {
  if (signal.reason instanceof CertkeepError) return signal.reason;
  return new CertkeepError("deadline", {
    where: whereOf(connection),
    found: "timed out before the server had answered everything",
    todo: "Run it again",
  });
}

export class HttpClient {
  readonly connection: Connection;
  /** Attempts so far, by kind. */
  readonly requests: Record<string, number> = {};
  readonly #options: HttpOptions;
  readonly #attempts: number;
  readonly #gate: LimitFunction;
  readonly #closed = new AbortController();
  readonly #agents: { readonly pair: Credentials["clientPair"]; readonly agent: Agent }[] = [];

  constructor(connection: Connection, options: HttpOptions = {}) {
    this.connection = connection;
    this.#options = options;
    this.#attempts = options.attempts ?? 5;
    this.#gate = pLimit(options.concurrency ?? 8);
  }

  /** @throws {CertkeepError} where no answer came; `BodyTooLarge` is one. */
  send(request: HttpRequest): Promise<HttpAnswer> {
    const signals = [this.#closed.signal, this.#options.signal, request.signal];
    const signal = AbortSignal.any(signals.filter((one) => one !== undefined));
    return this.#gate(() => this.#sendWithRetries(request, signal));
  }

  /** The JSON of an answer. @throws CertkeepError cluster_answer_invalid */
  json({ status, contentType, body }: HttpAnswer): unknown {
    try {
      return parseJson(body);
    } catch (error) {
      const what =
        error instanceof RangeError
          ? "JSON of millions of values"
          : contentType.includes("html")
            ? "a page of HTML"
            : contentType.includes("json")
              ? "JSON that is cut off or broken"
              : "something that isn't JSON";
      throw this.invalid(`the server answered with ${what} (status ${status})`);
    }
  }

  /** The fields of a successful answer. @throws CertkeepError for any other */
  async fields<T extends object>(action: Action, request: HttpRequest): Promise<Untrusted<T>> {
    const answer = await this.send(request);
    if (answer.status !== 200 && answer.status !== 201) throw this.failure(action, answer);
    return fieldsOf<T>(this.json(answer));
  }

  invalid(found: string): CertkeepError {
    return answerInvalid(this.connection, found);
  }

  failure(action: Action, answer: HttpAnswer): CertkeepError {
    return statusError(this.connection, action, answer);
  }

  close(): void {
    this.#closed.abort(
      new CertkeepError("deadline", {
        where: whereOf(this.connection),
        found: "timed out, so the connection was closed",
      }),
    );
    for (const { agent } of this.#agents.splice(0)) agent.destroy();
  }

  async #sendWithRetries(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const repeatable = request.repeatable ?? (request.method ?? "GET") === "GET";
    let timeouts = 0;
    let renewed = false;
    for (let tries = 1; ; tries += 1) {
      let delayMs: number;
      if (signal.aborted) throw deadlineError(this.connection, signal);
      try {
        const answer = await this.#attempt(request, signal);
        if (answer.status === 401 && !renewed && this.connection.forget()) {
          renewed = true;
          continue;
        }
        const delay = this.#delayAfter(answer, tries);
        // The API server says 429 before it does anything; after a 5xx a write may have been done.
        if (delay === null || (!repeatable && answer.status !== 429)) return answer;
        delayMs = delay;
      } catch (error) {
        if (signal.aborted) throw deadlineError(this.connection, signal);
        if (error instanceof CertkeepError) throw error;
        if (error instanceof Timeout) timeouts += 1;
        if (!repeatable || !isPassing(error) || tries >= this.#attempts || timeouts > 1)
          throw networkError(this.connection, error);
        delayMs = this.#backOff(tries);
      }
      await this.#wait(delayMs, signal);
    }
  }

  async #attempt(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const { connectTimeoutMs = 10_000, requestTimeoutMs = 30_000 } = this.#options;
    const credentials = await this.connection.credentials(signal);
    const headers: Record<string, string | string[]> = {
      ...credentials.headers,
      accept: request.accept ?? "application/json",
      "accept-encoding": wantsGzip(this.connection) ? "gzip" : "identity",
      "user-agent": "certkeep",
      ...request.headers,
    };
    if (request.body !== undefined) {
      headers["content-type"] = request.contentType ?? "application/json";
      headers["content-length"] = String(Buffer.byteLength(request.body));
    }
    const kind = request.kind ?? (request.method ?? "GET").toLowerCase();
    this.requests[kind] = (this.requests[kind] ?? 0) + 1;
    this.connection.onRequest?.(kind);
    return attemptOnce({
      connection: this.connection,
      agent: this.#agentFor(credentials.clientPair, connectTimeoutMs),
      method: request.method ?? "GET",
      path: request.path,
      headers,
      request,
      connectTimeoutMs,
      requestTimeoutMs,
      signal,
    });
  }

  #agentFor(pair: Credentials["clientPair"], connectTimeoutMs: number): Agent {
    const last = this.#agents.at(-1);
    if (last !== undefined && last.pair?.cert === pair?.cert && last.pair?.key === pair?.key)
      return last.agent;
    // The one before stays until the end: requests may be under way on it.
    const agent = createAgent(this.connection, pair, connectTimeoutMs);
    this.#agents.push({ pair, agent });
    return agent;
  }

  #backOff(tries: number): number {
    const random = this.#options.random ?? Math.random;
    return random() * Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (tries - 1));
  }

  /** Milliseconds to wait before another attempt, or `null` where the answer stands. */
  #delayAfter(answer: HttpAnswer, tries: number): number | null {
    const { maxRetryAfterMs = 30_000, nowMs = Date.now } = this.#options;
    if (!isBusy(answer.status) || tries >= this.#attempts) return null;
    const asked = retryAfterMs(answer.retryAfter, nowMs());
    if (asked !== null && asked > maxRetryAfterMs) return null;
    return (asked ?? 0) + this.#backOff(tries);
  }

  async #wait(ms: number, signal: AbortSignal): Promise<void> {
    try {
      await (this.#options.sleep?.(ms, signal) ?? pause(ms, undefined, { signal }));
    } catch (error) {
      if (signal.aborted) throw deadlineError(this.connection, signal);
      throw error;
    }
  }
}

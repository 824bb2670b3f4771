/** Takes one HTTP request through log, faults, credentials and handler, and sends the answer. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { type Account, anonymous } from "./access.ts";
import {
  type Fault,
  type Interceptor,
  type LoggedRequest,
  type SandboxRequest,
  faultBody,
  sendBody,
} from "./faults.ts";
import type { PodLogs } from "./podlog.ts";
import type { Watch } from "./read.ts";
import { type Call, type Reply, type Target, parseTarget, verbOf } from "./request.ts";
import {
  failureReply,
  handleObjects,
  handlePages,
  handleReview,
  isWatch,
  resourceName,
} from "./routes.ts";
import { Refusal, unauthorized } from "./status.ts";
import type { Storage } from "./storage.ts";

/** What the server holds. */
export interface HandlerState {
  readonly storage: Storage;
  /** By token. */
  readonly accounts: ReadonlyMap<string, Account>;
  readonly interceptors: ReadonlySet<Interceptor>;
  readonly requests: LoggedRequest[];
  readonly clock: () => number;
  readonly logs: PodLogs;
}

/** As kube-apiserver's `--max-request-bytes` of 3 MiB for bodies. */
const maxBodyBytes = 3_145_728;
/**
 * From this size on, and only for whoever accepts it, answers are compressed (apiserver's
 * responsewriters).
 */
const gzipFromBytes = 131_072;

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  let sizeBytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    sizeBytes += part.length;
    // What is too much is taken off the wire and dropped, so that the answer can be read.
    if (sizeBytes <= maxBodyBytes) parts.push(part);
  }
  if (sizeBytes > maxBodyBytes) {
    throw new Refusal(
      413,
      "RequestEntityTooLarge",
      `Request entity too large: limit is ${maxBodyBytes}`,
    );
  }
  return Buffer.concat(parts);
}

const header = (request: IncomingMessage, name: string): string => {
  const value = request.headers[name];
  return typeof value === "string" ? value : "";
};

/** null: a token that nobody has. */
function accountOf(
  request: IncomingMessage,
  accounts: ReadonlyMap<string, Account>,
): Account | null {
  const [, token] = /^Bearer\s+(.+)$/iu.exec(header(request, "authorization")) ?? [];
  return token === undefined ? anonymous : (accounts.get(token) ?? null);
}

interface Parsed {
  readonly url: URL;
  readonly method: string;
  readonly target: Target | null;
  readonly verb: string | null;
  /** What the address itself is refused for. */
  readonly refusal: unknown;
}

function parseRequest(request: IncomingMessage): Parsed {
  const url = new URL(request.url ?? "/", "https://sandbox");
  const method = request.method ?? "GET";
  try {
    const target = parseTarget(url.pathname);
    return {
      url,
      method,
      target,
      verb: target === null ? null : verbOf(method, target, url.searchParams),
      refusal: null,
    };
  } catch (refusal) {
    return { url, method, target: null, verb: null, refusal };
  }
}

function seen(
  request: IncomingMessage,
  { url, method, target, verb }: Parsed,
  user: string | null,
  number: number,
): SandboxRequest {
  return {
    method,
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    user,
    accept: header(request, "accept"),
    contentType: header(request, "content-type"),
    userAgent: header(request, "user-agent"),
    verb,
    resource: target === null ? null : resourceName(target),
    namespace: target?.namespace ?? null,
    name: target?.name ?? null,
    number,
  };
}

async function firstFault(
  interceptors: ReadonlySet<Interceptor>,
  request: SandboxRequest,
): Promise<Fault | undefined> {
  for (const interceptor of interceptors) {
    const fault = await interceptor(request);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function sendWatch(response: ServerResponse, watch: Watch): void {
  response.writeHead(200, { "content-type": "application/json" });
  response.flushHeaders();
  const end = watch.start((line) => void response.write(line));
  const timer = watch.timeoutMs === null ? null : setTimeout(() => response.end(), watch.timeoutMs);
  response.once("close", () => {
    end();
    if (timer !== null) clearTimeout(timer);
  });
}

async function sendReply(
  request: IncomingMessage,
  response: ServerResponse,
  reply: Reply,
  fault: Fault | undefined,
): Promise<void> {
  const text = typeof reply.body === "string";
  const plain = Buffer.from(text ? (reply.body as string) : `${JSON.stringify(reply.body)}\n`);
  const zipped =
    plain.length >= gzipFromBytes && /\bgzip\b/u.test(header(request, "accept-encoding"));
  const body = zipped ? gzipSync(plain, { level: 1 }) : plain;
  response.writeHead(reply.status, {
    "content-type": text ? "text/plain; charset=utf-8" : "application/json",
    "content-length": body.length,
    "cache-control": "no-cache, private",
    ...(zipped ? { "content-encoding": "gzip", vary: "Accept-Encoding" } : {}),
  });
  await sendBody(response, body, fault);
}

function outcomeOf(
  state: HandlerState,
  request: IncomingMessage,
  parsed: Parsed,
  account: Account | null,
  body: Buffer,
): Reply | Watch {
  const { url, method, target, verb } = parsed;
  const agent = header(request, "user-agent").split("/")[0] ?? "";
  const nowMs = state.clock();
  if (account === null) throw unauthorized();
  if (parsed.refusal !== null) throw parsed.refusal;
  const contentType = header(request, "content-type").split(";")[0]?.trim() ?? "";
  const review = handleReview(url.pathname, { method, body, contentType, agent, nowMs }, account, [
    ...state.accounts.values(),
  ]);
  if (review !== null) return review;
  if (target === null || verb === null) return handlePages(method, url.pathname, account);
  const call: Call = {
    account,
    target,
    query: url.searchParams,
    accept: header(request, "accept"),
    contentType,
    body,
    agent,
    nowMs,
  };
  return handleObjects(state.storage, call, verb, state.logs);
}

type LogLine = { -readonly [Key in keyof LoggedRequest]: LoggedRequest[Key] };

/** Does what a fault does before the request is handled. @returns whether that is all */
async function suffer(
  state: HandlerState,
  fault: Fault,
  request: IncomingMessage,
  response: ServerResponse,
  line: LogLine,
): Promise<boolean> {
  if (fault.kind === "hang") return true;
  if (fault.kind === "cut" && fault.when === "before") {
    request.socket.destroy();
    return true;
  }
  if (fault.kind === "status") {
    line.status = fault.status;
    response.writeHead(fault.status, { "content-type": "application/json", ...fault.headers });
    response.end(faultBody(fault));
    return true;
  }
  if (fault.kind === "expire") state.storage.forget();
  if (fault.kind === "delay") await sleep(fault.delayMs, undefined, { ref: false });
  return false;
}

async function handle(
  state: HandlerState,
  request: IncomingMessage,
  response: ServerResponse,
  count: number,
): Promise<void> {
  const parsed = parseRequest(request);
  const account = accountOf(request, state.accounts);
  const about = seen(
    request,
    parsed,
    account === null || account === anonymous ? null : account.user,
    count,
  );
  const line: LogLine = {
    ...about,
    status: null,
  };
  state.requests.push(line);
  let outcome: Reply | Watch;
  let fault: Fault | undefined;
  try {
    const body = await readBody(request);
    fault = await firstFault(state.interceptors, about);
    if (fault !== undefined && (await suffer(state, fault, request, response, line))) return;
    outcome = outcomeOf(state, request, parsed, account, body);
  } catch (error) {
    outcome = failureReply(error);
  }
  if (fault?.kind === "cut") return void request.socket.destroy();
  if (isWatch(outcome)) {
    line.status = 200;
    return sendWatch(response, outcome);
  }
  line.status = outcome.status;
  await sendReply(request, response, outcome, fault);
}

/** The listener of the HTTPS server. */
export function createHandler(
  state: HandlerState,
): (request: IncomingMessage, response: ServerResponse) => void {
  let count = 0;
  return (request, response) => {
    // The other side may go at any time; that is its business.
    response.on("error", () => undefined);
    handle(state, request, response, count++).catch(() => request.socket.destroy());
  };
}

/** What can go wrong on the way, on purpose: a test says for which request, and how. */
import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/** A request as a test sees it. */
export interface SandboxRequest {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** null: no or an unknown token. */
  readonly user: string | null;
  readonly accept: string;
  readonly contentType: string;
  readonly userAgent: string;
  /** `get`, `list`, `patch` …; null where it isn't about objects of a kind. */
  readonly verb: string | null;
  /** Plural, with its subresource. */
  readonly resource: string | null;
  readonly namespace: string | null;
  readonly name: string | null;
  /** How many were received before this one since the start. */
  readonly number: number;
}

/** A line of the request log. */
export interface LoggedRequest extends SandboxRequest {
  /** null: no answer was begun. */
  readonly status: number | null;
}

export type Fault =
  /** An answer in place of the right one; the request has no effect. */
  | {
      readonly kind: "status";
      readonly status: number;
      readonly reason?: string;
      readonly message?: string;
      readonly headers?: Readonly<Record<string, string>>;
      /** Sent as it is in place of a Status object. */
      readonly body?: string;
    }
  /** Never an answer, and no effect. */
  | { readonly kind: "hang" }
  /** The connection ends without an answer: before the request took effect, or after. */
  | { readonly kind: "cut"; readonly when: "before" | "after" }
  /** The right answer, begun after a while. */
  | { readonly kind: "delay"; readonly delayMs: number }
  /** The right answer, its body in pieces with a pause before each. */
  | { readonly kind: "slow"; readonly pieceBytes: number; readonly pauseMs: number }
  /** The right answer, whose body ends too early, with the connection; default half of it. */
  | { readonly kind: "truncate"; readonly keptBytes?: number }
  /** Every earlier revision is forgotten first: continue tokens answer 410. */
  | { readonly kind: "expire" };

/** Says for a request what is to go wrong with it; may itself change the cluster in between. */
export type Interceptor = (
  request: SandboxRequest,
) => Fault | undefined | Promise<Fault | undefined>;

const reasons: Readonly<Record<number, string>> = {
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  409: "Conflict",
  410: "Expired",
  429: "TooManyRequests",
  500: "InternalError",
  503: "ServiceUnavailable",
  504: "Timeout",
};

/** The body of a made-up answer: a Status object as the server would send it. */
export function faultBody(fault: Extract<Fault, { kind: "status" }>): string {
  if (fault.body !== undefined) return fault.body;
  const {
    status: code,
    reason = reasons[code] ?? "InternalError",
    message = "the sandbox was told to fail",
  } = fault;
  return JSON.stringify({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    reason,
    code,
  });
}

/** Sends a body, or what a fault leaves of it. */
export async function sendBody(
  response: ServerResponse,
  body: Buffer,
  fault: Fault | undefined,
): Promise<void> {
  if (fault?.kind === "truncate") {
    const kept = fault.keptBytes ?? Math.floor(body.length / 2);
    // Only what has left is received: the connection is ended once the piece is written out.
    response.write(body.subarray(0, kept), () => setImmediate(() => response.destroy()));
    return;
  }
  if (fault?.kind === "slow") {
    for (let at = 0; at < body.length && !response.destroyed; at += fault.pieceBytes) {
      await sleep(fault.pauseMs, undefined, { ref: false });
      response.write(body.subarray(at, at + fault.pieceBytes));
    }
    response.end();
    return;
  }
  response.end(body);
}

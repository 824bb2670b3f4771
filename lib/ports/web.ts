/**
 * One GET of somebody's service on the Internet.
 *
 * Contract: bounded in time and size, no redirect is followed, a body counts only if it came whole, and nothing is
 * thrown: whatever goes wrong is a code.
 */
export interface WebRequest {
  readonly headers: Readonly<Record<string, string>>;
  /** Until the whole body is there. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
  /** An abort is told as `timeout`: the time for it was over. */
  readonly signal?: AbortSignal | undefined;
}

export type WebAnswer =
  /** `retryMs`: what Retry-After says, from now; `null` where it says nothing that can be read. */
  | {
      readonly ok: true;
      readonly status: number;
      readonly retryMs: number | null;
      readonly body: Buffer;
    }
  | { readonly ok: false; readonly code: "unreachable" | "timeout" | "too_much" | "redirect" };

export interface WebReader {
  get(url: string, request: WebRequest): Promise<WebAnswer>;
}

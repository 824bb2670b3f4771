/**
 * A listing, page by page: the next page is under way while the caller works on this one.
 *
 * Whole or an exception: a page that can't be had or understood ends the listing with an error. A token that
 * expired (410) starts it again; the server's offer to go on without consistency isn't taken, since what
 * moved meanwhile would be missed.
 */
import { BodyTooLarge, type HttpAnswer } from "./http.ts";
import type { Page } from "./parse.ts";

export interface Paging<T> {
  /** Asks for the page at `token` (`null`: the first). */
  readonly ask: (
    token: string | null,
    limit: number,
    maxBodyBytes: number,
    signal: AbortSignal,
  ) => Promise<HttpAnswer>;
  /** Reads a page. @throws where it is none */
  readonly parse: (answer: HttpAnswer) => Page<T>;
  /** What the error is for an answer that isn't a success. */
  readonly failure: (answer: HttpAnswer) => Error;
  /** Where a listing goes in circles. */
  readonly endless: () => Error;
  readonly firstLimit: number;
  readonly maxLimit: number;
  /** Pages are made to come near this size. */
  readonly targetBytes: number;
  /** Larger pages are given up on and asked for again with fewer items. */
  readonly maxBytes: number;
  /** Told of each page once it is parsed. */
  readonly received: (bytes: number, items: number) => void;
  /** How often an expired listing is started again; default 4. */
  readonly restarts?: number;
}

/** The API server writes a list's metadata first, and its tokens in base64url: no need to parse megabytes to go on. */
const HEAD =
  /^\{"kind":"[A-Za-z]+","apiVersion":"[a-z0-9./]+","metadata":\{(?:"selfLink":"[^"\\]*",)?"resourceVersion":"\d*","continue":"([A-Za-z0-9_+/=-]+)"/;

function peekToken(body: Buffer): string | null {
  return HEAD.exec(body.toString("latin1", 0, 4_096))?.[1] ?? null;
}

/** Iterates over the pages. @throws {CertkeepError} */
export async function* listPages<T>(paging: Paging<T>): AsyncGenerator<Page<T>, void, undefined> {
  const ended = new AbortController();
  let limit = paging.firstLimit;

  const ask = async (token: string | null): Promise<HttpAnswer> => {
    for (;;) {
      try {
        return await paging.ask(
          token,
          limit,
          limit === 1 ? Number.POSITIVE_INFINITY : paging.maxBytes,
          ended.signal,
        );
      } catch (error) {
        if (!(error instanceof BodyTooLarge) || limit === 1) throw error;
        limit = Math.max(1, Math.floor(limit / 8));
      }
    }
  };
  const begin = (token: string | null): Promise<HttpAnswer> => {
    const pending = ask(token);
    // It may fail while the caller still works on the page before; it is told when its turn comes.
    pending.catch(() => undefined);
    return pending;
  };
  const adapt = (bytes: number, items: number): void => {
    if (items === 0) return;
    const fitting = Math.floor((paging.targetBytes * items) / Math.max(1, bytes));
    limit = Math.max(1, Math.min(fitting, limit * 8, paging.maxLimit));
  };

  let token: string | null = null;
  let restarts = 0;
  let pending: Promise<HttpAnswer> | null = begin(null);

  /** A function of its own, so that nothing holds the answer while the caller works on the page. */
  const receive = (answer: HttpAnswer): Page<T> | null => {
    pending = null;
    if (answer.status === 410 && token !== null && restarts < (paging.restarts ?? 4)) {
      restarts += 1;
      token = null;
      pending = begin(null);
      return null;
    }
    if (answer.status !== 200) throw paging.failure(answer);
    const bytes = answer.body.length;
    const early = peekToken(answer.body);
    if (early !== null && early !== token) {
      adapt(bytes, limit);
      pending = begin(early);
    }
    const page = paging.parse(answer);
    const items = page.items.length + page.unreadable.length;
    const next = early ?? page.continueToken;
    if (next !== null && next === token) throw paging.endless();
    if (early === null && next !== null) {
      adapt(bytes, items);
      pending = begin(next);
    }
    token = next;
    paging.received(bytes, items);
    return page;
  };

  try {
    while (pending !== null) {
      const page = receive(await pending);
      if (page !== null) yield page;
    }
  } finally {
    ended.abort();
  }
}

/**
 * A listing, page by page: the next page is under way while the caller works on this one.
 *
 * Whole or an exception: a page that can't be had or understood ends the listing with an error. A
 * token that expired (410) starts it again; the server's offer to go on without consistency isn't
 * taken, since what moved meanwhile would be missed.
 */
import { BodyTooLarge } from "./failure.ts";
import type { HttpAnswer } from "./http.ts";
import type { Page } from "./parse.ts";

export interface Paging<T> {
  /** Asks for the page at `token` (`null`: the first). */
  readonly ask: (token: string | null, limit: number, signal: AbortSignal) => Promise<HttpAnswer>;
  /** Reads a page. @throws where it is none */
  readonly parse: (answer: HttpAnswer) => Page<T>;
  /** What the error is for an answer that isn't a success. */
  readonly failure: (answer: HttpAnswer) => Error;
  /** What the error is for a listing that doesn't end, in words. */
  readonly endless: (found: string) => Error;
  /** Tells items apart. */
  readonly keyOf: (item: T) => string;
  readonly firstLimit: number;
  readonly maxLimit: number;
  /** Pages are made to come near this size. */
  readonly targetBytes: number;
  /** Told of each page once it is parsed. */
  readonly received: (bytes: number, items: number) => void;
  /** How often an expired listing is started again; default 4. */
  readonly restarts?: number;
  readonly nowMs?: () => number;
}

/** More than any etcd holds. */
const MAX_ITEMS = 1_000_000;
const MAX_PAGES = 20_000;
/** Pages in a row that bring nothing, though there is said to be more. */
const MAX_EMPTY = 10;
/**
 * Time for which pages are waited for, all together; what the caller does with them isn't counted.
 */
const MAX_WAIT_MS = 5 * 60_000;

const CIRCLE = "it goes in circles";

/**
 * Whether a listing gets on, so that a server that always has another page doesn't hold whoever
 * reads it.
 */
class Progress<T> {
  readonly #keyOf: (item: T) => string;
  readonly #begun = new Set<string>();
  #items = 0;
  #pages = 0;
  #empty = 0;

  constructor(keyOf: (item: T) => string) {
    this.#keyOf = keyOf;
  }

  /** What is wrong with going on after this page; `null`: nothing. */
  stop(page: Page<T>): string | null {
    const count = page.items.length + page.unreadable.length;
    this.#pages += 1;
    this.#items += count;
    this.#empty = count === 0 ? this.#empty + 1 : 0;
    const [first] = page.items;
    const key = first === undefined ? null : this.#keyOf(first);
    if (key !== null && this.#begun.has(key)) return CIRCLE;
    if (key !== null) this.#begun.add(key);
    if (this.#empty >= MAX_EMPTY) return `${MAX_EMPTY} pages in a row are empty`;
    if (this.#items > MAX_ITEMS) return `more than ${MAX_ITEMS.toLocaleString("en-US")} items`;
    return this.#pages >= MAX_PAGES ? `more than ${MAX_PAGES.toLocaleString("en-US")} pages` : null;
  }
}

/**
 * The API server writes a list's metadata first, and its tokens in base64url: no need to parse
 * megabytes to go on.
 */
const HEAD =
  /^\{"kind":"[A-Za-z]+","apiVersion":"[a-z0-9./]+","metadata":\{(?:"selfLink":"[^"\\]*",)?"resourceVersion":"\d*","continue":"([A-Za-z0-9_+/=-]+)"/;

function peekToken(body: Buffer): string | null {
  return HEAD.exec(body.toString("latin1", 0, 4_096))?.[1] ?? null;
}

/** Iterates over the pages. @throws {CertkeepError} */
export async function* listPages<T>(paging: Paging<T>): AsyncGenerator<Page<T>, void, undefined> {
  const ended = new AbortController();
  const nowMs = paging.nowMs ?? Date.now;
  let limit = paging.firstLimit;

  const ask = async (token: string | null): Promise<HttpAnswer> => {
    for (;;) {
      try {
        return await paging.ask(token, limit, ended.signal);
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
  let progress = new Progress(paging.keyOf);
  let waitedMs = 0;
  let restarts = 0;
  let pending: Promise<HttpAnswer> | null = begin(null);

  const timed = async (answer: Promise<HttpAnswer>): Promise<HttpAnswer> => {
    const fromMs = nowMs();
    try {
      return await answer;
    } finally {
      waitedMs += nowMs() - fromMs;
    }
  };

  /** A function of its own, so that nothing holds the answer while the caller works on the page. */
  const receive = (answer: HttpAnswer): Page<T> | null => {
    pending = null;
    if (answer.status === 410 && token !== null && restarts < (paging.restarts ?? 4)) {
      restarts += 1;
      token = null;
      progress = new Progress(paging.keyOf);
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
    const stop = next === null ? null : next === token ? CIRCLE : progress.stop(page);
    if (stop !== null) throw paging.endless(stop);
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
      if (waitedMs > MAX_WAIT_MS)
        throw paging.endless(`it takes more than ${MAX_WAIT_MS / 60_000} minutes`);
      const page = receive(await timed(pending));
      if (page !== null) yield page;
    }
  } finally {
    ended.abort();
  }
}

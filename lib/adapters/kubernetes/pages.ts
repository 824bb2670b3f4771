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
export function listPages<T>(paging: Paging<T>): AsyncGenerator<Page<T>, void, undefined> {
  return new Listing(paging).pages();
}

class Listing<T> {
  readonly #paging: Paging<T>;
  readonly #ended = new AbortController();
  readonly #nowMs: () => number;
  #limit: number;
  #token: string | null = null;
  #progress: Progress<T>;
  #waitedMs = 0;
  #restarts = 0;
  #pending: Promise<HttpAnswer> | null = null;

  constructor(paging: Paging<T>) {
    this.#paging = paging;
    this.#nowMs = paging.nowMs ?? Date.now;
    this.#limit = paging.firstLimit;
    this.#progress = new Progress(paging.keyOf);
  }

  async *pages(): AsyncGenerator<Page<T>, void, undefined> {
    this.#begin(null);
    try {
      while (this.#pending !== null) {
        if (this.#waitedMs > MAX_WAIT_MS)
          throw this.#paging.endless(`it takes more than ${MAX_WAIT_MS / 60_000} minutes`);
        const page = this.#receive(await this.#wait(this.#pending));
        if (page !== null) yield page;
      }
    } finally {
      this.#ended.abort();
    }
  }

  #begin(token: string | null): void {
    this.#pending = this.#ask(token);
    // It may fail while the caller still works on the page before; it is reported when its turn
    // comes.
    this.#pending.catch(() => undefined);
  }

  async #ask(token: string | null): Promise<HttpAnswer> {
    for (;;) {
      try {
        return await this.#paging.ask(token, this.#limit, this.#ended.signal);
      } catch (error) {
        if (!(error instanceof BodyTooLarge) || this.#limit === 1) throw error;
        this.#limit = Math.max(1, Math.floor(this.#limit / 8));
      }
    }
  }

  async #wait(answer: Promise<HttpAnswer>): Promise<HttpAnswer> {
    const fromMs = this.#nowMs();
    try {
      return await answer;
    } finally {
      this.#waitedMs += this.#nowMs() - fromMs;
    }
  }

  /** A function of its own, so that nothing holds the answer while the caller works on the page. */
  #receive(answer: HttpAnswer): Page<T> | null {
    const paging = this.#paging;
    this.#pending = null;
    const expired = answer.status === 410 && this.#token !== null;
    if (expired && this.#restarts < (paging.restarts ?? 4)) {
      this.#restarts += 1;
      this.#token = null;
      this.#progress = new Progress(paging.keyOf);
      this.#begin(null);
      return null;
    }
    if (answer.status !== 200) throw paging.failure(answer);
    const bytes = answer.body.length;
    const early = peekToken(answer.body);
    if (early !== null && early !== this.#token) {
      this.#adapt(bytes, this.#limit);
      this.#begin(early);
    }
    const page = paging.parse(answer);
    const items = page.items.length + page.unreadable.length;
    const next = early ?? page.continueToken;
    const stop = next === null ? null : next === this.#token ? CIRCLE : this.#progress.stop(page);
    if (stop !== null) throw paging.endless(stop);
    if (early === null && next !== null) {
      this.#adapt(bytes, items);
      this.#begin(next);
    }
    this.#token = next;
    paging.received(bytes, items);
    return page;
  }

  #adapt(bytes: number, items: number): void {
    if (items === 0) return;
    const fitting = Math.floor((this.#paging.targetBytes * items) / Math.max(1, bytes));
    this.#limit = Math.max(1, Math.min(fitting, this.#limit * 8, this.#paging.maxLimit));
  }
}

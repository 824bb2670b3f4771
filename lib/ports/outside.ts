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

/**
 * One GET of somebody's service on the Internet.
 *
 * Contract: bounded in time and size, no redirect is followed, a body counts only if it came whole,
 * and nothing is thrown: whatever goes wrong is a code.
 */
export interface WebReader {
  get(url: string, request: WebRequest): Promise<WebAnswer>;
}

export interface SuggestedWindow {
  readonly ok: true;
  readonly startMs: number;
  readonly endMs: number;
  /** What the issuer wants people to read; `null` for nothing. */
  readonly explanationUrl: string | null;
  /** Not to be asked again sooner: a minute to a day. */
  readonly retryMs: number;
}

export interface NoWindow {
  readonly ok: false;
  /**
   * `unknown_certificate`: it was asked and knows none of that name; `not_offered`: it tells
   * nobody.
   */
  readonly code:
    | "unknown_certificate"
    | "not_offered"
    | "unreachable"
    | "timeout"
    | "too_much"
    | "rate_limited"
    | "forbidden"
    | "invalid_answer";
  readonly retryMs: number | null;
}

/**
 * Asking an issuer when a certificate should be renewed (ACME Renewal Information, RFC 9773),
 * without an account.
 *
 * Contract: whatever goes wrong is a code, never an exception and never a window; every request is
 * bounded in time and size, goes to the directory's own host, and a directory that doesn't answer
 * is asked once a run.
 */
export interface RenewalInfoSource {
  /**
   * `directory`: URL of the issuer's ACME directory; `id`: as lib/certificate/renewalid.ts gives
   * it.
   */
  ask(directory: string, id: string, signal?: AbortSignal): Promise<SuggestedWindow | NoWindow>;
}

/**
 * Asking an issuer's own revocation list about a certificate.
 *
 * Contract: only hosts given for the issuer are asked, no redirect is followed, no private address
 * is connected to, and every request is bounded in time and size. Whatever goes wrong is `unknown`
 * with why, never an exception and never "good".
 */
export interface RevocationSource {
  /** The list at `url`, or why there is none. */
  fetch(
    url: string,
    hosts: readonly string[],
    signal?: AbortSignal,
  ): Promise<
    { readonly ok: true; readonly der: Uint8Array } | { readonly ok: false; readonly why: string }
  >;
}

export interface LoggedPage {
  readonly ok: true;
  /** Certificates or precertificates, DER, that aren't verified. */
  readonly ders: readonly Uint8Array[];
  /** Entries that could not be taken in. */
  readonly unread: number;
  /** Where the next page begins; `null`: there was nothing on this one. */
  readonly cursor: string | null;
}

export interface LoggedFailure {
  readonly ok: false;
  readonly code:
    | "unreachable"
    | "timeout"
    | "too_much"
    | "rate_limited"
    | "forbidden"
    | "invalid_answer"
    | "refused";
  /** What the search itself says of when to ask again, ms from now. */
  readonly retryMs: number | null;
}

/**
 * Asking a search of public certificate logs (RFC 6962) for the certificates of a domain and of all
 * below it.
 *
 * Contract: a page follows the one before it by its cursor, in the order in which the search found
 * them, and an empty page is the end. What the search says of a certificate isn't believed: its
 * bytes are. Whatever goes wrong is an answer with a code, never an exception and never an empty
 * page; every request is bounded in time and size.
 */
export interface TransparencySource {
  /** Who is asked, for people and to tell whose a cursor is: two sources never share one. */
  readonly name: string;
  page(
    domain: string,
    cursor: string | null,
    signal?: AbortSignal,
  ): Promise<LoggedPage | LoggedFailure>;
}

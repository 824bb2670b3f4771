/**
 * Asking a search of public certificate logs (RFC 6962) for the certificates of a domain and of all below it.
 *
 * Contract: a page follows the one before it by its cursor, in the order in which the search found them, and an empty
 * page is the end. What the search says of a certificate isn't believed: its bytes are. Whatever goes wrong is an
 * answer with a code, never an exception and never an empty page; every request is bounded in time and size.
 */
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

export interface TransparencySource {
  /** Who is asked, for people and to tell whose a cursor is: two sources never share one. */
  readonly name: string;
  page(
    domain: string,
    cursor: string | null,
    signal?: AbortSignal,
  ): Promise<LoggedPage | LoggedFailure>;
}

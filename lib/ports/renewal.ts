/**
 * Asking an issuer when a certificate should be renewed (ACME Renewal Information, RFC 9773), without an account.
 *
 * Contract: whatever goes wrong is a code, never an exception and never a window; every request is bounded in time and
 * size, goes to the directory's own host, and a directory that doesn't answer is asked once a run.
 */
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
  /** `unknown_certificate`: it was asked and knows none of that name; `not_offered`: it tells nobody. */
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

export interface RenewalInfoSource {
  /** `directory`: URL of the issuer's ACME directory; `id`: as lib/certificate/renewalid.ts gives it. */
  ask(directory: string, id: string, signal?: AbortSignal): Promise<SuggestedWindow | NoWindow>;
}

/**
 * Asking an issuer's own revocation list about a certificate.
 *
 * Contract: only hosts given for the issuer are asked, no redirect is followed, no private address is connected
 * to, and every request is bounded in time and size. Whatever goes wrong is `unknown` with why, never an exception
 * and never "good".
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

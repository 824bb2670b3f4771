/**
 * From when until when a search of certificate logs shows every certificate that an issuer gave out
 * for a domain.
 *
 * It shows unexpired certificates alone. So a first look reaches back as far as the issuer's
 * shortest lifetime: what was issued since then can't have expired yet, however short it lives.
 * Looks that follow each other within that span join to a longer one. It ends before the look, by
 * the time that a log may take to show what it was given.
 */
import { HOUR_MS } from "../limit.ts";

/**
 * Taken off the end: logs promise to show a certificate within a day of taking it (RFC 6962 §3, the
 * maximum merge delay, of which the log policies of Chrome and Apple allow 24 h), and the search
 * has to fetch it then. The searches are mostly minutes behind; what is seen sooner counts at once,
 * only that nothing is missing can't be said before.
 */
export const LOG_LAG_MS = 25 * HOUR_MS;

/**
 * Taken off the beginning: notBefore may lie an hour before the issuance, and clocks and the look
 * itself take a little.
 */
const MARGIN_MS = 2 * HOUR_MS;

/**
 * A look that began at `startMs` and reached the end of the list at `endMs`; `null` where that
 * shows no whole span.
 */
export function spanOfLook(
  shortestLifetimeMs: number,
  startMs: number,
  endMs: number,
): { readonly fromMs: number; readonly untilMs: number } | null {
  const span = { fromMs: endMs - shortestLifetimeMs + MARGIN_MS, untilMs: startMs - LOG_LAG_MS };
  return span.fromMs < span.untilMs ? span : null;
}

/**
 * One entry of a public certificate log as an issuance: the bytes of a certificate, or of a
 * precertificate, whose signatures lead to a known issuer's anchors. Expiry, names and usages are
 * left out, as for every issuance; and so is the poison that keeps a precertificate (RFC 6962 §3.1)
 * from being served, which here alone is no fault: the issuer signed it, and the certificate of the
 * same serial number follows it.
 *
 * What doesn't verify is never an issuance. Of an issuer that isn't counted it is another's; where
 * it says that it is of one that is (an intermediate that this version doesn't know yet), it is
 * unread, which is no “nothing issued”.
 *
 * From when until when a search of certificate logs shows every certificate that an issuer gave out
 * for a domain.
 *
 * It shows unexpired certificates alone. So a first look reaches back as far as the issuer's
 * shortest lifetime: what was issued since then can't have expired yet, however short it lives.
 * Looks that follow each other within that span join to a longer one. It ends before the look, by
 * the time that a log may take to show what it was given.
 */
import type { Anchors } from "../certificate/anchors.ts";
import { lowerAscii } from "../certificate/domain.ts";
import { parseCertificate } from "../certificate/parse.ts";
import type { Verifier } from "../certificate/verifier.ts";
import { backdateMsOf, type Issuer, issuerOf } from "../issuer/issuers.ts";
import { createIssuance, type Issuance } from "./issuance.ts";
import { HOUR_MS } from "./limit.ts";
import { parseSctList } from "./sct.ts";

export type LoggedEntry =
  | { readonly kind: "issuance"; readonly issuance: Issuance }
  /** Of another issuer, or of no name under the domain. */
  | { readonly kind: "other" }
  | { readonly kind: "unread" };

export interface LoggedContext {
  readonly issuers: readonly Issuer[];
  readonly verifier: Verifier;
  /** The registered domain that was asked about. */
  readonly domain: string;
  /** The log, or the search of logs, for people. */
  readonly where: string;
  readonly seenMs: number;
}

/** Names in one certificate that are taken; what issuers sign ends at 100. */
const MAX_NAMES = 1_000;

/** Never throws, whatever the bytes are. */
export async function readLogged(
  der: Uint8Array,
  { issuers, verifier, domain, where, seenMs }: LoggedContext,
): Promise<LoggedEntry> {
  const parsed = parseCertificate(der);
  if (!parsed.ok) return { kind: "unread" };
  const { certificate } = parsed;
  const issuer = await issuerOf(certificate, [], issuers, verifier);
  if (issuer === null)
    return {
      kind: issuers.some(
        (one) =>
          one.logged !== null && organisationsOf(one).has(organisationOf(certificate.issuerText)),
      )
        ? "unread"
        : "other",
    };
  const names = [...certificate.dnsNames.map(lowerAscii), ...certificate.ipAddresses];
  if (names.length > MAX_NAMES) return { kind: "unread" };
  const notBeforeMs = certificate.notBeforeMs;
  const { timestampsMs } =
    certificate.sctList === null ? { timestampsMs: [] } : parseSctList(certificate.sctList);
  const issuance = createIssuance({
    issuer: issuer.id,
    serial: certificate.serial,
    names,
    notBeforeMs,
    notAfterMs: certificate.notAfterMs,
    sctMs: timestampsMs.reduce<number | null>(
      (least, next) => (least === null || next < least ? next : least),
      null,
    ),
    backdateMs: backdateMsOf(issuer, certificate.notBeforeMs),
    sources: [{ kind: "ct", cluster: null, where, firstSeenMs: seenMs }],
    claimedBy: null,
  });
  return issuance.domains.includes(domain) ? { kind: "issuance", issuance } : { kind: "other" };
}

/** The organisation in a name's text (RFC 4514); empty for none, which no issuer's is. */
function organisationOf(text: string): string {
  return /(?:^|[,+])O=((?:\\.|[^,+\\])*)/.exec(text)?.[1] ?? "";
}

const known = new WeakMap<Anchors, ReadonlySet<string>>();

function organisationsIn(anchors: Anchors): ReadonlySet<string> {
  const found =
    known.get(anchors) ??
    new Set(
      anchors.ders
        .map(parseCertificate)
        .flatMap((parsed) => (parsed.ok ? [organisationOf(parsed.certificate.subjectText)] : [])),
    );
  known.set(anchors, found);
  return found;
}

/** Organisations that stand in the names of an issuer's own certificates. */
function organisationsOf({ anchors, intermediates }: Issuer): ReadonlySet<string> {
  return new Set(
    [...organisationsIn(anchors), ...organisationsIn(intermediates)].filter((name) => name !== ""),
  );
}

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

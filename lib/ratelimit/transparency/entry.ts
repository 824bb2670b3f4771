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
 */
import type { Anchors } from "../../certificate/anchors.ts";
import { lowerAscii } from "../../certificate/domain.ts";
import { parseCertificate } from "../../certificate/parse.ts";
import type { Verifier } from "../../certificate/verifier.ts";
import { backdateMsOf, type Issuer, issuerOf } from "../../issuer/issuers.ts";
import { createIssuance, type Issuance } from "../issuance.ts";
import { parseSctList } from "../sct.ts";

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

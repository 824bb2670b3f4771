/**
 * What a message of Tailscale's certificate code means (feature/acme, ipn/ipnlocal/cert.go before
 * 1.102), and refusals of Let's Encrypt in whoever's words. Total; a message that says nothing of
 * certificates is `null`.
 */
import { isHostName } from "../../secret/shapes.ts";
import type { SignalKind } from "../../state/signals.ts";
import { registeredDomain } from "../limit.ts";
import { parseRefusal, type RefusalText } from "./refusal.ts";
import { jsonOf } from "../../untrusted.ts";

export interface Said {
  readonly kind: SignalKind;
  readonly code: string | null;
  /** Lower case; `null` where the message names none. */
  readonly domain: string | null;
  readonly refusal: RefusalText | null;
}

/**
 * What Tailscale says of lines that it held back (types/logger, RateLimitedFn): which, and how
 * many; `null`: from now on.
 */
export interface HeldBack {
  readonly format: string;
  readonly count: number | null;
}

const CERT = /^cert\("([^"\\]{1,260})"\): /;
/** The format itself, as a message: `%q` where the name would be, `%v` where an error would. */
const CERT_FORMAT = /^cert\((?:%q|%v|"%s")\): /;
const REFRESH =
  /^(?:cert refresh: |Error refreshing certificate for )([^\s:]{1,260})(?: \(retry \d{1,6}\))?: /;
const HELD_BACK = /^\[RATELIMIT\] format\((".{0,2000}")\)(?: \((\d{1,9}) dropped\))?$/;

function nameOf(text: string): string | null {
  const name = text.toLowerCase().replace(/\.$/, "");
  return isHostName(name.startsWith("*.") ? name.slice(2) : name) ? name : null;
}

/** Whether a message tells of lines held back. */
export function parseHeldBack(text: string): HeldBack | null {
  if (!text.startsWith("[RATELIMIT] ")) return null;
  const match = HELD_BACK.exec(text);
  if (match === null) return null;
  // Go's %q is JSON for what stands in these formats; another one is kept as it is.
  const format = jsonOf(match[1] ?? "") ?? match[1];
  return { format: String(format), count: match[2] === undefined ? null : Number(match[2]) };
}

/** A name that the pod's resolver doesn't know, or that it can't ask for. */
const RESOLVER =
  /\blookup [^\s]{1,260}(?: on [^\s]{1,100})?: |no such host|server misbehaving|name resolution/i;

/** Why a Secret could not be read or written, as the API server or the way to it says. */
function storeCode(text: string): string {
  if (/immutable/i.test(text)) return "immutable";
  if (/exceeded quota|admission webhook|denied request/i.test(text)) return "other";
  if (RESOLVER.test(text)) return "resolver";
  if (/is forbidden|\b403\b/i.test(text)) return "forbidden";
  if (/not found|\b404\b/i.test(text)) return "not_found";
  if (/object has been modified|already exists|conflict|\b409\b/i.test(text)) return "conflict";
  if (
    /timed? ?out|deadline exceeded|connection (?:refused|reset)|unavailable|too many requests|no route to host|unreachable|internal (?:server )?error|\bEOF\b|x509: |\b(?:429|50[0-4])\b|etcdserver/i.test(
      text,
    )
  )
    return "unavailable";
  return "other";
}

const WRITE =
  /\b(?:error|failed)(?: to)? (?:writ(?:e|ing)|stor(?:e|ing)|updat(?:e|ing)|sav(?:e|ing)|patch(?:ing)?|creat(?:e|ing)) [^:]{0,80}(?:secret|state|cert)/i;
const READ =
  /\bgetting TLS Secret\b|\b(?:error|failed)(?: to)? (?:get(?:ting)?|read(?:ing)?|load(?:ing)?) [^:]{0,80}secret/i;
const ACME_TYPE = /urn:(?:ietf:params:acme|acme):error:([A-Za-z]{1,40})/;

/**
 * What an error of an order, or of a renewal, is. `fallback` where it is none of those that are
 * told apart.
 */
function understandFailure(
  text: string,
  domain: string | null,
  fallback: "order_failed" | "renewal_failed",
): Said {
  const said = (kind: SignalKind, code: string | null = null): Said => ({
    kind,
    code,
    domain,
    refusal: null,
  });
  if (/temporarily prevented from requesting certificates/i.test(text)) return said("paused");
  if (/requester account did not request the certificate being replaced/i.test(text))
    return said("replaces_refused");
  if (/:alreadyReplaced\b|already has a replacement order/i.test(text))
    return said("already_replaced");
  const refusal = parseRefusal(text);
  if (refusal !== null) return { kind: "rate_limited", code: refusal.limit, domain, refusal };
  if (WRITE.test(text)) return said("store_write_failed", storeCode(text));
  if (READ.test(text)) return said("store_read_failed", storeCode(text));
  if (/does not support getting TLS certs|HTTPS (?:is )?not enabled|HTTPSNotEnabled/i.test(text))
    return said("https_not_enabled", "switched_off");
  if (/^invalid domain ".{0,260}"; (?:must be one of |only ")/.test(text))
    return said("https_not_enabled", "other_name");
  if (/\bSetDNS\b/i.test(text)) return said("dns_failed", "set_dns");
  if (RESOLVER.test(text)) return said("dns_failed", "resolver");
  if (
    /error:(?:dns|incorrectResponse|caa)\b|DNS problem|_acme-challenge|(?:NXDOMAIN|SERVFAIL)|TXT record/i.test(
      text,
    )
  )
    return said("dns_failed", "challenge");
  return said(fallback, orderCode(text));
}

const ORDER_CODES: readonly (readonly [RegExp, string])[] = [
  [/\bservice busy\b/i, "busy"],
  [/error:accountDoesNotExist\b|\baccount\b.{0,80}\b(?:deactivated|revoked|not valid)/i, "account"],
  [/\bx509: |failed to verify certificate|certificate signed by unknown authority/i, "untrusted"],
];
const NETWORK =
  /\bdial (?:tcp|udp)\b|connection (?:refused|reset)|broken pipe|no route to host|network is (?:unreachable|down)|proxyconnect|TLS handshake timeout|i\/o timeout|unexpected EOF|: EOF\b/i;

/** Why an order failed: what certkeep has a word for, else the type of the issuer's error. */
function orderCode(text: string): string | null {
  const known = ORDER_CODES.find(([pattern]) => pattern.test(text))?.[1];
  if (known !== undefined) return known;
  const type = ACME_TYPE.exec(text)?.[1];
  if (type !== undefined) return type;
  if (NETWORK.test(text)) return "network";
  return /context (?:deadline exceeded|canceled)|timed? ?out/i.test(text) ? "timeout" : null;
}

/**
 * Go's HTTP server about a handshake for which no certificate could be had. The operator's API
 * proxy writes so at its default level, with the answer of the certificate code in it.
 */
const HANDSHAKE =
  /^http: TLS handshake error from [^\s]{1,100}: ([45]\d\d [A-Z][A-Za-z ]{2,40}: )?/;

/** The one name that such a text is about, where it says so. */
const ABOUT = /^invalid domain "([^"\\]{1,260})"|_acme-challenge\.([a-z0-9.-]{1,253}[a-z0-9])/i;

/** The names that a node offers in place of one that it refuses. */
const OFFERED = /; (?:must be one of \[|only ")(.{1,2000})/;

/**
 * Whether a client asked for a name that no node of this tailnet could have, such as an address.
 */
function isForeign(error: string, domain: string | null): boolean {
  const offered = OFFERED.exec(error)?.[1]?.split(/["\],\s]/) ?? [];
  return (
    domain === null ||
    !offered.some((name) => {
      const offeredName = nameOf(name);
      return offeredName !== null && registeredDomain(offeredName) === registeredDomain(domain);
    })
  );
}

/** `answered`: it has the status of an answer; without one it may be the client's fault. */
function ofHandshake(error: string, answered: boolean): Said | null {
  const rest = error.replace(/^getCertPEM: /i, "");
  // The client went away, which ended its request.
  if (/context canceled/i.test(rest)) return null;
  const about = ABOUT.exec(rest);
  const domain = about === null ? null : nameOf(about[1] ?? about[2] ?? "");
  const said = understandFailure(rest, domain, "order_failed");
  if (said.code === "other_name" && isForeign(rest, domain)) return null;
  return answered || said.kind !== "order_failed" ? said : null;
}

function ofCertificate(rest: string, domain: string | null): Said | null {
  const said = (kind: SignalKind): Said => ({ kind, code: null, domain, refusal: null });
  if (rest === "requesting cert...") return said("issuance_started");
  if (rest === "got cert") return said("issued");
  if (rest === "starting async renewal") return said("renewal_started");
  if (rest === "registered ACME account.") return said("account_registered");
  if (/^getCertPEM: /i.test(rest))
    return understandFailure(rest.slice("getCertPEM: ".length), domain, "order_failed");
  if (rest.startsWith("async renewal failed: "))
    return understandFailure(
      rest.slice("async renewal failed: ".length).replace(/^getCertPEM: /i, ""),
      domain,
      "renewal_failed",
    );
  if (rest.startsWith("acme: ARI check failed: ")) return said("renewal_info_failed");
  return null;
}

/** Marks of an ACME server's error in the words of another program. */
const ISSUERS_OWN =
  /urn:(?:ietf:params:acme|acme):error:|letsencrypt\.org\/docs\/|Error creating new order ::|temporarily prevented from requesting certificates|requester account did not request|already has a replacement order/i;

/** What a message says of certificates; `null`: nothing, or nothing that matters. */
export function understand(text: string): Said | null {
  const named = CERT.exec(text);
  if (named !== null) return ofCertificate(text.slice(named[0].length), nameOf(named[1] as string));
  const format = CERT_FORMAT.exec(text);
  if (format !== null) return ofCertificate(text.slice(format[0].length), null);
  if (text.startsWith("acme: ARI check failed: "))
    return { kind: "renewal_info_failed", code: null, domain: null, refusal: null };
  const refresh = REFRESH.exec(text);
  if (refresh !== null)
    return understandFailure(
      text.slice(refresh[0].length).replace(/^getCertPEM: /i, ""),
      nameOf(refresh[1] as string),
      "renewal_failed",
    );
  const handshake = HANDSHAKE.exec(text);
  if (handshake !== null)
    return ofHandshake(text.slice(handshake[0].length), handshake[1] !== undefined);
  if (!ISSUERS_OWN.test(text)) return null;
  const foreign = understandFailure(text, null, "order_failed");
  return foreign.kind === "rate_limited" ||
    foreign.kind === "paused" ||
    foreign.kind === "replaces_refused" ||
    foreign.kind === "already_replaced"
    ? foreign
    : null;
}

/**
 * Whether a line can say anything that is understood here; most can't, and are passed over unread.
 */
export function mayMatter(raw: string): boolean {
  return /cert|acme|ratelimit|too many|HTTPSNotEnabled|temporarily prevented|TLS handshake/i.test(
    raw,
  );
}

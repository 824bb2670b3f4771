/**
 * What sources besides Secrets told of why certificates are issued: logs, events, access reviews, suggested renewal
 * windows, revocation lists. Kept in a cluster's state, so that a report says what an audit saw.
 *
 * All of it is that cluster's own word: it decides nothing about another cluster. Text is redacted and bounded before
 * it gets here, and escaped where it is shown.
 */

export const SIGN_KINDS = [
  /** An order was begun. */
  "issuance_started",
  /** The issuer gave a certificate; it isn't stored yet. */
  "issued",
  /** A certificate that was issued could not be stored: it is lost. `code`: `forbidden`, `not_found`, `immutable`, `conflict`, `unavailable` or `other`. */
  "store_write_failed",
  /** The stored one could not be read, and nothing was ordered. `code` as above. */
  "store_read_failed",
  /** 429 of the issuer. `code`: `set`, `domain`, `orders`, `authorizations`, `registrations` or `other`. */
  "rate_limited",
  /** The account is paused for a name. */
  "paused",
  /** The issuer refused that `replaces` names a certificate of another account: the account key was lost. */
  "replaces_refused",
  /** The issuer says that the certificate was replaced already. */
  "already_replaced",
  /** A name could not be looked up, or the challenge's record could not be set or found. `code`: `resolver`, `challenge`, `set_dns` or `other`. */
  "dns_failed",
  /** The tailnet has HTTPS certificates switched off, or the name isn't one of the node's. */
  "https_not_enabled",
  "renewal_started",
  /** A renewal failed for a reason that is none of those above. */
  "renewal_failed",
  /** An order failed for a reason that is none of those above. */
  "order_failed",
  /** Suggested renewal times could not be asked for. */
  "renewal_info_failed",
  "account_registered",
] as const;
export type SignKind = (typeof SIGN_KINDS)[number];

/** Lines of one kind about one name from one container, counted together. */
export interface LogSign {
  readonly kind: SignKind;
  /** More about it, as its kind says; `null` for nothing. */
  readonly code: string | null;
  /** Lower case; `null` where the line names none. */
  readonly domain: string | null;
  /** `namespace/pod/container`. */
  readonly where: string;
  readonly firstMs: number;
  readonly lastMs: number;
  /** Lines seen, and those that the program itself said it dropped. */
  readonly count: number;
  /** One line, redacted and bounded. */
  readonly sample: string;
}

/** An Event of Kubernetes that bears on certificates. It lives an hour, and its message stays that of its first time. */
export interface EventSign {
  readonly namespace: string;
  /** `Pod/name`. */
  readonly object: string;
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
  readonly count: number;
  readonly firstMs: number;
  readonly lastMs: number;
}

/** What the server says of an owner's right to its Secret. */
export interface AccessAnswer {
  /** `namespace/name`. */
  readonly secret: string;
  /** `system:serviceaccount:NAMESPACE:NAME`. */
  readonly account: string;
  readonly verb: string;
  readonly allowed: boolean;
  /** The server's reason, bounded; empty for none. */
  readonly reason: string;
  /** Since when the answer is this one. */
  readonly sinceMs: number;
  readonly atMs: number;
}

/** What the issuer suggests as the time of a renewal (RFC 9773). */
export interface RenewalWindow {
  readonly issuer: string;
  readonly serial: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly explanationUrl: string | null;
  readonly askedMs: number;
  /** Not to be asked again before. */
  readonly nextMs: number;
}

/** What an issuer's revocation list says of a certificate. */
export interface RevocationAnswer {
  readonly issuer: string;
  readonly serial: string;
  /** `null`: it isn't on the list. */
  readonly revokedMs: number | null;
  /** CRLReason of RFC 5280 §5.3.1, such as `key_compromise`; `null` where the list gives none. */
  readonly reason: string | null;
  readonly list: string;
  readonly askedMs: number;
  readonly nextMs: number;
}

export const LOOK_SOURCES = ["logs", "events", "access", "renewal_info", "revocation", "transparency"] as const;
export type LookSource = (typeof LOOK_SOURCES)[number];

/** How far a source went at one place. A source that failed is a known unknown, never “nothing happened”. */
export interface SourceLook {
  readonly source: LookSource;
  /** `namespace/pod/container`, a namespace, a Secret, a list's or an API's address; for people. */
  readonly scope: string;
  readonly askedMs: number;
  /** Last time that it answered whole; `null`: never. */
  readonly wholeMs: number | null;
  /**
   * `null`: whole. Else why not: `not_enabled`, `forbidden`, `unreachable`, `timeout`, `too_much`, `rate_limited`,
   * `invalid_answer`, `gap`; `debug_off`: it was read, but this owner writes of certificates at debug level alone.
   */
  readonly code: string | null;
  /** Since when it isn't whole; `null` where it is. */
  readonly sinceMs: number | null;
  /** Lines, rows or bytes left unread, in words; `null` for none. */
  readonly unread: string | null;
}

export interface Observations {
  readonly looks: readonly SourceLook[];
  readonly signs: readonly LogSign[];
  readonly events: readonly EventSign[];
  readonly access: readonly AccessAnswer[];
  readonly windows: readonly RenewalWindow[];
  readonly revocations: readonly RevocationAnswer[];
}

export const NO_OBSERVATIONS: Observations = { looks: [], signs: [], events: [], access: [], windows: [], revocations: [] };

/** What a state holds of them. */
export function observationsOf({ observations }: { readonly observations?: unknown }): Observations {
  return typeof observations === "object" && observations !== null ? { ...NO_OBSERVATIONS, ...(observations as Partial<Observations>) } : NO_OBSERVATIONS;
}

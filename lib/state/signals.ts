/** What each source besides Secrets reports of why certificates are issued, as a state keeps it. */
import * as z from "zod/mini";
import { redact } from "../ratelimit/log/line.ts";

export const SIGNAL_KINDS = [
  /** An order was begun. */
  "issuance_started",
  /** The issuer gave a certificate; it isn't stored yet. */
  "issued",
  /**
   * A certificate that was issued could not be stored: it is lost. `code`: `forbidden`,
   * `not_found`, `immutable`, `conflict`, `unavailable` or `other`.
   */
  "store_write_failed",
  /** The stored one could not be read, and nothing was ordered. `code` as above. */
  "store_read_failed",
  /**
   * 429 of the issuer. `code`: `set`, `domain`, `orders`, `authorizations`, `registrations` or
   * `other`.
   */
  "rate_limited",
  /** The account is paused for a name. */
  "paused",
  /**
   * The issuer refused that `replaces` names a certificate of another account: the account key was
   * lost.
   */
  "replaces_refused",
  /** The issuer says that the certificate was replaced already. */
  "already_replaced",
  /**
   * A name could not be looked up, or the challenge's record could not be set or found. `code`:
   * `resolver`, `challenge`, `set_dns` or `other`.
   */
  "dns_failed",
  /**
   * The tailnet has HTTPS certificates switched off, or the name isn't one of the node's. `code`:
   * `switched_off` or `other_name`.
   */
  "https_not_enabled",
  "renewal_started",
  /**
   * A renewal failed for a reason that is none of those above. `code`: `timeout`, the type of the
   * issuer's error, or none.
   */
  "renewal_failed",
  /** An order failed for a reason that is none of those above. `code` likewise. */
  "order_failed",
  /** Suggested renewal times could not be asked for. */
  "renewal_info_failed",
  "account_registered",
] as const;
export type SignalKind = (typeof SIGNAL_KINDS)[number];

export const STATUS_SOURCES = [
  "logs",
  "events",
  "access",
  "renewal_info",
  "revocation",
  "transparency",
] as const;
export type StatusSource = (typeof STATUS_SOURCES)[number];

/** ECMAScript's last instant, ms since the epoch. */
const LAST_MS = 8_640_000_000_000_000;

const text = z.string().check(z.maxLength(1_024));
/** Text of others. Earlier versions stored what a webhook said, which is redacted now. */
const quoted = z.pipe(text, z.transform(redact));
const optionalText = z.nullable(text);
const instant = z.number().check(z.int(), z.minimum(-LAST_MS), z.maximum(LAST_MS));
const count = z.number().check(z.int(), z.positive());

/**
 * How far a source went at one place. A source that failed is a known unknown, never “nothing
 * happened”.
 */
export const sourceStatus = z.object({
  source: z.enum(STATUS_SOURCES),
  /** `namespace/pod/container`, a namespace, a Secret, a list's or an API's address; for people. */
  scope: text,
  askedMs: instant,
  /** Last time that it answered whole; `null`: never. */
  wholeMs: z.nullable(instant),
  /**
   * `null`: whole. Else why not: `not_enabled`, `forbidden`, `unreachable`, `timeout`, `too_much`,
   * `rate_limited`, `invalid_answer`, `gap`; `no_pod`: no pod matches; `debug_off`: it was read,
   * but this owner writes of certificates at debug level alone.
   */
  code: optionalText,
  /** Since when it isn't whole; `null` where it is. */
  sinceMs: z.nullable(instant),
  /** Lines, rows or bytes left unread, in words; `null` for none. */
  unread: optionalText,
  /**
   * Of a log: the time of the last line read, which a later read has to meet again to have missed
   * nothing.
   */
  lineMs: z.optional(z.nullable(instant)),
  /** Of a log: how often its container had been restarted when it was last read. */
  restarts: z.optional(z.number().check(z.int(), z.nonnegative())),
});
export type SourceStatus = Readonly<z.infer<typeof sourceStatus>>;

/** Lines of one kind about one name from one container, counted together. */
export const logSignal = z.object({
  kind: z.enum(SIGNAL_KINDS),
  /** More about it, as its kind says; `null` for nothing. */
  code: optionalText,
  /** Lower case; `null` where the line names none. */
  domain: optionalText,
  /** `namespace/pod/container`. */
  where: text,
  firstMs: instant,
  lastMs: instant,
  /** Lines seen, and those that the program itself said it dropped. */
  count,
  /** One line, redacted and bounded. */
  sample: quoted,
});
export type LogSignal = Readonly<z.infer<typeof logSignal>>;

/**
 * An Event of Kubernetes about certificates. It lives an hour, and its message stays that of its
 * first time.
 */
export const eventSignal = z.object({
  namespace: text,
  /** `Pod/name`. */
  object: text,
  type: z.enum(["Normal", "Warning"]),
  reason: text,
  message: quoted,
  count,
  firstMs: instant,
  lastMs: instant,
});
export type EventSignal = Readonly<z.infer<typeof eventSignal>>;

/** What the server says of an owner's permission on its Secret. */
export const accessAnswer = z.object({
  /** `namespace/name`. */
  secret: text,
  /** `system:serviceaccount:NAMESPACE:NAME`. */
  account: text,
  verb: text,
  allowed: z.boolean(),
  /** No pod was seen with the account: it is the one that the operator makes for such a Secret. */
  assumed: z.optional(z.boolean()),
  /** The server's reason, bounded; empty for none. */
  reason: quoted,
  /** Since when the answer is this one. */
  sinceMs: instant,
  atMs: instant,
});
export type AccessAnswer = Readonly<z.infer<typeof accessAnswer>>;

/** What the issuer suggests as the time of a renewal (RFC 9773). */
export const renewalWindow = z.object({
  issuer: text,
  serial: text,
  startMs: instant,
  endMs: instant,
  explanationUrl: optionalText,
  askedMs: instant,
  /** Not to be asked again before. */
  nextMs: instant,
});
export type RenewalWindow = Readonly<z.infer<typeof renewalWindow>>;

/** What an issuer's revocation list says of a certificate. */
export const revocationAnswer = z.object({
  issuer: text,
  serial: text,
  /** `null`: it isn't on the list. */
  revokedMs: z.nullable(instant),
  /** CRLReason of RFC 5280 §5.3.1, such as `key_compromise`; `null` where the list gives none. */
  reason: optionalText,
  list: text,
  askedMs: instant,
  nextMs: instant,
});
export type RevocationAnswer = Readonly<z.infer<typeof revocationAnswer>>;

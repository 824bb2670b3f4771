/**
 * What sources besides Secrets told of why certificates are issued: logs, events, access reviews, suggested renewal
 * windows, revocation lists. Kept in a cluster's state, so that a report says what an audit saw.
 *
 * All of it is that cluster's own word: it decides nothing about another cluster. Text is redacted and bounded before
 * it gets here, and escaped where it is shown. Reading is total: an entry that isn't one is dropped; fields of a later
 * version stay.
 */
import * as z from "zod/mini";
import { DAY_MS } from "../ratelimit/limit.ts";
import type { StateDocument } from "./document.ts";

export const SIGNAL_KINDS = [
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
  /** The tailnet has HTTPS certificates switched off, or the name isn't one of the node's. `code`: `switched_off` or `other_name`. */
  "https_not_enabled",
  "renewal_started",
  /** A renewal failed for a reason that is none of those above. `code`: `timeout`, the type of the issuer's error, or none. */
  "renewal_failed",
  /** An order failed for a reason that is none of those above. `code` likewise. */
  "order_failed",
  /** Suggested renewal times could not be asked for. */
  "renewal_info_failed",
  "account_registered",
] as const;
export type SignalKind = (typeof SIGNAL_KINDS)[number];

/** Lines of one kind about one name from one container, counted together. */
export interface LogSignal {
  readonly kind: SignalKind;
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
export interface EventSignal {
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
  /** No pod was seen that bears the account: it is the one that the operator makes for such a Secret. */
  readonly assumed?: boolean | undefined;
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

export const STATUS_SOURCES = [
  "logs",
  "events",
  "access",
  "renewal_info",
  "revocation",
  "transparency",
] as const;
export type StatusSource = (typeof STATUS_SOURCES)[number];

/** How far a source went at one place. A source that failed is a known unknown, never “nothing happened”. */
export interface SourceStatus {
  readonly source: StatusSource;
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
  /** Of a log: the time of the last line read, which a later read has to meet again to have missed nothing. */
  readonly lineMs?: number | null | undefined;
}

export interface Observations {
  readonly looks: readonly SourceStatus[];
  readonly signs: readonly LogSignal[];
  readonly events: readonly EventSignal[];
  readonly access: readonly AccessAnswer[];
  readonly windows: readonly RenewalWindow[];
  readonly revocations: readonly RevocationAnswer[];
}

export const NO_OBSERVATIONS: Observations = {
  looks: [],
  signs: [],
  events: [],
  access: [],
  windows: [],
  revocations: [],
};

/** Entries of one kind that are looked at, and that are kept. */
const MOST = {
  looks: 1_000,
  signs: 1_000,
  events: 300,
  access: 1_000,
  windows: 20_000,
  revocations: 20_000,
} as const satisfies Record<keyof Observations, number>;
/** How long after its last sight an entry is kept. */
const KEEP_MS = 30 * DAY_MS;
/** Likewise of what is about one certificate, which may be asked about rarely. */
const KEEP_ANSWERS_MS = 120 * DAY_MS;
/** ECMAScript's last instant, ms since the epoch. */
const LAST_MS = 8_640_000_000_000_000;

const text = z.string().check(z.maxLength(1_024));
const optionalText = z.nullable(text);
const instant = z.number().check(z.int(), z.minimum(-LAST_MS), z.maximum(LAST_MS));
const count = z.number().check(z.int(), z.positive());
const SCHEMAS = {
  looks: z.looseObject({
    source: z.enum(STATUS_SOURCES),
    scope: text,
    askedMs: instant,
    wholeMs: z.nullable(instant),
    code: optionalText,
    sinceMs: z.nullable(instant),
    unread: optionalText,
    lineMs: z.optional(z.nullable(instant)),
  }),
  signs: z.looseObject({
    kind: z.enum(SIGNAL_KINDS),
    code: optionalText,
    domain: optionalText,
    where: text,
    firstMs: instant,
    lastMs: instant,
    count,
    sample: text,
  }),
  events: z.looseObject({
    namespace: text,
    object: text,
    type: z.enum(["Normal", "Warning"]),
    reason: text,
    message: text,
    count,
    firstMs: instant,
    lastMs: instant,
  }),
  access: z.looseObject({
    secret: text,
    account: text,
    verb: text,
    allowed: z.boolean(),
    assumed: z.optional(z.boolean()),
    reason: text,
    sinceMs: instant,
    atMs: instant,
  }),
  windows: z.looseObject({
    issuer: text,
    serial: text,
    startMs: instant,
    endMs: instant,
    explanationUrl: optionalText,
    askedMs: instant,
    nextMs: instant,
  }),
  revocations: z.looseObject({
    issuer: text,
    serial: text,
    revokedMs: z.nullable(instant),
    reason: optionalText,
    list: text,
    askedMs: instant,
    nextMs: instant,
  }),
} as const;

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parseList<T extends z.ZodMiniType>(schema: T, value: unknown, most: number): z.infer<T>[] {
  if (!Array.isArray(value)) return [];
  return value.slice(0, most).flatMap((entry: unknown) => {
    const parsed = z.safeParse(schema, entry);
    return parsed.success ? [parsed.data] : [];
  });
}

/** Total: what isn't an observation is dropped. */
export function parseObservations(value: unknown): Observations {
  const stored = isRecord(value) ? value : {};
  return {
    looks: parseList(SCHEMAS.looks, stored["looks"], MOST.looks),
    signs: parseList(SCHEMAS.signs, stored["signs"], MOST.signs),
    events: parseList(SCHEMAS.events, stored["events"], MOST.events),
    access: parseList(SCHEMAS.access, stored["access"], MOST.access),
    windows: parseList(SCHEMAS.windows, stored["windows"], MOST.windows),
    revocations: parseList(SCHEMAS.revocations, stored["revocations"], MOST.revocations),
  };
}

/** What a state tells of other sources. */
export function observationsOf(state: Pick<StateDocument, "observations">): Observations {
  return state.observations === undefined ? NO_OBSERVATIONS : parseObservations(state.observations);
}

/** What makes two entries of a list the same. */
const KEYS: {
  readonly [K in keyof Observations]: (entry: Observations[K][number]) => readonly unknown[];
} = {
  looks: ({ source, scope }) => [source, scope],
  signs: ({ kind, code, domain, where }) => [kind, code, domain, where],
  events: ({ namespace, object, type, reason }) => [namespace, object, type, reason],
  access: ({ secret, account, verb }) => [secret, account, verb],
  windows: ({ issuer, serial }) => [issuer, serial],
  revocations: ({ issuer, serial }) => [issuer, serial],
};

/** One entry per key, sorted by key. */
function joined<T>(
  entries: readonly T[],
  keyOf: (entry: T) => readonly unknown[],
  join: (a: T, b: T) => T,
): readonly T[] {
  const byKey = new Map<string, T>();
  for (const entry of entries) {
    const key = JSON.stringify(keyOf(entry));
    const known = byKey.get(key);
    byKey.set(key, known === undefined ? entry : join(known, entry));
  }
  return [...byKey].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);
}

/** The later of two, by `atMs`; of two at one instant the choice doesn't depend on the order. */
function laterBy<T>(atMs: (entry: T) => number): (a: T, b: T) => T {
  return (a, b) => {
    if (atMs(a) !== atMs(b)) return atMs(a) > atMs(b) ? a : b;
    return JSON.stringify(a) <= JSON.stringify(b) ? a : b;
  };
}

const laterLook = laterBy<SourceStatus>(({ askedMs }) => askedMs);
const laterSign = laterBy<LogSignal>(({ lastMs }) => lastMs);
const laterEvent = laterBy<EventSignal>(({ lastMs }) => lastMs);
const laterAnswer = laterBy<AccessAnswer>(({ atMs }) => atMs);

function maxOrNull(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.max(a, b);
}

/** What two audits saw of one cluster, in any order; the same twice is the same. */
export function mergeObservations(a: Observations, b: Observations): Observations {
  return {
    looks: joined([...a.looks, ...b.looks], KEYS.looks, (x, y) => ({
      ...laterLook(x, y),
      wholeMs: maxOrNull(x.wholeMs, y.wholeMs),
    })),
    // Each of two audits counted on from what it found: the greater count holds what both saw.
    signs: joined([...a.signs, ...b.signs], KEYS.signs, (x, y) => ({
      ...laterSign(x, y),
      firstMs: Math.min(x.firstMs, y.firstMs),
      count: Math.max(x.count, y.count),
    })),
    events: joined([...a.events, ...b.events], KEYS.events, (x, y) => ({
      ...laterEvent(x, y),
      firstMs: Math.min(x.firstMs, y.firstMs),
      count: Math.max(x.count, y.count),
    })),
    access: joined([...a.access, ...b.access], KEYS.access, (x, y) => {
      const later = laterAnswer(x, y);
      return x.allowed === y.allowed
        ? { ...later, sinceMs: Math.min(x.sinceMs, y.sinceMs) }
        : later;
    }),
    windows: joined(
      [...a.windows, ...b.windows],
      KEYS.windows,
      laterBy(({ askedMs }) => askedMs),
    ),
    revocations: joined(
      [...a.revocations, ...b.revocations],
      KEYS.revocations,
      laterBy(({ askedMs }) => askedMs),
    ),
  };
}

function newest<T>(
  entries: readonly T[],
  keyOf: (entry: T) => readonly unknown[],
  atMs: (entry: T) => number,
  sinceMs: number,
  most: number,
): readonly T[] {
  const wanted = entries.filter((entry) => atMs(entry) >= sinceMs);
  if (wanted.length <= most) return wanted;
  const key = (entry: T): string => JSON.stringify(keyOf(entry));
  return wanted
    .toSorted((a, b) => atMs(b) - atMs(a) || (key(a) < key(b) ? -1 : 1))
    .slice(0, most)
    .toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** Without what is too old to tell anything, and the newest of each kind where there are too many. */
export function boundObservations(observations: Observations, nowMs: number): Observations {
  const since = nowMs - KEEP_MS;
  const answersSince = nowMs - KEEP_ANSWERS_MS;
  return {
    looks: newest(observations.looks, KEYS.looks, ({ askedMs }) => askedMs, since, MOST.looks),
    signs: newest(observations.signs, KEYS.signs, ({ lastMs }) => lastMs, since, MOST.signs),
    events: newest(observations.events, KEYS.events, ({ lastMs }) => lastMs, since, MOST.events),
    access: newest(observations.access, KEYS.access, ({ atMs }) => atMs, since, MOST.access),
    windows: newest(
      observations.windows,
      KEYS.windows,
      ({ askedMs }) => askedMs,
      answersSince,
      MOST.windows,
    ),
    revocations: newest(
      observations.revocations,
      KEYS.revocations,
      ({ askedMs }) => askedMs,
      answersSince,
      MOST.revocations,
    ),
  };
}

/** What is to be stored in place of `stored`: fields that this version doesn't know stay; `undefined` where there is nothing. */
export function storedObservations(stored: unknown, observations: Observations): unknown {
  const others = isRecord(stored) ? stored : {};
  if (
    Object.keys(others).length === 0 &&
    Object.values(observations).every((list: readonly unknown[]) => list.length === 0)
  )
    return undefined;
  return { ...others, ...observations };
}

/** What is to be stored of two states' observations, bounded. */
export function carryObservations(
  a: Pick<StateDocument, "observations">,
  b: Pick<StateDocument, "observations">,
  nowMs: number,
): unknown {
  const others = [a, b].map(({ observations }) => (isRecord(observations) ? observations : {}));
  return storedObservations(
    { ...others[0], ...others[1] },
    boundObservations(mergeObservations(observationsOf(a), observationsOf(b)), nowMs),
  );
}

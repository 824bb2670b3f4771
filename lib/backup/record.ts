/**
 * The backup of one certificate or of one ACME account key: its content, and the header that
 * describes it without a secret.
 *
 * A record holds key bytes (`data`): it lives in memory and in encrypted backups, nowhere else. A
 * header holds none and may be listed, printed and logged.
 *
 * Reading a header, the outer one of a document and the inner one of a manifest, is total: every
 * input gives a header or the first field that is wrong. Fields that this version doesn't know are
 * passed over, so that a later version may add some.
 *
 * What is wrong with a stored copy, as data. What is told never repeats a value of the content: a
 * copy that was opened holds a key.
 */
import { MAX_RECIPIENTS } from "./recipient.ts";

export type CopyProblemCode =
  /** `unreadable`: it can't be read. `unreachable`: the store failed when it was asked for. */
  | "unreadable"
  | "unreachable"
  /** The document: how it lies in the store. */
  | "too_large"
  | "truncated"
  | "not_json"
  | "not_a_copy"
  | "format_newer"
  | "header_invalid"
  | "digest_mismatch"
  /** The content: what was sealed. */
  | "not_a_manifest"
  | "kind_not_allowed"
  | "place_mismatch"
  | "field_not_allowed"
  | "label_not_allowed"
  | "annotation_not_allowed"
  | "type_not_allowed"
  | "value_invalid"
  | "headers_differ"
  | "version_mismatch";

export interface CopyProblem {
  readonly code: CopyProblemCode;
  /** Where in the document: `header.names`, `metadata.labels`, `data`. */
  readonly place: string;
  readonly found: string;
  readonly expected: string;
}

/**
 * A value in words: texts by their start, quoted; all else by its kind. Only for what holds no
 * secret.
 */
export function describe(value: unknown): string {
  if (typeof value === "string")
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  return describeKind(value);
}

/** The kind of a value, without the value. */
export function describeKind(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object") return "an object";
  if (typeof value === "string") return "text";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return typeof value;
}

/** An object of JSON, of own properties only; `null` for all else. */
export function asObject(value: unknown): Readonly<Record<string, unknown>> | null {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}

/** An own property: what was parsed may hold `__proto__`, `constructor` and the like. */
export function ownValue(object: Readonly<Record<string, unknown>>, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** The format that this version writes, and the newest that it reads. */
export const BACKUP_FORMAT = 1;

/**
 * `standby` was imported by a person; `replaced` is what a restore took the place of, whatever its
 * verdict.
 */
export const COPY_KINDS = ["certificate", "account-key", "standby", "replaced"] as const;
export type CopyKind = (typeof COPY_KINDS)[number];

type Check<T> = (value: unknown) => value is T;

interface Rule<T> {
  readonly check: Check<T>;
  readonly expected: string;
}

function asField<T>(check: Check<T>, expected: string): Rule<T> {
  return { check, expected };
}

/**
 * Far more than an issuer signs: whatever a certificate holds that was worth a copy has to be read
 * back.
 */
const MAX_NAMES = 20_000;
const MAX_TEXT = 100_000;

const text: Check<string> = (value): value is string =>
  typeof value === "string" && value.length <= MAX_TEXT;
const filled: Check<string> = (value): value is string => text(value) && value.length > 0;
const matching =
  (pattern: RegExp): Check<string> =>
  (value): value is string =>
    text(value) && pattern.test(value);
const orNull =
  (check: Check<string>): Check<string | null> =>
  (value): value is string | null =>
    value === null || check(value);
const listOf =
  (check: Check<string>, most: number): Check<readonly string[]> =>
  (value): value is readonly string[] =>
    Array.isArray(value) && value.length <= most && value.every((item) => check(item));

const SHA256 = /^[0-9a-f]{64}$/;
const INSTANT = /^-?\d{4,6}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;
const kind: Check<CopyKind> = (value): value is CopyKind =>
  COPY_KINDS.some((known) => known === value);

const instant = asField(orNull(matching(INSTANT)), "an RFC 3339 instant or null");

/**
 * A header's fields, in the order in which they are written: none is a secret, and all but the
 * place come from the content.
 */
const FIELDS = {
  /** Registered name of the cluster, or the key of its identity where it has none. */
  cluster: asField(filled, "a cluster's name"),
  /** Key of the cluster's identity: `uid-…`, `ca-…` or `server-…`. */
  clusterIdentity: asField(filled, "a cluster's identity"),
  namespace: asField(filled, "a namespace's name"),
  secret: asField(filled, "a Secret's name"),
  /** The Secret's layout. */
  shape: asField(filled, "the name of a shape"),
  /**
   * What the names of the fields begin with: `shop.example.ts.net` of `shop.example.ts.net.crt`,
   * `tls` of `tls.crt`.
   */
  fieldBase: asField(filled, "what the fields' names begin with"),
  kind: asField(kind, `one of ${COPY_KINDS.join(", ")}`),
  /** Lower-cased, sorted, without doubles; empty for an account key. */
  names: asField(listOf(text, MAX_NAMES), `a list of at most ${MAX_NAMES} names`),
  /** Id of a known issuer, or `null`. */
  issuer: asField(orNull(filled), "an issuer's id or null"),
  issuerName: asField(text, "an issuer's name"),
  /** `null` where there is no readable leaf, as for an account key. The four below likewise. */
  serial: asField(orNull(matching(/^-?[0-9a-f:]+$/i)), "a hexadecimal number or null"),
  /** SHA-256 of the leaf's DER. */
  leafSha256: asField(orNull(matching(SHA256)), "64 hexadecimal digits or null"),
  notBefore: instant,
  notAfter: instant,
  issuedAt: instant,
  /** RFC 7638 thumbprint of the ACME account key seen beside it; `null` where there was none. */
  accountThumbprint: asField(
    orNull(matching(/^[A-Za-z0-9_-]{43}$/)),
    "an RFC 7638 thumbprint or null",
  ),
};

type Fields = typeof FIELDS;
export type CopyFacts = {
  readonly [K in keyof Fields]: Fields[K] extends Rule<infer T> ? T : never;
};

/** Of what has no leaf, such as an account key. */
export const NO_LEAF = {
  names: [],
  issuer: null,
  issuerName: "",
  serial: null,
  leafSha256: null,
  notBefore: null,
  notAfter: null,
  issuedAt: null,
} as const satisfies Partial<CopyFacts>;

/** The facts alone, in the order in which they are written. */
export function factsOf(from: CopyFacts): CopyFacts {
  const facts = Object.keys(FIELDS).map((name) => [name, from[name as keyof CopyFacts]] as const);
  return Object.fromEntries(facts) as unknown as CopyFacts;
}

/**
 * What is to be backed up: the header, what adoption depends on, and the values as the API gives
 * them.
 */
export interface BackupRecord {
  readonly header: CopyFacts;
  /** Type of the Secret, such as `kubernetes.io/tls`. */
  readonly type: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Base64 by field name. */
  readonly data: Readonly<Record<string, string>>;
}

/** A header before it is sealed: the facts, and for whom. */
export interface DraftHeader extends CopyFacts {
  /** `age1…`, sorted, without doubles. */
  readonly recipients: readonly string[];
}

/** The header of a stored copy. */
export interface BackupHeader extends DraftHeader {
  /** SHA-256 of the text `sealed` in UTF-8, lower-case hexadecimal. */
  readonly digest: string;
}

/** By UTF-16 code units: the same on every machine, whatever its locale. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Sorted, without doubles: the form in which recipients enter a header and a version. */
export function sortedSet(values: readonly string[]): readonly string[] {
  return [...new Set(values)].toSorted(compareText);
}

type Parsed<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: CopyProblem };

function failed(
  place: string,
  found: string,
  expected: string,
): { readonly ok: false; readonly problem: CopyProblem } {
  return { ok: false, problem: { code: "header_invalid", place, found, expected } };
}

/** The facts of a header. `place` is the header's own, for the problem. */
export function parseFacts(raw: unknown, place: string): Parsed<CopyFacts> {
  const object = asObject(raw);
  if (object === null) return failed(place, describe(raw), "a header");
  for (const [field, rule] of Object.entries(FIELDS)) {
    const value = ownValue(object, field);
    if (!rule.check(value)) return failed(`${place}.${field}`, describe(value), rule.expected);
  }
  return { ok: true, value: factsOf(object as unknown as CopyFacts) };
}

/** The whole header of a document. */
export function parseHeader(raw: unknown): Parsed<BackupHeader> {
  const facts = parseFacts(raw, "header");
  if (!facts.ok) return facts;
  const object = asObject(raw) ?? {};
  const recipients = ownValue(object, "recipients");
  if (!listOf(matching(/^[\x21-\x7e]+$/), MAX_RECIPIENTS)(recipients) || recipients.length === 0) {
    return failed("header.recipients", describe(recipients), "a list of age recipients");
  }
  const digest = ownValue(object, "digest");
  if (!matching(SHA256)(digest))
    return failed("header.digest", describe(digest), "64 hexadecimal digits");
  return { ok: true, value: { ...facts.value, recipients: [...recipients], digest } };
}

/**
 * Reading a header, the outer one of a document and the inner one of a manifest, from untrusted input.
 * Total: every input gives a header or the first field that is wrong. Fields that this version doesn't
 * know are passed over, so that a later version may add some.
 */
import { type CopyProblem, asObject, describe, ownValue } from "./problem.ts";
import { MAX_RECIPIENTS } from "./recipient.ts";
import { type BackupHeader, COPY_KINDS, type CopyFacts, type CopyKind, factsOf } from "./record.ts";

type Check<T> = (value: unknown) => value is T;

interface Rule {
  readonly check: Check<unknown>;
  readonly expected: string;
}

/** Far more than an issuer signs: whatever a certificate holds that was worth a copy has to be read back. */
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

const instantRule: Rule = {
  check: orNull(matching(INSTANT)),
  expected: "an RFC 3339 instant or null",
};

const FACTS: Readonly<Record<keyof CopyFacts, Rule>> = {
  cluster: { check: filled, expected: "a cluster's name" },
  clusterIdentity: { check: filled, expected: "a cluster's identity" },
  namespace: { check: filled, expected: "a namespace's name" },
  secret: { check: filled, expected: "a Secret's name" },
  shape: { check: filled, expected: "the name of a shape" },
  fieldBase: { check: filled, expected: "what the fields' names begin with" },
  kind: { check: kind, expected: `one of ${COPY_KINDS.join(", ")}` },
  names: { check: listOf(text, MAX_NAMES), expected: `a list of at most ${MAX_NAMES} names` },
  issuer: { check: orNull(filled), expected: "an issuer's id or null" },
  issuerName: { check: text, expected: "an issuer's name" },
  serial: { check: orNull(matching(/^-?[0-9a-f:]+$/i)), expected: "a hexadecimal number or null" },
  leafSha256: { check: orNull(matching(SHA256)), expected: "64 hexadecimal digits or null" },
  notBefore: instantRule,
  notAfter: instantRule,
  issuedAt: instantRule,
  accountThumbprint: {
    check: orNull(matching(/^[A-Za-z0-9_-]{43}$/)),
    expected: "an RFC 7638 thumbprint or null",
  },
};

export type Parsed<T> =
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
  for (const [field, rule] of Object.entries(FACTS)) {
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

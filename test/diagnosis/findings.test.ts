/**
 * Findings from what other sources told: when each begins, when it ends, and that nothing a log
 * holds gets further than a quotation.
 */
import { NOW_MS } from "../finding/fixture.ts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { evaluateState } from "../../lib/finding/evaluate.ts";
import type { StateDocument } from "../../lib/state/document.ts";
import {
  observationsOf,
  parseObservations,
  type Observations,
} from "../../lib/state/observations.ts";
import { type LogSignal, type RevocationAnswer, SIGNAL_KINDS } from "../../lib/state/signals.ts";
import {
  acrossOf,
  answer,
  DAY_MS,
  event,
  HOUR_MS,
  iso,
  issued,
  KEY,
  MINUTE,
  NAME,
  observed,
  sign,
  window,
} from "./support.ts";
import { certificate, NOW, secret, state } from "../finding/fixture.ts";
import { attachCauses } from "../../lib/diagnosis/attach.ts";
import { Doctor } from "../../lib/diagnosis/diagnose.ts";
import { issuanceFindings } from "../../lib/finding/issuance.ts";
import { findingCommand } from "../../lib/report/command.ts";
import type { Finding } from "../../lib/finding/finding.ts";
import { findingDocument } from "../../lib/report/phrases.ts";
import { measureDocument } from "../../lib/report/phrases/measures.ts";

const AGED = issued(10 * DAY_MS, "b2");
const shop = (
  told: Partial<Observations>,
  over: Parameters<typeof secret>[0] = {},
): StateDocument =>
  state({ [KEY]: secret({ certificates: { tls: AGED }, ...over }) }, observed(told));
const codes = (of: StateDocument): string[] =>
  evaluateState(of, NOW_MS, NOW)
    .map(({ code, severity }) => `${code} ${severity}`)
    .toSorted();
const last = (ago: number): Pick<LogSignal, "firstMs" | "lastMs"> => ({
  firstMs: NOW_MS - ago - MINUTE,
  lastMs: NOW_MS - ago,
});

function seen(finding: Finding | undefined): string {
  return finding === undefined ? "" : findingDocument(finding).seen;
}

describe("what a log tells, and when it ends", () => {
  it.each([
    [
      "issued and lost",
      [sign("store_write_failed", { code: "forbidden" })],
      ["issued_not_stored critical"],
    ],
    [
      "issued and lost, of another name",
      [sign("store_write_failed", { domain: "else.tail1a2b3.ts.net" })],
      ["issued_not_stored critical"],
    ],
    [
      "issued and lost, six days ago",
      [sign("store_write_failed", last(7 * DAY_MS - 1))],
      ["issued_not_stored critical"],
    ],
    ["issued and lost, a week ago", [sign("store_write_failed", last(7 * DAY_MS))], []],
    ["issued and lost before what is stored", [sign("store_write_failed", last(11 * DAY_MS))], []],
    [
      "one that was issued since is no success of storing",
      [sign("store_write_failed"), sign("issued", last(MINUTE))],
      ["issued_not_stored critical"],
    ],
    [
      "a failed read",
      [sign("store_read_failed", { code: "unavailable" })],
      ["storage_failing warning"],
    ],
    ["a failed read of yesterday", [sign("store_read_failed", last(DAY_MS))], []],
    [
      "a failed read beside a failed write",
      [sign("store_read_failed"), sign("store_write_failed")],
      ["issued_not_stored critical"],
    ],
    ["DNS", [sign("dns_failed", { code: "resolver" })], ["dns_failing warning"]],
    ["DNS, a day ago", [sign("dns_failed", last(DAY_MS))], []],
    ["DNS, and one issued since", [sign("dns_failed"), sign("issued", last(MINUTE))], []],
    ["HTTPS not enabled", [sign("https_not_enabled")], ["dns_failing warning"]],
    ["another account's", [sign("replaces_refused")], ["account_key_lost critical"]],
    ["another account's, before what is stored", [sign("replaces_refused", last(12 * DAY_MS))], []],
    ["a paused account, while what is live is valid", [sign("paused")], ["rate_limited warning"]],
    [
      "too many orders, within three hours",
      [sign("rate_limited", { code: "orders" })],
      ["rate_limited warning"],
    ],
    [
      "too many orders, four hours ago",
      [sign("rate_limited", { code: "orders", ...last(3 * HOUR_MS) })],
      [],
    ],
    [
      "a limit of sets that names no time",
      [sign("rate_limited", { code: "set" })],
      ["rate_limited warning"],
    ],
    [
      "a limit of sets that names no time, a day and a half ago",
      [sign("rate_limited", { code: "set", ...last(35 * HOUR_MS) })],
      [],
    ],
    [
      "a limit of sets, and one issued since",
      [sign("rate_limited", { code: "set" }), sign("issued", last(MINUTE))],
      [],
    ],
    [
      "a limit of domains that names no time",
      [sign("rate_limited", { code: "domain" })],
      ["rate_limited warning"],
    ],
    [
      "a limit of domains that names no time, four hours ago",
      [sign("rate_limited", { code: "domain", ...last(4 * HOUR_MS) })],
      [],
    ],
    [
      "a limit that isn't known",
      [sign("rate_limited", { code: "other" })],
      ["rate_limited warning"],
    ],
    ["a line from the future", [sign("store_write_failed", last(-DAY_MS))], []],
    [
      "a code of a prototype",
      [
        sign("rate_limited", { code: "constructor" }),
        sign("store_write_failed", { code: "toString" }),
      ],
      ["issued_not_stored critical"],
    ],
    ["no name, of a neighbour's pod", [sign("store_write_failed", { domain: null })], []],
  ])("%s", (_, signs, expected) => {
    expect(codes(shop({ signs }))).toEqual(expected);
  });

  it("is its controller's where the line names none", () => {
    const standalone = state(
      {
        "tailscale/ts-shop-x-0": secret({ shape: "standalone", certificates: { [NAME]: AGED } }),
        [KEY]: secret({ certificates: { tls: issued(10 * DAY_MS, "c3") } }),
      },
      observed({
        signs: [
          sign("replaces_refused", { domain: null, where: "tailscale/ts-shop-x-0/tailscale" }),
        ],
      }),
    );
    expect(evaluateState(standalone, NOW_MS, NOW)).toMatchObject([
      { code: "account_key_lost", subject: { secret: "ts-shop-x-0" } },
    ]);
  });

  it.each([
    ["not_found", "read before", -MINUTE, ["issued_not_stored critical"]],
    ["not_found", "read by a clock that may be wrong", MINUTE, ["issued_not_stored critical"]],
    ["not_found", "read since", 6 * MINUTE, []],
    ["forbidden", "read since", 6 * MINUTE, ["issued_not_stored critical"]],
  ] as const)("a write that failed (%s) to a Secret that was %s", (code, _name, ms, expected) => {
    const signs = [sign("store_write_failed", { code, ...last(HOUR_MS) })];
    const recordedAt = new Date(NOW_MS - HOUR_MS + ms).toISOString();
    expect(codes(shop({ signs }, { recordedAt }))).toEqual(expected);
  });

  it("names the Secret, what was seen, since when, and a command", () => {
    const [finding] = evaluateState(
      shop({ signs: [sign("store_write_failed", { code: "not_found" })] }),
      NOW_MS,
      NOW,
    );
    expect(finding && findingDocument(finding)).toMatchObject({
      subject: { cluster: "prod", namespace: "tailscale", secret: NAME, name: NAME },
      seen:
        "A certificate was issued and couldn't be stored (not found), 3 times from " +
        "2026-11-23T10:00:00Z to 2026-11-23T11:00:00Z.",
      command: `certkeep explain ${NAME}`,
      cause: "issued_not_stored:not_found",
    });
  });

  it("tells of twenty names that a log made up, and counts the rest", () => {
    const signs = Array.from({ length: 900 }, (_, i) =>
      sign("store_write_failed", { domain: `x${i}.example.com` }),
    );
    const found = evaluateState(shop({ signs }), NOW_MS, NOW);
    expect(found).toHaveLength(21);
    expect(seen(found.at(-1))).toBe(
      "Logs report the same for 880 more names without a known Secret.",
    );
  });
});

describe("refusals", () => {
  const refusal = (over: object = {}): object => ({
    issuer: "letsencrypt",
    kind: "set",
    key: NAME,
    retryAtMs: NOW_MS + 5 * HOUR_MS,
    seenAtMs: NOW_MS - HOUR_MS,
    cluster: "prod",
    where: "tailscale/pg-0/tailscale",
    burst: 5,
    ...over,
  });
  const limited = (over: object = {}, rest: Parameters<typeof secret>[0] = {}): StateDocument => ({
    ...shop({}, rest),
    evidence: { refusals: [refusal(over)] },
  });
  const broken = {
    certificates: { tls: certificate({ ...AGED, windows: [], reasons: ["wrong_name"] }) },
  };
  it.each([
    ["while what is live is valid", limited(), ["rate_limited warning"]],
    [
      "while what is live is refused",
      limited({}, broken),
      ["certificate_invalid critical", "rate_limited critical"],
    ],
    ["whose time is over", limited({ retryAtMs: NOW_MS }), []],
    ["of another cluster", limited({ cluster: "dr" }), []],
    [
      "of a name that isn't there",
      limited({ key: "new.tail1a2b3.ts.net" }),
      ["rate_limited critical"],
    ],
    [
      "of the domain",
      limited({ kind: "domain", key: "tail1a2b3.ts.net" }),
      ["rate_limited warning"],
    ],
    ["after which one was issued", limited({ seenAtMs: NOW_MS - 11 * DAY_MS }), []],
    ["until the year 9999", limited({ retryAtMs: 253_402_300_799_000 }), []],
  ])("%s", (_, of, expected) => {
    expect(codes(of)).toEqual(expected);
  });
});

describe("a refusal's line", () => {
  const refused = sign("rate_limited", { code: "set", ...last(2 * HOUR_MS) });
  const kept = (over: object, code = "set", domain: string | null = NAME): StateDocument => ({
    ...shop({ signs: [{ ...refused, code, domain }] }),
    evidence: {
      refusals: [
        {
          issuer: "letsencrypt",
          kind: code,
          key: NAME,
          retryAtMs: NOW_MS - 1,
          seenAtMs: refused.lastMs,
          cluster: "prod",
          where: refused.where,
          burst: 5,
          ...over,
        },
      ],
    },
  });
  it.each([
    ["is told by the time that it names", kept({}), []],
    ["is told by that of the whole list of names", kept({ key: `${NAME},www.example.com` }), []],
    [
      "is told by that of its domain",
      kept({ kind: "domain", key: "tail1a2b3.ts.net" }, "domain"),
      [],
    ],
    ["is told by any of its pod where it names nobody", kept({}, "set", null), []],
    [
      "is told by itself beside one of another name",
      kept({ key: "other.tail1a2b3.ts.net" }),
      ["rate_limited warning"],
    ],
    [
      "is told by itself beside one of another pod",
      kept({ where: "tailscale/pg-1/tailscale" }),
      ["rate_limited warning"],
    ],
    [
      "is told by itself after one that was earlier",
      kept({ seenAtMs: NOW_MS - DAY_MS }),
      ["rate_limited warning"],
    ],
  ])("%s", (_, of, expected) => {
    expect(codes(of)).toEqual(expected);
  });

  it("says that the time isn't known", () => {
    expect(seen(evaluateState(shop({ signs: [refused] }), NOW_MS, NOW)[0])).toBe(
      "The issuer refused an order for too many certificates of the same names, 3 times from " +
        "2026-11-23T09:59:00Z to 2026-11-23T10:00:00Z; until when is unknown.",
    );
  });

  it("of a limit that isn't a certificate's ends when it says", () => {
    const orders = (until: string): LogSignal =>
      sign("rate_limited", {
        code: "orders",
        sample:
          `cert("${NAME}"): getCertPEM: 429 urn:ietf:params:acme:error:rateLimited: too many ` +
          `new orders (300) from this account in the last 3h0m0s, retry after ${until} UTC: see ` +
          "https://x",
      });
    expect(
      seen(evaluateState(shop({ signs: [orders("2026-11-23 12:00:01")] }), NOW_MS, NOW)[0]),
    ).toBe(
      "The issuer refused an order for too many new orders, 3 times from 2026-11-23T10:00:00Z " +
        "to 2026-11-23T11:00:00Z; until 2026-11-23T12:00:01Z.",
    );
    expect(codes(shop({ signs: [orders("2026-11-23 12:00:00")] }))).toEqual([]);
  });
});

describe("what the server and the issuer answer", () => {
  const revoked = (over: Partial<RevocationAnswer> = {}): RevocationAnswer => ({
    issuer: "letsencrypt",
    serial: "00:B2",
    revokedMs: NOW_MS - HOUR_MS,
    reason: "key_compromise",
    list: "http://ye1.c.lencr.org/34.crl",
    askedMs: NOW_MS - MINUTE,
    nextMs: NOW_MS,
    ...over,
  });
  it.each([
    [
      "may not patch",
      shop({ access: [answer("get", true), answer("patch", false)] }),
      ["storage_forbidden critical"],
    ],
    [
      "may not patch, as far as the account is the one that its operator makes",
      shop({
        access: [
          answer("get", false, { assumed: true }),
          answer("patch", false, { assumed: true }),
        ],
      }),
      ["storage_forbidden warning"],
    ],
    [
      "may not patch, and a pod bears the account by now",
      shop({ access: [answer("get", false, { assumed: true }), answer("patch", false)] }),
      ["storage_forbidden critical"],
    ],
    [
      "300 of a group without pods may not be written, which is said once",
      state(
        Object.fromEntries(
          Array.from({ length: 300 }, (_, i) => [`tailscale/s${i}`, secret({ uid: `u${i}` })]),
        ),
        observed({
          access: Array.from({ length: 300 }, (_, i) =>
            answer("patch", false, { secret: `tailscale/s${i}`, assumed: true }),
          ),
        }),
      ),
      ["storage_forbidden warning"],
    ],
    ["may", shop({ access: [answer("patch", true)] }), []],
    [
      "asked a week ago",
      shop({ access: [answer("patch", false, { atMs: NOW_MS - 7 * DAY_MS })] }),
      [],
    ],
    [
      "asked about a Secret that isn't there",
      shop({ access: [answer("patch", false, { secret: "tailscale/none" })] }),
      [],
    ],
    ["immutable", shop({}, { immutable: true }), ["storage_immutable critical"]],
    ["immutable, which nobody has to write", shop({}, { immutable: true, shape: "tls" }), []],
    [
      "an Event of its controller's pod",
      shop({ events: [event("TailscaleStateUpdateFailed")], access: [answer("patch", true)] }),
      ["storage_failing warning"],
    ],
    [
      "an Event of three hours ago",
      shop({
        events: [event("TailscaleStateUpdateFailed", { lastMs: NOW_MS - 3 * HOUR_MS })],
        access: [answer("patch", true)],
      }),
      [],
    ],
    [
      "an Event beside what is surer",
      shop({ events: [event("TailscaleStateUpdateFailed")], access: [answer("patch", false)] }),
      ["storage_forbidden critical"],
    ],
    [
      "an Event of another pod",
      shop({
        events: [event("TailscaleStateUpdateFailed", { object: "Pod/pg-x" })],
        access: [answer("patch", true)],
      }),
      [],
    ],
    ["revoked", shop({ revocations: [revoked()] }), ["certificate_revoked critical"]],
    ["on no list", shop({ revocations: [revoked({ revokedMs: null, reason: null })] }), []],
    ["another one revoked", shop({ revocations: [revoked({ serial: "b3" })] }), []],
    ["another issuer's of that serial", shop({ revocations: [revoked({ issuer: "other" })] }), []],
    ["a window in the past", shop({ windows: [window("b2")] }), ["renewal_window_forced warning"]],
    [
      "a window where it belongs",
      shop({
        windows: [window("b2", { startMs: NOW_MS + 50 * DAY_MS, endMs: NOW_MS + 52 * DAY_MS })],
      }),
      [],
    ],
    ["a window of what was replaced", shop({ windows: [window("a1")] }), []],
  ])("%s", (_, of, expected) => {
    expect(codes(of)).toEqual(expected);
  });

  it("says “as last seen” of a cluster that can't be reached", () => {
    const of = shop({ access: [answer("patch", false)] });
    const audit =
      of.audit === null
        ? null
        : {
            ...of.audit,
            lastReachedAt: iso(NOW_MS - HOUR_MS),
            unread: [{ scope: "cluster", code: "cluster_timeout", message: "no", since: NOW }],
          };
    expect(
      evaluateState({ ...of, audit }, NOW_MS, NOW).find(({ code }) => code === "storage_forbidden")
        ?.asLastSeen,
    ).toBe(iso(NOW_MS - HOUR_MS));
  });
});

const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 60 }),
  fc.constantFrom(
    "constructor",
    "__proto__",
    "",
    NAME,
    KEY,
    "tailscale/pg-0/tailscale",
    "letsencrypt",
    "system:serviceaccount:tailscale:pg",
    "Pod/pg-0",
    "forbidden",
    "b2",
  ),
);
const instant = fc.oneof(
  fc.integer({ min: -8_640_000_000_000_000, max: 8_640_000_000_000_000 }),
  fc.integer({ min: NOW_MS - 10 * DAY_MS, max: NOW_MS + DAY_MS }),
);
const nullable = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(of, { nil: null });
const anyObservations = fc.record({
  looks: fc.array(
    fc.record({
      source: fc.constantFrom("logs", "events", "access", "renewal_info"),
      scope: text,
      askedMs: instant,
      wholeMs: nullable(instant),
      code: nullable(text),
      sinceMs: nullable(instant),
      unread: nullable(text),
    }),
    { maxLength: 4 },
  ),
  signs: fc.array(
    fc.record({
      kind: fc.constantFrom(...SIGNAL_KINDS),
      code: nullable(text),
      domain: nullable(text),
      where: text,
      firstMs: instant,
      lastMs: instant,
      count: fc.integer({ min: 1 }),
      sample: text,
    }),
    { maxLength: 8 },
  ),
  events: fc.array(
    fc.record({
      namespace: text,
      object: text,
      type: fc.constantFrom("Normal", "Warning"),
      reason: fc.oneof(text, fc.constantFrom("TailscaleStateUpdateFailed", "HTTPSNotEnabled")),
      message: text,
      count: fc.integer({ min: 1 }),
      firstMs: instant,
      lastMs: instant,
    }),
    { maxLength: 4 },
  ),
  access: fc.array(
    fc.record({
      secret: text,
      account: text,
      verb: text,
      allowed: fc.boolean(),
      reason: text,
      sinceMs: instant,
      atMs: instant,
    }),
    { maxLength: 4 },
  ),
  windows: fc.array(
    fc.record({
      issuer: text,
      serial: text,
      startMs: instant,
      endMs: instant,
      explanationUrl: nullable(text),
      askedMs: instant,
      nextMs: instant,
    }),
    { maxLength: 3 },
  ),
  revocations: fc.array(
    fc.record({
      issuer: text,
      serial: text,
      revokedMs: nullable(instant),
      reason: nullable(text),
      list: text,
      askedMs: instant,
      nextMs: instant,
    }),
    { maxLength: 3 },
  ),
});

describe("whatever was observed", () => {
  it("gives findings and causes, and commands of nothing but safe words", () => {
    fc.assert(
      fc.property(fc.oneof(anyObservations, fc.anything()), (told) => {
        const of = state(
          { [KEY]: secret({ certificates: { tls: AGED } }) },
          { observations: told },
        );
        const across = acrossOf(of);
        const findings = attachCauses(
          [...evaluateState(of, NOW_MS, NOW), ...issuanceFindings(across, of)],
          of,
          across,
        );
        const doctor = new Doctor(of, across);
        const diagnoses = [
          ...doctor.all(),
          doctor.ofSet(null, NAME),
          doctor.ofSet("letsencrypt", "none.example.com"),
          doctor.ofDomain("letsencrypt", "tail1a2b3.ts.net"),
        ];
        const measures = diagnoses.flatMap(({ causes, missing }) => [
          ...causes.flatMap((cause) => cause.measures),
          ...missing.flatMap(({ measure }) => measure ?? []),
        ]);
        for (const { command } of measures.map(measureDocument))
          if (command !== null)
            expect(command).toMatch(/^(certkeep|kubectl)( [A-Za-z0-9._/:=-]+)+$/);
        for (const command of findings.map(findingCommand))
          if (command !== null) expect(command).toMatch(/^certkeep( [A-Za-z0-9._/:=-]+)+$/);
        expect(parseObservations(observationsOf(of))).toEqual(observationsOf(of));
      }),
      { numRuns: 300 },
    );
  });
});

/** Findings of every code with any parameters whatsoever, hostile text among them. */
import { NOW_MS } from "../finding/fixture.ts";
import fc from "fast-check";
import { HINT_KINDS } from "../../lib/certificate/hint.ts";
import type { Action } from "../../lib/finding/action.ts";
import { CODES, type FindingCode, SEVERITIES } from "../../lib/finding/codes.ts";
import { createFinding, type Draft, type Finding } from "../../lib/finding/finding.ts";
import type { FindingParams } from "../../lib/finding/params.ts";
import type { Advice } from "../../lib/ratelimit/advice.ts";
import type { Budget } from "../../lib/ratelimit/budget.ts";
import type { Issuance } from "../../lib/ratelimit/issuance.ts";
import { SIGNAL_KINDS } from "../../lib/state/signals.ts";
import type { Diagnosis } from "../../lib/diagnosis/cause.ts";
import type { Fact } from "../../lib/diagnosis/evidence.ts";
import { NOW } from "../finding/fixture.ts";

const EVIL = [
  "<!channel>",
  "<@U123>",
  "<https://evil.example|ok>",
  "@here",
  "*bold*",
  "`code`",
  "```\nrm -rf /\n```",
  "&lt;!channel&gt;",
  "\u202egnp.exe",
  "a\nb",
  "שלום",
  "e\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301",
  "x".repeat(253),
  "&".repeat(253),
  "<".repeat(500),
  ":tada:",
  "",
  "$(reboot)",
  "'; reboot #",
  "\ud800",
  "--apply",
  "😀".repeat(100),
];
export const evil = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...EVIL) },
  fc.string({ unit: "binary", maxLength: 300 }),
  fc.domain(),
);
const evils = fc.array(evil, { maxLength: 4 });
const ms = fc.constantFrom(NOW_MS, 0, NOW_MS + 86_400_000);
const msOrNull = fc.option(ms);
const owner = fc.constantFrom("tailscale", "cert-manager", "nobody");
const backup = fc.constantFrom("restorable", "none", "unknown");
const certificate = { serial: evil, notAfterMs: ms, owner };

const issuance: fc.Arbitrary<Issuance> = fc.record({
  issuer: evil,
  serial: evil,
  names: evils,
  set: evil,
  domains: evils,
  notBeforeMs: ms,
  notAfterMs: ms,
  sctMs: fc.constant(null),
  backdateMs: fc.constant(0),
  issuedAtMs: ms,
  basis: fc.constantFrom("sct", "not_before", "first_seen"),
  future: fc.boolean(),
  sources: fc.constant([]),
  verified: fc.boolean(),
  claimedBy: fc.option(evil),
});
const budget: fc.Arbitrary<Budget> = fc.record({
  kind: fc.constantFrom("set", "domain"),
  issuer: evil,
  key: evil,
  limit: fc.constant({ count: 5, burst: 5, periodNs: 604_800_000_000_000n }),
  atMs: fc.constant(NOW_MS),
  atMost: fc.nat(5),
  atLeast: fc.option(fc.nat(5)),
  because: fc.constant("no_complete_source"),
  unseenSinceMs: msOrNull,
  overshot: fc.boolean(),
  nextSlotMs: msOrNull,
  freeFromMs: ms,
  fullAtMs: msOrNull,
  spent: fc.nat(5),
  exempt: fc.constant(0),
  overshoots: fc.constant([]),
  later: fc.constant(0),
  pinnedBy: fc.constant(null),
  claims: fc.constant([]),
  overrideSeen: fc.constant(null),
});
const issued = {
  issuer: evil,
  key: evil,
  clusters: evils,
  issuances: fc.array(issuance, { maxLength: 12 }),
};
const sign = fc.record({
  kind: fc.constantFrom(...SIGNAL_KINDS),
  code: fc.option(evil),
  domain: fc.option(evil),
  where: evil,
  firstMs: ms,
  lastMs: ms,
  count: fc.nat(2000),
  sample: evil,
});
const event = fc.record({
  namespace: evil,
  object: evil,
  type: fc.constantFrom("Normal" as const, "Warning" as const),
  reason: evil,
  message: evil,
  count: fc.nat(9),
  firstMs: ms,
  lastMs: ms,
});
const reported = fc.oneof(
  fc.record({
    by: fc.constant("log" as const),
    signs: fc.array(sign, { minLength: 1, maxLength: 6 }),
    untilMs: msOrNull,
    safe: fc.boolean(),
    restore: fc.option(backup),
  }),
  fc.record({ by: fc.constant("event" as const), event }),
  fc.record({ by: fc.constant("unplaced" as const), count: fc.nat(99) }),
) as fc.Arbitrary<FindingParams["storage_failing"]>;
const lost = {
  of: fc.constant("one" as const),
  lastSeenMs: ms,
  parent: fc.constantFrom("stands", "removed", "unknown"),
  owner,
  serials: evils,
  backup,
};
const holder = fc.record({
  cluster: evil,
  namespace: evil,
  secret: evil,
  issuer: evil,
  set: evil,
  serial: evil,
  firstSeenMs: ms,
});
const unread = { code: evil, message: evil, lastReachedMs: msOrNull };

/** By code: whatever a rule may give it. */
const shownIdentity = fc.record({
  uid: fc.option(evil),
  caSha256: fc.option(evil),
  host: fc.option(evil),
});

const PARAMS: { readonly [C in FindingCode]: fc.Arbitrary<FindingParams[C]> } = {
  secret_lost: fc.oneof(
    fc.record(lost),
    fc.record({
      of: fc.constant("many"),
      count: fc.nat(99),
      restorable: fc.nat(99),
      backup,
      incident: evil,
      fromMs: ms,
      untilMs: ms,
      keys: evils,
    }),
  ),
  secret_removed: fc.record(lost),
  fields_emptied: fc.record({
    certificate: fc.option(fc.record({ serial: evil, notAfterMs: ms })),
    names: evils,
    owner,
    missing: fc.constantFrom("key", "certificate", "both"),
    backup,
  }),
  certificate_pending: fc.record({ emptyMs: fc.nat(999_999_999) }),
  certificate_invalid: fc.record({
    certificate: fc.option(fc.record({ serial: evil, notAfterMs: ms, keyFits: fc.boolean() })),
    gap: fc.option(evil),
    reasons: evils,
    hints: fc.array(
      fc.record({
        field: fc.oneof(fc.constantFrom("certificate", "key"), evil),
        kind: fc.oneof(fc.constantFrom(...HINT_KINDS), evil),
        at: fc.option(fc.nat(9)),
      }),
      { maxLength: 2 },
    ),
    owner,
    backup,
  }),
  expired: fc.oneof(
    fc.record({ ...certificate, backup }),
    fc.record({ ...certificate, backup, newName: evil }),
  ),
  expiring: fc.record({ ...certificate, backup, renewalMs: ms }),
  renewal_overdue: fc.record({ ...certificate, backup, renewalMs: ms }),
  rebuilt_not_restored: fc.record({
    title: evil,
    rebuiltMs: ms,
    count: fc.nat(90),
    restorable: fc.nat(9),
    backup,
    names: evils,
  }),
  backup_missing: fc.oneof(
    fc.record({ of: fc.constantFrom("certificate", "account_key"), reason: evil }),
    fc.record({
      of: fc.constant("all"),
      count: fc.nat(9),
      reason: fc.constant("no_recipients"),
    }),
  ),
  backup_unreadable: fc.oneof(
    fc.record({
      of: fc.constant("one"),
      version: evil,
      key: fc.option(evil),
      code: fc.option(evil),
      detail: evil,
    }),
    fc.record({ of: fc.constant("more"), count: fc.nat(9), drilledMs: ms }),
  ),
  backup_quota: fc.record({ waiting: fc.nat(9), made: fc.nat(9), day: evil }),
  certificate_revoked: fc.record({
    serial: evil,
    revokedMs: ms,
    reason: fc.option(evil),
    list: evil,
    askedMs: ms,
  }),
  issued_not_stored: reported,
  rate_limited: fc.oneof(
    reported,
    fc.record({
      by: fc.constant("refusal"),
      kind: fc.constantFrom("set", "domain"),
      key: evil,
      untilMs: ms,
      seenMs: ms,
      where: evil,
      burst: fc.option(fc.nat(50)),
      safe: fc.boolean(),
      restore: fc.option(backup),
    }),
  ),
  storage_forbidden: fc.record({
    secrets: fc.integer({ min: 1, max: 300 }),
    accounts: evils,
    verbs: evils,
    sinceMs: ms,
    assumed: fc.boolean(),
    answers: fc.array(fc.record({ account: evil, verb: evil, reason: evil, askedMs: ms })),
  }),
  storage_immutable: fc.record({ readMs: ms, recreates: fc.boolean() }),
  storage_failing: reported,
  dns_failing: reported,
  account_key_lost: reported,
  renewal_window_forced: fc.record({
    serial: evil,
    startMs: ms,
    endMs: ms,
    askedMs: ms,
    explanationUrl: fc.option(evil),
  }),
  set_budget_low: fc.record({ ...issued, budget }),
  set_budget_exhausted: fc.record({
    ...issued,
    budget,
    safe: fc.boolean(),
    restorable: fc.boolean(),
  }),
  domain_budget_low: fc.record({ ...issued, budget }),
  domain_budget_exhausted: fc.record({ ...issued, budget }),
  reissued_without_need: fc.record({ ...issued, holders: fc.option(fc.nat(9)) }),
  concurrent_issuance: fc.record(issued),
  shared_set: fc.record({
    ...issued,
    places: fc.array(holder, { maxLength: 12 }),
    sameSerial: fc.boolean(),
  }),
  clock_off: fc.record({ recordedMs: ms }),
  credential_expiring: fc.record({
    title: evil,
    restores: fc.boolean(),
    kind: evil,
    endsMs: msOrNull,
    madeMs: msOrNull,
    ended: fc.boolean(),
  }),
  cluster_named_twice: fc.record({ title: evil, first: evil }),
  cluster_replaced: fc.record({
    title: evil,
    kind: fc.constantFrom("another", "ca", "uid", "address"),
    pinned: shownIdentity,
    seen: shownIdentity,
  }),
  audit_incomplete: fc.oneof(
    fc.record({ of: fc.constant("part"), ...unread }),
    fc.record({ of: fc.constant("stale"), title: evil, finishedMs: msOrNull }),
    fc.record({
      of: fc.constant("namespaces"),
      namespaces: evils,
      mayBeDeleted: fc.boolean(),
      count: fc.nat(99),
      restorable: fc.nat(99),
      lastReachedMs: msOrNull,
    }),
    fc.record({ of: fc.constant("never") }),
    fc.record({ of: fc.constant("unreadable"), newer: fc.boolean() }),
  ),
  cluster_unreachable: fc.record(unread),
};

const restore = fc.record({
  kind: fc.constant("restore" as const),
  cluster: evil,
  names: evils,
  all: fc.boolean(),
  namespace: fc.option(evil),
  createNamespace: fc.boolean(),
  replace: fc.boolean(),
  standby: fc.boolean(),
});
const action: fc.Arbitrary<Action> = fc.oneof(
  restore,
  fc.record({
    kind: fc.constant("invoke"),
    by: fc.record({ name: fc.constant("certkeep-restore"), region: fc.constant("eu-west-1") }),
    restore,
  }),
  fc.record({ kind: fc.constant("explain"), name: evil }),
  fc.record({ kind: fc.constant("audit"), cluster: evil }),
  fc.record({ kind: fc.constant("doctor"), cluster: fc.option(evil) }),
  fc.record({ kind: fc.constant("clustersAdd"), cluster: evil, rebuilt: fc.boolean() }),
  fc.record({ kind: fc.constant("pin"), cluster: evil }),
  fc.record({ kind: fc.constant("backups"), version: evil }),
  fc.record({ kind: fc.constantFrom("drill", "init") }),
);
const advice: fc.Arbitrary<Advice> = fc.record({
  action: fc.constantFrom("restore", "reissue", "wait", "unknown"),
  because: fc.subarray(["copies_unread", "issuer_unknown", "limit_unknown"]),
  left: fc.constant(null),
  untilMs: msOrNull,
  otherWays: fc.subarray(["other_host_name", "staging"]),
  set: fc.option(budget),
  domains: fc.array(budget, { maxLength: 2 }),
});
const because: fc.Arbitrary<Fact> = fc.oneof(
  fc.record({
    kind: fc.constant("names_churn"),
    pattern: evil,
    names: evils,
    gone: fc.nat(99),
    lastMs: ms,
  }),
  fc.record({ kind: fc.constant("rejected"), reasons: evils, readMs: ms }),
  fc.record({ kind: fc.constant("logged"), signal: sign, asMissing: fc.boolean() }),
);
const diagnosis: fc.Arbitrary<Diagnosis> = fc.record({
  cluster: evil,
  kind: fc.constantFrom("set", "domain"),
  issuer: fc.option(evil),
  key: evil,
  verdict: fc.constantFrom("caused", "unknown"),
  needlessMs: fc.array(ms, { maxLength: 2 }),
  causes: fc.array(
    fc.record({
      code: fc.constantFrom("storage", "dns", "race"),
      confidence: fc.constantFrom("proven", "likely", "possible"),
      because,
      evidence: fc.constant([]),
      measures: fc.constant([]),
      overMs: msOrNull,
    }),
    { maxLength: 3 },
  ),
  missing: fc.constant([]),
});

/** Any finding of this cluster. */
export function anyFinding(cluster: string): fc.Arbitrary<Finding> {
  return fc.constantFrom(...(Object.keys(CODES) as FindingCode[])).chain((code) =>
    fc
      .record({
        severity: fc.constantFrom(...SEVERITIES),
        namespace: fc.option(evil),
        secret: fc.option(evil),
        name: fc.option(evil),
        params: PARAMS[code] as fc.Arbitrary<unknown>,
        actions: fc.array(action, { maxLength: 2 }),
        cause: fc.array(evil, { maxLength: 1 }),
        due: fc.option(evil),
        advice: fc.option(advice),
        why: fc.option(diagnosis),
      })
      .map(({ namespace, secret, name, advice: advised, why, ...rest }) => ({
        ...createFinding(
          { code, ...rest, subject: { cluster, namespace, secret, name } } as Draft,
          NOW,
        ),
        advice: advised,
        why,
      })),
  );
}

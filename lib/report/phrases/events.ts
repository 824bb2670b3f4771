/** What happened, one clause for an item's first line: of one with figures, of several without. */
import type { FindingCode } from "../../finding/codes.ts";
import type { FindingOf } from "../../finding/finding.ts";
import type { FindingParams } from "../../finding/params.ts";
import { writeFailureText } from "./causes.ts";
import { reasonText } from "./reasons.ts";
import { issuerOf, codeText, times } from "./phrase.ts";
import { at, own, say, type Text } from "../part.ts";
import { count, span } from "../text.ts";

interface Event<C extends FindingCode> {
  readonly one: (finding: FindingOf<C>, nowMs: number) => Text;
  /** Of several with the same cause; absent: the same clause as of one. */
  readonly many?: (finding: FindingOf<C>) => Text;
}

function inTime(ms: number, nowMs: number, verbs: readonly [will: string, did: string]): string {
  return ms >= nowMs ? `${verbs[0]} in ${span(ms - nowMs)}` : `${verbs[1]} ${span(nowMs - ms)} ago`;
}

const EXPIRES = ["expires", "expired"] as const;
const DUE = ["renewal is due", "renewal was due"] as const;

const MISSING: Readonly<Record<FindingParams["fields_emptied"]["missing"], string>> = {
  key: "private key missing from the Secret",
  certificate: "certificate missing from the Secret",
  both: "Secret is empty",
};

const UNREACHED: ReadonlyMap<string, string> = new Map([
  ["cluster_unauthorized", "credential rejected (401)"],
  ["cluster_timeout", "the API server doesn't answer"],
  ["cluster_tls", "the API server's certificate isn't trusted"],
  ["cluster_rejected", "the API server rejects requests"],
  ["cluster_answer_invalid", "the API server's answer can't be read"],
  ["kubeconfig_invalid", "the kubeconfig can't be used"],
  ["context_unknown", "the context is missing from the kubeconfig"],
  ["deadline", "the audit ran out of time"],
]);

function unreachedText(code: string): string {
  return UNREACHED.get(code) ?? "can't be reached";
}

function failures(params: FindingParams["storage_failing"]): string {
  if (params.by === "unplaced") return "";
  const n = params.by === "log" ? params.signs[0].count : params.event.count;
  return n > 1 ? `, ${times(n)}` : "";
}

function reported(what: string): Event<"storage_failing" | "dns_failing" | "account_key_lost"> {
  return {
    one: ({ params }) =>
      params.by === "unplaced"
        ? say`${own(what)} for ${params.count} more names without a known Secret`
        : own(`${what}${failures(params)}`),
    many: () => own(what),
  };
}

function lostCount(n: number): string {
  return `${count(n, "certificate")} lost`;
}

/** Shorter than what a page about the verdict says. */
const INVALID: Readonly<Record<string, string>> = {
  missing_intermediate: "intermediate missing from the chain",
  key_mismatch: "private key doesn't match the certificate",
  unknown_issuer: "not signed by a trusted CA",
  name_mismatch: "certificate is for another name",
  certificate_empty: "certificate missing from the Secret",
  key_empty: "private key missing from the Secret",
};

function invalidText(reasons: readonly string[]): Text {
  const [only] = reasons;
  const short = reasons.length === 1 && only !== undefined && Object.hasOwn(INVALID, only);
  return short ? own(INVALID[only] ?? "") : say`${reasonText(reasons)}`;
}

function overdueText(
  { notAfterMs, renewalMs }: { readonly notAfterMs: number; readonly renewalMs: number },
  nowMs: number,
): Text {
  return own(`${inTime(notAfterMs, nowMs, EXPIRES)}, ${inTime(renewalMs, nowMs, DUE)}`);
}

/** A Secret whose parent is unknown may have been deleted on purpose. */
function unlessIntended({ parent }: Pick<FindingParams["secret_removed"], "parent">): string {
  return parent === "unknown" ? ", perhaps deleted on purpose" : "";
}

type Events = { readonly [C in FindingCode]: Event<C> };

const EVENTS: Events = {
  secret_lost: {
    one: ({ params }) =>
      params.of === "many"
        ? own(lostCount(params.count))
        : say`Secret missing (last seen ${at(params.lastSeenMs)})${own(unlessIntended(params))}`,
    many: ({ params }) =>
      params.of === "many"
        ? own(lostCount(params.count))
        : own(`Secret missing${unlessIntended(params)}`),
  },
  secret_removed: {
    one: ({ params }) =>
      own(
        params.parent === "replaced"
          ? "Secret deleted; what it belonged to names other hosts now"
          : "Secret deleted together with what it belonged to, perhaps on purpose",
      ),
  },
  fields_emptied: { one: ({ params }) => own(MISSING[params.missing]) },
  certificate_pending: {
    one: ({ params }) => say`no certificate yet, empty for ${own(span(params.emptyMs))}`,
    many: () => own("no certificate yet"),
  },
  certificate_invalid: { one: ({ params: { reasons } }) => invalidText(reasons) },
  expired: {
    one: ({ params }, nowMs) => own(inTime(params.notAfterMs, nowMs, EXPIRES)),
    many: () => own("expired"),
  },
  expiring: {
    one: ({ params }, nowMs) => overdueText(params, nowMs),
    many: () => own("about to expire, not renewed"),
  },
  renewal_overdue: {
    one: ({ params }, nowMs) => overdueText(params, nowMs),
    many: () => own("renewal is overdue"),
  },
  backup_missing: {
    one: ({ params }) =>
      params.of === "all"
        ? say`${own(count(params.count, "valid certificate"))}
            ${own(params.count === 1 ? "isn't" : "aren't")} backed up: no encryption key is set up`
        : say`${own(params.of === "account_key" ? "ACME account key" : "certificate")} not backed
            up: ${codeText(params.reason)}`,
  },
  backup_unreadable: {
    one: ({ params }) =>
      params.of === "more"
        ? own(`${count(params.count, "more backup")} can't be used`)
        : own("can't be used"),
    many: () => own("backups can't be used"),
  },
  backup_quota: {
    one: ({ params }) =>
      own(`daily limit of backups reached: ${count(params.waiting, "certificate")} not backed up`),
  },
  certificate_revoked: {
    one: ({ params }) => say`certificate revoked (${at(params.revokedMs)})`,
    many: () => own("certificate revoked"),
  },
  issued_not_stored: {
    one: ({ params }) =>
      params.by === "unplaced"
        ? say`certificates issued and lost for ${params.count} more names without a known Secret`
        : own(`${lostIssuances(params)} issued and lost: the Secret can't be written`),
    many: () => own("certificates issued and lost: the Secret can't be written"),
  },
  rate_limited: {
    one: (finding) => refusalText(finding),
    many: () => own("rate limited (429)"),
  },
  storage_forbidden: {
    one: ({ params: { secrets } }) =>
      own(
        secrets === 1
          ? "its controller isn't allowed to write the Secret (403)"
          : `the controller isn't allowed to write ${count(secrets, "Secret")} (403)`,
      ),
  },
  storage_immutable: { one: () => own("Secret is immutable: renewals can't be stored") },
  storage_failing: reported("reading or writing the Secret fails"),
  dns_failing: reported("DNS blocks new certificates"),
  account_key_lost: reported("ACME account key lost: renewals are refused"),
  renewal_window_forced: {
    one: ({ params }) => say`the issuer asks for renewal before it is due, by ${at(params.endMs)}`,
    many: () => own("the issuer asks for renewal before it is due"),
  },
  set_budget_low: {
    one: ({ params: { budget } }) =>
      own(`close to its rate limit: ${budget.atMost} of ${budget.limit.burst} issuances left`),
    many: () => own("close to their rate limit"),
  },
  set_budget_exhausted: {
    one: ({ params: { budget } }) =>
      say`0 of ${budget.limit.burst} issuances left until ${at(budget.freeFromMs)}`,
    many: ({ params: { budget } }) => say`0 of ${budget.limit.burst} issuances left`,
  },
  domain_budget_low: {
    one: ({ params: { budget } }) =>
      own(
        `close to its rate limit: ${budget.atMost} of ${budget.limit.burst} issuances left for ` +
          "new names",
      ),
  },
  domain_budget_exhausted: {
    one: ({ params: { budget } }) =>
      say`0 of ${budget.limit.burst} issuances left for new names until ${at(budget.freeFromMs)}`,
  },
  reissued_without_need: {
    one: ({ params: { issuances } }) =>
      own(`reissued needlessly, ${times(Math.max(1, issuances.length - 1))} within a week`),
    many: () => own("reissued needlessly"),
  },
  concurrent_issuance: {
    one: ({ params: { issuances } }) =>
      own(`issued ${times(issuances.length)} within minutes of each other`),
    many: () => own("issued several times within minutes"),
  },
  shared_set: {
    one: ({ params: { places, sameSerial } }) =>
      own(
        sameSerial
          ? `${places.length} Secrets hold the same certificate`
          : `${places.length} Secrets request it separately, under one rate limit`,
      ),
    many: ({ params: { sameSerial } }) =>
      own(
        sameSerial
          ? "the same certificate in several Secrets"
          : "requested by several Secrets separately, under one rate limit",
      ),
  },
  clock_off: {
    one: ({ params }) => say`clock is ahead: it recorded ${at(params.recordedMs)}`,
  },
  credential_expiring: {
    one: ({ params: { restores, endsMs } }, nowMs) =>
      own(
        (restores ? "restoring credential " : "credential ") +
          (endsMs === null
            ? "never expires and is over a year old"
            : inTime(endsMs, nowMs, EXPIRES)),
      ),
    many: () => own("credentials expire"),
  },
  cluster_replaced: { one: () => own("another cluster answers at its address") },
  rebuilt_not_restored: {
    one: ({ params }) =>
      own(
        `rebuilt; ${count(params.count, "certificate")} of the cluster before it ` +
          `${params.count === 1 ? "isn't" : "aren't"} restored`,
      ),
  },
  cluster_named_twice: { one: ({ params }) => say`the same cluster as ${params.first}` },
  audit_incomplete: {
    one: ({ params, subject }, nowMs) => {
      switch (params.of) {
        case "part":
          return own(
            subject.name === "backups" ? "can't be read or written" : "not read by the audit",
          );
        case "namespaces":
          return own(
            params.mayBeDeleted
              ? `can't be read (403); if deleted, restore its ${count(params.count, "certificate")}`
              : `can't be read (403); ${count(params.count, "certificate")} unknown`,
          );
        case "stale":
          return params.finishedMs === null
            ? own("no audit has finished yet")
            : own(`not audited for ${span(nowMs - params.finishedMs)}`);
        case "never":
          return own("never audited");
        case "unreadable":
          return own(
            params.newer
              ? "its state was written by a newer certkeep"
              : "its recorded state can't be read",
          );
      }
    },
    many: ({ params }) =>
      own(
        params.of === "stale"
          ? "not audited for more than a day"
          : params.of === "namespaces"
            ? "can't be read (403)"
            : params.of === "part"
              ? "not read by the audit"
              : params.of === "never"
                ? "never audited"
                : "recorded state can't be read",
      ),
  },
  cluster_unreachable: {
    one: ({ params: { code, lastReachedMs } }) =>
      lastReachedMs === null
        ? own(unreachedText(code))
        : say`${own(unreachedText(code))}; last seen ${at(lastReachedMs)}`,
    many: ({ params: { code } }) => own(unreachedText(code)),
  },
};

/** How many certificates were issued and lost, as the log says. */
function lostIssuances(params: Exclude<FindingParams["issued_not_stored"], { by: "unplaced" }>) {
  const n =
    params.by === "event"
      ? params.event.count
      : params.signs
          .filter(({ kind }) => kind === "store_write_failed")
          .reduce((sum, sign) => sum + sign.count, 0);
  return count(Math.max(1, n), "certificate");
}

/** `5 certificates issued and lost`, beside what says why. */
export function lostText({ params }: FindingOf<"issued_not_stored">): Text {
  if (params.by === "unplaced") return own("certificates issued and lost");
  const lost = `${lostIssuances(params)} issued and lost`;
  if (params.by === "event" || params.signs[0].code === "forbidden") return own(lost);
  return own(`${lost}: ${writeFailureText(params.signs[0].code)}`);
}

export function refusalText(
  finding: FindingOf<"rate_limited">,
  issuer: string = issuerOf([finding]),
): Text {
  const { params } = finding;
  if (params.by === "event") return own("rate limited (429)");
  if (params.by === "unplaced") return say`rate limited: ${params.count} more names`;
  const refuses = say`${issuer} refuses`;
  const names =
    params.by === "refusal" && params.kind === "domain"
      ? " new names"
      : params.by === "log" && params.signs[0].code === "domain"
        ? " new names"
        : "";
  return params.untilMs === null
    ? say`${refuses}${own(names)} for now (429)`
    : say`${refuses}${own(names)} until ${at(params.untilMs)}`;
}

export function eventText(finding: { readonly code: FindingCode }, nowMs: number): Text {
  const { one } = EVENTS[finding.code] as Event<never>;
  return one(finding as never, nowMs);
}

export function eventOfMany(finding: { readonly code: FindingCode }, nowMs: number): Text {
  const { one, many } = EVENTS[finding.code] as Event<never>;
  return many === undefined ? one(finding as never, nowMs) : many(finding as never);
}

/** Findings about issuances and rate limits. */
import { MS_NS } from "../../ratelimit/limit.ts";
import { formatMs } from "../../certificate/time.ts";
import type { FindingParams } from "../../finding/params.ts";
import { spanPhrase } from "../text.ts";
import type { Budget } from "../../ratelimit/budget.ts";
import type { Issuance } from "../../ratelimit/issuance.ts";
import { at, own, say, sentence, type Text } from "../part.ts";
import { type Phrases, times } from "./phrase.ts";

type Codes =
  | "set_budget_low"
  | "set_budget_exhausted"
  | "domain_budget_low"
  | "domain_budget_exhausted"
  | "reissued_without_need"
  | "concurrent_issuance"
  | "shared_set";

const MAX_EVIDENCE = 10;

/** A set's first name and how many others it has, for a sentence. */
export function setPhrase(key: string): string {
  // The very text, no copy of it: there may be a hundred thousand.
  if (!key.includes(",")) return key;
  const [first = "", ...others] = key.split(",");
  return others.length === 0
    ? first
    : others.length === 1
      ? `${first} and ${others[0]}`
      : `${first} and ${others.length} other names`;
}

/** What people call a set or a domain. */
export function accountName({ kind, key }: Pick<Budget, "kind" | "key">): string {
  return kind === "set" ? setPhrase(key) : key;
}

/** When one more is available: after an overshoot the issuer may allow it earlier. */
function availableText({ freeFromMs, overshot }: Budget): Text {
  return overshot
    ? say`next available by ${at(freeFromMs)} at the latest`
    : say`next available ${at(freeFromMs)}`;
}

/** What is left, in one clause: never more than is known. */
export function leftText(budget: Budget): Text {
  const { atMost, atLeast, limit, freeFromMs, atMs } = budget;
  const left = say`${atMost} of ${limit.burst} issuances left`;
  if (atMost === 0)
    return say`${left}, ${availableText(budget)}, in ${own(spanPhrase(freeFromMs - atMs))}`;
  if (atLeast === null) return say`${left} (estimate)`;
  const since = at(budget.unseenSinceMs ?? atMs);
  return atLeast === atMost
    ? say`${left} if none was issued since ${since}`
    : say`${left} (estimate), at least ${atLeast} if none was issued since ${since}`;
}

function elsewhere({ clusters }: { readonly clusters: readonly string[] }): string {
  return clusters.length > 1 ? ` in ${clusters.length} clusters` : "";
}

/** Those that took what isn't back yet. */
function recent(budget: Budget, issuances: readonly Issuance[]): number {
  const fromMs = budget.atMs - Number(budget.limit.periodNs / MS_NS);
  return Math.max(1, issuances.filter(({ issuedAtMs }) => issuedAtMs > fromMs).length);
}

/** `4 issued this week; next one available T` */
export function usedText({ budget, issuances }: FindingParams["set_budget_low"]): Text {
  const { nextSlotMs, overshot } = budget;
  const next = nextSlotMs === null ? [] : at(nextSlotMs);
  return say`${recent(budget, issuances)} issued this
    week${next.length === 0 ? [] : say`; next one available ${own(overshot ? "by " : "")}${next}`}`;
}

type Params = FindingParams["concurrent_issuance"];

function issuanceEvidence({ issuances, clusters }: Params): readonly (string | Text)[] {
  return [
    ...issuances
      .slice(-MAX_EVIDENCE)
      .map(
        ({ serial, issuedAtMs, basis }) =>
          `serial ${serial} issued ` +
          `${formatMs(issuedAtMs)}${basis === "sct" ? "" : ` (by ${basis})`}`,
      ),
    ...(issuances.length > MAX_EVIDENCE ? [`and ${issuances.length - MAX_EVIDENCE} more`] : []),
    ...clusterEvidence(clusters),
  ];
}

function clusterEvidence(clusters: readonly string[]): readonly Text[] {
  return clusters.length > 1 ? [say`clusters ${clusters.join(", ")}`] : [];
}

function budgetEvidence(params: FindingParams["set_budget_low"]): readonly (string | Text)[] {
  const { atMost, atLeast, limit, nextSlotMs, overshot } = params.budget;
  return [
    `${atMost} of ${limit.burst} left by all known issuances`,
    `at least ${atLeast ?? "unknown"}`,
    ...(nextSlotMs === null ? [] : [`next slot ${overshot ? "by " : ""}${formatMs(nextSlotMs)}`]),
    ...issuanceEvidence(params),
  ];
}

function setSeen(params: FindingParams["set_budget_low"]): Text {
  const { issuer, key, budget, issuances } = params;
  return say`${issuer} issued ${setPhrase(key)}
    ${own(times(recent(budget, issuances)) + elsewhere(params))}: ${leftText(budget)}.`;
}

function domainSeen(params: FindingParams["domain_budget_low"]): Text {
  const { issuer, key, budget, issuances } = params;
  const count = recent(budget, issuances);
  return say`${issuer} issued ${count} ${own(count === 1 ? "certificate" : "certificates")} for new
    names under ${key}${own(elsewhere(params))}: ${leftText(budget)}.`;
}

export const LIMIT_PHRASES: Phrases<Codes> = {
  set_budget_low: {
    when:
      "By all known issuances no more than 2 of 5 are left of an issuer's limit for one " +
      "exact set of names, over " +
      "all clusters.",
    seen: ({ params }) => setSeen(params),
    leadsTo:
      "After a few more reissues these names get no certificate; one issuance comes back " +
      "every day and a half.",
    advice: "Find out what reissues it before the rest is used up",
    evidence: ({ params }) => budgetEvidence(params),
  },
  set_budget_exhausted: {
    when:
      "No issuance is left of that limit. A warning where every Secret that holds the set is " +
      "valid and has a usable backup.",
    seen: ({ params }) => setSeen(params),
    leadsTo: "If the certificate is lost now, no other is issued until the next available time.",
    advice: "Keep the live certificate, and find out what reissues it",
    adviceOf: ({ params: { safe, restorable, budget } }) =>
      restorable
        ? {
            key: "exhausted_restorable",
            general: "Restore it from backup (uses no issuance), then find out what reissues it",
            own: [],
          }
        : safe
          ? {
              key: "exhausted_safe",
              general:
                "Find out what reissues it; it is valid and backed up, so if it is lost, " +
                "restore it",
              own: [],
            }
          : {
              key: "exhausted",
              general: "Keep the live certificate: only another host name can be issued now",
              own: sentence(availableText(budget)),
            },
    evidence: ({ params }) => budgetEvidence(params),
  },
  domain_budget_low: {
    when:
      "By all known issuances no more than 10 of 50 are left of an issuer's limit for a " +
      "registered domain (a " +
      "tailnet), over all clusters.",
    seen: ({ params }) => domainSeen(params),
    leadsTo: "After that new names get a certificate only every few hours; renewals continue.",
    advice: "Create no names that aren't needed; look for pods whose names change",
    evidence: ({ params }) => budgetEvidence(params),
  },
  domain_budget_exhausted: {
    when: "No issuance is left of that limit.",
    seen: ({ params }) => domainSeen(params),
    leadsTo:
      "A name without a certificate gets none until the next available time; renewals continue.",
    advice: "Wait with new names; look for pods whose names change",
    adviceOf: ({ params: { budget } }) => ({
      key: "domain_exhausted",
      general: "Wait with new names; renewals continue",
      own: sentence(availableText(budget)),
    }),
    evidence: ({ params }) => budgetEvidence(params),
  },
  reissued_without_need: {
    when:
      "Within a week a certificate was issued although one for the same names was valid and not " +
      "due for renewal.",
    seen: ({ params }) => {
      const last = params.issuances.at(-1);
      return say`${setPhrase(params.key)} was
        reissued${last === undefined ? [] : say` at ${at(last.issuedAtMs)}`}, although the
        certificate before was valid and not due for renewal
        (${own(times(params.issuances.length - 1))} within a week${own(elsewhere(params))}).`;
    },
    leadsTo: "Each one uses one of five issuances a week.",
    advice: "Find out why the certificate before was discarded",
    adviceOf: ({ params: { holders }, why }) =>
      holders !== null
        ? {
            key: "share",
            general: "Give each Secret its own name, or let one issue and copy it to the others",
            own: say`${holders} Secrets hold these names, each with its own certificate.`,
          }
        : why?.causes[0]?.overMs === null
          ? {
              key: "fix_cause",
              general: "Remove the cause: explain says how",
              own: [],
            }
          : "Find out why the certificate before was discarded",
    evidence: ({ params }) => issuanceEvidence(params),
  },
  concurrent_issuance: {
    when: "Within a week certificates for one set were issued at most ten minutes apart.",
    seen: ({ params }) => {
      const { key, issuances } = params;
      const first = issuances[0]?.issuedAtMs ?? 0;
      const last = issuances.at(-1)?.issuedAtMs ?? first;
      return say`${setPhrase(key)} was issued ${own(times(issuances.length))} within
        ${own(spanPhrase(last - first) + elsewhere(params))}.`;
    },
    leadsTo: "Replicas or clusters that race each other use up the rate limit in minutes.",
    advice: "Let one replica issue, or give each its own name",
    evidence: ({ params }) => issuanceEvidence(params),
  },
  shared_set: {
    when:
      "Several Secrets, namespaces or clusters hold a certificate for the same names. " +
      "Info where it is the same one.",
    seen: ({ params }) =>
      say`${params.places.length} Secrets${own(elsewhere(params))} hold a certificate for
        ${setPhrase(params.key)}:
        ${own(params.sameSerial ? "the same one, copied" : "one each, under one rate limit")}.`,
    leadsTo: "They share one limit of five issuances a week, and each renews on its own.",
    advice: "Give each its own name, or let one issue and copy it to the others",
    adviceOf: ({ params }) =>
      params.sameSerial
        ? { key: "copied", general: "Nothing to do if it is copied on purpose", own: [] }
        : "Give each its own name, or let one issue and copy it to the others",
    evidence: ({ params }) => [
      ...params.places
        .slice(0, MAX_EVIDENCE)
        .map(({ cluster, namespace, secret }) => say`${cluster} ${namespace}/${secret}`),
      ...clusterEvidence(params.clusters),
    ],
  },
};

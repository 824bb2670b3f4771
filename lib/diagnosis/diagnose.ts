/**
 * The diagnosis of a set of names, or of a registered domain, in one cluster: every cause that holds, the most decisive
 * first; or that it is unknown, with what is missing to tell; or that nothing was issued without need. Pure and total.
 *
 * Several causes may hold at once: all are told. A cause is told, too, where nothing was reissued yet: the next access
 * would. None of it changes a budget.
 */
import { registeredDomain } from "../ratelimit/names.ts";
import type { CertificateEntry } from "../state/certificates.ts";
import type { StateDocument } from "../state/document.ts";
import { observationsOf } from "../state/observations.ts";
import type { Across } from "../finding/across.ts";
import { OVERDUE_FRACTION } from "../finding/codes.ts";
import { fractionLeft } from "../finding/verdict.ts";
import { accountCause, replacedCause } from "./account.ts";
import { type Case, createCase, createWard, keyOf, overSince, type Ward } from "./case.ts";
import type { Cause, Diagnosis, Missing } from "./cause.ts";
import { churnCause, domainChurnCause, newNamesCause } from "./churn.ts";
import { dnsCause, issuedAfter } from "./dns.ts";
import { sortCauses } from "./lead.ts";
import { missingFor, OTHERS } from "./missing.ts";
import { raceCause } from "./race.ts";
import { stallCause } from "./stall.ts";
import { storageCause } from "./storage.ts";
import { validationCause } from "./validation.ts";
import { windowCause } from "./window.ts";

/** Diagnoses of one cluster, each worked out once. */
export interface Doctor {
  /** Of the certificate of a place; `issuer` may be `null`. */
  ofPlace(place: CertificateEntry): Diagnosis;
  ofSet(issuer: string | null, key: string): Diagnosis;
  ofDomain(issuer: string, domain: string): Diagnosis;
  /** Of every set that the cluster holds or held, in order of their names. */
  all(): readonly Diagnosis[];
}

export function createDoctor(
  state: StateDocument,
  across: Across,
  observations = observationsOf(state),
): Doctor {
  let ward: Ward | null = null;
  const at = (): Ward => (ward ??= createWard(state, across, observations));
  const known = new Map<string, Diagnosis>();
  const once = (
    kind: string,
    issuer: string | null,
    key: string,
    work: () => Diagnosis,
  ): Diagnosis => {
    const id = JSON.stringify([kind, issuer, key]);
    const diagnosis = known.get(id) ?? work();
    known.set(id, diagnosis);
    return diagnosis;
  };
  const ofSet = (issuer: string | null, key: string): Diagnosis =>
    once("set", issuer, key, () => diagnoseSet(at(), issuer, key));
  const ofPlace = (place: CertificateEntry): Diagnosis =>
    ofSet(place.record?.issuer ?? null, keyOf(place));
  return {
    ofSet,
    ofPlace,
    ofDomain: (issuer, domain) =>
      once("domain", issuer, domain, () => diagnoseDomain(at(), issuer, domain)),
    all: () =>
      [
        ...new Set(
          at()
            .places.filter(({ loss }) => loss?.how !== "removed")
            .map(ofPlace),
        ),
      ].toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)),
  };
}

function diagnoseSet(ward: Ward, issuer: string | null, key: string): Diagnosis {
  const of = createCase(ward, issuer, key);
  const own = [
    storageCause(of),
    accountCause(of),
    validationCause(of),
    replacedCause(of),
    windowCause(of),
    stallCause(of),
    dnsCause(of),
    raceCause(of),
    churnCause(of, ward),
  ];
  // A first certificate waits for its domain's budget; one that was issued before doesn't.
  const first =
    issuer !== null && of.storedMs === null && of.issuances.length === 0
      ? of.names.map((name) => newNamesCause(ward, issuer, registeredDomain(name)))
      : [];
  const trouble = inTrouble(of);
  // What is merely possible is told of what is in trouble: of the rest it would be told by the thousand.
  const causes = sortCauses(
    [...own, ...first].filter(
      (cause) => cause !== null && (trouble || cause.confidence !== "possible"),
    ) as Cause[],
  );
  return {
    cluster: ward.state.cluster,
    kind: "set",
    issuer,
    key,
    verdict: causes.length > 0 ? "caused" : trouble ? "unknown" : "none",
    needlessMs: of.needless.map(({ issuance }) => issuance.issuedAtMs),
    causes: withoutRivals(causes),
    missing: missingOf(of, ward),
  };
}

/** Logs, Events and access reviews are Tailscale's owners' alone: what others do isn't seen by any of them. */
function missingOf({ places }: Case, ward: Ward): readonly Missing[] {
  if (places.length > 0 && places.every(({ owner }) => owner !== "tailscale")) return [OTHERS];
  return missingFor(ward, places);
}

/** An owner that can't store asks at each access: issuances minutes apart of one holder then prove no race. */
function withoutRivals(causes: readonly Cause[]): readonly Cause[] {
  const decided = causes.some(({ code, confidence }) => code !== "race" && confidence === "proven");
  return decided
    ? causes.filter(({ code, confidence }) => code !== "race" || confidence !== "possible")
    : causes;
}

const FAILURES: ReadonlySet<string> = new Set([
  "renewal_failed",
  "order_failed",
  "rate_limited",
  "paused",
  "renewal_info_failed",
]);

/** Something that wants a cause: issued without need, not renewed in time, or failing by its owner's log. */
function inTrouble(of: Case): boolean {
  if (of.needless.length > 0) return true;
  const atNs = BigInt(Math.round(of.atMs)) * 1_000_000n;
  if (
    of.places.some(
      ({ condition, record, owner }) =>
        condition === "live" && owner !== "nobody" && fractionLeft(record, atNs) < OVERDUE_FRACTION,
    )
  )
    return true;
  return of.signs.some(
    ({ seen, bearing }) =>
      bearing === "name" &&
      FAILURES.has(seen.kind) &&
      seen.kind !== "renewal_info_failed" &&
      overSince(of, seen.lastMs) === null &&
      issuedAfter(of, seen.lastMs) === null,
  );
}

function diagnoseDomain(ward: Ward, issuer: string, domain: string): Diagnosis {
  const churn = domainChurnCause(ward, issuer, domain);
  // That names are many is sure, and why they are says more: a churn that is likely goes first.
  const causes = [
    ...(churn?.confidence === "likely" ? [churn] : []),
    ...sortCauses(
      [newNamesCause(ward, issuer, domain), churn?.confidence === "likely" ? null : churn].filter(
        (cause) => cause !== null,
      ),
    ),
  ];
  const { across, state } = ward;
  const low = across.found.some(
    ({ code, subject }) =>
      code.startsWith("domain_budget") && subject.issuer === issuer && subject.key === domain,
  );
  return {
    cluster: state.cluster,
    kind: "domain",
    issuer,
    key: domain,
    verdict: causes.length > 0 ? "caused" : low ? "unknown" : "none",
    // Renewals take nothing from a domain: what was reissued without need is its set's.
    needlessMs: [],
    causes,
    missing: missingFor(ward, []),
  };
}

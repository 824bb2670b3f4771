/**
 * The diagnosis of a set of names, or of a registered domain, in one cluster: every cause that
 * holds, the most decisive first; or that it is unknown, and which sources are missing; or that
 * nothing was issued without need. Pure and total.
 *
 * Several causes may hold at once. A cause is also named where nothing was reissued yet: the next
 * connection would. None of it changes a rate limit.
 */
import { registeredDomain } from "../ratelimit/names.ts";
import type { CertificateEntry } from "../state/certificates.ts";
import type { StateDocument } from "../state/document.ts";
import type { Across } from "../finding/across.ts";
import { OVERDUE_FRACTION } from "../finding/codes.ts";
import { fractionLeft } from "../finding/verdict.ts";
import { type Cause, causeOf, type Diagnosis, sortCauses } from "./cause.ts";
import { churnCause, domainChurnCause, newNamesCause } from "./churn.ts";
import { ClusterIndex, setKeyOf } from "./clusterindex.ts";
import { missingFor } from "./missing.ts";
import { raceCause } from "./race.ts";
import { accountCause, stallCause, windowCause } from "./renewal.ts";
import { reportedHints } from "./reported.ts";
import { storageCause } from "./storage.ts";
import { createSubject, isExpected, issuedAfter, overSince, type Subject } from "./subject.ts";
import { validationCause } from "./validation.ts";

/** Diagnoses of one cluster, each worked out once. */
export class Doctor {
  readonly #index: ClusterIndex;
  readonly #across: Across;
  readonly #known = new Map<string, Diagnosis>();

  constructor(state: StateDocument, across: Across) {
    this.#index = new ClusterIndex(state, across.atMs);
    this.#across = across;
  }

  ofEntry(entry: CertificateEntry): Diagnosis {
    return this.ofSet(entry.record?.issuer ?? null, setKeyOf(entry));
  }

  ofSet(issuer: string | null, key: string): Diagnosis {
    return this.#once(["set", issuer, key], () =>
      diagnoseSet(createSubject(this.#index, this.#across, issuer, key)),
    );
  }

  ofDomain(issuer: string, domain: string): Diagnosis {
    return this.#once(["domain", issuer, domain], () =>
      diagnoseDomain(this.#index, this.#across, issuer, domain),
    );
  }

  /** Of every set that the cluster holds or held, in order of their names. */
  all(): readonly Diagnosis[] {
    const expected = this.#index.entries.filter(isExpected);
    return [...new Set(expected.map((entry) => this.ofEntry(entry)))].toSorted((a, b) =>
      a.key < b.key ? -1 : a.key > b.key ? 1 : 0,
    );
  }

  #once(key: readonly (string | null)[], diagnose: () => Diagnosis): Diagnosis {
    const id = JSON.stringify(key);
    const diagnosis = this.#known.get(id) ?? diagnose();
    this.#known.set(id, diagnosis);
    return diagnosis;
  }
}

function diagnoseSet(of: Subject): Diagnosis {
  const { index, across, issuer, key } = of;
  const own = [
    storageCause(of),
    accountCause(of),
    validationCause(of),
    causeOf("already_replaced", [...reportedHints(of, "already_replaced")]),
    windowCause(of),
    stallCause(of),
    causeOf("dns", [...reportedHints(of, "dns")]),
    raceCause(of),
    churnCause(of),
  ];
  // A first certificate waits for its domain's budget; one that was issued before doesn't.
  const first =
    issuer !== null && of.storedMs === null && of.issuances.length === 0
      ? of.names.map((name) => newNamesCause(across, issuer, registeredDomain(name)))
      : [];
  const trouble = inTrouble(of);
  // What is merely possible is named only where something is in trouble: elsewhere there would be
  // thousands.
  const causes = sortCauses(
    [...own, ...first].flatMap((cause) =>
      cause !== null && (trouble || cause.confidence !== "possible") ? [cause] : [],
    ),
  );
  return {
    cluster: index.state.cluster,
    kind: "set",
    issuer,
    key,
    verdict: causes.length > 0 ? "caused" : trouble ? "unknown" : "none",
    needlessMs: of.needless.map(({ issuance }) => issuance.issuedAtMs),
    causes: withoutRivals(causes),
    missing: missingFor(index, of.entries),
  };
}

/**
 * An owner that can't store asks at each access: issuances minutes apart of one holder then prove
 * no race.
 */
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

/**
 * Something that wants a cause: issued without need, not renewed in time, or failing by its owner's
 * log.
 */
function inTrouble(of: Subject): boolean {
  if (of.needless.length > 0) return true;
  const atMs = of.atMs;
  if (
    of.entries.some(
      ({ condition, record, owner }) =>
        condition === "live" && owner !== "nobody" && fractionLeft(record, atMs) < OVERDUE_FRACTION,
    )
  )
    return true;
  return of.signals.some(
    ({ signal, attribution }) =>
      attribution === "name" &&
      FAILURES.has(signal.kind) &&
      signal.kind !== "renewal_info_failed" &&
      overSince(of, signal.lastMs) === null &&
      issuedAfter(of, signal.lastMs) === null,
  );
}

function diagnoseDomain(
  index: ClusterIndex,
  across: Across,
  issuer: string,
  domain: string,
): Diagnosis {
  const churn = domainChurnCause(index, across, issuer, domain);
  const first = newNamesCause(across, issuer, domain);
  // That names are many is sure, and why they are says more: a churn that is likely goes first.
  const causes = (churn?.confidence === "likely" ? [churn, first] : [first, churn]).filter(
    (cause) => cause !== null,
  );
  const low = across.found.some(
    ({ budget, subject }) =>
      budget?.kind === "domain" && subject.issuer === issuer && subject.key === domain,
  );
  return {
    cluster: index.state.cluster,
    kind: "domain",
    issuer,
    key: domain,
    verdict: causes.length > 0 ? "caused" : low ? "unknown" : "none",
    // Renewals take nothing from a domain: what was reissued without need is its set's.
    needlessMs: [],
    causes,
    missing: missingFor(index, []),
  };
}

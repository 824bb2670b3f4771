/**
 * The diagnosis of a set of names, or of a registered domain, in one cluster: every cause that
 * holds, the most decisive first; or that it is unknown, and which sources are missing; or that
 * nothing was issued without need. Pure and total.
 *
 * Several causes may hold at once. A cause is also named where nothing was reissued yet: the next
 * connection would. None of it changes a rate limit.
 */
import { registeredDomain } from "../ratelimit/limit.ts";
import type { CertificateEntry } from "../state/certificates.ts";
import type { StateDocument } from "../state/document.ts";
import type { Across } from "../finding/across.ts";
import { OVERDUE_FRACTION, fractionLeft } from "../finding/codes.ts";
import {
  type Cause,
  type CauseCode,
  causeOf,
  type Diagnosis,
  type Effect,
  EFFECTS,
  sortCauses,
} from "./cause.ts";
import { churnCause, domainChurnCause, newNamesCause } from "./churn.ts";
import { ClusterIndex, setKeyOf } from "./clusterindex.ts";
import { missingFor } from "./missing.ts";
import { raceCause } from "./race.ts";
import { accountCause, stallCause, windowCause } from "./renewal.ts";
import { reportedHints } from "./reported.ts";
import { storageCause } from "./storage.ts";
import { createSubject, isExpected, issuedAfter, type Subject } from "./subject.ts";
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

/** Causes that logs and Events alone name. */
const LOGGED = [
  "already_replaced",
  "dns",
  "account_rejected",
  "server_untrusted",
  "network",
  "rate_limited",
  "order_failed",
] as const;

function diagnoseSet(of: Subject): Diagnosis {
  const { index, across, issuer, key } = of;
  const own = [
    storageCause(of),
    accountCause(of),
    validationCause(of),
    windowCause(of),
    stallCause(of),
    ...LOGGED.map((code) => causeOf(code, [...reportedHints(of, code)])),
    raceCause(of),
    churnCause(of),
  ];
  // A first certificate waits for its domain's budget; one that was issued before doesn't.
  const first =
    issuer !== null && of.storedMs === null && of.issuances.length === 0
      ? of.names.map((name) => newNamesCause(across, issuer, registeredDomain(name)))
      : [];
  const overdue = isOverdue(of);
  const trouble = of.needless.length > 0 || overdue || isFailing(of);
  const causes = sortCauses(
    [...own, ...first].filter((cause): cause is Cause => {
      if (cause === null) return false;
      const { code, confidence, overMs } = cause;
      // What is merely possible, or over, is named where something is in trouble: elsewhere there
      // would be thousands. A window that is over tells why a certificate was renewed early.
      if (!trouble)
        return confidence !== "possible" && (overMs === null || code === "renewal_window_forced");
      return of.needless.length > 0 || !overdue || leadsTo(code, "stops");
    }),
  );
  return {
    cluster: index.state.cluster,
    kind: "set",
    issuer,
    key,
    verdict: causes.length > 0 ? "caused" : trouble ? "unknown" : "none",
    needlessMs: of.needless.map(({ issuance }) => issuance.issuedAtMs),
    causes,
    missing: missingFor(index, of.entries),
  };
}

const FAILURES: ReadonlySet<string> = new Set([
  "renewal_failed",
  "order_failed",
  "rate_limited",
  "paused",
]);

function leadsTo(code: CauseCode, effect: Effect): boolean {
  return EFFECTS[code].includes(effect);
}

function isOverdue({ entries, atMs }: Subject): boolean {
  return entries.some(
    ({ condition, record, owner }) =>
      condition === "live" && owner !== "nobody" && fractionLeft(record, atMs) < OVERDUE_FRACTION,
  );
}

/** Whether its controller's log says that orders of it fail, and none succeeded since. */
function isFailing(of: Subject): boolean {
  return of.signals.some(
    ({ signal, attribution }) =>
      attribution === "name" &&
      FAILURES.has(signal.kind) &&
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

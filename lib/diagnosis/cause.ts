/**
 * Why certificates are issued without need: the words of a diagnosis. Data only.
 *
 * How sure a cause is follows from what names it, never from how often it was seen:
 * - `proven`: something that decides it by itself says so of this very certificate: the API server's answer or its
 *   `immutable` flag, the judge (which is the owner's own check), the issuer's answer, verified issuances, or a line of
 *   the owner's log that names the certificate and the failure.
 * - `likely`: it is named by something that doesn't name this certificate but its owner's pod (an Event, a line without
 *   a name), or that leaves one other explanation (a Secret made anew, a silence after a start).
 * - `possible`: it fits, and rests on a pattern alone, or on what was seen elsewhere in the same namespace.
 * What a log or an Event says is its cluster's own word: it names causes of that cluster and of no other.
 */
export const CAUSE_CODES = [
  "storage",
  "account_key_lost",
  "validation_fails",
  "already_replaced",
  "renewal_window_forced",
  "hidden_stall",
  "dns",
  "race",
  "pod_churn",
  "many_new_names",
] as const;
/** The more decisive first: of two that are equally sure, mending the first tells whether the second is one. */
export type CauseCode = (typeof CAUSE_CODES)[number];

export const CONFIDENCES = ["proven", "likely", "possible"] as const;
export type Confidence = (typeof CONFIDENCES)[number];

export const CAUSE_TITLES: Readonly<Record<CauseCode, string>> = {
  storage: "Storage",
  account_key_lost: "Account key lost",
  validation_fails: "Validation fails",
  already_replaced: "Already replaced",
  renewal_window_forced: "Renewal asked for early",
  hidden_stall: "Hidden stall",
  dns: "DNS",
  race: "Race",
  pod_churn: "Pod churn",
  many_new_names: "Many new names",
};

export const EVIDENCE_SOURCES = [
  "judge",
  "access",
  "secret",
  "log",
  "event",
  "issuer",
  "issuances",
] as const;
export type EvidenceSource = (typeof EVIDENCE_SOURCES)[number];

/** What was seen, where, when, and by which source. */
export interface EvidenceLine {
  readonly source: EvidenceSource;
  /** A Secret, a pod's container, an issuer: for people. Text of a cluster may be in it. */
  readonly where: string;
  /** One sentence without its full stop; text of a cluster may be in it: a medium escapes it. */
  readonly text: string;
  /** When it was last so. */
  readonly atMs: number;
}

/** Something to do about it. */
export interface Measure {
  /** One clause without full stop, certkeep's own words and names. */
  readonly text: string;
  /** Made by `commandLine`; `null` for none, or where a name doesn't fit one. */
  readonly command: string | null;
}

export interface Cause {
  readonly code: CauseCode;
  readonly confidence: Confidence;
  /** One clause that stands after “because”, without full stop. */
  readonly because: string;
  readonly evidence: readonly EvidenceLine[];
  readonly measures: readonly Measure[];
  /** It held until then: a certificate was stored since; `null`: as far as is known it still holds. */
  readonly overMs: number | null;
}

/** A source without which the cause can't be told, or not wholly. */
export interface Missing {
  readonly source: "logs" | "events" | "access" | "renewal_info" | "revocation" | "transparency";
  /** `not_enabled`, `forbidden`, …: the code of the look. */
  readonly code: string;
  /** `logs not enabled`, `logs forbidden since …`: one clause. */
  readonly text: string;
  readonly sinceMs: number | null;
  /** The setting that would show it. */
  readonly measure: Measure | null;
}

/** Of one set of names, or one registered domain, in one cluster. */
export interface Diagnosis {
  readonly cluster: string;
  readonly kind: "set" | "domain";
  readonly issuer: string | null;
  /** Key of the set, or the registered domain. */
  readonly key: string;
  /** `unknown`: something was reissued without need, or isn't renewed, and nothing seen names why. `none`: nothing needs a cause. */
  readonly verdict: "caused" | "unknown" | "none";
  /** Instants of certificates issued without need within a week, this cluster's own claims among them. */
  readonly needlessMs: readonly number[];
  /** The most decisive first: those that still hold, then by confidence. */
  readonly causes: readonly Cause[];
  readonly missing: readonly Missing[];
}

/** A single trace of a cause. */
export interface Hint {
  readonly confidence: Confidence;
  readonly because: string;
  readonly evidence: readonly EvidenceLine[];
  readonly measures: readonly Measure[];
  readonly overMs: number | null;
}

/** Lines of evidence that a cause keeps, the surest hints' first. */
const MAX_EVIDENCE = 8;
const MAX_MEASURES = 5;

function byWeight(
  a: Pick<Hint, "confidence" | "overMs">,
  b: Pick<Hint, "confidence" | "overMs">,
): number {
  return (
    Number(a.overMs !== null) - Number(b.overMs !== null) ||
    CONFIDENCES.indexOf(a.confidence) - CONFIDENCES.indexOf(b.confidence)
  );
}

/** The cause that all hints are about: as sure as its surest that still holds. `null` without one. */
export function causeOf(code: CauseCode, hints: readonly Hint[]): Cause | null {
  const sorted = hints.toSorted(byWeight);
  const [first] = sorted;
  if (first === undefined) return null;
  // What is over asks for nothing beside what still holds.
  const holding = sorted.filter(({ overMs }) => (overMs === null) === (first.overMs === null));
  const measures = new Map<string, Measure>();
  // The surest hint's words for one and the same command.
  for (const measure of holding.flatMap((hint) => hint.measures))
    if (!measures.has(measure.command ?? measure.text))
      measures.set(measure.command ?? measure.text, measure);
  return {
    code,
    confidence: first.confidence,
    because: first.because,
    evidence: sorted.flatMap(({ evidence }) => evidence).slice(0, MAX_EVIDENCE),
    measures: [...measures.values()].slice(0, MAX_MEASURES),
    overMs: first.overMs,
  };
}

/** The most decisive first. */
export function sortCauses(causes: readonly Cause[]): Cause[] {
  return causes.toSorted(
    (a, b) => byWeight(a, b) || CAUSE_CODES.indexOf(a.code) - CAUSE_CODES.indexOf(b.code),
  );
}

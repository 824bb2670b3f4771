/** A single trace of a cause, and how several of one cause become one. Pure. */
import {
  CAUSE_CODES,
  CONFIDENCES,
  type Cause,
  type CauseCode,
  type Confidence,
  type EvidenceLine,
  type Measure,
} from "./cause.ts";

export interface Lead {
  readonly confidence: Confidence;
  readonly because: string;
  readonly evidence: readonly EvidenceLine[];
  readonly measures: readonly Measure[];
  readonly overMs: number | null;
}

/** Lines of evidence that a cause keeps, the surest leads' first. */
const MAX_EVIDENCE = 8;
const MAX_MEASURES = 5;

function byWeight(
  a: Pick<Lead, "confidence" | "overMs">,
  b: Pick<Lead, "confidence" | "overMs">,
): number {
  return (
    Number(a.overMs !== null) - Number(b.overMs !== null) ||
    CONFIDENCES.indexOf(a.confidence) - CONFIDENCES.indexOf(b.confidence)
  );
}

/** The cause that all leads are about: as sure as its surest that still holds. `null` without one. */
export function causeOf(code: CauseCode, leads: readonly Lead[]): Cause | null {
  const sorted = leads.toSorted(byWeight);
  const [first] = sorted;
  if (first === undefined) return null;
  // What is over asks for nothing beside what still holds.
  const holding = sorted.filter(({ overMs }) => (overMs === null) === (first.overMs === null));
  const measures = new Map<string, Measure>();
  // The surest lead's words for one and the same command.
  for (const measure of holding.flatMap((lead) => lead.measures))
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

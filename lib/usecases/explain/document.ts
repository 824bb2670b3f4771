/** An explanation as one JSON document, `certkeep.explain/v2`. Pure. */
import { formatMs, formatMsOrNull } from "../../certificate/time.ts";
import { adviceData, budgetData, issuanceData, lackData } from "../../finding/budgets.ts";
import { type Diagnosis, explainsReissue } from "../../diagnosis/cause.ts";
import { pick } from "../../pick.ts";
import { plainText } from "../../report/part.ts";
import { findingDocument } from "../../report/phrases.ts";
import { becausePlain, seenText } from "../../report/phrases/causes.ts";
import { missingText } from "../../report/phrases/missing.ts";
import { measureDocument } from "../../report/phrases/measures.ts";
import { titleOf } from "../../state/certificates.ts";
import type { ExplainedPlace, Explanation } from "../../report/explain/explanation.ts";

export const EXPLAIN_SCHEMA = "certkeep.explain/v2";

function diagnosisData(diagnosis: Diagnosis): object {
  const { needlessMs, causes, missing } = diagnosis;
  return {
    ...pick(diagnosis, "cluster", "kind", "issuer", "key", "verdict"),
    needless: needlessMs.map(formatMs),
    causes: causes.map((cause) => ({
      ...pick(cause, "code", "confidence"),
      because: becausePlain(cause),
      over: formatMsOrNull(cause.overMs),
      explainsReissue: explainsReissue(cause),
      evidence: cause.evidence.map(({ source, where, seen, atMs }) => ({
        source,
        where,
        text: plainText(seenText(seen)),
        at: formatMs(atMs),
      })),
      measures: cause.measures.map(measureDocument),
    })),
    missing: missing.map((one) => ({
      ...pick(one, "source", "code"),
      text: plainText(missingText(one)),
      since: formatMsOrNull(one.sinceMs),
      measure: one.measure === null ? null : measureDocument(one.measure),
    })),
  };
}

function placeData(place: ExplainedPlace): object {
  const { entry, advice } = place;
  return {
    ...pick(entry, "cluster", "namespace", "secret", "fieldBase", "verdict"),
    shape: entry.layout,
    name: titleOf(entry),
    state:
      entry.condition === "lost"
        ? entry.loss.how
        : entry.condition === "missing_content"
          ? "emptied"
          : entry.condition,
    certificate: entry.record,
    since: formatMs(entry.sinceMs),
    ...pick(place, "asLastSeen", "copies", "auditedAt"),
    advice: advice === null ? null : adviceData(advice),
  };
}

export function explainDocument(explanation: Explanation): object {
  const { across } = explanation;
  return {
    ...pick(explanation, "name", "kind", "ignored"),
    at: formatMs(explanation.atMs),
    places: explanation.places.map(placeData),
    issuances: explanation.accounts.map(
      ({ kind, issuer, key, budget, domains, timeline, plan }) => ({
        kind,
        issuer,
        key,
        budget: budget === null ? null : budgetData(across, budget),
        domains: domains.map((domain) => budgetData(across, domain)),
        timeline: timeline.map(({ issuance, effect, leaves }) => ({
          ...issuanceData(issuance),
          effect: effect ?? null,
          leaves: leaves ?? null,
        })),
        plan:
          plan === null
            ? null
            : { earliest: plan.earliestMs.map(formatMs), sure: plan.sureMs?.map(formatMs) ?? null },
      }),
    ),
    clusters: explanation.clusters.map(({ state, tally }) => ({
      ...pick(state, "cluster", "title", "server", "identity", "audit"),
      counts: tally,
    })),
    findings: explanation.findings.map(findingDocument),
    diagnoses: explanation.diagnoses.map(diagnosisData),
    looks: explanation.looks.map((look) => ({
      ...pick(look, "cluster", "source", "scope", "code", "unread"),
      askedAt: formatMs(look.askedMs),
      wholeAt: formatMsOrNull(look.wholeMs),
      since: formatMsOrNull(look.sinceMs),
    })),
    ...lackData(across),
    problems: explanation.problems.map((error) => pick(error, "code", "message")),
  };
}

/** An explanation as one JSON document, `certkeep.explain/v2`. Pure. */
import { formatMs, formatMsOrNull } from "../../certificate/time.ts";
import { adviceData, budgetData, issuanceData, lackData } from "../../finding/budgets.ts";
import { type Diagnosis, explainsReissue } from "../../diagnosis/cause.ts";
import { plainText } from "../../report/part.ts";
import { findingDocument } from "../../report/phrases.ts";
import { becausePlain, seenText } from "../../report/phrases/causes.ts";
import { missingText } from "../../report/phrases/missing.ts";
import { measureDocument } from "../../report/phrases/measures.ts";
import { titleOf } from "../../state/certificates.ts";
import type { ExplainedPlace, Explanation } from "../../report/explain/explanation.ts";

export const EXPLAIN_SCHEMA = "certkeep.explain/v2";

function diagnosisData({
  cluster,
  kind,
  issuer,
  key,
  verdict,
  needlessMs,
  causes,
  missing,
}: Diagnosis): object {
  return {
    cluster,
    kind,
    issuer,
    key,
    verdict,
    needless: needlessMs.map(formatMs),
    causes: causes.map((cause) => ({
      code: cause.code,
      confidence: cause.confidence,
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
      source: one.source,
      code: one.code,
      text: plainText(missingText(one)),
      since: formatMsOrNull(one.sinceMs),
      measure: one.measure === null ? null : measureDocument(one.measure),
    })),
  };
}

function placeData({ entry, asLastSeen, copies, auditedAt, advice }: ExplainedPlace): object {
  const { cluster, namespace, secret, layout, fieldBase, record, verdict } = entry;
  return {
    cluster,
    namespace,
    secret,
    shape: layout,
    fieldBase,
    name: titleOf(entry),
    state:
      entry.condition === "lost"
        ? entry.loss.how
        : entry.condition === "missing_content"
          ? "emptied"
          : entry.condition,
    certificate: record,
    verdict,
    since: formatMs(entry.sinceMs),
    asLastSeen,
    copies,
    auditedAt,
    advice: advice === null ? null : adviceData(advice),
  };
}

export function explainDocument(explanation: Explanation): object {
  const { across } = explanation;
  return {
    name: explanation.name,
    kind: explanation.kind,
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
      cluster: state.cluster,
      title: state.title,
      server: state.server,
      identity: state.identity,
      audit: state.audit,
      counts: tally,
    })),
    findings: explanation.findings.map(findingDocument),
    diagnoses: explanation.diagnoses.map(diagnosisData),
    looks: explanation.looks.map(
      ({ cluster, source, scope, code, unread, askedMs, wholeMs, sinceMs }) => ({
        cluster,
        source,
        scope,
        code,
        unread,
        askedAt: formatMs(askedMs),
        wholeAt: formatMsOrNull(wholeMs),
        since: formatMsOrNull(sinceMs),
      }),
    ),
    ignored: explanation.ignored,
    ...lackData(across),
    problems: explanation.problems.map(({ code, message }) => ({ code, message })),
  };
}

/** Puts the cause into the findings that want one: one sentence each, and the cause's code into the evidence. Pure. */
import type { StateDocument } from "../../state/document.ts";
import type { Across } from "../across.ts";
import { CODES } from "../codes.ts";
import type { Finding } from "../finding.ts";
import { onlyPlace, setLabel } from "../issuance.ts";
import type { IssuanceFinding } from "../../issuance/rules.ts";
import { certificatePlaces, type CertificatePlace } from "../place.ts";
import type { Diagnosis } from "./cause.ts";
import { createDoctor } from "./diagnose.ts";
import { whySentence } from "./phrase.ts";

/** Of these it is said, too, that the cause is unknown, and what is missing. */
const NEEDLESS: ReadonlySet<string> = new Set(["reissued_without_need", "set_budget_low", "set_budget_exhausted"]);
const DOMAIN: ReadonlySet<string> = new Set(["domain_budget_low", "domain_budget_exhausted"]);
/** Of these only a cause that is known; what says the cause by itself is none of them. */
const FAILING: ReadonlySet<string> = new Set(["renewal_overdue", "expiring", "expired", "rate_limited", "certificate_pending"]);

const MEND = "mend what makes its owner ask for another; explain says how";

/** Whether a finding's cause is looked for: it rests on issuances of all clusters. */
export function wantsCause({ code }: Pick<Finding, "code">): boolean {
  return NEEDLESS.has(code) || DOMAIN.has(code) || FAILING.has(code);
}

/** What each finding is about, by code, Secret and name, as issuanceFindings makes its subject. */
function foundBySubject(cluster: string, across: Across): ReadonlyMap<string, IssuanceFinding> {
  const found = new Map<string, IssuanceFinding>();
  for (const one of across.found) {
    if (!one.subject.clusters.includes(cluster) || (!NEEDLESS.has(one.code) && !DOMAIN.has(one.code))) continue;
    const place = onlyPlace(one, cluster, across);
    const name = one.subject.kind === "domain" ? one.subject.key : setLabel(one.subject.key);
    const key = place === null ? keyOf(one.code, null, null, name) : keyOf(one.code, place.namespace, place.secret, place.name);
    if (!found.has(key)) found.set(key, one);
  }
  return found;
}

function keyOf(code: string, namespace: string | null, secret: string | null, name: string | null): string {
  return JSON.stringify([code, namespace, secret, name]);
}

/** `findings` are of this state's cluster. */
export function attachCauses(findings: readonly Finding[], state: StateDocument, across: Across): Finding[] {
  if (!findings.some(wantsCause)) return [...findings];
  const doctor = createDoctor(state, across);
  const found = foundBySubject(state.cluster, across);
  const places = new Map<string, CertificatePlace>();
  for (const place of certificatePlaces(state, BigInt(Math.round(across.atMs)) * 1_000_000n)) {
    for (const name of [place.name, null]) if (!places.has(keyOf("", place.namespace, place.secret, name))) places.set(keyOf("", place.namespace, place.secret, name), place);
  }
  const diagnosisOf = ({ code, subject: { namespace, secret, name } }: Finding): Diagnosis | null => {
    const of = found.get(keyOf(code, namespace, secret, name));
    if (of !== undefined) return of.subject.kind === "domain" ? doctor.ofDomain(of.subject.issuer, of.subject.key) : doctor.ofSet(of.subject.issuer, of.subject.key);
    const place = FAILING.has(code) && secret !== null ? places.get(keyOf("", namespace, secret, name)) : undefined;
    return place === undefined ? null : doctor.ofPlace(place);
  };
  return findings.map((finding) => {
    const diagnosis = wantsCause(finding) ? diagnosisOf(finding) : null;
    return diagnosis === null ? finding : withCause(finding, diagnosis);
  });
}

function withCause(finding: Finding, diagnosis: Diagnosis): Finding {
  const why = diagnosis.verdict === "unknown" && !NEEDLESS.has(finding.code) ? null : whySentence(diagnosis);
  if (why === null) return finding;
  const [first] = diagnosis.causes;
  const evidence = [...finding.evidence, ...diagnosis.causes.map(({ code, confidence }) => `cause ${code} (${confidence})`)];
  if (first === undefined || !NEEDLESS.has(finding.code)) return { ...finding, why, evidence };
  // In the same words for all, so that many are told as one thing to do.
  const advice = finding.advice === CODES.reissued_without_need.advice && first.overMs === null ? MEND : finding.advice;
  return { ...finding, why, evidence, advice, cause: `${finding.cause}:${first.code}` };
}

/** Puts the cause into the findings that want one: one sentence each, and the cause's code into the evidence. Pure. */
import type { StateDocument } from "../../state/document.ts";
import type { Across } from "../across.ts";
import { CODES } from "../codes.ts";
import type { Finding } from "../finding.ts";
import { setLabel } from "../issuance.ts";
import { certificatePlaces, type CertificatePlace } from "../place.ts";
import type { Diagnosis } from "./cause.ts";
import { createDoctor, type Doctor } from "./diagnose.ts";
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

/** `findings` are of this state's cluster. */
export function attachCauses(findings: readonly Finding[], state: StateDocument, across: Across): Finding[] {
  if (!findings.some(wantsCause)) return [...findings];
  const doctor = createDoctor(state, across);
  let places: readonly CertificatePlace[] | null = null;
  const placesOf = (): readonly CertificatePlace[] => (places ??= [...certificatePlaces(state, BigInt(Math.round(across.atMs)) * 1_000_000n)]);
  return findings.map((finding) => {
    const diagnosis = diagnosisOf(finding, doctor, across, placesOf);
    if (diagnosis === null) return finding;
    const why = diagnosis.verdict === "unknown" && !NEEDLESS.has(finding.code) ? null : whySentence(diagnosis);
    if (why === null) return finding;
    const [first] = diagnosis.causes;
    const evidence = [...finding.evidence, ...diagnosis.causes.map(({ code, confidence }) => `cause ${code} (${confidence})`)];
    if (first === undefined || !NEEDLESS.has(finding.code)) return { ...finding, why, evidence };
    // In the same words for all, so that many are told as one thing to do.
    const advice = finding.advice === CODES.reissued_without_need.advice && first.overMs === null ? MEND : finding.advice;
    return { ...finding, why, evidence, advice, cause: `${finding.cause}:${first.code}` };
  });
}

function diagnosisOf({ code, subject }: Finding, doctor: Doctor, across: Across, places: () => readonly CertificatePlace[]): Diagnosis | null {
  if (NEEDLESS.has(code)) {
    const found = across.found.find((one) => one.code === code && one.subject.clusters.includes(subject.cluster) && (subject.secret === null ? setLabel(one.subject.key) === subject.name : across.placesOf(one.subject.issuer, one.subject.key).some(({ cluster, namespace, secret }) => cluster === subject.cluster && namespace === subject.namespace && secret === subject.secret)));
    return found === undefined ? null : doctor.ofSet(found.subject.issuer, found.subject.key);
  }
  if (DOMAIN.has(code)) {
    const found = across.found.find((one) => one.code === code && one.subject.key === subject.name);
    return found === undefined ? null : doctor.ofDomain(found.subject.issuer, found.subject.key);
  }
  if (!FAILING.has(code) || subject.secret === null) return null;
  const place = places().find((one) => one.namespace === subject.namespace && one.secret === subject.secret && (subject.name === null || one.name === subject.name));
  return place === undefined ? null : doctor.ofPlace(place);
}

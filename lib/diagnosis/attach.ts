/** Puts the diagnosis into the findings that want a cause. */
import { formatMs } from "../certificate/time.ts";
import { type IssuanceFinding, LOOK_BACK_MS } from "../ratelimit/rules.ts";
import { certificates, type CertificateEntry } from "../state/certificates.ts";
import { secretEntries } from "../state/secrets.ts";
import type { StateDocument } from "../state/document.ts";
import type { Across } from "../finding/across.ts";
import type { Finding } from "../finding/finding.ts";
import { onlyPlace, setLabel } from "../finding/issuance.ts";
import { type Cause, type Diagnosis, EFFECTS, explainsReissue } from "./cause.ts";
import { MANY_NAMES } from "./churn.ts";
import { Doctor } from "./diagnose.ts";

/** Of these it is said, too, that the cause is unknown, and what is missing. */
const NEEDLESS: ReadonlySet<string> = new Set([
  "reissued_without_need",
  "set_budget_low",
  "set_budget_exhausted",
]);
const DOMAIN: ReadonlySet<string> = new Set(["domain_budget_low", "domain_budget_exhausted"]);
/** Of these only a cause that is known; what says the cause by itself is none of them. */
const FAILING: ReadonlySet<string> = new Set([
  "renewal_overdue",
  "expiring",
  "expired",
  "rate_limited",
  "certificate_pending",
]);

/** Whether a finding's cause is looked for: it rests on issuances of all clusters. */
function wantsCause({ code }: Pick<Finding, "code">): boolean {
  return NEEDLESS.has(code) || DOMAIN.has(code) || FAILING.has(code);
}

/**
 * Whether the state alone could name a cause of one of these, where all clusters together don't. It
 * can't if nothing was observed, its Secrets are as their owners want them, and too few names are
 * new for a churn.
 */
export function mayNameCause(
  findings: readonly Finding[],
  state: StateDocument,
  atMs: number,
): boolean {
  const wanting = findings.filter(wantsCause);
  if (wanting.length === 0) return false;
  if (
    wanting.some(({ code }) => !FAILING.has(code)) ||
    state.observations !== undefined ||
    state.evidence !== undefined
  )
    return true;
  const newSince = formatMs(atMs - LOOK_BACK_MS);
  let fresh = 0;
  for (const { loss, record } of secretEntries(state)) {
    const { foreign, immutable, earlier, gaps, accounts } = record;
    if (loss !== null) return true;
    if (foreign) continue;
    const live = Object.values(record.certificates);
    if (
      immutable ||
      (earlier?.length ?? 0) > 0 ||
      Object.keys(gaps).length > 0 ||
      Object.keys(accounts).length > 0 ||
      live.some(({ reasons }) => reasons.length > 0)
    )
      return true;
    // Both in UTC and in one form: in order of their letters, to the second.
    fresh += live.filter(({ issuedAt }) => issuedAt >= newSince).length;
  }
  return fresh >= MANY_NAMES;
}

/** What each finding is about, by code, Secret and name, as issuanceFindings makes its subject. */
function foundBySubject(cluster: string, across: Across): ReadonlyMap<string, IssuanceFinding> {
  const found = new Map<string, IssuanceFinding>();
  for (const one of across.found) {
    if (
      !one.subject.clusters.includes(cluster) ||
      (!NEEDLESS.has(one.code) && !DOMAIN.has(one.code))
    )
      continue;
    const entry = onlyPlace(one, cluster, across);
    const name = one.subject.kind === "domain" ? one.subject.key : setLabel(one.subject.key);
    const key =
      entry === null
        ? keyOf(one.code, null, null, name)
        : keyOf(one.code, entry.namespace, entry.secret, entry.name);
    if (!found.has(key)) found.set(key, one);
  }
  return found;
}

function keyOf(
  code: string,
  namespace: string | null,
  secret: string | null,
  name: string | null,
): string {
  return JSON.stringify([code, namespace, secret, name]);
}

/** `findings` are of this state's cluster. */
export function attachCauses(
  findings: readonly Finding[],
  state: StateDocument,
  across: Across,
): Finding[] {
  if (!findings.some(wantsCause)) return [...findings];
  const doctor = new Doctor(state, across);
  const found = foundBySubject(state.cluster, across);
  const places = new Map<string, CertificateEntry>();
  for (const entry of certificates(state, across.atMs)) {
    for (const name of [entry.name, null])
      if (!places.has(keyOf("", entry.namespace, entry.secret, name)))
        places.set(keyOf("", entry.namespace, entry.secret, name), entry);
  }
  const diagnosisOf = ({
    code,
    subject: { namespace, secret, name },
  }: Finding): Diagnosis | null => {
    const of = found.get(keyOf(code, namespace, secret, name));
    if (of !== undefined)
      return of.subject.kind === "domain"
        ? doctor.ofDomain(of.subject.issuer, of.subject.key)
        : doctor.ofSet(of.subject.issuer, of.subject.key);
    const entry =
      FAILING.has(code) && secret !== null
        ? places.get(keyOf("", namespace, secret, name))
        : undefined;
    return entry === undefined ? null : doctor.ofEntry(entry);
  };
  return findings.map((finding) => {
    const diagnosis = wantsCause(finding) ? diagnosisOf(finding) : null;
    return diagnosis === null ? finding : withCause(finding, diagnosis);
  });
}

/** Causes of others than what the finding is about aren't its causes. */
function withCause(finding: Finding, diagnosis: Diagnosis): Finding {
  if (diagnosis.verdict === "none") return finding;
  const needless = NEEDLESS.has(finding.code);
  const causes = diagnosis.causes.filter((cause) =>
    needless ? explainsReissue(cause) : DOMAIN.has(finding.code) || isReasonNow(cause),
  );
  const [first] = causes;
  if (first === undefined)
    return needless ? { ...finding, why: { ...diagnosis, verdict: "unknown" } } : finding;
  const cause: Finding["cause"] = needless ? [...finding.cause, first.code] : finding.cause;
  return { ...finding, why: { ...diagnosis, verdict: "caused", causes }, cause };
}

/**
 * Why no other certificate is issued now. An account that was only assumed has a finding of its
 * own, which says so once.
 */
function isReasonNow({ code, because, overMs }: Cause): boolean {
  return (
    overMs === null &&
    EFFECTS[code].includes("stops") &&
    !(because.kind === "access_denied" && because.assumed)
  );
}

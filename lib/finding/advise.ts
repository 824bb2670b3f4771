/**
 * What to do about each certificate that fails or is lost, put into its finding: restore it, have it issued anew,
 * or wait. Never more than the evidence carries. Pure.
 */
import { adviseOn, type Advice } from "../ratelimit/advice.ts";
import { setOf } from "../ratelimit/names.ts";
import { calledBy } from "../state/identity.ts";
import type {
  CertificateRecord,
  CopyRecord,
  SecretRecord,
  StateDocument,
} from "../state/document.ts";
import type { Across } from "./across.ts";
import { commandLine, fitsCommand, literal } from "./command.ts";
import { type Finding, findingRef } from "./finding.ts";
import { parseInstantOrNull } from "../certificate/time.ts";
import { budgetPhrase, instantOf, spanPhrase } from "./words.ts";

/** Findings of a certificate that its owner will not go on with. */
const FAILING: ReadonlySet<string> = new Set([
  "certificate_invalid",
  "expired",
  "fields_emptied",
  "secret_lost",
]);

/** Whether what to do about it depends on what is known of issuances. */
export function isAdvised({ code }: Pick<Finding, "code">): boolean {
  return FAILING.has(code);
}

/** Whether this copy could be restored at `atNs`: seen valid, not expired, not retired. */
export function isGoodCopy(copy: CopyRecord, atNs: bigint): boolean {
  if (
    (copy.kind !== "certificate" && copy.kind !== "standby") ||
    !copy.seenValid ||
    copy.retired !== undefined
  )
    return false;
  const from = parseInstantOrNull(copy.notBefore ?? "");
  const until = parseInstantOrNull(copy.notAfter ?? "");
  return from !== null && until !== null && from <= atNs && atNs <= until;
}

/** `unknown` where this audit could not list the store: what is recorded may be gone, what isn't may be there. */
function copyStatus(
  state: StateDocument,
  place: { readonly namespace: string; readonly secret: string; readonly names: readonly string[] },
  notSha256: string | null,
  atNs: bigint,
): "good" | "none" | "unknown" {
  const wanted = setOf(place.names).key;
  const good = Object.values(state.copies).some(
    (copy) =>
      copy.namespace === place.namespace &&
      copy.secret === place.secret &&
      copy.sha256 !== notSha256 &&
      setOf(copy.names).key === wanted &&
      isGoodCopy(copy, atNs),
  );
  if (state.audit?.unread.some(({ scope }) => scope === "backups") === true) return "unknown";
  return good ? "good" : "none";
}

interface Failing {
  readonly certificate: CertificateRecord;
  /** Digest of what fails itself, of which a copy is no help; `null` where it is gone and a copy of it would do. */
  readonly failingSha256: string | null;
}

function failingIn(record: SecretRecord, name: string | null, gone: boolean): Failing | null {
  const named = (base: string, domain: string | null, names: readonly string[]): boolean =>
    (domain ?? names[0] ?? base) === name;
  for (const [base, certificate] of Object.entries(record.certificates)) {
    if (named(base, certificate.domain, certificate.names))
      return { certificate, failingSha256: gone ? null : certificate.sha256 };
  }
  for (const [base, { domain, held }] of Object.entries(record.gaps)) {
    if (held !== null && named(base, domain, held.names))
      return { certificate: held, failingSha256: null };
  }
  return null;
}

function failingOf(state: StateDocument, { subject }: Finding): Failing | null {
  if (subject.namespace === null || subject.secret === null) return null;
  const key = `${subject.namespace}/${subject.secret}`;
  const record = state.secrets[key];
  const lost = state.lost[key]?.record;
  return (
    (record === undefined ? null : failingIn(record, subject.name, false)) ??
    (lost === undefined ? null : failingIn(lost, subject.name, true))
  );
}

/** The advice for a certificate of a cluster at a place; `failingSha256`: the one that is no help. */
export function adviceFor(
  state: StateDocument,
  certificate: Pick<CertificateRecord, "domain" | "names" | "issuer">,
  place: { readonly namespace: string; readonly secret: string },
  failingSha256: string | null,
  across: Across,
): Advice {
  const atNs = BigInt(Math.round(across.atMs)) * 1_000_000n;
  // What its owner would ask for, whatever names stand in the certificate that it refuses.
  const names = certificate.domain === null ? certificate.names : [certificate.domain];
  return adviseOn(across.ledger, across.ledgerOf(state.cluster), {
    names,
    issuer: certificate.issuer,
    copy: copyStatus(state, { ...place, names }, failingSha256, atNs),
    atMs: across.atMs,
  });
}

/** The tightest of an advice's budgets in words, or `null` where no limit is known. */
function leftPhrase({ set, domains }: Advice, atMs: number): string | null {
  const budgets = set === null ? domains : [set, ...domains];
  const [tightest] = budgets.toSorted((a, b) => a.atMost - b.atMost);
  return tightest === undefined ? null : budgetPhrase(tightest, atMs);
}

/** An advice as one clause without a full stop. */
export function advicePhrase(advice: Advice, atMs: number): string {
  const left = leftPhrase(advice, atMs);
  const wait =
    advice.untilMs === null
      ? ""
      : `wait until ${instantOf(advice.untilMs)} (${spanPhrase(advice.untilMs - atMs)}): before that the issuer refuses`;
  const ways = advice.otherWays
    .map((way) => (way === "staging" ? "the staging environment for a test" : "another host name"))
    .join(", or ");
  switch (advice.action) {
    case "restore":
      return `restore the last good copy now${left === null ? "" : `, which takes nothing from the budget (${left})`}`;
    case "reissue":
      return `there is no good copy: have it issued anew${left === null ? "" : ` (${left})`}`;
    case "wait":
      return `there is no good copy: ${wait}${ways === "" ? "" : `; else use ${ways}`}`;
    case "unknown":
      if (advice.because.includes("copies_unread"))
        return `whether there is a good copy is not known, since the store could not be read: mend that first${wait === "" ? "" : `; without a copy, ${wait}`}`;
      if (advice.because.includes("issuer_unknown"))
        return "there is no good copy, and who issued it is not known: ask its owner how it gets another";
      return "there is no good copy, and its issuer's limits are not known: have it issued anew once";
  }
}

/** The same findings, those of failing and lost certificates with what to do and the command for it. */
export function adviseFindings(
  findings: readonly Finding[],
  state: StateDocument,
  across: Across,
): Finding[] {
  return findings.map((finding) => {
    if (!isAdvised(finding)) return finding;
    const failing = failingOf(state, finding);
    if (failing === null || finding.subject.namespace === null || finding.subject.secret === null)
      return finding;
    const place = { namespace: finding.subject.namespace, secret: finding.subject.secret };
    const advice = adviceFor(state, failing.certificate, place, failing.failingSha256, across);
    const name = finding.subject.name ?? place.secret;
    const command =
      advice.action === "restore"
        ? (commandLine(literal("certkeep restore"), calledBy(state), name) ?? finding.command)
        : commandLine(
            literal("certkeep explain"),
            fitsCommand(name) ? name : findingRef(finding.id),
          );
    return {
      ...finding,
      advice: advicePhrase(advice, across.atMs),
      command,
      evidence: [...finding.evidence, `advice ${advice.action}`, ...advice.because],
    };
  });
}

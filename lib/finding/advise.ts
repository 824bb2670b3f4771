/** What to do about each certificate that fails or is lost: restore it, issue a new one, or wait. Never more than the evidence carries. */
import { adviseOn, type Advice } from "../ratelimit/advice.ts";
import { setOf } from "../ratelimit/names.ts";
import { calledBy } from "../state/identity.ts";
import { certificates, type CertificateEntry, requestedNames } from "../state/certificates.ts";
import type { CopyRecord, StateDocument } from "../state/document.ts";
import type { Across } from "./across.ts";
import { restoreAction } from "./action.ts";
import { explainAction, type Finding } from "./finding.ts";
import { parseMs } from "../certificate/time.ts";

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

/** Whether this copy could be restored at `atMs`: seen valid, not expired, not retired. */
export function isGoodCopy(copy: CopyRecord, atMs: number): boolean {
  if (
    (copy.kind !== "certificate" && copy.kind !== "standby") ||
    !copy.seenValid ||
    copy.retired !== undefined ||
    copy.notBefore === null ||
    copy.notAfter === null
  )
    return false;
  return parseMs(copy.notBefore) <= atMs && atMs <= parseMs(copy.notAfter);
}

/** `unknown` where this audit could not list the store: what is recorded may be gone, what isn't may be there. */
function copyStatus(
  state: StateDocument,
  entry: CertificateEntry,
  names: readonly string[],
  atMs: number,
): "good" | "none" | "unknown" {
  if (state.audit?.unread.some(({ scope }) => scope === "backups") === true) return "unknown";
  const wanted = setOf(names).key;
  // A copy of what is rejected itself is no help.
  const rejected = entry.condition === "live" ? entry.record.sha256 : null;
  return entry.backups.some(
    ({ copy }) =>
      copy.sha256 !== rejected && setOf(copy.names).key === wanted && isGoodCopy(copy, atMs),
  )
    ? "good"
    : "none";
}

/** What to do about a certificate of `state` that fails or is lost. */
export function adviceFor(state: StateDocument, entry: CertificateEntry, across: Across): Advice {
  const { atMs } = across;
  const names = requestedNames(entry);
  return adviseOn(across.ledger, across.ledgerOf(state.cluster), {
    names,
    issuer: entry.record?.issuer ?? null,
    copy: copyStatus(state, entry, names, atMs),
    atMs,
  });
}

/** The same findings, those of failing and lost certificates with advice and the action that follows from it. */
export function adviseFindings(
  findings: readonly Finding[],
  state: StateDocument,
  across: Across,
): Finding[] {
  if (!findings.some(isAdvised)) return [...findings];
  const entries = Map.groupBy(certificates(state, across.atMs), ({ key }) => key);
  return findings.map((finding) => {
    const { namespace, secret, name: about } = finding.subject;
    const entry = isAdvised(finding)
      ? entries
          .get(`${namespace}/${secret}`)
          ?.find(({ name, record }) => name === about && record !== null)
      : undefined;
    if (entry === undefined) return finding;
    const advice = adviceFor(state, entry, across);
    const name = about ?? entry.secret;
    const actions =
      advice.action === "restore"
        ? [restoreAction(calledBy(state), [name])]
        : explainAction(finding.subject);
    return { ...finding, advice, actions };
  });
}

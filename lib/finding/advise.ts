/**
 * What to do about each certificate that fails or is lost: restore it, issue a new one, or wait.
 * Never more than the evidence carries.
 */
import { isConvertible } from "../certificate/hint.ts";
import { adviseOn, type Advice } from "../ratelimit/advice.ts";
import { certificates, type CertificateEntry, requestedNames } from "../state/certificates.ts";
import type { StateDocument } from "../state/document.ts";
import type { Action } from "./action.ts";
import type { Across } from "./across.ts";
import type { Finding } from "./finding.ts";
import type { BackupStatus, FindingParams } from "./params.ts";

type Advised = Extract<Finding, { readonly params: { readonly backup: BackupStatus } }>;

/** Whether what to do about it depends on what is known of issuances. */
export function isAdvised(finding: Finding): finding is Advised {
  return (
    "backup" in finding.params &&
    finding.code !== "secret_removed" &&
    !("newName" in finding.params && finding.params.newName !== undefined) &&
    !(finding.code === "certificate_invalid" && needsConversion(finding.params))
  );
}

/** Whether no restore helps, and the stored bytes in another form would be accepted. */
export function needsConversion({
  hints,
  reasons,
  backup,
}: FindingParams["certificate_invalid"]): boolean {
  return (
    backup !== "restorable" &&
    hints.length > 0 &&
    hints.every(({ kind }) => isConvertible(kind)) &&
    !reasons.includes("expired")
  );
}

const COPY = { restorable: "good", none: "none", unknown: "unknown" } as const;

export function adviceFor(
  cluster: string,
  entry: CertificateEntry,
  backup: BackupStatus,
  across: Across,
): Advice {
  return adviseOn(across.ledger, across.ledgerOf(cluster), {
    names: requestedNames(entry),
    issuer: entry.record?.issuer ?? null,
    copy: COPY[backup],
    atMs: across.atMs,
  });
}

export function adviseFindings(
  findings: readonly Finding[],
  state: StateDocument,
  across: Across,
): Finding[] {
  if (!findings.some(isAdvised)) return [...findings];
  const entries = Map.groupBy(certificates(state, across.atMs), ({ key }) => key);
  return findings.map((finding) => {
    if (!isAdvised(finding)) return finding;
    const { namespace, secret, name: about } = finding.subject;
    const entry = entries
      .get(`${namespace}/${secret}`)
      ?.find(({ name, record }) => name === about && record !== null);
    if (entry === undefined) return finding;
    const { backup } = finding.params;
    if (!isRenewal(finding)) {
      const advice = adviceFor(state.cluster, entry, backup, across);
      return { ...finding, advice, actions: actionsFor(advice, finding) };
    }
    // What is live is valid: it is renewed, unless a backup is better or the issuer refuses.
    const advice = adviceFor(
      state.cluster,
      entry,
      backup === "restorable" ? backup : "none",
      across,
    );
    return advice.action === "unknown"
      ? finding
      : { ...finding, advice, actions: actionsFor(advice, finding) };
  });
}

/** Whether it is about a certificate that is valid and should have been renewed. */
export function isRenewal({ code }: Pick<Finding, "code">): boolean {
  return code === "expiring" || code === "renewal_overdue";
}

/** Where the store can't be read, that is checked first; all else is as the planner says. */
function actionsFor({ because }: Advice, { actions }: Finding): readonly Action[] {
  return because.includes("copies_unread") ? [{ kind: "doctor", cluster: null }] : actions;
}

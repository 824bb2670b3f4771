/** Counting certificates by what is known of them. Unknown is never counted as OK. Pure. */
import { parseMs } from "../certificate/time.ts";
import { type CertificateEntry, certificates } from "../state/certificates.ts";
import { foreignCount } from "../state/secrets.ts";
import type { StateDocument } from "../state/document.ts";
import { isUnreachable } from "./reach.ts";
import type { Finding, Subject } from "./finding.ts";

export interface Counts {
  readonly certificates: number;
  /** Others that should be there, unexpired: their Secret or what it held is missing. */
  readonly lost: number;
  /** Valid, and no finding about it. */
  readonly ok: number;
  readonly staging: number;
  /** Recorded, but of a cluster that can't be seen now, or in a part that could not be read. */
  readonly unknown: number;
  readonly foreign: number;
  /** Those with a backup of what their Secret holds now. */
  readonly copies: number;
  /** Of `certificates` and `lost`, those with a backup that is valid now. */
  readonly backedUp: number;
  readonly critical: number;
  readonly warning: number;
  readonly info: number;
}

function placeOf(subject: Pick<Subject, "namespace" | "secret" | "name">): string {
  return `${subject.namespace ?? ""}/${subject.secret ?? ""}/${subject.name ?? ""}`;
}

/**
 * Places of which the last audit can't vouch: all of them, or `namespace/secret` of those that it
 * could not read.
 */
export function unseenPlaces(state: StateDocument): "all" | ReadonlySet<string> {
  if (state.audit === null || state.replacedBy !== null || isUnreachable(state)) return "all";
  const keys = new Set<string>();
  for (const { scope } of state.audit.unread) {
    // An audit that ended early doesn't tell which of the rest it had looked at.
    if (scope === "cluster" || scope === "rest") return "all";
    if (scope.startsWith("Secret ")) keys.add(scope.slice("Secret ".length));
  }
  return keys;
}

/** Whether there is a backup of what it holds now, or another one that is valid now. */
export function hasBackup({ record, backups }: CertificateEntry, atMs: number): boolean {
  return (
    (record !== null && record.copy !== null) ||
    backups.some(
      ({ copy: { kind, seenValid, retired, notAfter } }) =>
        kind === "certificate" &&
        seenValid &&
        retired === undefined &&
        notAfter !== null &&
        parseMs(notAfter) >= atMs,
    )
  );
}

/** Whether a certificate that no Secret holds should still be there. */
function isMissed(entry: CertificateEntry, atMs: number): boolean {
  const { condition, record, loss } = entry;
  // Bytes that are no certificate were one for somebody.
  if (condition === "pending") return entry.missingContent.state !== "empty";
  if (record === null || record.staging || parseMs(record.notAfter) < atMs) return false;
  if (condition === "missing_content") return true;
  return condition === "lost" && loss.how !== "removed" && loss.how !== "replaced";
}

/**
 * `findings` of this state, muted ones included: what is muted isn't fine. `stale`: the last audit
 * is too old to vouch for anything.
 */
export function countCertificates(
  state: StateDocument,
  findings: readonly Finding[],
  atMs: number,
  stale = false,
): Counts {
  const troubled = new Set(
    findings
      .filter((finding) => finding.severity !== "info")
      .map((finding) => placeOf(finding.subject)),
  );
  const unseen = stale ? "all" : unseenPlaces(state);
  let [total, lost, ok, staging, unknown, copies, backedUp] = [0, 0, 0, 0, 0, 0, 0];
  for (const entry of certificates(state, atMs)) {
    const { condition, key, name, record, verdict } = entry;
    if (condition !== "live") {
      if (!isMissed(entry, atMs)) continue;
      lost += 1;
      if (hasBackup(entry, atMs)) backedUp += 1;
      continue;
    }
    total += 1;
    if (hasBackup(entry, atMs)) backedUp += 1;
    if (record.copy !== null) copies += 1;
    if (record.staging) staging += 1;
    else if (unseen === "all" || unseen.has(key)) unknown += 1;
    else if (verdict.valid && !troubled.has(`${key}/${name ?? ""}`)) ok += 1;
  }
  const by = (severity: Finding["severity"]): number =>
    findings.filter((finding) => finding.severity === severity).length;
  return {
    certificates: total,
    lost,
    ok,
    staging,
    unknown,
    foreign: foreignCount(state),
    copies,
    backedUp,
    critical: by("critical"),
    warning: by("warning"),
    info: by("info"),
  };
}

export function sumCounts(tallies: readonly Counts[]): Counts {
  const sum = (key: keyof Counts): number => tallies.reduce((total, one) => total + one[key], 0);
  return {
    certificates: sum("certificates"),
    lost: sum("lost"),
    ok: sum("ok"),
    staging: sum("staging"),
    unknown: sum("unknown"),
    foreign: sum("foreign"),
    copies: sum("copies"),
    backedUp: sum("backedUp"),
    critical: sum("critical"),
    warning: sum("warning"),
    info: sum("info"),
  };
}

/** Counting certificates by what is known of them. Unknown is never counted as fine. Pure. */
import { certificates } from "../state/certificates.ts";
import { foreignCount } from "../state/secrets.ts";
import type { StateDocument } from "../state/document.ts";
import { isUnreachable } from "./reach.ts";
import type { Finding, Subject } from "./finding.ts";

export interface Tally {
  readonly certificates: number;
  /** Valid, and no finding about it. */
  readonly fine: number;
  readonly staging: number;
  /** Recorded, but of a cluster that can't be seen now, or in a part that could not be read. */
  readonly unknown: number;
  readonly foreign: number;
  readonly copies: number;
  readonly critical: number;
  readonly warning: number;
  readonly information: number;
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

/**
 * `findings` of this state, muted ones included: what is muted isn't fine. `stale`: the last audit
 * is too old to vouch for anything.
 */
export function tally(
  state: StateDocument,
  findings: readonly Finding[],
  atMs: number,
  stale = false,
): Tally {
  const troubled = new Set(
    findings
      .filter((finding) => finding.severity !== "information")
      .map((finding) => placeOf(finding.subject)),
  );
  const unseen = stale ? "all" : unseenPlaces(state);
  let [total, fine, staging, unknown, copies] = [0, 0, 0, 0, 0];
  for (const { condition, key, name, record, verdict } of certificates(state, atMs)) {
    if (condition !== "live") continue;
    total += 1;
    if (record.copy !== null) copies += 1;
    if (record.staging) staging += 1;
    else if (unseen === "all" || unseen.has(key)) unknown += 1;
    else if (verdict.valid && !troubled.has(`${key}/${name ?? ""}`)) fine += 1;
  }
  const by = (severity: Finding["severity"]): number =>
    findings.filter((finding) => finding.severity === severity).length;
  return {
    certificates: total,
    fine,
    staging,
    unknown,
    foreign: foreignCount(state),
    copies,
    critical: by("critical"),
    warning: by("warning"),
    information: by("information"),
  };
}

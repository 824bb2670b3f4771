/**
 * What to do about each certificate that fails or is lost, put into its finding: restore it, have it issued anew,
 * or wait. Never more than the evidence carries. Pure.
 */
import { adviseOn, type Advice } from "../ratelimit/advice.ts";
import { setOf } from "../ratelimit/names.ts";
import { calledBy } from "../state/identity.ts";
import { certificates, type CertificateEntry, requestedNames } from "../state/certificates.ts";
import type { CopyRecord, StateDocument } from "../state/document.ts";
import type { Across } from "./across.ts";
import { commandLine, fitsCommand, literal } from "./command.ts";
import { type Finding, findingRef } from "./finding.ts";
import { parseMs } from "../certificate/time.ts";
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

/** Findings about a whole cluster and its backups. */
import { fullStop } from "../../error.ts";
import { registersFirst } from "../../finding/action.ts";
import { CREDENTIAL_CRITICAL_DAYS, CREDENTIAL_DAYS } from "../../finding/codes.ts";
import { instantOf } from "../../certificate/time.ts";
import { isPlanCode } from "../../restoreplan/objection.ts";
import { mismatchText } from "../pinning.ts";
import type { FindingParams } from "../../finding/params.ts";
import { at, own, say, type Text } from "../part.ts";
import { type AdvicePhrase, byBackup, codeText, type Phrases } from "./phrase.ts";
import { planCodeText } from "./plan.ts";

type Codes =
  | "backup_missing"
  | "backup_unreadable"
  | "backup_quota"
  | "clock_off"
  | "credential_expiring"
  | "cluster_replaced"
  | "rebuilt_not_restored"
  | "cluster_named_twice"
  | "audit_incomplete"
  | "cluster_unreachable";

function reached(code: string, lastReachedMs: number | null): readonly string[] {
  return [code, ...(lastReachedMs === null ? [] : [`last reached ${instantOf(lastReachedMs)}`])];
}

const MAX_NAMED = 5;

const STORE_TROUBLES: Readonly<Record<string, string>> = {
  store_failed: "the store failed",
  seal_failed: "encryption failed",
};

type Refused = Extract<FindingParams["audit_incomplete"], { of: "namespaces" }>;

function refusedText({ namespaces, mayBeDeleted, count }: Refused): Text {
  const several = namespaces.length > 1;
  const what = say`${own(several ? "Namespaces" : "Namespace")} ${namespaces.join(", ")} can't be read
    (denied, 403)`;
  const held = say`${own(several ? "They" : "It")} held ${count}
    ${own(count === 1 ? "Secret with a certificate" : "Secrets with certificates")}.`;
  return mayBeDeleted
    ? say`${what}: ${own(several ? "they were" : "it was")} deleted, or the credential lost its
        permission there. ${held}`
    : say`${what}: ${own(several ? "they exist" : "it exists")}, and the credential lost its
        permission there. ${held}`;
}

function refusedAdvice(
  { mayBeDeleted, restorable, count }: Refused,
  isRegisteredFirst: boolean,
): AdvicePhrase {
  if (!mayBeDeleted)
    return {
      key: "grant",
      general: "Grant the permission again: register the cluster again",
      own: [],
    };
  return {
    key: "check_namespace",
    general: isRegisteredFirst
      ? "Register the cluster again, which restores the permission, and the namespace if it was " +
        "deleted; then restore"
      : "Check whether the namespace exists. If it was deleted, restore; if it exists, " +
        "register the " +
        "cluster again, so that the credential may read it",
    own: restorable === count ? [] : say`${restorable} of ${count} can be restored.`,
  };
}

export const CLUSTER_PHRASES: Phrases<Codes> = {
  backup_missing: {
    when: "A valid certificate isn't backed up.",
    seen: ({ params }) =>
      params.of === "all"
        ? say`${params.count} valid
          ${own(params.count === 1 ? "certificate isn't" : "certificates aren't")} backed up:
          no recipient is configured.`
        : say`${own(params.of === "account_key" ? "The ACME account key" : "The certificate")}
          isn't backed up: ${STORE_TROUBLES[params.reason] ?? codeText(params.reason)}.`,
    leadsTo: "If it is lost, a new one has to be issued.",
    advice: "Check the backup store",
    adviceOf: ({ params }) =>
      params.of === "all"
        ? {
            key: "recipients",
            general: "Create a key to encrypt backups for; the next audit backs everything up",
            own: [],
          }
        : "Check the backup store",
    evidence: ({ params }) => [params.reason],
  },
  backup_unreadable: {
    when:
      "A backup can't be opened, isn't the one that an audit recorded, holds what its header " +
      "doesn't say, or is missing from the store.",
    seen: ({ params }) => {
      if (params.of === "more")
        return say`${params.count} more ${own(params.count === 1 ? "backup" : "backups")} couldn't be
          used in the drill of ${at(params.drilledMs)}.`;
      const { version, code, detail } = params;
      const why =
        code === null
          ? own("it can't be opened")
          : isPlanCode(code)
            ? own(planCodeText(code))
            : say`${code}`;
      return say`Backup ${version.slice(0, 12)}: ${why}${detail === "" ? [] : say` (${detail})`}.`;
    },
    leadsTo: "What only this backup holds can't be restored.",
    advice: "Move the backup away and audit: what is live is backed up again",
    evidence: ({ params }) =>
      params.of === "more"
        ? [`drill ${instantOf(params.drilledMs)}`]
        : [
            ...(params.key === null ? [] : [say`${params.key}`]),
            ...(params.code === null ? [] : [params.code]),
          ],
  },
  backup_quota: {
    when: "More new backups were wanted in a day than the cluster's daily limit allows.",
    seen: ({ params: { waiting, made, day } }) =>
      say`${waiting} ${own(waiting === 1 ? "certificate waits" : "certificates wait")} for a
        backup: ${made} were made on ${day}, which is the daily limit.`,
    leadsTo: "The rest isn't backed up until tomorrow.",
    advice: "Find out what creates so many new certificates, or raise backups.perDay",
    evidence: ({ params }) => [`made ${params.made}`, `waiting ${params.waiting}`],
  },
  clock_off: {
    when: "A recorded time is more than five minutes in the future.",
    seen: ({ params }) => say`A recorded time is in the future: ${at(params.recordedMs)}.`,
    leadsTo: "Rate limits, verdicts and ages are wrong by as much where that clock is believed.",
    advice: "Correct the clock of the machine that audits; until then such times are ignored",
    evidence: ({ params }) => [`recorded ${instantOf(params.recordedMs)}`],
  },
  credential_expiring: {
    when:
      `A registered cluster's credential ends within ${CREDENTIAL_DAYS} days (critical: within ` +
      `${CREDENTIAL_CRITICAL_DAYS}, or it has ended), or is a token without an end that is ` +
      "older than a year.",
    seen: ({ params: { title, restores, endsMs, madeMs, ended } }) =>
      endsMs !== null
        ? say`The ${own(restores ? "restoring " : "")}credential for ${title}
          ${own(ended ? "ended" : "ends")} at ${at(endsMs)}.`
        : say`The ${own(restores ? "restoring " : "")}token for ${title} has no end and was created at
          ${madeMs === null ? own("an unknown time") : at(madeMs)}.`,
    leadsTo:
      "Nothing can be read once it has ended; a token without an end works for anyone who " +
      "copied it.",
    advice: "Rotate it: registering the cluster again does that",
    evidence: ({ params }) => [params.kind],
  },
  cluster_replaced: {
    when:
      "What answers under a cluster's name isn't the pinned cluster: another uid of " +
      "kube-system, another CA, or a uid that can't be read.",
    seen: ({ params }) => say`${params.title}: ${mismatchText(params)}.`,
    leadsTo: "Nothing is audited or restored there until you decide.",
    advice:
      "If the cluster was rebuilt or its CA was renewed, confirm it; otherwise fix the " +
      "address or the credential",
  },
  rebuilt_not_restored: {
    when:
      "A cluster was rebuilt less than seven days ago, and certificates of the cluster before it " +
      "aren't in it.",
    seen: ({ params: { count, names, rebuiltMs } }) =>
      say`The cluster was rebuilt at ${at(rebuiltMs)}, and ${count}
        ${own(count === 1 ? "certificate" : "certificates")} of the one before it
        ${own(count === 1 ? "isn't" : "aren't")} here:
        ${names.slice(0, MAX_NAMED).join(", ")}${own(count > MAX_NAMED ? ` and ${(count - MAX_NAMED).toLocaleString("en-US")} more` : "")}.`,
    leadsTo: "Each is requested again on the first connection, which uses the rate limit.",
    advice: "Restore them before their services start",
    adviceOf: ({ params: { backup, count, restorable } }) =>
      backup === "restorable"
        ? {
            key: "restore_rebuilt",
            general: "Restore them before their services start",
            own: restorable === count ? [] : say`${restorable} of ${count} can be restored.`,
          }
        : byBackup(backup, {
            key: "no_backup_rebuilt",
            general: "No usable backup: new certificates have to be issued",
          }),
    evidence: ({ params: { names } }) => names.map((name) => say`${name}`),
  },
  cluster_named_twice: {
    when: "Two names lead to one cluster: the uid of kube-system and the CA are the same.",
    seen: ({ params }) => say`${params.title} is the same cluster as ${params.first}.`,
    leadsTo: "It is audited and backed up twice. What both names show alike is counted once.",
    advice: "Remove one of the names, unless each covers other namespaces",
  },
  audit_incomplete: {
    when:
      "Something in an audit's scope couldn't be read or backed up, or no audit has finished " +
      "for more than a day.",
    seen: ({ params }) => {
      switch (params.of) {
        case "part":
          return say`${fullStop(params.message)}`;
        case "namespaces":
          return refusedText(params);
        case "stale":
          return params.finishedMs === null
            ? say`No audit of ${params.title} has finished yet.`
            : say`No audit of ${params.title} has finished since ${at(params.finishedMs)}:
              everything shown is as last seen.`;
        case "never":
          return say`This cluster is registered and was never audited.`;
        case "unreadable":
          return params.newer
            ? say`What was seen of this cluster was written by a newer certkeep: update this one.`
            : say`What was seen of this cluster can't be read: its state is damaged, or its store
              doesn't answer.`;
      }
    },
    leadsTo: "What it would have shown is unknown.",
    leadsToOf: ({ params }) =>
      params.of === "namespaces" && params.mayBeDeleted
        ? "If it was deleted, its certificates are lost, and each has to be restored or reissued."
        : "What it would have shown is unknown.",
    advice: "Check why it can't be read or written",
    adviceOf: ({ params, actions: [first] }) =>
      params.of === "namespaces"
        ? refusedAdvice(params, registersFirst(first))
        : params.of === "stale" || params.of === "never"
          ? { key: "audit", general: "Run an audit, or find out why none runs", own: [] }
          : "Check why it can't be read or written",
    evidence: ({ params }) =>
      params.of === "part" ? reached(params.code, params.lastReachedMs) : [],
  },
  cluster_unreachable: {
    when: "The cluster's API couldn't be reached or denied the credential.",
    seen: ({ params }) => say`${fullStop(params.message)}`,
    leadsTo: "What happened since then is unknown.",
    advice: "Check the address, the network and the credential",
    evidence: ({ params }) => reached(params.code, params.lastReachedMs),
  },
};

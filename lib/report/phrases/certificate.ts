/** Findings about one certificate: lost, broken, out of date. */
import type { Action } from "../../finding/action.ts";
import { EMPTY_WARNING_MS, EXPIRING_FRACTION, OVERDUE_FRACTION } from "../../finding/codes.ts";
import type { Owner } from "../../state/certificates.ts";
import { needsConversion } from "../../finding/advise.ts";
import type { FindingParams } from "../../finding/params.ts";
import { shortened } from "../../plain.ts";
import { instantOf } from "../../certificate/time.ts";
import { hintText, reasonText } from "./reasons.ts";
import { at, own, say, type Text } from "../part.ts";
import { span } from "../text.ts";
import {
  type AdvicePhrase,
  byBackup,
  codeText,
  expires,
  invalidLeadsTo,
  lossLeadsTo,
  type Phrases,
  RESTORE,
} from "./phrase.ts";

type Codes =
  | "secret_lost"
  | "secret_removed"
  | "fields_emptied"
  | "certificate_pending"
  | "certificate_invalid"
  | "expired"
  | "expiring"
  | "renewal_overdue"
  | "certificate_revoked"
  | "renewal_window_forced";

type LostOne = FindingParams["secret_removed"];

const NO_BACKUP = {
  key: "no_backup",
  general: "No usable backup: a new certificate has to be issued",
} as const;

function lostEvidence({ lastSeenMs, serials }: LostOne): readonly string[] {
  return [`last seen ${instantOf(lastSeenMs)}`, ...serials.map((serial) => `serial ${serial}`)];
}

function lostAdvice({ parent, backup }: LostOne): AdvicePhrase {
  if ((parent === "removed" || parent === "replaced") && backup === "restorable")
    return { key: "intended", general: "Nothing to do if it was deleted on purpose", own: [] };
  if (parent === "unknown" && backup === "restorable")
    return {
      key: "restore_unless_intended",
      general: "Restore it unless it was deleted on purpose",
      own: [],
    };
  return byBackup(backup, NO_BACKUP);
}

function incidentAdvice(
  { backup, restorable, count }: Extract<FindingParams["secret_lost"], { of: "many" }>,
  first: Action | undefined,
): AdvicePhrase {
  if (backup !== "restorable") return byBackup(backup, NO_BACKUP);
  return {
    key: "restore_all",
    general:
      first?.kind === "clustersAdd"
        ? "Register the cluster again, since its permissions were deleted too; then restore"
        : first?.kind === "addParts"
          ? "Register the cluster with the permissions that it lacks; then restore"
          : "Restore them all before the next connection",
    own: restorable === count ? [] : say`${restorable} of ${count} can be restored.`,
  };
}

/** What took certificates, and between which audits. */
export function incidentText({
  incident,
  fromMs,
  untilMs,
}: Pick<
  Extract<FindingParams["secret_lost"], { of: "many" }>,
  "incident" | "fromMs" | "untilMs"
>): Text {
  return say`${incident} between ${at(fromMs)} and ${at(untilMs)}`;
}

/** Of a pair that its node doesn't serve, since it has another name now. */
function renamedAdvice({ newName }: { readonly newName?: string }): AdvicePhrase | null {
  return newName === undefined
    ? null
    : {
        key: "renamed",
        general: "Nothing to do: the node has another name now",
        own: say`It serves ${newName}.`,
      };
}

function conversionAdvice(params: FindingParams["certificate_invalid"]): AdvicePhrase | null {
  return needsConversion(params)
    ? {
        key: "convert",
        general: "Convert what is stored as described: it needs no new certificate",
        own: [],
      }
    : null;
}

const EXPIRED_LEADS_TO =
  "Clients reject it, and Tailscale requests a new one on the next connection.";
const RENAMED_LEADS_TO = "Nothing: the node serves the certificate of its present name.";

const MISSING: Readonly<Record<FindingParams["fields_emptied"]["missing"], string>> = {
  key: "its key field is empty",
  certificate: "its certificate field is empty",
  both: "its certificate and key fields are empty",
};

function renewalAdvice(overdue: boolean, owner: Owner): AdvicePhrase {
  const advice = {
    tailscale: overdue
      ? "Check why Tailscale doesn't renew it; opening the service once triggers renewal"
      : "Open the service once to trigger renewal",
    "cert-manager": "Check why cert-manager doesn't renew it",
    nobody: "Renew it: no known controller does",
  };
  const several = {
    tailscale: overdue
      ? "Check why Tailscale doesn't renew them; opening each service once triggers renewal"
      : "Open each service once to trigger renewal",
    "cert-manager": "Check why cert-manager doesn't renew them",
    nobody: "Renew them: no known controller does",
  };
  return {
    key: `renew:${overdue}:${owner}`,
    general: advice[owner],
    own: [],
    several: several[owner],
  };
}

export const CERTIFICATE_PHRASES: Phrases<Codes> = {
  secret_lost: {
    when:
      "A Secret that held a certificate is missing while its parent still exists, or its " +
      "namespace was deleted or recreated, or more than 10 certificates, or at least 3 and " +
      "over a " +
      "quarter of a cluster's, were lost within one hour. A warning where the parent is unknown " +
      "and another Secret of the namespace replaces it, or its certificate wasn't valid.",
    seen: ({ params }) =>
      params.of === "many"
        ? say`${params.count}
          ${own(params.count === 1 ? "Secret with a certificate" : "Secrets with certificates")}
          disappeared at once: ${incidentText(params)}.`
        : say`Secret missing (last seen
          ${at(params.lastSeenMs)}).${own(params.parent === "unknown" ? " What it belonged to is unknown." : "")}`,
    leadsTo: lossLeadsTo("tailscale"),
    leadsToOf: ({ params }) => lossLeadsTo(params.of === "many" ? "tailscale" : params.owner),
    advice: "Restore it before the next connection",
    adviceOf: ({ params, actions: [first] }) =>
      params.of === "many" ? incidentAdvice(params, first) : lostAdvice(params),
    evidence: ({ params }) => (params.of === "many" ? params.keys : lostEvidence(params)),
  },
  secret_removed: {
    when:
      "A Secret was deleted together with its parent, or after its parent named other " +
      "hosts, while " +
      "its namespace still exists.",
    seen: ({ params }) =>
      params.parent === "replaced"
        ? say`Secret deleted: its parent names other hosts now (last seen
          ${at(params.lastSeenMs)}).`
        : say`Secret deleted together with its parent (last seen ${at(params.lastSeenMs)}).`,
    leadsTo: "Nothing, if the parent was deleted on purpose.",
    advice: "Nothing to do if it was deleted on purpose",
    adviceOf: ({ params }) => lostAdvice(params),
    evidence: ({ params }) => lostEvidence(params),
  },
  fields_emptied: {
    when:
      "A Secret that held a certificate still exists, but its fields are empty or missing. Where " +
      "none was seen in it and only cert-manager's annotations or a backup show that it " +
      "held one: " +
      "a warning, critical after a day.",
    seen: ({ params }) =>
      params.certificate !== null
        ? say`The Secret still exists, but ${own(MISSING[params.missing])}.`
        : say`The Secret is empty, although ${own(
            params.names.length === 0
              ? "it held a certificate before"
              : "cert-manager issued a certificate for it",
          )}.`,
    leadsTo: lossLeadsTo("tailscale"),
    leadsToOf: ({ params }) =>
      params.newName === undefined ? lossLeadsTo(params.owner) : RENAMED_LEADS_TO,
    advice: "Restore the fields before a restart",
    adviceOf: ({ params }) => renamedAdvice(params) ?? byBackup(params.backup, NO_BACKUP),
    evidence: ({ params: { certificate, names } }) => [
      ...(certificate === null
        ? []
        : [`held ${expires(certificate.serial, certificate.notAfterMs)}`]),
      ...(certificate !== null || names.length === 0
        ? []
        : [`annotated by cert-manager: ${names.join(", ")}`]),
    ],
  },
  certificate_pending: {
    when:
      "A Secret for a certificate was only ever seen empty. A warning after an hour, critical " +
      "after a day.",
    seen: ({ params: { emptyMs } }) =>
      emptyMs < EMPTY_WARNING_MS
        ? say`The Secret is still empty: no certificate has been seen in it.`
        : say`The Secret has been empty for ${span(emptyMs)}: no certificate has been seen
          in it.`,
    leadsTo: "Nothing while the first certificate is being issued.",
    leadsToOf: ({ params: { emptyMs } }) =>
      emptyMs < EMPTY_WARNING_MS
        ? "Nothing while the first certificate is being issued."
        : "The service that waits for this certificate can't be reached over TLS.",
    advice: "If it stays empty for an hour, check the log of the pod that requests it",
    adviceOf: ({ params: { emptyMs } }) =>
      emptyMs < EMPTY_WARNING_MS
        ? { key: "wait", general: "Wait for the first certificate", own: [] }
        : { key: "check_log", general: "Check the log of the pod that requests it", own: [] },
  },
  certificate_invalid: {
    when:
      "The controller that owns the Secret will reject what is stored, for another reason than " +
      "its expiry.",
    seen: ({ params: { certificate, reasons, hints, owner } }) => {
      const why = reasonText(reasons);
      const hinted = own(
        hints
          .map(hintText)
          .filter((text) => text !== "")
          .map((text) => ` ${text}`)
          .join(""),
      );
      return certificate === null
        ? say`The Secret holds no certificate with its key: ${why}.${hinted}`
        : say`${`${why.charAt(0).toUpperCase()}${why.slice(1)}`}.
          ${own(owner === "tailscale" ? "Tailscale" : "Clients")} will reject it.${hinted}`;
    },
    leadsTo: invalidLeadsTo("tailscale", true),
    leadsToOf: ({ params }) =>
      params.newName === undefined
        ? invalidLeadsTo(params.owner, params.certificate?.keyFits ?? false)
        : RENAMED_LEADS_TO,
    advice: RESTORE.general,
    adviceOf: ({ params }) =>
      renamedAdvice(params) ??
      conversionAdvice(params) ??
      byBackup(
        params.backup,
        params.certificate === null
          ? {
              key: "no_backup_writer",
              general: "No usable backup: find out what wrote this before a new one is issued",
              alone: own("Find out what wrote this before a new one is issued"),
              several: "Find out what wrote these before new ones are issued",
            }
          : {
              key: "no_backup_log",
              general: "No usable backup: check the controller's log before a new one is issued",
              alone: own("Check the controller's log before a new one is issued"),
              several: "Check the controllers' logs before new ones are issued",
            },
      ),
    evidence: ({ params: { certificate, gap, reasons } }) => [
      ...(gap === null ? [] : [gap]),
      ...reasons,
      ...(certificate === null ? [] : [`serial ${certificate.serial}`]),
    ],
  },
  expired: {
    when: "The certificate has expired. Info where its Tailscale node has another name now.",
    seen: ({ params }) => say`The certificate expired at ${at(params.notAfterMs)}.`,
    leadsTo: EXPIRED_LEADS_TO,
    leadsToOf: ({ params }) => (params.newName === undefined ? EXPIRED_LEADS_TO : RENAMED_LEADS_TO),
    advice: "Find out why it wasn't renewed",
    adviceOf: ({ params }) =>
      renamedAdvice(params) ??
      (params.backup === "restorable"
        ? RESTORE
        : { key: "expired", general: "Find out why it wasn't renewed", own: [] }),
    evidence: ({ params }) => [`serial ${params.serial}`],
  },
  expiring: {
    when: `Less than 1/${Math.round(1 / EXPIRING_FRACTION)} of its lifetime is left.`,
    seen: ({ params }) => say`The certificate expires at ${at(params.notAfterMs)}.`,
    leadsTo: "An outage when it expires.",
    advice: "Open the service once to trigger renewal",
    adviceOf: ({ params }) => renewalAdvice(false, params.owner),
    evidence: ({ params }) => [`serial ${params.serial}`],
  },
  renewal_overdue: {
    when:
      `Less than 1/${Math.round(1 / OVERDUE_FRACTION)} of its lifetime is left, although ` +
      "renewal is due at 1/3.",
    seen: ({ params }) =>
      say`Renewal was due at ${at(params.renewalMs)}; the certificate expires at
        ${at(params.notAfterMs)}.`,
    leadsTo: "An outage if nothing renews it.",
    advice: "Check why it isn't renewed; opening the service once triggers renewal",
    adviceOf: ({ params }) => renewalAdvice(true, params.owner),
    evidence: ({ params }) => [`serial ${params.serial}`],
  },
  certificate_revoked: {
    when: "The issuer's revocation list names the live certificate.",
    seen: ({ params: { revokedMs, reason } }) =>
      say`The certificate was revoked at
        ${at(revokedMs)}${reason === null ? [] : say` (${codeText(reason)})`}.`,
    leadsTo: "Clients that check revocation reject it; it is served all the same.",
    advice: "Issue a new certificate with a new key, and retire its backups",
    evidence: ({ params }) => [
      `serial ${params.serial}`,
      say`${shortened(params.list)}`,
      `asked ${instantOf(params.askedMs)}`,
    ],
  },
  renewal_window_forced: {
    when:
      "The issuer asks for renewal of a live certificate before it is due (ARI), as it does " +
      "ahead of a revocation.",
    seen: ({ params }) =>
      say`The issuer asks for renewal from ${at(params.startMs)} to ${at(params.endMs)}, before
        it is due.`,
    leadsTo: "The certificate may be revoked before it is renewed.",
    advice: "Restart the pod that renews it, so that it asks for the renewal time again",
    evidence: ({ params }) => [
      `serial ${params.serial}`,
      `asked ${instantOf(params.askedMs)}`,
      ...(params.explanationUrl === null ? [] : [say`${shortened(params.explanationUrl)}`]),
    ],
  },
};

/** Notes on an item of a plan, and the warnings that come before a plan. */
import { formatMs } from "../../certificate/time.ts";
import type { Note, PlanWarning } from "../../restoreplan/objection.ts";
import { pinCommand } from "../pinning.ts";
import { detailText, planCodeText } from "./plan.ts";
import { revocationGapText } from "./revocation.ts";

const PLAIN_NOTES: Readonly<
  Record<
    | "recorder_unverified"
    | "certmanager_no_issuer"
    | "certmanager_renews"
    | "certmanager_newer_seen"
    | "certmanager_not_known"
    | "certmanager_adopts"
    | "older_copy"
    | "unrecorded"
    | "account_unknown"
    | "unkept_unknown",
    string
  >
> = {
  recorder_unverified: "not verified that a recorder keeps fields that are written into its Secret",
  certmanager_no_issuer:
    "cert-manager will order a new certificate: the Secret has no annotation with its issuer",
  certmanager_renews:
    "cert-manager will renew it at once (uses 1 issuance), unless its Certificate sets another " +
    "time: less than a third of its lifetime is left",
  certmanager_newer_seen:
    "cert-manager may order a new certificate: a newer certificate than this backup was seen, " +
    "and its CertificateRequest, if it still exists, is for another key",
  certmanager_not_known: "it is unknown whether its cert-manager Certificate still exists",
  certmanager_adopts:
    "cert-manager adopts it, if the Certificate's spec still has the same issuer, key " +
    "algorithm and names",
  older_copy:
    "an older backup is used, because the newer ones can't be. Its next renewal may be " +
    "rejected if the newer one replaced it",
  unrecorded: "no audit recorded this backup, so only your identity proves where it came from",
  account_unknown:
    "it is unknown which ACME account it was issued under. If the node has another one, Let's " +
    "Encrypt rejects the renewal until the certificate expires",
  unkept_unknown:
    "it is unknown which other annotations and labels the Secret had; they aren't restored",
};

/** A clause without a full stop. */
export function noteText(note: Note): string {
  switch (note.note) {
    case "secret_renamed":
      return (
        `the proxy was recreated: the certificate goes from Secret ${note.from} to its new ` +
        `Secret ${note.to}`
      );
    case "certmanager_other_place":
      return (
        "cert-manager at the new place orders a new certificate unless its Certificate has the " +
        `name ${note.name}`
      );
    case "certmanager_ordered":
      return (
        `its Certificate ${note.name} exists, so cert-manager has probably ordered a new one ` +
        "already: it does so within seconds of the loss. Scale cert-manager down before you " +
        "restore many"
      );
    case "unknown_issuer":
      return (
        "the certificate in the cluster is from an untrusted CA and valid until " +
        `${formatMs(note.untilMs).slice(0, 10)}. If that is your own CA, don't restore this one, ` +
        "or add the CA under issuers: in certkeep.yaml"
      );
    case "passed_over":
      return (
        `backup ${note.version.slice(0, 12)} was skipped: ` +
        `${planCodeText(note.code)}${note.detail === null ? "" : ` (${detailText(note.detail)})`}`
      );
    case "revocation_unknown":
      return `revocation not checked: ${revocationGapText(note.gap)}`;
    case "marks_not_added":
    case "marks_not_moved": {
      const marks = note.marks.map(({ kind, key }) => `${kind} ${key}`).join(", ");
      return note.note === "marks_not_added"
        ? `the Secret lacks metadata of the backup, which isn't added: ${marks}`
        : `not restored to another place, where a controller could delete the Secret: ${marks}`;
    }
    case "unkept":
      return `not in the backup, so not restored: ${note.unkept.join(", ")}`;
    default:
      return PLAIN_NOTES[note.note];
  }
}

const RECREATION = {
  note_unreadable: "an earlier run deleted it, and its note can't be read",
  to_create: "an earlier run deleted it to recreate it. --apply creates it again",
  created: "an earlier run deleted it to recreate it. It exists again",
} as const;

/** Sentences; a command on a line of its own may follow. */
export function warningText(warning: PlanWarning): string {
  switch (warning.warning) {
    case "machines_of_rebuilt":
      return (
        "Before the operator and its proxies start, remove or rename the old cluster's machines " +
        "in the tailnet (admin console, Machines). While they exist, the new ones become " +
        "NAME-1, don't serve the restored certificates, and request new ones. certkeep can't " +
        "see whether they still exist."
      );
    case "other_cluster":
      return `backups are taken from ${warning.title} (${warning.key})`;
    case "successor":
      return (
        `cluster ${warning.key} is now another cluster than the recorded one ` +
        `(${warning.recorded ?? "unknown"}); it is treated as its successor`
      );
    case "pinned":
      return `cluster ${warning.key} is pinned to the one that answers now`;
    case "not_rebuilt":
      return "this is the recorded cluster; it wasn't rebuilt";
    case "unknown_cluster": {
      const { called, isRegistered } = warning;
      return (
        "no record says which cluster this is, so no backup is restored to it. To pin it as " +
        "it is " +
        `now:\n${pinCommand({ called, registered: isRegistered }, "another")}`
      );
    }
    case "recreation": {
      const { namespace, secret, state, note } = warning;
      return (
        `Secret ${namespace}/${secret}: ` +
        `${RECREATION[state]}${state === "note_unreadable" ? ` (${note})` : ""}`
      );
    }
    case "error":
      return warning.found;
    case "not_looked_at":
      return `not checked: ${warning.found}`;
    case "more_not_looked_at":
      return `not checked: ${warning.count} more`;
    case "never_audited":
      return (
        `no audit of ${warning.cluster} is recorded, so there is nothing to restore` +
        (warning.isAsked ? "" : " (--unrecorded uses backups that no audit recorded)")
      );
    case "nothing_known":
      return "nothing to restore: audits saw no certificate in this cluster";
    case "nothing_fits":
      return "nothing matches";
  }
}

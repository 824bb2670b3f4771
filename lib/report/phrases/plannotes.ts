/**
 * Notes on an item of a plan (revocation and restarts among them), and the warnings that come
 * before a plan.
 */
import { formatMs } from "../../certificate/time.ts";
import type { Note, PlanWarning } from "../../restoreplan/objection.ts";
import { pinCommand } from "../pinning.ts";
import { detailText, planCodeText } from "./plan.ts";
import type { RevocationGap } from "../../restoreplan/view.ts";
import type { RestartNote } from "../../restoreplan/item.ts";

const NOTES: {
  readonly [K in Note["note"]]: (note: Note & { readonly note: K }) => string;
} = {
  recorder_unverified: () =>
    "not verified that a recorder keeps fields that are written into its Secret",
  certmanager_no_issuer: () =>
    "cert-manager will order a new certificate: the Secret has no annotation with its issuer",
  certmanager_renews: () =>
    "cert-manager will renew it at once (uses 1 issuance), unless its Certificate sets another " +
    "time: less than a third of its lifetime is left",
  certmanager_newer_seen: () =>
    "cert-manager may order a new certificate: a newer certificate than this backup was seen, " +
    "and its CertificateRequest, if it still exists, is for another key",
  certmanager_not_known: () => "it is unknown whether its cert-manager Certificate still exists",
  certmanager_adopts: () =>
    "cert-manager adopts it, if the Certificate's spec still has the same issuer, key " +
    "algorithm and names",
  older_copy: () =>
    "an older backup is used, because the newer ones can't be. Its next renewal may be " +
    "rejected if the newer one replaced it",
  unrecorded: () =>
    "no audit recorded this backup, so only your identity proves where it came from",
  account_unknown: () =>
    "it is unknown which ACME account it was issued under. If the node has another one, Let's " +
    "Encrypt rejects the renewal until the certificate expires",
  unkept_unknown: () =>
    "it is unknown which other annotations and labels the Secret had; they aren't restored",
  secret_renamed: ({ from, to }) =>
    `the proxy was recreated: the certificate goes from Secret ${from} to its new Secret ${to}`,
  certmanager_other_place: ({ name }) =>
    "cert-manager at the new place orders a new certificate unless its Certificate has the name " +
    name,
  certmanager_ordered: ({ name }) =>
    `its Certificate ${name} exists, so cert-manager has probably ordered a new one already: it ` +
    "does so within seconds of the loss. Scale cert-manager down before you restore many",
  unknown_issuer: ({ untilMs }) =>
    "the certificate in the cluster is from an untrusted CA and valid until " +
    `${formatMs(untilMs).slice(0, 10)}. If that is your own CA, don't restore this one, or add ` +
    "the CA under issuers: in certkeep.yaml",
  passed_over: ({ version, code, detail }) =>
    `backup ${version.slice(0, 12)} was skipped: ` +
    `${planCodeText(code)}${detail === null ? "" : ` (${detailText(detail)})`}`,
  revocation_unknown: ({ gap }) => `revocation not checked: ${revocationGapText(gap)}`,
  marks_not_added: ({ marks }) =>
    `the Secret lacks metadata of the backup, which isn't added: ${marksText(marks)}`,
  marks_not_moved: ({ marks }) =>
    "not restored to another place, where a controller could delete the Secret: " +
    marksText(marks),
  unkept: ({ unkept }) => `not in the backup, so not restored: ${unkept.join(", ")}`,
};

function marksText(marks: (Note & { readonly note: "marks_not_added" })["marks"]): string {
  return marks.map(({ kind, key }) => `${kind} ${key}`).join(", ");
}

/** A clause without a full stop. */
export function noteText(note: Note): string {
  const text = NOTES[note.note] as (of: never) => string;
  return text(note as never);
}

const RECREATION = {
  note_unreadable: "an earlier run deleted it, and its note can't be read",
  to_create: "an earlier run deleted it to recreate it. --apply creates it again",
  created: "an earlier run deleted it to recreate it. It exists again",
} as const;

const WARNINGS: {
  readonly [K in PlanWarning["warning"]]: (of: PlanWarning & { readonly warning: K }) => string;
} = {
  machines_of_rebuilt: () =>
    "Before the operator and its proxies start, remove or rename the old cluster's machines " +
    "in the tailnet (admin console, Machines). While they exist, the new ones become " +
    "NAME-1, don't serve the restored certificates, and request new ones. certkeep can't " +
    "see whether they still exist.",
  other_cluster: ({ title }) => `the backups are those of cluster ${title}`,
  successor: ({ key, recorded }) =>
    `cluster ${key} is now another cluster than the recorded one (${recorded ?? "unknown"}); it ` +
    "is treated as its successor",
  pinned: ({ key }) => `cluster ${key} is pinned to the one that answers now`,
  not_rebuilt: () => "this is the recorded cluster; it wasn't rebuilt",
  unknown_cluster: ({ called, isRegistered }) =>
    "no record says which cluster this is, so no backup is restored to it. To pin it as it is " +
    `now:\n${pinCommand({ called, registered: isRegistered }, "another")}`,
  recreation: ({ namespace, secret, state, note }) =>
    `Secret ${namespace}/${secret}: ` +
    `${RECREATION[state]}${state === "note_unreadable" ? ` (${note})` : ""}`,
  error: ({ found }) => found,
  not_looked_at: ({ found }) => `not checked: ${found}`,
  more_not_looked_at: ({ count }) => `not checked: ${count} more`,
  never_audited: ({ cluster, isAsked }) =>
    `no audit of ${cluster} is recorded, so there is nothing to restore` +
    (isAsked ? "" : " (--unrecorded uses backups that no audit recorded)"),
  nothing_known: () => "nothing to restore: audits saw no certificate in this cluster",
  nothing_fits: () => "nothing matches",
};

/** Sentences; a command on a line of its own may follow. */
export function warningText(warning: PlanWarning): string {
  const text = WARNINGS[warning.warning] as (of: never) => string;
  return text(warning as never);
}

const GAPS: Readonly<
  Record<Exclude<RevocationGap["gap"], "to_come" | "outdated" | "unreached">, string>
> = {
  not_asked: "not asked for",
  issuer_not_asked: "no source for this CA",
  no_list: "the certificate names no revocation list",
  no_issuer: "the certificate's issuer is unknown here",
  list_unreadable: "the issuer's list can't be read",
  other_issuer: "the list is of another issuer",
  bad_signature: "the list's signature doesn't verify with the issuer's key",
  no_end: "the list doesn't say until when it is valid",
  unread_extension: "the list has an extension that certkeep doesn't know",
  unread_entries: "the list has entries that certkeep doesn't know",
  partial: "the list isn't one of all of the issuer's certificates",
  other_address: "the list is of another address than the certificate names",
};

export function revocationGapText(gap: RevocationGap): string {
  switch (gap.gap) {
    case "to_come":
      return `the list's time is in the future (${formatMs(gap.atMs)})`;
    case "outdated":
      return `the list is out of date (since ${formatMs(gap.atMs)})`;
    case "unreached":
      return gap.found;
    default:
      return GAPS[gap.gap];
  }
}

interface Served {
  readonly word: string;
  /** After "Served"; a command follows where there is one. */
  readonly clause: string;
}

interface Reading {
  readonly text: string;
  readonly served: Served | null;
}

const AFTER_RESTART: Served = { word: "after restart", clause: "after a restart" };

const READINGS: Readonly<Record<RestartNote["reads"], Reading>> = {
  none: { text: "", served: null },
  nobody: { text: "no pod has to restart", served: null },
  not_known: {
    text: "unknown whether needed",
    served: { word: "unknown", clause: "at an unknown time; restart the pods that use it" },
  },
  operator_if_running: {
    text:
      "if the operator already runs: it reads the Secret only when it starts. None before its " +
      "first start",
    served: { ...AFTER_RESTART, clause: "after a restart, if the operator is already running" },
  },
  operator_at_start: {
    text: "the operator reads the Secret only when it starts",
    served: AFTER_RESTART,
  },
  group_next_access: {
    text:
      "pods read it on the next connection. Up to version 1.92.5 the first pod may serve an old " +
      "one from memory: restart it then",
    served: {
      word: "immediately",
      clause: "on the next connection; proxies up to 1.92.5 after a restart",
    },
  },
  group_within_a_day: {
    text:
      "the first pod reads it on each connection (from 1.94 on), the others within 24 hours: " +
      "restart to have it everywhere at once",
    served: {
      word: "within 24 h",
      clause: "within 24 hours, or everywhere at once after a restart",
    },
  },
  proxy_not_started: {
    text:
      "its pod hasn't started yet, as far as the Secret says: it reads the certificate when it " +
      "first starts",
    served: { word: "when started", clause: "when its pod starts" },
  },
  proxy_at_start: { text: "the proxy reads the Secret only when it starts", served: AFTER_RESTART },
  pod_at_start: {
    text: "the pod of the same name reads it only when it starts",
    served: AFTER_RESTART,
  },
  by_program: {
    text:
      "unknown whether needed; ingress controllers reload on their own; a pod that mounts it " +
      "serves it once its program reloads it",
    served: {
      word: "when reloaded",
      clause: "once its pods reload it; ingress controllers reload on their own",
    },
  },
  sidecar_if_running: {
    text: "if it already runs: WORKLOAD",
    served: {
      ...AFTER_RESTART,
      clause: "after a restart of the workload with this TS_KUBE_SECRET, if it is already running",
    },
  },
  sidecar_at_start: {
    text: "restart WORKLOAD; it reads the Secret only when it starts",
    served: {
      ...AFTER_RESTART,
      clause: "after a restart of the workload with this TS_KUBE_SECRET",
    },
  },
};

/** Whether a pod has to restart, in a clause; empty where there is nothing to say. */
export function restartText(note: RestartNote): string {
  const { text } = READINGS[note.reads];
  return "secret" in note
    ? text.replace(
        "WORKLOAD",
        () => `the workload whose TS_KUBE_SECRET is ${note.secret}, which the Secret doesn't name`,
      )
    : text;
}

/** When it is served; `null` where nothing serves it. */
export function servedText({ reads }: RestartNote): Served | null {
  return READINGS[reads].served;
}

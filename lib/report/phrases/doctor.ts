/** What the doctor found, as data by a code each, and how it is said. */
import type { Excess } from "../../rbac/excess.ts";
import type { Question } from "../../rbac/rules.ts";
import type { Bearer } from "../../rbac/table.ts";
import type { NotPinned } from "../../state/identity.ts";
import { mismatchText } from "../pinning.ts";
import { answerText } from "../slack/answer.ts";
import { count, span } from "../text.ts";
import { excessText, questionText, withoutText } from "./permissions.ts";

type None = object;

/** What is known of each besides its code. */
interface Seen {
  /** In the words of an error. */
  error: { readonly message: string };

  no_configuration: None;
  configuration: { readonly file: string; readonly trust: "named" | "user" | "approved" };
  registry: { readonly url: string; readonly clusters: number };
  no_cluster: None;
  none_registered: None;

  /** `recipients`: those that the configuration names. */
  no_identity: { readonly recipients: readonly string[] };
  identity: { readonly where: string };
  identity_shared: { readonly where: string };
  identity_of_others: { readonly where: string; readonly recipients: readonly string[] };
  identity_in_work_tree: { readonly where: string; readonly workTree: string };

  backups: { readonly url: string };
  many_secrets: { readonly backups: number; readonly limit: number };
  states: { readonly url: string };
  alarms: { readonly topic: string; readonly count: number };
  alarms_pending: { readonly topic: string; readonly count: number };
  alarms_unheard: { readonly topic: string };

  no_route: None;
  no_webhook: { readonly route: string };
  never_posted: { readonly route: string };
  posted: { readonly route: string; readonly agoMs: number };
  not_posted: {
    readonly route: string;
    readonly answer: string;
    readonly queued: number;
    readonly nextMs: number;
  };
  test_sent: { readonly route: string };
  test_failed: { readonly route: string; readonly answer: string };

  no_drill: None;
  drill: { readonly agoMs: number; readonly backups: number; readonly unreadable: number };
  drill_ahead: { readonly byMs: number };

  /** Of one cluster. */
  /** `isOwn`: the cluster's own list of them is empty. */
  no_recipients: { readonly isOwn: boolean };
  same_cluster: { readonly as: string };
  tls_unchecked: None;
  tailnet_address: { readonly server: string };
  answers: { readonly server: string; readonly version: string | null };
  old_version: { readonly version: string | null };
  clock: { readonly offMs: number };
  dead_api: { readonly group: string };
  lists_secrets: None;
  lists_nothing: None;
  not_registered: None;
  not_pinned: { readonly differs: NotPinned };
  uid_unread: None;
  not_recorded: None;
  recorded: None;
  never_audited: None;
  audited: { readonly agoMs: number; readonly isComplete: boolean };

  /** Of its credentials. */
  no_end: { readonly bearer: Bearer };
  endless_token: { readonly bearer: Bearer; readonly since: string | null };
  ends: { readonly bearer: Bearer; readonly endsAt: string; readonly inMs: number };
  not_granted: { readonly bearer: Bearer; readonly question: Question };
  granted: { readonly bearer: Bearer; readonly count: number };
  namespace_roles: { readonly bearer: Bearer; readonly namespaces: readonly string[] };
  excess: { readonly bearer: Bearer; readonly excess: Excess; readonly isAccepted: boolean };
  no_excess: { readonly bearer: Bearer; readonly isIncomplete: boolean };
  one_credential: None;
  restore_accepted: None;
  restore_not_pinned: { readonly differs: NotPinned };
}

export type Observed = { [K in keyof Seen]: { readonly seen: K } & Seen[K] }[keyof Seen];

const TRUST = {
  named: "named by --config",
  user: "in your configuration folder",
  approved: "approved by you",
};

const WHO: Readonly<Record<Bearer, string>> = { read: "reading", restore: "restoring" };

/** When a queued message is tried again, from now. */
export function waitText(ms: number): string {
  return ms < 60_000 ? "with the next run" : `in ${span(ms)}`;
}

function clockText(offMs: number): string {
  if (offMs < 2_000) return "less than 2 s";
  return offMs < 120_000 ? `${Math.round(offMs / 1000)} s` : span(offMs);
}

const SET_UP = {
  error: ({ message }) => message,
  no_configuration: () => "No certkeep.yaml: the defaults apply, and nothing is backed up",
  configuration: ({ file, trust }) => `Configuration in use: ${file} (${TRUST[trust]})`,
  registry: ({ url, clusters }) => `${url} is readable: ${count(clusters, "cluster")}`,
  no_cluster: () =>
    "No cluster is configured: an audit uses the current context of your kubeconfig",
  none_registered: () => "No cluster is registered: nothing is audited",
  no_identity: ({ recipients }) =>
    "No identity here: backups are made, and can't be opened, tested or restored from this machine" +
    (recipients.length === 0
      ? ""
      : `. They open with the identity of ${recipients.join(", ")}: name it as identity: in ` +
        "certkeep.yaml, or by --identity FILE"),
  identity: ({ where }) => `Identity ${where} opens the current backups`,
  identity_shared: ({ where }) =>
    `Other users can read the identity ${where}, which opens every backup`,
  identity_of_others: ({ where, recipients }) =>
    `Identity ${where} opens none of this cluster's backups: they are encrypted for ` +
    `${recipients.join(", ")}. Name the identity of one of them as identity: in certkeep.yaml, or ` +
    "by --identity FILE",
  identity_in_work_tree: ({ where, workTree }) =>
    `Identity ${where} is in the git work tree ${workTree}, so a commit could publish it. ` +
    "Move it out, and name its new place as identity: in certkeep.yaml",
  backups: ({ url }) => `${url} is readable and writable`,
  many_secrets: ({ backups, limit }) =>
    `${backups} backups are in Secrets Manager, which charges for each secret by the month. ` +
    `From about ${limit} on S3 is cheaper (stores.backups: s3://BUCKET)`,
  states: ({ url }) => `${url} is readable and writable`,
  alarms: ({ topic, count: n }) => `Alarms go to ${count(n, "subscriber")} of ${topic}`,
  alarms_pending: ({ topic, count: n }) =>
    `No alarm is delivered: ${count(n, "subscription")} of ${topic} ` +
    `${n === 1 ? "isn't" : "aren't"} confirmed. Follow the link in the message from AWS`,
  alarms_unheard: ({ topic }) => `No alarm is delivered: ${topic} has no subscription`,
  no_route: () =>
    "No digest is posted: findings are only seen by who asks. Name a webhook under digest: in " +
    "certkeep.yaml",
  no_webhook: ({ route }) => `Route ${route} has no webhook`,
  never_posted: ({ route }) => `Nothing was posted on route ${route} yet`,
  posted: ({ route, agoMs }) => `Last digest on route ${route}: ${span(agoMs)} ago`,
  not_posted: ({ route, answer, queued, nextMs }) =>
    `Route ${route} didn't deliver the last message: ${answerText(answer)}. ` +
    `${count(queued, "message")} queued, next try ${waitText(nextMs)}`,
  test_sent: ({ route }) => `Route ${route} delivered a test message`,
  test_failed: ({ route, answer }) =>
    `Route ${route} didn't deliver a test message: ${answerText(answer)}`,
  no_drill: () => "No drill was done: it is unknown whether the backups can be opened",
  drill: ({ agoMs, backups, unreadable }) =>
    `Last drill: ${span(agoMs)} ago, ${count(backups, "backup")}, ${unreadable} unreadable`,
  drill_ahead: ({ byMs }) =>
    `The last drill is dated ${span(byMs)} in the future: a clock was ahead`,
} satisfies Partial<Phrases>;

const CLUSTER = {
  no_recipients: ({ isOwn }) =>
    "No recipients: nothing of this cluster is backed up" +
    (isOwn ? ". Take its own empty list of recipients: out of the configuration" : ""),
  same_cluster: ({ as }) => `The same cluster as ${as}: it is audited and backed up twice`,
  tls_unchecked: () =>
    "insecure-skip-tls-verify: the credential is sent to whatever answers at the address",
  tailnet_address: ({ server }) =>
    `The address ${server} ends in .ts.net: if its own certificate is lost, the cluster can't ` +
    "be reached to restore it. Register the API server's direct address",
  answers: ({ server, version }) => `${server} answers${version === null ? "" : ` (${version})`}`,
  old_version: ({ version }) =>
    `Version ${version} is older than the oldest that this certkeep was tested with (1.22 to 1.34)`,
  clock: ({ offMs }) =>
    `The clocks of this machine and the API server differ by ${clockText(offMs)}`,
  dead_api: ({ group }) =>
    `API group ${group} doesn't answer (its server is down); what it serves is unknown`,
  lists_secrets: () => "New certificates are found by listing Secrets",
  lists_nothing: () =>
    "Nothing is listed: only the named Secrets are audited, and a new certificate has to be named",
  not_registered: () =>
    "Not registered: your own credential is used, which may do more than an audit needs",
  not_pinned: ({ differs }) => {
    const { found, expected } = mismatchText(differs);
    return `${found}; expected ${expected}. Nothing is audited or restored there until you decide`;
  },
  uid_unread: () =>
    "The namespace kube-system can't be read, so only CA and address identify the cluster",
  not_recorded: () => "Not recorded yet: the first audit does it",
  recorded: () => "The recorded cluster",
  never_audited: () => "Never audited",
  audited: ({ agoMs, isComplete }) =>
    `Last audit: ${span(agoMs)} ago${isComplete ? "" : ", incomplete"}`,
  no_end: () => "The reading credential has no known end",
  endless_token: ({ since }) =>
    "The reading credential is a token without an end, made " +
    `${since === null ? "at an unknown time" : `at ${since}`}`,
  ends: ({ bearer, endsAt, inMs }) =>
    `The ${WHO[bearer]} credential ends at ${endsAt}, in ${span(inMs)}`,
  not_granted: ({ bearer, question }) =>
    `The ${WHO[bearer]} credential may not ${questionText(question)}; without it: ` +
    `${withoutText(question.capability)}`,
  granted: ({ bearer, count: n }) =>
    `The ${WHO[bearer]} credential has all ${n} required permissions`,
  namespace_roles: ({ bearer, namespaces }) =>
    `The ${WHO[bearer]} credential may read ${namespaces.length === 1 ? "namespace" : "namespaces"} ` +
    `${namespaces.join(", ")} by a Role inside, which is deleted with the namespace. Then ` +
    "certkeep can't tell a deleted namespace from a lost permission",
  excess: ({ bearer, excess, isAccepted }) =>
    `The ${WHO[bearer]} credential can do more than it should: ` +
    `${excessText(excess)}${isAccepted ? " (accepted when it was registered)" : ""}`,
  no_excess: ({ bearer, isIncomplete }) =>
    `The ${WHO[bearer]} credential has no further ` +
    `permission${isIncomplete ? ", as far as the server can say" : ""}`,
  one_credential: () =>
    "Restores use the reading credential: whoever breaks into an audit could write",
  restore_accepted: () => "The restoring credential is accepted",
  restore_not_pinned: ({ differs }) => `A restore would be refused: ${mismatchText(differs).found}`,
} satisfies Partial<Phrases>;

type Phrases = {
  readonly [K in keyof Seen]: (observed: Extract<Observed, { readonly seen: K }>) => string;
};

const PHRASES: Phrases = { ...SET_UP, ...CLUSTER };

export function observedText(observed: Observed): string {
  return PHRASES[observed.seen](observed as never);
}

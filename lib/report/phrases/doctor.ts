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
  leads_to: { readonly cluster: string };
  not_pinned: { readonly differs: NotPinned };
  uid_unread: None;
  not_recorded: None;
  recorded: None;
  never_audited: None;
  audited: { readonly agoMs: number; readonly isComplete: boolean };

  no_end: { readonly bearer: Bearer };
  endless_token: { readonly bearer: Bearer; readonly since: string | null };
  ends: { readonly bearer: Bearer; readonly endsAt: string; readonly inMs: number };
  not_granted: { readonly bearer: Bearer; readonly question: Question };
  granted: { readonly bearer: Bearer; readonly count: number };
  namespace_roles: { readonly bearer: Bearer; readonly namespaces: readonly string[] };
  excess: { readonly bearer: Bearer; readonly excess: Excess; readonly isAccepted: boolean };
  no_excess: { readonly bearer: Bearer; readonly isIncomplete: boolean };
  no_restoring: None;
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
  no_configuration: () => "No certkeep.yaml: defaults apply, nothing is backed up",
  configuration: ({ file, trust }) => `${file} (${TRUST[trust]})`,
  registry: ({ url, clusters }) => `${url} is readable: ${count(clusters, "cluster")}`,
  no_cluster: () => "None is configured, and the kubeconfig has no current context",
  none_registered: () => "None is registered: nothing is audited",
  no_identity: ({ recipients }) =>
    "No identity here: backups can't be opened or restored" +
    (recipients.length === 0
      ? ""
      : `. Set identity: in certkeep.yaml, or use --identity FILE, with the identity of ` +
        recipients.join(", ")),
  identity: ({ where }) => `${where} opens the current backups`,
  identity_shared: ({ where }) => `Other users can read ${where}, which opens every backup`,
  identity_of_others: ({ where, recipients }) =>
    `${where} can't open this cluster's backups, which are encrypted for ` +
    `${recipients.join(", ")}. Set identity: in certkeep.yaml, or use --identity FILE`,
  identity_in_work_tree: ({ where, workTree }) =>
    `${where} is in the git work tree ${workTree}: a commit could publish it. ` +
    "Move it, and set identity: in certkeep.yaml to its new place",
  backups: ({ url }) => `${url} is readable and writable`,
  many_secrets: ({ backups, limit }) =>
    `${backups} backups are in Secrets Manager, which charges monthly for each secret. ` +
    `From about ${limit}, S3 is cheaper (stores.backups: s3://BUCKET)`,
  states: ({ url }) => `${url} is readable and writable`,
  alarms: ({ topic, count: n }) => `Alarms go to ${count(n, "subscriber")} of ${topic}`,
  alarms_pending: ({ topic, count: n }) =>
    `No alarm is delivered: ${count(n, "subscription")} of ${topic} ` +
    `${n === 1 ? "isn't" : "aren't"} confirmed. Follow the link in the message from AWS`,
  alarms_unheard: ({ topic }) => `No alarm is delivered: ${topic} has no subscription`,
  no_route: () => "No digest: add a webhook under digest: in certkeep.yaml",
  no_webhook: ({ route }) => `Route ${route} has no webhook`,
  never_posted: ({ route }) => `Route ${route}: nothing posted yet`,
  posted: ({ route, agoMs }) => `Route ${route}: last posted ${span(agoMs)} ago`,
  not_posted: ({ route, answer, queued, nextMs }) =>
    `Route ${route}: the last message failed: ${answerText(answer)}. ` +
    `${count(queued, "message")} queued, next attempt ${waitText(nextMs)}`,
  test_sent: ({ route }) => `Route ${route}: test message delivered`,
  test_failed: ({ route, answer }) => `Route ${route}: test message failed: ${answerText(answer)}`,
  no_drill: () => "Never run: unknown whether backups can be restored",
  drill: ({ agoMs, backups, unreadable }) =>
    `${span(agoMs)} ago: ${count(backups, "backup")}, ${unreadable} unreadable`,
  drill_ahead: ({ byMs }) => `Dated ${span(byMs)} in the future: a clock was ahead`,
} satisfies Partial<Phrases>;

const CLUSTER = {
  no_recipients: ({ isOwn }) =>
    "No recipients: nothing is backed up" +
    (isOwn ? ". Remove its empty recipients: from the configuration" : ""),
  same_cluster: ({ as }) => `Same cluster as ${as}: it is audited and backed up twice`,
  tls_unchecked: () =>
    "insecure-skip-tls-verify is set: any server at the address gets the credential",
  tailnet_address: ({ server }) =>
    `${server} is on the tailnet: if its certificate is lost, the cluster can't be reached to ` +
    "restore it. Register the API server's direct address",
  answers: ({ server, version }) => `${server} answers${version === null ? "" : ` (${version})`}`,
  old_version: ({ version }) => `Version ${version} is older than the tested ones (1.22 to 1.34)`,
  clock: ({ offMs }) => `The clocks here and on the API server differ by ${clockText(offMs)}`,
  dead_api: ({ group }) =>
    `API group ${group} doesn't answer (its server is down): its objects are unknown`,
  lists_secrets: () => "New certificates are found by listing Secrets",
  lists_nothing: () =>
    "Only named Secrets are audited: certkeep doesn't find new certificates. Name each new one",
  not_registered: () =>
    "Not registered: certkeep uses your own credential. Add --with restore to allow restores too",
  leads_to: ({ cluster }) => `This context leads to cluster ${cluster}`,
  not_pinned: ({ differs }) =>
    `${mismatchText(differs)}. certkeep neither audits nor restores it meanwhile`,
  uid_unread: () => "Can't read namespace kube-system: only CA and address identify the cluster",
  not_recorded: () => "Not pinned yet: the first audit pins it",
  recorded: () => "Same cluster as pinned",
  never_audited: () => "Never audited",
  audited: ({ agoMs, isComplete }) => `${span(agoMs)} ago${isComplete ? "" : ", incomplete"}`,
  no_end: () => "The reading credential doesn't say when it expires",
  endless_token: ({ since }) =>
    "The reading credential is a token that never expires, created " +
    `${since === null ? "at an unknown time" : since}`,
  ends: ({ bearer, endsAt, inMs }) =>
    inMs < 0
      ? `The ${WHO[bearer]} credential expired ${span(inMs)} ago (${endsAt})`
      : `The ${WHO[bearer]} credential expires in ${span(inMs)} (${endsAt})`,
  not_granted: ({ bearer, question }) =>
    `The ${WHO[bearer]} credential lacks permission to ${questionText(question)}. Without it ` +
    withoutText(question.capability),
  granted: ({ bearer, count: n }) =>
    `The ${WHO[bearer]} credential has all ${n} required permissions`,
  namespace_roles: ({ bearer, namespaces }) =>
    `The ${WHO[bearer]} credential reads ${namespaces.length === 1 ? "namespace" : "namespaces"} ` +
    `${namespaces.join(", ")} by a Role inside, which is deleted with the namespace. Then ` +
    "certkeep can't tell a deleted namespace from a lost permission",
  excess: ({ bearer, excess, isAccepted }) =>
    `The ${WHO[bearer]} credential can do more than needed: ` +
    `${excessText(excess)}${isAccepted ? " (accepted when it was registered)" : ""}`,
  no_excess: ({ bearer, isIncomplete }) =>
    `The ${WHO[bearer]} credential has no other ` +
    `permissions${isIncomplete ? ", as far as the server can say" : ""}`,
  no_restoring: () => "No restoring credential, so a restore from here is refused",
  one_credential: () => "Restores use the reading credential, so an attacked audit could write",
  restore_accepted: () => "The restoring credential is accepted",
  restore_not_pinned: ({ differs }) => `A restore would refuse: ${mismatchText(differs)}`,
} satisfies Partial<Phrases>;

type Phrases = {
  readonly [K in keyof Seen]: (observed: Extract<Observed, { readonly seen: K }>) => string;
};

const PHRASES: Phrases = { ...SET_UP, ...CLUSTER };

export function observedText(observed: Observed): string {
  return PHRASES[observed.seen](observed as never);
}

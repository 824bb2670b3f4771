/** What the docs add to tables of codes: each code has a text, or the types don't hold. */
import type { ExitCode } from "../lib/cli/io.ts";
import type { CauseCode } from "../lib/diagnosis/cause.ts";
import type { FindingCode } from "../lib/finding/codes.ts";
import type { Reach } from "../lib/rbac/table.ts";
import type { SOURCE_STATUSES } from "../lib/report/phrases/missing.ts";
import type { Rule } from "../lib/restoreplan/item.ts";
import type { NAMES } from "../stack/parameters.ts";

export const REACH_NOTES: Readonly<Record<Reach, string>> = {
  "kube-system": "namespace `kube-system`",
  self: "each audited namespace, by name",
  namespaces: "each audited namespace",
  names: "the named Secrets",
  cluster: "whole cluster",
};

interface CauseNote {
  readonly evidence: string;
  readonly fix: string;
}

export const CAUSE_NOTES: Readonly<Record<CauseCode, CauseNote>> = {
  storage: {
    evidence:
      "An access review denies the write, the Secret is `immutable`, the log shows *got cert* " +
      "and then a failed write, Events of the state store report failures, or something else " +
      "empties or recreates the Secret.",
    fix:
      "Repair the Role or RoleBinding that is named. For `immutable`: `certkeep restore … " +
      "--replace`. Stop the other writer.",
  },
  account_key_lost: {
    evidence:
      "The issuer refuses the renewal because another account requested the certificate, or the " +
      "ACME account key isn't the one that the backup records.",
    fix: "`certkeep restore CLUSTER NAME` restores the right account key.",
  },
  validation_fails: {
    evidence:
      "certkeep judges the stored certificate, and the one before, as Tailscale does. " +
      "Tailscale's log never says which check failed.",
    fix: "Restore the last usable backup. Find out what wrote the other one.",
  },
  already_replaced: {
    evidence: "The issuer says that the stored certificate already has a successor.",
    fix: "Restore the newest backup.",
  },
  renewal_window_forced: {
    evidence:
      "The issuer's suggested renewal window (ARI) ends before renewal is due, as it does ahead " +
      "of a revocation.",
    fix: "Restart the pod, which asks for the window once per process. Check that it renews.",
  },
  hidden_stall: {
    evidence:
      "A renewal was due and started, and nothing followed for an hour. Tailscale's ACME client " +
      "waits out a 429 without logging it, and keeps waiting after the limit has ended.",
    fix: "Restart the pod.",
  },
  dns: {
    evidence:
      "The log reports failed lookups or failed challenges, or HTTPS is disabled in the tailnet " +
      "(log, Event `HTTPSNotEnabled`).",
    fix:
      "Check the cluster's resolver. Enable HTTPS certificates in the tailnet. Check that the " +
      "node is logged in.",
  },
  account_rejected: {
    evidence: "The issuer says that the ACME account is deactivated or doesn't exist.",
    fix: "Remove `acme-account.key.pem` from the node's Secret and restart its pod.",
  },
  server_untrusted: {
    evidence: "The log has an x509 error about the ACME server's certificate.",
    fix: "Find the proxy that decrypts TLS, or add the CA that the image lacks.",
  },
  network: {
    evidence: "The log says that the ACME server is unreachable or times out.",
    fix: "Check network policies, firewall and egress proxy.",
  },
  rate_limited: {
    evidence:
      "The log reports a 429, or an account that the issuer paused. A domain's limit blocks new " +
      "names only; renewals continue.",
    fix: "Restore from backup, or wait until the time that the refusal names.",
  },
  order_failed: {
    evidence:
      "The log reports another error of an order or renewal, such as `503 Service busy`, which " +
      "is no rate limit.",
    fix: "Fix what the issuer's error names.",
  },
  race: {
    evidence:
      "Certificates of one set were issued at most ten minutes apart, and several Secrets, pods " +
      "or clusters hold or request the same names.",
    fix: "Let one issue and copy it to the others, or give each its own name.",
  },
  pod_churn: {
    evidence:
      "At least five new names of one pattern within a week, or Secrets recreated for one name " +
      "while earlier ones are deleted.",
    fix: "Use fewer ephemeral nodes, cache on the client's side, use staging for tests.",
  },
  many_new_names: {
    evidence: "First certificates for new names used up the registered domain's limit.",
    fix:
      "Wait with new names. Use staging for tests. Where the name isn't Tailscale's, import a " +
      "standby.",
  },
};

export const PARAMETER_NOTES: Readonly<Record<(typeof NAMES)[number], string>> = {
  timeoutSeconds:
    "Time limit of every function. Audits and drills stop 20 seconds earlier and report that " +
    "they are incomplete.",
  memoryMb: "Memory of every function. Raise it, and the time limit, from about 20,000 backups on.",
  visibilitySeconds:
    "How long a queued audit is hidden from other workers: at least six times the time limit.",
  maxReceiveCount: "Failures until a message moves to the dead-letter queue.",
  maximumConcurrency: "Clusters audited at the same time; at least 2.",
  intervalMinutes: "How often each cluster is audited.",
  logRetentionDays: "How long CloudWatch keeps the logs.",
  backups: "Where new backups go: `secretsmanager` or `s3`. See [costs](#costs).",
  stateBucket: "Name of an existing bucket to adopt. By default the stack creates one.",
  alarmEmail: "Address for alarms. AWS asks it to confirm.",
  permissionsBoundary: "ARN of a permissions boundary for every role.",
  rolePath: "Path of every role.",
  tags: "`key=value,key=value`, on roles and on everything else that takes tags.",
  readRoles: "IAM roles that registrations of EKS clusters may name for reading: names or ARNs.",
  restoreRoles: "The same for restoring.",
  kmsKey: "ARN of your KMS key for bucket, queues and new backups.",
  topicKey: "ARN of your KMS key for the alarms' topic.",
  subnets: "Private subnets, to reach API servers without a public address.",
  securityGroups: "Security groups for these subnets.",
  httpsProxy: "Proxy for clusters, AWS, Slack and `sources:`. No password in its URL.",
  noProxy: "What the proxy isn't used for.",
};

export const ALARM_FIXES: Readonly<Record<string, string>> = {
  AuditingStalled: "Read the logs of `digest`, `dispatch` and `audit`. Missing data alarms too.",
  DeadLetters:
    "Read the message, which names the cluster, and the log. Once fixed, delete the message: the " +
    "next dispatch queues the cluster again.",
  DigestsUndelivered: "`certkeep doctor --send-test`. The digest waits and is tried again.",
  DrillFailed:
    "`certkeep drill` names the backups. The alarm ends when the next drill finds nothing: `npx " +
    "serverless invoke -f drill`.",
  Errors:
    "Read the function's log group. A time-out counts as an error; for `dispatch`, also a " +
    "`s3://BUCKET/certkeep.yaml` that can't be written.",
};

export const EXIT_NOTES: Readonly<Record<ExitCode, string>> = {
  0: "OK",
  1: "findings at or above `--fail-on` (default: critical)",
  2: "wrong usage or configuration",
  3: "incomplete: something couldn't be read or written",
};

export const RULE_NOTES: Readonly<Record<Rule, string>> = {
  restore: "certkeep will write it",
  keep: "what is there is valid and not worse, or identical",
  later:
    "its controller creates the Secret, and hasn't yet: see [rebuild a cluster](#rebuild-a-cluster)",
  refuse: "something prevents it; `todo` says what to do",
};

export const SOURCE_NOTES: Readonly<Record<keyof typeof SOURCE_STATUSES, string>> = {
  not_enabled:
    "Add the part `diagnosis`: `certkeep clusters add NAME --parts secrets --parts parents --parts " +
    "diagnosis`, plus the parts that it has.",
  not_asked: "The pod isn't running, or its namespace isn't registered.",
  not_tailscale: "Only Tailscale's logs are read.",
  forbidden:
    "Add the part `diagnosis` if the registration lacks it; else `certkeep clusters add NAME` " +
    "repairs the permissions.",
  unreachable: "`certkeep doctor CLUSTER`",
  timeout: "Wait for the next audit, then `certkeep doctor CLUSTER`.",
  too_much: "Of a log, the beginning and the last 2,000 lines were read. Audit more often.",
  rate_limited: "Wait: the source is asked again later.",
  invalid_answer: "`certkeep doctor CLUSTER`",
  gap: "Lines may be missing; `unread` says which. If it stays, audit more often.",
  no_pod: "The pod isn't running, or has other labels.",
  sidecar: "Read the log yourself. If the Secret has an owner, `explain` shows the command.",
  debug_off:
    "Set `operatorConfig.logging=debug` in the operator's Helm values, or " +
    "`OPERATOR_LOGGING=debug` in its Deployment. Proxies always log certificates.",
};

/** Findings from logs, Events and issuers: what ends them, and when at the latest. */
export const END_NOTES: Readonly<
  Partial<Record<FindingCode, { readonly by: string; readonly after: string }>>
> = {
  issued_not_stored: { by: "a certificate stored later", after: "a week" },
  rate_limited: {
    by: "a certificate of the same names issued later, or the time that the refusal names",
    after:
      "that time for a set or a domain; a week for a paused account; three hours for limits of " +
      "orders and registrations; one for failed authorizations. If the refusal names no time: 35 " +
      "hours for a set, four for a domain, a day for an unknown limit",
  },
  storage_forbidden: { by: "the server's next answer", after: "seven days" },
  storage_immutable: { by: "the next reading of the Secret", after: "" },
  storage_failing: {
    by: "a certificate stored or issued later",
    after: "a day for logs, two hours for Events",
  },
  dns_failing: {
    by: "a certificate stored or issued later",
    after: "a day for logs, two hours for Events",
  },
  account_key_lost: { by: "a certificate stored later", after: "30 days" },
  renewal_window_forced: { by: "another certificate in its place", after: "" },
  certificate_revoked: { by: "another certificate in its place", after: "" },
};

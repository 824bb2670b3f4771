/** What to do about a cause, in words and as a command where there is one. */
import { commandLine, commandOf, configWords, literal } from "../command.ts";
import type { Measure } from "../../diagnosis/cause.ts";
import { own, plainText, say, type Text } from "../part.ts";

/** Those whose words hold for any certificate. */
const WORDS = {
  check_grant:
    "Check that it is granted before anyone uses the service: each connection issues and loses " +
    "a certificate",
  restore: "Restore from backup (uses no issuance)",
  restore_newest:
    "Restore the newest backup: an older certificate was put there, or the newer one was issued " +
    "and lost. Without a newer backup renewals fail until it expires",
  restore_account_key:
    "Restore the ACME account key that the certificate was issued under, then restart the node. " +
    "With another key, renewals are refused until the certificate expires",
  find_writer:
    "Find the tool that writes this Secret (a template, a GitOps sync, a clean-up), and stop it",
  read_sidecar_log:
    "Read the log of the pod that uses this Secret yourself: certkeep can't tell which one it is",
  restart: "Restart the pod: only that clears it, and the stored certificate is loaded again",
  check_api:
    "Check the API server: its load, storage, webhooks and quotas; while writes fail, use the " +
    "service as little as possible",
  check_resolver:
    "Check the cluster's resolver: can the pod look up the issuer's and Tailscale's names",
  log_debug:
    "Set the operator's log level to debug (Helm: operatorConfig.logging=debug, which sets " +
    "OPERATOR_LOGGING); its pod restarts, and info is enough again once the cause is known",
  add_diagnosis:
    "Let the reading credential see logs, Events and access reviews: register the part " +
    "diagnosis too",
  register_namespace:
    "Check that its pod runs, and that its namespace is registered with the part diagnosis",
  doctor: "Check why it can't be read",
  no_account_key:
    "No backup holds the ACME account key that the certificate was issued under. Renewals are " +
    "refused until it expires; then Tailscale requests a new certificate",
  fewer_nodes:
    "Create fewer ephemeral nodes: keep each one's state in a Secret, or put one lasting " +
    "proxy (a ProxyGroup) in front of pods that come and go",
  cache_outside:
    "Keep certificates outside the pod: in a cache that outlives it, filled by the pod or by " +
    "a restore",
  use_staging:
    "Use the staging environment for tests: ProxyClass.spec.useLetsEncryptStagingEnvironment",
  standby: "For what isn't Tailscale's, keep a standby of another issuer (certkeep backups import)",
  restart_to_ask:
    "Restart the pod that renews it, so that it asks for the renewal time again, which it " +
    "does once a process; check that it renews",
  keep_secret:
    "Keep the Secret when its Ingress or pod is recreated, or restore the backup into the new " +
    "one before its first start",
  wait_with_names: "Wait with new names; renewals continue",
  let_one_issue:
    "Let one issue and copy it to the others: sync one Secret, or restore it from the other's " +
    "backup",
  own_names: "Or give each its own host name",
  enable_https:
    "Enable HTTPS certificates for the tailnet (admin console, DNS), and check that the name " +
    "is this node's and not NAME-1",
  wait_for_record:
    "Wait until the record has spread, and check whether something answers for " +
    "_acme-challenge of the name with old data; only five failures an hour are allowed",
  check_node:
    "Check that the node is logged in and may set the record: its key may have expired, or " +
    "its tags have changed",
  await_limit: "Wait until the rate limit allows another one; trying earlier only fails again",
  await_first_limit:
    "Wait with this new name until the domain's limit allows another one; renewals go on meanwhile",
  unpause:
    "Unpause the account at the address in the pod's log, once what made its orders fail is fixed",
  new_account:
    "Remove acme-account.key.pem from the Secret of the node's state and restart its pod, so " +
    "that it registers a new account: a deactivated one can't be used again",
  check_egress:
    "Check that the pod reaches the ACME server: network policies, firewall, egress proxy",
  check_interception:
    "Check what answers in place of the ACME server (a proxy that decrypts TLS), or which CAs " +
    "the pod's image lacks",
  await_retry: "Nothing to change: the next connection tries again",
  read_order_error:
    "Fix what the issuer's error names before anyone uses the service: only five failed " +
    "validations an hour are allowed",
  await_audit:
    "Wait for the next audit, which reads on; if it stays so, audit more often, because what " +
    "isn't read in time is rotated away",
} as const satisfies Partial<Record<Measure["kind"], string>>;

function grantText({ role, namespace, account, shared }: Extract<Measure, { kind: "grant" }>) {
  if (role === null)
    return say`Grant its service account permission to read and write this Secret: check the Role
      and RoleBinding of its manifest`;
  const changed = " (after a change of ProxyGroup they may still name the old one)";
  return say`Fix RBAC: Role and RoleBinding ${role} in ${namespace} must exist and bind the service
    account${account === null ? [] : say` ${account}`}${own(shared ? changed : "")}`;
}

/** An imperative without a full stop. */
function measureText(measure: Measure): Text {
  switch (measure.kind) {
    case "grant":
      return grantText(measure);
    case "recreate":
      return measure.action === null
        ? say`Recreate the Secret without immutable: true and with the same fields; no backup helps`
        : say`Recreate the Secret without immutable: true; a restore with --replace keeps everything
            in it`;
    default:
      return own(WORDS[measure.kind]);
  }
}

function kubectl(what: string, name: string, namespace: string, options?: string): string | null {
  const rest = options === undefined ? [] : [literal(options)];
  return commandLine(literal(`kubectl ${what}`), name, literal("-n"), namespace, ...rest);
}

/** `null`: there is none, or a name doesn't fit one. */
function measureCommand(measure: Measure): string | null {
  switch (measure.kind) {
    case "grant":
      return measure.role === null
        ? commandLine(literal("kubectl get rolebindings -n"), measure.namespace, literal("-o wide"))
        : kubectl("get rolebinding", measure.role, measure.namespace, "-o yaml");
    case "check_grant": {
      const { verb, secret, namespace, account } = measure;
      const what = [verb, `secrets/${secret}`, literal("-n"), namespace];
      return commandLine(literal("kubectl auth can-i"), ...what, literal("--as"), account);
    }
    case "restore":
    case "restore_newest":
    case "restore_account_key":
      return commandOf(measure.action);
    case "recreate":
      return measure.action === null
        ? kubectl("get secret", measure.secret, measure.namespace, "-o yaml")
        : commandOf(measure.action);
    case "find_writer":
      return kubectl(
        "get secret",
        measure.secret,
        measure.namespace,
        "--show-managed-fields -o yaml",
      );
    case "read_sidecar_log":
      return measure.owner === null
        ? null
        : kubectl("logs", measure.owner, measure.namespace, "--all-containers");
    case "restart":
      return measure.pod === "" ? null : kubectl("delete pod", measure.pod, measure.namespace);
    case "check_api":
      return "kubectl get --raw /readyz";
    case "check_resolver":
      return "kubectl get pods -n kube-system -l k8s-app=kube-dns";
    case "log_debug":
      return "kubectl set env deployment/operator -n tailscale OPERATOR_LOGGING=debug";
    case "add_diagnosis":
    case "register_namespace":
      return commandLine(
        literal("certkeep clusters add"),
        measure.cluster,
        literal("--parts secrets --parts parents --parts diagnosis"),
        ...configWords(measure.via),
      );
    case "doctor":
      return commandOf({ ...measure, kind: "doctor" });
    default:
      return null;
  }
}

export function measureDocument(measure: Measure): {
  readonly text: string;
  readonly command: string | null;
} {
  return { text: plainText(measureText(measure)), command: measureCommand(measure) };
}

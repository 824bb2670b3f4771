/** What to do about a cause, in words and as a command where there is one. */
import { commandLine, literal } from "../shell.ts";
import type { Measure } from "../../diagnosis/cause.ts";
import { commandOf } from "../command.ts";
import { own, plainText, say, type Text } from "../part.ts";

interface MeasurePhrase {
  /** An imperative without a full stop. */
  readonly text: Text;
  /** `null`: there is none, or a name doesn't fit one. */
  readonly command: string | null;
}

function kubectlGet(kind: string, name: string, namespace: string, options: string): string | null {
  return commandLine(
    literal(`kubectl get ${kind}`),
    name,
    literal("-n"),
    namespace,
    literal(options),
  );
}

function grantPhrase(measure: Extract<Measure, { kind: "grant" }>): MeasurePhrase {
  const { role, namespace, account, shared } = measure;
  if (role === null)
    return {
      text: say`Grant its service account permission to read and write this Secret: check the Role and
        RoleBinding of its manifest`,
      command: commandLine(literal("kubectl get rolebindings -n"), namespace, literal("-o wide")),
    };
  return {
    text: say`Fix RBAC: Role and RoleBinding ${role} in ${namespace} must exist and bind the service
      account${account === null ? [] : say` ${account}`}${own(shared ? "; after a change of ProxyGroup it may still name the old one" : "")}`,
    command: kubectlGet("rolebinding", role, namespace, "-o yaml"),
  };
}

function recreatePhrase(measure: Extract<Measure, { kind: "recreate" }>): MeasurePhrase {
  const { action, namespace, secret } = measure;
  return action === null
    ? {
        text: say`Recreate the Secret without immutable: true and with the same fields; no backup
          helps`,
        command: kubectlGet("secret", secret, namespace, "-o yaml"),
      }
    : {
        text: say`Recreate the Secret without immutable: true; a restore with --replace keeps
          everything in it`,
        command: commandOf(action),
      };
}

/** Those that hold for any certificate, without a command. */
const GENERAL = {
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
  await_audit:
    "Wait for the next audit, which reads on; if it stays so, audit more often, because what " +
    "isn't read in time is rotated away",
} as const satisfies Partial<Record<Measure["kind"], string>>;

function measurePhrase(measure: Measure): MeasurePhrase {
  switch (measure.kind) {
    case "grant":
      return grantPhrase(measure);
    case "check_grant":
      return {
        text: say`Check that it is granted before anyone uses the service: each connection issues and
          loses a certificate`,
        command: commandLine(
          literal("kubectl auth can-i"),
          measure.verb,
          `secrets/${measure.secret}`,
          literal("-n"),
          measure.namespace,
          literal("--as"),
          measure.account,
        ),
      };
    case "restore":
      return {
        text: say`Restore from backup (uses no issuance)`,
        command: commandOf(measure.action),
      };
    case "restore_newest":
      return {
        text: say`Restore the newest backup: an older certificate was put there, or the newer one was
          issued and lost. Without a newer backup renewals fail until it expires`,
        command: commandOf(measure.action),
      };
    case "restore_account_key":
      return {
        text: say`Restore the ACME account key that the certificate was issued under, then restart the
          node. With another key, renewals are refused until the certificate expires`,
        command: commandOf(measure.action),
      };
    case "recreate":
      return recreatePhrase(measure);
    case "find_writer":
      return {
        text: say`Find the tool that writes this Secret (a template, a GitOps sync, a clean-up), and
          keep it from doing so`,
        command: kubectlGet(
          "secret",
          measure.secret,
          measure.namespace,
          "--show-managed-fields -o yaml",
        ),
      };
    case "restart":
      return {
        text: say`Restart the pod: only that clears it, and the stored certificate is loaded again`,
        command:
          measure.pod === ""
            ? null
            : commandLine(
                literal("kubectl delete pod"),
                measure.pod,
                literal("-n"),
                measure.namespace,
              ),
      };
    case "check_api":
      return {
        text: say`Check the API server: its load, storage, webhooks and quotas; while writes fail, use
          the service as little as possible`,
        command: commandLine(literal("kubectl get --raw /readyz")),
      };
    case "check_resolver":
      return {
        text: say`Check the cluster's resolver: can the pod look up the issuer's and Tailscale's names`,
        command: commandLine(literal("kubectl get pods -n kube-system -l k8s-app=kube-dns")),
      };
    case "log_debug":
      return {
        text: say`Set the operator's log level to debug (Helm: operatorConfig.logging=debug, which
          sets OPERATOR_LOGGING); its pod restarts, and info is enough again once the cause is
          known`,
        command: commandLine(
          literal("kubectl set env deployment/operator -n tailscale OPERATOR_LOGGING=debug"),
        ),
      };
    case "add_diagnosis":
    case "register_namespace":
      return {
        text:
          measure.kind === "add_diagnosis"
            ? say`Let the reading credential see logs, Events and access reviews: register the
              part diagnosis too`
            : say`Check that its pod runs, and that its namespace is registered with the part
              diagnosis`,
        command: commandLine(
          literal("certkeep clusters add"),
          measure.cluster,
          literal("--parts secrets --parts parents --parts diagnosis"),
        ),
      };
    case "doctor":
      return {
        text: say`Check why it can't be read`,
        command: commandOf({ kind: "doctor", cluster: measure.cluster }),
      };
    default:
      return { text: own(GENERAL[measure.kind]), command: null };
  }
}

/** A measure in a JSON document. */
export function measureDocument(measure: Measure): {
  readonly text: string;
  readonly command: string | null;
} {
  const { text, command } = measurePhrase(measure);
  return { text: plainText(text), command };
}

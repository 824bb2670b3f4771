/** What to do about a cause: the measures that owners' users are given, each with a command where there is one. Pure. */
import { calledBy } from "../state/identity.ts";
import { commandLine, literal } from "../finding/command.ts";
import { isGoodCopy } from "../finding/advise.ts";
import type { CertificateEntry } from "../state/certificates.ts";
import type { Subject } from "./subject.ts";
import type { Measure } from "./cause.ts";

/** The Role that lets a certificate's owner write its Secret, by shape (the operator's own manifests). */
function roleOf({ layout, secret }: CertificateEntry): string | null {
  switch (layout) {
    case "operator":
      return "operator";
    case "standalone":
    case "recorder":
      return "proxies";
    // Role and RoleBinding are made for each domain, and called as it.
    case "ha-ingress":
    case "apiserver-proxygroup":
      return secret;
    default:
      return null;
  }
}

const ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/;

/** `account`: `null` where nobody was asked about. */
export function accessMeasures(
  entry: CertificateEntry,
  account: string | null,
  verb: string,
): readonly Measure[] {
  const { namespace, secret, layout } = entry;
  const role = roleOf(entry);
  const subject = ACCOUNT.exec(account ?? "")?.[2] ?? null;
  const stale =
    layout === "ha-ingress" || layout === "apiserver-proxygroup"
      ? "; after a change of ProxyGroup it may still name the old one"
      : "";
  return [
    role === null
      ? {
          text: "give its service account the right to read and write this Secret: look at the Role and RoleBinding that its manifest brings",
          command: commandLine(
            literal("kubectl get rolebindings -n"),
            namespace,
            literal("-o wide"),
          ),
        }
      : {
          text: `mend RBAC: Role and RoleBinding ${role} in ${namespace} have to be there, and bind the service account${subject === null ? "" : ` ${subject}`}${stale}`,
          command: commandLine(
            literal("kubectl get rolebinding"),
            role,
            literal("-n"),
            namespace,
            literal("-o yaml"),
          ),
        },
    ...(account === null
      ? []
      : [
          {
            text: "see that it is mended before anybody uses the service: each access has one issued and lost",
            command: commandLine(
              literal("kubectl auth can-i"),
              verb,
              `secrets/${secret}`,
              literal("-n"),
              namespace,
              literal("--as"),
              account,
            ),
          },
        ]),
  ];
}

function isBackedUp({ atMs }: Subject, { backups }: CertificateEntry): boolean {
  return backups.some(({ copy }) => isGoodCopy(copy, atMs));
}

export function restoreCommand(of: Subject, ...options: string[]): string | null {
  return commandLine(
    literal("certkeep restore"),
    calledBy(of.index.state),
    of.names[0] ?? "",
    ...options.map(literal),
  );
}

/** Restoring, where what is live isn't good and a copy is. */
export function restoreMeasures(
  of: Subject,
  entry: CertificateEntry,
  whatever = false,
): readonly Measure[] {
  if (!isBackedUp(of, entry) || (!whatever && entry.verdict?.valid === true)) return [];
  return [
    {
      text: "restore the last good copy, which takes nothing from the budget",
      command: restoreCommand(of),
    },
  ];
}

export function immutableMeasures(of: Subject, entry: CertificateEntry): readonly Measure[] {
  return isBackedUp(of, entry)
    ? [
        {
          text: "make the Secret anew without immutable: true; a restore does, with the copy that is kept",
          command: restoreCommand(of, "--replace"),
        },
      ]
    : [
        {
          text: "make the Secret anew without immutable: true, with the very same fields; there is no copy of it",
          command: commandLine(
            literal("kubectl get secret"),
            entry.secret,
            literal("-n"),
            entry.namespace,
            literal("-o yaml"),
          ),
        },
      ];
}

export function otherToolMeasures({ namespace, secret }: CertificateEntry): readonly Measure[] {
  return [
    {
      text: "find out which tool writes this Secret (a template, a GitOps sync, a clean-up), and keep it from it",
      command: commandLine(
        literal("kubectl get secret"),
        secret,
        literal("-n"),
        namespace,
        literal("--show-managed-fields -o yaml"),
      ),
    },
  ];
}

export function apiMeasures(): readonly Measure[] {
  return [
    {
      text: "look at the API server: its load, its storage, its webhooks and quotas; while writes fail, open the service as little as possible",
      command: commandLine(literal("kubectl get --raw /readyz")),
    },
  ];
}

/** Ways to spend fewer certificates, for those that are spent by use. */
export function thriftMeasures(): readonly Measure[] {
  return [
    {
      text: "make fewer ephemeral nodes: keep each one's state in a Secret, or put one proxy that stays (a ProxyGroup) before pods that come and go",
      command: null,
    },
    {
      text: "keep certificates on the client's side: a cache that outlives the pod, filled by the owner or by a restore",
      command: null,
    },
    {
      text: "use the staging environment for tests: ProxyClass.spec.useLetsEncryptStagingEnvironment",
      command: null,
    },
  ];
}

/** Where a name has to be served whatever Let's Encrypt says. */
export function standbyMeasure(): Measure {
  return {
    text: "for what isn't Tailscale's, keep a standby of another issuer (certkeep backups import)",
    command: null,
  };
}

export function restartMeasures(namespace: string, pod: string): readonly Measure[] {
  return [
    {
      text: "restart its owner: that alone clears it, and what is stored is loaded again",
      command:
        pod === ""
          ? null
          : commandLine(literal("kubectl delete pod"), pod, literal("-n"), namespace),
    },
  ];
}

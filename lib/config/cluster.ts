/** A cluster's settings, in `certkeep.yaml` and in a registration. */
import * as z from "zod/mini";
import { parseMsOrNull } from "../certificate/time.ts";
import { ACCESS_KINDS, type Part, PARTS } from "../rbac/table.ts";
import { clusterName, flag, help, list, orElse, orNull, path, recipient, text } from "./field.ts";
import { isSelector, LABEL, NAMESPACE_PATTERN, REGION, SECRET_NAME, SECRET_REF } from "./form.ts";

const ROLE = "the ARN of an IAM role";
const ROLE_ARN = /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]{1,512}$/;
const entry = {
  kubeconfig: orNull(path).register(help, {
    title: "Kubeconfig",
    description:
      "Kubeconfig, relative to this file; ~ is your home. Default: the one that kubectl " +
      "uses (KUBECONFIG, else ~/.kube/config).",
    examples: ["~/.kube/config"],
  }),
  context: orNull(
    text("the name of a context in the kubeconfig, in one line", /^[^\r\n\0]+$/),
  ).register(help, {
    title: "Context",
    description: "Context of that kubeconfig. Default: its current context.",
    examples: ["prod-admin"],
  }),
  namespaces: orNull(
    list(
      text(
        "a namespace or a pattern of namespaces: small letters, digits, - and *",
        NAMESPACE_PATTERN,
      ),
      "a list of namespaces",
    ),
  ).register(help, {
    title: "Namespaces",
    description:
      "Namespaces to audit, by name or pattern. Default: all that the credential can list.",
    examples: [["tailscale", "shop-*"]],
  }),
  selector: orNull(
    z
      .string("a label selector, such as team=web")
      .check(
        z.refine(isSelector, "a label selector, such as team=web or team in (web,shop),!legacy"),
      ),
  ).register(help, {
    title: "Label selector",
    description:
      "Audit only generic TLS Secrets with these labels. The Tailscale operator's are " +
      "always audited.",
    examples: ["team=web"],
  }),
  secrets: orElse(
    z.pipe(
      list(text("NAMESPACE/NAME of a Secret", SECRET_REF), "a list of Secrets"),
      z.transform((references) => references.map(secretRef) as readonly SecretRef[]),
    ),
    [],
  ).register(help, {
    title: "Named Secrets",
    description:
      "More Secrets to read, by name. A CA's key is backed up only from a Secret listed here.",
    examples: [["shop/web-tls"]],
  }),
  operator: orNull(
    z.strictObject(
      {
        namespace: orElse(
          text("a namespace: small letters, digits and -", LABEL),
          "tailscale",
        ).register(help, {
          description: "The operator's namespace.",
          default: "tailscale",
        }),
        secret: orElse(text("the name of a Secret", SECRET_NAME), "operator").register(help, {
          description: "The operator's own Secret, as in its variable OPERATOR_SECRET.",
          default: "operator",
        }),
      },
      "the settings namespace and secret",
    ),
  ).register(help, {
    title: "Tailscale operator",
    description: "The Tailscale operator's Secret, if it isn't tailscale/operator.",
  }),
  recipients: orNull(list(recipient, "a list of age recipients")).register(help, {
    title: "Recipients",
    description: "Who can decrypt this cluster's backups, instead of the default recipients.",
  }),
  discover: flag("true or false", true).register(help, {
    title: "Discover",
    description:
      "false: list nothing, and read only the Secrets under secrets:. For credentials " +
      "without permission to list.",
    default: true,
  }),
  restoreKubeconfig: orNull(path).register(help, {
    title: "Kubeconfig of the restoring credential",
    description:
      "Kubeconfig of the credential that restores; its current context is used. Default: " +
      "the reading credential.",
    examples: ["prod.restore.kubeconfig"],
  }),
  eks: orNull(
    z.strictObject(
      {
        cluster: text("the name of an EKS cluster", /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/).register(
          help,
          { description: "Name of the EKS cluster.", examples: ["prod"] },
        ),
        region: text("an AWS region, such as eu-west-1", REGION).register(help, {
          description: "Its region.",
          examples: ["eu-west-1"],
        }),
        role: text(ROLE, ROLE_ARN).register(help, {
          description: "The IAM role that reads, for this registration only.",
          examples: ["arn:aws:iam::123456789012:role/certkeep-prod-read"],
        }),
        restoreRole: orNull(text(ROLE, ROLE_ARN)).register(help, {
          description: "The IAM role that restores.",
          examples: ["arn:aws:iam::123456789012:role/certkeep-prod-restore"],
        }),
      },
      "the settings cluster, region and role",
    ),
  ).register(help, {
    title: "Amazon EKS by IAM",
    description:
      "No credential is stored: a signed request for the role's identity is the token. " +
      "The kubeconfig gives server and CA.",
  }),
};

/** What registering alone writes. */
const access = orNull(
  z.strictObject(
    {
      kind: z
        .enum(ACCESS_KINDS, `one of ${ACCESS_KINDS.join(", ")}`)
        .register(help, { description: "The kind of credential.", examples: ["token"] }),
      parts: orElse(
        z.pipe(
          z.array(z.enum(PARTS, `one of ${PARTS.join(", ")}`), "a list of parts"),
          z.transform((parts): readonly Part[] => [...new Set(parts)]),
        ),
        [],
      ).register(help, {
        description: "The requested parts of the permissions; doctor checks them.",
        examples: [["secrets", "parents", "diagnosis"]],
      }),
      since: orNull(
        z
          .string("an instant such as 2026-12-31T18:00:00Z")
          .check(
            z.refine(
              (since) => parseMsOrNull(since) !== null,
              "an instant such as 2026-12-31T18:00:00Z",
            ),
          ),
      ).register(help, {
        description: "When the credential was made.",
        examples: ["2026-12-31T18:00:00Z"],
      }),
      broad: flag("true or false").register(help, {
        description: "Someone accepted that the credential can do more than certkeep needs.",
        default: false,
      }),
    },
    "the settings kind and parts",
  ),
).register(help, {
  title: "Access",
  description:
    "What `certkeep clusters add` granted. It writes this; doctor compares it with the " +
    "server.",
});

/** With `discover: false` no namespace is looked into: only the Secrets that are named are read. */
function discovered<T extends { discover: boolean; namespaces: readonly string[] | null }>({
  discover,
  ...cluster
}: T) {
  return discover ? cluster : { ...cluster, namespaces: [] as readonly string[] };
}

function secretRef(reference: string): SecretRef {
  const [namespace = "", name = ""] = reference.split("/");
  return { namespace, name };
}

const clusterObject = z.strictObject(
  {
    name: clusterName().register(help, {
      title: "Name",
      description: "Your name for this cluster, in commands and reports.",
      examples: ["prod"],
    }),
    ...entry,
  },
  "a cluster: name, and where it is",
);

export const clusterSchema = z.pipe(
  clusterObject,
  z.transform((cluster) => ({ ...discovered(cluster), access: null as RegisteredAccess | null })),
);

/** `clusters/NAME.yaml`: the same, less the name, and what registering gave. */
export const registrationSchema = z.pipe(
  z.strictObject({ ...entry, access }, "a cluster's settings, such as kubeconfig and context"),
  z.transform(discovered),
);

/** What a cluster has whose settings are left out. */
export const NO_SETTINGS = registrationSchema.parse({});

/** A Secret that is read by name; a CA's key is taken only from these. */
export interface SecretRef {
  readonly namespace: string;
  readonly name: string;
}
/**
 * One cluster; paths are as written. `namespaces: []`: nothing is looked for; `null`: all that the
 * credential may see.
 */
export type ClusterEntry = z.output<typeof clusterSchema>;
export type EksAccess = NonNullable<ClusterEntry["eks"]>;
/**
 * What registering gave the reading and the restoring credential, so that doctor knows what to ask
 * for.
 */
export type RegisteredAccess = NonNullable<z.output<typeof access>>;

/**
 * The manifest that grants a missing verb, for pasting. Pure; made of names that fit Kubernetes'
 * own syntax.
 */

export interface Missing {
  readonly verb: string;
  /** Plural: `secrets`, `namespaces`. */
  readonly resource: string;
  /** `null` for the cluster scope. */
  readonly namespace: string | null;
  /** Who was refused, as the API server names them; `null` where it didn't say. */
  readonly user: string | null;
}

/** Verbs that a restore needs on Secrets of a namespace; `list` finds a proxy's new Secret. */
const RESTORE_VERBS = ["get", "list", "create", "patch"] as const;

const NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;

/**
 * `null` where a name doesn't fit. The rules are those that a restore needs there, with the missing
 * verb.
 */
export function grantManifest(missing: Missing): string | null {
  const { verb, resource, namespace, user } = missing;
  if (
    !/^[a-z]+$/.test(verb) ||
    !/^[a-z]+$/.test(resource) ||
    (namespace !== null && !NAME.test(namespace))
  )
    return null;
  const isPlain = user !== null && /^[A-Za-z0-9:._@/+=-]+$/.test(user);
  const account = /^system:serviceaccount:([a-z0-9-]+):([a-z0-9.-]+)$/.exec(user ?? "");
  const subject =
    account === null
      ? [
          `- kind: User`,
          `  apiGroup: rbac.authorization.k8s.io`,
          `  name: ${isPlain ? JSON.stringify(user) : "NAME-OF-THE-USER"}`,
        ]
      : [
          `- kind: ServiceAccount`,
          `  namespace: ${account[1] ?? ""}`,
          `  name: ${account[2] ?? ""}`,
        ];
  const verbs = resource === "secrets" ? [...new Set<string>([...RESTORE_VERBS, verb])] : [verb];
  const [role, binding] =
    namespace === null ? ["ClusterRole", "ClusterRoleBinding"] : ["Role", "RoleBinding"];
  const metadata =
    namespace === null
      ? `metadata: { name: certkeep-restore-${resource} }`
      : `metadata: { name: certkeep-restore, namespace: ${namespace} }`;
  const name = namespace === null ? `certkeep-restore-${resource}` : "certkeep-restore";
  return [
    "apiVersion: rbac.authorization.k8s.io/v1",
    `kind: ${role}`,
    metadata,
    "rules:",
    `- { apiGroups: [""], resources: [${resource}], verbs: [${verbs.join(", ")}] }`,
    "---",
    "apiVersion: rbac.authorization.k8s.io/v1",
    `kind: ${binding}`,
    metadata,
    `roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ${role}, name: ${name} }`,
    "subjects:",
    ...subject,
  ].join("\n");
}

/**
 * Every permission that certkeep can use, in one table: which verbs on what, and which part of a
 * registration grants it. `certkeep clusters add` makes its RBAC from it, `certkeep doctor` asks
 * the server about it, and the docs print it.
 *
 * Invariant: what the reading credential gets holds no verb that changes anything;
 * SubjectAccessReviews, which store nothing, are the one thing that it may create.
 */

/** How a registered credential comes about. */
export const ACCESS_KINDS = [
  "token",
  "token-secret",
  "certificate",
  "kubeconfig",
  "eks",
  "in-cluster",
] as const;
export type AccessKind = (typeof ACCESS_KINDS)[number];

/**
 * Parts that can be had apart. `secrets` and `named` are the two ways of reading; every part brings
 * `identity`.
 */
export const PARTS = [
  "secrets",
  "named",
  "parents",
  "diagnosis",
  "restore",
  "follow",
  "replace",
  "create-namespace",
] as const;
export type Part = (typeof PARTS)[number];

/** Which of the two credentials gets it. */
export type Bearer = "read" | "restore";

/**
 * What it is granted for: `kube-system` and `self`: reading the namespace kube-system and each
 * audited one, by name; `namespaces`: in each audited namespace; `names`: the named Secrets;
 * `cluster`: everywhere.
 */
export type Reach = "kube-system" | "self" | "namespaces" | "names" | "cluster";

export interface Capability {
  /** Stable, for messages. */
  readonly id: string;
  /** `identity` belongs to every registration. */
  readonly part: Part | "identity";
  readonly bearers: readonly Bearer[];
  readonly verbs: readonly string[];
  /** Empty for the core group. */
  readonly group: string;
  /** With its subresource: `pods/log`. */
  readonly resource: string;
  readonly reach: Reach;
}

const BOTH: readonly Bearer[] = ["read", "restore"];

function parent(group: string, resource: string): Capability {
  return {
    id: `parent-${resource}`,
    part: "parents",
    bearers: BOTH,
    verbs: ["get"],
    group,
    resource,
    reach: "cluster",
  };
}

export const CAPABILITIES: readonly Capability[] = [
  {
    id: "identity",
    part: "identity",
    bearers: BOTH,
    verbs: ["get"],
    group: "",
    resource: "namespaces",
    reach: "kube-system",
  },
  {
    id: "namespace",
    part: "identity",
    bearers: BOTH,
    verbs: ["get"],
    group: "",
    resource: "namespaces",
    reach: "self",
  },
  {
    id: "list-secrets",
    part: "secrets",
    bearers: ["read"],
    verbs: ["list"],
    group: "",
    resource: "secrets",
    reach: "namespaces",
  },
  {
    id: "get-secrets",
    part: "secrets",
    bearers: ["read"],
    verbs: ["get"],
    group: "",
    resource: "secrets",
    reach: "namespaces",
  },
  {
    id: "get-named-secrets",
    part: "named",
    bearers: ["read"],
    verbs: ["get"],
    group: "",
    resource: "secrets",
    reach: "names",
  },
  parent("", "services"),
  parent("networking.k8s.io", "ingresses"),
  parent("gateway.networking.k8s.io", "gateways"),
  parent("apps", "statefulsets"),
  parent("cert-manager.io", "certificates"),
  parent("tailscale.com", "connectors"),
  parent("tailscale.com", "proxygroups"),
  {
    id: "list-pods",
    part: "diagnosis",
    bearers: ["read"],
    verbs: ["list"],
    group: "",
    resource: "pods",
    reach: "namespaces",
  },
  {
    id: "read-logs",
    part: "diagnosis",
    bearers: ["read"],
    verbs: ["get"],
    group: "",
    resource: "pods/log",
    reach: "namespaces",
  },
  {
    id: "list-events",
    part: "diagnosis",
    bearers: ["read"],
    verbs: ["list"],
    group: "",
    resource: "events",
    reach: "namespaces",
  },
  {
    id: "ask-access",
    part: "diagnosis",
    bearers: ["read"],
    verbs: ["create"],
    group: "authorization.k8s.io",
    resource: "subjectaccessreviews",
    reach: "cluster",
  },
  {
    id: "restore-list",
    part: "restore",
    bearers: ["restore"],
    verbs: ["list"],
    group: "",
    resource: "secrets",
    reach: "namespaces",
  },
  {
    id: "restore-get",
    part: "restore",
    bearers: ["restore"],
    verbs: ["get"],
    group: "",
    resource: "secrets",
    reach: "namespaces",
  },
  {
    id: "restore-create",
    part: "restore",
    bearers: ["restore"],
    verbs: ["create"],
    group: "",
    resource: "secrets",
    reach: "namespaces",
  },
  {
    id: "restore-patch",
    part: "restore",
    bearers: ["restore"],
    verbs: ["patch"],
    group: "",
    resource: "secrets",
    reach: "namespaces",
  },
  {
    id: "follow",
    part: "follow",
    bearers: ["restore"],
    verbs: ["watch"],
    group: "",
    resource: "secrets",
    reach: "namespaces",
  },
  {
    id: "replace",
    part: "replace",
    bearers: ["restore"],
    verbs: ["delete"],
    group: "",
    resource: "secrets",
    reach: "namespaces",
  },
  {
    id: "create-namespace",
    part: "create-namespace",
    bearers: ["restore"],
    verbs: ["create"],
    group: "",
    resource: "namespaces",
    reach: "cluster",
  },
];

/** Parts that the restoring credential is made for. */
const RESTORE_PARTS: readonly Part[] = ["restore", "follow", "replace", "create-namespace"];

/** Whether a restoring credential is wanted at all. */
export function wantsRestore(parts: readonly Part[]): boolean {
  return parts.some((part) => RESTORE_PARTS.includes(part));
}

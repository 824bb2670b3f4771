/**
 * Every permission that certkeep can use, in one table: which verbs on what, which part of a registration grants it,
 * and what isn't known, or can't be done, without it. `certkeep clusters add` makes its RBAC from it, `certkeep
 * doctor` asks the server about it, and the docs print it.
 *
 * Invariant: what the reading credential gets holds no verb that changes anything; SubjectAccessReviews, which store
 * nothing, are the one thing that it may create.
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

/** Parts that can be had apart. `secrets` and `named` are the two ways of reading; every part brings `identity`. */
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
 * Where it is granted: `kube-system` by that name alone; `self` on a namespace object itself by its name, in each
 * namespace; `namespaces` in each namespace; `names` on the named Secrets; `cluster` everywhere.
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
  /** What isn't known or can't be done without it. */
  readonly without: string;
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
    without:
      "whether a Secret went together with what it was made for (removed on purpose) or was lost: a loss is then told as a warning, cause unknown",
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
    without:
      "whether the cluster is still the pinned one: an audit and a restore refuse it, until certkeep clusters add pins its CA and address alone; then a rebuilt cluster with the same CA isn't noticed",
  },
  {
    id: "namespace",
    part: "identity",
    bearers: BOTH,
    verbs: ["get"],
    group: "",
    resource: "namespaces",
    reach: "self",
    without: "whether a namespace was deleted or made anew, which tells a loss from a removal",
  },
  {
    id: "list-secrets",
    part: "secrets",
    bearers: ["read"],
    verbs: ["list"],
    group: "",
    resource: "secrets",
    reach: "namespaces",
    without:
      "which Secrets there are: only those named in the registration are audited, and a new certificate isn't noticed",
  },
  {
    id: "get-secrets",
    part: "secrets",
    bearers: ["read"],
    verbs: ["get"],
    group: "",
    resource: "secrets",
    reach: "namespaces",
    without: "what is in a Secret: nothing can be judged or backed up",
  },
  {
    id: "get-named-secrets",
    part: "named",
    bearers: ["read"],
    verbs: ["get"],
    group: "",
    resource: "secrets",
    reach: "names",
    without: "what is in the named Secrets: nothing can be judged or backed up",
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
    without: "which pods write the certificates, so none of their logs can be read",
  },
  {
    id: "read-logs",
    part: "diagnosis",
    bearers: ["read"],
    verbs: ["get"],
    group: "",
    resource: "pods/log",
    reach: "namespaces",
    without:
      "what the owner says: a refusal by Let's Encrypt with its time, and certificates that were issued and not stored",
  },
  {
    id: "list-events",
    part: "diagnosis",
    bearers: ["read"],
    verbs: ["list"],
    group: "",
    resource: "events",
    reach: "namespaces",
    without: "failures to load or store that the owner reports as events",
  },
  {
    id: "ask-access",
    part: "diagnosis",
    bearers: ["read"],
    verbs: ["create"],
    group: "authorization.k8s.io",
    resource: "subjectaccessreviews",
    reach: "cluster",
    without:
      "whether the owner may still write its Secret: the cause that burns a certificate at each access stays unknown",
  },
  {
    id: "restore-list",
    part: "restore",
    bearers: ["restore"],
    verbs: ["list"],
    group: "",
    resource: "secrets",
    reach: "namespaces",
    without:
      "the Secret of random name that a new proxy is waiting with; whether other certificates need an ACME account key that is to be replaced",
  },
  {
    id: "restore-get",
    part: "restore",
    bearers: ["restore"],
    verbs: ["get"],
    group: "",
    resource: "secrets",
    reach: "namespaces",
    without: "what is there now: nothing is replaced unseen, so nothing can be restored",
  },
  {
    id: "restore-create",
    part: "restore",
    bearers: ["restore"],
    verbs: ["create"],
    group: "",
    resource: "secrets",
    reach: "namespaces",
    without: "a Secret that is gone can't be put back",
  },
  {
    id: "restore-patch",
    part: "restore",
    bearers: ["restore"],
    verbs: ["patch"],
    group: "",
    resource: "secrets",
    reach: "namespaces",
    without: "fields of a Secret that is there can't be put back",
  },
  {
    id: "follow",
    part: "follow",
    bearers: ["restore"],
    verbs: ["watch"],
    group: "",
    resource: "secrets",
    reach: "namespaces",
    without: "`restore --follow`: a rebuilt cluster's proxies can't be met at their first start",
  },
  {
    id: "replace",
    part: "replace",
    bearers: ["restore"],
    verbs: ["delete"],
    group: "",
    resource: "secrets",
    reach: "namespaces",
    without: "`restore --replace`: an immutable Secret, or one of another type, stays as it is",
  },
  {
    id: "create-namespace",
    part: "create-namespace",
    bearers: ["restore"],
    verbs: ["create"],
    group: "",
    resource: "namespaces",
    reach: "cluster",
    without:
      "`restore --create-namespace`: a namespace that is gone has to be made by somebody else first",
  },
];

/** What each part is for, in one clause. */
export const PART_TITLES: Readonly<Record<Part | "identity", string>> = {
  identity: "which cluster this is",
  secrets: "list and get Secrets in the namespaces that are audited",
  named: "get the named Secrets alone; nothing is listed",
  parents: "get what the Secrets were made for",
  diagnosis: "logs, events and access reviews: why certificates are reissued",
  restore: "put lost certificates back",
  follow: "restore while a rebuilt cluster comes up",
  replace: "recreate a Secret that can't be changed",
  "create-namespace": "make a namespace that is gone",
};

/** Parts that the restoring credential is made for. */
const RESTORE_PARTS: readonly Part[] = ["restore", "follow", "replace", "create-namespace"];

/** Whether a restoring credential is wanted at all. */
export function wantsRestore(parts: readonly Part[]): boolean {
  return parts.some((part) => RESTORE_PARTS.includes(part));
}

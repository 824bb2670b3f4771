/** The kinds that the fake API server serves, and the form in which it holds their objects. */

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

/** Fields as `fieldsV1` has them: `f:name` to what is below, `.` for the field itself. */
export interface Fields {
  readonly [segment: string]: Fields;
}

/** One entry of `metadata.managedFields`. */
export interface ManagedEntry {
  readonly manager: string;
  readonly operation: "Apply" | "Update";
  readonly apiVersion: string;
  readonly time?: string;
  readonly fieldsType: "FieldsV1";
  readonly fieldsV1: Fields;
}

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly generateName?: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation?: number;
  readonly creationTimestamp: string;
  readonly deletionTimestamp?: string;
  readonly deletionGracePeriodSeconds?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly OwnerReference[];
  readonly managedFields?: readonly ManagedEntry[];
}

/** An object as it is stored: never changed in place, only replaced. */
export interface StoredObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly data?: Readonly<Record<string, string>>;
  readonly type?: string;
  readonly immutable?: boolean;
  readonly [field: string]: unknown;
}

/** An object on its way in: nothing about it is certain but that it is JSON. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [field: string]: Json;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A kind of object that can be asked for. */
export interface Resource {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Objects with a `spec` count their generations. */
  readonly generations: boolean;
}

function kinds(
  group: string,
  version: string,
  namespaced: boolean,
  generations: boolean,
  names: Readonly<Record<string, string>>,
): Resource[] {
  return Object.entries(names).map(([plural, kind]) => ({
    group,
    version,
    plural,
    kind,
    namespaced,
    generations,
  }));
}

export const resources: readonly Resource[] = [
  ...kinds("", "v1", false, false, { namespaces: "Namespace" }),
  ...kinds("", "v1", true, false, {
    secrets: "Secret",
    serviceaccounts: "ServiceAccount",
    events: "Event",
    pods: "Pod",
    services: "Service",
    configmaps: "ConfigMap",
  }),
  ...kinds("apps", "v1", true, true, { statefulsets: "StatefulSet", deployments: "Deployment" }),
  ...kinds("networking.k8s.io", "v1", true, true, { ingresses: "Ingress" }),
  ...kinds("tailscale.com", "v1alpha1", false, true, {
    proxygroups: "ProxyGroup",
    proxyclasses: "ProxyClass",
    connectors: "Connector",
    recorders: "Recorder",
  }),
  ...kinds("cert-manager.io", "v1", true, true, {
    certificates: "Certificate",
    certificaterequests: "CertificateRequest",
    issuers: "Issuer",
  }),
  ...kinds("cert-manager.io", "v1", false, true, { clusterissuers: "ClusterIssuer" }),
];

/** `v1`, `networking.k8s.io/v1`. */
export function apiVersionOf(resource: Resource): string {
  return resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
}

/** `secrets`, `ingresses.networking.k8s.io`: how errors call a kind. */
export function qualifiedName(resource: Pick<Resource, "group" | "plural">): string {
  return resource.group === "" ? resource.plural : `${resource.plural}.${resource.group}`;
}

export function findResource(group: string, version: string, plural: string): Resource | null {
  return (
    resources.find((r) => r.group === group && r.version === version && r.plural === plural) ?? null
  );
}

export function findKind(apiVersion: string, kind: string): Resource | null {
  return resources.find((r) => r.kind === kind && apiVersionOf(r) === apiVersion) ?? null;
}

/** Whom a Secret of Tailscale's operator was made for, by its labels. */
import { isLabelValue } from "./allowlist.ts";
import { LABEL, own } from "./shapes.ts";

/**
 * `type` as the operator writes it: `ingress`, `svc`, `connector`, `proxygroup`, or one that is
 * newer.
 */
export interface SecretParent {
  readonly type: string;
  /** `null` for objects without a namespace. */
  readonly namespace: string | null;
  readonly name: string;
}

/** The parent that the labels name, or `null`. */
export function parentOf(labels: Readonly<Record<string, unknown>>): SecretParent | null {
  const type = own(labels, LABEL.parentType);
  const name = own(labels, LABEL.parent);
  const namespace = own(labels, LABEL.parentNamespace);
  if (type === null || name === null || type === "" || name === "") return null;
  if (![type, name, namespace ?? ""].every(isLabelValue)) return null;
  return { type, namespace: namespace === "" ? null : namespace, name };
}

const KINDS: Readonly<
  Record<
    string,
    { readonly apiVersion: string; readonly kind: string; readonly namespaced: boolean }
  >
> = {
  ingress: { apiVersion: "networking.k8s.io/v1", kind: "Ingress", namespaced: true },
  svc: { apiVersion: "v1", kind: "Service", namespaced: true },
  service: { apiVersion: "v1", kind: "Service", namespaced: true },
  connector: { apiVersion: "tailscale.com/v1alpha1", kind: "Connector", namespaced: false },
  proxygroup: { apiVersion: "tailscale.com/v1alpha1", kind: "ProxyGroup", namespaced: false },
};

/**
 * The parent as an object that the API server can be asked for, or `null` where its kind isn't
 * known here.
 */
export function parentObject(parent: SecretParent): {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string | null;
  readonly name: string;
} | null {
  const kind = Object.hasOwn(KINDS, parent.type) ? KINDS[parent.type] : undefined;
  if (kind === undefined || (kind.namespaced && parent.namespace === null)) return null;
  return {
    apiVersion: kind.apiVersion,
    kind: kind.kind,
    namespace: kind.namespaced ? parent.namespace : null,
    name: parent.name,
  };
}

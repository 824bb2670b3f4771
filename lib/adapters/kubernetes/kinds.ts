/**
 * Where the API keeps the kinds that own Secrets with certificates; others aren't asked for.
 *
 * What certificate the parent of a Secret wants by now, as far as its spec and status say so.
 */
import type * as k8s from "@kubernetes/client-node";
import type { ObjectRef, ParentWants } from "../../ports/cluster.ts";
import { fieldsOf, listOf, textOf } from "../../untrusted.ts";

interface Kind {
  readonly resource: string;
  readonly namespaced: boolean;
}

const namespaced = (resource: string): Kind => ({ resource, namespaced: true });
const clusterWide = (resource: string): Kind => ({ resource, namespaced: false });

const KINDS: Readonly<Record<string, Readonly<Record<string, Kind>>>> = {
  "": {
    Namespace: clusterWide("namespaces"),
    Node: clusterWide("nodes"),
    Secret: namespaced("secrets"),
    ConfigMap: namespaced("configmaps"),
    Service: namespaced("services"),
    ServiceAccount: namespaced("serviceaccounts"),
    Pod: namespaced("pods"),
  },
  apps: {
    Deployment: namespaced("deployments"),
    StatefulSet: namespaced("statefulsets"),
    DaemonSet: namespaced("daemonsets"),
    ReplicaSet: namespaced("replicasets"),
  },
  batch: { Job: namespaced("jobs"), CronJob: namespaced("cronjobs") },
  "networking.k8s.io": { Ingress: namespaced("ingresses") },
  "gateway.networking.k8s.io": { Gateway: namespaced("gateways") },
  "cert-manager.io": {
    Certificate: namespaced("certificates"),
    CertificateRequest: namespaced("certificaterequests"),
    Issuer: namespaced("issuers"),
    ClusterIssuer: clusterWide("clusterissuers"),
  },
  // cmd/k8s-operator/deploy/crds of tailscale/tailscale: all of scope Cluster.
  "tailscale.com": {
    Connector: clusterWide("connectors"),
    DNSConfig: clusterWide("dnsconfigs"),
    ProxyClass: clusterWide("proxyclasses"),
    ProxyGroup: clusterWide("proxygroups"),
    Recorder: clusterWide("recorders"),
    Tailnet: clusterWide("tailnets"),
  },
};

/**
 * The resource of a reference and its path in the API; `null` for a kind that isn't known or a
 * reference that can't be.
 */
export function locate(
  ref: ObjectRef,
): { readonly resource: string; readonly path: string; readonly namespace: string | null } | null {
  const match = /^(?:([a-z0-9.-]{1,253})\/)?(v[a-z0-9]{1,30})$/.exec(ref.apiVersion);
  if (match === null) return null;
  const group = match[1] ?? "";
  const kinds = Object.hasOwn(KINDS, group) ? KINDS[group] : undefined;
  const kind = kinds !== undefined && Object.hasOwn(kinds, ref.kind) ? kinds[ref.kind] : undefined;
  if (kind === undefined || (kind.namespaced && ref.namespace === null)) return null;
  const root = group === "" ? `/api/${match[2]}` : `/apis/${group}/${match[2]}`;
  const namespace = kind.namespaced ? ref.namespace : null;
  const place = namespace === null ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
  return {
    resource: kind.resource,
    namespace,
    path: `${root}${place}/${kind.resource}/${encodeURIComponent(ref.name)}`,
  };
}

/** Kinds that are read whole for it. */
export const WANTING: ReadonlySet<string> = new Set(["Ingress", "Certificate", "ProxyGroup"]);

const MAX_NAMES = 200;

/** `null`: its kind says nothing of it. */
export function wantsOf(kind: string, object: unknown): ParentWants | null {
  switch (kind) {
    case "Ingress":
      return ingressWants(object);
    case "Certificate":
      return certificateWants(object);
    case "ProxyGroup":
      return proxyGroupWants(object);
    default:
      return null;
  }
}

function textsOf(values: readonly unknown[]): string[] {
  return values
    .flatMap((value) => textOf(value) ?? [])
    .filter((text) => text !== "")
    .map((text) => text.toLowerCase())
    .slice(0, MAX_NAMES);
}

function ingressWants(object: unknown): ParentWants {
  const { spec, status } = fieldsOf<k8s.V1Ingress>(object);
  const { loadBalancer } = fieldsOf<k8s.V1IngressStatus>(status);
  const { ingress } = fieldsOf<k8s.V1IngressLoadBalancerStatus>(loadBalancer);
  return {
    hosts: textsOf(
      listOf(fieldsOf<k8s.V1IngressSpec>(spec).tls).flatMap((tls) =>
        listOf(fieldsOf<k8s.V1IngressTLS>(tls).hosts),
      ),
    ),
    published: textsOf(
      listOf(ingress).map((one) => fieldsOf<k8s.V1IngressLoadBalancerIngress>(one).hostname),
    ),
    secret: null,
  };
}

function certificateWants(object: unknown): ParentWants {
  const spec = fieldsOf(fieldsOf(object)["spec"]);
  return {
    hosts: textsOf([spec["commonName"], ...listOf(spec["dnsNames"])]),
    published: [],
    secret: textOf(spec["secretName"]),
  };
}

function proxyGroupWants(object: unknown): ParentWants {
  const { spec, status } = fieldsOf<{ spec: unknown; status: unknown }>(object);
  const { hostname } = fieldsOf<{ hostname: unknown }>(fieldsOf(spec)["kubeAPIServer"]);
  const url = textOf(fieldsOf(status)["url"]);
  return {
    hosts: textsOf([hostname]),
    published: url !== null && URL.canParse(url) ? textsOf([new URL(url).hostname]) : [],
    secret: null,
  };
}

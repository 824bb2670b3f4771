/** What certificate the parent of a Secret wants by now, as far as its spec and status say so. */
import type {
  V1Ingress,
  V1IngressLoadBalancerIngress,
  V1IngressLoadBalancerStatus,
  V1IngressSpec,
  V1IngressStatus,
  V1IngressTLS,
} from "@kubernetes/client-node";
import type { ParentWants } from "../../ports/cluster.ts";
import { fieldsOf, listOf, textOf } from "./parse.ts";

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
  const { spec, status } = fieldsOf<V1Ingress>(object);
  const { loadBalancer } = fieldsOf<V1IngressStatus>(status);
  const { ingress } = fieldsOf<V1IngressLoadBalancerStatus>(loadBalancer);
  return {
    hosts: textsOf(
      listOf(fieldsOf<V1IngressSpec>(spec).tls).flatMap((tls) =>
        listOf(fieldsOf<V1IngressTLS>(tls).hosts),
      ),
    ),
    published: textsOf(
      listOf(ingress).map((one) => fieldsOf<V1IngressLoadBalancerIngress>(one).hostname),
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

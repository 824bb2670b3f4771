/**
 * The layouts in which the Tailscale Kubernetes Operator, cert-manager and others store their
 * Secrets, with invented values.
 */
import { randomBytes, randomUUID } from "node:crypto";
import type { DemoMetadata, DemoObject } from "./objects.ts";
import { newKey, type PairText } from "./authority.ts";

/** The demo's tailnet: the registered domain, by which Let's Encrypt counts. */
const TAILNET = "tail1a2b3.ts.net";

type Texts = Readonly<Record<string, string>>;

/** Where a Secret stands, and since when. */
export interface Place {
  readonly namespace: string;
  readonly name: string;
  readonly createdMs: number;
}

export interface Parent {
  readonly type: "ingress" | "svc" | "proxygroup";
  readonly name: string;
  readonly namespace: string | null;
}

/** `grafana` to `grafana.tail1a2b3.ts.net`. */
export const fqdnOf = (host: string): string => `${host}.${TAILNET}`;

export const rfc3339 = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+/u, "");

const hex = (bytes: number): string => randomBytes(bytes).toString("hex");

const encoded = (texts: Texts): Texts =>
  Object.fromEntries(
    Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString("base64")]),
  );

export function secret(
  { namespace, name, createdMs }: Place,
  type: string,
  texts: Texts,
  metadata: Partial<DemoMetadata> = {},
): DemoObject {
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name, namespace, creationTimestamp: rfc3339(createdMs), ...metadata },
    type,
    data: encoded(texts),
  };
}

/** The identity of a node, as tailscaled stores it; it belongs in no backup. */
function nodeState(host: string): Texts {
  const profile = `profile-${hex(2)}`;
  const entry = { Name: host, NetworkProfile: { MagicDNSName: TAILNET }, Key: profile };
  return {
    _machinekey: `privkey:${hex(32)}`,
    "_current-profile": profile,
    _profiles: JSON.stringify({ [profile]: entry }),
    [profile]: JSON.stringify({ Hostname: host, Config: { PrivateNodeKey: `privkey:${hex(32)}` } }),
    "acme-account.key.pem": newKey().pem,
  };
}

const pairFields = (base: string, pair: PairText | null): Texts =>
  pair === null ? {} : { [`${base}.crt`]: pair.certificatePem, [`${base}.key`]: pair.keyPem };

/** The state of the operator, or of a sidecar, with its certificate. */
export function nodeSecret(
  place: Place,
  host: string,
  pair: PairText,
  labels: Texts = {},
): DemoObject {
  const texts = { ...nodeState(host), ...pairFields(fqdnOf(host), pair) };
  return secret(place, "Opaque", texts, { labels });
}

function parentLabels(parent: Parent): Texts {
  return {
    "tailscale.com/managed": "true",
    "tailscale.com/parent-resource": parent.name,
    "tailscale.com/parent-resource-type": parent.type,
    ...(parent.namespace === null ? {} : { "tailscale.com/parent-resource-ns": parent.namespace }),
  };
}

/** Configuration and state of a standalone proxy. */
export function standaloneSecret(
  place: Place,
  parent: Parent,
  host: string,
  pair: PairText | null,
): DemoObject {
  const fqdn = fqdnOf(host);
  const serve = JSON.stringify({
    TCP: { "443": { HTTPS: true } },
    Web: { [`${fqdn}:443`]: { Handlers: { "/": { Proxy: "http://10.96.14.7:80/" } } } },
  });
  const texts = {
    ...nodeState(host),
    ...pairFields(fqdn, pair),
    "cap-107.hujson": JSON.stringify({ Version: "alpha0", Hostname: host, AcceptDNS: "false" }),
    "serve-config": serve,
    device_id: `n${hex(8)}CNTRL`,
    device_fqdn: `${fqdn}.`,
    device_ips: JSON.stringify(["100.64.11.42"]),
    https_endpoint: fqdn,
    pod_uid: randomUUID(),
    tailscale_capver: "131",
  };
  return secret(place, "Opaque", texts, { labels: parentLabels(parent) });
}

/** A certificate that the pods of a ProxyGroup share: a Secret named after its domain. */
export function sharedSecret(
  place: Place,
  group: string,
  parent: Parent,
  pair: PairText,
): DemoObject {
  const labels = {
    ...parentLabels(parent),
    "tailscale.com/secret-type": "certs",
    "tailscale.com/proxy-group": group,
    "tailscale.com/domain": place.name,
  };
  return secret(place, "kubernetes.io/tls", pairFields("tls", pair), { labels });
}

/** A pod that has been running since its creation, and never restarted. */
export function pod(
  { namespace, name, createdMs }: Place,
  labels: Texts,
  serviceAccountName: string,
  container: string,
): DemoObject {
  const startedAt = rfc3339(createdMs);
  const state = { running: { startedAt } };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, labels, creationTimestamp: startedAt },
    spec: { serviceAccountName, containers: [{ name: container }] },
    status: { containerStatuses: [{ name: container, restartCount: 0, state }] },
  };
}

/** State and configuration of a pod of a ProxyGroup. */
export function groupSecrets(place: Place, group: string): readonly DemoObject[] {
  const of = (kind: string): Partial<DemoMetadata> => ({
    labels: {
      ...parentLabels({ type: "proxygroup", name: group, namespace: null }),
      "tailscale.com/secret-type": kind,
    },
  });
  const config = JSON.stringify({
    Version: "alpha0",
    Hostname: place.name,
    AuthKey: `tskey-auth-k${hex(6)}CNTRL-${hex(16)}`,
  });
  const configPlace = { ...place, name: `${place.name}-config` };
  return [
    secret(place, "Opaque", nodeState(place.name), of("state")),
    secret(configPlace, "Opaque", { "cap-106.hujson": config }, of("config")),
  ];
}

export function tlsSecret(
  place: Place,
  pair: PairText,
  metadata: Partial<DemoMetadata> = {},
): DemoObject {
  return secret(place, "kubernetes.io/tls", pairFields("tls", pair), metadata);
}

/** A TLS Secret as cert-manager stores it for a Certificate. */
export function certManagerSecret(
  place: Place,
  pair: PairText,
  names: readonly string[],
): DemoObject {
  return tlsSecret(place, pair, {
    annotations: {
      "cert-manager.io/certificate-name": place.name.replace(/-tls$/u, ""),
      "cert-manager.io/issuer-name": "letsencrypt-prod",
      "cert-manager.io/issuer-kind": "ClusterIssuer",
      "cert-manager.io/issuer-group": "cert-manager.io",
      "cert-manager.io/common-name": names[0] ?? "",
      "cert-manager.io/alt-names": names.join(","),
      "cert-manager.io/ip-sans": "",
      "cert-manager.io/uri-sans": "",
    },
    labels: { "controller.cert-manager.io/fao": "true" },
  });
}

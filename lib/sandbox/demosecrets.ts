/**
 * The forms in which the Tailscale Kubernetes Operator, cert-manager and others keep what they keep in
 * Secrets, with invented values: what `cluster.ts` fills a sandbox with.
 */
import { randomBytes, randomUUID } from "node:crypto";
import type { PutObject } from "./api.ts";
import type { Authority, Issued } from "./pki.ts";
import { createKey, keyPemOf } from "./x509.ts";

/** Of the demo's tailnet: the registered domain, by which Let's Encrypt counts. */
const demoTailnet = "tail1a2b3.ts.net";

export const hourMs = 3_600_000;
export const dayMs = 24 * hourMs;
/** How far Let's Encrypt dates a certificate back: 58 min 30 s. */
const backdatedMs = 58.5 * 60_000;

/** `grafana` to `grafana.tail1a2b3.ts.net`. */
export const fqdnOf = (host: string): string => `${host}.${demoTailnet}`;

const hex = (sizeBytes: number): string => randomBytes(sizeBytes).toString("hex");
const rfc3339 = (timeMs: number): string => new Date(timeMs).toISOString().replace(/\.\d+Z$/u, "Z");

/** Issues a certificate as Let's Encrypt would have `ageMs` before `nowMs`: back-dated, with the timestamps of two logs. */
export function issueAged(
  authority: Authority,
  names: readonly string[],
  nowMs: number,
  ageMs: number,
  options: {
    readonly lifetimeDays?: number;
    readonly scts?: boolean;
    readonly noIntermediate?: boolean;
  } = {},
): Issued {
  const issuedAtMs = nowMs - ageMs;
  const notBeforeMs = Math.floor((issuedAtMs - backdatedMs) / 1000) * 1000;
  const notAfterMs = notBeforeMs + (options.lifetimeDays ?? 90) * dayMs - 1000;
  return authority.issue({
    names,
    notBefore: new Date(notBeforeMs),
    notAfter: new Date(notAfterMs),
    ...(options.scts === false
      ? {}
      : { scts: [{ timestampMs: issuedAtMs }, { timestampMs: issuedAtMs + 214 }] }),
    ...(options.noIntermediate === undefined ? {} : { noIntermediate: options.noIntermediate }),
  });
}

/** Certificate and key as texts, right or wrong. */
export interface PairText {
  readonly certificatePem: string;
  readonly keyPem: string;
}

interface Place {
  readonly namespace: string;
  readonly name: string;
  readonly createdMs: number;
}

type Texts = Readonly<Record<string, string>>;

function secret(
  place: Place,
  type: string,
  stringData: Texts,
  metadata: Partial<PutObject["metadata"]> = {},
): PutObject {
  const { namespace, name, createdMs } = place;
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name, namespace, creationTimestamp: rfc3339(createdMs), ...metadata },
    type,
    stringData,
  };
}

/** What tailscaled keeps of its node: its identity, which belongs into no backup. */
function nodeState(host: string): Texts {
  const profile = hex(2);
  const config = {
    PrivateNodeKey: `privkey:${hex(32)}`,
    NetworkLockKey: `nlpriv:${hex(32)}`,
    NodeID: `n${hex(8)}CNTRL`,
  };
  const profiles = {
    [profile]: {
      ID: profile,
      Name: host,
      NetworkProfile: { MagicDNSName: demoTailnet },
      Key: `profile-${profile}`,
    },
  };
  return {
    _machinekey: `privkey:${hex(32)}`,
    "_current-profile": `profile-${profile}`,
    _profiles: JSON.stringify(profiles),
    [`profile-${profile}`]: JSON.stringify({
      ControlURL: "https://controlplane.tailscale.com",
      Hostname: host,
      Config: config,
    }),
  };
}

const accountKey = (): Texts => ({ "acme-account.key.pem": keyPemOf(createKey("P-256")) });

const pairFields = (base: string, pair: PairText | null): Texts =>
  pair === null ? {} : { [`${base}.crt`]: pair.certificatePem, [`${base}.key`]: pair.keyPem };

/** The operator's own state with its certificate, or a sidecar's: Opaque, no labels. */
export function nodeSecret(place: Place, host: string, pair: PairText | null): PutObject {
  return secret(place, "Opaque", {
    ...nodeState(host),
    ...accountKey(),
    ...pairFields(fqdnOf(host), pair),
  });
}

/** What a Secret was made for. */
export interface Parent {
  readonly type: "ingress" | "svc" | "connector" | "proxygroup";
  readonly name: string;
  readonly namespace: string | null;
}

function parentLabels(parent: Parent): Texts {
  return {
    "tailscale.com/managed": "true",
    "tailscale.com/parent-resource": parent.name,
    "tailscale.com/parent-resource-type": parent.type,
    ...(parent.namespace === null ? {} : { "tailscale.com/parent-resource-ns": parent.namespace }),
  };
}

/** Configuration and state of a standalone proxy, under one name with a random part in it. */
export function standaloneSecret(
  place: Place,
  parent: Parent,
  host: string,
  pair: PairText | null,
  base = fqdnOf(host),
): PutObject {
  const fqdn = fqdnOf(host);
  const serve = {
    TCP: { "443": { HTTPS: true } },
    Web: { [`${fqdn}:443`]: { Handlers: { "/": { Proxy: "http://10.96.14.7:80/" } } } },
  };
  const device = {
    device_id: `n${hex(8)}CNTRL`,
    device_fqdn: `${fqdn}.`,
    device_ips: JSON.stringify([`100.${64 + (randomBytes(1).readUInt8() % 64)}.11.42`]),
    https_endpoint: fqdn,
    pod_uid: randomUUID(),
    tailscale_capver: "131",
  };
  const config = { Version: "alpha0", Hostname: host, AcceptDNS: "false", Locked: "false" };
  const texts = {
    "cap-107.hujson": JSON.stringify(config),
    "serve-config": JSON.stringify(serve),
    [`_serve_${hex(2)}`]: JSON.stringify(serve),
  };
  return secret(
    place,
    "Opaque",
    { ...nodeState(host), ...accountKey(), ...texts, ...device, ...pairFields(base, pair) },
    { labels: parentLabels(parent) },
  );
}

/** A certificate that the pods of a ProxyGroup share: a Secret named as its domain. */
export function sharedSecret(
  place: Place,
  group: string,
  parent: Parent,
  pair: PairText,
): PutObject {
  const labels = {
    ...parentLabels(parent),
    "tailscale.com/secret-type": "certs",
    "tailscale.com/proxy-group": group,
    "tailscale.com/domain": place.name.slice(0, 63),
  };
  return secret(
    place,
    "kubernetes.io/tls",
    { "tls.crt": pair.certificatePem, "tls.key": pair.keyPem },
    { labels },
  );
}

/** State (`<group>-<i>`) or configuration (`<group>-<i>-config`) of a pod of a ProxyGroup. */
export function groupSecret(
  place: Place,
  group: string,
  groupUid: string,
  kind: "state" | "config",
): PutObject {
  const owner = {
    apiVersion: "tailscale.com/v1alpha1",
    kind: "ProxyGroup",
    name: group,
    uid: groupUid,
    controller: true,
  };
  const labels = {
    ...parentLabels({ type: "proxygroup", name: group, namespace: null }),
    "tailscale.com/secret-type": kind,
  };
  const config = JSON.stringify({
    Version: "alpha0",
    Hostname: place.name.replace(/-config$/u, ""),
    AuthKey: `tskey-auth-k${hex(6)}CNTRL-${hex(16)}`,
  });
  const fields =
    kind === "state" ? { ...nodeState(place.name), ...accountKey() } : { "cap-106.hujson": config };
  return secret(place, "Opaque", fields, { labels, ownerReferences: [owner] });
}

/** A generic TLS Secret; with `certificate`, as cert-manager keeps it for that Certificate. */
export function tlsSecret(
  place: Place,
  pair: PairText,
  certificate: string | null,
  names: readonly string[],
  lastApplied = false,
): PutObject {
  const fields = { "tls.crt": pair.certificatePem, "tls.key": pair.keyPem };
  if (certificate === null) {
    const data = Object.fromEntries(
      Object.entries(fields).map(([key, text]) => [key, Buffer.from(text).toString("base64")]),
    );
    const applied = JSON.stringify({
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: place.name, namespace: place.namespace },
      type: "kubernetes.io/tls",
      data,
    });
    const annotations = { "kubectl.kubernetes.io/last-applied-configuration": `${applied}\n` };
    return secret(place, "kubernetes.io/tls", fields, lastApplied ? { annotations } : {});
  }
  const annotations = {
    "cert-manager.io/certificate-name": certificate,
    "cert-manager.io/issuer-name": "letsencrypt-prod",
    "cert-manager.io/issuer-kind": "ClusterIssuer",
    "cert-manager.io/issuer-group": "cert-manager.io",
    "cert-manager.io/common-name": names[0] ?? "",
    "cert-manager.io/alt-names": names.join(","),
    "cert-manager.io/ip-sans": "",
    "cert-manager.io/uri-sans": "",
  };
  return secret(place, "kubernetes.io/tls", fields, {
    annotations,
    labels: { "controller.cert-manager.io/fao": "true" },
  });
}

/** A Secret that holds no certificate. */
export function otherSecret(place: Place, type: string, stringData: Texts): PutObject {
  return secret(place, type, stringData);
}

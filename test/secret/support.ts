import type { Secret } from "../../lib/secret/secret.ts";

export const b64 = (text: string): string => Buffer.from(text, "utf8").toString("base64");

/** A Secret whose values are given in the clear. */
export function secretOf(
  parts: Partial<Omit<Secret, "data">> & { readonly data?: Readonly<Record<string, string>> } = {},
): Secret {
  const data = Object.fromEntries(
    Object.entries(parts.data ?? {}).map(([field, text]) => [field, b64(text)]),
  );
  return {
    namespace: "tailscale",
    name: "some",
    uid: "u-1",
    resourceVersion: "1",
    type: "Opaque",
    labels: {},
    annotations: {},
    owners: [],
    createdAt: null,
    deletedAt: null,
    immutable: false,
    unreadAnnotations: [],
    finalizers: [],
    ...parts,
    data,
    dataKeys: Object.keys(data).toSorted(),
  };
}

export const managed = { "tailscale.com/managed": "true" };
export const standaloneLabels = {
  ...managed,
  "tailscale.com/parent-resource": "shop",
  "tailscale.com/parent-resource-ns": "web",
  "tailscale.com/parent-resource-type": "ingress",
};
export const certsLabels = {
  ...standaloneLabels,
  "tailscale.com/secret-type": "certs",
  "tailscale.com/proxy-group": "pg",
  "tailscale.com/domain": "shop.tail1a2b3.ts.net",
};
export const apiserverLabels = {
  ...managed,
  "tailscale.com/secret-type": "certs",
  "tailscale.com/proxy-group": "kube",
  "tailscale.com/domain": "kube.tail1a2b3.ts.net",
  "tailscale.com/parent-resource": "kube",
  "tailscale.com/parent-resource-type": "proxygroup",
};
export const groupLabels = {
  ...managed,
  "tailscale.com/parent-resource": "pg",
  "tailscale.com/parent-resource-type": "proxygroup",
};

/** What a node keeps of its identity beside a certificate; nothing of it may ever come out. */
export const CANARY = "canary-7f3b";
export const nodeState: Readonly<Record<string, string>> = Object.fromEntries(
  [
    "_machinekey",
    "_profiles",
    "_current-profile",
    "profile-1a2b",
    "profile-1a2b.key",
    "profile-1a2b.crt",
    "_serve_1a2b",
    "_serve_1a2b.key",
    "_serve_1a2b.crt",
    "authkey",
    "authkey.key",
    "authkey.crt",
    "reissue_authkey",
    "reissue_authkey.x.key",
    "reissue_authkey.x.crt",
    "cap-107.hujson",
    "serve-config",
    "device_fqdn",
    "device_id",
    "device_ips",
    "pod_uid",
    "tailscale_capver",
    "https_endpoint",
    "_daemon",
    "_routeInfo",
    "_machinekey.crt",
    "_machinekey.key",
    "ca.key",
    "ca.crt",
    "client_secret",
    "__proto__",
    "constructor",
    ".key",
    ".crt",
    "a..b.key",
    "a..b.crt",
    "-a.b.key",
    "-a.b.crt",
    "a.b-.key",
    "a.b-.crt",
    "x.y..key",
    "x.y..crt",
    "acme-account.key.pem.bak",
    "x.acme-account.key.pem.old",
  ].map((field) => [field, `${CANARY}-${field}`]),
);

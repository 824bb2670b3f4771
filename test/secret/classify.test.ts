import { describe, expect, it } from "vitest";
import {
  classify,
  type ClassifiedMeta,
  DEFAULT_CLASSIFY_OPTIONS,
} from "../../lib/secret/shapes.ts";
import { apiserverLabels, certsLabels, groupLabels, managed, standaloneLabels } from "./support.ts";

const host = ["shop.tail1a2b3.ts.net.crt", "shop.tail1a2b3.ts.net.key"];
const state = ["_current-profile", "_machinekey", "_profiles", "profile-1a2b"];
const tls = ["tls.crt", "tls.key"];

function meta(parts: Partial<ClassifiedMeta>): ClassifiedMeta {
  return {
    namespace: "tailscale",
    name: "some",
    type: "Opaque",
    dataKeys: [],
    labels: {},
    ...parts,
  };
}

interface Row {
  readonly title: string;
  readonly meta: Partial<ClassifiedMeta>;
  readonly shape: string | null;
  readonly want: boolean;
}

const rows: readonly Row[] = [
  {
    title: "A",
    meta: { name: "operator", dataKeys: [...state, ...host, "acme-account.key.pem"] },
    shape: "operator",
    want: true,
  },
  {
    title: "A with an account key only",
    meta: { name: "operator", dataKeys: [...state, "acme-account.key.pem"] },
    shape: "operator",
    want: true,
  },
  {
    title: "A without a certificate",
    meta: { name: "operator", dataKeys: state },
    shape: "operator",
    want: false,
  },
  {
    title: "A with fields untold",
    meta: { name: "operator", dataKeys: null },
    shape: "operator",
    want: true,
  },
  {
    title: "A with half a pair",
    meta: { name: "operator", dataKeys: [...state, host[1]!] },
    shape: "operator",
    want: true,
  },
  {
    title: "operator-oauth",
    meta: { name: "operator-oauth", dataKeys: ["client_id", "client_secret"] },
    shape: null,
    want: false,
  },
  {
    title: "operator of another namespace",
    meta: { namespace: "web", name: "operator", dataKeys: ["a"] },
    shape: null,
    want: false,
  },
  {
    title: "B",
    meta: {
      name: "ts-shop-x1y2z-0",
      labels: standaloneLabels,
      dataKeys: [...state, ...host, "cap-107.hujson"],
    },
    shape: "standalone",
    want: true,
  },
  {
    title: "B'",
    meta: {
      name: "ts-db-x1y2z-0",
      labels: { ...standaloneLabels, "tailscale.com/parent-resource-type": "svc" },
      dataKeys: [...state, "cap-107.hujson"],
    },
    shape: "standalone",
    want: false,
  },
  {
    title: "B' with fields untold",
    meta: {
      labels: { ...standaloneLabels, "tailscale.com/parent-resource-type": "connector" },
      dataKeys: null,
    },
    shape: "standalone",
    want: true,
  },
  {
    title: "C",
    meta: {
      name: "shop.tail1a2b3.ts.net",
      type: "kubernetes.io/tls",
      labels: certsLabels,
      dataKeys: tls,
    },
    shape: "ha-ingress",
    want: true,
  },
  {
    title: "C with its type untold",
    meta: { type: null, labels: certsLabels, dataKeys: tls },
    shape: "ha-ingress",
    want: true,
  },
  {
    title: "D",
    meta: {
      name: "kube.tail1a2b3.ts.net",
      type: "kubernetes.io/tls",
      labels: apiserverLabels,
      dataKeys: tls,
    },
    shape: "apiserver-proxygroup",
    want: true,
  },
  {
    title: "E",
    meta: {
      name: "pg-0",
      labels: { ...groupLabels, "tailscale.com/secret-type": "state" },
      dataKeys: [...state, "acme-account.key.pem"],
    },
    shape: "proxygroup-state",
    want: true,
  },
  {
    title: "E without an account",
    meta: {
      labels: { ...groupLabels, "tailscale.com/secret-type": "state" },
      dataKeys: [...state, ...host],
    },
    shape: "proxygroup-state",
    want: false,
  },
  {
    title: "E', told",
    meta: {
      name: "pg-0-config",
      labels: { ...groupLabels, "tailscale.com/secret-type": "config" },
      dataKeys: ["cap-107.hujson"],
    },
    shape: null,
    want: false,
  },
  {
    title: "E', untold",
    meta: {
      labels: { ...groupLabels, "tailscale.com/secret-type": "config" },
      dataKeys: null,
      type: null,
    },
    shape: null,
    want: false,
  },
  {
    title: "E' dressed as a sidecar",
    meta: { labels: { "tailscale.com/secret-type": "config" }, dataKeys: host },
    shape: null,
    want: false,
  },
  {
    title: "F",
    meta: {
      name: "tailscale-acme-accounts",
      labels: managed,
      dataKeys: ["_default.acme-account.key.pem"],
    },
    shape: "acme-accounts",
    want: true,
  },
  {
    title: "F without its label",
    meta: { name: "tailscale-acme-accounts", dataKeys: ["_default.acme-account.key.pem"] },
    shape: null,
    want: false,
  },
  {
    title: "G",
    meta: {
      name: "recorder-0",
      labels: { "app.kubernetes.io/name": "recorder" },
      dataKeys: [...state, ...host],
    },
    shape: "recorder",
    want: true,
  },
  {
    title: "G's auth key",
    meta: {
      name: "recorder-auth-0",
      labels: { "app.kubernetes.io/name": "recorder" },
      dataKeys: ["authkey"],
    },
    shape: "recorder",
    want: false,
  },
  {
    title: "H in any namespace",
    meta: { namespace: "web", name: "tailscale", dataKeys: [...state, ...host] },
    shape: "sidecar",
    want: true,
  },
  {
    title: "H with its type untold",
    meta: { namespace: "web", type: null, dataKeys: host },
    shape: "sidecar",
    want: true,
  },
  {
    title: "H that lost half a pair",
    meta: { namespace: "web", dataKeys: [...state, host[0]!] },
    shape: "sidecar",
    want: true,
  },
  {
    title: "H with an account only",
    meta: { namespace: "web", dataKeys: [...state, "acme-account.key.pem"] },
    shape: "sidecar",
    want: true,
  },
  {
    title: "half a pair of nobody",
    meta: { namespace: "web", dataKeys: [host[0]!] },
    shape: null,
    want: false,
  },
  {
    title: "halves of two pairs",
    meta: { namespace: "web", dataKeys: ["a.example.crt", "b.example.key"] },
    shape: null,
    want: false,
  },
  {
    title: "a CA in Opaque",
    meta: { namespace: "web", dataKeys: ["ca.crt", "ca.key"] },
    shape: null,
    want: false,
  },
  {
    title: "tls.crt and tls.key in Opaque",
    meta: { namespace: "web", dataKeys: tls },
    shape: null,
    want: false,
  },
  {
    title: "tls.crt and tls.key, type untold",
    meta: { namespace: "web", type: null, dataKeys: tls },
    shape: null,
    want: true,
  },
  {
    title: "tls.crt and tls.key in Opaque, named",
    meta: { namespace: "web", name: "named", dataKeys: tls },
    shape: "tls",
    want: true,
  },
  {
    title: "Opaque with fields untold",
    meta: { namespace: "web", dataKeys: null },
    shape: null,
    want: true,
  },
  {
    title: "no type nor fields told",
    meta: { namespace: "web", dataKeys: null, type: null },
    shape: null,
    want: true,
  },
  {
    title: "an empty type is Opaque",
    meta: { namespace: "web", dataKeys: host, type: "" },
    shape: "sidecar",
    want: true,
  },
  {
    title: "generic TLS",
    meta: { namespace: "web", type: "kubernetes.io/tls", dataKeys: tls },
    shape: "tls",
    want: true,
  },
  {
    title: "generic TLS with fields untold",
    meta: { namespace: "web", type: "kubernetes.io/tls", dataKeys: null },
    shape: "tls",
    want: true,
  },
  {
    title: "generic TLS with other fields",
    meta: { namespace: "web", type: "kubernetes.io/tls", dataKeys: ["cert.pem"] },
    shape: "tls",
    want: false,
  },
  {
    title: "TLS type, managed but no certs label",
    meta: { type: "kubernetes.io/tls", labels: managed, dataKeys: tls },
    shape: "tls",
    want: true,
  },
  {
    title: "cert-manager's next key",
    meta: {
      namespace: "web",
      labels: { "cert-manager.io/next-private-key": "true" },
      dataKeys: ["tls.key"],
    },
    shape: null,
    want: false,
  },
  {
    title: "cert-manager's next key, untold",
    meta: {
      namespace: "web",
      labels: { "cert-manager.io/next-private-key": "true" },
      dataKeys: null,
      type: null,
    },
    shape: null,
    want: false,
  },
  {
    title: "a service account's token",
    meta: { type: "kubernetes.io/service-account-token", dataKeys: ["ca.crt", "token"] },
    shape: null,
    want: false,
  },
  {
    title: "a helm release",
    meta: { type: "helm.sh/release.v1", dataKeys: null },
    shape: null,
    want: false,
  },
  {
    title: "a registry's credential",
    meta: { type: "kubernetes.io/dockerconfigjson", dataKeys: host },
    shape: null,
    want: false,
  },
  {
    title: "hostile labels",
    meta: {
      labels: { constructor: "true", __proto__: "true" } as Record<string, string>,
      dataKeys: ["__proto__", "constructor"],
    },
    shape: null,
    want: false,
  },
];

describe("classify", () => {
  const options = {
    ...DEFAULT_CLASSIFY_OPTIONS,
    named: new Set(["web/named", "tailscale/pg-0-config"]),
  };
  it.each(rows)("$title", (row) => {
    const found = classify(meta(row.meta), options);
    expect({ shape: found.shape, want: found.want }).toEqual({ shape: row.shape, want: row.want });
  });

  it("knows other names of the operator's Secret", () => {
    const all = { ...options, operatorNames: ["ts-op"], operatorNamespace: "net" };
    expect(classify(meta({ namespace: "net", name: "ts-op", dataKeys: host }), all).shape).toBe(
      "operator",
    );
    expect(classify(meta({ name: "operator", dataKeys: state }), all).shape).toBeNull();
  });
});

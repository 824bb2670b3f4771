/** The demo's cluster as it should be, and what the log of its proxies says of a bad night. */
import type { DemoObject } from "./objects.ts";
import type { DemoAuthority } from "./authority.ts";
import { COMPANY, GROUP, ingress, issuing, OPERATOR_NAMESPACE } from "./cluster.ts";
import {
  certManagerSecret,
  fqdnOf,
  groupSecrets,
  nodeSecret,
  type Place,
  pod,
  rfc3339,
  sharedSecret,
} from "./secrets.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** The pod of the ProxyGroup that requests its certificates. */
export const PROXY = `${GROUP}-0`;

const OPERATOR = "operator-5d8c7f9b6-x2v4k";
const POD_DAYS = 3;

/** Hosts of the ProxyGroup, their namespace, and the age of their certificate in days. */
const HOSTS = [
  ["admin", "shop", 12],
  ["argocd", "default", 26],
  ["billing", "shop", 34],
  ["ci", "default", 30],
  ["docs", "shop", 19],
  ["git", "default", 41],
  ["grafana", "monitoring", 9],
  ["orders", "shop", 21],
  ["reports", "shop", 15],
  ["status", "monitoring", 38],
  ["vault", "default", 28],
  ["wiki", "default", 45],
] as const;

export function healthyObjects(authority: DemoAuthority, nowMs: number): readonly DemoObject[] {
  const issue = issuing(authority, nowMs);
  const place = (name: string, days: number, namespace = OPERATOR_NAMESPACE): Place => ({
    namespace,
    name,
    createdMs: nowMs - days * DAY_MS,
  });
  const storefront = [`shop.${COMPANY}`, `www.${COMPANY}`, COMPANY];
  return [
    ...["kube-system", "default", OPERATOR_NAMESPACE, "shop", "monitoring"].map(
      (name): DemoObject => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } }),
    ),
    nodeSecret(place("operator", 210), "prod-operator", issue([fqdnOf("prod-operator")], 33)),
    pod(place(OPERATOR, POD_DAYS), { app: "operator" }, "operator", "operator"),
    { apiVersion: "tailscale.com/v1alpha1", kind: "ProxyGroup", metadata: { name: GROUP } },
    ...groupSecrets(place(PROXY, 90), GROUP),
    pod(
      place(PROXY, POD_DAYS),
      {
        "tailscale.com/managed": "true",
        "tailscale.com/parent-resource": GROUP,
        "tailscale.com/parent-resource-type": "proxygroup",
      },
      GROUP,
      "tailscale",
    ),
    ...HOSTS.flatMap(([host, namespace, days]) => {
      const of = place(fqdnOf(host), 60);
      return [
        ingress(host, namespace, of.createdMs, { "tailscale.com/proxy-group": GROUP }),
        sharedSecret(
          of,
          GROUP,
          { type: "ingress", name: host, namespace },
          issue([fqdnOf(host)], days),
        ),
      ];
    }),
    certManagerSecret(place("storefront-tls", 100, "shop"), issue(storefront, 9), storefront),
  ];
}

export function quietLogs(nowMs: number): readonly (readonly [string, number, string])[] {
  const atMs = nowMs - POD_DAYS * DAY_MS + 1_000;
  return [
    [OPERATOR, atMs, `{"level":"debug","ts":"${rfc3339(atMs)}","msg":"starting"}`],
    [PROXY, atMs, "boot: Starting tailscaled"],
  ];
}

/** The proxy's log: `host` is requested at each visit, can't be stored, and is refused at last. */
export function lossLog(host: string, nowMs: number): readonly (readonly [number, string])[] {
  const domain = fqdnOf(host);
  const line = (atMs: number, text: string): readonly [number, string] => {
    const stamp = new Date(atMs).toISOString().slice(0, 19).replaceAll("-", "/").replace("T", " ");
    return [atMs, `${stamp} cert("${domain}"): ${text}`];
  };
  const freeMs = nowMs - 18 * MINUTE_MS + 7 * DAY_MS;
  const free = new Date(freeMs).toISOString().slice(0, 19).replace("T", " ");
  return [
    ...[18, 15, 12, 9, 6].flatMap((minutes) => {
      const atMs = nowMs - minutes * MINUTE_MS;
      return [
        line(atMs, "requesting cert..."),
        line(atMs + 4_000, "got cert"),
        line(
          atMs + 4_100,
          "getCertPEM: error writing TLS cert and key to Secret: error getting Secret " +
            `${domain}: secrets "${domain}" not found`,
        ),
      ];
    }),
    line(
      nowMs - 3 * MINUTE_MS,
      "getCertPEM: 429 urn:ietf:params:acme:error:rateLimited: too many certificates (5) already " +
        "issued for this exact set of identifiers in the last 168h0m0s, retry after " +
        `${free} UTC: see https://letsencrypt.org/docs/rate-limits/`,
    ),
  ];
}

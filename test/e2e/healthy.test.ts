/**
 * Healthy clusters that look unusual, on a real kube-apiserver: audits and `certkeep explain` accuse
 * them of nothing.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createAuthority, issueAged, type Authority } from "../support/pki.ts";
import { DAY_MS, DOMAIN, HOUR_MS, type PairText, RBAC, World } from "./support/causeworld.ts";
import type { Kube } from "./support/kube.ts";
import type { KubeletStub } from "./support/kubelet.ts";
import { cert, HANDSHAKE, renewal, STAMP, write } from "./support/loglines.ts";
import { createSecrets } from "./support/objects.ts";
import { lacksTools } from "./support/tools.ts";

const base64 = (text: string): string => Buffer.from(text).toString("base64");

describe.skipIf(lacksTools("etcd", "kube-apiserver"))("a healthy cluster", () => {
  let authority: Authority;
  let world: World;
  let kube: Kube;
  let kubelet: KubeletStub;

  beforeAll(async () => {
    authority = createAuthority({ name: "E2E" });
    world = await new World(authority).init();
    kube = await world.cluster("prod", world.issue(2 * DAY_MS));
    const [cluster] = world.clusters;
    if (cluster === undefined) throw new Error("no cluster");
    ({ kubelet } = cluster);
  });
  afterAll(() => world.stop());

  /** A Secret in namespace shop, which nothing of Tailscale's writes. */
  const plain = (name: string, pair: PairText): Promise<number> =>
    createSecrets(kube, [
      {
        namespace: "shop",
        name,
        type: "kubernetes.io/tls",
        data: { "tls.crt": base64(pair.certificatePem), "tls.key": base64(pair.keyPem) },
      },
    ]);
  /** As the operator does for each domain. */
  const grant = async (account: string, secret: string): Promise<void> => {
    const metadata = { name: `may-write-${secret}` };
    const there = await kube.request("GET", `${RBAC}/roles/${metadata.name}`);
    if (there.status !== 404) return;
    await kube.demand("POST", `${RBAC}/roles`, {
      metadata,
      rules: [
        {
          apiGroups: [""],
          resources: ["secrets"],
          resourceNames: [secret],
          verbs: ["get", "patch", "update"],
        },
      ],
    });
    await kube.demand("POST", `${RBAC}/rolebindings`, {
      metadata,
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: metadata.name },
      subjects: [{ kind: "ServiceAccount", namespace: "tailscale", name: account }],
    });
  };
  const remove = (namespace: string, name: string): Promise<unknown> =>
    kube.demand("DELETE", `/api/v1/namespaces/${namespace}/secrets/${name}`);
  const issue = (names: readonly string[], agoMs: number, by = authority): PairText =>
    issueAged(by, names, Date.now(), agoMs);

  const quiet = async (lines: readonly string[] = []): Promise<void> => {
    await world.put(kube, world.issue(2 * DAY_MS));
    await world.pod(kube, kubelet, lines);
  };

  const HEALTHY: readonly (readonly [
    name: string,
    setUp: () => Promise<void>,
    verdict?: "unknown",
  ])[] = [
    ["a ProxyGroup that is scaled to zero", () => world.put(kube, world.issue(2 * DAY_MS))],
    [
      "clients that end their handshakes",
      () =>
        quiet([
          `${HANDSHAKE}EOF`,
          `${HANDSHAKE}remote error: tls: unknown certificate`,
          `${HANDSHAKE}500 Internal Server Error: context canceled`,
          `${HANDSHAKE}500 Internal Server Error: invalid domain "10.0.0.7"; must be one of ` +
            `["${DOMAIN}"]`,
        ]),
    ],
    [
      "an application that counts certificates and orders",
      () =>
        quiet([
          `${STAMP} shop: too many certificates in the chain`,
          `${STAMP} shop: too many new orders, the kitchen is closed`,
        ]),
    ],
    [
      "a renewal that failed once and succeeded an hour later",
      async () => {
        await world.put(kube, world.issue(HOUR_MS));
        await world.pod(kube, kubelet, [renewal("context deadline exceeded")], 3 * HOUR_MS);
      },
    ],
    [
      "a write that failed once and succeeded later",
      async () => {
        await world.put(kube, world.issue(HOUR_MS));
        await world.pod(kube, kubelet, [write("etcdserver: request timed out")], 3 * HOUR_MS);
      },
    ],
    [
      "a certificate that is copied on purpose",
      async () => {
        const pair = world.issue(2 * DAY_MS);
        await world.put(kube, pair);
        await world.put(kube, pair, { namespace: "shop", name: "shop-tls", shape: "tls" });
        await world.pod(kube, kubelet, []);
      },
    ],
    [
      "a renewal that was due",
      async () => {
        await world.put(kube, world.issue(62 * DAY_MS));
        await world.audit();
        await world.put(kube, world.issue(HOUR_MS));
        await world.pod(kube, kubelet, [cert("got cert")], HOUR_MS);
      },
    ],
    [
      "an immutable Secret that nothing renews",
      async () => {
        await quiet();
        const pair = issueAged(authority, ["www.example.com"], Date.now(), DAY_MS);
        await world.put(kube, pair, {
          namespace: "shop",
          name: "www",
          shape: "tls",
          immutable: true,
        });
      },
    ],
    [
      "Events that say nothing of certificates",
      async () => {
        await quiet();
        const now = new Date().toISOString().replace(/\.\d+Z$/, "Z");
        for (const [reason, type] of [
          ["BackOff", "Warning"],
          ["TailscaledStateUpdated", "Normal"],
        ] as const)
          await kube.demand("POST", "/api/v1/namespaces/tailscale/events", {
            metadata: { name: `pg-0.${reason.toLowerCase()}`, namespace: "tailscale" },
            involvedObject: { apiVersion: "v1", kind: "Pod", namespace: "tailscale", name: "pg-0" },
            ...{ type, reason, message: "x", count: 9, firstTimestamp: now, lastTimestamp: now },
          });
      },
    ],
    [
      "a Secret of the same certificate that was made again",
      async () => {
        const pair = world.issue(2 * DAY_MS);
        await world.put(kube, pair);
        await world.audit();
        await kube.demand("DELETE", `/api/v1/namespaces/tailscale/secrets/${DOMAIN}`);
        await world.put(kube, pair);
        await world.pod(kube, kubelet, []);
      },
    ],
    [
      "certificates of a company's own CA, expired ones too",
      async () => {
        await quiet();
        await plain("corp", issue(["intranet.corp.example"], DAY_MS, world.ownCa));
        await plain("corp-old", issue(["old.corp.example"], 100 * DAY_MS, world.ownCa));
      },
    ],
    [
      "a bundle of CAs, and an application's password",
      async () => {
        await quiet();
        await createSecrets(kube, [
          { namespace: "shop", name: "ca", data: { "ca.crt": base64(authority.root.pem) } },
          { namespace: "shop", name: "app", stringData: { password: "x", "app.key": "y" } },
        ]);
      },
    ],
    [
      "a wildcard beside the name that it covers",
      async () => {
        await quiet();
        await plain("wildcard", issue(["*.example.com"], DAY_MS));
        await plain("www", issue(["www.example.com"], 2 * DAY_MS));
      },
    ],
    [
      "a certificate of cert-manager's staging issuer, issued again and again",
      async () => {
        await quiet();
        for (const hours of [3, 2, 1]) {
          const pair = world.issueStaging(hours * HOUR_MS);
          await world.put(kube, pair, { namespace: "shop", name: "staging", shape: "tls" });
          await world.audit();
        }
      },
    ],
    [
      "a Secret that was created a moment ago and is empty yet",
      async () => {
        await quiet();
        await grant("pg", "new.tail1a2b3.ts.net");
        await createSecrets(kube, [
          {
            namespace: "tailscale",
            name: "new.tail1a2b3.ts.net",
            type: "kubernetes.io/tls",
            labels: {
              "tailscale.com/managed": "true",
              "tailscale.com/secret-type": "certs",
              "tailscale.com/proxy-group": "pg",
              "tailscale.com/domain": "new.tail1a2b3.ts.net",
            },
            data: { "tls.crt": "", "tls.key": "" },
          },
        ]);
      },
    ],
    [
      "wide permissions in place of the domain's Role",
      async () => {
        await quiet();
        await kube.demand("DELETE", `${RBAC}/rolebindings/${DOMAIN}`);
        const rbac = "/apis/rbac.authorization.k8s.io/v1";
        await kube.demand("POST", `${rbac}/clusterroles`, {
          metadata: { name: "wide" },
          rules: [{ apiGroups: ["*"], resources: ["*"], verbs: ["*"] }],
        });
        await kube.demand("POST", `${rbac}/clusterrolebindings`, {
          metadata: { name: "wide" },
          roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "wide" },
          subjects: [{ kind: "ServiceAccount", namespace: "tailscale", name: "pg" }],
        });
      },
    ],
    [
      "a node that was renamed and serves its new name",
      async () => {
        await quiet();
        await grant("operator", "operator");
        const data = Object.fromEntries(
          (
            [
              ["old.tail1a2b3.ts.net", 95 * DAY_MS],
              ["new.tail1a2b3.ts.net", DAY_MS],
            ] as const
          ).flatMap(([name, agoMs]) => {
            const pair = issue([name], agoMs);
            return [
              [`${name}.crt`, base64(pair.certificatePem)],
              [`${name}.key`, base64(pair.keyPem)],
            ];
          }),
        );
        await createSecrets(kube, [{ namespace: "tailscale", name: "operator", data }]);
      },
    ],
    [
      "pods that restarted",
      async () => {
        await quiet([cert("got cert")]);
        await world.audit();
        await kube.demand("DELETE", "/api/v1/namespaces/tailscale/pods/pg-0?gracePeriodSeconds=0");
        await world.pod(kube, kubelet, []);
      },
      // What the pod before it logged last is gone.
      "unknown",
    ],
    [
      "a name that two CAs issue for, each into its own Secret",
      async () => {
        await quiet();
        await plain("public", issue(["www.example.com"], DAY_MS));
        await plain("inner", issue(["www.example.com"], DAY_MS, world.ownCa));
      },
    ],
    [
      "a Secret that was renamed, and an expired one that was removed",
      async () => {
        const pair = issue(["www.example.com"], DAY_MS);
        await quiet();
        await plain("www", pair);
        await plain("expired", issue(["old.example.com"], 100 * DAY_MS));
        await world.audit();
        await plain("www-2", pair);
        await remove("shop", "www");
        await remove("shop", "expired");
        await world.audit();
      },
    ],
    [
      "a refusal whose time has passed",
      async () => {
        await world.put(kube, world.issue(HOUR_MS));
        await world.pod(
          kube,
          kubelet,
          [
            renewal(
              "429 urn:ietf:params:acme:error:rateLimited: too many certificates (5) already " +
                "issued for this exact set of identifiers in the last 168h0m0s, retry after " +
                "2026-01-02 03:04:05 UTC: see https://letsencrypt.org/docs/rate-limits/",
            ),
          ],
          3 * HOUR_MS,
        );
      },
    ],
    [
      "renewal times that can't be asked for",
      () => quiet([`${STAMP} acme: ARI check failed: Get "https://acme.example": EOF`]),
    ],
  ];

  it.each(HEALTHY.map(([name, setUp, verdict = "none"]) => ({ name, setUp, verdict })))(
    "isn't accused: $name",
    async ({ setUp, verdict }) => {
      await world.empty(kube);
      await setUp();
      const { stdout } = await world.run(["audit", "--json"]);
      const { clusters } = JSON.parse(stdout) as {
        clusters: { findings: { code: string; severity: string }[] }[];
      };
      const accused = clusters.flatMap(({ findings }) => findings);
      expect(accused.filter(({ severity }) => severity !== "info")).toEqual([]);
      const { document } = await world.explain();
      const verdicts = new Set(document.diagnoses.map((one) => one.verdict));
      expect([...verdicts]).toEqual([verdict]);
    },
  );
});

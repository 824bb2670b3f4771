/**
 * What a log says, on a real kube-apiserver: each kind of line is the cause that `certkeep explain`
 * names, with the line as its evidence; and ten healthy clusters that look unusual are accused of
 * nothing.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createAuthority, issueAged, type Authority } from "../support/pki.ts";
import { DAY_MS, DOMAIN, HOUR_MS, World } from "./support/causeworld.ts";
import type { Kube } from "./support/kube.ts";
import type { KubeletStub } from "./support/kubelet.ts";
import { createSecrets } from "./support/objects.ts";
import { lacksTools } from "./support/tools.ts";

const stamp = "2026/11/23 14:34:50";
const cert = (text: string, domain = DOMAIN): string => `${stamp} cert("${domain}"): ${text}`;
const failed = (text: string): string => cert(`getCertPEM: ${text}`);
const renewal = (text: string): string => cert(`async renewal failed: getCertPem: ${text}`);
const write = (text: string): string =>
  failed(`error writing TLS cert and key to Secret: error patching Secret ${DOMAIN}: ${text}`);
const urn = (type: string): string => `urn:ietf:params:acme:error:${type}`;
const ACME = "https://acme-v02.api.letsencrypt.org";
const SET_429 =
  `429 ${urn("rateLimited")}: too many certificates (5) already issued for this exact set of ` +
  "identifiers in the last 168h0m0s, retry after 2099-01-02 03:04:05 UTC: see " +
  "https://letsencrypt.org/docs/rate-limits/";
const HANDSHAKE = `${stamp} http: TLS handshake error from 100.64.1.2:50001: `;

/** A reissue that was needless, with such a line an hour before it. */
const REISSUED: readonly (readonly [line: string, cause: string])[] = [
  [write(`secrets "${DOMAIN}" not found`), "storage"],
  [write(`secrets "${DOMAIN}" is forbidden: User "x" cannot patch resource "secrets"`), "storage"],
  [write("etcdserver: request timed out"), "storage"],
  [write("Operation cannot be fulfilled: the object has been modified"), "storage"],
  [
    write(
      'Get "https://kubernetes.default.svc/api": dial tcp: lookup ' +
        "kubernetes.default.svc: no such host",
    ),
    "dns",
  ],
];

/** An overdue certificate, with such a line. */
const OVERDUE: readonly (readonly [line: string, cause: string])[] = [
  [renewal(SET_429), "rate_limited"],
  [`${HANDSHAKE}500 Internal Server Error: ${SET_429}`, "rate_limited"],
  [
    renewal(
      `429 ${urn("rateLimited")}: too many new orders (300) from this account in the last 3h`,
    ),
    "rate_limited",
  ],
  [
    failed(
      `429 ${urn("rateLimited")}: Your account is temporarily prevented from requesting ` +
        "certificates for x",
    ),
    "rate_limited",
  ],
  [
    renewal(`403 ${urn("unauthorized")}: Account is not valid, has status "deactivated"`),
    "account_rejected",
  ],
  [failed(`400 ${urn("accountDoesNotExist")}: Account "x" not found`), "account_rejected"],
  [renewal(`Post "${ACME}/new-order": dial tcp 172.65.32.248:443: connection refused`), "network"],
  [renewal(`Get "${ACME}/directory": dial tcp 1.1.1.1:443: i/o timeout`), "network"],
  [renewal(`Get "${ACME}/directory": net/http: TLS handshake timeout`), "network"],
  [renewal("context deadline exceeded"), "network"],
  [
    renewal(`Get "${ACME}/directory": x509: certificate signed by unknown authority`),
    "server_untrusted",
  ],
  [renewal(`503 ${urn("rateLimited")}: Service busy; retry later.`), "order_failed"],
  [renewal(`500 ${urn("serverInternal")}: try again`), "order_failed"],
  [`${HANDSHAKE}500 Internal Server Error: something that nobody has seen`, "order_failed"],
  [
    renewal(
      `403 ${urn("unauthorized")}: requester account did not request the certificate being ` +
        "replaced by this order",
    ),
    "account_key_lost",
  ],
  [
    renewal(
      `409 ${urn("alreadyReplaced")}: certificate with serial 32 already has a replacement order`,
    ),
    "already_replaced",
  ],
  [renewal(`Get "${ACME}/directory": lookup acme-v02.api.letsencrypt.org: no such host`), "dns"],
  [
    failed(`400 ${urn("dns")}: DNS problem: NXDOMAIN looking up TXT for _acme-challenge.${DOMAIN}`),
    "dns",
  ],
  [`${HANDSHAKE}500 Internal Server Error: SetDNS "_acme-challenge.${DOMAIN}" => "x": no`, "dns"],
  [
    `${HANDSHAKE}500 Internal Server Error: your Tailscale account does not support getting TLS ` +
      "certs",
    "dns",
  ],
  [
    `${HANDSHAKE}500 Internal Server Error: invalid domain "${DOMAIN}"; must be one of ` +
      '["x.tail1a2b3.ts.net"]',
    "dns",
  ],
];

describe.skipIf(lacksTools("etcd", "kube-apiserver"))("what logs say", () => {
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

  const explained = async (): ReturnType<World["explain"]> => {
    await world.audit();
    return world.explain();
  };

  it.each(REISSUED)("before a reissue: %s", async (line, cause) => {
    await world.empty(kube);
    await world.put(kube, world.issue(2 * DAY_MS));
    await world.audit();
    await world.put(kube, world.issue(HOUR_MS));
    await world.pod(kube, kubelet, [cert("got cert"), line], 2 * HOUR_MS);
    const { document, text } = await explained();
    const [found] = document.diagnoses[0]?.causes ?? [];
    expect(found).toMatchObject({ code: cause, confidence: "proven", explainsReissue: true });
    expect(found?.evidence[0]?.text).toContain(line.slice(stamp.length + 1, stamp.length + 60));
    expect(text).not.toContain("Cause unknown");
  });

  it("after a reissue: it is no cause of it", async () => {
    await world.empty(kube);
    await world.put(kube, world.issue(2 * DAY_MS));
    await world.audit();
    await world.put(kube, world.issue(HOUR_MS));
    await world.pod(kube, kubelet, [renewal(`Get "${ACME}": connection refused`)]);
    const { document, text } = await explained();
    expect(document.diagnoses[0]?.causes).toMatchObject([
      { code: "network", explainsReissue: false },
    ]);
    expect(text).toContain("No cause was seen before it");
    const reissued = document.findings.find(({ code }) => code === "reissued_without_need");
    expect(reissued?.why).toBe("No cause was seen before it.");
  });

  it.each(OVERDUE)("of an overdue certificate: %s", async (line, cause) => {
    await world.empty(kube);
    await world.put(kube, world.issue(70 * DAY_MS));
    await world.pod(kube, kubelet, [line]);
    const { document, text } = await explained();
    const [found] = document.diagnoses[0]?.causes ?? [];
    expect(found?.code).toBe(cause);
    expect(found?.evidence[0]?.text).toContain(line.slice(stamp.length + 1, stamp.length + 60));
    expect(document.findings.find(({ code }) => code === "renewal_overdue")?.why).toMatch(
      /^(?:Because|Most likely because) /,
    );
    expect(text).not.toContain("Cause unknown");
  });

  it("an account without a pod is reported once, and is no reason of what expires", async () => {
    await world.empty(kube);
    await createSecrets(
      kube,
      Array.from({ length: 12 }, (_, i) => {
        const name = `s${i}.tail1a2b3.ts.net`;
        const { certificatePem, keyPem } = issueAged(authority, [name], Date.now(), 80 * DAY_MS);
        return {
          namespace: "tailscale",
          name,
          type: "kubernetes.io/tls",
          labels: {
            "tailscale.com/managed": "true",
            "tailscale.com/secret-type": "certs",
            "tailscale.com/proxy-group": "absent",
            "tailscale.com/domain": name,
          },
          data: {
            "tls.crt": Buffer.from(certificatePem).toString("base64"),
            "tls.key": Buffer.from(keyPem).toString("base64"),
          },
        };
      }),
    );
    const { stdout } = await world.run(["audit", "--json"]);
    const [cluster] = (
      JSON.parse(stdout) as {
        clusters: { findings: { code: string; severity: string; why: string | null }[] }[];
      }
    ).clusters;
    const denied = cluster?.findings.filter(({ code }) => code === "storage_forbidden");
    expect(denied?.map(({ severity }) => severity)).toEqual(["warning"]);
    const late = cluster?.findings.filter(({ code }) => code === "renewal_overdue") ?? [];
    expect(late.map(({ why }) => why)).toEqual(Array.from({ length: 12 }, () => null));
  });

  const quiet = async (lines: readonly string[] = []): Promise<void> => {
    await world.put(kube, world.issue(2 * DAY_MS));
    await world.pod(kube, kubelet, lines);
  };
  const HEALTHY: readonly (readonly [string, () => Promise<void>])[] = [
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
          `${stamp} shop: too many certificates in the chain`,
          `${stamp} shop: too many new orders, the kitchen is closed`,
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
  ];

  it.each(HEALTHY)("accuses nothing of %s", async (_, setUp) => {
    await world.empty(kube);
    await setUp();
    const { stdout } = await world.run(["audit", "--json"]);
    const { clusters } = JSON.parse(stdout) as {
      clusters: { findings: { code: string; severity: string }[] }[];
    };
    const accused = clusters.flatMap(({ findings }) => findings);
    expect(accused.filter(({ severity }) => severity !== "info")).toEqual([]);
    const { document } = await world.explain();
    expect(document.diagnoses.map(({ verdict }) => verdict)).toEqual(["none"]);
  });
});

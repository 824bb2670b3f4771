/**
 * What a log says, on a real kube-apiserver: each kind of line is the cause that `certkeep explain`
 * names, with the line as its evidence; and what is no cause isn't named as one.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createAuthority, issueAged, type Authority } from "../support/pki.ts";
import { DAY_MS, DOMAIN, HOUR_MS, World } from "./support/causeworld.ts";
import type { Kube } from "./support/kube.ts";
import type { KubeletStub } from "./support/kubelet.ts";
import { cert, failed, HANDSHAKE, renewal, STAMP, write } from "./support/loglines.ts";
import { createSecrets } from "./support/objects.ts";
import { lacksTools } from "./support/tools.ts";

const urn = (type: string): string => `urn:ietf:params:acme:error:${type}`;
const ACME = "https://acme-v02.api.letsencrypt.org";
const SET_429 =
  `429 ${urn("rateLimited")}: too many certificates (5) already issued for this exact set of ` +
  "identifiers in the last 168h0m0s, retry after 2099-01-02 03:04:05 UTC: see " +
  "https://letsencrypt.org/docs/rate-limits/";

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
  [write('admission webhook "policy.example.com" denied the request: no'), "storage"],
  [
    write("Secret is immutable: data: Forbidden: field is immutable when `immutable` is set"),
    "storage",
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
  [renewal(`Get "${ACME}/directory": dial tcp 1.1.1.1:443: network is unreachable`), "network"],
  [renewal(`Get "${ACME}/directory": proxyconnect tcp: EOF`), "network"],
  [renewal(`Get "${ACME}/directory": x509: certificate has expired`), "server_untrusted"],
  [`${HANDSHAKE}500 Internal Server Error: dial tcp 1.1.1.1:443: connection refused`, "network"],
  [`${STAMP} cert refresh: ${DOMAIN}: ${SET_429}`, "rate_limited"],
  [
    `${STAMP} Error refreshing certificate for ${DOMAIN} (retry 3): Get "${ACME}/directory": ` +
      "x509: certificate signed by unknown authority. Will retry in 8s",
    "server_untrusted",
  ],
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
    renewal(
      `Get "${ACME}/directory": dial tcp: lookup acme-v02.api.letsencrypt.org on 10.96.0.10:53: ` +
        "server misbehaving",
    ),
    "dns",
  ],
  [failed(`SetDNS "_acme-challenge.${DOMAIN}" => "x": 403 Forbidden`), "dns"],
  [failed(`403 ${urn("caa")}: CAA record for ${DOMAIN} prevents issuance`), "dns"],
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
    expect(found?.evidence[0]?.text).toContain(line.slice(STAMP.length + 1, STAMP.length + 60));
    expect(text).not.toContain("Cause unknown");
  });

  it("before a reissue: a handshake's line, which names nobody, is likely", async () => {
    const line =
      `${HANDSHAKE}500 Internal Server Error: error writing TLS cert and key to Secret: ` +
      `error getting Secret ${DOMAIN}: secrets "${DOMAIN}" not found`;
    await world.empty(kube);
    await world.put(kube, world.issue(2 * DAY_MS));
    await world.audit();
    await world.put(kube, world.issue(HOUR_MS));
    await world.pod(kube, kubelet, [line], 2 * HOUR_MS);
    const { document } = await explained();
    const [found] = document.diagnoses[0]?.causes ?? [];
    expect(found).toMatchObject({ code: "storage", confidence: "likely", explainsReissue: true });
    expect(found?.evidence[0]?.text).toContain("error writing TLS cert and key to Secret");
  });

  it("before a reissue: a read that timed out requests nothing, and explains it no more than perhaps", async () => {
    await world.empty(kube);
    await world.put(kube, world.issue(2 * DAY_MS));
    await world.audit();
    await world.put(kube, world.issue(HOUR_MS));
    const line = failed(`getting TLS Secret "${DOMAIN}": etcdserver: request timed out`);
    await world.pod(kube, kubelet, [line], 2 * HOUR_MS);
    const { causes } = await explained();
    expect(causes).toEqual(["storage possible over"]);
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
    expect(found?.evidence[0]?.text).toContain(line.slice(STAMP.length + 1, STAMP.length + 60));
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

  it.each([
    [
      "a domain's rate limit, which stops new names alone",
      cert(
        `getCertPEM: 429 ${urn("rateLimited")}: too many certificates (50) already issued for ` +
          '"tail1a2b3.ts.net" in the last 168h0m0s, retry after 2099-01-02 03:04:05 UTC',
        "new.tail1a2b3.ts.net",
      ),
      null,
    ],
    ["a client that went away", `${HANDSHAKE}500 Internal Server Error: context canceled`, null],
    ["a question for a renewal time that failed", `${STAMP} acme: ARI check failed: EOF`, null],
    ["another program's limit", `${STAMP} shop: 429 too many certificates in the cart`, null],
  ])("an overdue certificate isn't explained by %s", async (_, line, cause) => {
    await world.empty(kube);
    await world.put(kube, world.issue(70 * DAY_MS));
    await world.pod(kube, kubelet, [line]);
    const { document } = await explained();
    const found = document.diagnoses.flatMap(({ causes }) => causes);
    expect(found.filter(({ code, over }) => code !== cause && over === null)).toEqual([]);
    expect(document.findings.find(({ code }) => code === "renewal_overdue")?.why ?? "").not.toMatch(
      /Because|Most likely because/,
    );
  });

  it("pods that are made again often are no reason of what has expired", async () => {
    await world.empty(kube);
    await world.put(kube, world.issue(91 * DAY_MS));
    await world.audit();
    for (let n = 0; n < 6; n += 1) {
      const name = `ts-app-${n}x-0`;
      await world.put(kube, world.issue(HOUR_MS, `app-${n}.tail1a2b3.ts.net`), { name });
      await world.audit();
    }
    const { document, causes } = await explained();
    expect(causes.filter((one) => one.startsWith("pod_churn"))).toEqual([]);
    expect(document.findings.find(({ code }) => code === "expired")?.why ?? "").not.toMatch(
      /pods|ephemeral|recreated/,
    );
  });

  it("one Secret that alone holds the names is no race", async () => {
    await world.empty(kube);
    await world.put(kube, world.issue(HOUR_MS));
    await world.pod(kube, kubelet, [], 2 * HOUR_MS);
    await world.audit();
    await world.put(kube, world.issue(HOUR_MS - 60_000));
    const { causes } = await explained();
    expect(causes.filter((one) => one.startsWith("race"))).toEqual([]);
  });
});

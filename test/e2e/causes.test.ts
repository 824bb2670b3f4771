/**
 * Why certificates are reissued, on a real kube-apiserver: for each cause a cluster in which it
 * holds, one in which none does, and one in which two do; `certkeep explain` names it from what
 * `certkeep audit` was told, with the rights of a registration and no others. RBAC, access reviews,
 * Events and immutability are the server's own; a pod's log is served by a stub of its kubelet.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createAuthority, type Authority } from "../support/pki.ts";
import { DAY_MS, DOMAIN, HOUR_MS, RBAC, World } from "./support/causeworld.ts";
import type { Kube } from "./support/kube.ts";
import { cert } from "./support/loglines.ts";
import { lacksTools } from "./support/tools.ts";

const ORDER = [
  cert("acme: using dns-01: Funnel is not enabled for x:443"),
  cert("requesting cert..."),
];
const LOST = [
  ...ORDER,
  cert("got cert"),
  cert(
    `getCertPEM: error writing TLS cert and key to Secret: error getting Secret ${DOMAIN}: ` +
      `secrets "${DOMAIN}" not found`,
  ),
];

describe.skipIf(lacksTools("etcd", "kube-apiserver"))("why certificates are reissued", () => {
  let authority: Authority;
  const worlds: World[] = [];
  const world = async (): Promise<World> => {
    const one = await new World(authority).init();
    worlds.push(one);
    return one;
  };
  /**
   * One cluster whose certificate was issued again an hour ago, though that of two days ago was
   * good.
   */
  const reissued = async (
    parts?: string,
  ): Promise<{ readonly world: World; readonly kube: Kube }> => {
    const one = await world();
    const kube = await one.cluster("prod", one.issue(2 * DAY_MS), parts);
    await one.audit();
    await one.put(kube, one.issue(HOUR_MS));
    return { world: one, kube };
  };

  beforeAll(() => {
    authority = createAuthority({ name: "E2E" });
  });
  afterAll(async () => {
    await Promise.all(worlds.map((one) => one.stop()));
  });

  it("names none where none holds, and says so", async () => {
    const one = await world();
    await one.cluster("prod", one.issue(2 * DAY_MS));
    expect(await one.audit()).toEqual([]);
    const { document, text } = await one.explain();
    expect(document.diagnoses).toMatchObject([
      { verdict: "none", causes: [], missing: [], needless: [] },
    ]);
    expect(text).toContain("Why No needless reissue was seen, and nothing that would lead to one.");
  });

  it("storage: the owner's RoleBinding is gone", async () => {
    const { world: one, kube } = await reissued();
    await kube.demand("DELETE", `${RBAC}/rolebindings/${DOMAIN}`);
    expect(await one.audit()).toEqual(["reissued_without_need", "storage_forbidden"]);
    const { document, text, causes } = await one.explain();
    expect(causes).toEqual(["storage proven"]);
    expect(document.diagnoses[0]?.causes[0]?.evidence[0]).toMatchObject({
      source: "access",
      text: expect.stringContaining(
        "system:serviceaccount:tailscale:pg isn't allowed to get or patch it",
      ),
    });
    expect(text).toContain(`kubectl get rolebinding ${DOMAIN} -n tailscale -o yaml`);
    expect(document.findings.find(({ code }) => code === "reissued_without_need")?.why).toMatch(
      /^Because the Secret can't be written \(denied since /,
    );
  });

  it("storage: the Secret is immutable", async () => {
    const { world: one, kube } = await reissued();
    await one.put(kube, one.issue(HOUR_MS), { immutable: true });
    expect(await one.audit()).toEqual(expect.arrayContaining(["storage_immutable"]));
    const { causes, text } = await one.explain();
    expect(causes[0]).toBe("storage proven");
    expect(text).toContain(`certkeep restore prod ${DOMAIN} --replace`);
  });

  it("storage: Events of the state store, which are no more than likely", async () => {
    const { world: one, kube } = await reissued();
    const now = new Date().toISOString().replace(/\.\d+Z$/, "Z");
    await kube.demand("POST", "/api/v1/namespaces/tailscale/events", {
      metadata: { name: "pg-0.17a", namespace: "tailscale" },
      involvedObject: { apiVersion: "v1", kind: "Pod", namespace: "tailscale", name: "pg-0" },
      type: "Warning",
      reason: "TailscaleStateUpdateFailed",
      message: "secrets not found",
      count: 7,
      firstTimestamp: now,
      lastTimestamp: now,
      source: { component: "tailscale-state-store" },
    });
    expect(await one.audit()).toEqual(["reissued_without_need", "storage_failing"]);
    const { causes, text } = await one.explain();
    expect(causes).toEqual(["storage likely"]);
    expect(text).toContain("the message is that of the first time: secrets not found");
  });

  it("storage: issued and lost, as the log says", async () => {
    const { world: one } = await reissued();
    await one.log("prod", [...LOST, ...LOST]);
    expect(await one.audit()).toEqual(expect.arrayContaining(["issued_not_stored"]));
    const { document, causes, text } = await one.explain();
    expect(causes).toEqual(["storage proven"]);
    expect(document.diagnoses[0]?.causes[0]?.evidence[0]?.text).toContain(
      "error writing TLS cert and key to Secret",
    );
    expect(document.diagnoses[0]?.needless.length).toBe(3);
    expect(text).toContain("what is issued can't be stored: the Secret is missing (twice, last at");
  });

  it("DNS: the resolver, as the log says", async () => {
    const { world: one } = await reissued();
    await one.log("prod", [
      cert(
        'getCertPEM: Get "https://acme-v02.api.letsencrypt.org/directory": dial tcp: lookup ' +
          "acme-v02.api.letsencrypt.org on 10.96.0.10:53: no such host",
      ),
    ]);
    expect(await one.audit()).toEqual(["dns_failing", "reissued_without_need"]);
    const { causes, text } = await one.explain();
    expect(causes).toEqual(["dns proven"]);
    expect(text).toContain("because a name can't be looked up");
  });

  it("validation: a key that didn't fit before the reissue", async () => {
    const one = await world();
    const kube = await one.cluster("prod", one.issue(2 * DAY_MS));
    await one.audit();
    await one.put(kube, {
      certificatePem: one.issue(2 * DAY_MS).certificatePem,
      keyPem: one.issue(2 * DAY_MS).keyPem,
    });
    expect(await one.audit()).toEqual(["certificate_invalid"]);
    expect((await one.explain()).causes).toEqual(["validation_fails proven"]);
    // Its controller throws it away and stores another.
    await one.put(kube, one.issue(60_000));
    expect(await one.audit()).toEqual(["reissued_without_need"]);
    const { causes, text } = await one.explain();
    expect(causes).toEqual(["validation_fails proven over"]);
    expect(text).toContain(
      "what was stored was rejected (the private key doesn't match the certificate)",
    );
  });

  it("validation: a byte order mark that hides the leaf is named", async () => {
    const one = await world();
    const pair = one.issue(2 * DAY_MS);
    await one.cluster("prod", { ...pair, certificatePem: `\ufeff${pair.certificatePem}` });
    expect(await one.audit()).toEqual(["certificate_invalid"]);
    expect((await one.explain()).text.replaceAll(/\s+/g, " ")).toContain(
      "a byte order mark (BOM) hides PEM block 1",
    );
  });

  it("race: the same set in two namespaces and in two clusters", async () => {
    const one = await world();
    const [first, second, third] = [
      one.issue(HOUR_MS),
      one.issue(HOUR_MS - 60_000),
      one.issue(HOUR_MS - 120_000),
    ];
    const kube = await one.cluster("prod", first);
    await one.put(kube, second, { namespace: "shop", name: "shop-tls", shape: "tls" });
    await one.audit();
    expect((await one.explain()).causes).toEqual(["race proven"]);
    await one.cluster("dr", third);
    expect(new Set(await one.audit())).toEqual(
      new Set(["concurrent_issuance", "reissued_without_need", "set_budget_low", "shared_set"]),
    );
    const { document, text, causes } = await one.explain();
    expect(document.diagnoses.map(({ cluster }) => cluster).toSorted()).toEqual(["dr", "prod"]);
    expect(causes).toEqual(["race proven", "race proven"]);
    for (const holder of [
      `dr tailscale/${DOMAIN}`,
      `prod tailscale/${DOMAIN}`,
      "prod shop/shop-tls",
    ])
      expect(text).toContain(holder);
  });

  it("two at once: the RoleBinding is gone, and the resolver fails", async () => {
    const { world: one, kube } = await reissued();
    await kube.demand("DELETE", `${RBAC}/rolebindings/${DOMAIN}`);
    await one.log("prod", [cert("getCertPEM: lookup acme-v02.api.letsencrypt.org: no such host")]);
    await one.audit();
    expect((await one.explain()).causes).toEqual(["storage proven", "dns proven"]);
  });

  it("doesn't know where it may not look, and offers the command that lets it", async () => {
    const { world: one } = await reissued("secrets,parents");
    await one.audit();
    const { document, text } = await one.explain();
    expect(document.diagnoses).toMatchObject([{ verdict: "unknown", causes: [] }]);
    expect(text).toMatch(/Cause unknown: logs (?:denied since|not enabled)/);
    expect(text).toContain(
      "certkeep clusters add prod --parts secrets --parts parents --parts diagnosis",
    );
  });
});

/** Secrets that are missing while their parent stands: lost, unless it wants others by now. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { base64, ingressSecret, startWorld, type World } from "../support/world.ts";

let world: World;
beforeEach(async () => {
  world = await startWorld();
});
afterEach(() => world.stop());

const DOMAIN = "shop.tail1a2b3.ts.net";

async function findings(): Promise<readonly string[]> {
  const report = await world.audit();
  return report.clusters[0]?.findings.map(({ code, severity }) => `${code} ${severity}`) ?? [];
}

function putIngress(hosts: readonly string[], published: readonly string[] = []): void {
  world.sandbox.put([
    {
      apiVersion: "networking.k8s.io/v1",
      kind: "Ingress",
      metadata: { name: "shop", namespace: "shop" },
      spec: { tls: hosts.length === 0 ? [] : [{ hosts }] },
      status: { loadBalancer: { ingress: published.map((hostname) => ({ hostname })) } },
    },
  ]);
}

const LOST = ["secret_lost critical"];
const REPLACED = ["secret_removed info"];

it.each<readonly [string, readonly string[], readonly string[], readonly string[]]>([
  ["names the same host", ["shop"], [], LOST],
  ["names the same host in full", [DOMAIN], [], LOST],
  ["publishes the same name", ["shop"], [DOMAIN], LOST],
  ["names no host", [], [], LOST],
  ["names another host", ["store"], [], REPLACED],
  ["publishes another name", ["shop"], ["store.tail1a2b3.ts.net"], REPLACED],
  ["is in a renamed tailnet", ["shop"], ["shop.tail9z8y7.ts.net"], REPLACED],
])("of an Ingress that %s", async (_, hosts, published, expected) => {
  putIngress(["shop"], [DOMAIN]);
  world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
  await world.audit();
  world.sandbox.remove("tailscale", DOMAIN);
  putIngress(hosts, published);
  expect(await findings()).toEqual(expected);
  expect(await findings()).toEqual(expected);
});

it.each<readonly [string, object, readonly string[]]>([
  ["wants the same", { secretName: "web-tls", dnsNames: ["web.example.com"] }, LOST],
  ["says nothing", {}, LOST],
  ["stores into another", { secretName: "web2", dnsNames: ["web.example.com"] }, REPLACED],
  ["wants other names", { secretName: "web-tls", dnsNames: ["www.example.com"] }, REPLACED],
])("of a Certificate that %s", async (_, spec, expected) => {
  const pair = world.issue(["web.example.com"]);
  const certificate = (of: object) => ({
    apiVersion: "cert-manager.io/v1",
    kind: "Certificate",
    metadata: { name: "web", namespace: "shop" },
    spec: of,
  });
  world.sandbox.put([certificate({ secretName: "web-tls" })]);
  world.put({
    metadata: {
      name: "web-tls",
      namespace: "shop",
      annotations: { "cert-manager.io/certificate-name": "web" },
    },
    type: "kubernetes.io/tls",
    data: { "tls.crt": base64(pair.certificatePem), "tls.key": base64(pair.keyPem) },
  });
  await world.audit();
  world.sandbox.remove("shop", "web-tls");
  world.sandbox.put([certificate(spec)]);
  expect(await findings()).toEqual(expected);
});

it("of a whole renamed tailnet, which is no incident", async () => {
  const hosts = ["a", "b", "c", "d", "e", "f"];
  const put = (tailnet: string) =>
    world.sandbox.put(
      hosts.map((host) => ({
        apiVersion: "networking.k8s.io/v1",
        kind: "Ingress",
        metadata: { name: host, namespace: "shop" },
        spec: { tls: [{ hosts: [host] }] },
        status: { loadBalancer: { ingress: [{ hostname: `${host}.${tailnet}.ts.net` }] } },
      })),
    );
  put("tail1a2b3");
  for (const host of hosts) {
    const domain = `${host}.tail1a2b3.ts.net`;
    world.put(ingressSecret(domain, world.issue([domain])));
  }
  await world.audit();
  put("tail9z8y7");
  for (const host of hosts) world.sandbox.remove("tailscale", `${host}.tail1a2b3.ts.net`);
  expect(await findings()).toEqual(hosts.map(() => "secret_removed info"));
});

/** Secrets that an audit finds empty: since when, and whether they held a certificate before. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { DAY_MS, ingressSecret, startWorld, type World } from "../support/world.ts";

let world: World;
beforeEach(async () => {
  world = await startWorld();
});
afterEach(() => world.stop());

const HOUR_MS = 3_600_000;
const DOMAIN = "app.tail1a2b3.ts.net";

function put(annotations: Readonly<Record<string, string>>, createdMs: number): void {
  const { metadata, ...rest } = ingressSecret(DOMAIN, null);
  const creationTimestamp = new Date(createdMs).toISOString();
  world.put({ ...rest, metadata: { ...metadata, annotations, creationTimestamp } });
}

/** As cert-manager makes it: called by no name of its own. */
function putManaged(annotations: Readonly<Record<string, string>>): void {
  world.put({
    metadata: {
      name: "web-tls",
      namespace: "shop",
      annotations: { "cert-manager.io/certificate-name": "web", ...annotations },
    },
    type: "kubernetes.io/tls",
    data: { "tls.crt": "", "tls.key": "" },
  });
}

async function findings(): Promise<readonly string[]> {
  const report = await world.audit();
  return report.clusters[0]?.findings.map(({ code, severity }) => `${code} ${severity}`) ?? [];
}

it.each([
  [0, "info"],
  [2 * HOUR_MS, "warning"],
  [3 * DAY_MS, "critical"],
])("are pending since they were created, %s ms ago", async (ageMs, severity) => {
  put({}, world.nowMs - ageMs);
  expect(await findings()).toEqual([`certificate_pending ${severity}`]);
});

it("are pending since now where their creation lies ahead", async () => {
  put({}, world.nowMs + DAY_MS);
  expect(await findings()).toEqual(["certificate_pending info"]);
});

it("get worse from audit to audit, and are never lost", async () => {
  put({}, world.nowMs);
  expect(await findings()).toEqual(["certificate_pending info"]);
  world.nowMs += 2 * HOUR_MS;
  expect(await findings()).toEqual(["certificate_pending warning"]);
  world.nowMs += DAY_MS;
  expect(await findings()).toEqual(["certificate_pending critical"]);
  world.sandbox.remove("tailscale", DOMAIN);
  expect(await findings()).toEqual([]);
});

it.each([
  ["alternative names", { "cert-manager.io/alt-names": "shop.example.com,www.example.com" }],
  ["a common name", { "cert-manager.io/common-name": "shop.example.com" }],
])("lost a certificate where cert-manager noted %s", async (_, annotations) => {
  putManaged(annotations);
  const report = await world.audit();
  expect(report.clusters[0]?.findings).toMatchObject([
    {
      code: "fields_emptied",
      severity: "warning",
      subject: { name: "shop.example.com" },
      params: { certificate: null, names: expect.arrayContaining(["shop.example.com"]) },
    },
  ]);
});

it("wait for their first certificate where cert-manager noted no name", async () => {
  putManaged({ "cert-manager.io/alt-names": "", "cert-manager.io/common-name": "" });
  expect(await findings()).toEqual(["certificate_pending info"]);
});

it("lost a certificate where an earlier audit saw one, also in a Secret recreated since", async () => {
  world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
  await world.audit();
  world.sandbox.remove("tailscale", DOMAIN);
  put({}, world.nowMs);
  expect(await findings()).toEqual(["fields_emptied critical"]);
});

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { auditDocument } from "../../lib/usecases/audit/document.ts";
import { CertkeepError } from "../../lib/error.ts";
import { serviceAccount } from "../fake-apiserver/api.ts";
import type { AuditReport } from "../../lib/usecases/audit.ts";
import { base64, DAY_MS, ingressSecret, startWorld, type World } from "../support/world.ts";
import { findingCommand } from "../../lib/report/command.ts";
import { plainText } from "../../lib/report/part.ts";
import { seenText } from "../../lib/report/phrases.ts";

let world: World;

beforeEach(async () => {
  world = await startWorld();
});
afterEach(() => world.stop());

const DOMAIN = "shop.tail1a2b3.ts.net";
const KEY = `tailscale/${DOMAIN}`;

function codes(report: AuditReport): string[] {
  return report.clusters
    .flatMap(({ findings }) => findings.map(({ code, severity }) => `${code} ${severity}`))
    .toSorted();
}

function reads(): number {
  return world.sandbox.requests.filter(
    ({ method, path, accept }) =>
      method === "GET" && /\/secrets(\/|$|\?)/.test(path) && !String(accept).includes("as="),
  ).length;
}

describe("an audit", () => {
  it("judges, seals a copy that opens to the very bytes, and reads nothing that is unchanged", async () => {
    const pair = world.issue([DOMAIN]);
    world.put(ingressSecret(DOMAIN, pair));
    const first = await world.audit();
    expect(codes(first)).toEqual([]);
    expect(first.clusters[0]).toMatchObject({
      complete: true,
      copies: { made: 1, present: 0 },
      tally: { certificates: 1, ok: 1, copies: 1 },
    });
    const [document] = [...world.backups.blobs.values()];
    const { sealed } = JSON.parse(new TextDecoder().decode(document)) as { sealed: string };
    const manifest = JSON.parse(new TextDecoder().decode(await world.opener.open(sealed))) as {
      data: Record<string, string>;
    };
    expect(manifest.data).toEqual({
      "tls.crt": base64(pair.certificatePem),
      "tls.key": base64(pair.keyPem),
    });

    world.sandbox.forgetRequests();
    const second = await world.audit();
    expect(second.clusters[0]).toMatchObject({
      copies: { made: 0 },
      tally: { ok: 1, copies: 1 },
    });
    expect(reads()).toBe(0);
  });

  it("makes no second copy, and counts none as made, where a listing lags behind what is there", async () => {
    world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
    const unlisted = { ...world.backups, async *list() {} };
    expect((await world.audit({ ports: { backups: unlisted } })).clusters[0]).toMatchObject({
      complete: true,
      copies: { made: 1, present: 0 },
    });
    const before = (await world.state()).quota.made;
    expect((await world.audit({ ports: { backups: unlisted } })).clusters[0]).toMatchObject({
      complete: true,
      copies: { made: 0, present: 1 },
    });
    expect((await world.state()).quota.made).toBe(before);
    // What no state knows is sealed, and found to be there already.
    world.states.states.clear();
    expect((await world.audit({ ports: { backups: unlisted } })).clusters[0]).toMatchObject({
      complete: true,
      copies: { made: 0, present: 1 },
    });
    expect(world.backups.blobs.size).toBe(1);
  });

  it("writes nothing to the cluster but access reviews, which store nothing", async () => {
    world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
    await world.audit({ observe: true });
    world.sandbox.remove("tailscale", DOMAIN);
    await world.audit({ observe: true });
    const posted = world.sandbox.requests.filter(({ method }) => method !== "GET");
    expect(posted.map(({ method, path }) => `${method} ${path}`)).toEqual(
      Array.from(
        { length: posted.length },
        () => "POST /apis/authorization.k8s.io/v1/subjectaccessreviews",
      ),
    );
    expect(posted.length).toBeGreaterThan(0);
  });

  it(
    "backs everything up at the very next audit after recipients appear, though nothing has " +
      "changed",
    async () => {
      world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
      expect(codes(await world.audit({ settings: { recipients: [] } }))).toEqual([
        "backup_missing warning",
      ]);
      expect(world.backups.blobs.size).toBe(0);
      const next = await world.audit();
      expect(codes(next)).toEqual([]);
      expect(world.backups.blobs.size).toBe(1);
    },
  );

  it("looks again when the store lost a copy, and recreates it", async () => {
    world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
    await world.audit();
    world.backups.blobs.clear();
    const next = await world.audit();
    expect(next.clusters[0]).toMatchObject({ copies: { made: 1 } });
    expect(world.backups.blobs.size).toBe(1);
  });

  it("makes new copies when the recipients change", async () => {
    world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
    await world.audit();
    const { generateIdentity } = await import("../../lib/adapters/age/identity.ts");
    const other = await generateIdentity();
    await world.audit({ settings: { recipients: [world.recipient, other.recipient] } });
    expect(world.backups.blobs.size).toBe(2);
  });

  it("keeps a certificate that is not yet valid once its time has come", async () => {
    world.put(
      ingressSecret(DOMAIN, world.issue([DOMAIN], { notBefore: new Date(world.nowMs + DAY_MS) })),
    );
    expect(codes(await world.audit())).toEqual(["certificate_invalid critical"]);
    expect(world.backups.blobs.size).toBe(0);
    world.nowMs += 2 * DAY_MS;
    expect(codes(await world.audit())).toEqual([]);
    expect(world.backups.blobs.size).toBe(1);
  });

  it.each([
    [
      "a key that doesn't fit",
      (w: World) => ({
        certificatePem: w.issue([DOMAIN]).certificatePem,
        keyPem: w.issue([DOMAIN]).keyPem,
      }),
      "certificate_invalid critical",
    ],
    [
      "another name",
      (w: World) => w.issue(["other.tail1a2b3.ts.net"]),
      "certificate_invalid critical",
    ],
    [
      "a missing intermediate",
      (w: World) => w.issue([DOMAIN], { noIntermediate: true }),
      "certificate_invalid critical",
    ],
    [
      "expired",
      (w: World) =>
        w.issue([DOMAIN], {
          notBefore: new Date(w.nowMs - 90 * DAY_MS),
          notAfter: new Date(w.nowMs - DAY_MS),
        }),
      "expired critical",
    ],
    [
      "no certificate at all",
      () => ({ certificatePem: "hello", keyPem: "hello" }),
      "certificate_invalid critical",
    ],
    ["never filled", () => null, "certificate_pending info"],
  ])("%s", async (_, make, expected) => {
    world.put(ingressSecret(DOMAIN, make(world)));
    expect(codes(await world.audit())).toEqual([expected]);
  });

  it.each([
    [
      "a byte order mark before the leaf",
      (pem: string) => `\ufeff${pem}`,
      "a byte order mark (BOM) hides PEM block 1",
    ],
    ["base64 twice", (pem: string) => base64(pem), "The certificate is base64-encoded twice."],
    [
      "a leaf without its END line",
      (pem: string) => pem.replace(/-----END.*\n/, ""),
      "PEM block 1 has no END line",
    ],
  ])("says what is wrong with the bytes, also when nothing is read: %s", async (_, spoil, hint) => {
    const { certificatePem, keyPem } = world.issue([DOMAIN]);
    world.put(ingressSecret(DOMAIN, { certificatePem: spoil(certificatePem), keyPem }));
    for (let run = 0; run < 2; run++) {
      const [finding] = (await world.audit()).clusters.flatMap(({ findings }) => findings);
      expect(finding?.code).toBe("certificate_invalid");
      expect(finding === undefined ? "" : plainText(seenText(finding))).toContain(hint);
    }
  });

  it("lists what a selector leaves out, and certificates in fields that it doesn't know", async () => {
    const { certificatePem, keyPem } = world.issue(["www.example.com"]);
    const [crt, key] = [base64(certificatePem), base64(keyPem)];
    const put = (name: string, type: string, data: Readonly<Record<string, string>>): void =>
      world.put({ metadata: { name, namespace: "shop" }, type, data });
    put("www", "kubernetes.io/tls", { "tls.crt": crt, "tls.key": key });
    put("app", "Opaque", { "server.crt": crt, "server.key": key });
    put("store", "Opaque", { "keystore.p12": key });
    put("trust", "Opaque", { "ca.crt": crt });
    put("password", "Opaque", { password: key });
    const report = await world.audit({ settings: { selector: "app=none" } });
    expect(report.clusters[0]?.skipped).toEqual([
      { key: "shop/app", reason: "layout" },
      { key: "shop/store", reason: "layout" },
      { key: "shop/www", reason: "selector" },
    ]);
    const text = JSON.stringify(auditDocument(report, world.nowMs));
    expect(text).toContain('{"key":"shop/app","reason":"layout"}');
  });

  it("counts generic TLS of no known issuer, and neither judges nor keeps it", async () => {
    const { createAuthority } = await import("../support/pki.ts");
    const mesh = createAuthority({ name: "Mesh" }).issue({
      names: ["webhook.svc"],
      notBefore: new Date(world.nowMs - DAY_MS),
      notAfter: new Date(world.nowMs + DAY_MS),
    });
    world.put({
      metadata: { name: "webhook", namespace: "shop" },
      type: "kubernetes.io/tls",
      data: { "tls.crt": base64(mesh.certificatePem), "tls.key": base64(mesh.keyPem) },
    });
    const report = await world.audit();
    expect(codes(report)).toEqual([]);
    expect(report.clusters[0]?.tally).toMatchObject({ certificates: 0, foreign: 1 });
    expect(report.clusters[0]?.skipped).toEqual([{ key: "shop/webhook", reason: "private_ca" }]);
    world.sandbox.forgetRequests();
    await world.audit();
    expect(reads()).toBe(0);
  });

  it("caps the new copies of a day, and goes on the next", async () => {
    for (const host of ["a", "b", "c"])
      world.put(
        ingressSecret(`${host}.tail1a2b3.ts.net`, world.issue([`${host}.tail1a2b3.ts.net`])),
      );
    expect(codes(await world.audit({ settings: { copiesPerDay: 2 } }))).toEqual([
      "backup_quota warning",
    ]);
    expect(world.backups.blobs.size).toBe(2);
    world.nowMs += DAY_MS;
    expect(codes(await world.audit({ settings: { copiesPerDay: 2 } }))).toEqual([]);
    expect(world.backups.blobs.size).toBe(3);
  });

  it("writes nothing anywhere as of another instant", async () => {
    world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
    world.nowMs += 75 * DAY_MS;
    const report = await world.audit({ ports: { dryRun: true } });
    expect(codes(report)).toEqual(["expiring critical"]);
    expect(world.backups.blobs.size + world.states.states.size).toBe(0);
    expect(
      world.faults.calls.filter(
        (call) => call === "write" || call === "create" || call === "remove",
      ),
    ).toEqual([]);
  });
});

describe("what is gone", () => {
  async function auditedWith(...hosts: string[]): Promise<void> {
    world.put({
      apiVersion: "networking.k8s.io/v1",
      kind: "Ingress",
      metadata: { name: "shop", namespace: "shop" },
    });
    for (const host of hosts)
      world.put(
        ingressSecret(`${host}.tail1a2b3.ts.net`, world.issue([`${host}.tail1a2b3.ts.net`])),
      );
    await world.audit();
  }

  it("is lost where its parent stands, and is over once it is back", async () => {
    const pair = world.issue([DOMAIN]);
    world.put(
      {
        apiVersion: "networking.k8s.io/v1",
        kind: "Ingress",
        metadata: { name: "shop", namespace: "shop" },
      },
      ingressSecret(DOMAIN, pair),
    );
    await world.audit();
    world.sandbox.remove("tailscale", DOMAIN);
    expect(codes(await world.audit())).toEqual(["secret_lost critical"]);
    expect(codes(await world.audit())).toEqual(["secret_lost critical"]);
    world.put(ingressSecret(DOMAIN, pair));
    expect(codes(await world.audit())).toEqual([]);
    expect(world.backups.blobs.size).toBe(1);
  });

  it("was removed where its parent went with it", async () => {
    await auditedWith("shop");
    world.sandbox.remove("tailscale", DOMAIN);
    world.sandbox.remove("shop", "shop", "Ingress");
    expect(codes(await world.audit())).toEqual(["secret_removed info"]);
  });

  it("is told as one where a namespace went", async () => {
    await auditedWith("shop", "a");
    for (const name of [DOMAIN, "a.tail1a2b3.ts.net"]) world.sandbox.remove("tailscale", name);
    world.sandbox.remove(null, "tailscale", "Namespace");
    const report = await world.audit();
    expect(codes(report)).toEqual(["secret_lost critical"]);
    expect(report.clusters[0]?.findings.map(findingCommand)[0]).toBe(
      "certkeep restore prod --all --namespace tailscale --create-namespace",
    );
  });

  it("is one incident where many were lost within one hour, over several audits too", async () => {
    await auditedWith("a", "b", "c", "d", "e");
    const lose = async (...hosts: string[]): Promise<readonly string[]> => {
      for (const host of hosts) world.sandbox.remove("tailscale", `${host}.tail1a2b3.ts.net`);
      return codes(await world.audit());
    };
    expect(await lose("a", "b")).toEqual(Array(2).fill("secret_removed info"));
    world.nowMs += 50 * 60_000;
    expect(await lose("c")).toEqual(["secret_lost critical"]);
    world.nowMs += 50 * 60_000;
    expect(await lose()).toEqual(["secret_lost critical"]);
    expect(Object.values((await world.state()).lost).map(({ incident }) => incident)).toEqual(
      Array.from({ length: 3 }, () => "3 of 5 certificates were lost within one hour"),
    );
  });

  it("is emptied where the Secret stands, and keeps what it held in mind", async () => {
    await auditedWith("shop");
    world.put(ingressSecret(DOMAIN, null));
    expect(codes(await world.audit())).toEqual(["fields_emptied critical"]);
    expect(codes(await world.audit())).toEqual(["fields_emptied critical"]);
    expect((await world.state()).secrets[KEY]?.gaps["tls"]?.held?.names).toEqual([DOMAIN]);
  });

  it("is lost also where its fields had been emptied before", async () => {
    await auditedWith("shop");
    world.put(ingressSecret(DOMAIN, null));
    await world.audit();
    world.sandbox.remove("tailscale", DOMAIN);
    expect(codes(await world.audit())).toEqual(["secret_lost critical"]);
  });

  it("is lost though another Secret holds the same names and did all along", async () => {
    for (const namespace of ["default", "shop"]) {
      const pair = world.issue(["same.example.com"]);
      world.put({
        metadata: { name: "same", namespace },
        type: "kubernetes.io/tls",
        data: { "tls.crt": base64(pair.certificatePem), "tls.key": base64(pair.keyPem) },
      });
    }
    await world.audit();
    world.sandbox.remove("shop", "same");
    expect(codes(await world.audit())).toContain("secret_lost critical");
  });

  it("is over where a proxy was recreated under another name", async () => {
    const proxy = (name: string, pair: { certificatePem: string; keyPem: string }) => ({
      metadata: {
        name,
        namespace: "tailscale",
        labels: {
          "tailscale.com/managed": "true",
          "tailscale.com/parent-resource": "shop",
          "tailscale.com/parent-resource-ns": "shop",
          "tailscale.com/parent-resource-type": "ingress",
        },
      },
      type: "Opaque",
      data: {
        [`${DOMAIN}.crt`]: base64(pair.certificatePem),
        [`${DOMAIN}.key`]: base64(pair.keyPem),
      },
    });
    world.put(
      {
        apiVersion: "networking.k8s.io/v1",
        kind: "Ingress",
        metadata: { name: "shop", namespace: "shop" },
      },
      proxy("ts-shop-aaaaa-0", world.issue([DOMAIN])),
    );
    await world.audit();
    world.sandbox.remove("tailscale", "ts-shop-aaaaa-0");
    expect(codes(await world.audit())).toEqual(["secret_lost critical"]);
    world.nowMs += 60_000;
    world.put(proxy("ts-shop-bbbbb-0", world.issue([DOMAIN])));
    expect(codes(await world.audit()).filter((code) => code.startsWith("secret_lost"))).toEqual([]);
  });

  const pairIn = (
    name: string,
    type: string,
    base: string,
    pair: { certificatePem: string; keyPem: string },
    labels: Record<string, string> = {},
  ) => ({
    metadata: { name, namespace: "tailscale", labels },
    type,
    data: { [`${base}.crt`]: base64(pair.certificatePem), [`${base}.key`]: base64(pair.keyPem) },
  });

  it.each([
    ["by a proxy of another layout for the same name", "recreated", []],
    ["by a person's restore of the same certificate elsewhere", "restored", []],
    ["not by a Secret that no proxy writes", "other", ["secret_lost warning"]],
  ])("is answered %s", async (_, how, expected) => {
    const pair = world.issue([DOMAIN]);
    const labels = { "tailscale.com/managed": "true" };
    world.put(
      pairIn("ts-shop-aaaaa-0", "Opaque", DOMAIN, pair, {
        ...labels,
        "tailscale.com/parent-resource": "shop",
        "tailscale.com/parent-resource-ns": "shop",
        "tailscale.com/parent-resource-type": "ingress",
      }),
    );
    await world.audit();
    world.sandbox.remove("tailscale", "ts-shop-aaaaa-0");
    const lost = codes(await world.audit());
    expect(lost.some((code) => code.startsWith("secret_"))).toBe(true);
    world.nowMs += 60_000;
    if (how === "recreated") world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
    else
      world.put(
        pairIn(
          "copy",
          "kubernetes.io/tls",
          "tls",
          how === "restored" ? pair : world.issue([DOMAIN]),
        ),
      );
    const after = codes(await world.audit()).filter((code) => code.startsWith("secret_"));
    expect(after).toEqual(expected.length === 0 ? [] : lost);
  });

  it("is nothing to restore where its node was renamed and serves another name", async () => {
    const operator = (
      ...hosts: readonly (readonly [string, { certificatePem: string; keyPem: string }])[]
    ) => ({
      metadata: { name: "operator", namespace: "tailscale" },
      type: "Opaque",
      data: Object.fromEntries(
        hosts.flatMap(([host, pair]) => [
          [`${host}.crt`, base64(pair.certificatePem)],
          [`${host}.key`, base64(pair.keyPem)],
        ]),
      ),
    });
    const [old, renamed] = ["api.tail1a2b3.ts.net", "api-1.tail1a2b3.ts.net"] as const;
    const first = world.issue([old]);
    world.put(operator([old, first]));
    await world.audit();
    world.nowMs += 50 * DAY_MS;
    const second = world.issue([renamed]);
    world.put(operator([old, first], [renamed, second]));
    expect(codes(await world.audit())).toEqual([]);
    world.nowMs += 27 * DAY_MS;
    expect(codes(await world.audit())).toEqual([]);
    world.nowMs += 20 * DAY_MS;
    const report = await world.audit();
    const expired = report.clusters[0]?.findings.find(({ code }) => code === "expired");
    expect(expired).toMatchObject({ severity: "info", params: { newName: renamed } });
    expect(expired?.actions.map(({ kind }) => kind)).not.toContain("restore");
    world.put(operator([renamed, second]));
    expect(codes(await world.audit()).filter((code) => !code.endsWith("info"))).toEqual(
      codes(report).filter((code) => !code.endsWith("info")),
    );
  });

  it("is not mistaken where a namespace is called as a part of every object", async () => {
    const other = await startWorld();
    try {
      other.sandbox.put([{ kind: "Namespace", metadata: { name: "constructor" } }]);
      const pair = other.issue(["c.example.com"]);
      other.put({
        metadata: { name: "c", namespace: "constructor" },
        type: "kubernetes.io/tls",
        data: { "tls.crt": base64(pair.certificatePem), "tls.key": base64(pair.keyPem) },
      });
      await other.audit();
      other.sandbox.remove("constructor", "c");
      expect(codes(await other.audit())).toEqual(["secret_lost critical"]);
    } finally {
      await other.stop();
    }
  });

  it("is not concluded on from a listing that could not be finished", async () => {
    await auditedWith("shop");
    world.sandbox.remove("tailscale", DOMAIN);
    const off = world.sandbox.intercept(({ path }) =>
      path.includes("/secrets") ? { kind: "status", status: 500 } : undefined,
    );
    const report = await world.audit();
    off();
    expect(codes(report).some((code) => code.startsWith("secret_"))).toBe(false);
    expect(report.clusters[0]).toMatchObject({ complete: false });
    expect((await world.state()).secrets[KEY]).toBeDefined();
    expect(codes(await world.audit())).toEqual(["secret_lost critical"]);
  });
});

describe("what the settings leave out", () => {
  async function audited(): Promise<void> {
    for (const host of ["a", "b", "c", "d", "e"]) {
      const pair = world.issue([`${host}.example.com`]);
      world.put({
        metadata: {
          name: host,
          namespace: host === "e" ? "default" : "shop",
          labels: { team: host },
        },
        type: "kubernetes.io/tls",
        data: { "tls.crt": base64(pair.certificatePem), "tls.key": base64(pair.keyPem) },
      });
    }
    await world.audit();
  }

  it.each([
    ["a pattern", { namespaces: ["def*"] }],
    ["a name", { namespaces: ["default"] }],
    ["a selector", { selector: "team=e" }],
  ])("by %s is neither lost nor told, and not read again", async (_, settings) => {
    await audited();
    const narrowed = await world.audit({ settings });
    expect(codes(narrowed)).toEqual([]);
    expect(narrowed.clusters[0]).toMatchObject({ complete: true, tally: { certificates: 1 } });
    world.sandbox.forgetRequests();
    expect((await world.audit({ settings })).clusters[0]).toMatchObject({
      complete: true,
      tally: { certificates: 1 },
    });
    expect(reads()).toBe(0);
  });

  it("is not lost either where only names may be read", async () => {
    await audited();
    world.sandbox.setToken(
      "narrow",
      serviceAccount("certkeep", "reader", [
        { verbs: ["get"], resources: ["secrets"], namespace: "default", resourceNames: ["e"] },
        { verbs: ["get"], resources: ["namespaces"] },
      ]),
    );
    const report = await world.audit({
      token: "narrow",
      settings: { namespaces: ["default"], secrets: ["default/e"] },
    });
    expect(codes(report)).toEqual([]);
    expect(report.clusters[0]).toMatchObject({
      complete: true,
      scopes: ["named Secrets of namespace default"],
      tally: { certificates: 1 },
    });
    world.sandbox.forgetRequests();
    await world.audit({
      token: "narrow",
      settings: { namespaces: ["default"], secrets: ["default/e"] },
    });
    expect(reads()).toBe(0);
  });
});

describe("a cluster", () => {
  it(
    "that gets a name goes on with what was known of it, and keeps its copies under the new " +
      "name",
    async () => {
      world.put(
        ingressSecret(DOMAIN, world.issue([DOMAIN])),
        ingressSecret("bad.tail1a2b3.ts.net", { certificatePem: "x", keyPem: "y" }),
      );
      const [before] = (await world.audit({ name: null })).clusters;
      world.nowMs += 3_600_000;
      const [after] = (await world.audit()).clusters;
      expect(after?.findings[0]?.since).toBe(before?.findings[0]?.since);
      expect(after?.copies.made).toBe(1);
    },
  );

  it("that lets single reads time out is given up soon", async () => {
    for (let n = 0; n < 60; n += 1) {
      const pair = world.issue([`n${n}.example.com`]);
      world.put({
        metadata: { name: `n${n}`, namespace: "shop" },
        type: "Opaque",
        data: {
          [`n${n}.example.com.crt`]: base64(pair.certificatePem),
          [`n${n}.example.com.key`]: base64(pair.keyPem),
        },
      });
    }
    const target = await world.target();
    const late = async (): Promise<never> => {
      throw new CertkeepError("cluster_timeout", { where: "cluster prod", found: "no answer" });
    };
    let asked = 0;
    const reader = { ...target.reader, getSecret: () => ((asked += 1), late()) };
    const { auditAll } = await import("../../lib/usecases/audit.ts");
    const report = await auditAll([{ ...target, reader }], world.ports(), []);
    expect(asked).toBeLessThan(40);
    expect(codes(report)).toContain("cluster_unreachable critical");
  });

  it("that is another one under its name is told, and nothing is written for it", async () => {
    world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
    await world.audit();
    const before = await world.state();
    const other = await startWorld();
    try {
      other.put(ingressSecret("new.tail1a2b3.ts.net", other.issue(["new.tail1a2b3.ts.net"])));
      const target = { ...(await world.target()), reader: await other.reader() };
      const { auditAll } = await import("../../lib/usecases/audit.ts");
      expect(codes(await auditAll([target], world.ports(), []))).toEqual([
        "cluster_replaced critical",
      ]);
    } finally {
      await other.stop();
    }
    const after = await world.state();
    expect({ ...after, replacedBy: null }).toEqual(before);
    expect(world.backups.blobs.size).toBe(1);
    expect(codes(await world.audit())).toEqual([]);
  });

  it(
    "without a registration is known by its identity: two contexts of one name never share a " +
      "state",
    async () => {
      const other = await startWorld();
      try {
        world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
        await world.audit({ name: null });
        const { auditAll } = await import("../../lib/usecases/audit.ts");
        await auditAll(
          [{ ...(await world.target({ name: null })), reader: await other.reader() }],
          world.ports(),
          [],
        );
        expect(world.states.states.size).toBe(2);
      } finally {
        await other.stop();
      }
    },
  );

  it(
    "whose listing is forbidden is read by the names that are known, and says that discovery " +
      "was not possible",
    async () => {
      const pair = world.issue(["op.tail1a2b3.ts.net"]);
      world.put({
        metadata: { name: "operator", namespace: "tailscale" },
        type: "Opaque",
        data: {
          "op.tail1a2b3.ts.net.crt": base64(pair.certificatePem),
          "op.tail1a2b3.ts.net.key": base64(pair.keyPem),
        },
      });
      world.sandbox.setToken(
        "narrow",
        serviceAccount("certkeep", "reader", [
          {
            verbs: ["get"],
            resources: ["secrets"],
            namespace: "tailscale",
            resourceNames: ["operator"],
          },
        ]),
      );
      const report = await world.audit({ token: "narrow" });
      expect(codes(report)).toEqual(["audit_incomplete warning"]);
      expect(report.clusters[0]).toMatchObject({ complete: false, copies: { made: 1 } });
      expect(report.clusters[0]?.state.audit?.unread[0]?.message).toContain(
        "discovery is not possible in namespace tailscale",
      );
    },
  );

  it("that refuses the credential is unreachable, and what time brings is said as last seen", async () => {
    world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
    await world.audit();
    world.nowMs += 85 * DAY_MS;
    const report = await world.audit({ token: "revoked" });
    expect(codes(report)).toEqual(["cluster_unreachable critical", "expired critical"]);
    expect(report.clusters[0]?.tally).toMatchObject({ ok: 0, unknown: 1 });
  });

  it("that hangs or lies never hides another", async () => {
    world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
    const bad = await world.target({ name: "bad" });
    const broken = {
      ...bad,
      title: "bad",
      reader: {
        ...bad.reader,
        identity: async () => {
          throw new CertkeepError("cluster_timeout", { where: "cluster bad", found: "no answer" });
        },
      },
    };
    const { auditAll } = await import("../../lib/usecases/audit.ts");
    const report = await auditAll([broken, await world.target()], world.ports(), []);
    expect(report.clusters.map(({ title, complete }) => [title, complete])).toEqual([
      ["bad", false],
      ["prod", true],
    ]);
    expect(codes(report)).toEqual(["cluster_unreachable critical"]);
  });
});

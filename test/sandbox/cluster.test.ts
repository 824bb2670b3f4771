import { X509Certificate, createPrivateKey } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { type Sandbox, startSandbox } from "../../lib/sandbox/api.ts";
import { type DemoSecret, emptyFields, fillDemoCluster } from "../../lib/sandbox/cluster.ts";
import { createAuthority } from "../../lib/sandbox/pki.ts";
import type { StoredObject } from "../../lib/sandbox/objects.ts";

const nowMs = Date.UTC(2026, 10, 23, 12);
const authority = createAuthority();
let sandbox: Sandbox;
let list: DemoSecret[];
let cpuMs: number;

beforeAll(async () => {
  const from = process.cpuUsage();
  sandbox = await startSandbox({ clock: () => nowMs });
  list = fillDemoCluster(sandbox, {
    authority,
    staging: createAuthority({ name: "Staging" }),
    nowMs,
  });
  const { user, system } = process.cpuUsage(from);
  cpuMs = (user + system) / 1000;
  await sandbox.stop();
});

const stored = ({ namespace, name }: DemoSecret): StoredObject => {
  const found = sandbox.get(namespace, name);
  if (found === null) throw new Error(`${namespace}/${name} isn't there`);
  return found;
};

function field(secret: StoredObject, name: string): string {
  return Buffer.from(secret.data?.[name] ?? "", "base64").toString("utf8");
}

/** The pair at the place where the Secret's shape keeps it. */
function pairOf(entry: DemoSecret): { certificate: string; key: string } {
  const secret = stored(entry);
  const base = secret.type === "kubernetes.io/tls" ? "tls" : (entry.domain ?? "");
  return { certificate: field(secret, `${base}.crt`), key: field(secret, `${base}.key`) };
}

const blocks = (pem: string): X509Certificate[] =>
  [...pem.matchAll(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/gu)].map(
    ([block]) => new X509Certificate(block),
  );

/** What is wrong with a pair, by the plainest means. */
function wrongWith(entry: DemoSecret): string | null {
  const { certificate, key } = pairOf(entry);
  if (certificate === "" && key === "") return "empty";
  const [leaf, intermediate] = blocks(certificate);
  if (leaf === undefined) return "not_a_certificate";
  if (!leaf.checkPrivateKey(createPrivateKey(key))) return "wrong_key";
  if (
    entry.domain !== null &&
    !entry.domain.startsWith("*") &&
    leaf.checkHost(entry.domain) === undefined
  )
    return "wrong_name";
  if (intermediate === undefined) return "missing_intermediate";
  const root = new X509Certificate(authority.root.pem);
  if (!leaf.verify(intermediate.publicKey) || !intermediate.verify(root.publicKey))
    return "unknown";
  const left = leaf.validToDate.getTime() - nowMs;
  if (left < 0) return "expired";
  return left < 15 * 86_400_000 ? "expiring_soon" : null;
}

const expected: Readonly<Record<string, string>> = {
  fields_emptied: "empty",
  pending: "empty",
  unknown_issuer: "unknown",
  staging: "unknown",
};

describe("the demo's cluster", () => {
  it("is there with the sandbox in under a second", () => {
    expect(cpuMs).toBeLessThan(1000);
    expect(list.length).toBeGreaterThanOrEqual(40);
  });

  it("names every Secret that it put, once", () => {
    const named = list.map(({ namespace, name }) => `${namespace}/${name}`);
    const there = sandbox.all().map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
    expect(named.toSorted()).toEqual(there.toSorted());
    expect(new Set(sandbox.all("Namespace").map(({ metadata }) => metadata.name))).toEqual(
      new Set(["kube-system", "default", "tailscale", "shop", "monitoring"]),
    );
  });

  it("has each trouble once, and no other", () => {
    const withCertificate = list.filter(({ domain }) => domain !== null);
    for (const entry of withCertificate) {
      const wrong = wrongWith(entry);
      const meant = entry.trouble === null ? null : (expected[entry.trouble] ?? entry.trouble);
      expect({ name: entry.name, wrong }).toEqual({ name: entry.name, wrong: meant });
    }
    const troubles = withCertificate.flatMap(({ trouble }) => (trouble === null ? [] : [trouble]));
    expect(troubles.toSorted()).toEqual([
      "expired",
      "expiring_soon",
      "fields_emptied",
      "missing_intermediate",
      "not_a_certificate",
      "pending",
      "staging",
      "unknown_issuer",
      "wrong_key",
      "wrong_name",
    ]);
  });

  it("keeps certificates in the operator's forms", () => {
    const operator = stored(list.find(({ shape }) => shape === "operator") as DemoSecret);
    expect(operator.type).toBe("Opaque");
    expect(operator.metadata.labels).toBeUndefined();
    const fields = Object.keys(operator.data ?? {}).map((name) =>
      name.replace(/^profile-[0-9a-f]{4}$/u, "profile-X"),
    );
    expect(fields.toSorted()).toEqual([
      "_current-profile",
      "_machinekey",
      "_profiles",
      "acme-account.key.pem",
      "prod-operator.tail1a2b3.ts.net.crt",
      "prod-operator.tail1a2b3.ts.net.key",
      "profile-X",
    ]);
    for (const entry of list.filter(({ shape }) => shape === "shared")) {
      const { metadata, type } = stored(entry);
      expect(type).toBe("kubernetes.io/tls");
      expect(metadata.labels).toMatchObject({
        "tailscale.com/managed": "true",
        "tailscale.com/secret-type": "certs",
        "tailscale.com/domain": entry.name,
        "tailscale.com/parent-resource-type": "ingress",
      });
      const parent = metadata.labels?.["tailscale.com/parent-resource"] ?? "";
      expect(
        sandbox.get(metadata.labels?.["tailscale.com/parent-resource-ns"] ?? "", parent, "Ingress"),
      ).not.toBeNull();
    }
    for (const entry of list.filter(({ shape }) => shape === "standalone")) {
      const secret = stored(entry);
      expect(entry.name).toMatch(/^ts-[a-z]+-[a-z0-9]{5}-0$/u);
      if (entry.domain !== null) expect(field(secret, "device_fqdn")).toBe(`${entry.domain}.`);
    }
  });

  it("can lose a certificate's fields to another tool", () => {
    emptyFields(sandbox, "tailscale", "orders.tail1a2b3.ts.net");
    const emptied = sandbox.get("tailscale", "orders.tail1a2b3.ts.net");
    expect(emptied?.data).toEqual({ "tls.crt": "", "tls.key": "" });
    expect(emptied?.metadata.labels?.["tailscale.com/secret-type"]).toBe("certs");
    expect(emptied?.metadata.managedFields?.[0]?.manager).toBe("argocd-controller");
    expect(() => emptyFields(sandbox, "shop", "nothing")).toThrow("shop/nothing");
  });
});

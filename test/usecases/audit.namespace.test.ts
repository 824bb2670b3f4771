/**
 * Namespaces that were deleted, told from permissions that were lost: the permission to read one
 * may lie in it and die with it.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { commandOf } from "../../lib/report/command.ts";
import type { AuditReport } from "../../lib/usecases/audit.ts";
import type { AccessRule } from "../fake-apiserver/access.ts";
import { serviceAccount } from "../fake-apiserver/api.ts";
import { base64, startWorld, type World } from "../support/world.ts";

let world: World;
beforeEach(async () => {
  world = await startWorld();
  for (const name of ["web", "api"]) {
    const pair = world.issue([`${name}.example.com`]);
    world.put({
      metadata: { name, namespace: "shop" },
      type: "kubernetes.io/tls",
      data: { "tls.crt": base64(pair.certificatePem), "tls.key": base64(pair.keyPem) },
    });
  }
});
afterEach(() => world.stop());

const READ = { verbs: ["get", "list"], resources: ["secrets"], namespace: "shop" };
const ROLES: readonly AccessRule[] = [
  READ,
  { verbs: ["get"], resources: ["namespaces"], resourceNames: ["shop"], namespace: "shop" },
];
const NAMESPACES = { verbs: ["get"], resources: ["namespaces"], resourceNames: ["kube-system"] };
const CLUSTER_ROLE = { ...NAMESPACES, resourceNames: ["kube-system", "shop"] };
/** As a registration by Secret names has it. */
const NAMED = { ...READ, verbs: ["get"], resourceNames: ["web", "api"] };

function setRules(...rules: readonly AccessRule[]): void {
  world.sandbox.setToken("reader", serviceAccount("certkeep", "reader", rules));
}

async function audit(over: object = {}): Promise<AuditReport> {
  return world.audit({ token: "reader", settings: { namespaces: ["shop"], ...over } });
}

function told({ clusters }: AuditReport): readonly object[] {
  return (clusters[0]?.findings ?? []).map(({ code, severity, subject, actions }) => ({
    code,
    severity,
    namespace: subject.namespace,
    commands: actions.map(commandOf),
  }));
}

const RESTORE = "certkeep restore prod --all --namespace shop --create-namespace";
const LOST = {
  code: "secret_lost",
  severity: "critical",
  namespace: "shop",
  commands: [RESTORE],
};
const EITHER = {
  code: "audit_incomplete",
  severity: "critical",
  namespace: "shop",
  commands: [RESTORE, "certkeep doctor prod"],
};

function deleteNamespace(): void {
  for (const name of ["web", "api"]) world.sandbox.remove("shop", name);
  world.sandbox.remove(null, "shop", "Namespace");
}

describe("a deleted namespace", () => {
  it("is known by a permission at the cluster scope, and is one critical item", async () => {
    setRules(READ, CLUSTER_ROLE);
    await audit();
    deleteNamespace();
    setRules(CLUSTER_ROLE);
    const report = await audit();
    expect(told(report)).toEqual([LOST]);
    expect(report.clusters[0]?.complete).toBe(true);
    expect(told(await audit())).toEqual([LOST]);
  });

  it("is known also where only Secrets by name may be read", async () => {
    const secrets = ["shop/web", "shop/api"];
    setRules(NAMED, CLUSTER_ROLE);
    await audit({ secrets });
    deleteNamespace();
    setRules(CLUSTER_ROLE);
    expect(told(await audit({ secrets }))).toContainEqual(LOST);
  });

  it("is known where another one of its name stands there by now", async () => {
    setRules(READ, CLUSTER_ROLE);
    await audit();
    deleteNamespace();
    world.sandbox.put([{ kind: "Namespace", metadata: { name: "shop" } }]);
    setRules(CLUSTER_ROLE);
    const lost = told(await audit()).map((one) => ({ ...one, commands: [] }));
    expect(lost).toContainEqual({ ...LOST, commands: [] });
  });

  it("may be one where the permission lay in it: one critical item says so", async () => {
    setRules(...ROLES, NAMESPACES);
    await audit();
    deleteNamespace();
    setRules(NAMESPACES);
    const report = await audit();
    expect(told(report)).toEqual([EITHER]);
    expect(report.clusters[0]?.complete).toBe(false);
    expect(report.clusters[0]?.tally).toMatchObject({ certificates: 2, unknown: 2 });
  });

  it("may be one where only Secrets by name could be read", async () => {
    const secrets = ["shop/web", "shop/api"];
    setRules(NAMED, NAMESPACES);
    await audit({ secrets });
    deleteNamespace();
    setRules(NAMESPACES);
    expect(told(await audit({ secrets }))).toEqual([EITHER]);
  });
});

describe("a lost permission", () => {
  it("is a warning where the namespace is seen to exist", async () => {
    setRules(READ, CLUSTER_ROLE);
    await audit();
    setRules(CLUSTER_ROLE);
    expect(told(await audit())).toEqual([
      { ...EITHER, severity: "warning", commands: ["certkeep doctor prod"] },
    ]);
  });

  it("to list alone says nothing of a deletion: what is known is read by name", async () => {
    setRules(...ROLES, NAMESPACES);
    await audit();
    setRules({ ...READ, verbs: ["get"] }, NAMESPACES);
    const [finding, ...others] = told(await audit());
    expect(finding).toMatchObject({ code: "audit_incomplete", severity: "warning" });
    expect(others).toEqual([]);
  });
});

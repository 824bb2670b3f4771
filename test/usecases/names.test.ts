/** One cluster under two names: it is said, and what both see alike is counted once. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fleetMetrics, countState } from "../../lib/report/metrics.ts";
import type { AuditSettings } from "../../lib/usecases/audit/context.ts";
import { auditAll, type AuditReport } from "../../lib/usecases/audit.ts";
import { reportAll, type FullReport } from "../../lib/usecases/report.ts";
import { startSandbox } from "../fake-apiserver/api.ts";
import { restoreTarget } from "../support/restoring.ts";
import { ingressSecret, startWorld, type World } from "../support/world.ts";

const [DOMAIN, LOST] = ["shop.tail1a2b3.ts.net", "lost.tail1a2b3.ts.net"];

let world: World;
beforeEach(async () => {
  world = await startWorld();
  world.put(
    ingressSecret(DOMAIN, world.issue([DOMAIN])),
    ingressSecret(LOST, world.issue([LOST])),
    {
      apiVersion: "networking.k8s.io/v1",
      kind: "Ingress",
      metadata: { name: "lost", namespace: "shop" },
    },
  );
});
afterEach(() => world.stop());

async function audit(
  names: readonly (string | null)[],
  settings: Partial<AuditSettings> = {},
): Promise<AuditReport> {
  const targets = await Promise.all(
    names.map(async (name) => ({
      ...(await restoreTarget(world, { name, settings })),
      title: name ?? "here",
    })),
  );
  return auditAll(targets, world.ports(), []);
}
interface Counted extends FullReport {
  readonly metrics: ReadonlyMap<string, number>;
}
async function report(registered: readonly string[]): Promise<Counted> {
  const { states, clock, kit } = world.ports();
  const scope = { registered, ignore: [] };
  const counted = new Map<string, ReturnType<typeof countState>>();
  const { surveyStates } = await import("../../lib/usecases/report.ts");
  const ports = { states, clock, issuance: { kit } };
  await surveyStates(
    ports,
    scope,
    (state) => void counted.set(state.cluster, countState(state, world.nowMs, 3_600_000)),
  );
  const metrics = new Map(fleetMetrics([...counted.values()], []));
  return { ...(await reportAll(ports, scope)), metrics };
}
type Told = readonly {
  readonly cluster: string;
  readonly tally: { readonly certificates: number; readonly copies: number };
  readonly findings: readonly { readonly code: string }[];
}[];
const told = (clusters: Told): readonly unknown[] =>
  clusters.map(({ cluster, tally, findings }) => [
    cluster,
    tally.certificates,
    ...findings.map(({ code }) => code).toSorted(),
  ]);

describe("two names that lead to one cluster", () => {
  it("are said to be one, and its certificates, losses and metrics count once", async () => {
    const first = await audit(["prod", "twin"]);
    const once = [
      ["prod", 2],
      ["twin", 0, "cluster_named_twice"],
    ];
    expect(told(first.clusters)).toEqual(once);
    world.sandbox.remove("tailscale", LOST);
    world.nowMs += 60_000;
    const second = await audit(["prod", "twin"]);
    const lost = [
      ["prod", 1, "secret_lost"],
      ["twin", 0, "cluster_named_twice"],
    ];
    expect(told(second.clusters)).toEqual(lost);
    const { summaries, rows, metrics } = await report(["prod", "twin"]);
    expect(told(summaries)).toEqual(lost);
    expect(rows.filter(({ cluster }) => cluster === "twin")).toEqual([]);
    expect(metrics.get("CertificatesValid")).toBe(1);
  });

  it("each keep what the other doesn't cover or see alike", async () => {
    world.put(ingressSecret("web.example.com", world.issue(["web.example.com"]), "shop"));
    await audit(["prod"], { namespaces: ["tailscale"] });
    const twin = await audit(["twin"], { namespaces: ["shop", "tailscale"] });
    // Audited alone, nothing of it is counted elsewhere.
    expect(told(twin.clusters)).toEqual([["twin", 3]]);
    expect(told((await report(["prod", "twin"])).summaries)).toEqual([
      ["prod", 2],
      ["twin", 1, "cluster_named_twice"],
    ]);
    world.sandbox.remove("tailscale", LOST);
    world.nowMs += 60_000;
    await audit(["twin"], { namespaces: ["shop", "tailscale"] });
    // What one sees lost and the other still has is told by each until both agree.
    expect(told((await report(["prod", "twin"])).summaries)).toEqual([
      ["prod", 2],
      ["twin", 1, "cluster_named_twice", "secret_lost"],
    ]);
  });

  it("are told once what their issuances show", async () => {
    for (let round = 0; round < 4; round += 1) {
      const notBefore = new Date(world.nowMs - 60_000);
      world.put(ingressSecret(DOMAIN, world.issue([DOMAIN], { notBefore })));
      await audit(["prod", "twin"]);
      world.nowMs += 3_600_000;
    }
    const [prod, twin] = told((await audit(["prod", "twin"])).clusters);
    expect(prod).toContain("reissued_without_need");
    expect(twin).toEqual(["twin", 0, "cluster_named_twice"]);
  });

  it("don't race or share with each other", async () => {
    const { clusters, across } = await audit(["prod", "twin"]);
    expect(across.found.map(({ code }) => code)).toEqual([]);
    expect(clusters).toHaveLength(2);
  });
});

describe("one name", () => {
  it("isn't said to be another that is no longer registered, or that a context had before", async () => {
    await audit([null]);
    await audit(["prod", "twin"]);
    expect(told((await report(["twin"])).summaries)).toEqual([["twin", 2]]);
  });

  it("of a server that has another's uid and another CA isn't the same cluster", async () => {
    const uid = world.sandbox.get(null, "kube-system", "Namespace")?.metadata.uid ?? "";
    const liar = await startSandbox({ namespaces: ["default", "tailscale"] });
    try {
      liar.put([
        { kind: "Namespace", metadata: { name: "kube-system", uid } },
        ingressSecret(DOMAIN, world.issue([DOMAIN])),
      ]);
      await audit(["prod"]);
      const target = await restoreTarget(world, { name: "twin", sandbox: liar });
      await auditAll([{ ...target, title: "twin" }], world.ports(), []);
      const { summaries } = await report(["prod", "twin"]);
      expect(JSON.stringify(told(summaries))).not.toContain("cluster_named_twice");
      expect(summaries.map(({ tally }) => tally.certificates)).toEqual([2, 1]);
    } finally {
      await liar.stop();
    }
  });
});

/**
 * Key bytes stand in no log, error, state, message or report: planted, every failure forced, and
 * looked for everywhere.
 */
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { auditText } from "../../lib/report/audit.ts";
import { PLAIN } from "../../lib/report/text.ts";
import { auditDocument } from "../../lib/usecases/audit/document.ts";
import type { AuditReport } from "../../lib/usecases/audit.ts";
import { base64, DAY_MS, ingressSecret, startWorld, type World } from "../support/world.ts";

let world: World;
let canaries: string[];

/** Forms in which a key could get out: as it is, in base64, in hexadecimal. */
function forms(key: string): string[] {
  const body = key.split("\n").filter((line) => line !== "" && !line.startsWith("-----"));
  return [
    ...body,
    base64(key).slice(8, 60),
    Buffer.from(key).toString("hex").slice(80, 160),
    Buffer.from(body.join(""), "base64").toString("hex").slice(20, 60),
  ];
}

beforeEach(async () => {
  world = await startWorld();
  const good = world.issue(["good.tail1a2b3.ts.net"]);
  const wrong = {
    certificatePem: good.certificatePem,
    keyPem: world.issue(["x.tail1a2b3.ts.net"]).keyPem,
  };
  const applied = world.issue(["applied.tail1a2b3.ts.net"]);
  const node = "privkey:0123456789abcdefcanary0123456789abcdef";
  const lastApplied = {
    "kubectl.kubernetes.io/last-applied-configuration": JSON.stringify({
      data: { "tls.key": base64(applied.keyPem) },
    }),
  };
  const annotated = ingressSecret("applied.tail1a2b3.ts.net", applied);
  world.put(
    ingressSecret("good.tail1a2b3.ts.net", good),
    ingressSecret("wrong.tail1a2b3.ts.net", wrong),
    { ...annotated, metadata: { ...annotated.metadata, annotations: lastApplied } },
    {
      metadata: { name: "operator", namespace: "tailscale", annotations: lastApplied },
      type: "Opaque",
      data: {
        _machinekey: base64(node),
        authkey: base64(node),
        "good.tail1a2b3.ts.net.crt": base64(wrong.keyPem),
        "good.tail1a2b3.ts.net.key": base64(`${good.keyPem}${node}`),
      },
    },
  );
  canaries = [...[good, wrong, applied].flatMap(({ keyPem }) => forms(keyPem)), node, base64(node)];
});
afterEach(() => world.stop());

/** Everything that leaves the process but what is sealed. */
function everything(
  report: AuditReport | null,
  errors: readonly unknown[],
  notes: readonly string[],
): string {
  const nowMs = world.nowMs;
  const told =
    report === null
      ? []
      : [
          JSON.stringify(auditDocument(report, nowMs)),
          auditText(
            report.clusters.map((cluster) => ({
              ...cluster,
              ignored: 0,
              valuesRead: 0,
              unfilteredFullListings: 0,
            })),
            { nowMs, width: 100, style: PLAIN, stores: null },
          ),
          inspect(report, { depth: 12, showHidden: true, maxStringLength: Infinity }),
        ];
  return [
    ...told,
    ...notes,
    ...errors.map((error) =>
      inspect(error, { depth: 12, showHidden: true, maxStringLength: Infinity }),
    ),
    ...[...world.states.states.values()].map(({ text }) => text),
    ...[...world.backups.blobs].flatMap(([key, bytes]) => [key, new TextDecoder().decode(bytes)]),
  ].join("\n");
}

function expectNothingLeaked(text: string, where: string): void {
  for (const canary of canaries)
    expect(text.includes(canary), `${where}: ${canary.slice(0, 12)}…`).toBe(false);
}

describe("key bytes", () => {
  it("would be found if they leaked", () => {
    expect(() => expectNothingLeaked(`log: ${canaries[0]}`, "a leak")).toThrow("a leak");
  });

  it("are nowhere but inside encrypted backups, whatever fails", async () => {
    const notes: string[] = [];
    const ports = { progress: { step: () => {}, note: (text: string) => notes.push(text) } };
    expectNothingLeaked(everything(await world.audit({ ports }), [], notes), "a good audit");
    const calls = world.faults.calls.length;
    for (let nth = 1; nth <= calls; nth += 1) {
      world.backups.blobs.clear();
      world.states.states.clear();
      world.faults.clear();
      world.faults.add({ nth, when: "after" });
      expectNothingLeaked(everything(await world.audit({ ports }), [], notes), `store call ${nth}`);
    }
    world.faults.clear();
  });

  it.each([
    ["answers cut short", { kind: "truncate" as const, keptBytes: 3000 }],
    [
      "a server error that holds the request",
      { kind: "status" as const, status: 500, body: "PLANTED" },
    ],
    ["a refusal that holds the Secret", { kind: "status" as const, status: 403, body: "PLANTED" }],
    ["connections cut", { kind: "cut" as const, when: "after" as const }],
    [
      "an answer that is no JSON",
      { kind: "status" as const, status: 200, body: "<html>PLANTED</html>" },
    ],
  ])("are not in what is told of %s", async (_, fault) => {
    const planted = canaries.join(" ");
    world.sandbox.intercept(({ path }) =>
      path.includes("/secrets")
        ? "body" in fault
          ? { ...fault, body: fault.body.replace("PLANTED", planted) }
          : fault
        : undefined,
    );
    const errors: unknown[] = [];
    const report = await world.audit().catch((error: unknown) => {
      errors.push(error);
      return null;
    });
    expect(errors).toEqual([]);
    expectNothingLeaked(everything(report, errors, []), "a failing server");
  });

  it("are not in a state as of another instant, nor after the certificates expired", async () => {
    world.nowMs += 200 * DAY_MS;
    expectNothingLeaked(everything(await world.audit(), [], []), "expired");
  });
});

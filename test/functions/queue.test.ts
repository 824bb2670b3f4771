/**
 * Fifty clusters through the real dispatch, messages and audits, on a queue that behaves as SQS
 * does.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { beforeEach, describe, expect, it } from "vitest";
import { createSqsQueue } from "../../lib/adapters/aws/queue.ts";
import { createKit } from "../../lib/wiring/kit.ts";
import { parseAuditEvent } from "../../lib/config/event.ts";
import { CertkeepError } from "../../lib/error.ts";
import { createIssuer } from "../../lib/issuer/issuers.ts";
import type { ClusterReader } from "../../lib/ports/cluster.ts";
import { createAuthority } from "../support/pki.ts";
import type { StateDocument } from "../../lib/state/document.ts";
import type { AuditPorts } from "../../lib/usecases/audit/context.ts";
import { dispatch } from "../../functions/dispatch.ts";
import { auditMessages } from "../../functions/audit.ts";
import { loadState, stateName } from "../../lib/usecases/states.ts";
import { createMemoryCluster } from "../support/cluster.ts";
import { createMemoryBlobs, createMemoryStates } from "../support/memory.ts";
import { SimulatedClock, SimulatedQueue } from "../support/sqs.ts";
import { keepTelemetry, type KeptTelemetry } from "../support/telemetry.ts";
import { base64, DAY_MS } from "../support/world.ts";

const START = Date.parse("2026-06-01T12:00:00Z");
const MINUTE = 60_000;
const INTERVAL_MINUTES = 15;
const AUDIT_MS = 20_000;
const CLUSTERS = Array.from({ length: 50 }, (_, index) => `c${String(index).padStart(2, "0")}`);
const [HUNG, UNREACHABLE, DAMAGED] = ["c07", "c13", "c21"] as const;

const authority = createAuthority({ name: "Test" });
const kit = createKit([
  createIssuer({
    id: "test",
    title: "Test",
    anchorsPem: authority.root.pem,
    intermediatesPem: authority.intermediates.map(({ pem }) => pem).join(""),
  }),
]);
const pair = authority.issue({
  names: ["a.example.com"],
  notBefore: new Date(START - 10 * DAY_MS),
  notAfter: new Date(START + 80 * DAY_MS),
});

let clock: SimulatedClock;
let queue: SimulatedQueue;
let telemetry: KeptTelemetry;
let states: ReturnType<typeof createMemoryStates>;
let readers: Map<string, ClusterReader>;

beforeEach(() => {
  clock = new SimulatedClock(START);
  telemetry = keepTelemetry();
  states = createMemoryStates();
  readers = new Map(
    CLUSTERS.map((name, index) => {
      const cluster = createMemoryCluster(
        `00000000-0000-0000-0000-0000000000${String(index).padStart(2, "0")}`,
      );
      for (const secret of ["web", "api"])
        cluster.put({
          namespace: "shop",
          name: secret,
          type: "kubernetes.io/tls",
          labels: {},
          data: { "tls.crt": base64(pair.certificatePem), "tls.key": base64(pair.keyPem) },
        });
      return [name, cluster.reader];
    }),
  );
  queue = new SimulatedQueue(
    clock,
    { visibilityMs: 30 * MINUTE, maxReceiveCount: 3, maximumConcurrency: 5, timeoutMs: 5 * MINUTE },
    async (event, _remaining, signal) => {
      const parsed = parseAuditEvent(event);
      if (parsed.kind !== "queue") throw new Error("no messages");
      return auditMessages(parsed.receipts, {
        ...telemetry,
        audit: ports(signal),
        target: async (name) => targetOf(name, signal),
      });
    },
  );
});

const nowMs = (): number => clock.nowMs;

function ports(signal: AbortSignal): AuditPorts {
  return {
    backups: createMemoryBlobs(),
    states,
    sealer: { seal: async () => "" },
    clock: { nowMs },
    kit,
    progress: { step: () => {}, note: () => {} },
    dryRun: false,
    signal,
  };
}

function targetOf(name: string, signal: AbortSignal) {
  const reader = readers.get(name);
  if (reader === undefined) return null;
  const identity = async () => {
    if (name === UNREACHABLE)
      throw new CertkeepError("cluster_unreachable", {
        where: `cluster ${name}`,
        found: "nobody answers",
      });
    await clock.sleep(name === HUNG ? 24 * 60 * MINUTE : AUDIT_MS, signal);
    if (signal.aborted)
      throw new CertkeepError("deadline", { where: `cluster ${name}`, found: "the time was over" });
    return reader.identity();
  };
  const settings = {
    namespaces: null,
    selector: null,
    secrets: [],
    operatorNamespace: "tailscale",
    operatorSecret: "operator",
    recipients: [],
    copiesPerDay: 1000,
  };
  return {
    name,
    title: name,
    server: `https://${name}`,
    homeNamespace: null,
    reader: { ...reader, identity },
    settings,
  };
}

/** The schedule, for so many turns. */
async function schedule(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) {
    await dispatch(
      {
        states,
        queue: createSqsQueue("https://sqs/audits", queue.client()),
        clock: { nowMs },
        log: telemetry.log,
      },
      CLUSTERS,
      INTERVAL_MINUTES,
    );
    await clock.runUntil(clock.nowMs + INTERVAL_MINUTES * MINUTE);
  }
}
async function stateOf(name: string): Promise<StateDocument> {
  const loaded = await loadState(states, name);
  if (loaded === null) throw new Error(`${name} has no state`);
  return loaded.state;
}
const clusterOf = ({ body }: { readonly body: string }): string =>
  (JSON.parse(body) as { cluster: string }).cluster;

describe("fifty clusters, one that hangs, two that fail", () => {
  it("all others are done within the interval, at the given concurrency", async () => {
    states.states.set(stateName(DAMAGED), { revision: 1, text: "{" });
    await schedule(1);
    expect(queue.mostAtOnce).toBe(5);
    for (const name of CLUSTERS.filter(
      (one) => ![HUNG, UNREACHABLE, DAMAGED].includes(one as typeof HUNG),
    )) {
      const { audit, secrets } = await stateOf(name);
      expect(audit?.complete, `${name}`).toBe(true);
      expect(Object.keys(secrets)).toHaveLength(2);
      expect(Date.parse(audit?.finishedAt ?? ""), `${name}`).toBeLessThan(START + 8 * MINUTE);
    }
    // The one that hangs says so in time, and holds one function at most; it is no failed message.
    const hung = await stateOf(HUNG);
    expect(hung.audit).toMatchObject({ complete: false, unread: [{ code: "deadline" }] });
    expect(Object.values((await stateOf(UNREACHABLE)).findings).map(({ code }) => code)).toContain(
      "cluster_unreachable",
    );
    expect(queue.ended).toEqual({ done: 49, failed: 1, killed: 0 });
    expect(telemetry.numbers).toEqual({ AuditsFinished: 49, AuditsIncomplete: 2, Failures: 1 });
  });

  it(
    "turn after turn only what is really bad reaches the dead-letter queue, and nothing is left " +
      "out",
    async () => {
      states.states.set(stateName(DAMAGED), { revision: 1, text: "{" });
      queue.put("poison");
      await schedule(8);
      expect(
        new Set(queue.dead.map(({ body }) => (body === "poison" ? body : clusterOf({ body })))),
      ).toEqual(new Set([DAMAGED, "poison"]));
      expect(queue.dead.every(({ receives }) => receives === 3)).toBe(true);
      expect(telemetry.numbers.MessagesTooOld).toBeUndefined();
      expect(telemetry.numbers.AuditsFinished).toBe(8 * 49);
      expect(queue.ended.killed).toBe(0);
      for (const name of CLUSTERS.filter((one) => one !== DAMAGED))
        expect(
          Date.parse((await stateOf(name)).audit?.finishedAt ?? ""),
          `${name}`,
        ).toBeGreaterThan(clock.nowMs - INTERVAL_MINUTES * MINUTE);
    },
  );

  it(
    "after an outage what waited past its interval is dropped and counted, and the newest is " +
      "worked",
    async () => {
      queue.enabled = false;
      await schedule(4);
      expect(queue.waiting()).toBe(200);
      await dispatch(
        {
          states,
          queue: createSqsQueue("https://sqs/audits", queue.client()),
          clock: { nowMs },
          log: telemetry.log,
        },
        CLUSTERS,
        INTERVAL_MINUTES,
      );
      queue.enabled = true;
      queue.poll();
      await clock.runUntil(clock.nowMs + INTERVAL_MINUTES * MINUTE);
      // The last turn of the outage is just an interval old when the queue is taken up again; of it,
      // some wait a little longer.
      expect(telemetry.numbers.MessagesTooOld ?? 0).toBeGreaterThanOrEqual(150);
      expect(
        (telemetry.numbers.MessagesTooOld ?? 0) + (telemetry.numbers.AuditsFinished ?? 0),
      ).toBe(250);
      expect(queue.dead).toEqual([]);
      for (const name of CLUSTERS) expect((await stateOf(name)).audit, `${name}`).not.toBeNull();
    },
  );

  it("memory stays flat over hundreds of messages", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const heapMb = (): number => {
      collect();
      return process.memoryUsage().heapUsed / 1e6;
    };
    await schedule(2);
    const before = heapMb();
    await schedule(10);
    telemetry.lines.length = 0;
    expect(heapMb() - before).toBeLessThan(16);
  });
});

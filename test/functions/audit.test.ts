/**
 * Messages of the queue: what is acknowledged, what fails and comes again, and that twice is as
 * once.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createKit } from "../../lib/wiring/kit.ts";
import { formatMessage, type Receipt, parseMessage } from "../../lib/config/event.ts";
import { CertkeepError } from "../../lib/error.ts";
import type { StateDocument } from "../../lib/state/document.ts";
import {
  auditDirect,
  auditMessages,
  type BatchAnswer,
  type MessagePorts,
} from "../../functions/audit.ts";
import { keepTelemetry, type KeptTelemetry } from "../support/telemetry.ts";
import { createMemorySearch, loggingIssuer } from "../support/logged.ts";
import { ingressSecret, startWorld, type World } from "../support/world.ts";

const MINUTE = 60_000;

let world: World;
let telemetry: KeptTelemetry;
beforeEach(async () => {
  world = await startWorld();
  telemetry = keepTelemetry();
  for (const host of ["a", "b", "c"])
    world.put(ingressSecret(`${host}.tail1a2b3.ts.net`, world.issue([`${host}.tail1a2b3.ts.net`])));
});
afterEach(() => world.stop());

function receipt(choice: Partial<Receipt> & { readonly body?: string } = {}): Receipt {
  const body =
    choice.body ??
    formatMessage({
      cluster: "prod",
      queuedAt: new Date(world.nowMs).toISOString(),
      intervalMinutes: 15,
    });
  return { id: "m1", receives: 1, sentMs: world.nowMs, parsed: parseMessage(body), ...choice };
}
function ports(choice: Partial<MessagePorts> = {}): MessagePorts {
  return {
    ...telemetry,
    audit: world.ports(),
    target: async (cluster) => (cluster === "prod" ? world.target() : null),
    ...choice,
  };
}
const work = (
  receipts: readonly Receipt[] = [receipt()],
  choice: Partial<MessagePorts> = {},
): Promise<BatchAnswer> => auditMessages(receipts, ports(choice));
const failed = (...ids: string[]): BatchAnswer => ({
  batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })),
});
const steps = (level: string): string[] =>
  telemetry.lines.filter((line) => line.level === level).map(({ step }) => step);

/** What must be the same however it came about. */
function essence(state: StateDocument): unknown {
  return {
    secrets: Object.entries(state.secrets)
      .map(([key, record]) => [
        key,
        record.resourceVersion,
        Object.values(record.certificates).map(({ sha256, copy, notKept }) => [
          sha256,
          copy?.version,
          notKept,
        ]),
      ])
      .toSorted(),
    copies: Object.keys(state.copies).toSorted(),
    findings: Object.keys(state.findings).toSorted(),
    identity: state.identity?.key,
  };
}

describe("a message", () => {
  it("is audited, acknowledged and counted", async () => {
    expect(await work()).toEqual(failed());
    expect(telemetry.numbers).toEqual({ AuditsFinished: 1, AuditsIncomplete: 0 });
    expect(telemetry.lines.map(({ step, fields }) => [step, fields["cluster"]])).toEqual([
      ["audit begins", "prod"],
      ["audit finished", "prod"],
    ]);
    expect(Object.keys((await world.state()).copies)).toHaveLength(3);
  });

  it.each([
    ["at its interval", 15 * MINUTE, 1, { AuditsFinished: 1, AuditsIncomplete: 0 }],
    ["past it, at its first receipt", 15 * MINUTE + 1, 1, { MessagesTooOld: 1 }],
    ["past it, at a later receipt", 90 * MINUTE, 2, { AuditsFinished: 1, AuditsIncomplete: 0 }],
    [
      "past it, of a queue that doesn't count",
      90 * MINUTE,
      null,
      { AuditsFinished: 1, AuditsIncomplete: 0 },
    ],
    ["from a clock ahead", -MINUTE, 1, { AuditsFinished: 1, AuditsIncomplete: 0 }],
  ])("%s", async (_, ageMs, receives, numbers) => {
    expect(await work([receipt({ sentMs: world.nowMs - ageMs, receives })])).toEqual(failed());
    expect(telemetry.numbers).toEqual(numbers);
  });

  it("has certificate logs asked once what was seen is saved, and is done whatever those say", async () => {
    const search = createMemorySearch(3, () => world.nowMs);
    const asking = {
      ...world.ports(),
      kit: createKit([loggingIssuer(world.authority)]),
      outside: {
        transparency: { source: search, domains: null },
        renewalInfo: null,
        revocation: null,
        endsIn: AbortSignal.timeout,
      },
    };
    expect(await work([receipt()], { audit: asking })).toEqual(failed());
    expect(search.asked.length).toBeGreaterThan(0);
    expect([...world.states.states.keys()].toSorted()).toEqual([
      "cluster-prod",
      "ct-tail1a2b3.ts.net",
    ]);
    expect(telemetry.lines.map(({ step }) => step)).toEqual([
      "audit begins",
      "audit finished",
      "certificate logs asked",
    ]);
    search.asked.length = 0;
    const unsaved = { ...asking, states: { ...world.states, write: async () => null } };
    expect(await work([receipt()], { audit: unsaved })).toEqual(failed("m1"));
    expect(search.asked).toEqual([]);
  });

  it("that is none fails, so that it ends in the dead-letter queue, and hides no good one", async () => {
    expect(
      await work([
        receipt({ id: "bad", body: "{" }),
        receipt({ id: "old", body: '{"format":0,"cluster":"prod"}' }),
        receipt({ id: "good" }),
      ]),
    ).toEqual(failed("bad", "old"));
    expect(steps("error")).toHaveLength(2);
    expect(telemetry.numbers).toEqual({ AuditsFinished: 1, AuditsIncomplete: 0, Failures: 2 });
  });

  it("of a cluster that isn't registered any more is acknowledged and said", async () => {
    const gone = formatMessage({
      cluster: "gone",
      queuedAt: "2026-01-01T00:00:00Z",
      intervalMinutes: 15,
    });
    expect(await work([receipt({ body: gone })])).toEqual(failed());
    expect(steps("warn")).toEqual(["not registered any more: nothing is audited"]);
    expect(telemetry.numbers).toEqual({});
  });

  it("of a cluster that can't be reached is done: that is a finding in its state", async () => {
    world.sandbox.intercept(() => ({ kind: "status", status: 503, body: "" }));
    expect(await work()).toEqual(failed());
    expect(telemetry.numbers).toEqual({ AuditsFinished: 1, AuditsIncomplete: 1 });
    expect(Object.values((await world.state()).findings).map(({ code }) => code)).toContain(
      "cluster_unreachable",
    );
  });

  it("whose state can't be read, is damaged, or can't be written, fails", async () => {
    world.faults.add({ call: "read", nth: 1, when: "before" });
    expect(await work()).toEqual(failed("m1"));
    world.faults.clear();
    world.faults.add({ call: "write", when: "before" });
    expect(await work()).toEqual(failed("m1"));
    world.faults.clear();
    world.states.states.set("cluster-prod", { revision: 1, text: "{" });
    expect(await work()).toEqual(failed("m1"));
    expect(telemetry.numbers).toEqual({ Failures: 3 });
    expect(world.states.states.get("cluster-prod")?.text).toBe("{");
  });

  it(
    "whose registration can't be read fails, and so does one that meets a fault of certkeep's " +
      "own, without its text",
    async () => {
      const trouble = (error: Error): Partial<MessagePorts> => ({
        target: () => Promise.reject(error),
      });
      expect(
        await work(
          [receipt()],
          trouble(
            new CertkeepError("store_unavailable", {
              where: "secretsmanager://x",
              found: "too many requests",
            }),
          ),
        ),
      ).toEqual(failed("m1"));
      expect(await work([receipt()], trouble(new TypeError("CANARY")))).toEqual(failed("m1"));
      expect(telemetry.text()).not.toContain("CANARY");
      expect(telemetry.lines.at(-1)?.fields).toMatchObject({ cluster: "prod", code: "internal" });
    },
  );

  it("stops before the time is over: what was seen is saved, the rest is said to be incomplete", async () => {
    const stop = new AbortController();
    world.sandbox.intercept(({ path }) => {
      if (path.includes("/secrets")) stop.abort();
      return undefined;
    });
    const { createClusterReader } = await import("../../lib/adapters/kubernetes/reader.ts");
    const { connect } = await import("../../lib/adapters/kubernetes/context.ts");
    const { parseKubeconfig } = await import("../../lib/adapters/kubernetes/kubeconfig.ts");
    const connection = await connect(parseKubeconfig(world.sandbox.kubeconfig(), "sandbox"), null, {
      environment: {},
      nowMs: () => world.nowMs,
    });
    const target = {
      ...(await world.target()),
      reader: createClusterReader(connection, { signal: stop.signal }),
    };
    expect(
      await work([receipt(), receipt({ id: "m2" })], {
        audit: { ...world.ports(), signal: stop.signal },
        target: async () => target,
      }),
    ).toEqual(failed("m2"));
    const { audit, findings } = await world.state();
    expect(audit?.unread.map(({ code }) => code)).toContain("deadline");
    expect(Object.values(findings).map(({ code }) => code)).toContain("audit_incomplete");
    expect(telemetry.numbers).toEqual({ AuditsFinished: 1, AuditsIncomplete: 1, Failures: 1 });
    world.sandbox.intercept(() => undefined);
    expect(await work()).toEqual(failed());
    expect((await world.state()).audit?.complete).toBe(true);
  });
});

describe("running it twice", () => {
  it("is as once: one message after the other, and two functions at a time", async () => {
    await work();
    const expected = essence(await world.state());
    await work([receipt({ receives: 2 })]);
    expect(essence(await world.state())).toEqual(expected);
    world.states.states.clear();
    world.backups.blobs.clear();
    expect(await Promise.all([work(), work(), work([receipt({ receives: 2 })])])).toEqual([
      failed(),
      failed(),
      failed(),
    ]);
    expect(essence(await world.state())).toEqual(expected);
    expect(world.backups.blobs.size).toBe(3);
  });

  it(
    "after a function died at any of its effects, the message's next receipt ends in the same " +
      "state",
    async () => {
      await work();
      const calls = world.faults.calls.length;
      const expected = essence(await world.state());
      expect(calls).toBeGreaterThan(6);
      for (let nth = 1; nth <= calls; nth += 1) {
        for (const when of ["before", "after"] as const) {
          world.states.states.clear();
          world.backups.blobs.clear();
          world.faults.clear();
          world.faults.add({ nth, when, error: () => new Error("killed") });
          // A fault of another kind than the project's ends the audit there and then, as a kill does.
          expect(await work(), `call ${nth} ${when}`).toEqual(failed("m1"));
          world.faults.clear();
          expect(await work([receipt({ receives: 2 })])).toEqual(failed());
          expect(essence(await world.state()), `call ${nth} ${when}`).toEqual(expected);
          expect(world.backups.blobs.size).toBe(3);
        }
      }
    },
  );
});

it("by hand audits what is named and tells what `certkeep audit --json` does", async () => {
  const document = (await auditDirect(
    { targets: [await world.target()], ports: world.ports(), config: { ignore: [], aws: null } },
    telemetry,
  )) as { schema: string; clusters: { cluster: string; complete: boolean }[] };
  expect(document.schema).toBe("certkeep.audit/v2");
  expect(document.clusters).toMatchObject([{ cluster: "prod", complete: true }]);
  expect(telemetry.numbers).toEqual({ AuditsFinished: 1, AuditsIncomplete: 0 });
});

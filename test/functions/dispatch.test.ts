/** Which clusters are queued: those that are due, once each, whatever else goes wrong. */
import { beforeEach, describe, expect, it } from "vitest";
import { parseMessage } from "../../lib/config/event.ts";
import type { Queue, QueueMessage } from "../../lib/ports/runtime.ts";
import { emptyState, formatState } from "../../lib/state/document.ts";
import { dispatch, type DispatchReport } from "../../functions/dispatch.ts";
import { createMemoryStates, Faults, type MemoryStates } from "../support/memory.ts";
import { keepTelemetry, type KeptTelemetry } from "../support/telemetry.ts";

const NOW = Date.parse("2026-06-01T12:00:00Z");
const MINUTE = 60_000;

let faults: Faults;
let states: MemoryStates;
let telemetry: KeptTelemetry;
let sent: QueueMessage[];
beforeEach(() => {
  faults = new Faults();
  states = createMemoryStates(faults);
  telemetry = keepTelemetry();
  sent = [];
});

async function put(name: string, agoMs: number): Promise<void> {
  const at = new Date(NOW - agoMs).toISOString();
  const audit = {
    startedAt: at,
    finishedAt: at,
    complete: true,
    lastCompleteAt: at,
    lastReachedAt: at,
    unread: [],
    secrets: 0,
    foreign: 0,
  };
  await states.write(
    `cluster-${name}`,
    formatState({ ...emptyState(name, name, "https://x"), audit }),
    null,
  );
}
function run(names: readonly string[], refuse: readonly string[] = []): Promise<DispatchReport> {
  const queue: Queue = {
    url: "https://sqs/q",
    send: async (messages) => {
      sent.push(...messages.filter(({ id }) => !refuse.includes(id)));
      return messages
        .filter(({ id }) => refuse.includes(id))
        .map(({ id }) => ({ id, code: "InternalError" }));
    },
  };
  return dispatch({ states, queue, clock: { nowMs: () => NOW }, log: telemetry.log }, names, 15);
}

describe("dispatch", () => {
  it("queues what was never audited, what is due, and what lies in the future; not what is fresh", async () => {
    await put("fresh", 2 * MINUTE);
    await put("due", 14.5 * MINUTE);
    await put("ahead", -3_600_000);
    const report = await run(["never", "fresh", "due", "ahead"]);
    expect(report).toEqual({
      registered: 4,
      queued: ["never", "due", "ahead"],
      fresh: ["fresh"],
      refused: [],
    });
    expect(sent.map(({ body }) => parseMessage(body))).toEqual(
      ["never", "due", "ahead"].map((cluster) => ({
        ok: true,
        message: { cluster, queuedAt: "2026-06-01T12:00:00Z", intervalMinutes: 15 },
      })),
    );
  });

  it("one message each, though a name stands twice", async () => {
    await run(["prod", "prod"]);
    expect(sent).toHaveLength(1);
  });

  it("a state that can't be read, or is damaged, is due and told", async () => {
    await put("fresh", MINUTE);
    states.states.set("cluster-torn", { revision: 1, text: "{" });
    expect((await run(["torn", "fresh"])).queued).toEqual(["torn"]);
    expect(telemetry.lines.find(({ level }) => level === "warn")?.fields).toMatchObject({
      cluster: "torn",
      code: "state_damaged",
    });
    faults.add({ call: "read", when: "before" });
    expect((await run(["torn", "fresh"])).queued).toEqual(["torn", "fresh"]);
  });

  it("without a cluster says so, and asks nobody", async () => {
    expect(await run([])).toMatchObject({ registered: 0, queued: [] });
    expect(telemetry.lines).toEqual([
      {
        level: "info",
        step: expect.stringContaining("no cluster is registered") as string,
        fields: {},
      },
    ]);
    expect(faults.calls).toEqual([]);
    expect(sent).toEqual([]);
  });

  it("what the queue refuses is told and hides no other; a queue that takes nothing is a failure", async () => {
    expect(await run(["a", "b"], ["a"])).toMatchObject({ queued: ["b"], refused: ["a"] });
    expect(
      telemetry.lines.filter(({ level }) => level === "error").map(({ fields }) => fields),
    ).toEqual([{ cluster: "a", code: "InternalError" }]);
    await expect(run(["a", "b"], ["a", "b"])).rejects.toThrow(
      "the queue accepted none of 2 messages (InternalError)",
    );
  });
});

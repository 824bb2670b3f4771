/**
 * A cluster that never ends costs its own time alone: what it was seen to hold is recorded, and the
 * others are reported.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { realTimer } from "../../lib/adapters/timer.ts";
import type { Timer } from "../../lib/ports/runtime.ts";
import { auditAll, type AuditReport } from "../../lib/usecases/audit.ts";
import { CLUSTER_MS } from "../../lib/usecases/audit/context.ts";
import type { AuditTarget } from "../../lib/usecases/audit/context.ts";
import { loadState } from "../../lib/usecases/states.ts";
import { ingressSecret, startWorld, type World } from "../support/world.ts";

const [GOOD, BAD] = ["good.tail1a2b3.ts.net", "bad.tail1a2b3.ts.net"];

let world: World;
let hostile: World;
let stuck: () => void;
let timer: Timer;

beforeEach(async () => {
  world = await startWorld();
  hostile = await startWorld();
  world.put(ingressSecret(GOOD, world.issue([GOOD], { noIntermediate: true })));
  const isStuck = new Promise<void>((resolve) => (stuck = resolve));
  let clusters = 0;
  // The time of the first cluster is over as soon as it is stuck; the other has all of its own.
  timer = {
    sleep: async (ms, signal) => {
      clusters += ms === CLUSTER_MS ? 1 : 0;
      await (ms === CLUSTER_MS && clusters === 1 ? isStuck : realTimer.sleep(ms, signal));
    },
  };
  hostile.put(ingressSecret(BAD, world.issue([BAD], { noIntermediate: true })));
});
afterEach(async () => {
  await world.stop();
  await hostile.stop();
});

async function auditBoth(
  change: (target: AuditTarget) => AuditTarget = (target) => target,
): Promise<AuditReport> {
  const bad = { ...change(await hostile.target({ observe: true })), name: "bad", title: "bad" };
  return auditAll([bad, await world.target()], { ...world.ports(), timer }, []);
}

function expectGood({ clusters, failed }: AuditReport): void {
  expect(failed).toEqual([]);
  const good = clusters.find(({ title }) => title === "prod");
  expect(good?.complete).toBe(true);
  expect(good?.findings.map(({ code }) => code)).toEqual(["certificate_invalid"]);
}

describe("a cluster that isn't read in its time", () => {
  it.each([
    ["hangs before it is known", /kube-system$/, "cluster"],
    ["hangs in a listing", /\/secrets$/, "rest"],
    ["hangs in a Secret", /\/secrets\/bad/, "rest"],
  ])("because it %s leaves the findings of the others", async (_name, pattern, scope) => {
    hostile.sandbox.intercept(({ path }) => {
      if (!pattern.test(path)) return undefined;
      stuck();
      return { kind: "hang" };
    });
    const report = await auditBoth();
    expectGood(report);
    const bad = report.clusters.find(({ title }) => title === "bad");
    expect(bad?.complete).toBe(false);
    expect(bad?.state.audit?.unread).toMatchObject([
      {
        scope,
        code: "deadline",
        message: "cluster bad: timed out before everything was read. The next audit reads the rest",
      },
    ]);
    expect((await loadState(world.states, "bad"))?.state.audit?.complete).toBe(false);
  });

  it("because it always lists more leaves what was listed, too", async () => {
    const report = await auditBoth((target) => ({
      ...target,
      reader: {
        ...target.reader,
        listSecrets: target.reader.listSecrets,
        async *listMetadata(scope) {
          yield* target.reader.listMetadata(scope);
          for (;;) {
            stuck();
            await new Promise((resolve) => setImmediate(resolve));
            yield [];
          }
        },
      },
    }));
    expectGood(report);
    expect(report.clusters.find(({ title }) => title === "bad")?.state.audit?.unread).toMatchObject(
      [{ scope: "rest", code: "deadline" }],
    );
  });

  it("in time leaves nothing waiting", async () => {
    const report = await auditBoth();
    expectGood(report);
    expect(report.clusters.map(({ complete }) => complete)).toEqual([true, true]);
  });
});

/**
 * The digest as a function: what is posted, what is counted, and what one route's trouble leaves
 * alone.
 */
import { beforeEach, describe, expect, it } from "vitest";
import { CertkeepError } from "../../lib/error.ts";
import type { Poster } from "../../lib/ports/slack.ts";
import { emptyState, formatState, type StateDocument } from "../../lib/state/document.ts";
import { DIGEST_NAME } from "../../lib/state/digest.ts";
import type { Route } from "../../lib/usecases/digest/deliver.ts";
import { digestAll, type DigestAnswer } from "../../functions/digest.ts";
import { BUILT_IN_ISSUERS } from "../../lib/issuer/issuers.ts";
import { createMemoryStates, Faults, type MemoryStates } from "../support/memory.ts";
import { keepTelemetry, type KeptTelemetry } from "../support/telemetry.ts";

const NOW = Date.parse("2026-06-01T12:00:00Z");
const MINUTE = 60_000;
const DAY = 86_400_000;

let faults: Faults;
let states: MemoryStates;
let telemetry: KeptTelemetry;
let nowMs: number;
let posts: string[];
beforeEach(() => {
  faults = new Faults();
  states = createMemoryStates(faults);
  telemetry = keepTelemetry();
  nowMs = NOW;
  posts = [];
});

const iso = (ms: number): string => new Date(ms).toISOString();

function certificate(validDays: number): StateDocument["secrets"][string]["certificates"][string] {
  const [notBefore, notAfter] = [iso(NOW - 60 * DAY), iso(NOW + validDays * DAY)];
  return {
    domain: null,
    names: ["a.example.com"],
    issuer: "letsencrypt",
    issuerName: "R1",
    staging: false,
    serial: "01",
    sha256: "ab".repeat(32),
    notBefore,
    notAfter,
    issuedAt: notBefore,
    issuedBy: "sct",
    keyFits: true,
    windows: [[notBefore, notAfter]],
    reasons: [],
    firstSeenAt: notBefore,
    copy: null,
    notKept: null,
    account: null,
  };
}
async function put(name: string, agoMs: number, validDays: readonly number[] = []): Promise<void> {
  const at = iso(nowMs - agoMs);
  const audit = {
    startedAt: at,
    finishedAt: at,
    complete: true,
    lastCompleteAt: at,
    lastReachedAt: at,
    unread: [],
    secrets: 1,
    foreign: 0,
  };
  const secrets = Object.fromEntries(
    validDays.map((days, index) => [
      `shop/s${index}`,
      {
        uid: "u",
        resourceVersion: "1",
        judgedWith: "1",
        recordedAt: at,
        shape: "tls",
        type: "kubernetes.io/tls",
        foreign: false,
        immutable: false,
        parent: null,
        certificates: { tls: certificate(days) },
        gaps: {},
        accounts: {},
      },
    ]),
  );
  await states.write(
    `cluster-${name}`,
    formatState({ ...emptyState(name, name, "https://x"), audit, secrets }),
    null,
  );
}
const taking: Poster = {
  post: async ({ text }) => {
    posts.push(text);
    return { ok: true };
  },
};
const refusing: Poster = {
  post: async () => ({
    ok: false,
    how: "revoked",
    code: "no_service",
    found: "it takes nothing any more",
    retryInMs: 0,
  }),
};
const route = (
  name: string,
  poster: Poster | null,
  problem: CertkeepError | null = null,
): Route => ({ name, clusters: null, severity: "info", poster, problem });
const noSecret = new CertkeepError("delivery_failed", {
  where: "digest route ops",
  found: "the secret is missing or empty",
});

function run(
  registered: readonly string[],
  routes: readonly Route[] = [route("ops", taking)],
): Promise<DigestAnswer> {
  const clock = { nowMs: () => nowMs };
  let ids = 0;
  return digestAll(
    {
      ...telemetry,
      report: { states, clock, issuance: { wall: clock, kit: { issuers: BUILT_IN_ISSUERS } } },
      digest: { states, clock, newId: () => `${(ids += 1)}` },
    },
    {
      scope: { registered, ignore: [] },
      settings: { atMinute: 480, weekday: 1 },
      routes,
      intervalMinutes: 15,
    },
  );
}

describe("what is counted", () => {
  it("certificates by verdict, the least days, and how many clusters are overdue", async () => {
    await put("fresh", MINUTE, [40, -1]);
    await put("old", 31 * MINUTE, [7.5]);
    await put("gone", MINUTE, [1]);
    const { metrics } = await run(["fresh", "old", "never"]);
    expect(metrics).toMatchObject({
      ClustersOverdue: 2,
      AuditingStalled: 0,
      CertificatesValid: 1,
      CertificatesInvalid: 1,
      CertificatesUnknown: 1,
      LeastDaysLeft: -1,
      DigestsUndelivered: 0,
    });
    expect(telemetry.numbers).toEqual(metrics);
  });

  it.each([
    ["no cluster is registered", [], 0, 0],
    ["one of two is audited", ["fresh", "never"], 1, 0],
    ["none is", ["old", "never"], 2, 1],
    ["the only audit is of a clock set wrong", ["ahead"], 1, 1],
    ["a state is damaged", ["torn"], 1, 1],
  ])("stalled: %s", async (_, registered, overdue, stalled) => {
    await put("fresh", 30 * MINUTE);
    await put("old", 30 * MINUTE + 1);
    await put("ahead", -DAY);
    states.states.set("cluster-torn", { revision: 1, text: "{" });
    expect((await run(registered)).metrics).toMatchObject({
      ClustersOverdue: overdue,
      AuditingStalled: stalled,
    });
  });
});

describe("routes", () => {
  it(
    "a missing secret, a dead webhook and a failing record are each their own trouble, told and " +
      "counted",
    async () => {
      await put("prod", MINUTE, [40]);
      const answer = await run(
        ["prod"],
        [route("none", null, noSecret), route("dead", refusing), route("ops", taking)],
      );
      expect(
        answer.routes.map(({ name, delivered, failure }) => [
          name,
          delivered,
          failure?.code ?? null,
        ]),
      ).toEqual([
        ["none", 0, "delivery_failed"],
        ["dead", 0, "delivery_failed"],
        ["ops", 1, null],
      ]);
      expect(posts).toHaveLength(1);
      expect(telemetry.numbers.DigestsUndelivered).toBe(2);
      expect(
        telemetry.lines
          .filter(({ level }) => level === "error")
          .map(({ fields }) => fields["route"]),
      ).toEqual(["none", "dead"]);
    },
  );

  it("a record that can't be written for one is a failure that the others don't share", async () => {
    await put("prod", MINUTE, [40]);
    faults.clear();
    faults.add({ call: "write", nth: 1, when: "before" });
    const answer = await run(["prod"], [route("first", taking), route("second", taking)]);
    expect(
      answer.routes.map(({ delivered, failure }) => [delivered, failure?.code ?? null]),
    ).toEqual([
      [0, "store_unavailable"],
      [1, null],
    ]);
  });

  it("without one says so, and without a cluster posts nothing, whatever states are left", async () => {
    await put("prod", MINUTE);
    await run(["prod"], []);
    expect(telemetry.lines.at(-1)?.step).toContain("has no route");
    await run([]);
    expect(posts).toEqual([]);
  });
});

describe("a digest function that runs twice", () => {
  it("at once or after it was killed at any effect, posts no second message for what was taken", async () => {
    await put("prod", MINUTE, [40]);
    await Promise.all([run(["prod"]), run(["prod"]), run(["prod"])]);
    expect(posts).toHaveLength(1);
    nowMs += 5 * MINUTE;
    await put("prod", 0, [40]);
    await run(["prod"]);
    expect(posts).toHaveLength(1);
  });

  it(
    "and was killed at any call of the store posts the message, at most once more than it was " +
      "recorded",
    async () => {
      await put("prod", MINUTE, [40]);
      faults.clear();
      await run(["prod"]);
      const calls = faults.calls.length;
      for (let nth = 1; nth <= calls; nth += 1) {
        for (const when of ["before", "after"] as const) {
          posts = [];
          nowMs = NOW;
          states.states.delete(DIGEST_NAME);
          faults.clear();
          faults.add({ nth, when, error: () => new Error("killed") });
          await run(["prod"]).catch(() => null);
          faults.clear();
          // Past any claim of the killed one.
          nowMs += 5 * MINUTE;
          await run(["prod"]);
          await run(["prod"]);
          expect(posts.length, `call ${nth} ${when}`).toBeGreaterThan(0);
          expect(new Set(posts).size, `call ${nth} ${when}`).toBe(1);
          expect(posts.length, `call ${nth} ${when}`).toBeLessThanOrEqual(2);
          expect(
            JSON.parse((await states.read(DIGEST_NAME))?.text ?? "").routes.ops.outbox,
          ).toEqual([]);
        }
      }
    },
  );
});

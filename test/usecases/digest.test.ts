import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSlackPoster } from "../../lib/adapters/slack/poster.ts";
import type { PostedMessage, Poster, PostResult } from "../../lib/ports/slack.ts";
import { startSlackSink, type SlackSink } from "../support/slack.ts";
import { DIGEST_NAME } from "../../lib/state/digest.ts";
import { runDigest } from "../../lib/usecases/digest.ts";
import type { DigestPorts, Route } from "../../lib/usecases/digest/deliver.ts";
import { surveyStates } from "../../lib/usecases/report.ts";
import { saveState, stateName } from "../../lib/usecases/states.ts";
import { secret, NOW, NOW_MS } from "../finding/fixture.ts";
import { formatMs } from "../../lib/certificate/time.ts";
import { cluster, DAY, HOUR, lasting, later, ROUTE, SETTINGS } from "../report/support.ts";
import { createMemoryStates, Faults } from "../support/memory.ts";

let sink: SlackSink;
let nowMs: number;
let faults: Faults;
let states: ReturnType<typeof createMemoryStates>;
let ids: number;

beforeEach(async () => {
  sink = await startSlackSink();
  nowMs = NOW_MS;
  ids = 0;
  faults = new Faults();
  states = createMemoryStates(faults);
});
afterEach(() => sink.stop());

const good = cluster("prod", 3);
const bad = cluster("prod", 3, {
  "shop/web": secret({ certificates: { tls: lasting(3, "web.shop.example") } }),
});

function route(over: Partial<Route> = {}): Route {
  return {
    ...ROUTE,
    poster: createSlackPoster(sink.url, { sleep: async () => {}, timeoutMs: 500 }),
    problem: null,
    ...over,
  };
}

async function put(one = good, name = "prod"): Promise<void> {
  const known = await states.read(stateName(name));
  await saveState(states, name, { ...later(one, nowMs), cluster: name }, known?.revision ?? null);
}

function ports(): DigestPorts {
  return {
    states,
    clock: { nowMs: () => nowMs },
    newId: () => `m${(ids += 1)}`,
  };
}

async function digest(routes: readonly Route[] = [route()]) {
  const overview = await surveyStates(ports(), { registered: [], ignore: [] });
  return runDigest(ports(), { ...overview, settings: SETTINGS }, routes);
}

/** A poster that answers so, in order, and then takes everything. */
function answering(
  ...answers: readonly PostResult[]
): Poster & { readonly posts: PostedMessage[] } {
  const posts: PostedMessage[] = [];
  const left = [...answers];
  return {
    posts,
    post: async (message) => {
      posts.push(message);
      return left.shift() ?? { ok: true };
    },
  };
}

const failed = (how: Exclude<PostResult, { ok: true }>["how"], retryInMs = 0): PostResult => ({
  ok: false,
  how,
  code: `was_${how}`,
  retryInMs,
});

describe("a digest", () => {
  it("is posted once, however often it is run", async () => {
    await put();
    expect(await digest()).toEqual([{ name: "ops", delivered: 1, waiting: 0, failure: null }]);
    expect(await digest()).toEqual([{ name: "ops", delivered: 0, waiting: 0, failure: null }]);
    expect(sink.taken.map(({ text }) => text)).toEqual([
      "prod: 3 certificates OK, all 3 backed up",
    ]);
  });

  it("writes nothing when nothing is due", async () => {
    await put();
    await digest();
    const before = (await states.read(DIGEST_NAME))?.revision;
    nowMs += 5 * 60_000;
    await digest();
    expect((await states.read(DIGEST_NAME))?.revision).toBe(before);
  });

  it("goes to each route by its clusters and severity; one route's trouble is no other's", async () => {
    await put(bad);
    await put(good, "staging");
    const broken = answering(failed("revoked"));
    const outcomes = await digest([
      route({ name: "a", poster: broken }),
      route({ name: "b", clusters: ["stag*"] }),
      route({ name: "c", severity: "critical" }),
    ]);
    expect(
      outcomes.map(({ name, delivered, waiting, failure }) => [
        name,
        delivered,
        waiting,
        failure?.code ?? null,
      ]),
    ).toEqual([
      ["a", 0, 1, "delivery_failed"],
      ["b", 1, 0, null],
      ["c", 1, 0, null],
    ]);
    expect(sink.taken.map(({ text }) => text)).toEqual([
      "prod: 3 certificates OK, all 3 backed up",
      "web.shop.example in prod: expires in 3 days, renewal was due 27 days ago",
    ]);
  });

  it("stays queued while Slack fails, and is delivered later; the failure is told each time", async () => {
    await put();
    const poster = answering(failed("failed"), failed("failed"));
    expect((await digest([route({ poster })]))[0]).toMatchObject({
      delivered: 0,
      waiting: 1,
      failure: { code: "delivery_failed" },
    });
    expect((await digest([route({ poster })]))[0]).toMatchObject({
      delivered: 0,
      waiting: 1,
      failure: { code: "delivery_failed" },
    });
    nowMs += 5 * 60_000;
    expect(await digest([route({ poster })])).toEqual([
      { name: "ops", delivered: 1, waiting: 0, failure: null },
    ]);
    expect(poster.posts).toHaveLength(3);
  });

  it("is tried again with growing pauses, at most hourly, whatever the answer is", async () => {
    for (const how of ["revoked", "busy", "failed", "foreign"] as const) {
      states = createMemoryStates(faults);
      nowMs = NOW_MS;
      await put();
      const dead = answering(...Array.from({ length: 99 }, () => failed(how)));
      const tries: number[] = [];
      for (let minute = 0; minute <= 300; minute += 1) {
        nowMs = NOW_MS + minute * 60_000;
        const before = dead.posts.length;
        expect((await digest([route({ poster: dead })]))[0]).toMatchObject({
          waiting: 1,
          failure: { code: "delivery_failed" },
        });
        if (dead.posts.length > before) tries.push(minute);
      }
      expect(tries).toEqual([0, 1, 6, 16, 36, 76, 136, 196, 256]);
    }
  });

  it("says when the next try is", async () => {
    await put();
    const poster = answering(failed("revoked"), failed("revoked"));
    const texts = [];
    for (let run = 0; run < 3; run += 1)
      texts.push((await digest([route({ poster })]))[0]?.failure?.parts.todo);
    expect(texts).toEqual([
      expect.stringMatching(/the next try is with the next run$/),
      expect.stringMatching(/the next try is in 5 minutes$/),
      "The next try is in 5 minutes",
    ]);
  });

  it("isn't held by a pause that a clock made which was ahead", async () => {
    await put();
    const poster = answering(failed("failed"), failed("failed"));
    nowMs = NOW_MS + 400 * DAY;
    await digest([route({ poster })]);
    await digest([route({ poster })]);
    nowMs = NOW_MS;
    expect((await digest([route({ poster })]))[0]).toMatchObject({ delivered: 1, waiting: 0 });
  });

  it("isn't tried again before Slack said", async () => {
    await put();
    const poster = answering(failed("busy", 600_000));
    await digest([route({ poster })]);
    nowMs += 599_000;
    expect((await digest([route({ poster })]))[0]).toMatchObject({
      delivered: 0,
      waiting: 1,
      failure: { exitCode: 3 },
    });
    nowMs += 2000;
    expect((await digest([route({ poster })]))[0]).toMatchObject({ delivered: 1, waiting: 0 });
    expect(poster.posts).toHaveLength(2);
  });

  it("goes in a line where Slack refuses its blocks", async () => {
    await put();
    const poster = answering(failed("refused"));
    expect((await digest([route({ poster })]))[0]).toMatchObject({
      delivered: 1,
      waiting: 0,
      failure: null,
    });
    expect(poster.posts[1]).toMatchObject({ blocks: [] });
    expect(poster.posts[1]?.text).toContain("certkeep digest --dry-run");
  });

  it("piles up no news while one waits, but what is critical; nothing is lost", async () => {
    await put();
    const dead = answering(...Array.from({ length: 40 }, () => failed("failed")));
    await digest([route({ poster: dead })]);
    for (let day = 1; day <= 20; day += 1) {
      nowMs = NOW_MS + day * DAY;
      await put(day === 10 ? bad : good);
      const [outcome] = await digest([route({ poster: dead })]);
      expect(outcome?.waiting).toBe(day < 10 ? 1 : 2);
    }
    nowMs += HOUR;
    await put(good);
    expect((await digest())[0]).toMatchObject({ delivered: 2, waiting: 0, failure: null });
    expect(sink.taken.map(({ text }) => text)).toEqual([
      "prod: 3 certificates OK, all 3 backed up",
      "web.shop.example in prod: expired 7 days ago; no usable backup",
    ]);
  });

  it.each([
    ["was issued before it was lost", "restored, 0 issuances", -30 * DAY],
    ["was issued since", "reissued", 2 * HOUR],
  ])("says of a lost Secret whose certificate %s: %s", async (_name, how, issuedMs) => {
    const web = lasting(60, "web.shop.example");
    const lost = { how: "lost", incident: null, lostAt: NOW, lastSeenAt: NOW };
    const record = secret({ certificates: { tls: web } });
    await put({ ...good, lost: { "shop/web": { ...lost, record } } });
    await digest();
    const issuedAt = formatMs(NOW_MS + issuedMs);
    const back = cluster("prod", 3, {
      "shop/web": secret({ certificates: { tls: { ...web, issuedAt } } }),
    });
    for (const hours of [4, 20]) {
      nowMs = NOW_MS + hours * HOUR;
      await put(back);
      await digest();
    }
    expect(sink.taken.map(({ text }) => text)).toEqual([
      expect.stringMatching(/^web.shop.example in prod: Secret missing/),
      `Resolved: web.shop.example in prod: ${how}`,
    ]);
  });

  it("has no webhook: what is due waits, and that is told", async () => {
    await put();
    const problem =
      (await digest([route({ poster: answering(failed("revoked")) })]))[0]?.failure ?? null;
    expect((await digest([route({ poster: null, problem })]))[0]).toEqual({
      name: "ops",
      delivered: 0,
      waiting: 1,
      failure: problem,
    });
  });

  it("is made of what can be read: a damaged state is told, and hides no other", async () => {
    await put();
    await states.write(stateName("broken"), "{", null);
    await states.write(stateName("newer"), '{"readableFrom": 99}', null);
    const overview = await surveyStates(ports(), {
      registered: ["prod", "broken", "newer", "never"],
      ignore: [],
    });
    expect(overview.problems.map(({ code }) => code)).toEqual([
      "state_damaged",
      "state_format_newer",
    ]);
    expect(overview.summaries.map(({ cluster: name, sight }) => [name, sight])).toEqual([
      ["broken", "unreadable"],
      ["newer", "unreadable"],
      ["prod", "now"],
      ["never", "never"],
    ]);
    expect(
      (await surveyStates(ports(), { registered: ["prod"], ignore: [] })).unregistered,
    ).toEqual(["broken", "newer"]);
  });

  it("takes a state with instants that are none for damaged", async () => {
    await put({
      ...good,
      secrets: { "a/b": secret({ certificates: { tls: lasting(3, "x", { notAfter: "soon" }) } }) },
    });
    const { summaries } = await surveyStates(ports(), { registered: [], ignore: [] });
    expect(summaries.map(({ sight }) => sight)).toEqual(["unreadable"]);
  });

  it("refuses to go on over a damaged record of digests", async () => {
    await put();
    await states.write(DIGEST_NAME, '{"format":1,"readableFrom":1,"routes":{"ops":[]}}', null);
    await expect(digest()).rejects.toMatchObject({ code: "state_damaged" });
    expect(sink.taken).toEqual([]);
  });
});

describe("a digest that is killed", () => {
  it(
    "at any call of the store, before or after it took effect, is delivered by a later run: at " +
      "least once, and twice at most",
    async () => {
      const outcomes: string[] = [];
      for (const when of ["before", "after"] as const) {
        for (let nth = 1; nth <= 12; nth += 1) {
          faults.clear();
          states = createMemoryStates(faults);
          nowMs = NOW_MS;
          await put();
          const poster = answering();
          const overview = await surveyStates(ports(), { registered: [], ignore: [] });
          const inputs = { ...overview, settings: SETTINGS };
          faults.clear();
          faults.add({ nth, when });
          const dead = await runDigest(ports(), inputs, [route({ poster })]).then(
            () => false,
            () => true,
          );
          faults.clear();
          // The claim of the dead run is respected, and then it isn't any more.
          await runDigest(ports(), inputs, [route({ poster })]);
          nowMs += 3 * 60_000;
          const [last] = await runDigest(ports(), inputs, [route({ poster })]);
          expect(last).toMatchObject({ waiting: 0, failure: null });
          outcomes.push(`${dead ? "killed" : "done"} ${poster.posts.length}`);
          expect(poster.posts.length).toBeGreaterThanOrEqual(1);
          expect(poster.posts.length).toBeLessThanOrEqual(2);
        }
      }
      expect(outcomes).toContain("killed 1");
      expect(outcomes).toContain("killed 2");
      expect(outcomes).toContain("done 1");
    },
  );

  it("between Slack's taking and its answer repeats that one message only", async () => {
    await put();
    sink.fail({ kind: "taken_and_cut" });
    await digest();
    expect(sink.taken).toHaveLength(2);
    expect(new Set(sink.taken.map(({ text }) => text)).size).toBe(1);
  });

  it("two at a time post it once", async () => {
    await put();
    const poster = answering();
    await Promise.all([
      digest([route({ poster })]),
      digest([route({ poster })]),
      digest([route({ poster })]),
    ]);
    nowMs += HOUR;
    await digest([route({ poster })]);
    expect(poster.posts).toHaveLength(1);
  });
});

it("keeps the webhook out of the record, whatever happens", async () => {
  await put();
  sink.revoke();
  const [outcome] = await digest();
  const token = sink.url.split("/").at(-1) ?? "none";
  expect(outcome?.failure?.message).toContain("the webhook was revoked");
  expect(
    JSON.stringify(outcome?.failure) +
      (outcome?.failure?.message ?? "") +
      ((await states.read(DIGEST_NAME))?.text ?? ""),
  ).not.toContain(token);
});

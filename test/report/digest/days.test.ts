import { describe, expect, it } from "vitest";
import { slackView } from "../../../lib/demo/slack.ts";
import type { DigestInput, DigestPlan } from "../../../lib/report/digest.ts";
import { fitForSlack, lengthOf, slackMessage } from "../../../lib/report/slack/blocks.ts";
import { digestText } from "../../../lib/report/digest/text.ts";
import type { Message } from "../../../lib/report/digest/message.ts";
import { PLAIN } from "../../../lib/report/text.ts";
import type { RouteRecord } from "../../../lib/state/digest.ts";
import { type Scenario, SCENARIOS } from "../../support/scenarios.ts";
import { takeMessage } from "../../support/slack.ts";
import { NOW_MS } from "../../finding/fixture.ts";
import { cluster, DAY, HOUR, later, plan, unreachable } from "../support.ts";

/** The first digest is out, nothing was reported yet, and the day's digest is due. */
const NOTHING_SAID: RouteRecord = {
  postMs: NOW_MS,
  dailyMs: NOW_MS - DAY,
  clockMs: 0,
  said: {},
  outbox: [],
  failure: null,
};

function planOf({ summaries, nowMs }: Scenario, over: Partial<DigestInput> = {}): DigestPlan {
  return plan([], { summaries, nowMs, record: NOTHING_SAID, ...over });
}

function messageOf({ message }: DigestPlan): Message {
  if (message === null) throw new Error("nothing was said");
  return message;
}

/** The day as people read it, in a terminal and in Slack: the files beside the other outputs'. */
async function expectDay(name: string, digest: DigestPlan): Promise<void> {
  const message = messageOf(digest);
  const sent = slackMessage(message);
  expect(takeMessage(JSON.stringify(sent))).toEqual(sent);
  expect(lengthOf(sent)).toBeLessThan(10_000);
  // Slack shows the elements of one block in a row: notes would run into each other.
  for (const block of sent.blocks)
    if (block.type === "context") expect(block.elements).toHaveLength(1);
  for (const width of [80, 120])
    await expect(`${digestText(message, { width, style: PLAIN })}\n`).toMatchFileSnapshot(
      `../fixtures/digest-${name}-${width}.txt`,
    );
  await expect(`${slackView(sent, { width: 120, style: PLAIN })}\n`).toMatchFileSnapshot(
    `../fixtures/digest-${name}-slack.txt`,
  );
}

/** Lines that Slack shows of the problems, on a wide screen. */
function lineCount(message: Message): number {
  const { notices, rest } = fitForSlack(message);
  return notices.reduce(
    (sum, { lines, commands }) => sum + 1 + lines.length + commands.length,
    rest === null ? 0 : 1,
  );
}

describe("a digest", () => {
  it.each(["badDay", "badDayOfOne", "nearExpiry", "nearLimit", "rejectedCredential"] as const)(
    "of %s names what happened and the command that helps",
    async (name) => {
      await expectDay(name, planOf(SCENARIOS[name]()));
    },
  );

  it("of a bad day has at most ten lines before it counts the rest", () => {
    expect(lineCount(messageOf(planOf(SCENARIOS.badDay())))).toBeLessThanOrEqual(11);
    expect(lineCount(messageOf(planOf(SCENARIOS.firstAudit())))).toBeLessThanOrEqual(11);
  });

  it("of 59 certificates with one cause has one notice", () => {
    const { notices } = messageOf(planOf(SCENARIOS.firstAudit()));
    const [of59] = notices.filter(({ title }) => JSON.stringify(title).includes("59 certificates"));
    expect(of59).toBeDefined();
    expect(JSON.stringify(notices)).not.toContain('"mismatch59.example.com"');
  });

  it("of the first run is a short summary", async () => {
    await expectDay("first-healthy", planOf(SCENARIOS.healthy(), { record: null }));
    await expectDay("first-of-2000", planOf(SCENARIOS.firstAudit(), { record: null }));
  });

  it("of a quiet day isn't sent; once a week it is one line", async () => {
    const quiet = SCENARIOS.quietWeek();
    const { record } = planOf(quiet, { record: null });
    expect(planOf(quiet, { record }).message).toBeNull();
    const lastWeek = { ...record, postMs: NOW_MS - 7 * DAY, dailyMs: NOW_MS - DAY };
    const weekly = planOf(quiet, { record: lastWeek });
    await expectDay("quietWeek", weekly);
    expect(slackMessage(messageOf(weekly)).blocks).toHaveLength(1);
  });

  it("says what is resolved, and how", async () => {
    const bad = SCENARIOS.badDayOfOne();
    const { record } = planOf(bad, { record: null });
    const tomorrow = NOW_MS + 20 * HOUR;
    const states = SCENARIOS.healthy().states.map((one) => later(one, tomorrow));
    const seen = plan(states, { record, nowMs: tomorrow - 2 * HOUR });
    const issuedNow: DigestInput["issuedNow"] = ({ label }) =>
      label.startsWith("shop.") ? NOW_MS - 20 * DAY : NOW_MS + HOUR;
    await expectDay("resolved", plan(states, { record: seen.record, nowMs: tomorrow, issuedNow }));
  });

  it("of an outage of all calls nothing OK", async () => {
    const { record } = plan([cluster("prod", 40), cluster("staging", 12)]);
    const blind = plan(
      [unreachable("prod", 40, NOW_MS - 9 * HOUR), unreachable("staging", 12, NOW_MS - 30 * HOUR)],
      { record, nowMs: NOW_MS + HOUR },
    );
    expect(JSON.stringify(messageOf(blind).notes)).not.toContain("OK");
    await expectDay("outage", blind);
  });
});

import { describe, expect, it } from "vitest";
import { digestText } from "../../../lib/report/digest/text.ts";
import type { DigestPlan } from "../../../lib/report/digest.ts";
import { PLAIN } from "../../../lib/report/text.ts";
import { lengthOf, slackMessage } from "../../../lib/report/slack/blocks.ts";
import { takeMessage } from "../../support/slack.ts";
import { copy, NOW_MS, secret } from "../../finding/fixture.ts";
import { cluster, DAY, HOUR, lasting, later, plan, unreachable } from "../support.ts";

/** The day as people read it: the file beside this test. */
async function expectDay(name: string, { message }: DigestPlan): Promise<void> {
  if (message === null) throw new Error("nothing was said");
  const sent = slackMessage(message);
  expect(takeMessage(JSON.stringify(sent))).toEqual(sent);
  expect(lengthOf(sent)).toBeLessThan(10_000);
  await expect(`${digestText(message, { width: 100, style: PLAIN })}\n`).toMatchFileSnapshot(
    `${name}.txt`,
  );
}

const prod = cluster("prod", 40);
const staging = cluster("staging", 12);

describe("a digest", () => {
  it("of a quiet day isn't sent; once a week it is a sign of life", async () => {
    const { record } = plan([prod, staging]);
    const tomorrow = NOW_MS + DAY;
    expect(
      plan(
        [prod, staging].map((one) => later(one, tomorrow)),
        { record, nowMs: tomorrow },
      ).message,
    ).toBeNull();
    const monday = NOW_MS + 7 * DAY - 4 * HOUR;
    await expectDay(
      "quiet",
      plan(
        [prod, staging].map((one) => later(one, monday)),
        { record, nowMs: monday },
      ),
    );
  });

  it("of a bad day says what to do first", async () => {
    const { record } = plan([prod, staging]);
    const nowMs = NOW_MS + HOUR;
    const lost = {
      how: "lost",
      incident: null,
      lostAt: "2026-11-23T12:10:00Z",
      lastSeenAt: "2026-11-23T12:00:00Z",
    };
    const shop = cluster(
      "prod",
      38,
      {
        "shop/web": secret({ certificates: { tls: lasting(3, "web.shop.example") } }),
        "shop/pay": secret({ certificates: { tls: lasting(20, "pay.shop.example") } }),
        "shop/new": secret({ certificates: { tls: lasting(28, "new.shop.example") } }),
        "shop/odd": secret({
          certificates: {
            tls: lasting(50, "odd.shop.example", { windows: [], reasons: ["name_mismatch"] }),
          },
        }),
      },
      {
        copies: { v1: copy({ secret: "wiki", names: ["wiki.tail1a2b3.ts.net"] }) },
        lost: {
          "tailscale/wiki": {
            ...lost,
            record: secret({ certificates: { tls: lasting(70, "wiki.tail1a2b3.ts.net") } }),
          },
        },
      },
    );
    const many = Object.fromEntries(
      Array.from({ length: 30 }, (_, i) => [
        `web/s${i}`,
        secret({
          certificates: {
            tls: lasting(50, `s${i}.staging.example`, { windows: [], reasons: ["key_mismatch"] }),
          },
        }),
      ]),
    );
    const budgets = [
      {
        name: "wiki.tail1a2b3.ts.net",
        kind: "set" as const,
        remaining: 0,
        atLeast: 0,
        capacity: 5,
        overshot: false,
        nextSlotMs: nowMs + 5 * HOUR,
        fullAtMs: nowMs + 6 * DAY,
        levels: [],
        clusters: ["prod"],
      },
      {
        name: "tail1a2b3.ts.net",
        kind: "domain" as const,
        remaining: 9,
        atLeast: null,
        capacity: 50,
        overshot: false,
        nextSlotMs: nowMs + HOUR,
        fullAtMs: nowMs + 5 * DAY,
        levels: [],
        clusters: ["prod"],
      },
      {
        name: "shop.example",
        kind: "domain" as const,
        remaining: 49,
        atLeast: 40,
        capacity: 50,
        overshot: false,
        nextSlotMs: nowMs + HOUR,
        fullAtMs: nowMs + HOUR,
        levels: [],
        clusters: ["prod"],
      },
    ];
    await expectDay(
      "bad",
      plan(
        [shop, cluster("staging", 12, many)].map((one) => later(one, nowMs)),
        { record, nowMs, budgets },
      ),
    );
  });

  it("of the first run is a summary by cause", async () => {
    const many = Object.fromEntries(
      Array.from({ length: 25 }, (_, i) => [
        `web/s${i}`,
        secret({
          certificates: {
            tls: lasting(
              i % 2 === 0 ? 50 : 20,
              `s${i}.example.com`,
              i % 2 === 0 ? { windows: [], reasons: ["key_mismatch"] } : {},
            ),
          },
        }),
      ]),
    );
    await expectDay("first", plan([cluster("prod", 100, many), staging]));
  });

  it("of one cluster's outage says what is not known", async () => {
    const { record } = plan([prod, staging]);
    await expectDay(
      "outage",
      plan([unreachable("prod", 40, NOW_MS - 9 * HOUR), staging], { record, nowMs: NOW_MS + HOUR }),
    );
  });

  it("of an outage of all calls nothing fine", async () => {
    const { record } = plan([prod, staging]);
    const told = plan(
      [unreachable("prod", 40, NOW_MS - 9 * HOUR), unreachable("staging", 12, NOW_MS - 30 * HOUR)],
      { record, nowMs: NOW_MS + HOUR },
    );
    expect(told.message?.verdict).not.toContain("OK");
    await expectDay("blind", told);
  });
});

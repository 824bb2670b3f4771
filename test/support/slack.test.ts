import { describe, expect, it } from "vitest";
import { startSlackSink, takeMessage } from "./slack.ts";

const mrkdwn = (text: string) => ({ type: "mrkdwn", text });
const section = (text: string) => ({ type: "section", text: mrkdwn(text) });
const header = (text: string) => ({ type: "header", text: { type: "plain_text", text } });
const take = (value: unknown): unknown =>
  takeMessage(typeof value === "string" ? value : JSON.stringify(value));

describe("the fake Slack", () => {
  it.each<[string, unknown]>([
    ["50 blocks", { text: "t", blocks: Array.from({ length: 50 }, () => ({ type: "divider" })) }],
    ["a section of 3,000 characters", { text: "t", blocks: [section("x".repeat(3000))] }],
    ["a header of 150", { text: "t", blocks: [header("x".repeat(150))] }],
    [
      "10 fields of 2,000 in all",
      {
        text: "t",
        blocks: [
          { type: "section", fields: Array.from({ length: 10 }, () => mrkdwn("x".repeat(200))) },
        ],
      },
    ],
    [
      "10,000 characters in all",
      {
        text: "t",
        blocks: [
          section("x".repeat(3000)),
          section("x".repeat(3000)),
          section("x".repeat(3000)),
          section("x".repeat(1000)),
        ],
      },
    ],
    ["text alone", { text: "t" }],
  ])("takes %s", (_name, value) => {
    expect(take(value)).toMatchObject({ text: "t" });
  });

  it.each<[string, unknown, string]>([
    [
      "51 blocks",
      { text: "t", blocks: Array.from({ length: 51 }, () => ({ type: "divider" })) },
      "invalid_blocks",
    ],
    [
      "a section of 3,001 characters",
      { text: "t", blocks: [section("x".repeat(3001))] },
      "invalid_blocks",
    ],
    ["an empty section", { text: "t", blocks: [section("")] }, "invalid_blocks"],
    ["a header of 151", { text: "t", blocks: [header("x".repeat(151))] }, "invalid_blocks"],
    [
      "a header in mrkdwn",
      { text: "t", blocks: [{ type: "header", text: mrkdwn("x") }] },
      "invalid_blocks",
    ],
    [
      "11 fields",
      {
        text: "t",
        blocks: [{ type: "section", fields: Array.from({ length: 11 }, () => mrkdwn("x")) }],
      },
      "invalid_blocks",
    ],
    [
      "a field of 2,001",
      { text: "t", blocks: [{ type: "section", fields: [mrkdwn("x".repeat(2001))] }] },
      "invalid_blocks",
    ],
    [
      "11 elements of a context",
      {
        text: "t",
        blocks: [{ type: "context", elements: Array.from({ length: 11 }, () => mrkdwn("x")) }],
      },
      "invalid_blocks",
    ],
    ["a block that doesn't exist", { text: "t", blocks: [{ type: "marquee" }] }, "invalid_blocks"],
    [
      "a part that doesn't exist",
      { text: "t", blocks: [{ type: "divider", text: "x" }] },
      "invalid_blocks",
    ],
    [
      "10,001 characters in all",
      {
        text: "t",
        blocks: [
          section("x".repeat(3000)),
          section("x".repeat(3000)),
          section("x".repeat(3000)),
          section("x".repeat(1001)),
        ],
      },
      "msg_blocks_too_long",
    ],
    ["nothing", {}, "no_text"],
    ["no JSON", "{", "invalid_payload"],
    ["a list", [], "invalid_payload"],
  ])("refuses %s", (_name, value, word) => {
    expect(take(value)).toBe(word);
  });

  it("slows down who posts too fast, and says when to come back", async () => {
    const sink = await startSlackSink({ perSecond: 1, nowMs: () => 0 });
    const post = (): Promise<Response> =>
      fetch(sink.url, { method: "POST", body: JSON.stringify({ text: "t" }) });
    expect((await post()).status).toBe(200);
    const second = await post();
    expect([second.status, second.headers.get("retry-after"), await second.text()]).toEqual([
      429,
      "1",
      "rate_limited",
    ]);
    expect(sink.taken).toHaveLength(1);
    await sink.stop();
  });
});

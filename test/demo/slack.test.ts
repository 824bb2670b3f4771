import { describe, expect, it } from "vitest";
import { slackView } from "../../lib/demo/slack.ts";
import type { Block } from "../../lib/report/slack/blocks.ts";
import { PLAIN } from "../../lib/report/text.ts";

const section = (text: string): Block => ({ type: "section", text: { type: "mrkdwn", text } });
const context = (text: string): Block => ({
  type: "context",
  elements: [{ type: "mrkdwn", text }],
});

describe("a Slack message in a terminal", () => {
  it("shows what a reader would see, a mention that got through included", () => {
    const blocks = [
      section(
        ":warning: *a is not renewing*\n" +
          "`a&lt;b` expires <!date^0^{date}|1970-01-01 00:00 UTC>\n" +
          "<!channel> <https://evil.example|click>\n" +
          "```\ncertkeep explain a\n```",
      ),
      context("1 cluster: 3 certificates OK"),
    ];
    expect(
      slackView({ text: "t", blocks }, { width: 80, style: PLAIN })
        .split("\n")
        .map((line) => line.slice(2)),
    ).toEqual([
      "⚠️ a is not renewing",
      "a<b expires 1970-01-01 00:00 UTC",
      "@channel (a mention) https://evil.example (a link)",
      "    certkeep explain a",
      "",
      "1 cluster: 3 certificates OK",
    ]);
  });
});

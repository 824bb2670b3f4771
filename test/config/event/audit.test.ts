/**
 * What the auditing function is given: whatever it is, it ends in messages, names, or a plain
 * refusal.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatMessage, parseAuditEvent, parseMessage } from "../../../lib/config/event.ts";
import { isCertkeepError } from "../../../lib/error.ts";

const message = { cluster: "prod", queuedAt: "2026-06-01T12:00:00Z", intervalMinutes: 15 };

describe("a message", () => {
  it("comes back as it was written", () => {
    expect(parseMessage(formatMessage(message))).toEqual({ ok: true, message });
    expect(JSON.parse(formatMessage(message))).toEqual({ format: 1, ...message });
  });

  it("of a newer version with more in it is taken", () => {
    expect(parseMessage(JSON.stringify({ format: 1, ...message, hint: "more" }))).toEqual({
      ok: true,
      message,
    });
  });

  it.each([
    ["no JSON", "AGE-SECRET-KEY-1CANARY", "its 22 characters aren't JSON"],
    ["nothing", "", "its 0 characters aren't JSON"],
    ["a list", "[]", "it has no format 1"],
    ["null", "null", "it has no format 1"],
    ["an older format", JSON.stringify({ ...message, format: 0 }), "it has format 0, not 1"],
    ["a newer format", JSON.stringify({ ...message, format: 2 }), "it has format 2, not 1"],
    ["a format in quotes", JSON.stringify({ ...message, format: "1" }), "it has no format 1"],
    [
      "no cluster",
      JSON.stringify({ format: 1, queuedAt: "x", intervalMinutes: 15 }),
      "its cluster is invalid",
    ],
    [
      "a name that no cluster can have",
      JSON.stringify({ format: 1, ...message, cluster: "../prod" }),
      "its cluster is invalid",
    ],
    [
      "no interval",
      JSON.stringify({ format: 1, ...message, intervalMinutes: 0 }),
      "its intervalMinutes is invalid",
    ],
    [
      "an interval without end",
      JSON.stringify({ format: 1, ...message, intervalMinutes: 1e9 }),
      "its intervalMinutes is invalid",
    ],
  ])("that isn't one is told without its text: %s", (_, body, found) => {
    const parsed = parseMessage(body);
    expect(parsed).toMatchObject({ ok: false, found });
    expect(JSON.stringify(parsed)).not.toContain("CANARY");
  });

  it("is total", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.json()),
        (body) => typeof parseMessage(body).ok === "boolean",
      ),
    );
  });
});

describe("an event", () => {
  it.each([
    ["nothing", undefined, []],
    ["an empty text, as `invoke local` gives", "", []],
    ["a schedule's", { source: "aws.events", detail: {} }, []],
    ["names", { clusters: ["prod", "dev"] }, ["prod", "dev"]],
  ])("by hand: %s", (_, event, clusters) => {
    expect(parseAuditEvent(event)).toEqual({ kind: "direct", clusters });
  });

  it.each([
    [{ clusters: "prod" }],
    [{ clusters: [1] }],
    ["prod"],
    [7],
    [{ Records: [{ body: "{}" }] }],
    [{ Records: "x" }],
  ])("that is neither is refused: %j", (event) => {
    expect(() => parseAuditEvent(event)).toThrow(expect.objectContaining({ code: "usage" }));
  });

  it("of the queue keeps every message, good or not", () => {
    const attributes = { ApproximateReceiveCount: "2", SentTimestamp: "1780315200000" };
    expect(
      parseAuditEvent({
        Records: [
          { messageId: "a", body: formatMessage(message), attributes, eventSource: "aws:sqs" },
          { messageId: "b", body: "poison" },
        ],
      }),
    ).toEqual({
      kind: "queue",
      receipts: [
        { id: "a", receives: 2, sentMs: 1780315200000, parsed: { ok: true, message } },
        {
          id: "b",
          receives: null,
          sentMs: null,
          parsed: {
            ok: false,
            found: "its 6 characters aren't JSON",
          },
        },
      ],
    });
  });

  it("is total", () => {
    fc.assert(
      fc.property(fc.anything(), (event) => {
        try {
          return parseAuditEvent(event).kind !== undefined;
        } catch (error) {
          return isCertkeepError(error, "usage");
        }
      }),
    );
  });
});

import fc from "fast-check";
import { expect, it } from "vitest";
import { answerText, foreignCode } from "../../../lib/report/slack/answer.ts";

it.each([
  ["redirect", "a redirect to another address"],
  ["page_403", "a web page with status 403, which isn't Slack's answer"],
  ["no_service", "the webhook was revoked or its channel closed (Slack: no_service)"],
  ["json_200", "JSON with status 200, which isn't Slack's answer"],
  ["timeout", "no answer in time"],
  ["http_503", "a server error (status 503)"],
  ["invalid_blocks", "Slack refused the message (invalid_blocks)"],
  ["<b>", "an unknown answer"],
  ["constructor", "Slack refused the message (constructor)"],
])("the code %s reads: %s", (code, text) => {
  expect(answerText(code)).toBe(text);
});

it("repeats nothing of a foreign answer but its status", () => {
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 599 }), fc.string(), (status, body) => {
      const code = foreignCode(status, body);
      expect(code).toMatch(/^(?:page|json|empty|text)_\d{3}$/);
      expect(answerText(code)).toContain(String(status));
    }),
  );
});

import { IncomingWebhook } from "@slack/webhook";
import { afterEach, describe, expect, it } from "vitest";
import {
  createSlackPoster,
  webhookProblem,
  type PosterOptions,
} from "../../../lib/adapters/slack/poster.ts";
import { startSlackSink, type SlackFault, type SlackSink } from "../../support/slack.ts";

const MESSAGE = { text: "2 critical", blocks: [{ type: "divider" }] };
const sinks: SlackSink[] = [];

afterEach(async () => {
  await Promise.all(sinks.splice(0).map((sink) => sink.stop()));
});

async function posted(faults: readonly SlackFault[], options: PosterOptions = {}) {
  const sink = await startSlackSink();
  sinks.push(sink);
  sink.fail(...faults);
  const waits: number[] = [];
  const poster = createSlackPoster(sink.url, {
    timeoutMs: 300,
    sleep: async (ms) => void waits.push(ms),
    ...options,
  });
  const result = await poster.post(MESSAGE);
  // Whatever comes back, the address isn't in it.
  expect(JSON.stringify(result)).not.toMatch(/127\.0\.0\.1|services/);
  return { result, waits, sink };
}

const answer = (
  status: number,
  body: string,
  headers: Record<string, string> = {},
): SlackFault => ({ kind: "answer", status, body, headers });

describe("a Slack poster", () => {
  it("posts text and blocks", async () => {
    const { result, sink } = await posted([]);
    expect(result).toEqual({ ok: true });
    expect(sink.taken).toEqual([{ text: MESSAGE.text, blocks: MESSAGE.blocks }]);
  });

  it("sends what Slack's own client sends", async () => {
    const { sink } = await posted([]);
    const message = {
      ...MESSAGE,
      blocks: [{ type: "divider" as const }],
      unfurl_links: false,
      unfurl_media: false,
    };
    await expect(new IncomingWebhook(sink.url).send(message)).resolves.toEqual({ text: "ok" });
    expect(sink.taken).toHaveLength(2);
    expect(sink.taken[1]).toEqual(sink.taken[0]);
  });

  it("waits as Retry-After says", async () => {
    const { result, waits, sink } = await posted([
      answer(429, "rate_limited", { "retry-after": "7" }),
    ]);
    expect({ result, waits, requests: sink.requests() }).toEqual({
      result: { ok: true },
      waits: [7000],
      requests: 2,
    });
  });

  it("hands back a Retry-After that is longer than it has time", async () => {
    const { result, waits } = await posted([
      answer(429, "rate_limited", { "retry-after": "3600" }),
    ]);
    expect(waits).toEqual([]);
    expect(result).toMatchObject({
      ok: false,
      how: "busy",
      code: "rate_limited",
      retryInMs: 3_600_000,
    });
  });

  it.each(["soon", "-5", "", "1e9"])("takes %j for no Retry-After", async (value) => {
    const { waits } = await posted([answer(429, "rate_limited", { "retry-after": value })]);
    expect(waits).toEqual([30_000]);
  });

  it("takes a Retry-After that is a date", async () => {
    const { waits } = await posted(
      [answer(429, "x", { "retry-after": "Mon, 23 Nov 2026 12:00:09 GMT" })],
      { nowMs: () => Date.UTC(2026, 10, 23, 12) },
    );
    expect(waits).toEqual([9000]);
  });

  it("tries a server's error, a cut line and a silent server again", async () => {
    const { result, waits, sink } = await posted([
      answer(500, "rollup_error"),
      { kind: "cut" },
      { kind: "silent" },
    ]);
    expect({ result, waits, requests: sink.requests() }).toEqual({
      result: { ok: true },
      waits: [500, 1000, 2000],
      requests: 4,
    });
  });

  it("gives up after four tries, and says why", async () => {
    const { result, sink } = await posted(
      Array.from({ length: 4 }, () => answer(503, "<html>secret</html>")),
    );
    expect(sink.requests()).toBe(4);
    expect(result).toMatchObject({ ok: false, how: "failed", code: "http_503" });
  });

  it("ends where nobody listens", async () => {
    const sink = await startSlackSink();
    await sink.stop();
    const result = await createSlackPoster(sink.url, { sleep: async () => {} }).post(MESSAGE);
    expect(result).toEqual({
      ok: false,
      how: "failed",
      code: "unreachable",
      retryInMs: 0,
    });
  });

  it.each([
    [200, "", "foreign", "empty_200"],
    [200, "<html>blocked</html>", "foreign", "page_200"],
    [200, '{"ok":false,"error":"invalid_workflow_input"}', "foreign", "json_200"],
    [200, '{"ok":true}', "foreign", "json_200"],
    [200, "okay", "foreign", "text_200"],
    [200, "no_service", "foreign", "text_200"],
    [202, "ok", "foreign", "text_202"],
    [204, "", "foreign", "empty_204"],
    [302, "", "foreign", "redirect"],
    [403, "<html>blocked</html>", "foreign", "page_403"],
    [403, "forbidden", "foreign", "text_403"],
    [410, "<html>gone</html>", "foreign", "page_410"],
    [404, "no_service", "revoked", "no_service"],
    [403, "invalid_token", "revoked", "invalid_token"],
    [410, "channel_is_archived", "revoked", "channel_is_archived"],
    [404, "channel_not_found", "revoked", "channel_not_found"],
    [403, "action_prohibited", "revoked", "action_prohibited"],
    [400, "invalid_blocks", "refused", "invalid_blocks"],
    [400, "invalid_payload", "refused", "invalid_payload"],
    [400, "", "refused", "empty_400"],
  ] as const)(
    "reads status %i with %j as an answer, once (%s, %s)",
    async (status, body, how, code) => {
      const { result, sink } = await posted([answer(status, body, { location: "/" })]);
      expect(sink.requests()).toBe(1);
      expect(result).toEqual({ ok: false, how, code, retryInMs: 0 });
    },
  );

  it("takes an answer that is too long for foreign", async () => {
    expect((await posted([answer(200, "ok".repeat(40_000))])).result).toMatchObject({
      how: "foreign",
      code: "too_much",
    });
  });

  it("takes ok with a line end for delivered", async () => {
    expect((await posted([answer(200, "ok\n")])).result).toEqual({ ok: true });
  });

  it("finds that a webhook was revoked, or is another's", async () => {
    const sink = await startSlackSink();
    sinks.push(sink);
    expect(await createSlackPoster(`${sink.url}X`).post(MESSAGE)).toMatchObject({
      how: "revoked",
      code: "invalid_token",
    });
    sink.revoke();
    expect(await createSlackPoster(sink.url).post(MESSAGE)).toMatchObject({
      how: "revoked",
      code: "no_service",
    });
  });

  it("follows no redirect to elsewhere", async () => {
    const other = await startSlackSink();
    sinks.push(other);
    const { result } = await posted(
      Array.from({ length: 4 }, () => answer(302, "", { location: other.url })),
    );
    expect(result).toMatchObject({ ok: false });
    expect(other.requests()).toBe(0);
  });

  it("ends at once when its run ends", async () => {
    const sink = await startSlackSink();
    sinks.push(sink);
    sink.fail({ kind: "silent" });
    const ended = new AbortController();
    setTimeout(() => ended.abort(), 20);
    expect(await createSlackPoster(sink.url).post(MESSAGE, ended.signal)).toMatchObject({
      ok: false,
      how: "failed",
      code: "timeout",
    });
  });
});

describe("a webhook's URL", () => {
  it.each([
    ["https://hooks.slack.com/services/T0/B0/abc", null],
    ["http://127.0.0.1:80/services/T0/B0/abc", null],
    ["http://hooks.slack.com/services/T0/B0/abc", "its URL isn't https"],
    ["https://u:p@hooks.slack.com/x", "its URL has a user in it"],
    ["xoxb-1", "it isn't a URL (6 characters)"],
    ["file:///etc/passwd", "its URL isn't https"],
  ])("%s", (text, problem) => {
    expect(webhookProblem(text)).toBe(problem);
  });
});

/** Renewal information as issuers give it (RFC 9773), and every way in which it can be wrong. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createRenewalInfo } from "../../../lib/adapters/acme/renewalinfo.ts";
import { createWebReader } from "../../../lib/adapters/web.ts";
import { type FakeWeb, startWeb, type WebReply } from "../../support/web.ts";

const ID = "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE";
const START = "2026-12-01T10:00:00Z";
const END = "2026-12-03T10:00:00.5+01:00";
const HOUR_MS = 3_600_000;

let web: FakeWeb;
let directory: () => WebReply;
let info: () => WebReply;

const json = (value: unknown, reply: Exclude<WebReply, string> = {}): WebReply => ({
  ...reply,
  body: JSON.stringify(value),
});
const suggested = (over: object = {}, headers: Readonly<Record<string, string>> = {}): WebReply =>
  json({ suggestedWindow: { start: START, end: END }, ...over }, { headers });
const source = () =>
  createRenewalInfo(createWebReader({ nowMs: () => Date.parse("2026-11-23T12:00:00Z") }), {
    timeoutMs: 300,
  });
const ask = () => source().ask(`${web.url}/directory`, ID);

beforeEach(async () => {
  web = await startWeb();
  // As Let's Encrypt's directory has it, among others.
  directory = () =>
    json({
      newNonce: `${web.url}/acme/new-nonce`,
      newOrder: `${web.url}/acme/new-order`,
      renewalInfo: `${web.url}/acme/renewal-info`,
      meta: { profiles: {} },
    });
  info = () => suggested();
  web.answer = (path) => (path === "/directory" ? directory() : info());
});
afterEach(() => web.stop());

describe("a window", () => {
  it("is asked for by the certificate's name at the address of the directory, without an account", async () => {
    expect(await ask()).toEqual({
      ok: true,
      startMs: Date.parse(START),
      endMs: Date.parse("2026-12-03T09:00:00.5Z"),
      explanationUrl: null,
      retryMs: 6 * HOUR_MS,
    });
    expect(
      web.asked.map(({ path, headers }) => [path, headers["user-agent"], headers.authorization]),
    ).toEqual([
      ["/directory", "certkeep", undefined],
      [`/acme/renewal-info/${ID}`, "certkeep", undefined],
    ]);
  });

  it("asks the directory once, for many certificates at once", async () => {
    const one = source();
    await Promise.all(["a.b", "c.d", "e.f"].map((id) => one.ask(`${web.url}/directory`, id)));
    expect(web.asked.map(({ path }) => path).toSorted()).toEqual([
      "/acme/renewal-info/a.b",
      "/acme/renewal-info/c.d",
      "/acme/renewal-info/e.f",
      "/directory",
    ]);
  });

  it.each([
    ["600", 600_000],
    ["21600", 6 * HOUR_MS],
    ["0", 60_000],
    ["59", 60_000],
    ["86400", 24 * HOUR_MS],
    ["9999999999", 24 * HOUR_MS],
    ["Mon, 23 Nov 2026 13:00:00 GMT", HOUR_MS],
    ["Mon, 23 Nov 2020 13:00:00 GMT", 60_000],
    ["soon", 6 * HOUR_MS],
  ])("with Retry-After %s isn't asked again for %d ms", async (retryAfter, retryMs) => {
    info = () => suggested({}, { "retry-after": retryAfter });
    expect(await ask()).toMatchObject({ ok: true, retryMs });
  });

  it.each([
    ["https://issuer.example/why", "https://issuer.example/why"],
    ["http://issuer.example/why?x=1", "http://issuer.example/why?x=1"],
    ["javascript:alert(1)", null],
    ["https://issuer.example/\u001b[31m", null],
    [`https://issuer.example/${"x".repeat(2_000)}`, null],
    [7, null],
  ])("explained at %j keeps %j", async (explanationURL, explanationUrl) => {
    info = () => suggested({ explanationURL });
    expect(await ask()).toMatchObject({ ok: true, explanationUrl });
  });
});

describe("no window", () => {
  const wrong: readonly [string, () => WebReply, string, number | null][] = [
    [
      "404: it knows no such certificate",
      () => json({ type: "urn:ietf:params:acme:error:malformed" }, { status: 404 }),
      "unknown_certificate",
      null,
    ],
    [
      "429",
      () => json({}, { status: 429, headers: { "retry-after": "120" } }),
      "rate_limited",
      120_000,
    ],
    ["403", () => json({}, { status: 403 }), "forbidden", null],
    ["400", () => json({}, { status: 400 }), "invalid_answer", null],
    ["500", () => ({ status: 500, body: "oops" }), "unreachable", null],
    [
      "503 with Retry-After",
      () => ({ status: 503, headers: { "retry-after": "60" } }),
      "unreachable",
      60_000,
    ],
    [
      "HTML",
      () => ({ headers: { "content-type": "text/html" }, body: "<html>" }),
      "invalid_answer",
      null,
    ],
    ["nothing", () => ({ body: "" }), "invalid_answer", null],
    ["null", () => ({ body: "null" }), "invalid_answer", null],
    ["a list", () => json([]), "invalid_answer", null],
    ["no suggestedWindow", () => json({}), "invalid_answer", null],
    [
      "a window without an end",
      () => json({ suggestedWindow: { start: START } }),
      "invalid_answer",
      null,
    ],
    [
      "a window of numbers",
      () => json({ suggestedWindow: { start: 1, end: 2 } }),
      "invalid_answer",
      null,
    ],
    [
      "a window of words",
      () => json({ suggestedWindow: { start: "today", end: "tomorrow" } }),
      "invalid_answer",
      null,
    ],
    [
      "a window that ends before it begins",
      () => json({ suggestedWindow: { start: END, end: START } }),
      "invalid_answer",
      null,
    ],
    [
      "more than it may be",
      () => json({ suggestedWindow: { start: START, end: END }, x: "x".repeat(100_000) }),
      "too_much",
      null,
    ],
    [
      "a redirect",
      () => ({ status: 302, headers: { location: "http://169.254.169.254/" } }),
      "invalid_answer",
      null,
    ],
    ["no end", () => "hang", "timeout", null],
    ["a beginning without an end", () => "drip", "timeout", null],
    ["half a body", () => "cut", "unreachable", null],
    ["a broken connection", () => "reset", "unreachable", null],
  ];
  it.each(wrong)("in %s", async (_name, reply, code, retryMs) => {
    info = reply;
    expect(await ask()).toEqual({ ok: false, code, retryMs });
  });

  const directories: readonly [string, () => WebReply, string][] = [
    ["that offers none", () => json({ newNonce: "x" }), "not_offered"],
    ["in HTML", () => ({ body: "<html>" }), "invalid_answer"],
    ["that is null", () => ({ body: "null" }), "invalid_answer"],
    ["with a number", () => json({ renewalInfo: 7 }), "invalid_answer"],
    ["with no URL", () => json({ renewalInfo: "/acme/renewal-info" }), "invalid_answer"],
    [
      "that points elsewhere",
      () => json({ renewalInfo: "http://169.254.169.254/latest" }),
      "invalid_answer",
    ],
    [
      "that points to another port",
      () => json({ renewalInfo: "http://127.0.0.1:1/x" }),
      "invalid_answer",
    ],
    ["that is gone", () => ({ status: 404 }), "invalid_answer"],
    ["that is down", () => ({ status: 503 }), "unreachable"],
    ["that hangs", () => "hang", "timeout"],
    ["that redirects", () => ({ status: 301, headers: { location: "/other" } }), "invalid_answer"],
  ];
  it.each(directories)(
    "of a directory %s, which is asked once a run",
    async (_name, reply, code) => {
      directory = reply;
      const one = source();
      for (const id of ["a.b", "c.d"])
        expect(await one.ask(`${web.url}/directory`, id)).toMatchObject({ ok: false, code });
      expect(web.asked.map(({ path }) => path)).toEqual(["/directory"]);
    },
  );

  it("once the time is over", async () => {
    info = () => "hang";
    expect(
      await createRenewalInfo(createWebReader()).ask(
        `${web.url}/directory`,
        ID,
        AbortSignal.timeout(50),
      ),
    ).toEqual({ ok: false, code: "timeout", retryMs: null });
  });
});

/** Cert Spotter's answers as it gives them, and every way in which they can be wrong. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCertSpotter, CERT_SPOTTER_URL } from "../../../lib/adapters/ct/certspotter.ts";
import { createWebReader } from "../../../lib/adapters/web.ts";
import { transparencyContract } from "../../contract/transparency.ts";
import { createMemorySearch } from "../../support/logged.ts";
import { type FakeWeb, startWeb, type WebReply } from "../../support/web.ts";

const DOMAIN = "tail1a2b3.ts.net";
/** One entry as the API's documentation has it, with what is asked to be expanded. */
const row = (id: string, der: Uint8Array = Buffer.from("der")): object => ({
  id,
  tbs_sha256: "0000000000000000000000000000000000000000000000000000000000000000",
  cert_sha256: "1111111111111111111111111111111111111111111111111111111111111111",
  pubkey_sha256: "2222222222222222222222222222222222222222222222222222222222222222",
  not_before: "2026-11-23T14:34:50Z",
  not_after: "2027-02-21T14:34:49Z",
  revoked: false,
  cert_der: Buffer.from(der).toString("base64"),
});

let web: FakeWeb;
beforeEach(async () => {
  web = await startWeb();
});
afterEach(() => web.stop());

const source = (options: Parameters<typeof createCertSpotter>[1] = {}) =>
  createCertSpotter(createWebReader({ nowMs: () => Date.parse("2026-11-23T12:00:00Z") }), {
    url: `${web.url}/v1/issuances`,
    timeoutMs: 300,
    ...options,
  });
const json = (value: unknown, reply: Exclude<WebReply, string> = {}): WebReply => ({
  ...reply,
  body: JSON.stringify(value),
});

transparencyContract("in memory", async () => {
  const search = createMemorySearch();
  return {
    source: search,
    add: (...ders) => void search.found.push(...ders.map((der) => ({ der }))),
    fail: () => void (search.fails = { ok: false, code: "unreachable", retryMs: null }),
  };
});

transparencyContract("Cert Spotter", async () => {
  const server = await startWeb();
  const rows: object[] = [];
  let failing = false;
  server.answer = (path) => {
    if (failing) return { status: 502, body: "<html>" };
    const after = Number(new URL(path, server.url).searchParams.get("after") ?? -1);
    return json(rows.slice(after + 1, after + 4));
  };
  return {
    source: createCertSpotter(createWebReader(), { url: server.url }),
    add: (...ders) => ders.forEach((der) => rows.push(row(String(rows.length), der))),
    fail: () => void (failing = true),
    close: () => server.stop(),
  };
});

describe("a question", () => {
  it("names the domain, all below it, the bytes and the cursor, who asks, and nothing else", async () => {
    web.answer = () => json([row("7")]);
    await source().page(DOMAIN, null);
    await source({ token: "secret-token" }).page(DOMAIN, "7&x=1");
    expect(web.asked.map(({ path }) => path)).toEqual([
      `/v1/issuances?domain=${DOMAIN}&include_subdomains=true&expand=cert_der`,
      `/v1/issuances?domain=${DOMAIN}&include_subdomains=true&expand=cert_der&after=7%26x%3D1`,
    ]);
    expect(web.asked.map(({ headers }) => [headers["user-agent"], headers.authorization])).toEqual([
      ["certkeep", undefined],
      ["certkeep", "Bearer secret-token"],
    ]);
  });

  it("goes to Cert Spotter's documented address by itself", () => {
    expect(CERT_SPOTTER_URL).toBe("https://api.certspotter.com/v1/issuances");
    expect(createCertSpotter(createWebReader()).name).toBe("api.certspotter.com");
  });
});

describe("an answer", () => {
  const limited = { code: "rate_limited", message: "You have exceeded the rate limit" };
  const failures: readonly [string, WebReply, string, number | null][] = [
    [
      "429 with seconds",
      json(limited, { status: 429, headers: { "retry-after": "90" } }),
      "rate_limited",
      90_000,
    ],
    [
      "429 with a date",
      json(limited, { status: 429, headers: { "retry-after": "Mon, 23 Nov 2026 12:05:00 GMT" } }),
      "rate_limited",
      300_000,
    ],
    ["429 without Retry-After", json(limited, { status: 429 }), "rate_limited", null],
    [
      "429 with nonsense for Retry-After",
      json(limited, { status: 429, headers: { "retry-after": "soon" } }),
      "rate_limited",
      null,
    ],
    [
      "429 in HTML",
      { status: 429, headers: { "content-type": "text/html" }, body: "<html>" },
      "rate_limited",
      null,
    ],
    ["the error's body with another status", json(limited, { status: 503 }), "rate_limited", null],
    ["the error's body with 200", json(limited), "rate_limited", null],
    ["401", json({ code: "unauthorized", message: "no" }, { status: 401 }), "forbidden", null],
    ["403 in HTML", { status: 403, body: "<html>blocked</html>" }, "forbidden", null],
    ["400", json({ code: "invalid_domain", message: "com" }, { status: 400 }), "refused", null],
    ["500", { status: 500, body: "oops" }, "unreachable", null],
    [
      "503 with Retry-After",
      { status: 503, headers: { "retry-after": "5" } },
      "unreachable",
      5_000,
    ],
    [
      "200 in HTML",
      {
        headers: { "content-type": "text/html" },
        body: "<!doctype html><html><body>Welcome</body></html>",
      },
      "invalid_answer",
      null,
    ],
    ["204", { status: 204 }, "refused", null],
    ["nothing", { body: "" }, "invalid_answer", null],
    ["half a JSON", { body: '[{"id":"1","cert_der":"AAAA"}' }, "invalid_answer", null],
    ["null", { body: "null" }, "invalid_answer", null],
    ["an object", { body: "{}" }, "invalid_answer", null],
    ["a number", { body: "7" }, "invalid_answer", null],
    ["entries without an id", json([{ cert_der: "AAAA" }]), "invalid_answer", null],
    ["an id that is a number", json([{ id: 7, cert_der: "AAAA" }]), "invalid_answer", null],
    [
      "an id of another size",
      json([{ id: "7".repeat(101), cert_der: "AAAA" }]),
      "invalid_answer",
      null,
    ],
    ["an id with a line end", json([{ id: "7\nx", cert_der: "AAAA" }]), "invalid_answer", null],
    ["an entry that is no object last", json([row("1"), 7]), "invalid_answer", null],
    [
      "a redirect",
      { status: 302, headers: { location: "http://169.254.169.254/latest/meta-data" } },
      "invalid_answer",
      null,
    ],
    [
      "a redirect that keeps the method",
      { status: 308, headers: { location: "/v1/issuances" } },
      "invalid_answer",
      null,
    ],
    ["no end", "hang", "timeout", null],
    ["a beginning without an end", "drip", "timeout", null],
    ["half a body", "cut", "unreachable", null],
    ["a broken connection", "reset", "unreachable", null],
  ];
  it.each(failures)("of %s is told as what it is", async (_name, reply, code, retryMs) => {
    web.answer = () => reply;
    expect(await source().page(DOMAIN, null)).toEqual({ ok: false, code, retryMs });
    expect(web.asked).toHaveLength(1);
  });

  it("of nobody is unreachable", async () => {
    const { url } = web;
    await web.stop();
    expect(await createCertSpotter(createWebReader(), { url }).page(DOMAIN, null)).toMatchObject({
      ok: false,
      code: "unreachable",
    });
    web = await startWeb();
  });

  it("larger than it may be is not read to its end", async () => {
    web.answer = () => ({ body: `[${'"x",'.repeat(100_000)}"x"]` });
    expect(await source({ maxBytes: 1000 }).page(DOMAIN, null)).toEqual({
      ok: false,
      code: "too_much",
      retryMs: null,
    });
  });

  it("takes what is whole, and counts what isn't", async () => {
    const wrong = [
      null,
      7,
      "x",
      [],
      {},
      { id: "2" },
      { id: "3", cert_der: 7 },
      { id: "4", cert_der: "" },
      { id: "5", cert_der: "not base64!" },
      { id: "6", cert_der: null },
      { id: "7", cert_der: "A".repeat(200_001) },
    ];
    web.answer = () => json([row("1"), ...wrong, row("8")]);
    const page = await source().page(DOMAIN, null);
    expect(page).toMatchObject({ ok: true, unread: wrong.length, cursor: "8" });
    expect(page.ok && page.ders.map((der) => Buffer.from(der).toString())).toEqual(["der", "der"]);
  });

  it("of a million entries is looked at as far as the bound, the rest counted as unread", async () => {
    web.answer = () => ({ body: `[${"{},".repeat(1_000_000)}${JSON.stringify(row("9"))}]` });
    expect(await source({ timeoutMs: 20_000 }).page(DOMAIN, null)).toEqual({
      ok: true,
      ders: [],
      unread: 1_000_001,
      cursor: "9",
    });
  });

  it("that would go round in a circle is none", async () => {
    web.answer = () => json([row("7")]);
    expect(await source().page(DOMAIN, "7")).toMatchObject({ ok: false, code: "invalid_answer" });
  });

  it("ends with the signal, and says nothing of the token", async () => {
    web.answer = () => "hang";
    const answer = await source({ token: "secret-token", timeoutMs: 20_000 }).page(
      DOMAIN,
      null,
      AbortSignal.timeout(50),
    );
    expect(answer).toEqual({ ok: false, code: "timeout", retryMs: null });
    expect(JSON.stringify(answer)).not.toContain("secret");
  });
});

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Sandbox, startSandbox } from "./api.ts";
import { type Client, createClient } from "../e2e/support/client.ts";

const secrets = "/api/v1/namespaces/shop/secrets";
let sandbox: Sandbox;
let client: Client;

beforeEach(async () => {
  sandbox = await startSandbox({ namespaces: ["shop"] });
  client = createClient(sandbox.url, sandbox.caPem, sandbox.adminToken);
});
afterEach(async () => {
  client.close();
  await sandbox.stop();
});

const create = (name = "a") => client.request("POST", secrets, { metadata: { name } });

describe("a fault", () => {
  it("answers with a status and headers in place of an effect, for the requests it is meant for", async () => {
    const stop = sandbox.intercept(({ verb }) =>
      verb === "create"
        ? { kind: "status", status: 429, headers: { "retry-after": "7" } }
        : undefined,
    );
    const refused = await create();
    expect(refused.status).toBe(429);
    expect(refused.headers["retry-after"]).toBe("7");
    expect(refused.body).toMatchObject({ kind: "Status", reason: "TooManyRequests", code: 429 });
    expect(sandbox.get("shop", "a")).toBeNull();
    expect((await client.request("GET", secrets)).status).toBe(200);
    stop();
    expect((await create()).status).toBe(201);
    expect(sandbox.requests.map(({ status }) => status)).toEqual([429, 200, 201]);
  });

  it("cuts the connection before the request takes effect", async () => {
    sandbox.intercept(() => ({ kind: "cut", when: "before" }));
    await expect(create()).rejects.toThrow(/socket|ECONNRESET/u);
    expect(sandbox.get("shop", "a")).toBeNull();
    expect(sandbox.requests).toMatchObject([{ status: null }]);
  });

  it("cuts the connection after the request took effect", async () => {
    sandbox.intercept(() => ({ kind: "cut", when: "after" }));
    await expect(create()).rejects.toThrow(/socket|ECONNRESET/u);
    expect(sandbox.get("shop", "a")).not.toBeNull();
  });

  it("hangs without an effect, and lets the server stop all the same", async () => {
    sandbox.intercept(() => ({ kind: "hang" }));
    const outcome = create().then(
      () => "answered",
      () => "broken",
    );
    const waited = new Promise<string>((resolve) => void setTimeout(resolve, 100, "waiting"));
    expect(await Promise.race([outcome, waited])).toBe("waiting");
    expect(sandbox.get("shop", "a")).toBeNull();
    await sandbox.stop();
    expect(await outcome).toBe("broken");
    sandbox = await startSandbox();
  });

  it("answers late, or in pieces", async () => {
    const timed = async (): Promise<number> => {
      const from = performance.now();
      expect((await client.request("GET", secrets)).body.kind).toBe("SecretList");
      return performance.now() - from;
    };
    await timed();
    const stop = sandbox.intercept(() => ({ kind: "delay", delayMs: 60 }));
    expect(await timed()).toBeGreaterThan(55);
    stop();
    sandbox.intercept(() => ({ kind: "slow", pieceBytes: 20, pauseMs: 15 }));
    expect(await timed()).toBeGreaterThan(55);
  });

  it("ends a body too early", async () => {
    sandbox.intercept(() => ({ kind: "truncate" }));
    await expect(client.request("GET", secrets)).rejects.toThrow(/aborted|socket|ECONNRESET/u);
    await create().catch(() => undefined);
    expect(sandbox.get("shop", "a")).not.toBeNull();
  });

  it("makes continue tokens too old in the middle of a listing", async () => {
    await create("a");
    await create("b");
    const first = await client.request("GET", `${secrets}?limit=1`);
    sandbox.intercept(({ query }) =>
      query["continue"] === undefined ? undefined : { kind: "expire" },
    );
    const second = await client.request(
      "GET",
      `${secrets}?limit=1&continue=${first.body.metadata.continue}`,
    );
    expect(second.status).toBe(410);
  });

  it("may be somebody who writes in between", async () => {
    await create("a");
    const before = (await client.request("GET", `${secrets}/a`)).body;
    sandbox.intercept(({ verb }) => {
      if (verb === "update")
        sandbox.put([
          { metadata: { namespace: "shop", name: "a" }, stringData: { by: "another" } },
        ]);
      return undefined;
    });
    const late = await client.request("PUT", `${secrets}/a`, { ...before, data: { by: "bWU=" } });
    expect(late.status).toBe(409);
    expect(sandbox.get("shop", "a")?.data).toEqual({
      by: Buffer.from("another").toString("base64"),
    });
  });
});

/**
 * Fetching a list: only from the issuer's hosts, never from a private network, never without a
 * bound.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createRevocationSource, isPublic } from "../../../lib/adapters/crl/source.ts";

let server: Server;
let port: number;
let asked: string[];
let answer: (
  path: string,
) => { status: number; headers?: Record<string, string>; body?: Buffer } | "hang" | "cut";

beforeEach(async () => {
  asked = [];
  answer = () => ({ status: 200, body: Buffer.from("list") });
  server = createServer((request, response) => {
    asked.push(`${request.headers.host ?? ""}${request.url ?? ""}`);
    const now = answer(request.url ?? "");
    if (now === "hang") return;
    if (now === "cut") {
      response.writeHead(200, { "content-length": "100" });
      response.write("half", () => response.destroy());
      return;
    }
    response.writeHead(now.status, now.headers).end(now.body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  port = (server.address() as AddressInfo).port;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const hosts = ["*.c.lencr.org"];
const local = {
  resolve: async () => [{ address: "127.0.0.1", family: 4 as const }],
  allow: () => true,
  timeoutMs: 300,
  maxBytes: 1000,
};
const url = (path = "/7.crl", host = "te1.c.lencr.org"): string => `http://${host}:${port}${path}`;

describe("a list", () => {
  it("is fetched from the address that the name has", async () => {
    const got = await createRevocationSource(local).fetch(url(), hosts);
    expect(got).toEqual({ ok: true, der: Buffer.from("list") });
    expect(asked).toEqual([`te1.c.lencr.org:${port}/7.crl`]);
  });

  it.each([
    ["a resolver that never answers", (): Promise<never> => new Promise(() => {})],
    [
      "a resolver that answers when it is over",
      async () =>
        new Promise<{ address: string; family: 4 }[]>((resolve) =>
          setTimeout(() => resolve([{ address: "127.0.0.1", family: 4 }]), 150),
        ),
    ],
  ])("isn't waited for beyond the caller's end, because of %s", async (_name, resolve) => {
    answer = () => "hang";
    const source = createRevocationSource({ ...local, timeoutMs: 20_000, resolve });
    const began = performance.now();
    expect(await source.fetch(url(), hosts, AbortSignal.timeout(100))).toEqual({
      ok: false,
      why: "it was interrupted",
    });
    expect(performance.now() - began).toBeLessThan(5_000);
    // Nobody's fault: the next may ask again.
    expect(await createRevocationSource(local).fetch(url(), hosts, AbortSignal.abort())).toEqual({
      ok: false,
      why: "it was interrupted",
    });
  });

  it.each([
    ["another host", () => url("/7.crl", "evil.example.com"), {}],
    ["an address", () => `http://127.0.0.1:${port}/7.crl`, {}],
    ["https", () => "https://te1.c.lencr.org/7.crl", {}],
    ["a query", () => `${url()}?a=b`, {}],
    ["a credential", () => `http://u:p@te1.c.lencr.org:${port}/7.crl`, {}],
    ["no address at all", () => "7.crl", {}],
    ["a private address behind the name", () => url(), { allow: isPublic }],
    [
      "one private address among several",
      () => url(),
      {
        allow: isPublic,
        resolve: async () => [
          { address: "93.184.216.34", family: 4 as const },
          { address: "10.0.0.1", family: 4 as const },
        ],
      },
    ],
    ["a port", () => url(), { allow: undefined }],
  ])("is not fetched by %s", async (_name, from, options) => {
    const { allow, ...rest } = { ...local, ...options };
    const got = await createRevocationSource(allow === undefined ? rest : { ...rest, allow }).fetch(
      from(),
      hosts,
    );
    expect(got.ok).toBe(false);
    expect(asked).toEqual([]);
  });

  it.each([
    [
      "a redirect",
      () => ({ status: 302, headers: { location: "http://169.254.169.254/" } }),
      "status 302",
    ],
    ["an error", () => ({ status: 500 }), "status 500"],
    ["one that is too large", () => ({ status: 200, body: Buffer.alloc(2000) }), "larger"],
    ["one that hangs", () => "hang" as const, "within"],
    ["one that is cut", () => "cut" as const, "could not be fetched|cut off"],
  ])("%s is no answer, and its host isn't asked again", async (_name, reply, why) => {
    answer = reply;
    const source = createRevocationSource(local);
    const got = await source.fetch(url(), hosts);
    expect(got.ok ? "" : got.why).toMatch(new RegExp(why));
    await source.fetch(url("/8.crl"), hosts);
    expect(asked).toHaveLength(1);
  });

  it("a name that DNS doesn't know, or is slow about, is no answer", async () => {
    expect(
      (
        await createRevocationSource({
          ...local,
          resolve: async () => Promise.reject(new Error("no")),
        }).fetch(url(), hosts)
      ).ok,
    ).toBe(false);
    expect(
      (
        await createRevocationSource({ ...local, resolve: () => new Promise(() => {}) }).fetch(
          url(),
          hosts,
        )
      ).ok,
    ).toBe(false);
  });
});

it.each([
  ["93.184.216.34", true],
  ["10.1.2.3", false],
  ["172.31.0.1", false],
  ["172.32.0.1", true],
  ["192.168.1.1", false],
  ["127.0.0.1", false],
  ["169.254.169.254", false],
  ["100.64.0.1", false],
  ["0.0.0.0", false],
  ["224.0.0.1", false],
  ["255.255.255.255", false],
  ["2606:4700::1111", true],
  ["::1", false],
  ["fe80::1", false],
  ["fd00::1", false],
  ["::ffff:10.0.0.1", false],
  ["2001:db8::1", false],
  ["2002:7f00:1::", false],
  ["nonsense", false],
] as const)("%s is public: %s", (address, expected) => {
  expect(isPublic(address)).toBe(expected);
});

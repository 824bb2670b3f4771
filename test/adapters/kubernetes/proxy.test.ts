import { createServer as createHttpServer } from "node:http";
import { type Socket, connect, createServer } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { describe, expect, test } from "vitest";
import { HttpClient } from "../../../lib/adapters/kubernetes/http.ts";
import { isLoopback, parseProxyUrl, proxyFromEnvironment } from "../../../lib/adapters/proxy.ts";
import { answerJson, connectionTo, failureOf, listen, startStub } from "./support.ts";

const REQUEST = { method: "GET", path: "/x", accept: "application/json" } as const;

function join(a: Socket, b: Socket): void {
  a.pipe(b).pipe(a);
  for (const socket of [a, b]) socket.on("error", () => undefined);
}

/** An HTTP proxy that answers `status` to a CONNECT, and tunnels where that is 200. */
async function startProxy(
  status = 200,
  head = "",
): Promise<{ port: number; asked: { url: string; authorization: string | undefined }[] }> {
  const asked: { url: string; authorization: string | undefined }[] = [];
  const server = createHttpServer((_, response) => {
    response.writeHead(500);
    response.end();
  });
  server.on("connect", (request, socket: Socket) => {
    asked.push({ url: request.url ?? "", authorization: request.headers["proxy-authorization"] });
    const [host, port] = (request.url ?? "").split(":");
    if (status !== 200)
      return socket.end(`HTTP/1.1 ${status} No\r\n${head}\r\nbody with-a-secret-in-it`);
    const target = connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      join(socket, target);
    });
    return target;
  });
  return { port: await listen(server), asked };
}

/** A SOCKS5 proxy (RFC 1928) with an optional password; `reply` other than 0 refuses. */
async function startSocks(
  login: string | null,
  reply = 0,
): Promise<{ port: number; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((socket) => {
    let step = 0;
    let kept = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      kept = Buffer.concat([kept, chunk]);
      if (step === 0 && kept.length >= 2 + (kept[1] ?? 0)) {
        const methods = [...kept.subarray(2, 2 + (kept[1] ?? 0))];
        kept = Buffer.alloc(0);
        const method = login === null ? 0 : 2;
        step = login === null ? 2 : 1;
        socket.write(Buffer.from([5, methods.includes(method) ? method : 255]));
      } else if (step === 1 && kept.length > 2) {
        const user = kept.subarray(2, 2 + (kept[1] ?? 0)).toString();
        const password = kept.subarray(3 + user.length).toString();
        kept = Buffer.alloc(0);
        step = 2;
        socket.write(Buffer.from([1, `${user}:${password}` === login ? 0 : 1]));
      } else if (step === 2 && kept.length > 4) {
        const length = kept[4] ?? 0;
        const host = kept.subarray(5, 5 + length).toString();
        const port = kept.readUInt16BE(5 + length);
        asked.push(`${host}:${port}`);
        socket.off("data", onData);
        if (reply !== 0) return void socket.end(Buffer.from([5, reply, 0, 1, 0, 0, 0, 0, 0, 0]));
        const target = connect(port, host, () => {
          socket.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
          join(socket, target);
        });
      }
      return undefined;
    };
    socket.on("data", onData);
  });
  return { port: await listen(server), asked };
}

async function throughProxy(proxyUrl: string, options: { connectTimeoutMs?: number } = {}) {
  const stub = await startStub((_, response) => answerJson(response, 200, { through: true }));
  const connection = await connectionTo({
    server: stub.server,
    cluster: { "proxy-url": proxyUrl },
  });
  const http = new HttpClient(connection, { sleep: async () => undefined, ...options });
  return { send: http.send.bind(http), close: http.close.bind(http), stub };
}

describe("a proxy", () => {
  test("is asked for a tunnel, with the password of its address, and kept open", async () => {
    const proxy = await startProxy();
    const { send, stub } = await throughProxy(`http://us%65r:p%40ss@127.0.0.1:${proxy.port}`);
    for (let nth = 0; nth < 3; nth += 1)
      expect((await send(REQUEST)).body.toString()).toBe('{"through":true}');
    expect(proxy.asked).toEqual([
      {
        url: `127.0.0.1:${stub.port}`,
        authorization: `Basic ${Buffer.from("user:p@ss").toString("base64")}`,
      },
    ]);
  });

  test.each([
    [403, "the proxy refused the connection (status 403)"],
    [407, "the proxy wants a user name and password (status 407)"],
    [502, "the proxy refused the connection (status 502)"],
  ])("that answers %i is told as that, without its words", async (status, words) => {
    const proxy = await startProxy(status);
    const { send } = await throughProxy(`http://user:hush@127.0.0.1:${proxy.port}`);
    const failure = await failureOf(send(REQUEST));
    expect(failure.code).toBe("cluster_unreachable");
    expect(failure.message).toContain(words);
    expect(failure.message).toContain(`proxy 127.0.0.1:${proxy.port}`);
    expect(failure.message).not.toMatch(/hush|secret-in-it/);
  });

  test("that isn't there, closes at once, hangs, or is none, is told as that", async () => {
    const gone = await throughProxy("http://127.0.0.1:1");
    expect((await failureOf(gone.send(REQUEST))).message).toContain(
      "the proxy can't be reached (ECONNREFUSED)",
    );
    const closing = await throughProxy(
      `http://127.0.0.1:${await listen(createServer((socket) => void socket.end()))}`,
    );
    expect((await failureOf(closing.send(REQUEST))).message).toContain(
      "the proxy closed the connection",
    );
    const hung = await throughProxy(
      `http://127.0.0.1:${await listen(createServer(() => undefined))}`,
      { connectTimeoutMs: 60 },
    );
    expect((await failureOf(hung.send(REQUEST))).code).toMatch(
      /cluster_timeout|cluster_unreachable/,
    );
    const none = await throughProxy(
      `http://127.0.0.1:${await listen(createServer((socket) => void socket.write("220 smtp ready\r\n\r\n")))}`,
    );
    expect((await failureOf(none.send(REQUEST))).message).toContain(
      "the proxy's answer is no HTTP",
    );
    const endless = await throughProxy(
      `http://127.0.0.1:${await listen(createServer((socket) => void socket.write("x".repeat(100_000))))}`,
    );
    expect((await failureOf(endless.send(REQUEST))).message).toContain(
      "the proxy's answer is no HTTP",
    );
  });

  test("that speaks TLS needs a certificate that the system trusts", async () => {
    const port = await listen(createTlsServer({}, () => undefined));
    const { send } = await throughProxy(`https://127.0.0.1:${port}`);
    expect((await failureOf(send(REQUEST))).message).toContain("the proxy can't be reached");
  });

  test("of SOCKS5 resolves the name itself, with and without a password", async () => {
    for (const [login, url] of [
      [null, ""],
      ["user:pass", "user:pass@"],
    ] as const) {
      const socks = await startSocks(login);
      const { send, stub } = await throughProxy(`socks5://${url}127.0.0.1:${socks.port}`);
      expect((await send(REQUEST)).status).toBe(200);
      expect(socks.asked).toEqual([`127.0.0.1:${stub.port}`]);
    }
  });

  test("of SOCKS5 that refuses is told as that", async () => {
    const rules = await startSocks(null, 2);
    expect(
      (await failureOf((await throughProxy(`socks5://127.0.0.1:${rules.port}`)).send(REQUEST)))
        .message,
    ).toContain("not allowed by its rules");
    const wrong = await startSocks("user:pass");
    expect(
      (
        await failureOf(
          (await throughProxy(`socks5://user:no@127.0.0.1:${wrong.port}`)).send(REQUEST),
        )
      ).message,
    ).toContain("refused the user name and password");
    expect(
      (await failureOf((await throughProxy(`socks5://127.0.0.1:${wrong.port}`)).send(REQUEST)))
        .message,
    ).toContain("way to log in");
  });
});

describe("which proxy", () => {
  const via = (server: string, environment: Record<string, string>): string | null =>
    proxyFromEnvironment(new URL(server), environment);

  test("lower case before upper, ALL_PROXY last, none for this machine", () => {
    expect(
      via("https://api.example.com", { HTTPS_PROXY: "http://b", https_proxy: "http://a" }),
    ).toBe("http://a");
    expect(via("https://api.example.com", { HTTPS_PROXY: "http://b" })).toBe("http://b");
    expect(via("https://api.example.com", { ALL_PROXY: "socks5://c" })).toBe("socks5://c");
    expect(via("https://api.example.com", { HTTP_PROXY: "http://b" })).toBeNull();
    for (const here of [
      "https://127.0.0.1:6443",
      "https://localhost:6443",
      "https://[::1]:6443",
      "https://a.localhost",
    ]) {
      expect(via(here, { HTTPS_PROXY: "http://b" })).toBeNull();
    }
  });

  // Expectations: golang.org/x/net/http/httpproxy/proxy_test.go, cases of UseProxy.
  test.each([
    ["*", "https://api.example.com", null],
    ["example.com", "https://api.example.com", null],
    ["example.com", "https://example.com", null],
    ["example.com", "https://notexample.com", "p"],
    [".example.com", "https://example.com", "p"],
    [".example.com", "https://api.example.com", null],
    ["*.example.com", "https://api.example.com", null],
    ["example.com:6443", "https://api.example.com:6443", null],
    ["example.com:6443", "https://api.example.com", "p"],
    ["10.0.0.0/8", "https://10.96.0.1", null],
    ["10.0.0.0/8", "https://11.0.0.1", "p"],
    ["10.0.0.0/8", "https://example.com", "p"],
    ["10.0.0.1", "https://10.0.0.1:6443", null],
    ["10.0.0.1:6443", "https://10.0.0.1:6443", null],
    ["2001:db8::/32", "https://[2001:db8::1]", null],
    ["[2001:db8::1]:443", "https://[2001:db8::1]", null],
    ["EXAMPLE.com, other.org", "https://API.example.COM", null],
    ["10.0.0.0/99, /8, ., :, x/y", "https://10.0.0.1", "p"],
    ["", "https://10.0.0.1", "p"],
  ])("NO_PROXY %s for %s", (excluded, server, expected) => {
    expect(via(server, { HTTPS_PROXY: "p", NO_PROXY: excluded })).toBe(expected);
  });

  test("an address of a proxy may lack its scheme, and is refused where it is none", () => {
    expect(parseProxyUrl("proxy:3128")?.href).toBe("http://proxy:3128/");
    expect(parseProxyUrl("socks5h://proxy")?.protocol).toBe("socks5h:");
    for (const bad of ["ftp://x", "http://", "://", "socks4://x", "http://[x"])
      expect(parseProxyUrl(bad)).toBeNull();
  });

  test("the kubeconfig's own proxy counts before the environment's", async () => {
    const environment = { HTTPS_PROXY: "http://env:1" };
    expect(
      (await connectionTo({ server: "https://api.example.com" }, { environment })).proxyUrl?.host,
    ).toBe("env:1");
    const own = { server: "https://api.example.com", cluster: { "proxy-url": "http://own:2" } };
    expect((await connectionTo(own, { environment })).proxyUrl?.host).toBe("own:2");
    expect(
      (await failureOf(connectionTo({ ...own, cluster: { "proxy-url": "gopher://user:hush@x" } })))
        .message,
    ).toBe(
      "/nowhere/config, context stub, proxy-url: it isn't the address of a proxy. Use http://, " +
        "https:// or socks5://HOST:PORT",
    );
    expect(
      (
        await failureOf(
          connectionTo(
            { server: "https://api.example.com" },
            { environment: { HTTPS_PROXY: "ftp://user:hush@x" } },
          ),
        )
      ).message,
    ).not.toContain("hush");
  });

  test("this machine is known by name and address", () => {
    expect(["127.8.9.1", "LOCALHOST", "[::1]"].every(isLoopback)).toBe(true);
    expect(
      ["10.0.0.1", "localhost.example.com", "128.0.0.1", "127.example.com"].some(isLoopback),
    ).toBe(false);
  });
});

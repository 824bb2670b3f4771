/**
 * The way through a proxy: which one, by kubeconfig or environment, and the tunnel itself.
 *
 * HTTP CONNECT (also to a proxy that is spoken to over TLS) and SOCKS5 (RFC 1928, with the name
 * resolved by the proxy). What a proxy says in refusing is told by its status alone. A plain
 * request is never sent through a proxy: what is in a tunnel is encrypted for the cluster.
 */
import { Agent as HttpsAgent, type AgentOptions } from "node:https";
import { BlockList, type Socket, connect as tcpConnect, isIP } from "node:net";
import type { Duplex } from "node:stream";
import { connect as tlsConnect, type ConnectionOptions } from "node:tls";

/** The environment's names for proxies; lower case counts before upper case, as elsewhere. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A proxy didn't let the connection through; `found` says why, in words. */
export class ProxyRefusal extends Error {
  override readonly name = "ProxyRefusal";
}

const SCHEMES = ["http:", "https:", "socks5:", "socks5h:"];

/** Reads a proxy's address; `null` where it is none. A bare `host:port` is an HTTP proxy. */
export function parseProxyUrl(text: string): URL | null {
  const url = URL.parse(text.includes("://") ? text : `http://${text}`);
  return url !== null && SCHEMES.includes(url.protocol) && url.hostname !== "" ? url : null;
}

/** Whether a host is this machine. */
export function isLoopback(host: string): boolean {
  const bare = bareHost(host);
  return (
    bare === "localhost" ||
    bare.endsWith(".localhost") ||
    bare === "::1" ||
    (isIP(bare) === 4 && bare.startsWith("127."))
  );
}

/** Host of a URL without the brackets of an IPv6 address. */
export function bareHost(host: string): string {
  return host.startsWith("[") ? host.slice(1, -1).toLowerCase() : host.toLowerCase();
}

function excludedBy(entry: string, host: string, port: string): boolean {
  if (entry === "*") return true;
  const slash = entry.indexOf("/");
  const family = isIP(host);
  if (slash > 0) {
    const address = entry.slice(0, slash);
    const kind = isIP(address);
    const bits = Number(entry.slice(slash + 1));
    if (
      kind === 0 ||
      kind !== family ||
      !Number.isInteger(bits) ||
      bits < 0 ||
      bits > (kind === 4 ? 32 : 128)
    )
      return false;
    const list = new BlockList();
    list.addSubnet(address, bits, kind === 4 ? "ipv4" : "ipv6");
    return list.check(host, kind === 4 ? "ipv4" : "ipv6");
  }
  const withPort = /^(.*?):(\d+)$/.exec(entry);
  if (withPort !== null && isIP(entry) === 0) {
    if (withPort[2] !== port) return false;
    return excludedBy(withPort[1] ?? "", host, port);
  }
  const name = bareHost(entry);
  if (family !== 0) return name === host;
  const suffix = name.replace(/^\*?\./, "");
  if (suffix === "") return false;
  return host.endsWith(`.${suffix}`) || (host === suffix && suffix === name);
}

/**
 * The proxy that the environment names for a server, or `null`: HTTPS_PROXY (ALL_PROXY where it is
 * missing), never for the loopback, minus NO_PROXY (names, suffixes, addresses, CIDR, ports), in
 * the manner of Go's golang.org/x/net/http/httpproxy, which kubectl goes by.
 */
export function proxyFromEnvironment(server: URL, environment: Environment): string | null {
  const host = bareHost(server.hostname);
  if (server.protocol !== "https:" || isLoopback(host)) return null;
  const pick = (name: string): string => environment[name.toLowerCase()] || environment[name] || "";
  const proxy = pick("HTTPS_PROXY") || pick("ALL_PROXY");
  if (proxy === "") return null;
  const port = server.port === "" ? "443" : server.port;
  const excluded = pick("NO_PROXY")
    .split(/[\s,]+/)
    .some((entry) => entry !== "" && excludedBy(entry.toLowerCase(), host, port));
  return excluded ? null : proxy;
}

function readExactly(socket: Socket, bytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const give = (): void => {
      const chunk = socket.read(bytes) as Buffer | null;
      if (chunk === null) return;
      stop();
      if (chunk.length < bytes) reject(new ProxyRefusal("the proxy closed the connection"));
      else resolve(chunk);
    };
    const fail = (): void => {
      stop();
      reject(new ProxyRefusal("the proxy closed the connection"));
    };
    const stop = (): void => {
      socket.off("readable", give).off("end", fail).off("close", fail).off("error", fail);
    };
    socket.on("readable", give).on("end", fail).on("close", fail).on("error", fail);
    give();
  });
}

async function httpConnect(socket: Socket, proxy: URL, target: string): Promise<void> {
  const login =
    proxy.username === ""
      ? ""
      : `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  const authorization =
    login === "" ? "" : `Proxy-Authorization: Basic ${Buffer.from(login).toString("base64")}\r\n`;
  socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${authorization}\r\n`);
  let head = "";
  // Byte by byte, so that nothing of what follows the head is taken from the tunnel.
  while (!head.endsWith("\r\n\r\n")) {
    if (head.length > 16_384) throw new ProxyRefusal("the proxy's answer is no HTTP");
    head += (await readExactly(socket, 1)).toString("latin1");
  }
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1];
  if (status === undefined) throw new ProxyRefusal("the proxy's answer is no HTTP");
  if (status === "407")
    throw new ProxyRefusal("the proxy wants a user name and password (status 407)");
  if (!status.startsWith("2"))
    throw new ProxyRefusal(`the proxy refused the connection (status ${status})`);
}

/** RFC 1928 §6, the reply field. */
const SOCKS_REPLIES: Readonly<Record<number, string>> = {
  1: "general failure",
  2: "not allowed by its rules",
  3: "network unreachable",
  4: "host unreachable",
  5: "connection refused",
  6: "time to live expired",
};

async function socksConnect(socket: Socket, proxy: URL, host: string, port: number): Promise<void> {
  const user = Buffer.from(decodeURIComponent(proxy.username));
  const password = Buffer.from(decodeURIComponent(proxy.password));
  const withLogin = user.length > 0 && user.length < 256 && password.length < 256;
  socket.write(Buffer.from(withLogin ? [5, 2, 0, 2] : [5, 1, 0]));
  const choice = await readExactly(socket, 2);
  if (choice[0] !== 5) throw new ProxyRefusal("the proxy's answer is no SOCKS5");
  if (choice[1] === 2 && withLogin) {
    // RFC 1929 §2.
    socket.write(
      Buffer.concat([
        Buffer.from([1, user.length]),
        user,
        Buffer.from([password.length]),
        password,
      ]),
    );
    if ((await readExactly(socket, 2))[1] !== 0)
      throw new ProxyRefusal("the proxy refused the user name and password");
  } else if (choice[1] !== 0) {
    throw new ProxyRefusal("the proxy wants a way to log in that isn't supported");
  }
  const name = Buffer.from(host);
  if (name.length > 255) throw new ProxyRefusal("the server's name is too long for SOCKS5");
  socket.write(
    Buffer.concat([
      Buffer.from([5, 1, 0, 3, name.length]),
      name,
      Buffer.from([port >> 8, port & 255]),
    ]),
  );
  const reply = await readExactly(socket, 4);
  if (reply[1] !== 0)
    throw new ProxyRefusal(
      `the proxy refused the connection (${SOCKS_REPLIES[reply[1] ?? 1] ?? "unknown reason"})`,
    );
  const rest = reply[3] === 1 ? 4 : reply[3] === 4 ? 16 : ((await readExactly(socket, 1))[0] ?? 0);
  await readExactly(socket, rest + 2);
}

function openSocket(proxy: URL, timeoutMs: number): Promise<Socket> {
  const host = bareHost(proxy.hostname);
  const fallback = proxy.protocol === "https:" ? 443 : proxy.protocol === "http:" ? 80 : 1080;
  const port = proxy.port === "" ? fallback : Number(proxy.port);
  const secure = proxy.protocol === "https:";
  return new Promise((resolve, reject) => {
    const socket: Socket = secure
      ? tlsConnect({
          host,
          port,
          ALPNProtocols: ["http/1.1"],
          ...(isIP(host) === 0 ? { servername: host } : {}),
        })
      : tcpConnect({ host, port });
    const timer = setTimeout(
      () => socket.destroy(new ProxyRefusal("the proxy didn't answer in time")),
      timeoutMs,
    );
    const fail = (error: Error & { code?: string }): void => {
      clearTimeout(timer);
      const reason =
        error instanceof ProxyRefusal
          ? error.message
          : `the proxy can't be reached (${error.code ?? "no reason given"})`;
      reject(new ProxyRefusal(reason));
    };
    socket.once("error", fail);
    socket.once(secure ? "secureConnect" : "connect", () => {
      clearTimeout(timer);
      socket.off("error", fail);
      resolve(socket);
    });
  });
}

/** Opens a tunnel to `host:port` through the proxy. @throws {ProxyRefusal} */
async function openTunnel(
  proxy: URL,
  host: string,
  port: number,
  timeoutMs: number,
): Promise<Socket> {
  const socket = await openSocket(proxy, timeoutMs);
  const swallow = (): void => undefined;
  socket.on("error", swallow);
  const timer = setTimeout(() => socket.destroy(), timeoutMs);
  try {
    const target = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
    if (proxy.protocol.startsWith("socks")) await socksConnect(socket, proxy, host, port);
    else await httpConnect(socket, proxy, target);
    socket.off("error", swallow);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

type Opened = (error: Error | null, socket?: Socket) => void;

/** The proxy for a server, `null` for none, or why none can be used. */
type ProxyOf = (server: URL) => URL | ProxyRefusal | null;

export class ProxyAgent extends HttpsAgent {
  readonly #proxyOf: ProxyOf;
  readonly #timeoutMs: number;

  constructor(options: AgentOptions, proxyOf: ProxyOf, timeoutMs: number) {
    super(options);
    this.#proxyOf = proxyOf;
    this.#timeoutMs = timeoutMs;
  }

  override createConnection(
    options: ConnectionOptions,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): ReturnType<HttpsAgent["createConnection"]> {
    const { host = "", port = 443 } = options;
    const proxy = this.#proxyOf(
      new URL(`https://${isIP(host) === 6 ? `[${host}]` : host}:${port}`),
    );
    if (proxy === null) return super.createConnection(options, callback);
    const opened = callback as unknown as Opened;
    const tunnel =
      proxy instanceof ProxyRefusal
        ? Promise.reject(proxy)
        : openTunnel(proxy, host, Number(port), this.#timeoutMs);
    tunnel.then(
      (socket) => opened(null, tlsConnect({ ...options, socket })),
      (error: unknown) => opened(error instanceof Error ? error : new Error("the tunnel failed")),
    );
    return undefined;
  }
}

/**
 * `node:http` as it is. An ES module that imports it has all its exports read, the lazy ones too,
 * and with `WebSocket` comes all of `fetch`: a tenth of what a command takes to start, and 5 MB,
 * for a server that hardly anybody has.
 */
export const { Agent, request } = process.getBuiltinModule("node:http");

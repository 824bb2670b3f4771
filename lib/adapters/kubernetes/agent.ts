/**
 * Connections that stay open, straight or through a proxy's tunnel; one agent per client
 * certificate.
 */
import type { Agent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { type Socket, isIP } from "node:net";
import { type ConnectionOptions, connect as tlsConnect } from "node:tls";
import type { Connection, Credentials } from "./connection.ts";
import { Agent as HttpAgent, bareHost, openTunnel } from "../proxy.ts";

type Opened = (error: Error | null, socket?: Socket) => void;

class TunnelAgent extends HttpsAgent {
  readonly #proxy: URL;
  readonly #timeoutMs: number;

  constructor(options: ConnectionOptions, proxy: URL, timeoutMs: number) {
    super({ ...options, keepAlive: true });
    this.#proxy = proxy;
    this.#timeoutMs = timeoutMs;
  }

  async #open(options: ConnectionOptions, opened: Opened): Promise<void> {
    let socket: Socket;
    try {
      socket = await openTunnel(
        this.#proxy,
        options.host ?? "",
        options.port ?? 443,
        this.#timeoutMs,
      );
    } catch (error) {
      opened(error instanceof Error ? error : new Error("the tunnel failed"));
      return;
    }
    opened(null, tlsConnect({ ...options, socket }));
  }

  override createConnection(
    options: ConnectionOptions,
    callback?: (error: Error | null, socket: Socket) => void,
  ): undefined {
    void this.#open(options, callback as unknown as Opened);
    return undefined;
  }
}

/** Makes the agent for a connection and the client certificate of the moment. */
export function createAgent(
  connection: Connection,
  pair: Credentials["clientPair"],
  connectTimeoutMs: number,
): Agent {
  if (connection.server.protocol === "http:") return new HttpAgent({ keepAlive: true });
  const host = bareHost(connection.server.hostname);
  // RFC 6066 §3: no literal addresses in server_name.
  const serverName = connection.tlsServerName ?? (isIP(host) === 0 ? host : "");
  const options: ConnectionOptions = {
    rejectUnauthorized: !connection.insecure,
    servername: serverName,
    checkServerIdentity: connection.proof.check,
    // Go, and so kubectl, takes an intermediate or the server's own certificate for an anchor as
    // well.
    ...(connection.caPem === null ? {} : { ca: connection.caPem, allowPartialTrustChain: true }),
    ...(pair === null ? {} : { cert: pair.cert, key: pair.key }),
  };
  if (connection.proxyUrl !== null)
    return new TunnelAgent(options, connection.proxyUrl, connectTimeoutMs);
  return new HttpsAgent({ ...options, keepAlive: true });
}

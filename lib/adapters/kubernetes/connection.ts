/**
 * How one Kubernetes API is reached: address, trust, proxy, and who asks. Reading and writing share
 * it.
 *
 * A `Connection` holds credentials: it is never printed, stored or put into an error.
 *
 * Connections that stay open, straight or through a proxy's tunnel; one agent per client
 * certificate.
 */
import type { Agent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { isIP, type Socket } from "node:net";
import { connect as tlsConnect, type ConnectionOptions } from "node:tls";
import { plain } from "../../plain.ts";
import { Agent as HttpAgent, bareHost, openTunnel } from "../proxy.ts";
import type { Proof } from "./proof.ts";

/** What a request carries to be let in; asked for before each attempt, since tokens change. */
export interface Credentials {
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** PEM of the client certificate and its key, or `null`. */
  readonly clientPair: { readonly cert: string; readonly key: string } | null;
}

/** A Kubernetes API as a kubeconfig context or a service account describes it. */
export interface Connection {
  /** Name of the context, for people; not an identity, since many are called `default`. */
  readonly title: string;
  /** Where it was described: the kubeconfig files, or the service account's folder. */
  readonly source: string;
  /** `https:`, or `http:` on the loopback. */
  readonly server: URL;
  /** Namespace of the context. */
  readonly namespace: string | null;
  /** PEM certificates that are trusted; `null`: those of the system. */
  readonly caPem: string | null;
  /** Which of them proved the connections. */
  readonly proof: Proof;
  /** The kubeconfig says `insecure-skip-tls-verify`: whoever answers is believed. */
  readonly insecure: boolean;
  /** Name that the server's certificate is checked for, where it isn't the address's. */
  readonly tlsServerName: string | null;
  /** `http:`, `https:`, `socks5:` or `socks5h:`; may hold a password. */
  readonly proxyUrl: URL | null;
  /** The service account of the pod that this runs in. */
  readonly inCluster: boolean;
  /** A program of the kubeconfig is run for the credential. */
  readonly usesExec: boolean;
  /**
   * When the client certificate or token ends by its own words (milliseconds since 1970), where it
   * says so.
   */
  readonly credentialExpiresAtMs: number | null;
  credentials(signal?: AbortSignal): Promise<Credentials>;
  /**
   * The server refused the credential: the next call fetches a new one. `false` where there is no
   * other to be had.
   */
  forget(): boolean;
}

/** Text of others for a message, at most `limit` characters of it. */
export function printable(text: string, limit = 200): string {
  return plain(text.length > limit ? `${text.slice(0, limit)}…` : text);
}

/** `cluster NAME`, the place that errors of a connection name. */
export function whereOf(connection: Pick<Connection, "title">): string {
  return `cluster ${printable(connection.title, 120)}`;
}

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

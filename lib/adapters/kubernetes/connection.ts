/**
 * How one Kubernetes API is reached: address, trust, proxy, and who asks. Reading and writing share
 * it.
 *
 * A `Connection` holds credentials: it is never printed, stored or put into an error.
 *
 * Its sockets stay open, straight or through a proxy's tunnel; one agent per client certificate.
 */
import type { Agent, ClientRequest } from "node:http";
import { Agent as HttpsAgent, type AgentOptions, request as httpsRequest } from "node:https";
import { isIP } from "node:net";
import { plain } from "../../plain.ts";
import { Agent as HttpAgent, bareHost, ProxyAgent, request as httpRequest } from "../proxy.ts";
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
  /** Hears what each attempt of a request counts as. */
  readonly onRequest?: (kind: string) => void;
}

/** What a connection has where nothing else is said of it. */
export const PLAIN_CONNECTION = {
  namespace: null,
  insecure: false,
  tlsServerName: null,
  proxyUrl: null,
  inCluster: false,
  usesExec: false,
  credentialExpiresAtMs: null,
} as const;

/** Text of others for a message, at most `limit` characters of it. */
export function printable(text: string, limit = 200): string {
  return plain(text.length > limit ? `${text.slice(0, limit)}…` : text);
}

/** `cluster NAME`, the place that errors of a connection name. */
export function whereOf(connection: Pick<Connection, "title">): string {
  return `cluster ${printable(connection.title, 120)}`;
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
  const options: AgentOptions = {
    keepAlive: true,
    rejectUnauthorized: !connection.insecure,
    servername: serverName,
    checkServerIdentity: connection.proof.check,
    // Go, and so kubectl, takes an intermediate or the server's own certificate for an anchor as
    // well.
    ...(connection.caPem === null ? {} : { ca: connection.caPem, allowPartialTrustChain: true }),
    ...(pair === null ? {} : { cert: pair.cert, key: pair.key }),
  };
  const { proxyUrl } = connection;
  return proxyUrl === null
    ? new HttpsAgent(options)
    : new ProxyAgent(options, () => proxyUrl, connectTimeoutMs);
}

export interface Outgoing {
  readonly agent: Agent;
  readonly method: string;
  /** Goes after the path of the server's own address. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[]>>;
}

export function openRequest({ server }: Connection, outgoing: Outgoing): ClientRequest {
  const { agent, method, path, headers } = outgoing;
  const isPlain = server.protocol === "http:";
  return (isPlain ? httpRequest : httpsRequest)({
    agent,
    host: bareHost(server.hostname),
    port: server.port === "" ? (isPlain ? 80 : 443) : Number(server.port),
    method,
    path: server.pathname.replace(/\/$/, "") + path,
    headers,
  });
}

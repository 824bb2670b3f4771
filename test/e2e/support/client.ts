/**
 * A plain HTTPS client over connections that stay open, for setting tests up and looking at
 * results. It knows no retries and no pagination: a test has to see what the server really says.
 */
import { Agent, request as httpsRequest } from "node:https";
import type { IncomingHttpHeaders } from "node:http";

/** An answer with its body parsed where it is JSON, else as text. */
export interface Answer<T> {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: T;
}

/** Headers of a request. */
export type Headers = Readonly<Record<string, string>>;

/** A client of one server with one credential. */
export interface Client {
  /** Answers whatever the status is. @throws only where no answer came. */
  request<T = KubeObject>(
    method: string,
    path: string,
    body?: unknown,
    headers?: Headers,
  ): Promise<Answer<T>>;
  close(): void;
}

/** As much of a Kubernetes object as tests look at. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: {
    readonly name?: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly continue?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly managedFields?: readonly { readonly manager?: string; readonly fieldsV1?: unknown }[];
  };
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: unknown;
  readonly items?: readonly KubeObject[];
  readonly reason?: string;
  readonly message?: string;
  readonly code?: number;
}

/** The name that requests of the tests themselves go by, so that they aren't counted. */
export const harnessAgent = "certkeep-test-harness";

/** Makes a client; `token` is sent as bearer token unless it is null. */
export function createClient(
  server: string,
  caPem: string,
  token: string | null,
  connections = 8,
): Client {
  const agent = new Agent({ ca: caPem, keepAlive: true, maxSockets: connections });
  return {
    request: async <T>(method: string, path: string, body?: unknown, headers: Headers = {}) => {
      const payload =
        body === undefined
          ? null
          : Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
      const sent: Record<string, string> = {
        "user-agent": harnessAgent,
        accept: "application/json",
        ...headers,
      };
      if (token !== null) sent["authorization"] ??= `Bearer ${token}`;
      if (payload !== null) {
        sent["content-type"] ??=
          method === "PATCH" ? "application/merge-patch+json" : "application/json";
        sent["content-length"] = String(payload.length);
      }
      return new Promise<Answer<T>>((resolve, reject) => {
        const outgoing = httpsRequest(
          new URL(path, server),
          { agent, method, headers: sent },
          (incoming) => {
            const parts: Buffer[] = [];
            incoming.on("data", (part: Buffer) => parts.push(part));
            incoming.once("error", reject);
            incoming.once("end", () => {
              const text = Buffer.concat(parts).toString("utf8");
              const json = (incoming.headers["content-type"] ?? "").includes("json");
              resolve({
                status: incoming.statusCode ?? 0,
                headers: incoming.headers,
                body: (json ? JSON.parse(text) : text) as T,
              });
            });
          },
        );
        outgoing.once("error", reject);
        outgoing.end(payload ?? undefined);
      });
    },
    close: () => agent.destroy(),
  };
}

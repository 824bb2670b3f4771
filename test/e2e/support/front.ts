/**
 * A reverse proxy in front of a server, for what its audit log doesn't tell (the representation
 * that was asked for, the bytes that were answered) and for answers a healthy server never gives.
 * It passes everything on unchanged unless the test says otherwise.
 */
import { Agent, createServer, request as httpsRequest } from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Kube } from "./kube.ts";

/** One request as it came in; `bytes` and `status` are those of the answer, once it is there. */
export interface Passage {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  status: number | null;
  bytes: number;
}

/** What to do with a request: nothing (pass it on), an answer of one's own, `hang` or `cut`. */
export type Interference =
  | null
  | "hang"
  | "cut"
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string };

/** A running proxy. */
export interface Front {
  readonly server: string;
  readonly passages: readonly Passage[];
  /** Asked for every request from now on; `seen` counts from 1. */
  interfere(decide: (passage: Passage, seen: number) => Interference | Promise<Interference>): void;
  forget(): void;
  stop(): Promise<void>;
}

/** Starts a proxy in front of `kube`, with a certificate of the same authority. */
export async function startFront(kube: Kube): Promise<Front> {
  const pair = await kube.authority.issue();
  const agent = new Agent({ ca: kube.caPem, keepAlive: true });
  const passages: Passage[] = [];
  let decide: (passage: Passage, seen: number) => Interference | Promise<Interference> = () => null;

  const pass = (incoming: IncomingMessage, outgoing: ServerResponse, passage: Passage): void => {
    const url = new URL(incoming.url ?? "/", kube.server);
    const headers = { ...incoming.headers, host: url.host };
    const onward = httpsRequest(url, { agent, method: passage.method, headers }, (answer) => {
      passage.status = answer.statusCode ?? 0;
      outgoing.writeHead(passage.status, answer.headers);
      answer.on("data", (part: Buffer) => {
        passage.bytes += part.length;
      });
      answer.pipe(outgoing);
    });
    onward.once("error", () => outgoing.destroy());
    incoming.pipe(onward);
  };

  const handle = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const url = new URL(incoming.url ?? "/", kube.server);
    const passage: Passage = {
      method: incoming.method ?? "GET",
      path: url.pathname,
      query: url.searchParams,
      headers: incoming.headers,
      status: null,
      bytes: 0,
    };
    passages.push(passage);
    const interference = await decide(passage, passages.length);
    if (interference === "hang") return;
    if (interference === "cut") {
      incoming.socket.destroy();
      return;
    }
    if (interference === null) {
      pass(incoming, outgoing, passage);
      return;
    }
    passage.status = interference.status;
    const body = interference.body ?? "";
    passage.bytes = Buffer.byteLength(body);
    outgoing
      .writeHead(interference.status, {
        "content-type": "application/json",
        ...interference.headers,
      })
      .end(body);
  };

  const server = createServer({ cert: pair.certPem, key: pair.keyPem }, (incoming, outgoing) => {
    void handle(incoming, outgoing);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  server.unref();
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");
  return {
    server: `https://127.0.0.1:${address.port}`,
    passages,
    interfere: (next) => {
      decide = next;
    },
    forget: () => {
      passages.length = 0;
    },
    stop: async () => {
      agent.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

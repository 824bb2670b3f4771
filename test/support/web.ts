/**
 * A server on this machine that answers as a test says, faults included, and remembers what it was
 * asked.
 */
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";

export type WebReply =
  | {
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string | Uint8Array;
    }
  | "hang"
  | "cut"
  | "drip"
  | "reset";

export interface FakeWeb {
  readonly url: string;
  readonly asked: { readonly path: string; readonly headers: IncomingHttpHeaders }[];
  /** May be changed at any time. */
  answer: (path: string) => WebReply;
  stop(): Promise<void>;
}

export async function startWeb(): Promise<FakeWeb> {
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    web.asked.push({ path, headers: request.headers });
    const reply = web.answer(path);
    if (reply === "hang") return;
    if (reply === "reset") {
      request.socket.destroy();
      return;
    }
    if (reply === "cut") {
      response.writeHead(200, { "content-length": "100" });
      response.write("[", () => response.destroy());
      return;
    }
    if (reply === "drip") {
      response.writeHead(200, { "content-type": "application/json" });
      response.write("[");
      return;
    }
    response
      .writeHead(reply.status ?? 200, { "content-type": "application/json", ...reply.headers })
      .end(reply.body ?? "");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const web: FakeWeb = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: [],
    answer: () => ({ status: 404 }),
    stop: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  return web;
}

/** The demo's Slack: takes what is posted to it on the loopback, and answers as Slack does. */
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { SlackMessage } from "../report/slack/blocks.ts";

export interface DemoSlack {
  /** The webhook's address. */
  readonly url: string;
  readonly messages: readonly SlackMessage[];
  stop(): Promise<void>;
}

export async function startDemoSlack(): Promise<DemoSlack> {
  const path = `/services/T0DEMO/B0DEMO/${randomBytes(12).toString("hex")}`;
  const messages: SlackMessage[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
    request.on("end", () => {
      const known = request.url === path && request.method === "POST";
      if (known) messages.push(JSON.parse(body) as SlackMessage);
      response.writeHead(known ? 200 : 404).end(known ? "ok" : "no_service");
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`,
    messages,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

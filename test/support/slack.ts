/**
 * A Slack that takes incoming webhooks on the loopback: enough of it to hold a message to the
 * limits that Slack documents, and to answer in its words when it is to refuse. It keeps what it
 * took.
 *
 * Limits: https://docs.slack.dev/reference/block-kit/blocks (each block's page); answers:
 * https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks, "Handling errors".
 */
import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface TakenMessage {
  readonly text: string;
  readonly blocks: readonly SlackBlock[];
}

export type SlackBlock = Readonly<Record<string, unknown>> & { readonly type: string };

/** What the next request meets in place of its right answer. */
export type SlackFault =
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly body: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** Takes the message, then answers nothing and cuts the line. */
  | { readonly kind: "taken_and_cut" }
  | { readonly kind: "cut" }
  /** Never answers. */
  | { readonly kind: "silent" };

export interface SlackSink {
  /** The webhook: a credential, as Slack's is. */
  readonly url: string;
  readonly taken: readonly TakenMessage[];
  /** Requests so far, whatever came of them. */
  readonly requests: () => number;
  /** Faults for the next requests, one each, in order. */
  fail(...faults: readonly SlackFault[]): void;
  /** Takes nothing any more, as after somebody removed the app. */
  revoke(): void;
  stop(): Promise<void>;
}

export interface SinkOptions {
  /** Messages that are taken within a second; more get a 429. Slack's documentation says one. */
  readonly perSecond?: number;
  readonly nowMs?: () => number;
}

const MAX_BODY = 1024 * 1024;
const RETRY_AFTER_S = 1;

export async function startSlackSink({
  perSecond = Number.POSITIVE_INFINITY,
  nowMs = Date.now,
}: SinkOptions = {}): Promise<SlackSink> {
  const path = `/services/T${token(8)}/B${token(8)}/${token(24)}`;
  const taken: TakenMessage[] = [];
  const faults: SlackFault[] = [];
  let revoked = false;
  let requests = 0;
  let recent: number[] = [];

  const answer = (
    response: ServerResponse,
    status: number,
    body: string,
    headers: Readonly<Record<string, string>> = {},
  ): void => {
    response
      .writeHead(status, { "content-type": "text/plain; charset=utf-8", ...headers })
      .end(body);
  };

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    requests += 1;
    const body = await bodyOf(request);
    const fault = faults.shift();
    if (fault?.kind === "answer") return answer(response, fault.status, fault.body, fault.headers);
    if (fault?.kind === "cut") return void request.socket.destroy();
    if (fault?.kind === "silent") return;
    if (request.method !== "POST") return answer(response, 405, "invalid_method");
    if (
      revoked ||
      request.url?.split("/")[2] !== path.split("/")[2] ||
      request.url?.split("/")[3] !== path.split("/")[3]
    )
      return answer(response, 404, "no_service");
    if (request.url !== path) return answer(response, 403, "invalid_token");
    recent = recent.filter((at) => at > nowMs() - 1000);
    if (recent.length >= perSecond)
      return answer(response, 429, "rate_limited", { "retry-after": String(RETRY_AFTER_S) });
    const result = body === null ? "invalid_payload" : takeMessage(body);
    if (typeof result === "string") return answer(response, 400, result);
    recent.push(nowMs());
    taken.push(result);
    if (fault?.kind === "taken_and_cut") return void request.socket.destroy();
    answer(response, 200, "ok");
  }

  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}${path}`,
    taken,
    requests: () => requests,
    fail: (...next) => void faults.push(...next),
    revoke: () => {
      revoked = true;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function token(length: number): string {
  return randomBytes(length)
    .toString("base64url")
    .replaceAll(/[-_]/g, "0")
    .slice(0, length)
    .toUpperCase();
}

async function bodyOf(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** The message, or the word with which Slack refuses it. */
export function takeMessage(body: string): TakenMessage | string {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return "invalid_payload";
  }
  if (!isObject(value)) return "invalid_payload";
  const { text = "", blocks = [] } = value;
  if (typeof text !== "string") return "invalid_payload";
  if (!Array.isArray(blocks)) return "invalid_blocks";
  if (text === "" && blocks.length === 0) return "no_text";
  if (text.length > 40_000) return "msg_too_long";
  if (blocks.length > 50) return "invalid_blocks";
  if (!blocks.every(isSoundBlock)) return "invalid_blocks";
  if (blocks.reduce((sum: number, block) => sum + lengthOf(block), 0) > 10_000)
    return "msg_blocks_too_long";
  return { text, blocks };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown, most: number, types: readonly string[]): boolean {
  if (
    !isObject(value) ||
    typeof value["text"] !== "string" ||
    !types.includes(String(value["type"]))
  )
    return false;
  const known =
    value["type"] === "mrkdwn" ? ["type", "text", "verbatim"] : ["type", "text", "emoji"];
  return (
    value["text"].length >= 1 &&
    value["text"].length <= most &&
    Object.keys(value).every((key) => known.includes(key))
  );
}

const BOTH = ["mrkdwn", "plain_text"] as const;

function isSoundBlock(block: unknown): block is SlackBlock {
  if (!isObject(block)) return false;
  const only = (...keys: readonly string[]): boolean =>
    Object.keys(block).every((key) => key === "type" || key === "block_id" || keys.includes(key));
  switch (block["type"]) {
    case "header":
      return only("text") && isText(block["text"], 150, ["plain_text"]);
    case "divider":
      return only();
    case "context": {
      const { elements } = block;
      return (
        only("elements") &&
        Array.isArray(elements) &&
        elements.length >= 1 &&
        elements.length <= 10 &&
        elements.every((element) => isText(element, 3000, BOTH))
      );
    }
    case "section": {
      const { text, fields } = block;
      if (!only("text", "fields", "expand") || (text === undefined && fields === undefined))
        return false;
      if (text !== undefined && !isText(text, 3000, BOTH)) return false;
      return (
        fields === undefined ||
        (Array.isArray(fields) &&
          fields.length >= 1 &&
          fields.length <= 10 &&
          fields.every((field) => isText(field, 2000, BOTH)))
      );
    }
    default:
      return false;
  }
}

function lengthOf(value: unknown): number {
  if (Array.isArray(value)) return value.reduce((sum: number, one) => sum + lengthOf(one), 0);
  if (!isObject(value)) return 0;
  return Object.entries(value).reduce(
    (sum, [key, one]) =>
      sum + (key === "text" && typeof one === "string" ? one.length : lengthOf(one)),
    0,
  );
}

/**
 * The demo's Slack: takes what is posted to it on the loopback, answers as Slack does, and shows a
 * message in a terminal as Slack's client would: a mention or a link that got through would be seen
 * as one.
 */
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { SlackMessage, Block } from "../report/slack/blocks.ts";
import { type Style, wrap } from "../report/text.ts";

export interface DemoSlack {
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

export function slackView(
  { blocks, text }: SlackMessage,
  { width, style }: { readonly width: number; readonly style: Style },
): string {
  const inner = width - 2;
  const lines =
    blocks.length === 0
      ? wrap(text, inner)
      : blocks.flatMap((block, at) => [
          ...blockLines(block, inner, style),
          ...(block.type === "context" && blocks[at + 1]?.type === "context" ? [] : [""]),
        ]);
  if (lines.at(-1) === "") lines.pop();
  return lines.map((line) => `${style.dim("│")} ${line}`.trimEnd()).join("\n");
}

function blockLines(block: Block, width: number, style: Style): string[] {
  switch (block.type) {
    case "context":
      return block.elements.flatMap(({ text }) =>
        wrap(inline(text), width).map((line) => style.dim(line)),
      );
    case "section":
      return sectionLines(block.text.text, width, style);
  }
}

function sectionLines(text: string, width: number, style: Style): string[] {
  const lines: string[] = [];
  let code = false;
  for (const line of text.split("\n")) {
    if (line === "```") code = !code;
    else if (code) lines.push(`    ${style.green(inline(line))}`);
    else if (/^:\w+: \*[^*]*\*$/.test(line))
      lines.push(...wrap(inline(line.replaceAll("*", "")), width).map((part) => style.bold(part)));
    else
      lines.push(
        ...wrap(inline(line), width - 2).map((part, index) => (index === 0 ? part : `  ${part}`)),
      );
  }
  return lines;
}

const EMOJI: Readonly<Record<string, string>> = {
  rotating_light: "🚨",
  warning: "⚠️",
  information_source: "ℹ️",
  white_check_mark: "✅",
};

/** Tokens and entities as Slack resolves them. */
function inline(text: string): string {
  return text
    .replace(/^:(\w+):/, (written, name: string) => EMOJI[name] ?? written)
    .replaceAll("\u200b", "")
    .replace(/<!date\^\d{1,16}\^[^|<>]*\|([^<>]*)>/g, "$1")
    .replace(/<!(channel|here|everyone)(\|[^<>]*)?>/g, "@$1 (a mention)")
    .replace(/<(https?:[^|<>]*)(\|([^<>]*))?>/g, "$1 (a link)")
    .replace(/`([^`]*)`/g, "$1")
    .replace(/(^|\s)\*([^*]+)\*(?=\s|$|[:.,])/g, "$1$2")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
}

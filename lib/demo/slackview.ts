/**
 * A message as Slack's client would show it, in a terminal: what is bold, code, a quote or a date
 * there is so here, and a mention or a link that got through would be seen as one.
 */
import type { Block, SlackMessage } from "../report/slack/blocks.ts";
import { type Style, wrap } from "../report/text.ts";

export function slackView(
  { blocks, text }: SlackMessage,
  { width, style }: { readonly width: number; readonly style: Style },
): string {
  const inner = width - 2;
  const lines =
    blocks.length === 0
      ? wrap(text, inner)
      : blocks.flatMap((block) => blockLines(block, inner, style));
  if (lines.at(-1) === "") lines.pop();
  return lines.map((line) => `${style.dim("│")} ${line}`.trimEnd()).join("\n");
}

function blockLines(block: Block, width: number, style: Style): string[] {
  switch (block.type) {
    case "context":
      return [
        ...block.elements.flatMap(({ text }) =>
          wrap(inline(text), width).map((line) => style.dim(line)),
        ),
        "",
      ];
    case "section":
      return [...sectionLines(block.text.text, width, style), ""];
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

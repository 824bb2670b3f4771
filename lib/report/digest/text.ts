/** A digest for a terminal: the same message with the same cuts as Slack gets. Pure. */
import { fitForSlack } from "../slack/blocks.ts";
import type { Message } from "./message.ts";
import { calm, utcText, type Part } from "../part.ts";
import { type Style, wrap } from "../text.ts";
import { plain } from "../../plain.ts";

export function digestText(
  message: Message,
  { width, style }: { readonly width: number; readonly style: Style },
): string {
  const fitted = fitForSlack(message);
  const lines = [
    ...wrap(fitted.verdict, width).map((line) => style.bold(line)),
    ...wrap(partsText(fitted.context), width).map((line) => style.dim(line)),
  ];
  for (const section of fitted.sections) {
    const paint =
      section.severity === "critical"
        ? style.red
        : section.severity === "warning"
          ? style.yellow
          : (text: string): string => text;
    lines.push(
      "",
      ...wrap(`${plain(section.title)} (${section.total.toLocaleString("en-US")})`, width).map(
        (line) => style.bold(paint(line)),
      ),
    );
    for (const item of section.items) lines.push(...hanging(partsText(item.parts), width));
    if (section.rest !== null)
      lines.push(...wrap(partsText(section.rest), width, "  ").map((line) => style.dim(line)));
    const commands = new Set(
      section.items
        .flatMap(({ command, invoke = null }) => [command, invoke])
        .filter((command) => command !== null),
    );
    for (const command of commands) lines.push(`      ${style.green(command)}`);
  }
  if (fitted.notes.length > 0) lines.push("");
  for (const note of fitted.notes)
    lines.push(...wrap(partsText(note), width).map((line) => style.dim(line)));
  return lines.join("\n");
}

function hanging(text: string, width: number): string[] {
  return wrap(text, width, "    ").map((line, index) =>
    index === 0 ? `  - ${line.slice(4)}` : line,
  );
}

export function partsText(parts: readonly Part[]): string {
  return parts
    .map((part) => {
      if (typeof part === "string") return part;
      if ("name" in part) return plain(calm(part.name));
      if ("said" in part) return plain(calm(part.said));
      return "strong" in part ? part.strong : utcText(part.atMs);
    })
    .join("");
}

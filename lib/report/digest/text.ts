/** A digest for a terminal: the same message with the same cuts as Slack gets. Pure. */
import { fitForSlack } from "../slack/blocks.ts";
import { partsText } from "../part.ts";
import { type Page, type Style, wrap } from "../text.ts";
import type { Message, Notice } from "./message.ts";

const LABELS: Readonly<Record<Notice["severity"], string>> = {
  critical: "CRITICAL",
  warning: "WARNING",
  info: "INFO",
  resolved: "",
};

export function digestText(message: Message, { width, style }: Page): string {
  const { notices, rest, notes } = fitForSlack(message);
  const foot = [...(rest === null ? [] : [rest]), ...notes.map(partsText)].flatMap((note) =>
    wrap(note, width),
  );
  return [
    ...notices.flatMap((notice) => [...noticeLines(notice, { width, style }), ""]),
    ...foot.map((line, index) => (notices.length === 0 && index === 0 ? line : style.dim(line))),
  ].join("\n");
}

function noticeLines(
  { severity, title, lines, commands }: Notice,
  { width, style }: Page,
): string[] {
  const heading = `${LABELS[severity]} ${partsText(title)}`.trimStart();
  return [
    ...wrap(heading, width).map((line) => style.bold(paintOf(severity, style)(line))),
    ...lines.flatMap((line) => wrap(partsText(line), width, "  ")),
    ...commands.map((command) => `    ${style.green(command)}`),
  ];
}

function paintOf(severity: Notice["severity"], style: Style): (text: string) => string {
  if (severity === "critical") return style.red;
  if (severity === "warning") return style.yellow;
  return severity === "resolved" ? style.green : (text) => text;
}

/**
 * A message as Slack's Block Kit, and the text for notifications. Pure.
 *
 * The worst notices are shown whole, the others counted. Invariant, for any message: at most 50
 * blocks, 3,000 characters a section, about 10,000 in all.
 */
import type { ContextBlock, MrkdwnElement, SectionBlock } from "@slack/types";
import type { Message, Notice } from "../digest/message.ts";
import { type Text, partsText } from "../part.ts";
import { slackNote, slackText, slackTitle } from "./escape.ts";

/** https://docs.slack.dev/reference/block-kit/blocks: a message holds this many. */
const MAX_BLOCKS = 50;
/**
 * The same page, section block: 3,000. Ours is below it, so that a client shows it without “see
 * more” as far as it can.
 */
const SECTION = 2800;
/** All text together: Slack cuts messages off at about 10,000. */
const TEXT = 9_400;

interface TextSection extends SectionBlock {
  text: MrkdwnElement;
}

interface TextContext extends ContextBlock {
  elements: MrkdwnElement[];
}

export type Block = TextSection | TextContext;

export interface SlackMessage {
  readonly text: string;
  readonly blocks: readonly Block[];
}

export function slackMessage(message: Message): SlackMessage {
  return render(fitForSlack(message));
}

/** What Slack's limits leave of a message: another medium that shows the same takes this. */
export function fitForSlack(message: Message): FittedMessage {
  return fitMessage(message, (fitted) => {
    const sent = render(fitted);
    return sent.blocks.length <= MAX_BLOCKS && lengthOf(sent) <= TEXT;
  });
}

/** Characters of all of a message's text, as Slack counts them: after escaping. */
export function lengthOf({ text, blocks }: SlackMessage): number {
  return blocks.reduce(
    (sum, block) =>
      sum +
      (block.type === "section"
        ? block.text.text.length
        : block.elements.reduce((all, element) => all + element.text.length, 0)),
    text.length,
  );
}

function render({ title, notices, rest, notes }: FittedMessage): SlackMessage {
  const foot: readonly Text[] = [...(rest === null ? [] : [[rest]]), ...notes];
  // Without a notice the first note is what the message says.
  const [only, ...others] = notices.length === 0 ? foot : [];
  return {
    text: slackTitle(title),
    blocks: [
      ...notices.map((notice) => section(noticeText(notice))),
      ...(only === undefined ? [] : [section(slackNote(only))]),
      ...context(notices.length === 0 ? others : foot),
    ],
  };
}

/** `verbatim`: Slack makes no links, mentions or channels out of plain words. */
function mrkdwn(text: string): MrkdwnElement {
  return { type: "mrkdwn", text, verbatim: true };
}

function section(text: string): TextSection {
  return { type: "section", text: mrkdwn(text) };
}

/** A block each: Slack shows the elements of one in a row, as if they were one sentence. */
function context(notes: readonly Text[]): TextContext[] {
  return notes
    .slice(0, 10)
    .map((note) => ({ type: "context", elements: [mrkdwn(slackNote(note))] }));
}

const EMOJI: Readonly<Record<Notice["severity"], string>> = {
  critical: ":rotating_light:",
  warning: ":warning:",
  info: ":information_source:",
  resolved: ":white_check_mark:",
};

/** The title, its lines, and the commands in code of their own; what is too long loses lines. */
function noticeText({ severity, title, lines, commands }: Notice): string {
  const fence = commands.length === 0 ? [] : [`\`\`\`\n${commands.join("\n")}\n\`\`\``];
  const text = (shown: number): string =>
    [
      `${EMOJI[severity]} *${slackTitle(title)}*`,
      ...lines.slice(0, shown).map((line) => slackText(line)),
      ...fence,
    ].join("\n");
  let shown = lines.length;
  while (shown > 0 && text(shown).length > SECTION) shown -= 1;
  return text(shown);
}

/** What the doctor posts to see whether a route delivers. */
export const TEST_MESSAGE: SlackMessage = {
  text: "certkeep: a test message. Digests arrive here.",
  blocks: [
    {
      type: "section",
      text: { type: "mrkdwn", text: "certkeep: a test message. Digests arrive here." },
    },
  ],
};

export interface FittedMessage extends Message {
  /** `and 7 more (2 critical): certkeep report`, or `null` where nothing is left out. */
  readonly rest: string | null;
}

/** Lines that a person reads on a phone at 3 a.m. */
const MOST_LINES = 10;
/** Characters of one of them, in a window that is wide enough. */
const LINE = 140;

/** `fits` says whether the medium holds the message. */
function fitMessage(message: Message, fits: (fitted: FittedMessage) => boolean): FittedMessage {
  let shown = 0;
  let lines = 0;
  for (const notice of message.notices) {
    lines += linesOf(notice);
    if (shown > 0 && lines > MOST_LINES) break;
    shown += 1;
  }
  while (shown > 0 && !fits(cutTo(message, shown))) shown -= 1;
  return cutTo(message, shown);
}

function cutTo(message: Message, shown: number): FittedMessage {
  return {
    ...message,
    notices: message.notices.slice(0, shown),
    rest: restText(message.notices.slice(shown), shown === 0, message.report),
  };
}

function linesOf({ title, lines, commands }: Notice): number {
  const rows = (text: Text): number => Math.max(1, Math.ceil(partsText(text).length / LINE));
  return rows(title) + lines.reduce((sum, line) => sum + rows(line), 0) + commands.length;
}

function restText(left: readonly Notice[], alone: boolean, report: string): string | null {
  if (left.length === 0) return null;
  const of = (severity: Notice["severity"]): number =>
    left.filter((notice) => notice.severity === severity).length;
  const resolved = of("resolved");
  const others = left.length - resolved;
  const critical = of("critical");
  const worst =
    critical === 0
      ? ""
      : critical === others
        ? " critical"
        : ` (${critical.toLocaleString("en-US")} critical)`;
  const counts = [
    ...(others === 0 ? [] : [`${others.toLocaleString("en-US")} more${worst}: ${report}`]),
    ...(resolved === 0 ? [] : [`${resolved.toLocaleString("en-US")} resolved`]),
  ];
  return `${alone ? "" : "and "}${counts.join("; ")}`;
}

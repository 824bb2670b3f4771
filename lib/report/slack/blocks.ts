/**
 * A message as Slack's Block Kit, and the text for notifications. Pure.
 *
 * Invariant, for any message: at most 50 blocks, 3,000 characters a section, 150 a header, about
 * 10,000 in all. The header and the text hold numbers and certkeep's own words only.
 */
import type {
  ContextBlock,
  DividerBlock,
  HeaderBlock,
  MrkdwnElement,
  SectionBlock,
} from "@slack/types";
import { fitMessage, type FittedMessage, type FittedSection } from "../digest/fit.ts";
import type { Message } from "../digest/message.ts";
import { slackText } from "./escape.ts";

/** https://docs.slack.dev/reference/block-kit/blocks: a message holds this many. */
const MAX_BLOCKS = 50;
/** The same page, header block. */
const MAX_HEADER = 150;
/**
 * The same page, section block: 3,000. Ours is below it, so that a client shows it without “see
 * more” as far as it can.
 */
const SECTION = 2800;
/** All text together: Slack cuts messages off at about 10,000. */
const TEXT = 9_400;
const NOTE = 600;

interface TextSection extends SectionBlock {
  text: MrkdwnElement;
}

interface TextContext extends ContextBlock {
  elements: MrkdwnElement[];
}

/** The blocks that certkeep sends. */
export type Block = HeaderBlock | DividerBlock | TextSection | TextContext;

export interface SlackMessage {
  readonly text: string;
  readonly blocks: readonly Block[];
}

/** The message as Slack takes it. */
export function slackMessage(message: Message): SlackMessage {
  return render(fitForSlack(message));
}

/** What Slack's limits leave of a message: another medium that shows the same takes this. */
export function fitForSlack(message: Message): FittedMessage {
  const costs = new WeakMap<FittedSection, Cost>();
  return fitMessage(message, (fitted) => holds(fitted, costs));
}

interface Cost {
  readonly blocks: number;
  readonly text: number;
}

function costOf(blocks: readonly Block[]): Cost {
  return { blocks: blocks.length, text: blocks.reduce((sum, block) => sum + textOf(block), 0) };
}

function textOf(block: Block): number {
  if (block.type === "divider") return 0;
  if (block.type === "context")
    return block.elements.reduce((sum, { text }) => sum + text.length, 0);
  return block.text.text.length;
}

/** Characters of all of a message's text, as Slack counts them: after escaping. */
export function lengthOf({ text, blocks }: SlackMessage): number {
  return text.length + costOf(blocks).text;
}

function holds(fitted: FittedMessage, costs: WeakMap<FittedSection, Cost>): boolean {
  let { blocks, text } = costOf([...head(fitted), ...foot(fitted)]);
  for (const section of fitted.sections) {
    const known = costs.get(section) ?? costOf(sectionBlocks(section));
    costs.set(section, known);
    blocks += known.blocks;
    text += known.text;
  }
  return blocks <= MAX_BLOCKS && text + fitted.verdict.length <= TEXT;
}

function render(fitted: FittedMessage): SlackMessage {
  return {
    text: fitted.verdict,
    blocks: [...head(fitted), ...fitted.sections.flatMap(sectionBlocks), ...foot(fitted)],
  };
}

/** `verbatim`: Slack makes no links, mentions or channels out of plain words. */
function mrkdwn(text: string): MrkdwnElement {
  return { type: "mrkdwn", text, verbatim: true };
}

function head({ verdict, context }: FittedMessage): Block[] {
  const title = verdict.length <= MAX_HEADER ? verdict : `${verdict.slice(0, MAX_HEADER - 1)}…`;
  return [
    { type: "header", text: { type: "plain_text", text: title, emoji: false } },
    { type: "context", elements: [mrkdwn(slackText(context))] },
  ];
}

function foot({ notes }: FittedMessage): Block[] {
  if (notes.length === 0) return [];
  // A note holds at most a few cut names, so it is never longer than this.
  return [
    { type: "divider" },
    {
      type: "context",
      elements: notes.slice(0, 10).map((note) => mrkdwn(slackText(note).slice(0, NOTE))),
    },
  ];
}

function sectionBlocks(section: FittedSection): Block[] {
  const title = slackText([
    { strong: `${capital(section.title)} (${section.total.toLocaleString("en-US")})` },
  ]);
  const lines = section.items.map(({ parts }) => `• ${slackText(parts)}`);
  if (section.rest !== null) lines.push(slackText(section.rest));
  const commands = [
    ...section.items.map(({ command }) => command),
    ...section.items.map(({ invoke }) => invoke ?? null),
  ].filter((command) => command !== null);
  return [
    ...packed([title, ...lines], (part) => part.join("\n")),
    ...packed([...new Set(commands)], (part) => `\`\`\`\n${part.join("\n")}\n\`\`\``),
  ].map((text) => ({ type: "section", text: mrkdwn(text) }));
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Lines in as few texts as a section's length allows; each line fits one by itself. */
function packed(lines: readonly string[], join: (lines: readonly string[]) => string): string[] {
  const texts: string[] = [];
  let part: string[] = [];
  for (const line of lines) {
    if (part.length > 0 && join([...part, line]).length > SECTION) {
      texts.push(join(part));
      part = [];
    }
    part.push(line);
  }
  if (part.length > 0) texts.push(join(part));
  return texts;
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

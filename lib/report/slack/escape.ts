/**
 * Text for Slack's mrkdwn. `&`, `<` and `>` are escaped as Slack's documentation asks, which takes
 * away mentions, links and date tokens of others; formatting characters of a cluster's text lose
 * their effect by a zero-width space next to them; blocks are sent with `verbatim`, so that Slack
 * makes no links or mentions of plain words. Pure.
 */
import { calm, middle, utcText, type Part, type Text } from "../part.ts";
import { plain } from "../../plain.ts";

/** A name, cut to so many characters after escaping. */
const NAME_LENGTH = 90;
/** A sentence that may hold text of a cluster, likewise. */
const SAID_LENGTH = 400;
const TITLE_LENGTH = 600;
const NOTE_LENGTH = 1200;
/** Slack's `<!date>` takes whole seconds; beyond these years clients show nonsense. */
const MIN_DATE_MS = 0;
const MAX_DATE_MS = 253_402_300_799_000;
const RTL = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;

/** The three characters that mrkdwn gives a meaning outside of formatting. */
function escapeSlack(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** What is written from right to left stays within its own place of the line. */
function isolated(text: string): string {
  return RTL.test(text) ? `\u2068${text}\u2069` : text;
}

/** `text` cut so that it holds at most `length` characters once `show` has escaped it. */
function within(text: string, length: number, show: (text: string) => string): string {
  let shown = show(middle(text, length));
  for (let most = length; shown.length > length && most > 2; shown = show(middle(text, most)))
    most = Math.floor(most * 0.7);
  return shown;
}

/** Text in the midst of a sentence, without effect. */
function neutral(text: string): string {
  const clean = calm(plain(text)).replaceAll("`", "'");
  return isolated(
    within(clean, SAID_LENGTH, (shown) =>
      escapeSlack(shown).replace(
        /[*_~]|:(?=[\w+'-]+:)/g,
        (character) => `\u200b${character}\u200b`,
      ),
    ),
  );
}

/** Text of a cluster as a name: inline code, which Slack neither formats nor links. */
function code(text: string): string {
  const clean = calm(plain(text)).replaceAll("`", "'").trim();
  return `\`${isolated(within(clean === "" ? "(empty)" : clean, NAME_LENGTH, escapeSlack))}\``;
}

/** A token that Slack shows in the reader's own time zone. */
function dateToken(atMs: number): string {
  if (!(atMs >= MIN_DATE_MS && atMs <= MAX_DATE_MS)) return utcText(atMs);
  return `<!date^${Math.floor(atMs / 1000)}^{date_short_pretty} {time}|${utcText(atMs)}>`;
}

function partText(part: Part): string {
  if (typeof part === "string") return escapeSlack(part);
  if ("name" in part) return code(part.name);
  if ("said" in part) return neutral(part.said);
  if ("strong" in part) return `*${neutral(part.strong)}*`;
  return dateToken(part.atMs);
}

export function slackText(parts: Text): string {
  return parts.map(partText).join("");
}

/** At most `length` characters: it ends after the last part that has room, so nothing is halved. */
function cutTo(texts: readonly string[], length: number): string {
  let used = 0;
  const shown = texts.filter((text) => (used += text.length) < length);
  return `${shown.join("")}${shown.length < texts.length ? "…" : ""}`;
}

export function slackNote(parts: Text): string {
  return cutTo(parts.map(partText), NOTE_LENGTH);
}

/** A title, which is bold or plain as a whole: names stand in it without code. */
export function slackTitle(parts: Text): string {
  const texts = parts.map((part) => {
    if (typeof part === "string") return escapeSlack(part);
    if ("atMs" in part) return dateToken(part.atMs);
    if ("said" in part) return neutral(part.said);
    return neutral(middle("name" in part ? part.name : part.strong, NAME_LENGTH));
  });
  return cutTo(texts, TITLE_LENGTH);
}

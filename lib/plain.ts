/**
 * The one escape of text that somebody else wrote: names, paths, messages. Control characters, and
 * those that reorder or hide text, are shown as `\u{…}`. Pure.
 */

const UNSAFE = String.raw`[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\u2065\u{e0000}-\u{e0fff}]`;
const ANY = new RegExp(UNSAFE, "gu");
/**
 * A line break, the colours of lib/report/text.ts as a terminal knows them, or anything unsafe.
 */
const OWN_OR_ANY = new RegExp(String.raw`\n|\u001b\[(?:1|2|22|31|32|33|39)m|${UNSAFE}`, "gu");

function shown(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0xfffd).toString(16)}}`;
}

/** One line. */
export function plain(text: string): string {
  return text.replace(ANY, shown);
}

/** Cut at a character, so that no half of one is left. */
export function shortened(text: string, length = 200): string {
  const characters = Array.from(text.slice(0, length * 2 + 2));
  return characters.length <= length && text.length <= length * 2
    ? text
    : `${characters.slice(0, length - 1).join("")}…`;
}

/** Line breaks stay. */
export function plainLines(text: string): string {
  return text.split("\n").map(plain).join("\n");
}

/**
 * What a command prints as a whole: certkeep's own line breaks and colours stay. Parts of others
 * were escaped before.
 */
export function plainOutput(text: string): string {
  return text.replace(OWN_OR_ANY, (match) =>
    match === "\n" || match.startsWith("\u001b[") ? match : shown(match),
  );
}

/** A JSON text with the same value, in JSON's own escapes. */
export function plainJson(json: string): string {
  return json.replace(OWN_OR_ANY, (match) =>
    match === "\n"
      ? match
      : match
          .split("")
          .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
          .join(""),
  );
}

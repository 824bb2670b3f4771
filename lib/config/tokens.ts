/**
 * YAML text as its parser's tokens, where it costs no more than it weighs. The parser takes
 * microseconds for a sign, whatever the sign says, and its composer recurses: a megabyte of
 * brackets costs minutes, or ends the process.
 */
import {
  type CST,
  type DocumentOptions,
  LineCounter,
  type ParseOptions,
  Parser,
  type SchemaOptions,
} from "yaml";

const TAG = "tag:yaml.org,2002:";
const UNKNOWN_TO_KUBECTL = ["timestamp", "binary", "omap", "pairs", "set"].map(
  (name) => TAG + name,
);

/**
 * Options of a composer that reads as kubectl does (sigs.k8s.io/yaml): YAML 1.1, where `yes` and
 * `on` are true, but dates stay text and 1:30 is no number.
 */
export const KUBERNETES_YAML: ParseOptions & DocumentOptions & SchemaOptions = {
  version: "1.1",
  prettyErrors: false,
  logLevel: "silent",
  customTags: (tags) =>
    tags.filter(
      (tag) =>
        typeof tag === "string" ||
        (!("format" in tag && tag.format === "TIME") && !UNKNOWN_TO_KUBECTL.includes(tag.tag)),
    ),
};

export interface TokenLimits {
  /** Levels of lists and maps. */
  readonly depth: number;
  /** Brackets, quotes, colons, dashes, ends of lines and the like. */
  readonly signs: number;
}

export type Tokens =
  | { readonly ok: true; readonly tokens: readonly CST.Token[] }
  | { readonly ok: false; readonly offset: number; readonly found: string };

/** Brackets that are open at once, before it is known which of them stand in a text. */
const MAX_BRACKETS = 1_000;
const SIGNS: ReadonlySet<number> = new Set(
  [..."[]{}\"'&*?!|>:-#\n"].map((sign) => sign.charCodeAt(0)),
);

export function tokensOf(text: string, limits: TokenLimits, lines = new LineCounter()): Tokens {
  const heap = heapOf(text, limits.signs);
  if (heap !== null) return { ok: false, offset: 0, found: heap };
  const tokens = [...new Parser(lines.addNewLine).parse(text)];
  for (const token of tokens) {
    const offset = tooDeep(token, limits.depth);
    if (offset !== null)
      return { ok: false, offset, found: `nesting of more than ${limits.depth} levels` };
  }
  return { ok: true, tokens };
}

/** What there is too much of, by the text alone; `null`: nothing. */
function heapOf(text: string, maxSigns: number): string | null {
  if (/(?:[-?:] +){200}/.test(text)) return "nesting of more than 200 levels";
  let signs = 0;
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const sign = text.charCodeAt(at);
    if (!SIGNS.has(sign)) continue;
    signs += 1;
    if (sign === 0x5b || sign === 0x7b) depth += 1;
    else if (sign === 0x5d || sign === 0x7d) depth = Math.max(0, depth - 1);
    if (depth > MAX_BRACKETS) return `nesting of more than ${MAX_BRACKETS} levels`;
    if (signs > maxSigns) return `more than ${maxSigns} brackets, quotes, colons, dashes and lines`;
  }
  return null;
}

/** Offset of the first token past `depth`, or null; without recursion. */
function tooDeep(token: CST.Token, maxDepth: number): number | null {
  const stack: [CST.Token, number][] = [[token, 0]];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const [current, depth] = next;
    if (depth > maxDepth) return current.offset;
    if (current.type === "document" && current.value !== undefined)
      stack.push([current.value, depth + 1]);
    if (!("items" in current)) continue;
    for (const item of current.items) {
      if (item.key) stack.push([item.key, depth + 1]);
      if (item.value) stack.push([item.value, depth + 1]);
    }
  }
  return null;
}

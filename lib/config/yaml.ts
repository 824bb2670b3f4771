/**
 * YAML 1.2 text to plain data with the place of everything in it. Total: every text gives data or
 * problems.
 *
 * Refuses what makes a configuration file mean something else than it shows, or cost more than it
 * weighs: several documents, duplicate keys, anchors, aliases and merge keys (a few lines of them
 * can unfold into gigabytes), tags, keys that aren't text, nesting and signs past LIMITS, files
 * past MAX_BYTES. The parser's own messages aren't passed on, since they quote the file.
 */
import {
  Composer,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Document,
  type ParsedNode,
} from "yaml";
import { pathText, type Problem, subjectOf } from "./problem.ts";
import { tokensOf, type TokenLimits } from "./tokens.ts";

/** Bytes; a configuration of a thousand clusters takes about 200 kB. */
export const MAX_BYTES = 1 << 20;
/** The schema goes five deep; a configuration of a thousand clusters has 30,000 signs. */
export const LIMITS: TokenLimits = { depth: 32, signs: 100_000 };

/** Data with its place. `value` is plain: objects, arrays, strings, numbers, booleans, null. */
export interface Located {
  readonly value: unknown;
  /** Offset in the text. */
  readonly at: number;
  /** A scalar as it stands in the file. */
  readonly written: string | null;
  /** What was refused here has been told already. */
  readonly refused: boolean;
  readonly members: ReadonlyMap<PropertyKey, { readonly keyAt: number; readonly child: Located }>;
}

export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface Tree {
  /** `null`: the file is empty, or holds comments only. */
  readonly root: Located | null;
  place(offset: number): Place;
}

export type TreeResult =
  | { readonly tree: Tree; readonly problems: Problem[] }
  | { readonly tree: null; readonly problems: Problem[] };

/** What is wrong and what to do, by the codes of the parser's errors. */
const SYNTAX: Readonly<Record<string, readonly [found: string, todo: string]>> = {
  TAB_AS_INDENT: ["the line is indented with a tab", "Use spaces"],
  BAD_INDENT: [
    "the indentation differs from that of the neighbouring lines, or a bracket isn't closed",
    "Give the same indentation to what belongs together",
  ],
  MISSING_CHAR: ["a quote, bracket, colon or `-` is missing", "Add it"],
  BLOCK_AS_IMPLICIT_KEY: [
    "the value holds a second `key:`",
    "Write one `key: value` a line, and put a value that holds `: ` in quotes",
  ],
  MULTILINE_IMPLICIT_KEY: ["the key has no colon", "Write `key: value`"],
  NON_STRING_KEY: ["the key isn't plain text", "Put a word before the colon"],
  BAD_SCALAR_START: ["the value begins with a character that YAML reserves", "Put it in quotes"],
  BAD_DQ_ESCAPE: [
    "YAML doesn't know the escape after `\\`",
    "Use single quotes, or `\\\\` for a backslash",
  ],
  BAD_DIRECTIVE: ["YAML doesn't know this `%` directive", "Remove it"],
  KEY_OVER_1024_CHARS: ["the key has more than 1,024 characters", "Use the name of a setting"],
};

const SAVE_AS_UTF8 = "Save the file as UTF-8";

/** UTF-8 to text, or the place of the first octet that isn't. A byte order mark is dropped. */
export function decodeText(
  bytes: Uint8Array,
  file: string,
): { readonly text: string } | { readonly problem: Problem } {
  const fail = (
    line: number,
    column: number,
    found: string,
    todo: string,
  ): { readonly problem: Problem } => ({
    problem: { file, line, column, path: "", found, todo, suggestion: null },
  });
  if (bytes.length > MAX_BYTES)
    return fail(1, 1, `the file has ${bytes.length} bytes`, `The limit is ${MAX_BYTES} bytes`);
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    return fail(1, 1, "the file is encoded in UTF-16", SAVE_AS_UTF8);
  }
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    const before = validPrefix(bytes);
    const lines = before.split("\n");
    return fail(
      lines.length,
      (lines.at(-1) ?? "").length + 1,
      "the bytes here aren't UTF-8",
      SAVE_AS_UTF8,
    );
  }
}

/** The text before the first octet that isn't UTF-8. */
function validPrefix(bytes: Uint8Array): string {
  let low = 0;
  let high = bytes.length;
  const decodes = (end: number): boolean => {
    try {
      new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, end), { stream: true });
      return true;
    } catch {
      return false;
    }
  };
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (decodes(middle)) low = middle;
    else high = middle - 1;
  }
  return new TextDecoder("utf-8").decode(bytes.subarray(0, low), { stream: true });
}

/** Data and places of `text`; `tree` is null where nothing can be said of its content. */
export function parseTree(input: string, file: string): TreeResult {
  const text = input.startsWith("\ufeff") ? input.slice(1) : input;
  const lines = new LineCounter();
  const place = (offset: number): Place => {
    const { line, col } = lines.linePos(Math.min(Math.max(offset, 0), text.length));
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const problems: Problem[] = [];
  const tell = (
    offset: number,
    path: readonly PropertyKey[],
    found: string,
    todo: string,
  ): void => {
    problems.push({
      file,
      ...place(offset),
      path: pathText(path),
      found,
      todo,
      suggestion: null,
    });
  };
  if (text.length > MAX_BYTES) {
    tell(0, [], `the file has ${text.length} characters`, `The limit is ${MAX_BYTES}`);
    return { tree: null, problems };
  }
  const read = tokensOf(text, LIMITS, lines);
  if (!read.ok) {
    tell(read.offset, [], `the file has ${read.found}`, "No configuration needs so many");
    return { tree: null, problems };
  }
  const composer = new Composer({
    prettyErrors: false,
    uniqueKeys: false,
    stringKeys: true,
    logLevel: "silent",
  });
  const documents = [...composer.compose(read.tokens, false, text.length)];
  const lineOf = (offset: number): number => place(offset).line;
  for (const { offset, found, todo } of syntaxFaults(documents, lineOf))
    tell(offset, [], found, todo);
  if (problems.length > 0) return { tree: null, problems };
  const filled = documents.filter((document) => document.contents !== null);
  for (const extra of filled.slice(1))
    tell(startOf(extra), [], "a second document begins after `---`", "Keep only one");
  const contents = filled[0]?.contents ?? null;
  const root = contents === null ? null : locate(contents as ParsedNode, [], tell);
  return {
    tree: {
      root: root !== null && root.value === null && root.written === "" ? null : root,
      place,
    },
    problems,
  };
}

/** The first mistake of each line. */
function syntaxFaults(
  documents: readonly Document.Parsed[],
  lineOf: (offset: number) => number,
): { offset: number; found: string; todo: string }[] {
  const lines = new Set<number>();
  return documents
    .flatMap((document) => [...document.errors, ...document.warnings])
    .filter(({ code }) => code !== "TAG_RESOLVE_FAILED" && code !== "BAD_ALIAS")
    .toSorted((a, b) => a.pos[0] - b.pos[0])
    .flatMap(({ code, pos: [offset] }) => {
      const line = lineOf(offset);
      if (lines.has(line)) return [];
      lines.add(line);
      const [found, todo] = SYNTAX[code] ?? [
        "YAML doesn't allow this here",
        "Write `key: value`, or `- item` in a list",
      ];
      return [{ offset, found, todo }];
    });
}

function startOf(document: Document.Parsed): number {
  return document.contents?.range[0] ?? document.range[0];
}

type Tell = (offset: number, path: readonly PropertyKey[], found: string, todo: string) => void;

/** Depth is bounded by LIMITS, so recursion is safe here. */
function locate(node: ParsedNode, path: readonly PropertyKey[], tell: Tell): Located {
  const at = node.range[0];
  const members = new Map<PropertyKey, { keyAt: number; child: Located }>();
  const refuse = (found: string, todo: string): Located => {
    tell(at, path, `${subjectOf(pathText(path))} ${found}`, todo);
    return { value: null, at, written: null, refused: true, members };
  };
  if (isAlias(node))
    return refuse(
      "is an alias (`*…`), which certkeep doesn't accept",
      "Write the value itself; put a text that begins with `*` in quotes",
    );
  if (node.anchor !== undefined)
    return refuse(
      "has an anchor (`&…`), which certkeep doesn't accept",
      "Write the value itself; put a text that begins with `&` in quotes",
    );
  if (node.tag !== undefined && !isScalarTag(node))
    return refuse("has a tag (`!…`), which certkeep doesn't accept", "Remove the tag");
  if (isScalar(node))
    return { value: node.value, at, written: node.source ?? null, refused: false, members };
  if (isSeq(node)) {
    const value = node.items.map((item, index) => {
      const child = locate(item as ParsedNode, [...path, index], tell);
      members.set(index, { keyAt: child.at, child });
      return child.value;
    });
    return { value, at, written: null, refused: false, members };
  }
  if (!isMap(node)) return refuse("isn't a value", "Write a setting");
  const value: Record<string, unknown> = {};
  for (const pair of node.items) {
    const key = isScalar(pair.key) ? String(pair.key.value) : "";
    const keyAt = pair.key.range[0];
    const inner = [...path, key];
    const child =
      pair.value === null ? emptyAt(keyAt) : locate(pair.value as ParsedNode, inner, tell);
    if (members.has(key)) {
      tell(keyAt, inner, `${pathText(inner)} is set a second time`, "Remove one of the two");
      continue;
    }
    members.set(key, { keyAt, child });
    // A key called __proto__ is a key as any other.
    Object.defineProperty(value, key, {
      value: child.value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return { value, at: node.items[0]?.key.range[0] ?? at, written: null, refused: false, members };
}

/** `key` alone in braces, without a colon. */
function emptyAt(at: number): Located {
  return { value: null, at, written: "", refused: false, members: new Map() };
}

/**
 * `!` and `!!str` before a text change nothing that matters; everything else that is tagged is
 * refused.
 */
function isScalarTag(node: ParsedNode): boolean {
  return isScalar(node) && typeof node.value === "string" && node.tag === "tag:yaml.org,2002:str";
}

/** What stands at `path`, or the nearest thing above it that is there. */
export function nearest(
  root: Located,
  path: readonly PropertyKey[],
): { readonly node: Located; readonly keyAt: number; readonly whole: boolean } {
  let node = root;
  let keyAt = root.at;
  for (const part of path) {
    const member = node.members.get(part);
    if (member === undefined) return { node, keyAt, whole: false };
    node = member.child;
    keyAt = member.keyAt;
  }
  return { node, keyAt, whole: true };
}

/**
 * `npm run messages`: every error and note of the program on one line, for review: where it is made,
 * its code, and its text. What is filled in stands in braces, alternatives between bars.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseSync, Visitor, type Expression, type Node, type ObjectExpression } from "oxc-parser";

const root = join(import.meta.dirname, "..");
/** Calls whose text a person reads though no error is made of it. */
const SPOKEN = new Set(["note", "noteTo", "InvalidArgumentError"]);

const TEXTS = new Set(["Literal", "TemplateLiteral", "BinaryExpression", "ConditionalExpression"]);

interface Source {
  readonly path: string;
  readonly text: string;
  readonly program: Node;
}

const sources = execFileSync("git", ["ls-files", "lib", "functions"], {
  cwd: root,
  encoding: "utf8",
})
  .split("\n")
  .filter((path) => path.endsWith(".ts") && !path.startsWith("lib/demo/"))
  .map((path): Source => {
    const text = readFileSync(join(root, path), "utf8");
    return { path, text, program: parseSync(path, text).program as unknown as Node };
  });

function within(node: { readonly start: number; readonly end: number }, text: string): string {
  return text.slice(node.start, node.end).replaceAll(/\s+/g, " ");
}

/** A text as it reads, with what is filled in. */
function textOf(node: Node, source: string): string {
  switch (node.type) {
    case "Literal":
      return typeof node.value === "string" ? node.value : within(node, source);
    case "TemplateLiteral":
      return node.quasis
        .map(({ value }, index) => {
          const filled = node.expressions[index];
          return value.raw + (filled === undefined ? "" : textOf(filled, source));
        })
        .join("");
    case "BinaryExpression":
      return node.operator === "+"
        ? textOf(node.left, source) + textOf(node.right, source)
        : `{${within(node, source)}}`;
    case "ConditionalExpression":
      return `<${textOf(node.consequent, source)}|${textOf(node.alternate, source)}>`;
    default:
      return `{${within(node, source)}}`;
  }
}

function calleeOf(callee: Expression): string {
  if (callee.type === "Identifier") return callee.name;
  return callee.type === "MemberExpression" && callee.property.type === "Identifier"
    ? callee.property.name
    : "";
}

/** Names of the functions in a file that make an error of the text that they are given. */
function makersIn({ program, text }: Source): ReadonlySet<string> {
  const names = new Set<string>();
  const consider = (name: string | undefined, node: Node | null | undefined): void => {
    if (name === undefined || node == null) return;
    const body = within(node, text);
    if (body.length < 1_500 && body.includes("new CertkeepError(")) names.add(name);
  };
  new Visitor({
    FunctionDeclaration: (node) => consider(node.id?.name, node),
    VariableDeclarator: (node) => {
      if (node.id.type === "Identifier" && node.init?.type === "ArrowFunctionExpression")
        consider(node.id.name, node.init);
    },
  }).visit(program as never);
  return names;
}

function isImported(name: string, text: string): boolean {
  return new RegExp(`^import [^;]*\\b${name}\\b[^;]* from `, "mu").test(text);
}

const PARTS = ["where", "found", "todo", "message"] as const;

/** The parts of an error's text; `null`: the object is no error's. */
function partsOf(node: ObjectExpression, source: string): string | null {
  const parts = new Map<string, string>();
  for (const property of node.properties) {
    if (property.type !== "Property" || property.key.type !== "Identifier") continue;
    if (property.key.name === "todo" && property.shorthand) parts.set("todo", "{todo}");
    else parts.set(property.key.name, textOf(property.value, source));
  }
  if (!parts.has("found") && !(parts.has("message") && parts.has("code"))) return null;
  const [where, found, todo, message] = PARTS.map((part) => parts.get(part));
  return (
    (where === undefined ? "" : `${where}: `) +
    (found ?? message ?? "") +
    (todo === undefined ? "" : `. ${todo}`)
  );
}

const all = new Set(sources.flatMap((source) => [...makersIn(source)]));

for (const source of sources) {
  const { path, text, program } = source;
  const own = makersIn(source);
  const lineOf = (at: number): number => text.slice(0, at).split("\n").length;
  const told = (at: number, code: string, words: string): void =>
    console.log(`${path}:${lineOf(at)}\t${code}\t${words}`);
  const codes = new Map<number, string>();
  const isMaker = (name: string): boolean =>
    own.has(name) || SPOKEN.has(name) || (all.has(name) && isImported(name, text));
  new Visitor({
    NewExpression: (node) => {
      const [code, parts] = node.arguments;
      const name = calleeOf(node.callee);
      if (name === "CertkeepError" && code !== undefined && parts !== undefined)
        codes.set(parts.start, textOf(code as Node, text));
      if (name === "InvalidArgumentError" && code !== undefined)
        told(node.start, "usage", textOf(code as Node, text));
    },
    CallExpression: (node) => {
      const name = calleeOf(node.callee);
      const words = node.arguments
        .filter(({ type }) => TEXTS.has(type))
        .map((word) => textOf(word as Node, text))
        .join(" | ");
      // One word is a key or a mode, not a message.
      if (isMaker(name) && words.includes(" ")) told(node.start, name, words);
    },
    ObjectExpression: (node) => {
      const words = partsOf(node, text);
      if (words !== null) told(node.start, codes.get(node.start) ?? "-", words);
    },
  }).visit(program as never);
}

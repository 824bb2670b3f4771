/**
 * `npm run house`: prints how large the code is, and which places read a state's map of Secrets.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { API, type Project } from "typescript/unstable/sync";
import { type Node, type SourceFile, SyntaxKind } from "typescript/unstable/ast";

const SMALL = 40;
const LARGE = 350;
const WIDE = 100;
const LONG = 60;
const folders = ["lib", "functions", "stack", "test/fake-apiserver"];
const root = join(import.meta.dirname, "..");

interface Source {
  readonly path: string;
  readonly lines: readonly string[];
}

interface FunctionSize {
  readonly name: string;
  readonly lines: number;
}

const literalKinds: ReadonlySet<SyntaxKind> = new Set([
  SyntaxKind.RegularExpressionLiteral,
  SyntaxKind.BigIntLiteral,
]);

const templateKinds: ReadonlySet<SyntaxKind> = new Set([
  SyntaxKind.NoSubstitutionTemplateLiteral,
  SyntaxKind.TemplateExpression,
]);

const functionKinds: ReadonlySet<SyntaxKind> = new Set([
  SyntaxKind.ArrowFunction,
  SyntaxKind.FunctionDeclaration,
  SyntaxKind.FunctionExpression,
  SyntaxKind.MethodDeclaration,
  SyntaxKind.Constructor,
  SyntaxKind.GetAccessor,
  SyntaxKind.SetAccessor,
]);

function walk(node: Node, visit: (node: Node) => void): void {
  visit(node);
  node.forEachChild((child) => {
    walk(child, visit);
  });
}

function readSources(): readonly Source[] {
  const files = execFileSync("git", ["ls-files", ...folders], { cwd: root, encoding: "utf8" });
  return files
    .trim()
    .split("\n")
    .filter((path) => /\.(?:ts|cjs)$/.test(path) && !path.endsWith(".test.ts"))
    .map((path) => ({
      path,
      lines: readFileSync(join(root, path), "utf8").trimEnd().split("\n"),
    }));
}

const countLines = (sources: readonly Source[]): number =>
  sources.reduce((sum, { lines }) => sum + lines.length, 0);

/** The line of a position, counted from 1. */
const lineAt = (file: SourceFile, position: number): number =>
  file.text.slice(0, position).split("\n").length;

function nameOf(node: Node, file: SourceFile): string {
  if (node.kind === SyntaxKind.Constructor) return "constructor";
  for (const each of [node, node.parent])
    if ("name" in each && each.name !== undefined) return (each.name as Node).getText(file);
  return "(no name)";
}

function functionsIn(path: string, file: SourceFile): readonly FunctionSize[] {
  const found: FunctionSize[] = [];
  walk(file, (node) => {
    if (!functionKinds.has(node.kind)) return;
    const from = lineAt(file, node.getStart(file));
    const lines = lineAt(file, node.end) - from + 1;
    if (lines > LONG) found.push({ name: `${path}:${from} ${nameOf(node, file)}`, lines });
  });
  return found;
}

/**
 * The places that take `secrets` from a state: `state.secrets` or `{ secrets } = state`; not the
 * count of an audit.
 */
function readsOfSecrets(project: Project, path: string, file: SourceFile): readonly string[] {
  const nodes: Node[] = [];
  walk(file, (node) => {
    if (node.kind !== SyntaxKind.Identifier || node.getText(file) !== "secrets") return;
    const { parent } = node;
    const counts = /\baudit\??\.secrets$/.test(parent.getText(file));
    if (parent.kind === SyntaxKind.PropertyAccessExpression && !counts) nodes.push(node);
    if (node.parent.kind === SyntaxKind.BindingElement) nodes.push(node);
  });
  if (nodes.length === 0) return [];
  const declaredBy = project.checker.getSymbolAtLocation(nodes);
  return nodes.flatMap((node, index) =>
    declaredBy[index]?.declarations.some((each) => each.path.includes("/lib/state/")) === true
      ? [`${path}:${lineAt(file, node.pos)}`]
      : [],
  );
}

/**
 * Which of the wide lines can't be shorter: a pattern, a big number, or a line of a text that is
 * printed as it stands.
 */
function unbreakable({ lines }: Source, file: SourceFile): ReadonlySet<number> {
  const found = new Set<number>();
  walk(file, (node) => {
    if (!literalKinds.has(node.kind) && !templateKinds.has(node.kind)) return;
    const from = lineAt(file, node.getStart(file));
    const to = lineAt(file, node.end);
    const fills = templateKinds.has(node.kind)
      ? to > from
      : node.end - node.getStart(file) > WIDE / 2;
    for (let line = from; fills && line <= to; line += 1)
      if ((lines[line - 1]?.length ?? 0) > WIDE) found.add(line);
  });
  return found;
}

function print(label: string, figure: number | string): void {
  process.stdout.write(`${label.padEnd(62)}${String(figure).padStart(8)}\n`);
}

function list(rows: readonly string[]): void {
  for (const row of rows) process.stdout.write(`    ${row}\n`);
}

function printSizes(all: readonly Source[], lib: readonly Source[]): void {
  print("lines of lib/", countLines(lib));
  print(`lines of ${folders.join(", ")}`, countLines(all));
  print("files of lib/", lib.length);
  print(`  under ${SMALL} lines`, lib.filter(({ lines }) => lines.length < SMALL).length);
  const large = lib.filter(({ lines }) => lines.length > LARGE);
  print(`  over ${LARGE} lines`, large.length);
  list(large.map(({ path, lines }) => `${path} ${lines.length}`));
}

function printStructure(project: Project, all: readonly Source[]): void {
  const functions: FunctionSize[] = [];
  const reads: string[] = [];
  const wide: string[] = [];
  let unbroken = 0;
  for (const source of all) {
    const { path, lines } = source;
    const file = project.program.getSourceFile(join(root, path));
    const fixed = file === undefined ? new Set<number>() : unbreakable(source, file);
    unbroken += fixed.size;
    for (const [index, { length }] of lines.entries())
      if (length > WIDE && !fixed.has(index + 1)) wide.push(`${path}:${index + 1} ${length}`);
    if (file === undefined) continue;
    functions.push(...functionsIn(path, file));
    reads.push(...readsOfSecrets(project, path, file));
  }
  print(`lines over ${WIDE} columns`, wide.length);
  list(wide);
  print("  besides: patterns, big numbers and printed texts", unbroken);
  const files = new Set(reads.map((read) => read.slice(0, read.lastIndexOf(":"))));
  print("places that read a state's map of Secrets", reads.length);
  print("  in so many files", files.size);
  list(reads);
  print(`functions over ${LONG} lines`, functions.length);
  list(
    functions.toSorted((a, b) => b.lines - a.lines).map(({ name, lines }) => `${name} ${lines}`),
  );
}

const all = readSources();
const lib = all.filter(({ path }) => path.startsWith("lib/"));
printSizes(all, lib);

const api = new API({ cwd: root });
try {
  const [project] = api.updateSnapshot({ openProjects: ["tsconfig.json"] }).getProjects();
  if (project === undefined) throw new Error("tsconfig.json holds no project");
  printStructure(project, all);
} finally {
  api.close();
}

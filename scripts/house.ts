/**
 * The house's own lint rules, as an oxlint plugin: which room may import what, no clock in a pure
 * room, one file alone that walks over a state, and one room alone that makes sentences.
 *
 * A room is a folder below lib/, functions/ or stack/. Paths are resolved, so that no way of
 * writing a relative import gets around a rule. Type-only imports count as well, but for those of
 * `typeModules`.
 */
import { posix, relative, sep } from "node:path";

/**
 * Rooms without effects: they import each other, the libraries below, and nothing that acts or
 * knows the time.
 */
const pureRooms = [
  "rbac",
  "issuer",
  "certificate",
  "secret",
  "ratelimit",
  "finding",
  "diagnosis",
  "backup",
  "restoreplan",
  "state",
  "report",
  "config",
];

/** Small libraries without effects, and the two built-in modules that have none. */
const pureModules = [
  "node:crypto",
  "node:buffer",
  "@peculiar/x509",
  "reflect-metadata",
  "@scure/base",
  "zod",
  "yaml",
  "tldts",
  "fastest-levenshtein",
  "string-width",
  "picocolors",
];

/**
 * Packages of which a pure room may import types: the shapes in which others read what certkeep
 * writes.
 */
const typeModules = ["@kubernetes/client-node", "@slack/types"];

interface Room {
  /** Rooms that may be imported besides itself; lib/error.ts may be from everywhere. */
  readonly rooms: readonly string[];
  /** Packages and built-in modules that may be imported; null: any. */
  readonly modules: readonly string[] | null;
}

const core: Room = { rooms: pureRooms, modules: pureModules };
const rooms: ReadonlyMap<string, Room> = new Map<string, Room>([
  ["lib", { rooms: [], modules: [] }],
  ...pureRooms.map((name): [string, Room] => [name, core]),
  ["ports", { rooms: pureRooms, modules: [] }],
  ["usecases", { rooms: [...pureRooms, "ports"], modules: [...pureModules, "p-limit"] }],
  ["adapters", { rooms: [...pureRooms, "ports"], modules: null }],
  ["demo", { rooms: ["report"], modules: null }],
  ["wiring", { rooms: [...pureRooms, "ports", "usecases", "adapters", "demo"], modules: null }],
  ["cli", { rooms: [...pureRooms, "ports", "usecases", "wiring", "demo"], modules: null }],
  [
    "functions",
    { rooms: [...pureRooms, "ports", "usecases", "adapters", "wiring"], modules: null },
  ],
  ["stack", { rooms: pureRooms, modules: [] }],
]);

/**
 * The room of a path relative to the project: null for none, `lib` for a file beside the rooms of
 * lib/.
 */
function roomOf(path: string): string | null {
  const parts = path.split("/");
  if (parts[0] === "functions" || parts[0] === "stack") return parts[0];
  if (parts[0] !== "lib") return null;
  return parts.length > 2 ? (parts[1] ?? null) : "lib";
}

function packageOf(specifier: string): string {
  const parts = specifier.split("/");
  return specifier.startsWith("@") ? parts.slice(0, 2).join("/") : (parts[0] ?? specifier);
}

/** The folder below adapters/ that a file is in. */
function system(path: string): string {
  return path.split("/")[2] ?? "";
}

/**
 * What is wrong with an import in the file at `path` (relative to the project, with `/`); null if
 * nothing is.
 */
function judgeImport(path: string, specifier: string, typeOnly: boolean): string | null {
  const from = roomOf(path);
  if (from === null) return null;
  const room = rooms.get(from);
  if (room === undefined)
    return `lib/${from}/ is no room of the house: add it to scripts/house.ts with what it may import`;
  if (!specifier.startsWith(".")) {
    if (room.modules === null || room.modules.includes(packageOf(specifier))) return null;
    if (typeOnly && typeModules.includes(packageOf(specifier))) return null;
    return (
      `${from} must not import ${specifier}: only ` +
      `${room.modules.join(", ") || "no package at all"}`
    );
  }
  const target = posix.join(posix.dirname(path), specifier);
  const to = roomOf(target);
  if (to === null) {
    return target === "package.json"
      ? null
      : `${from} must not import ${target}, which isn't part of the program`;
  }
  if (to === "lib") return null;
  if (to !== from) return room.rooms.includes(to) ? null : `${from} must not import ${to}`;
  if (to !== "adapters") return null;
  const shared = target.split("/").length === 3;
  if (shared || system(path) === system(target)) return null;
  return (
    `adapters/${system(path)} must not import adapters/${system(target)}: one foreign system a ` +
    "folder"
  );
}

interface Node {
  readonly type: string;
  readonly source?: { readonly value?: unknown } | null;
  /** `type` for `import type …`. */
  readonly importKind?: string;
  readonly callee?: Node;
  readonly arguments?: readonly unknown[];
  readonly name?: string;
  readonly value?: unknown;
  readonly parent?: Node;
  readonly object?: Node;
  readonly property?: Node;
  readonly properties?: readonly Node[];
  readonly key?: Node;
  readonly init?: Node | null;
  readonly range?: readonly [number, number];
  readonly typeAnnotation?: Node;
  readonly quasis?: readonly { readonly value: { readonly cooked?: string | null } }[];
}

interface Context {
  readonly filename: string;
  readonly cwd: string;
  readonly sourceCode: { getText(node?: Node): string };
  report(problem: { message: string; node: Node }): void;
}

/** Relative to the project, with `/`. */
function pathOf({ cwd, filename }: Context): string {
  return relative(cwd, filename).split(sep).join("/");
}

const importRule = {
  create(context: Context) {
    const path = pathOf(context);
    const check = (node: Node): void => {
      const specifier = node.source?.value;
      if (typeof specifier !== "string") return;
      const message = judgeImport(path, specifier, node.importKind === "type");
      if (message !== null) context.report({ message, node });
    };
    return {
      ImportDeclaration: check,
      ImportExpression: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
    };
  },
};

const clockRule = {
  create(context: Context) {
    const check = (node: Node): void => {
      if (node.callee?.type !== "Identifier" || node.callee.name !== "Date") return;
      if (node.type === "NewExpression" && (node.arguments?.length ?? 0) > 0) return;
      context.report({
        message: "time is an argument here: Date without one reads the clock",
        node,
      });
    };
    return { NewExpression: check, CallExpression: check };
  },
};

/** Maps of a state. */
const walked: ReadonlySet<unknown> = new Set(["secrets", "lost"]);
const walker = "lib/state/secrets.ts";
/** Whose `secrets` are other things: names of Secrets in settings, stores of secrets, counts. */
const others: ReadonlySet<unknown> = new Set([
  "audit",
  "cluster",
  "composed",
  "existing",
  "input",
  "parts",
  "plan",
  "ports",
  "settings",
]);

/** `settings` of `this.#target.settings`; what a call gives is no state. */
function isOther(node: Node | null | undefined): boolean {
  if (node == null) return false;
  if (node.type === "MemberExpression") return others.has(node.property?.name);
  return node.type === "Identifier" ? others.has(node.name) : node.type === "AwaitExpression";
}

function isWalked(node: Node | undefined): boolean {
  return walked.has(node?.type === "Literal" ? node.value : node?.name);
}

const walkRule = {
  create(context: Context) {
    if (pathOf(context) === walker) return {};
    const report = (node: Node): void =>
      context.report({
        message:
          "this may be a walk over a state: read its certificates by lib/state/certificates.ts, " +
          `or its Secrets by ${walker}`,
        node,
      });
    return {
      MemberExpression(node: Node): void {
        const called = node.parent?.type === "CallExpression" && node.parent.callee === node;
        if (isWalked(node.property) && !called && !isOther(node.object)) report(node);
      },
      ObjectPattern(node: Node): void {
        const key = node.properties?.find((property) => isWalked(property.key));
        if (key === undefined) return;
        const { parent } = node;
        const type = node.typeAnnotation;
        const fine =
          parent?.type === "VariableDeclarator"
            ? isOther(parent.init)
            : type !== undefined && !context.sourceCode.getText(type).includes("StateDocument");
        if (!fine) report(key);
      },
    };
  },
};

/** Two words of a sentence, one after the other. What is put into a template stands for no word. */
const SENTENCE = /[A-Za-z][a-z']+ [a-z][a-z']+/;
/** A command of certkeep's own or of others', with what it does. */
const COMMAND = /\b(?:certkeep [a-z]+|kubectl |aws [a-z]+ )/;
/** Parts of an error, which says what is wrong where it is found. */
const ERROR_PARTS: ReadonlySet<unknown> = new Set([
  "where",
  "place",
  "found",
  "expected",
  "todo",
  "lines",
  "error",
]);

/** Whether a text is a part of an error, or of what is thrown. */
function isOfError(node: Node): boolean {
  for (let at = node.parent; at != null; at = at.parent) {
    if (at.type === "ThrowStatement") return true;
    if (at.type === "NewExpression" && String(at.callee?.name ?? "").endsWith("Error")) return true;
    if (at.type === "Property" && ERROR_PARTS.has(at.key?.name)) return true;
  }
  return false;
}

const wordsRule = {
  create(context: Context) {
    const check = (node: Node, text: string): void => {
      if (!SENTENCE.test(text) && !COMMAND.test(text)) return;
      const { type } = node.parent ?? { type: "" };
      if (type === "TSLiteralType" || type.startsWith("Import") || isOfError(node)) return;
      context.report({
        message:
          "sentences and commands are made in lib/report: give codes, names, numbers and " +
          "instants, and let it say them",
        node,
      });
    };
    return {
      Literal(node: Node): void {
        if (typeof node.value === "string") check(node, node.value);
      },
      TemplateLiteral(node: Node): void {
        check(node, (node.quasis ?? []).map(({ value }) => value.cooked ?? "").join("\0"));
      },
    };
  },
};

/** What oxlint loads. */
const plugin = {
  meta: { name: "house" },
  rules: {
    "import-rules": importRule,
    "no-clock": clockRule,
    "one-walk": walkRule,
    "no-sentences": wordsRule,
  },
};

// oxlint takes a plugin from nowhere but the default export.
export default plugin;

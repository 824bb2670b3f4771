/**
 * Text of `certkeep.yaml` or of a registration to a configuration, or to every problem in it at
 * once, each with its line and column. Total: no text makes it throw. Nothing is read or resolved
 * here.
 *
 * It also finds what is wrong though each setting alone is right: names used twice, references to
 * nothing, and an entry that would mute everything.
 */
import type * as z from "zod/mini";
import { NO_SETTINGS, registrationSchema } from "./cluster.ts";
import { described, meant, pathText, type Problem, shown, subjectOf } from "./problem.ts";
import { type Config, configSchema, DEFAULT_CONFIG } from "./schema.ts";
import { decodeText, type Located, nearest, parseTree, type Tree } from "./yaml.ts";
import { fieldsOf, listOf } from "../untrusted.ts";

/** A problem within the data, without its place. */
interface Fault {
  readonly path: readonly PropertyKey[];
  /** The place is the key's, not the value's. */
  readonly atKey: boolean;
  /** What follows the setting's path; `null`: what its value is. */
  readonly found: string | null;
  readonly todo: string;
  readonly suggestion: string | null;
}

const IGNORE_SELECTORS = ["cluster", "namespace", "name", "code"];
/** Ids of the issuers that are built in. */
const BUILT_IN_ISSUERS = ["letsencrypt", "letsencrypt-staging"];

function spanning(value: unknown): Fault[] {
  return [
    ...usedTwice(value, ["clusters"], "name"),
    ...usedTwice(value, ["issuers"], "id"),
    ...usedTwice(value, ["digest", "routes"], "name"),
    ...itemsOf(value, "issuers").flatMap(builtIn),
    ...limitFaults(value),
    ...itemsOf(value, "restores").flatMap(sameCluster),
    ...itemsOf(value, "ignore").flatMap(ignoresAll),
  ];
}

function faultAt(path: Fault["path"], found: string | null, todo: string): Fault {
  return { path, atKey: false, found, todo, suggestion: null };
}

function usedTwice(value: unknown, section: readonly string[], key: string): Fault[] {
  const parent = section.slice(0, -1).reduce(memberOf, value);
  const first = new Map<string, number>();
  return itemsOf(parent, section.at(-1) ?? "").flatMap((item, index) => {
    const name = memberOf(item, key);
    if (typeof name !== "string") return [];
    const before = first.get(name);
    if (before === undefined) first.set(name, index);
    if (before === undefined) return [];
    const found = `is ${shown(name)}, and ${section.join(".")}[${before}] has the same`;
    return [faultAt([...section, index, key], found, `Give each its own ${key}`)];
  });
}

function builtIn(item: unknown, index: number): Fault[] {
  const id = memberOf(item, "id");
  return typeof id === "string" && BUILT_IN_ISSUERS.includes(id)
    ? [faultAt(["issuers", index, "id"], `is "${id}", which is built in`, "Choose another id")]
    : [];
}

function limitFaults(value: unknown): Fault[] {
  const own = itemsOf(value, "issuers").map((item) => memberOf(item, "id"));
  const issuers = [...BUILT_IN_ISSUERS, ...own].filter((id) => typeof id === "string");
  return itemsOf(value, "limits").flatMap((item, index) => {
    if (typeof item !== "object" || item === null) return [];
    const scopes = ["domain", "names"].filter((key) => memberOf(item, key) !== undefined);
    const found = scopes.length === 0 ? "has no domain and no names" : "has both domain and names";
    const issuer = memberOf(item, "issuer");
    const ids = `It must be an issuer's id: ${issuers.join(", ")}`;
    return [
      ...(scopes.length === 1 ? [] : [faultAt(["limits", index], found, "Give it one of the two")]),
      ...(typeof issuer !== "string" || issuers.includes(issuer)
        ? []
        : [faultAt(["limits", index, "issuer"], null, ids)]),
    ];
  });
}

function sameCluster(item: unknown, index: number): Fault[] {
  const from = memberOf(item, "from");
  const todo = "Name another cluster: restoring a cluster's own backups needs no pair";
  return typeof from === "string" && from === memberOf(item, "to")
    ? [faultAt(["restores", index, "to"], null, todo)]
    : [];
}

function ignoresAll(item: unknown, index: number): Fault[] {
  if (typeof item !== "object" || item === null || Array.isArray(item)) return [];
  return IGNORE_SELECTORS.some((key) => memberOf(item, key) !== undefined)
    ? []
    : [
        faultAt(
          ["ignore", index],
          "would ignore everything",
          "Give it at least one of cluster, namespace, name and code",
        ),
      ];
}

function memberOf(value: unknown, key: string): unknown {
  return fieldsOf(value)[key];
}

function itemsOf(value: unknown, section: string): readonly unknown[] {
  return listOf(memberOf(value, section));
}

type ConfigResult =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly Problem[] };
type RegistrationResult =
  | { readonly ok: true; readonly entry: z.output<typeof registrationSchema> }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/**
 * `certkeep.yaml`; `file` is how messages call it. Bytes are taken as UTF-8. An empty file is the
 * default.
 */
export function parseConfig(source: string | Uint8Array, file: string): ConfigResult {
  const read = readAs(configSchema, source, file, spanning);
  if ("problems" in read) return { ok: false, problems: read.problems };
  return { ok: true, config: read.value ?? DEFAULT_CONFIG };
}

/** `clusters/NAME.yaml`: a cluster's settings without its name, which the file's name gives. */
export function parseRegistration(source: string | Uint8Array, file: string): RegistrationResult {
  const read = readAs(registrationSchema, source, file, () => []);
  if ("problems" in read) return { ok: false, problems: read.problems };
  return { ok: true, entry: read.value ?? NO_SETTINGS };
}

function readAs<T extends z.ZodMiniType>(
  schema: T,
  source: string | Uint8Array,
  file: string,
  spans: (value: unknown) => Fault[],
): { value: z.output<T> | null } | { problems: Problem[] } {
  const decoded = typeof source === "string" ? { text: source } : decodeText(source, file);
  if ("problem" in decoded) return { problems: [decoded.problem] };
  const { tree, problems } = parseTree(decoded.text, file);
  if (tree === null || tree.root === null)
    return problems.length > 0 ? { problems } : { value: null };
  const { root } = tree;
  const result = schema.safeParse(root.value);
  const faults = [
    ...(result.success ? [] : issuesOf(result.error.issues as readonly z.core.$ZodIssue[], schema)),
    ...spans(root.value),
  ];
  const told = new Set<string>();
  for (const fault of faults) {
    const problem = placed(fault, root, tree, file);
    if (problem === null || told.has(`${problem.path}\0${problem.line}:${problem.column}`))
      continue;
    told.add(`${problem.path}\0${problem.line}:${problem.column}`);
    problems.push(problem);
  }
  problems.sort((a, b) => a.line - b.line || a.column - b.column);
  return problems.length > 0 || !result.success ? { problems } : { value: result.data };
}

function issuesOf(issues: readonly z.core.$ZodIssue[], schema: z.ZodMiniType): Fault[] {
  return issues.flatMap((issue): Fault[] => {
    // Of a value or a group of settings: what is wrong within the group, where one was written.
    const within =
      issue.code === "invalid_union"
        ? issue.errors.find((errors) => errors.some(({ path }) => path.length > 0))
        : undefined;
    if (within !== undefined)
      return issuesOf(
        within.map((one) => ({ ...one, path: [...issue.path, ...one.path] })),
        schema,
      );
    if (issue.code !== "unrecognized_keys")
      return [faultAt(issue.path, null, `It must be ${issue.message}`)];
    const allowed = keysAt(schema, issue.path);
    return issue.keys.map((key) => {
      const near = meant(key, allowed);
      const elsewhere = near === null ? whereItBelongs(key, schema) : null;
      return {
        path: [...issue.path, key],
        atKey: true,
        found: "isn't a setting",
        todo: allowed.length === 0 ? "Remove it" : `Use one of ${allowed.join(", ")}`,
        suggestion: near !== null ? `Did you mean "${near}"?` : elsewhere,
      };
    });
  });
}

/** The schema of what is written, without what makes it optional and what is made of it. */
function bare(schema: z.core.$ZodType): z.core.$ZodType {
  const { def } = schema._zod as unknown as {
    def: {
      type: string;
      innerType?: z.core.$ZodType;
      in?: z.core.$ZodType;
      options?: readonly z.core.$ZodType[];
    };
  };
  const group = def.options?.find((option) => shapeOf(option) !== null);
  if (group !== undefined) return group;
  const inner = def.type === "pipe" ? def.in : def.innerType;
  return inner !== undefined && ["pipe", "optional", "nullable"].includes(def.type)
    ? bare(inner)
    : schema;
}

function shapeOf(schema: z.core.$ZodType): Readonly<Record<string, z.core.$ZodType>> | null {
  const { def } = bare(schema)._zod as unknown as {
    def: { shape?: Record<string, z.core.$ZodType> };
  };
  return def.shape ?? null;
}

function elementOf(schema: z.core.$ZodType): z.core.$ZodType | null {
  const { def } = bare(schema)._zod as unknown as { def: { element?: z.core.$ZodType } };
  return def.element ?? null;
}

/** Names of the settings that may stand at `path`. */
function keysAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
  let current: z.core.$ZodType | null = schema;
  for (const part of path) {
    if (current === null) return [];
    current =
      typeof part === "number" ? elementOf(current) : (shapeOf(current)?.[String(part)] ?? null);
  }
  return current === null ? [] : Object.keys(shapeOf(current) ?? {});
}

/** A setting of this very name in another place of the same file. */
function whereItBelongs(key: string, root: z.ZodMiniType): string | null {
  if (root !== configSchema)
    return key === "name" ? "The name of the file is the cluster's name" : null;
  for (const [section, schema] of Object.entries(configSchema._zod.def.shape)) {
    const keys = Object.keys(shapeOf(elementOf(schema) ?? schema) ?? {});
    if (keys.includes(key)) return `"${key}" belongs under ${section}:`;
    if (section === key) return `"${key}" belongs at the top, without indentation`;
  }
  return null;
}

/** Where text is never shown: it may be a key, or hold a password. */
function hides(path: readonly PropertyKey[]): boolean {
  const secretive = ["anchors", "intermediates", "webhook", "token", "transparency"];
  return (
    ["identity", "stores"].includes(String(path[0])) || secretive.includes(String(path.at(-1)))
  );
}

const IDENTITY_HINT =
  "This is an identity (a private key). Remove it from this file and make a new one, since this " +
  "one is disclosed";

function placed(fault: Fault, root: Located, tree: Tree, file: string): Problem | null {
  const { node, keyAt, whole } = nearest(root, fault.path);
  if (node.refused) return null;
  const missing = !whole;
  const place = tree.place(fault.atKey ? keyAt : node.at);
  const path = pathText(fault.path);
  const value = missing ? "missing" : described(node.value, node.written, hides(fault.path));
  const holdsIdentity = typeof node.value === "string" && /AGE-SECRET-KEY/i.test(node.value);
  return {
    file,
    ...place,
    path,
    found: `${subjectOf(path)} ${fault.found ?? `is ${value}`}`,
    todo: fault.todo,
    suggestion:
      fault.suggestion ??
      (holdsIdentity ? IDENTITY_HINT : missing || fault.atKey ? null : hintFor(node, fault)),
  };
}

function hintFor(node: Located, fault: Fault): string | null {
  const { value, written } = node;
  if (fault.path.at(-1) === "code" && typeof value === "string") {
    const near = meant(value, codesOf());
    return near === null ? null : `Did you mean "${near}"?`;
  }
  if (
    (typeof value === "number" || typeof value === "boolean") &&
    !["perDay", "count", "hours"].includes(String(fault.path.at(-1))) &&
    !hides(fault.path) &&
    written !== null &&
    /^[\w.+-]{1,64}$/.test(written)
  ) {
    return `To make it a text, put it in quotes: "${written}"`;
  }
  return fault.path[0] === "stores" && typeof value === "string"
    ? storeHint(String(fault.path.at(-1)), value)
    : null;
}

function storeHint(key: string, value: string): string | null {
  if (key === "registry")
    return value.startsWith("secretsmanager:")
      ? "A prefix consists of letters, digits and /_+=.@-, and doesn't begin or end with /"
      : "Without it, registrations are in clusters/ beside this file";
  if (key === "state" && value.startsWith("secretsmanager:"))
    return "Secrets Manager can't store states, which change at each audit. Name a bucket";
  if (value.startsWith("s3:"))
    return "A bucket has 3 to 63 small letters, digits, - and . Don't end the URL with /";
  return value.includes(":") ? null : "Write file: before the folder";
}

function codesOf(): string[] {
  const ignore = elementOf(configSchema._zod.def.shape.ignore);
  const code = ignore === null ? undefined : shapeOf(ignore)?.["code"];
  return code === undefined
    ? []
    : Object.keys(
        (bare(code)._zod as unknown as { def: { entries: Record<string, string> } }).def.entries,
      );
}

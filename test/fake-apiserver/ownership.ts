/**
 * Who manages which field (`metadata.managedFields`), as server-side apply keeps it: believable for
 * the kinds that the fake API server serves, without a schema. Lists are owned as a whole, but for
 * owner references (by uid) and finalizers (by value).
 */
import {
  type Fields,
  type JsonObject,
  type ManagedEntry,
  type StoredObject,
  isJsonObject,
} from "./objects.ts";
import { type ApplyConflict, applyConflict } from "./status.ts";

/** Fields by their path; a path is its segments joined by NUL, in the notation of `fieldsV1`. */
type FieldSet = Set<string>;

interface Field {
  /** False for a map that is listed beside its entries. */
  readonly leaf: boolean;
  readonly value: unknown;
}

/** Never owned by anybody. */
const systemFields = new Set([
  "name",
  "namespace",
  "uid",
  "resourceVersion",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "generation",
  "managedFields",
  "selfLink",
]);
const rootFields = new Set(["apiVersion", "kind", "status"]);
/** Structures of their schema, which aren't listed themselves. */
const structures = new Set(["f:metadata", "f:spec"]);
/** A structure that is owned as a whole (`ServiceBackendPort`). */
const wholes = new Set(["port"]);

/** Segments of a list whose items are owned one by one, or null. */
function itemSegments(path: string, value: readonly unknown[]): [string, unknown][] | null {
  if (path === "f:metadata\0f:finalizers")
    return value.map((item) => [`v:${JSON.stringify(item)}`, item]);
  if (path !== "f:metadata\0f:ownerReferences") return null;
  return value.map((item) => [
    `k:${JSON.stringify({ uid: isJsonObject(item) ? item["uid"] : "" })}`,
    item,
  ]);
}

function collect(
  into: Map<string, Field>,
  path: string,
  value: unknown,
  containers: boolean,
): void {
  if (Array.isArray(value)) {
    const items = itemSegments(path, value as unknown[]);
    if (items === null) {
      into.set(path, { leaf: true, value });
      return;
    }
    if (containers) into.set(path, { leaf: false, value: null });
    for (const [segment, item] of items)
      into.set(`${path}\0${segment}`, { leaf: true, value: item });
    return;
  }
  const own = path.slice(path.lastIndexOf("\0") + 3);
  if (!isJsonObject(value) || Object.keys(value).length === 0 || wholes.has(own)) {
    into.set(path, { leaf: true, value });
    return;
  }
  if (containers && !structures.has(path)) into.set(path, { leaf: false, value: null });
  for (const [name, item] of Object.entries(value)) {
    if (
      (path === "f:metadata" && systemFields.has(name)) ||
      (path === "f:spec" && name === "finalizers")
    )
      continue;
    if (item !== undefined) collect(into, `${path}\0f:${name}`, item, containers);
  }
}

/** All fields of an object that somebody can own; with `containers`, maps beside their entries. */
function fieldsOf(object: StoredObject | JsonObject, containers: boolean): Map<string, Field> {
  const into = new Map<string, Field>();
  for (const [name, value] of Object.entries(object)) {
    if (!rootFields.has(name) && value !== undefined && value !== null)
      collect(into, `f:${name}`, value, containers);
  }
  for (const path of structures) if (into.get(path)?.leaf === true) into.delete(path);
  return into;
}

function encode(set: FieldSet): Fields {
  interface Node {
    self: boolean;
    readonly below: Map<string, Node>;
  }
  const root: Node = { self: false, below: new Map() };
  for (const path of set) {
    let node = root;
    for (const segment of path.split("\0")) {
      let next = node.below.get(segment);
      if (next === undefined) node.below.set(segment, (next = { self: false, below: new Map() }));
      node = next;
    }
    node.self = true;
  }
  const write = (node: Node): Fields =>
    Object.fromEntries([
      ...(node.self && node.below.size > 0 ? [[".", {}] as const] : []),
      ...[...node.below]
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([segment, next]) => [segment, write(next)] as const),
    ]);
  return write(root);
}

function decode(fields: Fields, path = "", into: FieldSet = new Set()): FieldSet {
  const entries = Object.entries(fields);
  if (path !== "" && entries.length === 0) into.add(path);
  for (const [segment, below] of entries) {
    if (segment === ".") into.add(path);
    else decode(below, path === "" ? segment : `${path}\0${segment}`, into);
  }
  return into;
}

interface Entry {
  readonly entry: Omit<ManagedEntry, "fieldsV1">;
  readonly set: FieldSet;
  /** As it was stored, if nothing changed. */
  readonly before: ManagedEntry | null;
}

const readEntries = (object: StoredObject | null): Entry[] =>
  (object?.metadata.managedFields ?? []).map((entry) => ({
    entry,
    set: decode(entry.fieldsV1),
    before: entry,
  }));

/**
 * Applications first, then by time and name (structured-merge-diff's order as the API server writes
 * it).
 */
function order(a: ManagedEntry, b: ManagedEntry): number {
  if (a.operation !== b.operation) return a.operation < b.operation ? -1 : 1;
  const [mine, theirs] = [a.time ?? "", b.time ?? ""];
  if (mine !== theirs) return mine < theirs ? -1 : 1;
  return a.manager < b.manager ? -1 : a.manager > b.manager ? 1 : 0;
}

function writeEntries(entries: readonly Entry[]): ManagedEntry[] {
  return entries
    .filter(({ set }) => set.size > 0)
    .map(({ entry, set, before }) => before ?? { ...entry, fieldsV1: encode(set) })
    .toSorted(order);
}

function without(set: FieldSet, dropped: FieldSet): FieldSet {
  return new Set([...set].filter((path) => !dropped.has(path)));
}

/** Who writes, and when (RFC 3339, whole seconds). */
export interface Writer {
  readonly manager: string;
  readonly apiVersion: string;
  readonly time: string;
}

/**
 * Managed fields after a create, an update or a patch: what changed is the writer's, and nobody
 * else's.
 */
export function afterUpdate(
  old: StoredObject | null,
  next: StoredObject,
  writer: Writer,
): readonly ManagedEntry[] {
  const had = old === null ? new Map<string, Field>() : fieldsOf(old, true);
  const has = fieldsOf(next, true);
  const touched: FieldSet = new Set();
  for (const [path, field] of has) {
    const was = had.get(path);
    if (
      was === undefined ||
      (field.leaf && JSON.stringify(was.value) !== JSON.stringify(field.value))
    )
      touched.add(path);
  }
  const gone: FieldSet = new Set([...had.keys()].filter((path) => !has.has(path)));
  if (touched.size === 0 && gone.size === 0) return old?.metadata.managedFields ?? [];
  const { manager, apiVersion, time } = writer;
  const entry = { manager, operation: "Update", apiVersion, time, fieldsType: "FieldsV1" } as const;
  let own: FieldSet = touched;
  const others: Entry[] = [];
  for (const other of readEntries(old)) {
    if (other.entry.manager === manager && other.entry.operation === "Update") {
      own = new Set([...without(other.set, gone), ...touched]);
      continue;
    }
    const left = without(without(other.set, touched), gone);
    others.push(left.size === other.set.size ? other : { ...other, set: left, before: null });
  }
  return writeEntries([...others, { entry, set: own, before: null }]);
}

/** `.data.tls.crt`, `.metadata.ownerReferences[uid="x"]`: how a conflict calls a field. */
function printed(path: string): string {
  return path
    .split("\0")
    .map((segment) => {
      if (segment.startsWith("f:")) return `.${segment.slice(2)}`;
      if (segment.startsWith("v:")) return `[=${segment.slice(2)}]`;
      const [[name, value] = ["", ""]] = Object.entries(
        JSON.parse(segment.slice(2)) as Record<string, unknown>,
      );
      return `[${name}=${JSON.stringify(value)}]`;
    })
    .join("");
}

/** What an apply does to the fields of others. */
export interface Application {
  readonly managedFields: readonly ManagedEntry[];
  /** Paths (segments) that this manager no longer applies and nobody else holds: to be removed. */
  readonly removed: readonly (readonly string[])[];
}

/**
 * Managed fields after `config` is applied over `live` (null: nothing is there yet).
 * @throws Refusal 409 where others manage a field with another value and `force` is not set
 */
export function afterApply(
  live: StoredObject | null,
  config: JsonObject,
  writer: Writer,
  force: boolean,
): Application {
  const wanted = fieldsOf(config, false);
  const has = live === null ? new Map<string, Field>() : fieldsOf(live, true);
  const differs: FieldSet = new Set();
  for (const [path, field] of wanted) {
    const now = has.get(path);
    if (now !== undefined && JSON.stringify(now.value) !== JSON.stringify(field.value))
      differs.add(path);
  }
  const all = readEntries(live);
  const isOwn = ({ entry }: Entry): boolean =>
    entry.manager === writer.manager && entry.operation === "Apply";
  const own = all.find(isOwn);
  const others = all.filter((entry) => !isOwn(entry));
  if (!force) {
    const conflicts: ApplyConflict[] = others
      .map(({ entry, set }) => ({
        manager: entry.manager,
        apiVersion: entry.operation === "Apply" ? null : entry.apiVersion,
        fields: [...set]
          .filter((path) => differs.has(path))
          .map(printed)
          .toSorted(),
      }))
      .filter(({ fields }) => fields.length > 0);
    if (conflicts.length > 0) throw applyConflict(conflicts);
  }
  const kept = others.map((other) => {
    const set = without(other.set, differs);
    return set.size === other.set.size ? other : { ...other, set, before: null };
  });
  const set: FieldSet = new Set(wanted.keys());
  const dropped = [...(own?.set ?? [])].filter(
    (path) => !set.has(path) && kept.every((other) => !other.set.has(path)),
  );
  const same =
    own !== undefined && own.set.size === set.size && [...set].every((path) => own.set.has(path));
  const { manager, apiVersion, time } = writer;
  // Who joins in without changing anything gets no time.
  const changes =
    dropped.length > 0 || [...wanted].some(([path]) => !has.has(path) || differs.has(path));
  const when = own === undefined && live !== null && !changes ? {} : { time };
  const entry = {
    manager,
    operation: "Apply",
    apiVersion,
    ...when,
    fieldsType: "FieldsV1",
  } as const;
  const mine: Entry = same && differs.size === 0 ? own : { entry, set, before: null };
  return {
    managedFields: writeEntries([...kept, mine]),
    removed: dropped.map((path) => path.split("\0")),
  };
}

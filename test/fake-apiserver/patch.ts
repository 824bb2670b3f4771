/**
 * The ways to change an object: merge patch (RFC 7396), which strategic merge is taken for too,
 * JSON patch (RFC 6902), and the merge of server-side apply.
 */
import { type Json, type JsonObject, isJsonObject } from "./objects.ts";

/** RFC 7396 §2. */
export function mergePatch(target: Json | undefined, patch: Json): Json {
  if (!isJsonObject(patch)) return patch;
  const out: Record<string, Json> = isJsonObject(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete out[name];
    else out[name] = mergePatch(out[name], value);
  }
  return out;
}

/** One step of a JSON patch. */
export interface JsonPatchStep {
  readonly op: string;
  readonly path: string;
  readonly value?: Json;
  readonly from?: string;
}

/** A step that can't be done: its test failed, or its path leads nowhere. */
export class PatchStepFailure extends Error {}

const unescaped = (segment: string): string => segment.replaceAll("~1", "/").replaceAll("~0", "~");

type Container = Record<string, Json> | Json[];

function parentOf(root: Json, path: string): { parent: Container; key: string } {
  const segments = path.split("/").slice(1).map(unescaped);
  const key = segments.pop();
  if (key === undefined) throw new PatchStepFailure(`no such place: ${path}`);
  let at: Json | undefined = root;
  for (const segment of segments) {
    at = Array.isArray(at)
      ? (at as Json[])[Number(segment)]
      : isJsonObject(at)
        ? at[segment]
        : undefined;
  }
  if (at === undefined || at === null || typeof at !== "object")
    throw new PatchStepFailure(`no such place: ${path}`);
  return { parent: at as Container, key };
}

function readAt(root: Json, path: string): Json | undefined {
  if (path === "") return root;
  const { parent, key } = parentOf(root, path);
  return Array.isArray(parent) ? parent[Number(key)] : parent[key];
}

function removeAt(root: Json, path: string): void {
  if (readAt(root, path) === undefined) throw new PatchStepFailure(`nothing to remove: ${path}`);
  const { parent, key } = parentOf(root, path);
  if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else delete parent[key];
}

function addAt(root: Json, path: string, value: Json): void {
  const { parent, key } = parentOf(root, path);
  if (!Array.isArray(parent)) parent[key] = value;
  else parent.splice(key === "-" ? parent.length : Number(key), 0, value);
}

/** Key order is no difference. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, at) => sameJson(item, b[at]));
  if (!isJsonObject(a) || !isJsonObject(b)) return false;
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => name in b && sameJson(a[name], b[name]))
  );
}

/**
 * RFC 6902 §4. As kube-apiserver does, `replace` also sets what isn't there yet in a map.
 * @throws PatchStepFailure
 */
export function jsonPatch(target: Json, steps: readonly JsonPatchStep[]): Json {
  const root = structuredClone(target);
  for (const step of steps) {
    if (step.op === "test") {
      if (!sameJson(readAt(root, step.path) ?? null, step.value ?? null))
        throw new PatchStepFailure(`test failed: ${step.path}`);
    } else if (step.op === "remove") {
      removeAt(root, step.path);
    } else if (step.op === "replace") {
      const { parent, key } = parentOf(root, step.path);
      if (Array.isArray(parent)) parent[Number(key)] = step.value ?? null;
      else parent[key] = step.value ?? null;
    } else if (step.op === "add") {
      addAt(root, step.path, step.value ?? null);
    } else if (step.op === "move" || step.op === "copy") {
      const value = structuredClone(readAt(root, step.from ?? "") ?? null);
      if (step.op === "move") removeAt(root, step.from ?? "");
      addAt(root, step.path, value);
    } else {
      throw new PatchStepFailure(`unknown step: ${step.op}`);
    }
  }
  return root;
}

/**
 * What an applied configuration makes of the live object: maps merged, lists replaced, but for
 * those of the metadata that merge by item.
 */
export function applyMerge(live: Json | undefined, config: Json, path = ""): Json {
  if (isJsonObject(config) && isJsonObject(live)) {
    const out: Record<string, Json> = { ...live };
    for (const [name, value] of Object.entries(config))
      out[name] = applyMerge(out[name], value, `${path}.${name}`);
    return out;
  }
  if (Array.isArray(config) && Array.isArray(live)) {
    const [mine, theirs] = [config as Json[], live as Json[]];
    if (path === ".metadata.finalizers") return [...new Set([...theirs, ...mine])];
    if (path === ".metadata.ownerReferences") {
      const uid = (item: Json): Json => (isJsonObject(item) ? (item["uid"] ?? null) : null);
      return [...theirs.filter((item) => mine.every((other) => uid(other) !== uid(item))), ...mine];
    }
  }
  return config;
}

/** Takes out a field by its path in the notation of `fieldsV1`; what isn't there is no mistake. */
export function removeField(target: Json, segments: readonly string[]): Json {
  const [segment, ...rest] = segments;
  if (segment === undefined) return target;
  if (Array.isArray(target)) {
    const items = target as Json[];
    if (segment.startsWith("v:"))
      return items.filter((item) => JSON.stringify(item) !== segment.slice(2));
    const [name = "", value] = Object.entries(JSON.parse(segment.slice(2)) as JsonObject)[0] ?? [];
    return items.filter((item) => !isJsonObject(item) || item[name] !== value);
  }
  const name = segment.slice(2);
  if (!isJsonObject(target) || !(name in target)) return target;
  if (rest.length > 0) return { ...target, [name]: removeField(target[name] as Json, rest) };
  const { [name]: _removed, ...others } = target;
  return others;
}

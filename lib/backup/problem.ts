/**
 * What is wrong with a stored copy, as data. What is told never repeats a value of the content: a
 * copy that was opened holds a key.
 */

export type CopyProblemCode =
  /** `unreadable`: it can't be read. `unreachable`: the store failed when it was asked for. */
  | "unreadable"
  | "unreachable"
  /** The document: how it lies in the store. */
  | "too_large"
  | "truncated"
  | "not_json"
  | "not_a_copy"
  | "format_newer"
  | "header_invalid"
  | "digest_mismatch"
  /** The content: what was sealed. */
  | "not_a_manifest"
  | "kind_not_allowed"
  | "place_mismatch"
  | "field_not_allowed"
  | "label_not_allowed"
  | "annotation_not_allowed"
  | "type_not_allowed"
  | "value_invalid"
  | "headers_differ"
  | "version_mismatch";

export interface CopyProblem {
  readonly code: CopyProblemCode;
  /** Where in the document: `header.names`, `metadata.labels`, `data`. */
  readonly place: string;
  readonly found: string;
  readonly expected: string;
}

/**
 * A value in words: texts by their start, quoted; all else by its kind. Only for what holds no
 * secret.
 */
export function describe(value: unknown): string {
  if (typeof value === "string")
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  return describeKind(value);
}

/** The kind of a value, without the value. */
export function describeKind(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object") return "an object";
  if (typeof value === "string") return "text";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return typeof value;
}

/** An object of JSON, of own properties only; `null` for all else. */
export function asObject(value: unknown): Readonly<Record<string, unknown>> | null {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}

/** An own property: what was parsed may hold `__proto__`, `constructor` and the like. */
export function ownValue(object: Readonly<Record<string, unknown>>, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

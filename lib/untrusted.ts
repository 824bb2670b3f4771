/**
 * Values from outside, of which nothing is known: JSON of servers and stores, errors of libraries.
 * Total: whatever stands there, nothing throws.
 */

/** An object whose field names are those of `T`, and nothing is known of their values. */
export type Untrusted<T> = { readonly [Field in keyof T]?: unknown };
export type Fields = Untrusted<Record<string, unknown>>;

const EMPTY: object = Object.freeze(Object.create(null) as object);

export function isRecord(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value as an object; an empty one where it is none. */
export function fieldsOf<T extends object = Record<string, unknown>>(value: unknown): Untrusted<T> {
  return (isRecord(value) ? value : EMPTY) as Untrusted<T>;
}

/** The value as a list; an empty one where it is none. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The value as text; `null` where it is none. */
export function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

const NO_TEXTS: Readonly<Record<string, string>> = Object.freeze({});

/** The fields that hold text, of those that `isWanted`. */
export function textsOf(
  value: unknown,
  isWanted: (key: string) => boolean = () => true,
): Readonly<Record<string, string>> {
  if (!isRecord(value)) return NO_TEXTS;
  const texts = Object.entries(value).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string" && isWanted(entry[0]),
  );
  // fromEntries defines own fields, also for a key such as `__proto__`.
  return texts.length === 0 ? NO_TEXTS : Object.fromEntries(texts);
}

/** `undefined`: no JSON. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

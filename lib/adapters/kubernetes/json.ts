/** Reading untrusted JSON and YAML without trust in its types; all of it total. */

/** An object of which nothing is known. */
export type Fields = Readonly<Record<string, unknown>>;

const EMPTY: Fields = Object.freeze(Object.create(null) as Record<string, unknown>);

/** The value as an object; an empty one where it is none. */
export function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : EMPTY;
}

/** The value as a list; an empty one where it is none. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The value as text; `null` where it is none. */
export function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

/**
 * Reads a document of a state store. Total: any other text gives a problem that names the place.
 */
import * as z from "zod/mini";

export type Read<T> =
  | { readonly ok: true; readonly value: T }
  /** `newer`: whole, but of a format that only a newer certkeep reads. */
  | { readonly ok: false; readonly newer: boolean; readonly place: string; readonly found: string };

/**
 * `isValid`: a faster check that a value already is what the schema describes; such a value is
 * taken as it is.
 */
export function readDocument<T>(
  text: string,
  format: number,
  schema: z.ZodMiniType<T>,
  isValid: ((value: unknown) => boolean) | null = null,
): Read<T> {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return {
      ok: false,
      newer: false,
      place: "the whole",
      found: `${text.length} characters that are no whole JSON document`,
    };
  }
  const readableFrom =
    typeof raw === "object" && raw !== null && "readableFrom" in raw ? raw.readableFrom : undefined;
  if (typeof readableFrom === "number" && readableFrom > format)
    return { ok: false, newer: true, place: "readableFrom", found: `format ${readableFrom}` };
  if (isValid?.(raw) === true) return { ok: true, value: raw as T };
  const parsed = z.safeParse(schema, raw);
  if (parsed.success) return { ok: true, value: parsed.data };
  const issue = parsed.error.issues[0];
  return {
    ok: false,
    newer: false,
    place:
      issue === undefined || issue.path.length === 0
        ? "the whole"
        : issue.path.map(String).join("."),
    found: issue?.message ?? "another shape",
  };
}

/**
 * Checks in a fraction of a parser's time whether a value already is what a schema describes: a
 * parser copies what it reads, and a state of ten thousand certificates has half a million fields.
 *
 * Yes means that the parser would give the value back as it is (no defaults, no conversions,
 * nothing dropped). No means nothing: ask the parser, which also knows the place. A schema with a
 * part that isn't known here has no such check.
 *
 * Reads a document of a state store. Total: any other text gives a problem that names the place.
 */
import * as z from "zod/mini";
import { fieldsOf, jsonOf, listOf } from "../untrusted.ts";

type Validator = (value: unknown) => boolean;

/** As much of a schema's definition as is looked at. */
interface Definition {
  readonly type: string;
  readonly checks?: readonly unknown[];
  readonly coerce?: boolean;
  readonly shape?: Readonly<Record<string, z.ZodMiniType>>;
  readonly catchall?: z.ZodMiniType;
  readonly innerType?: z.ZodMiniType;
  readonly element?: z.ZodMiniType;
  readonly keyType?: z.ZodMiniType;
  readonly valueType?: z.ZodMiniType;
  readonly items?: readonly z.ZodMiniType[];
  readonly rest?: z.ZodMiniType | null;
}

/** Checks for parts with refinements of their own, which say what the refinements say. */
type KnownChecks = ReadonlyMap<z.ZodMiniType, Validator>;

/** `null` where the schema has a part that can't be checked so. */
export function validatorOf(
  schema: z.ZodMiniType,
  known: KnownChecks = new Map(),
): Validator | null {
  const own = known.get(schema);
  if (own !== undefined) return own;
  const definition = schema._zod.def as unknown as Definition;
  if ((definition.checks?.length ?? 0) > 0 || definition.coerce === true) return null;
  switch (definition.type) {
    case "string":
      return (value) => typeof value === "string";
    case "number":
      return (value) => typeof value === "number" && Number.isFinite(value);
    case "boolean":
      return (value) => typeof value === "boolean";
    case "unknown":
      return (value) => value !== undefined;
    case "nullable":
      return within(
        definition.innerType,
        known,
        (inner) => (value) => value === null || inner(value),
      );
    case "optional":
      return within(
        definition.innerType,
        known,
        (inner) => (value) => value === undefined || inner(value),
      );
    case "array":
      return within(
        definition.element,
        known,
        (element) => (value) => Array.isArray(value) && value.every(element),
      );
    case "record":
      return recordCheck(definition, known);
    case "tuple":
      return tupleCheck(definition, known);
    case "object":
      return objectCheck(definition, known);
    default:
      return null;
  }
}

function within(
  schema: z.ZodMiniType | undefined,
  known: KnownChecks,
  check: (inner: Validator) => Validator,
): Validator | null {
  const inner = schema === undefined ? null : validatorOf(schema, known);
  return inner === null ? null : check(inner);
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  // A parser may treat a field of this name apart: let it.
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !Object.hasOwn(value, "__proto__")
  );
}

function recordCheck({ keyType, valueType }: Definition, known: KnownChecks): Validator | null {
  const key = keyType?._zod.def as unknown as Definition | undefined;
  if (key?.type !== "string" || (key.checks?.length ?? 0) > 0) return null;
  return within(valueType, known, (inner) => (value) => {
    if (!isPlain(value)) return false;
    for (const name in value) if (!inner(value[name])) return false;
    return true;
  });
}

function tupleCheck({ items = [], rest }: Definition, known: KnownChecks): Validator | null {
  const checks = items.map((item) => validatorOf(item, known));
  if (rest != null || checks.includes(null)) return null;
  return (value) =>
    Array.isArray(value) &&
    value.length === checks.length &&
    checks.every((check, i) => check?.(value[i]) === true);
}

/** Only of objects that keep what they don't know. */
function objectCheck({ shape = {}, catchall }: Definition, known: KnownChecks): Validator | null {
  if ((catchall?._zod.def as unknown as Definition | undefined)?.type !== "unknown") return null;
  const fields: (readonly [string, Validator])[] = [];
  for (const [name, schema] of Object.entries(shape)) {
    const check = validatorOf(schema, known);
    if (check === null) return null;
    fields.push([name, check]);
  }
  return (value) => {
    if (!isPlain(value)) return false;
    for (const [name, check] of fields) if (!check(value[name])) return false;
    return true;
  };
}

type Read<T> =
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
  const raw = jsonOf(text);
  if (raw === undefined)
    return {
      ok: false,
      newer: false,
      place: "the whole",
      found: `${text.length} characters that are no whole JSON document`,
    };
  const { readableFrom } = fieldsOf(raw);
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

/** The entries of a list that are what the schema describes, of its first `most`; total. */
export function validEntries<T>(schema: z.ZodMiniType<T>, value: unknown, most: number): T[] {
  return listOf(value)
    .slice(0, most)
    .flatMap((entry) => {
      const parsed = z.safeParse(schema, entry);
      return parsed.success ? [parsed.data] : [];
    });
}

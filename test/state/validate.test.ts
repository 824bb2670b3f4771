import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as z from "zod/mini";
import {
  emptyState,
  formatState,
  parseState,
  type StateDocument,
} from "../../lib/state/document.ts";
import { validatorOf } from "../../lib/state/validate.ts";

const copy = z.looseObject({ version: z.string(), until: z.optional(z.string()) });
const schema = z.looseObject({
  format: z.number(),
  fits: z.boolean(),
  kept: z.nullable(copy),
  windows: z.array(z.tuple([z.string(), z.string()])),
  by: z.record(z.string(), copy),
  later: z.unknown(),
});
const good = {
  format: 1,
  fits: true,
  kept: null,
  windows: [["a", "b"]],
  by: { x: { version: "1", more: [1] } },
  later: {},
  unknown: "stays",
};

describe("validatorOf", () => {
  const check = validatorOf(schema);

  test("says yes to what the schema describes, with fields that it doesn't know", () => {
    expect(check?.(good)).toBe(true);
    expect(check?.({ ...good, kept: { version: "1", until: "2" } })).toBe(true);
  });

  test.each([
    ["another kind of text", { ...good, kept: { version: 1 } }],
    ["a missing field", { ...good, fits: undefined }],
    ["a number that JSON can't hold", { ...good, format: Infinity }],
    ["an array for an object", { ...good, by: [] }],
    ["an object for an array", { ...good, windows: {} }],
    ["a tuple too long", { ...good, windows: [["a", "b", "c"]] }],
    ["a wrong value in a record", { ...good, by: { x: null } }],
    [
      "a field that a parser may treat apart",
      JSON.parse(
        `{"format":1,"fits":true,"kept":null,"windows":[],"by":{},"later":1,"__proto__":{"x":1}}`,
      ),
    ],
    ["nothing", null],
  ])("doesn't say yes to %s", (_, value) => {
    expect(check?.(value)).toBe(false);
  });

  test("yes means that the parser takes it and gives it back as it is", () => {
    const leaf = fc.oneof(
      fc.string(),
      fc.double(),
      fc.boolean(),
      fc.constant(null),
      fc.constant(undefined),
      fc.array(fc.string(), { maxLength: 3 }),
      fc.dictionary(fc.string(), fc.string(), { maxKeys: 2 }),
    );
    const place = fc.constantFrom("format", "fits", "kept", "windows", "by", "later", "other");
    let yes = 0;
    fc.assert(
      fc.property(place, leaf, (name, value) => {
        const changed = { ...good, [name]: value };
        if (check?.(changed) !== true) return;
        yes += 1;
        expect(z.parse(schema, changed)).toEqual(changed);
      }),
      { numRuns: 1000 },
    );
    expect(yes).toBeGreaterThan(50);
  });

  test.each([
    ["checks of its own", z.string().check(z.minLength(1))],
    ["a default", z._default(z.string(), "x")],
    ["objects that drop what they don't know", z.object({ a: z.string() })],
    ["objects that refuse it", z.strictObject({ a: z.string() })],
    [
      "such a part far inside",
      z.looseObject({ a: z.array(z.record(z.string(), z.object({ a: z.string() }))) }),
    ],
    ["unions", z.union([z.string(), z.number()])],
    ["records with few keys", z.record(z.enum(["a"]), z.string())],
  ])("has no answer for a schema with %s", (_, other) => {
    expect(validatorOf(other)).toBe(null);
  });
});

test("a part with a refinement is checked by what is given for it", () => {
  const even = z.number().check(z.refine((n) => n % 2 === 0));
  const inner = z.looseObject({ at: z.array(even) });
  expect(validatorOf(inner)).toBe(null);
  const check = validatorOf(
    inner,
    new Map([[even, (value: unknown) => typeof value === "number" && value % 2 === 0]]),
  );
  expect(check?.({ at: [2, 4] })).toBe(true);
  expect(check?.({ at: [2, 3] })).toBe(false);
});

describe("parseState", () => {
  test("takes a whole state as it stands, unknown fields included", () => {
    const state: StateDocument = {
      ...emptyState("key", "title", "https://server"),
      extra: { kept: [1] },
    };
    expect(parseState(formatState(state))).toEqual({ ok: true, state });
  });
  test.each([
    ["https://server:6443/?token=CANARY", "https://server:6443"],
    ["https://server/prefix?token=CANARY#x", "https://server/prefix"],
    ["https://server#CANARY", "https://server"],
    ["", ""],
  ])("drops the query that an earlier version stored with the server %s", (stored, server) => {
    const state = emptyState("key", "title", stored);
    expect(parseState(formatState(state))).toEqual({ ok: true, state: { ...state, server } });
  });
});

import { describe, expect, test } from "vitest";
import { dataKeysOf } from "../../../lib/adapters/kubernetes/parse.ts";

const owns = (...keys: string[]): object => ({
  manager: "m",
  fieldsV1: {
    "f:data": { ".": {}, ...Object.fromEntries(keys.map((key) => [`f:${key}`, {}])) },
    "f:type": {},
  },
});
const TLS = "kubernetes.io/tls";

describe("data keys by managedFields", () => {
  test.each<[string, unknown, number | null, string | null, readonly string[] | null]>([
    ["one manager", [owns("tls.crt", "tls.key")], 2, TLS, ["tls.crt", "tls.key"]],
    [
      "a union of several, doubled keys once, sorted",
      [owns("b", "a"), owns("b", "c")],
      3,
      "Opaque",
      ["a", "b", "c"],
    ],
    [
      "an entry with a subresource counts",
      [owns("a"), { ...owns("b"), subresource: "status" }],
      2,
      "Opaque",
      ["a", "b"],
    ],
    ["partly cleared: a key belongs to nobody", [owns("a")], 2, "Opaque", null],
    ["more than there are", [owns("a", "b")], 1, "Opaque", null],
    ["cleared", [], 2, TLS, null],
    ["missing", undefined, 2, TLS, null],
    ["no key at all, whoever owns what", undefined, 0, "Opaque", []],
    ["an empty map", [{ fieldsV1: { "f:data": {} } }], 0, "Opaque", []],
    ["no count: nobody can tell whether all are named", [owns("a")], null, null, null],
    [
      "a TLS Secret always has its two keys: what names others is no account of it",
      [owns("x", "y")],
      2,
      TLS,
      null,
    ],
    ["another type may have any", [owns("x", "y")], 2, "Opaque", ["x", "y"]],
    ["a type that is a name of Object's own", [owns("x")], 1, "constructor", ["x"]],
    [
      "keys with a dot, dashes and two underscores",
      [owns("a.b", "-", "__proto__")],
      3,
      "Opaque",
      ["-", "__proto__", "a.b"],
    ],
    [
      "stringData written by apply: the data belongs to nobody",
      [{ fieldsV1: { "f:stringData": { "f:a": {} } } }],
      1,
      "Opaque",
      null,
    ],
    [
      "wrong types everywhere",
      [
        null,
        5,
        "x",
        [],
        { fieldsV1: 7 },
        { fieldsV1: { "f:data": [] } },
        { fieldsV1: { "f:data": "f:a" } },
      ],
      1,
      "Opaque",
      null,
    ],
    ["no list", { fieldsV1: {} }, 1, "Opaque", null],
  ])("%s", (_, managed, count, type, expected) => {
    const parsed: unknown = managed === undefined ? undefined : JSON.parse(JSON.stringify(managed));
    expect(dataKeysOf(parsed, count, type)).toEqual(expected);
  });
});

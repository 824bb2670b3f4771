import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseJson } from "../../lib/adapters/web.ts";

const parse = (text: string): unknown => parseJson(Buffer.from(text));

describe("JSON of a server", () => {
  test("is what JSON.parse makes of it", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(parse(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  test.each([
    ["objects", "{}"],
    ["lists", "[]"],
    ["numbers", "1"],
    ["objects with a text in which a quote is escaped", String.raw`{"a\\\"":""}`],
  ])("of millions of %s is refused before it takes memory", (_name, item) => {
    expect(() => parse(`[${`${item},`.repeat(2_000_001)}${item}]`)).toThrow(RangeError);
  });

  test("of millions of levels is refused", () => {
    expect(() => parse("[".repeat(2_000_001))).toThrow(RangeError);
  });

  test.each([
    ["signs within a text", `"${",[{".repeat(1_000_000)}"`],
    ["quotes within a text", JSON.stringify('",'.repeat(1_000_000))],
    ["backslashes within a text", JSON.stringify("\\".repeat(1_000_001))],
    ["values, as many as are taken", `[${"1,".repeat(1_999_998)}1]`],
  ])("of many %s is read", (_name, text) => {
    expect(JSON.stringify(parse(text)) === text).toBe(true);
  });

  test.each(['"', '"\\', '{"a', "", "[1,"])("that is cut off is no JSON: %s", (text) => {
    expect(() => parse(text)).toThrow(SyntaxError);
  });
});

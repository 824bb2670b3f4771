import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { matchesPattern } from "../../lib/finding/pattern.ts";

describe("matchesPattern", () => {
  it.each([
    ["shop", "shop", true],
    ["shop", "shop2", false],
    ["shop-*", "shop-eu", true],
    ["shop-*", "shop", false],
    ["*", "", true],
    ["*.example.com", "a.b.example.com", true],
    ["a*b*c", "a1b2c", true],
    ["a*b*c", "acb", false],
    ["ab*ba", "aba", false],
    ["a**b", "ab", true],
    ["Shop", "shop", false],
    [".*", "shop", false],
  ])("%s and %s: %s", (pattern, text, expected) => {
    expect(matchesPattern(pattern, text)).toBe(expected);
  });

  it("says what a regular expression of the same meaning says", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "b", "*"), maxLength: 12 });
    fc.assert(
      fc.property(
        text,
        fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 12 }),
        (pattern, subject) => {
          expect(matchesPattern(pattern, subject)).toBe(
            new RegExp(`^${pattern.replaceAll("*", ".*")}$`).test(subject),
          );
        },
      ),
    );
  });
});

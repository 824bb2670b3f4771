import { describe, expect, it } from "vitest";
import { bareName, isMeant, matchesPattern } from "../../lib/finding/place.ts";
import fc from "fast-check";

describe("a name that a person typed", () => {
  it.each([
    ["Shop.Tail1a2b3.ts.net.", "shop.tail1a2b3.ts.net"],
    ["bücher.example", "xn--bcher-kva.example"],
    ["BÜCHER.example.", "xn--bcher-kva.example"],
    ["xn--bcher-kva.example", "xn--bcher-kva.example"],
    ["bu\u0308cher.example", "xn--bcher-kva.example"],
    ["例え。テスト", "xn--r8jz45g.xn--zckzah"],
    ["*.bücher.example", "*.xn--bcher-kva.example"],
    ["a.example., bücher.example.", "a.example, xn--bcher-kva.example"],
    ["b.,a.", "b,a"],
    ["tailscale/operator", "tailscale/operator"],
    ["a..", "a."],
    ["", ""],
    // What no host name can be stays as it is.
    ["bü<cher.example", "bü<cher.example"],
  ])("%j is %j", (typed, name) => {
    expect(bareName(typed)).toBe(name);
  });

  it("is meant by either form, with a dot at its end, in whatever case, also as a pattern", () => {
    const texts = ["Prod", "shop/web", "xn--bcher-kva.example"];
    const meant = ["bücher.example", "BÜCHER.EXAMPLE.", "*.example.", "bücher.*", "prod"];
    expect(meant.filter((typed) => isMeant(typed, texts))).toEqual(meant);
    const others = ["bucher.example", "web", "example."];
    expect(others.filter((typed) => isMeant(typed, texts))).toEqual([]);
  });
});

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

import { describe, expect, it } from "vitest";
import { bareName, isMeant } from "../../lib/finding/place.ts";

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

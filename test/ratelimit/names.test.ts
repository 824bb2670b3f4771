/** Sets and registered domains against what the issuer's own code counts under (vectors.json). */
import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { registeredDomain, registeredDomains, setOf } from "../../lib/ratelimit/limit.ts";

const { domains } = JSON.parse(readFileSync(new URL("vectors.json", import.meta.url), "utf8")) as {
  domains: Record<string, string>;
};

describe("registered domain", () => {
  test.each(Object.entries(domains))("%s counts under %s", (name, domain) => {
    expect(registeredDomain(name)).toBe(domain);
  });

  test.each([
    ["app.tail1234.ts.net", "tail1234.ts.net"],
    ["a.b.c.ts.net", "a.b.c.ts.net"],
    ["ts.net", "ts.net"],
    ["APP.Tail1234.TS.NET.", "tail1234.ts.net"],
    ["", ""],
  ])("%s -> %s", (name, domain) => {
    expect(registeredDomain(name)).toBe(domain);
  });

  test("any text gives one, without regard to case, and a domain is its own", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.domain(), fc.ipV6(), fc.ipV4()), (name) => {
        expect(typeof registeredDomain(name)).toBe("string");
        expect(registeredDomain(name.toUpperCase().toLowerCase())).toBe(
          registeredDomain(name.toLowerCase()),
        );
      }),
    );
    fc.assert(
      fc.property(
        fc.domain(),
        (name) => registeredDomain(registeredDomain(name)) === registeredDomain(name),
      ),
    );
  });

  test("of a set: each once", () => {
    expect(registeredDomains(["a.x.org", "b.x.org", "c.y.org", "10.0.0.1"])).toEqual([
      "10.0.0.1/32",
      "x.org",
      "y.org",
    ]);
  });
});

describe("set", () => {
  test("case, order and repetition don't matter", () => {
    expect(setOf(["b.x", "A.x", "a.X", "b.x"])).toEqual({ names: ["a.x", "b.x"], key: "a.x,b.x" });
    expect(setOf(["B.x"])).toEqual({ names: ["b.x"], key: "b.x" });
    expect(setOf([])).toEqual({ names: [], key: "" });
    expect(setOf(["a.x"]).key).not.toBe(setOf(["a.x", "b.x"]).key);
  });

  test("hundreds of names", () => {
    const names = Array.from({ length: 700 }, (_, i) => `n${i % 350}.x`);
    expect(setOf(names).names).toHaveLength(350);
    expect(setOf(names.toReversed()).key).toBe(setOf(names).key);
  });
});

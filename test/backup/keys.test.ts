/** Keys of copies: safe segments, reversible. */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  clusterPrefix,
  copyKey,
  decodeSegment,
  encodeSegment,
  parseCopyKey,
} from "../../lib/backup/keys.ts";

const VERSION = "0f".repeat(32);
const wellFormed = fc
  .string({ unit: "grapheme", maxLength: 40 })
  .filter((text) => text.isWellFormed());

test("spells plain names as they are", () => {
  const place = { cluster: "prod", namespace: "tailscale", secret: "shop.example.ts.net" };
  expect(copyKey(place, VERSION)).toBe(`prod/tailscale/shop.example.ts.net/${VERSION}.json`);
  expect(clusterPrefix("prod")).toBe("prod/");
});

test("escapes what a path, a URL or a shell would read otherwise", () => {
  expect(encodeSegment("arn:aws:eks/Prod")).toBe("arn=3aaws=3aeks=2f=50rod");
  expect(encodeSegment("..")).toBe("=2e.");
  expect(encodeSegment("")).toBe("=");
  expect(encodeSegment("=")).toBe("=3d");
});

test("every text has one segment of the store's alphabet, and no two differ by case alone", () => {
  fc.assert(
    fc.property(wellFormed, wellFormed, (a, b) => {
      const segment = encodeSegment(a);
      expect(segment).toMatch(/^[A-Za-z0-9_=@-][A-Za-z0-9._=@-]*$/);
      expect(decodeSegment(segment)).toBe(a);
      expect(segment.toLowerCase() === encodeSegment(b).toLowerCase()).toBe(a === b);
    }),
  );
});

test("every key leads back to its place", () => {
  fc.assert(
    fc.property(wellFormed, wellFormed, wellFormed, (cluster, namespace, secret) => {
      expect(parseCopyKey(copyKey({ cluster, namespace, secret }, VERSION))).toEqual({
        cluster,
        namespace,
        secret,
        version: VERSION,
      });
    }),
  );
});

test.each([
  "",
  "prod",
  `prod/ns/${VERSION}.json`,
  `prod/ns/s/x/${VERSION}.json`,
  `prod/ns/s/${VERSION}`,
  `prod/ns/s/${VERSION.toUpperCase()}.json`,
  `prod/ns/s/${VERSION.slice(1)}.json`,
  `Prod/ns/s/${VERSION}.json`,
  `=70rod/ns/s/${VERSION}.json`,
  `pr=2/ns/s/${VERSION}.json`,
  `=ff/ns/s/${VERSION}.json`,
  `.prod/ns/s/${VERSION}.json`,
  "prod/ns/s/README.md",
])("a key of something else is none: %j", (key) => {
  expect(parseCopyKey(key)).toBeNull();
});

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { jsonSchema, registrationJsonSchema } from "../../lib/config/jsonschema.ts";
import { isSelector } from "../../lib/config/form.ts";
import { parseConfig } from "../../lib/config/parse.ts";
import { isRecipient } from "../../lib/backup/recipient.ts";
import { LETS_ENCRYPT, LETS_ENCRYPT_STAGING } from "../../lib/issuer/issuers.ts";

describe("the published schema", () => {
  it("is the one that is made from the program's own; npm run schema writes it again", () => {
    const file = new URL("../../schema/certkeep.schema.json", import.meta.url);
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual(jsonSchema());
    const registration = new URL("../../schema/registration.schema.json", import.meta.url);
    expect(JSON.parse(readFileSync(registration, "utf8"))).toEqual(registrationJsonSchema());
  });

  it("says of every setting what it is for, and takes no others", () => {
    const check = (node: unknown, path: string): void => {
      if (typeof node !== "object" || node === null) return;
      const { properties, additionalProperties } = node as {
        properties?: Record<string, { description?: string }>;
        additionalProperties?: unknown;
      };
      if (properties !== undefined) {
        expect({ path, additionalProperties }).toEqual({ path, additionalProperties: false });
        for (const [key, property] of Object.entries(properties))
          expect(`${path}.${key}: ${property.description ?? ""}`).toMatch(/: .+\.$/);
      }
      for (const [key, child] of Object.entries(node)) check(child, `${path}/${key}`);
    };
    check(jsonSchema(), "");
    check(registrationJsonSchema(), "registration");
  });
});

describe("isRecipient", () => {
  const one = "age1z2lrvsqly5snu93xzzlcwqvatvcct8znj5plhq5mh6k0nvs8usyqfrwzcx";

  it("takes a recipient and none with any one letter changed", () => {
    expect(isRecipient(one)).toBe(true);
    for (let at = 0; at < one.length; at++) {
      for (const letter of "qpzry9x8gf2tvdw0s3jn54khce6mua7l1b") {
        if (one[at] !== letter)
          expect(isRecipient(one.slice(0, at) + letter + one.slice(at + 1))).toBe(false);
      }
    }
  });

  it.each([one.toUpperCase(), `${one} `, one.slice(0, -1), `${one}q`, "", "age1"])(
    "refuses %j",
    (text) => {
      expect(isRecipient(text)).toBe(false);
    },
  );
});

describe("isSelector", () => {
  it.each([
    "team=web",
    "team==web",
    "team!=web",
    "team",
    "!team",
    "a in (b)",
    "a notin (b, c),d",
    "example.com/x=",
    "a=b,c=d",
    "a in (b,),c",
  ])("takes %j", (text) => {
    expect(isSelector(text)).toBe(true);
  });

  it.each([
    "",
    "a=b=c",
    "a in b",
    "a in (b",
    "=b",
    "a b",
    "a=b,",
    "-a",
    "a=b c",
    "x".repeat(2000),
    `${"a,".repeat(500)}!`,
  ])("refuses %j", (text) => {
    expect(isSelector(text)).toBe(false);
  });
});

it("keeps the ids of the built-in issuers for them", () => {
  for (const id of [LETS_ENCRYPT.id, LETS_ENCRYPT_STAGING.id])
    expect(parseConfig(`issuers: [{id: ${id}, anchors: a.pem}]`, "f").ok).toBe(false);
});

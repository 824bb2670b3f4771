/** Documents of copies: composed, and read back from whatever lies in a store. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  composeDocument,
  digestOf,
  MAX_DOCUMENT_BYTES,
  parseDocument,
} from "../../lib/backup/document.ts";
import { buildDocument } from "../../lib/backup/draft.ts";
import { anyRecord, OTHER_RECIPIENT, RECIPIENT, RECORD } from "./records.ts";

const SEALED = "-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n-----END AGE ENCRYPTED FILE-----\n";
const { text, header } = composeDocument(buildDocument(RECORD, [RECIPIENT]).header, SEALED);
const parsed = JSON.parse(text) as {
  format: number;
  header: Record<string, unknown>;
  sealed: string;
};

function codeOf(document: unknown): string {
  const result = parseDocument(typeof document === "string" ? document : JSON.stringify(document));
  return result.ok ? "ok" : result.problem.code;
}

function withHeader(change: Record<string, unknown>): string {
  return JSON.stringify({ ...parsed, header: { ...parsed.header, ...change } });
}

test("reads what it composed, for any record", () => {
  fc.assert(
    fc.property(anyRecord, (record) => {
      const draft = buildDocument(record, [RECIPIENT, OTHER_RECIPIENT, RECIPIENT]);
      const composed = composeDocument(draft.header, SEALED);
      expect(parseDocument(composed.text)).toEqual({
        ok: true,
        document: { header: composed.header, sealed: SEALED },
      });
      expect(composed.header.recipients).toEqual([OTHER_RECIPIENT, RECIPIENT].toSorted());
    }),
  );
});

test("holds format, header and sealed, and no value of the Secret", () => {
  expect(Object.keys(parsed)).toEqual(["format", "header", "sealed"]);
  expect(parsed.header["digest"]).toBe(digestOf(SEALED));
  for (const value of Object.values(RECORD.data)) expect(text).not.toContain(value);
});

test("passes over members that it doesn't know", () => {
  const later = {
    ...parsed,
    added: { deep: [1] },
    header: { ...parsed.header, added: true, __proto__: { polluted: 1 } },
  };
  expect(parseDocument(JSON.stringify(later))).toEqual({
    ok: true,
    document: { header, sealed: SEALED },
  });
});

describe("says what is wrong", () => {
  test("a later format by its number", () => {
    const result = parseDocument(
      JSON.stringify({ ...parsed, format: 7, header: "whatever it is then" }),
    );
    expect(result).toMatchObject({
      ok: false,
      problem: {
        code: "format_newer",
        place: "format",
        found: expect.stringContaining("format 7") as string,
      },
    });
  });

  test("cut off at any place", () => {
    for (let length = 0; length < text.trimEnd().length; length += 7) {
      expect(["truncated", "not_json"]).toContain(codeOf(text.slice(0, length)));
    }
    expect(codeOf(text.slice(0, 200))).toBe("truncated");
    expect(codeOf({ ...parsed, sealed: SEALED.slice(0, 50) })).toBe("truncated");
  });

  test("sealed text or digest edited", () => {
    expect(codeOf({ ...parsed, sealed: SEALED.replace("YWdl", "YWdm") })).toBe("digest_mismatch");
    expect(codeOf(withHeader({ digest: "0".repeat(64) }))).toBe("digest_mismatch");
    expect(codeOf({ ...parsed, sealed: SEALED.trimEnd() })).toBe("digest_mismatch");
  });

  test.each<[string, unknown]>([
    ["digest", "abc"],
    ["digest", null],
    ["recipients", []],
    ["recipients", "age1"],
    ["recipients", [1]],
    ["recipients", ["two words"]],
    ["kind", "backup"],
    ["kind", "constructor"],
    ["names", "a"],
    ["names", [null]],
    ["names", Array.from({ length: 20_001 }, () => "a")],
    ["namespace", ""],
    ["secret", null],
    ["notAfter", "tomorrow"],
    ["notAfter", 5],
    ["leafSha256", "AB"],
    ["cluster", undefined],
    ["cluster", {}],
    ["issuer", undefined],
    ["accountThumbprint", "x"],
    ["issuerName", "x".repeat(100_001)],
  ])("header.%s being %.60j", (field, value) => {
    const result = parseDocument(withHeader({ [field]: value }));
    expect(result).toMatchObject({
      ok: false,
      problem: { code: "header_invalid", place: `header.${field}` },
    });
  });

  test.each([
    ["", "not_json"],
    ["certkeep", "not_json"],
    ["apiVersion: v1\nkind: Secret\n", "not_json"],
    ["null", "not_a_copy"],
    ["[]", "not_a_copy"],
    ["{}", "not_a_copy"],
    ['{"format":"1"}', "not_a_copy"],
    ['{"format":0}', "not_a_copy"],
    ['{"format":1.5}', "not_a_copy"],
    ['{"format":1}', "header_invalid"],
    ['{"__proto__":{"format":1}}', "not_a_copy"],
    ["[".repeat(100_000), "not_json"],
  ])("%.40j: %s", (input, code) => {
    expect(codeOf(input)).toBe(code);
  });

  test("no armored age file", () => {
    for (const sealed of [null, {}, "", "age-encryption.org/v1\n", '{"kind":"Secret"}'])
      expect(codeOf({ ...parsed, sealed })).toBe("not_a_copy");
  });

  test("too large to be a copy", () => {
    expect(codeOf(" ".repeat(MAX_DOCUMENT_BYTES + 1))).toBe("too_large");
  });
});

test("never throws, whatever the input", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.json().map((json) => `{"format":1,"header":${json},"sealed":${json}}`),
      ),
      (input) => parseDocument(input).ok === false,
    ),
  );
});

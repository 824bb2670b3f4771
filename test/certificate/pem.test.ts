import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodePemBody, parsePemBlocks } from "../../lib/certificate/pem.ts";
import { pemBlock } from "./vector.ts";

const blocks = (text: string): string[] =>
  parsePemBlocks(Buffer.from(text, "latin1")).map(
    ({ type, bytes }) => `${type}:${Buffer.from(bytes).toString("latin1")}`,
  );

const body = (text: string): string | null => {
  const bytes = Buffer.from(text, "latin1");
  const out = decodePemBody(bytes, 0, bytes.length);
  return out === null ? null : Buffer.from(out).toString("latin1");
};

// Each row is what a loop over encoding/pem Decode of Go 1.26 gives; pem.go decides, RFC 7468
// doesn't.
describe("PEM blocks", () => {
  const rows: [title: string, text: string, blocks: string[]][] = [
    ["nothing", "", []],
    ["no block", "hello\n", []],
    ["one", "-----BEGIN A-----\nYWJj\n-----END A-----\n", ["A:abc"]],
    ["no final newline", "-----BEGIN A-----\nYWJj\n-----END A-----", ["A:abc"]],
    ["CRLF", "-----BEGIN A-----\r\nYWJj\r\n-----END A-----\r\n", ["A:abc"]],
    ["empty, sharing its newline", "-----BEGIN A-----\n-----END A-----\n", ["A:"]],
    [
      "empty, then another",
      "-----BEGIN A-----\n-----END A-----\n-----BEGIN B-----\nYWJj\n-----END B-----\n",
      ["A:", "B:abc"],
    ],
    [
      "BEGIN on the END line of another",
      "-----BEGIN A-----\nYWJj\n-----END A----------BEGIN B-----\nYWJj\n-----END B-----\n",
      [],
    ],
    ["byte order mark", "\u00ef\u00bb\u00bf-----BEGIN A-----\nYWJj\n-----END A-----\n", []],
    ["indented", " -----BEGIN A-----\nYWJj\n-----END A-----\n", []],
    [
      "last BEGIN before the END counts",
      "-----BEGIN A-----\nxx\n-----BEGIN B-----\nYWJj\n-----END B-----\n",
      ["B:abc"],
    ],
    [
      "label differs",
      "-----BEGIN A-----\nYWJj\n-----END B-----\n-----BEGIN C-----\nYWJj\n-----END C-----\n",
      ["C:abc"],
    ],
    ["label may be empty", "-----BEGIN -----\nYWJj\n-----END -----\n", [":abc"]],
    ["text after END", "-----BEGIN A-----\nYWJj\n-----END A-----x\n", []],
    ["blanks after END", "-----BEGIN A-----\nYWJj\n-----END A----- \t\n", ["A:abc"]],
    [
      "colon in the body is a header",
      "-----BEGIN A-----\nk: v\nYWJj\n-----END A-----\n",
      ["A:abc"],
    ],
    ["headers alone", "-----BEGIN A-----\nk: v\n-----END A-----\n", []],
    ["headers and a blank line", "-----BEGIN A-----\nk: v\n\n-----END A-----\n", ["A:"]],
    [
      "a header that is the END line",
      "-----BEGIN A-----\nk: v\n-----END A-----: x\nYWJj\n-----END A-----\n",
      [],
    ],
    [
      "bad base64 is passed over",
      "-----BEGIN A-----\nYW!j\n-----END A-----\n-----BEGIN B-----\nYWJj\n-----END B-----\n",
      ["B:abc"],
    ],
    ["CR alone ends no line", "-----BEGIN A-----\rYWJj\r-----END A-----\r", []],
  ];
  test.each(rows)("%s", (_title, text, expected) => expect(blocks(text)).toEqual(expected));

  test("headers are kept, the last of a name wins", () => {
    const [block] = parsePemBlocks(
      Buffer.from("-----BEGIN A-----\nk: v\n k :w \n__proto__: x\n\nYWJj\n-----END A-----\n"),
    );
    expect({ ...block?.headers }).toEqual({ k: "w", ["__proto__"]: "x" });
  });

  test("what is written is read again, whatever stands around it", () => {
    const noise = fc.string({ maxLength: 30 }).filter((text) => !text.includes("-----"));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.uint8Array({ maxLength: 200 }), noise), { maxLength: 4 }),
        (items) => {
          const text = items.map(
            ([bytes, after]) =>
              `${pemBlock("X Y", Buffer.from(bytes).toString("base64"))}${after}\n`,
          );
          expect(
            parsePemBlocks(Buffer.from(text.join(""))).map((block) => Buffer.from(block.bytes)),
          ).toEqual(items.map(([bytes]) => Buffer.from(bytes)));
        },
      ),
    );
  });

  test("a megabyte of marks without a block takes no time to speak of", () => {
    for (const mark of [
      "-----BEGIN A-----\n",
      "\n-----END A-----",
      "a:b\n",
      "-----BEGIN A-----\na:b\n-----END B-----\n",
    ]) {
      const start = performance.now();
      expect(parsePemBlocks(Buffer.from(mark.repeat(1_000_000 / mark.length)))).toEqual([]);
      expect(performance.now() - start).toBeLessThan(5_000);
    }
  });
});

describe("base64 of a body", () => {
  test.each([
    ["", ""],
    ["YQ==", "a"],
    ["YR==", "a"], // the unused bits aren't looked at
    ["YWI=", "ab"],
    ["YWJj", "abc"],
    ["Y\nW\r\nJ\tj ", "abc"],
    ["YQ=\n=\n", "a"],
    ["YQ= =", "a"],
    ["YQ", null],
    ["YQ=", null],
    ["YQ===", null],
    ["YWI==", null],
    ["YWJj=", null],
    ["Y===", null],
    ["=", null],
    ["YQ==YQ==", null],
    ["YQ==\nx", null],
    ["YW-_", null],
    ["YW\u0000j", null],
    ["YWJjY", null],
  ])("%j is %j", (text, expected) => expect(body(text)).toBe(expected));

  test("agrees with Node's decoder on what Node wrote, in lines of any length", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.integer({ min: 1, max: 80 }),
        (bytes, width) => {
          const text = Buffer.from(bytes)
            .toString("base64")
            .replace(new RegExp(`.{${width}}`, "g"), "$&\n");
          expect(body(text)).toBe(Buffer.from(bytes).toString("latin1"));
        },
      ),
    );
  });
});

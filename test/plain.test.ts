/** The one escape: nothing that a terminal acts on passes it, in any of its forms. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CertkeepError } from "../lib/error.ts";
import { plain, plainJson, plainLines, plainOutput } from "../lib/plain.ts";

/** Control and formatting characters, line breaks of all kinds, halves of characters, tags. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]|[\u{e0000}-\u{e0fff}]/u;

const hostile = fc
  .array(
    fc.oneof(
      fc.string({ unit: "binary", maxLength: 5 }),
      fc.constantFrom(
        "\u001b]0;title\u0007",
        "\u001b[2J",
        "\u009b31m",
        "\r",
        "\n",
        "\u202e",
        "\u200b",
        "\u2028",
        "\u{e0041}",
        "\ud800",
        "shop",
      ),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(""));

describe("the escape", () => {
  it("leaves nothing that a terminal acts on, and is done once", () => {
    fc.assert(
      fc.property(hostile, (text) => {
        expect(plain(text)).not.toMatch(UNSAFE);
        expect(plain(plain(text))).toBe(plain(text));
        expect(plainLines(text).replaceAll("\n", "")).not.toMatch(UNSAFE);
        expect(plainOutput(text).replaceAll(/\n|\u001b\[(?:1|2|22|31|32|33|39)m/g, "")).not.toMatch(
          UNSAFE,
        );
      }),
    );
  });
  it("leaves names of all scripts and certkeep's own colours", () => {
    const text = "münchen 例え.jp עברית 🔑 e\u0301";
    expect(plain(text)).toBe(text);
    const painted = "\u001b[1m\u001b[31mcritical\u001b[39m\u001b[22m\n";
    expect(plainOutput(painted)).toBe(painted);
  });
  it("leaves the value of a JSON text as it is", () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const json = plainJson(JSON.stringify({ [text]: [text] }, null, 2));
        expect(json.replaceAll("\n", "")).not.toMatch(UNSAFE);
        expect(JSON.parse(json)).toEqual({ [text]: [text] });
      }),
    );
  });
  it("is in every error, whoever prints it", () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const error = new CertkeepError("usage", {
          where: text,
          found: text,
          todo: text,
          lines: [text, text],
        });
        expect(error.message.split("\n")).toHaveLength(3);
        expect(error.message.replaceAll("\n", "")).not.toMatch(UNSAFE);
        expect(JSON.stringify(error.parts)).not.toMatch(UNSAFE);
      }),
    );
  });
  it("is the only way of a command to a stream", () => {
    const folder = new URL("../lib/cli/", import.meta.url).pathname;
    const writing = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
      (file) =>
        file.endsWith(".ts") &&
        /\.write\(|console\./.test(readFileSync(join(folder, file), "utf8")),
    );
    expect(writing).toEqual(["io.ts"]);
  });
});

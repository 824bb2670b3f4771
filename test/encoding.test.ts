import { expect, it } from "vitest";
import { utf8Of } from "../lib/encoding.ts";

const utf16 = (text: string): Buffer => Buffer.from(`\ufeff${text}`, "utf16le");

it("reads UTF-16 by its byte order mark, whichever comes first, and leaves the rest alone", () => {
  const text = "server: größer\r\n";
  const little = utf16(text);
  const big = Buffer.from(little).swap16();
  expect(Buffer.from(utf8Of(little)).toString("utf8")).toBe(text);
  expect(Buffer.from(utf8Of(big)).toString("utf8")).toBe(text);
  for (const bytes of [
    Buffer.from(text),
    Buffer.from(`\ufeff${text}`),
    Buffer.from([0xff]),
    Buffer.alloc(0),
  ])
    expect(utf8Of(bytes)).toBe(bytes);
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  civilOf,
  formatMs,
  parseMs,
  parseMsOrNull,
  secondsOf,
} from "../../lib/certificate/time.ts";
import { readTime } from "../../lib/certificate/validity.ts";
import { Der } from "../../lib/certificate/der.ts";

describe("instants", () => {
  test.each([
    ["1970-01-01T00:00:00Z", 0],
    ["1970-01-01t00:00:00z", 0],
    ["1970-01-01T00:00:00.001Z", 1],
    ["1970-01-01T00:00:00.0019Z", 1],
    ["1969-12-31T23:59:59.5Z", -500],
    ["2026-06-01T12:00:00+02:00", 1_780_308_000_000],
    ["2026-06-01T10:00:00-00:00", 1_780_308_000_000],
    ["2024-02-29T00:00:00Z", 1_709_164_800_000],
    ["0000-01-01T00:00:00Z", -62_167_219_200_000],
    ["9999-12-31T23:59:59.999999999Z", 253_402_300_799_999],
  ])("%s", (text, ms) => expect(parseMs(text)).toBe(ms));

  test.each([
    "",
    "now",
    "2026-06-01",
    "2026-06-01T12:00:00",
    "2026-06-01 12:00:00Z",
    "2026-06-01T12:00Z",
    "2026-6-1T12:00:00Z",
    "2025-02-29T00:00:00Z",
    "2026-00-01T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-06-31T00:00:00Z",
    "2026-06-01T24:00:00Z",
    "2026-06-01T12:60:00Z",
    "2026-06-01T23:59:60Z",
    "2026-06-01T12:00:00.Z",
    "2026-06-01T12:00:00,5Z",
    "2026-06-01T12:00:00+24:00",
    "2026-06-01T12:00:00+0200",
    "2026-06-01T12:00:00Z ",
    "\u0662026-06-01T12:00:00Z",
  ])("%j is refused", (text) => {
    expect(parseMsOrNull(text)).toBeNull();
    expect(() => parseMs(text)).toThrow(RangeError);
  });

  test("what is formatted is read again", () => {
    const bounds = {
      min: parseMs("0000-01-01T00:00:00Z"),
      max: parseMs("9999-12-31T23:59:59.999999999Z"),
    };
    fc.assert(fc.property(fc.integer(bounds), (ms) => void expect(parseMs(formatMs(ms))).toBe(ms)));
  });

  test("no text throws anything but what is said", () => {
    fc.assert(fc.property(fc.string(), (text) => void expect(parseMsOrNull(text)).toBeNull()));
  });
});

test("the calendar is that of Date where Date has one", () => {
  fc.assert(
    fc.property(
      fc.date({
        min: new Date("0100-01-01T00:00:00Z"),
        max: new Date("9999-12-31T23:59:59Z"),
        noInvalidDate: true,
      }),
      (date) => {
        const seconds = Math.floor(date.getTime() / 1000);
        const at = civilOf(seconds);
        const parts = [
          date.getUTCFullYear(),
          date.getUTCMonth() + 1,
          date.getUTCDate(),
          date.getUTCHours(),
          date.getUTCMinutes(),
          date.getUTCSeconds(),
        ];
        expect([at.year, at.month, at.day, at.hour, at.minute, at.second]).toEqual(parts);
        expect(secondsOf(at.year, at.month, at.day, at.hour, at.minute, at.second)).toBe(seconds);
      },
    ),
  );
});

// time.Parse and Format of Go with the layouts of cryptobyte; the vectors hold each of these in
// certificates too.
describe("times in certificates", () => {
  const read = (tag: number, text: string): string | null => {
    const seconds = readTime(
      Der.of(Buffer.concat([Buffer.from([tag, text.length]), Buffer.from(text, "latin1")])),
    );
    return seconds === null ? null : formatMs(seconds * 1000);
  };
  test.each([
    [0x17, "260501000000Z", "2026-05-01T00:00:00Z"],
    [0x17, "2605010000Z", "2026-05-01T00:00:00Z"],
    [0x17, "500101000000Z", "1950-01-01T00:00:00Z"],
    [0x17, "491231235959Z", "2049-12-31T23:59:59Z"],
    [0x17, "260501000000+2400", "2026-04-30T00:00:00Z"],
    [0x17, "260501000000-0130", "2026-05-01T01:30:00Z"],
    [0x17, "260501000000+0000", null],
    [0x17, "260501000000+0060", null],
    [0x17, "260501000000.5Z", null],
    [0x17, "260229000000Z", null],
    [0x18, "00000101000000Z", "0000-01-01T00:00:00Z"],
    [0x18, "20260501000000-0930", "2026-05-01T09:30:00Z"],
    [0x18, "202605010000Z", null],
    [0x18, "20260501000000.0Z", null],
    [0x16, "260501000000Z", null],
  ])("tag %i %s", (tag, text, expected) => expect(read(tag, text)).toBe(expected));
});

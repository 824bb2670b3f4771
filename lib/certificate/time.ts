/**
 * Instants as milliseconds since 1970-01-01T00:00:00Z, the one form of time inside; RFC 3339 at the
 * borders. The bounds of a certificate are whole seconds, so nothing is lost; digits past the third
 * are cut off.
 */

import { civilOf, daysInMonth, secondsOf } from "./civil.ts";

const RFC3339 =
  /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?(?:([Zz])|([+-])(\d{2}):(\d{2}))$/;

/**
 * An RFC 3339 §5.6 date-time with any offset and any number of fraction digits, as ms since 1970.
 * A leap second is refused, as no clock here could compare with it.
 * @throws RangeError that says what was expected; use `parseMsOrNull` for text of others
 */
export function parseMs(text: string): number {
  const ms = parseMsOrNull(text);
  if (ms === null) {
    throw new RangeError(
      `"${text.slice(0, 64)}" is not an instant; expected RFC 3339 with an offset, such as ` +
        "2026-01-02T03:04:05.5Z",
    );
  }
  return ms;
}

/** As `parseMs`, and null for whatever isn't an instant. */
export function parseMsOrNull(text: string): number | null {
  return parseUsualForm(text) ?? parseAnyForm(text);
}

/** Whether `text` says more than milliseconds can: digits past the third that aren't zero. */
export function isFinerThanMs(text: string): boolean {
  return /\.\d{3}\d*[1-9]/.test(text);
}

/**
 * The form that `formatMs` gives, `2026-01-02T03:04:05Z` or with a fraction: states hold them by
 * the thousand.
 */
function parseUsualForm(text: string): number | null {
  const last = text.length - 1;
  if (last < 19 || text.charCodeAt(last) !== 0x5a || text.charCodeAt(10) !== 0x54) return null;
  if (text.charCodeAt(4) !== 0x2d || text.charCodeAt(7) !== 0x2d) return null;
  if (text.charCodeAt(13) !== 0x3a || text.charCodeAt(16) !== 0x3a) return null;
  const year = twoDigits(text, 0) * 100 + twoDigits(text, 2);
  const month = twoDigits(text, 5);
  const day = twoDigits(text, 8);
  const hour = twoDigits(text, 11);
  const minute = twoDigits(text, 14);
  const second = twoDigits(text, 17);
  // What isn't two digits is NaN, and no comparison with that holds.
  if (!(year >= 0 && month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth(year, month)))
    return null;
  if (!(hour <= 23 && minute <= 59 && second <= 59)) return null;
  const ms = secondsOf(year, month, day, hour, minute, second) * 1000;
  if (last === 19) return ms;
  const fraction = fractionMs(text, last);
  return fraction === null ? null : ms + fraction;
}

/** Whole milliseconds of the one to nine digits from a point at 19 to `end`. */
function fractionMs(text: string, end: number): number | null {
  if (text.charCodeAt(19) !== 0x2e || end < 21 || end > 29) return null;
  let ms = 0;
  for (let at = 20; at < Math.max(end, 23); at += 1) {
    const digit = at < end ? text.charCodeAt(at) - 0x30 : 0;
    if (!(digit >= 0 && digit <= 9)) return null;
    if (at < 23) ms = ms * 10 + digit;
  }
  return ms;
}

/** 0 to 99, or NaN. */
function twoDigits(text: string, at: number): number {
  const tens = text.charCodeAt(at) - 0x30;
  const ones = text.charCodeAt(at + 1) - 0x30;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
}

function parseAnyForm(text: string): number | null {
  const match = RFC3339.exec(text);
  if (match === null) return null;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return null;
  if (hour > 23 || minute > 59 || second > 59) return null;
  let offset = 0;
  if (match[9] !== undefined) {
    const hours = Number(match[10]);
    const minutes = Number(match[11]);
    if (hours > 23 || minutes > 59) return null;
    offset = (hours * 60 + minutes) * 60 * (match[9] === "-" ? -1 : 1);
  }
  const fraction = Number((match[7] ?? "").slice(0, 3).padEnd(3, "0"));
  return (secondsOf(year, month, day, hour, minute, second) - offset) * 1000 + fraction;
}

/**
 * RFC 3339 in UTC with as many fraction digits as there are, none for whole seconds; rounded to
 * whole milliseconds; years 0 to 9999.
 */
export function formatMs(ms: number): string {
  const whole = Math.round(ms);
  const fraction = ((whole % 1000) + 1000) % 1000;
  const at = civilOf((whole - fraction) / 1000);
  const digits =
    fraction === 0
      ? ""
      : `.${fraction
          .toString()
          .padStart(3, "0")
          .replace(/(?<!0)0+$/, "")}`;
  // Joined it takes 50 bytes; a template's text keeps all its parts, 250 bytes, and states hold
  // them by the thousand.
  const year = two(Math.floor(at.year / 100)) + two(at.year % 100);
  return [
    year,
    "-",
    two(at.month),
    "-",
    two(at.day),
    "T",
    two(at.hour),
    ":",
    two(at.minute),
    ":",
    two(at.second),
    digits,
    "Z",
  ].join("");
}

export function formatMsOrNull(ms: number | null): string | null {
  return ms === null ? null : formatMs(ms);
}

/** RFC 3339 to the second, rounded up. */
export function instantOf(ms: number): string {
  return formatMs(Math.ceil(ms / 1000) * 1000);
}

function two(n: number): string {
  return n < 10 ? `0${n}` : String(n);
}

/**
 * Instants as milliseconds since 1970-01-01T00:00:00Z, the one form of time inside; RFC 3339 at the
 * borders. The bounds of a certificate are whole seconds, so nothing is lost; digits past the third
 * are cut off.
 *
 * The calendar is the proleptic Gregorian one in integers, years 0 to 9999. `Date` isn't used,
 * because it moves the years 0 to 99 by 1900.
 */

const DAYS_BEFORE_MONTH = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
const DAYS_IN_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const DAYS_TO_1970 = 719_528;

function isLeapYear(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

/** Days in month 1 to 12. */
export function daysInMonth(year: number, month: number): number {
  return month === 2 && isLeapYear(year) ? 29 : (DAYS_IN_MONTH[month - 1] as number);
}

/**
 * Whole seconds since 1970-01-01T00:00:00Z of a valid UTC date and time of day; negative before.
 */
export function secondsOf(
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  second: number,
): number {
  const past = year - 1;
  const leapDays =
    year === 0 ? 0 : Math.floor(past / 4) - Math.floor(past / 100) + Math.floor(past / 400) + 1;
  const yearDay =
    (DAYS_BEFORE_MONTH[month - 1] as number) + (month > 2 && isLeapYear(year) ? 1 : 0) + day - 1;
  const days = year * 365 + leapDays + yearDay - DAYS_TO_1970;
  return ((days * 24 + hour) * 60 + minute) * 60 + second;
}

/** Date and time of day in UTC of whole seconds since 1970; the reverse of `secondsOf`. */
export function civilOf(seconds: number): {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
} {
  const days = Math.floor(seconds / 86_400);
  const rest = seconds - days * 86_400;
  let year = Math.floor((days + DAYS_TO_1970) / 365.2425);
  while (secondsOf(year, 1, 1, 0, 0, 0) > seconds) year--;
  while (secondsOf(year + 1, 1, 1, 0, 0, 0) <= seconds) year++;
  let day = days - secondsOf(year, 1, 1, 0, 0, 0) / 86_400;
  let month = 1;
  while (day >= daysInMonth(year, month)) {
    day -= daysInMonth(year, month);
    month++;
  }
  return {
    year,
    month,
    day: day + 1,
    hour: Math.floor(rest / 3600),
    minute: Math.floor(rest / 60) % 60,
    second: rest % 60,
  };
}

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
      `"${text.slice(0, 64)}" isn't a time of RFC 3339 with an offset, such as ` +
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

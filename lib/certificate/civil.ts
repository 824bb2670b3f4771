/**
 * Proleptic Gregorian calendar in integers, years 0 to 9999: what both RFC 3339 instants and the
 * times in certificates are reckoned with. `Date` isn't used, because it moves the years 0 to 99 by
 * 1900.
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

/**
 * The times of a certificate as Go reads them (crypto/x509 parser.go parseTime; cryptobyte asn1.go
 * ReadASN1UTCTime and ReadASN1GeneralizedTime over time.Parse): UTCTime also without seconds, both
 * also with an offset other than zero, neither with a fraction, and every form only if formatting
 * what was read gives the same text again.
 */
import { daysInMonth, secondsOf } from "./time.ts";
import { type Der, TAG } from "./der.ts";

const UTC_SECONDS = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:Z|([+-])(\d\d)(\d\d))$/;
const UTC_MINUTES = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)()(?:Z|([+-])(\d\d)(\d\d))$/;
const GENERALIZED = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:Z|([+-])(\d\d)(\d\d))$/;

/**
 * Reads one Time; whole seconds since 1970, or null where Go reports a malformed or unsupported
 * time.
 */
export function readTime(der: Der): number | null {
  if (der.peek(TAG.utcTime)) {
    const content = der.read(TAG.utcTime);
    if (content === null) return null;
    const text = content.bytes.toString("latin1", content.start, content.end);
    const match = UTC_SECONDS.exec(text) ?? UTC_MINUTES.exec(text);
    if (match === null) return null;
    // time.Parse: 69 to 99 are 19xx; then what would be 2050 or later is a century earlier.
    let year = Number(match[1]);
    year += year >= 69 ? 1900 : 2000;
    if (!isDate(year, match)) return null;
    if (year >= 2050) year -= 100;
    return seconds(year, match);
  }
  if (der.peek(TAG.generalizedTime)) {
    const content = der.read(TAG.generalizedTime);
    if (content === null) return null;
    const match = GENERALIZED.exec(content.bytes.toString("latin1", content.start, content.end));
    if (match === null) return null;
    const year = Number(match[1]);
    return isDate(year, match) ? seconds(year, match) : null;
  }
  return null;
}

function isDate(year: number, match: RegExpExecArray): boolean {
  const month = Number(match[2]);
  const day = Number(match[3]);
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return false;
  if (Number(match[4]) > 23 || Number(match[5]) > 59 || Number(match[6]) > 59) return false;
  if (match[7] === undefined) return true;
  // time.Parse takes +2400 and +0060; formatting gives the first back, the second not. +0000 comes
  // back as Z.
  const hours = Number(match[8]);
  const minutes = Number(match[9]);
  return hours <= 24 && minutes <= 59 && hours + minutes > 0;
}

function seconds(year: number, match: RegExpExecArray): number {
  const offset =
    match[7] === undefined
      ? 0
      : (Number(match[8]) * 60 + Number(match[9])) * (match[7] === "-" ? -60 : 60);
  return (
    secondsOf(
      year,
      Number(match[2]),
      Number(match[3]),
      Number(match[4]),
      Number(match[5]),
      Number(match[6]),
    ) - offset
  );
}

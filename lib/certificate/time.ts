/**
 * Instants as nanoseconds since 1970-01-01T00:00:00Z. Go compares CurrentTime with the bounds of a
 * certificate to the nanosecond, so nothing here is rounded: digits past the ninth are cut off, as
 * time.Parse does.
 */

import { civilOf, daysInMonth, NS_PER_SECOND, secondsOf } from "./civil.ts";

const RFC3339 =
  /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?(?:([Zz])|([+-])(\d{2}):(\d{2}))$/;

/**
 * An RFC 3339 §5.6 date-time with any offset and any number of fraction digits, as ns since 1970.
 * A leap second is refused, as no clock here could compare with it.
 * @throws RangeError that says what was expected; use `parseInstantOrNull` for text of others
 */
export function parseInstant(text: string): bigint {
  const ns = parseInstantOrNull(text);
  if (ns === null) {
    throw new RangeError(
      `"${text.slice(0, 64)}" is not an instant; expected RFC 3339 with an offset, such as 2026-01-02T03:04:05.5Z`,
    );
  }
  return ns;
}

/** As `parseInstant`, and null for whatever isn't an instant. */
export function parseInstantOrNull(text: string): bigint | null {
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
  const fraction = BigInt((match[7] ?? "").slice(0, 9).padEnd(9, "0"));
  return BigInt(secondsOf(year, month, day, hour, minute, second) - offset) * NS_PER_SECOND + fraction;
}

/** RFC 3339 in UTC with as many fraction digits as there are, none for whole seconds; years 0 to 9999. */
export function formatInstant(ns: bigint): string {
  const fraction = ((ns % NS_PER_SECOND) + NS_PER_SECOND) % NS_PER_SECOND;
  const at = civilOf(Number((ns - fraction) / NS_PER_SECOND));
  const digits = fraction === 0n ? "" : `.${fraction.toString().padStart(9, "0").replace(/0+$/, "")}`;
  const two = (n: number) => String(n).padStart(2, "0");
  const date = `${String(at.year).padStart(4, "0")}-${two(at.month)}-${two(at.day)}`;
  return `${date}T${two(at.hour)}:${two(at.minute)}:${two(at.second)}${digits}Z`;
}

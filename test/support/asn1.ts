/**
 * Writes DER: just what certificates and revocation lists need (ITU-T X.690 §8 and §10).
 * It trusts its callers and checks nothing; reading is done elsewhere, by code that trusts nobody.
 */

type Part = Uint8Array | readonly Uint8Array[];

function lengthOf(size: number): Buffer {
  if (size < 0x80) return Buffer.from([size]);
  const octets: number[] = [];
  for (let rest = size; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return Buffer.from([0x80 | octets.length, ...octets]);
}

/** One element with the given identifier octet. */
function element(tag: number, ...parts: Part[]): Buffer {
  const contents = parts.flat();
  const size = contents.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([Buffer.from([tag]), lengthOf(size), ...contents]);
}

export const sequence = (...parts: Part[]): Buffer => element(0x30, ...parts);
export const set = (...parts: Part[]): Buffer => element(0x31, ...parts);
export const octetString = (bytes: Uint8Array): Buffer => element(0x04, bytes);
export const bitString = (bytes: Uint8Array, paddingBits = 0): Buffer =>
  element(0x03, Buffer.from([paddingBits]), bytes);
export const boolean = (value: boolean): Buffer => element(0x01, Buffer.from([value ? 0xff : 0]));
export const nothing = (): Buffer => element(0x05);
export const utf8String = (text: string): Buffer => element(0x0c, Buffer.from(text, "utf8"));
export const printableString = (text: string): Buffer => element(0x13, Buffer.from(text, "latin1"));

/** Context-specific, constructed: `[number] EXPLICIT` or an implicitly tagged SEQUENCE. */
export const explicit = (number: number, ...parts: Part[]): Buffer =>
  element(0xa0 | number, ...parts);
/** Context-specific, primitive: `[number] IMPLICIT` of a string type. */
export const implicit = (number: number, bytes: Uint8Array): Buffer =>
  element(0x80 | number, bytes);

/**
 * INTEGER from content octets as they are (a negative or padded number stays as the caller wrote
 * it).
 */
export const integerOctets = (bytes: Uint8Array): Buffer => element(0x02, bytes);

/**
 * INTEGER from the hex of a non-negative number: leading zero octets dropped, one put where the
 * high bit is set.
 */
export function integerHex(hex: string): Buffer {
  const even = hex.length % 2 === 0 ? hex : `0${hex}`;
  const trimmed = even.replace(/^(?:00)+(?=..)/u, "");
  const bytes = Buffer.from(trimmed === "" ? "00" : trimmed, "hex");
  return integerOctets(
    (bytes[0] as number) >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes,
  );
}

export const integer = (value: number): Buffer => integerHex(value.toString(16));

const oids = new Map<string, Buffer>();

/** OBJECT IDENTIFIER from its dotted form. */
export function oid(dotted: string): Buffer {
  const known = oids.get(dotted);
  if (known !== undefined) return known;
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const octets: number[] = [];
  for (const arc of [first * 40 + second, ...rest]) {
    const groups = [arc % 128];
    for (let high = Math.floor(arc / 128); high > 0; high = Math.floor(high / 128))
      groups.unshift((high % 128) | 0x80);
    octets.push(...groups);
  }
  const encoded = element(0x06, Buffer.from(octets));
  oids.set(dotted, encoded);
  return encoded;
}

/** UTCTime up to 2049, GeneralizedTime from 2050 on (RFC 5280 §4.1.2.5); whole seconds. */
export function time(date: Date): Buffer {
  const digits = date
    .toISOString()
    .replace(/\.\d+Z$/u, "Z")
    .replace(/[-:T]/gu, "");
  const year = date.getUTCFullYear();
  return year >= 1950 && year < 2050
    ? element(0x17, Buffer.from(digits.slice(2), "latin1"))
    : element(0x18, Buffer.from(digits, "latin1"));
}

/**
 * One PEM block, lines of 64 characters, ending in a line break, as Go's encoding/pem writes it.
 */
export function pem(label: string, der: Uint8Array): string {
  const text = Buffer.from(der)
    .toString("base64")
    .replace(/.{64}(?=.)/gu, "$&\n");
  return `-----BEGIN ${label}-----\n${text}\n-----END ${label}-----\n`;
}

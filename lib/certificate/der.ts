/**
 * A strict DER reader with the semantics of golang.org/x/crypto/cryptobyte (asn1.go,
 * String.readASN1): low tag numbers only, definite minimal lengths of at most four octets, no value
 * past the end. What an element holds after the fields that a caller reads is left to the caller,
 * as in Go.
 */

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  numericString: 0x12,
  printableString: 0x13,
  t61String: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

/** A BIT STRING: its octets, and how many low bits of the last one don't count. */
export interface BitString {
  bytes: Uint8Array;
  paddingBits: number;
}

/** A cursor over a range of bytes. Every read either succeeds and advances, or returns null. */
export class Der {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  pos: number;
  /** Identifier octet of what was read last. */
  tag = 0;
  #content = 0;
  #next = 0;

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.start = start;
    this.pos = start;
    this.end = end;
  }

  static of(bytes: Uint8Array): Der {
    return new Der(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  }

  get empty(): boolean {
    return this.pos >= this.end;
  }

  /** The bytes from the start of this range to its end, shared with the input. */
  slice(): Buffer {
    return this.bytes.subarray(this.start, this.end);
  }

  /** cryptobyte String.PeekASN1Tag. */
  peek(tag: number): boolean {
    return this.pos < this.end && this.bytes[this.pos] === tag;
  }

  /** The contents of the next element, whatever its tag, which is then in `tag`. */
  readAny(): Der | null {
    if (!this.#header()) return null;
    const out = new Der(this.bytes, this.#content, this.#next);
    this.pos = this.#next;
    return out;
  }

  /** The next element with its identifier and length octets. */
  readAnyElement(): Der | null {
    if (!this.#header()) return null;
    const out = new Der(this.bytes, this.pos, this.#next);
    this.pos = this.#next;
    return out;
  }

  read(tag: number): Der | null {
    if (!this.#header() || this.tag !== tag) return null;
    const out = new Der(this.bytes, this.#content, this.#next);
    this.pos = this.#next;
    return out;
  }

  readElement(tag: number): Der | null {
    if (!this.#header() || this.tag !== tag) return null;
    const out = new Der(this.bytes, this.pos, this.#next);
    this.pos = this.#next;
    return out;
  }

  /** False only when an element with the tag is there and malformed. */
  skipOptional(tag: number): boolean {
    return !this.peek(tag) || this.read(tag) !== null;
  }

  readBoolean(): boolean | null {
    const content = this.read(TAG.boolean);
    if (content === null || content.end - content.start !== 1) return null;
    const value = content.bytes[content.start];
    if (value === 0) return false;
    if (value === 0xff) return true;
    return null;
  }

  /** Content octets of a minimally encoded INTEGER (asn1.go, checkASN1Integer). */
  readIntegerBytes(tag: number = TAG.integer): Buffer | null {
    const content = this.read(tag);
    if (content === null) return null;
    const bytes = content.slice();
    return isMinimalInteger(bytes) ? bytes : null;
  }

  readBigInteger(): bigint | null {
    const bytes = this.readIntegerBytes();
    return bytes === null ? null : signedValue(bytes);
  }

  /** An INTEGER that fits an int64, else null. */
  readInt64(tag: number = TAG.integer): bigint | null {
    const bytes = this.readIntegerBytes(tag);
    return bytes === null || bytes.length > 8 ? null : signedValue(bytes);
  }

  /** Hex of the content octets of a well-formed OBJECT IDENTIFIER whose arcs fit 31 bits. */
  readOid(): string | null {
    const content = this.read(TAG.oid);
    if (content === null) return null;
    if (!isOid(content.bytes, content.start, content.end)) return null;
    return content.bytes.toString("hex", content.start, content.end);
  }

  readBitString(): BitString | null {
    const content = this.read(TAG.bitString);
    if (content === null) return null;
    return bitStringOf(content.slice());
  }

  /**
   * cryptobyte asn1.go, readASN1: one identifier octet, then a minimal length that fits the range.
   */
  #header(): boolean {
    const { bytes, pos, end } = this;
    if (end - pos < 2) return false;
    const tag = bytes[pos] as number;
    if ((tag & 0x1f) === 0x1f) return false;
    this.tag = tag;
    const first = bytes[pos + 1] as number;
    let content = pos + 2;
    let length = first;
    if (first & 0x80) {
      const octets = first & 0x7f;
      if (octets === 0 || octets > 4 || end - content < octets) return false;
      length = 0;
      for (let i = 0; i < octets; i++) length = length * 256 + (bytes[content + i] as number);
      if (length < 128 || bytes[content] === 0) return false;
      content += octets;
    }
    if (length > end - content) return false;
    this.#content = content;
    this.#next = content + length;
    return true;
  }
}

/** Whether the octets are a non-empty minimal two's complement integer. */
export function isMinimalInteger(bytes: Uint8Array): boolean {
  if (bytes.length === 0) return false;
  if (bytes.length === 1) return true;
  const high = (bytes[1] as number) & 0x80;
  return !((bytes[0] === 0 && high === 0) || (bytes[0] === 0xff && high !== 0));
}

/** Value of two's complement octets. */
export function signedValue(bytes: Uint8Array): bigint {
  const value = unsignedValue(bytes);
  return bytes.length > 0 && (bytes[0] as number) & 0x80
    ? value - (1n << BigInt(bytes.length * 8))
    : value;
}

/** Value of big-endian octets without a sign; 0 for none. */
export function unsignedValue(bytes: Uint8Array): bigint {
  if (bytes.length === 0) return 0n;
  return BigInt(
    `0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex")}`,
  );
}

/** encoding/asn1 parseBitString and cryptobyte ReadASN1BitString decide alike. */
export function bitStringOf(content: Uint8Array): BitString | null {
  if (content.length === 0) return null;
  const paddingBits = content[0] as number;
  const bytes = content.subarray(1);
  if (paddingBits > 7) return null;
  if (bytes.length === 0) return paddingBits === 0 ? { bytes, paddingBits } : null;
  if ((bytes[bytes.length - 1] as number) & ((1 << paddingBits) - 1)) return null;
  return { bytes, paddingBits };
}

/** encoding/asn1 BitString.RightAlign: the octets with the padding moved to the front. */
export function rightAligned(bits: BitString): Uint8Array {
  const shift = bits.paddingBits;
  if (shift === 0 || bits.bytes.length === 0) return bits.bytes;
  const out = new Uint8Array(bits.bytes.length);
  let carry = 0;
  for (let i = 0; i < out.length; i++) {
    const octet = bits.bytes[i] as number;
    out[i] = carry | (octet >> shift);
    carry = octet << (8 - shift);
  }
  return out;
}

/** cryptobyte asn1.go, readBase128Int: arcs minimally encoded, at most 31 bits, none cut off. */
export function isOid(bytes: Uint8Array, start: number, end: number): boolean {
  if (start >= end) return false;
  let arc = 0;
  let octets = 0;
  for (let i = start; i < end; i++) {
    const octet = bytes[i] as number;
    if (octets === 0 && octet === 0x80) return false;
    if (octets === 5 || arc >= 1 << 24) return false;
    arc = (arc << 7) | (octet & 0x7f);
    octets++;
    if ((octet & 0x80) === 0) {
      arc = 0;
      octets = 0;
    }
  }
  return octets === 0;
}

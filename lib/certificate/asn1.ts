/**
 * The part of Go's encoding/asn1 that private keys and RSA-PSS parameters go through (asn1.go,
 * parseTagAndLength and parseField). It isn't the reader that certificates go through: here lengths
 * may have leading-zero-free forms of up to 2^23 steps, tags may be long, and elements past the
 * known fields of a structure are ignored.
 *
 * Object identifiers as hex of their DER contents, the form in which `Der.readOid` gives them.
 * Sources: crypto/x509 x509.go and parser.go of Go 1.26 unless said otherwise.
 */
import { type BitString, bitStringOf, isMinimalInteger, isOid, signedValue } from "./der.ts";

interface Header {
  class: number;
  compound: boolean;
  tag: number;
  /** Offset of the contents. */
  content: number;
  length: number;
}

/** A field that doesn't parse; never leaves this room. */
class Asn1Error extends Error {}

function fail(message: string): never {
  throw new Asn1Error(message);
}

/** asn1.go, parseTagAndLength. */
function readHeader(bytes: Uint8Array, start: number): Header {
  let at = start;
  const octet = (): number =>
    at < bytes.length ? (bytes[at++] as number) : fail("truncated tag or length");
  const first = octet();
  let tag = first & 0x1f;
  if (tag === 0x1f) {
    tag = 0;
    for (let shifted = 0; ; shifted++) {
      if (shifted === 5) fail("base 128 integer too large");
      const next = octet();
      if (shifted === 0 && next === 0x80) fail("integer is not minimally encoded");
      tag = tag * 128 + (next & 0x7f);
      if ((next & 0x80) === 0) break;
    }
    if (tag > 0x7fffffff) fail("base 128 integer too large");
    if (tag < 0x1f) fail("non-minimal tag");
  }
  let length = octet();
  if (length & 0x80) {
    const count = length & 0x7f;
    if (count === 0) fail("indefinite length found (not DER)");
    length = 0;
    for (let i = 0; i < count; i++) {
      const next = octet();
      if (length >= 1 << 23) fail("length too large");
      length = length * 256 + next;
      if (length === 0) fail("superfluous leading zeros in length");
    }
    if (length < 0x80) fail("non-minimal length");
  }
  return { class: first >> 6, compound: (first & 0x20) !== 0, tag, content: at, length };
}

/** Reads the fields of a structure one after the other, as parseField does for a Go struct. */
export class Fields {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** The rest after the last field read. */
  get rest(): Uint8Array {
    return this.#bytes.subarray(this.#at);
  }

  get ended(): boolean {
    return this.#at === this.#bytes.length;
  }

  /**
   * Contents of the next field if it is universal with this tag; null where an optional one isn't
   * there.
   */
  #next(tag: number, compound: boolean, optional: boolean): Uint8Array | null {
    if (this.ended) return optional ? null : fail("sequence truncated");
    const header = readHeader(this.#bytes, this.#at);
    if (header.class !== 0 || header.tag !== tag || header.compound !== compound) {
      return optional ? null : fail("tags don't match");
    }
    return this.#take(header);
  }

  #take(header: Header): Uint8Array {
    const end = header.content + header.length;
    if (end > this.#bytes.length) fail("data truncated");
    this.#at = end;
    return this.#bytes.subarray(header.content, end);
  }

  sequence(): Fields {
    return new Fields(this.#next(16, true, false) as Uint8Array);
  }

  optionalSequence(): Fields | null {
    const content = this.#next(16, true, true);
    return content === null ? null : new Fields(content);
  }

  /** An INTEGER that fits an int64. */
  int(): bigint {
    const content = this.#next(2, false, false) as Uint8Array;
    if (!isMinimalInteger(content) || content.length > 8) fail("integer");
    return signedValue(content);
  }

  bigInt(): bigint {
    return this.optionalBigInt() ?? fail("integer");
  }

  optionalBigInt(): bigint | null {
    const content = this.#next(2, false, true);
    if (content === null) return null;
    if (!isMinimalInteger(content)) fail("integer not minimally encoded");
    return signedValue(content);
  }

  octets(): Uint8Array {
    return this.#next(4, false, false) as Uint8Array;
  }

  /** Hex of the contents of an OBJECT IDENTIFIER. */
  oid(): string {
    const content = this.#next(6, false, false) as Uint8Array;
    return oidHex(content);
  }

  /** Any element with its header, as an asn1.RawValue marked optional; null at the end. */
  optionalRaw(): Uint8Array | null {
    if (this.ended) return null;
    const start = this.#at;
    this.#take(readHeader(this.#bytes, start));
    return this.#bytes.subarray(start, this.#at);
  }

  /**
   * A field with an explicit context tag: `read` gets a reader that stands at the inner element. Go
   * reads the inner header and goes on after the inner contents, whatever the outer length said; so
   * does this. Returns null where an optional field isn't there.
   */
  explicit<T>(
    tag: number,
    optional: boolean,
    universal: number,
    compound: boolean,
    read: (content: Uint8Array) => T,
  ): T | null {
    if (this.ended) return optional ? null : fail("sequence truncated");
    const outer = readHeader(this.#bytes, this.#at);
    if (outer.content === this.#bytes.length) fail("explicit tag has no child");
    if (outer.class !== 2 || outer.tag !== tag || (outer.length !== 0 && !outer.compound)) {
      return optional ? null : fail("explicitly tagged member didn't match");
    }
    if (outer.length === 0) fail("zero length explicit tag was not an asn1.Flag");
    const inner = readHeader(this.#bytes, outer.content);
    if (inner.class !== 0 || inner.tag !== universal || inner.compound !== compound) {
      return optional ? null : fail("tags don't match");
    }
    return read(this.#take(inner));
  }

  explicitInt(tag: number, optional: boolean): bigint | null {
    return this.explicit(tag, optional, 2, false, (content) => {
      if (!isMinimalInteger(content) || content.length > 8) fail("integer");
      return signedValue(content);
    });
  }

  explicitOid(tag: number): string | null {
    return this.explicit(tag, true, 6, false, oidHex);
  }

  explicitBitString(tag: number): BitString | null {
    return this.explicit(
      tag,
      true,
      3,
      false,
      (content) => bitStringOf(content) ?? fail("BIT STRING"),
    );
  }

  explicitSequence(tag: number): Fields {
    return this.explicit(tag, false, 16, true, (content) => new Fields(content)) as Fields;
  }
}

function oidHex(content: Uint8Array): string {
  if (!isOid(content, 0, content.length)) fail("OBJECT IDENTIFIER");
  return Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString("hex");
}

/** The value of `read`, or null where it meets what asn1.Unmarshal would refuse. */
export function orNull<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof Asn1Error) return null;
    throw error;
  }
}

export const OID = {
  rsaEncryption: "2a864886f70d010101",
  dsa: "2a8648ce380401",
  ecPublicKey: "2a8648ce3d0201",
  x25519: "2b656e",
  ed25519: "2b6570",

  p224: "2b81040021",
  p256: "2a8648ce3d030107",
  p384: "2b81040022",
  p521: "2b81040023",

  md5WithRsa: "2a864886f70d010104",
  sha1WithRsa: "2a864886f70d010105",
  isoSha1WithRsa: "2b0e03021d",
  sha256WithRsa: "2a864886f70d01010b",
  sha384WithRsa: "2a864886f70d01010c",
  sha512WithRsa: "2a864886f70d01010d",
  rsaPss: "2a864886f70d01010a",
  dsaWithSha1: "2a8648ce380403",
  dsaWithSha256: "608648016503040302",
  ecdsaWithSha1: "2a8648ce3d0401",
  ecdsaWithSha256: "2a8648ce3d040302",
  ecdsaWithSha384: "2a8648ce3d040303",
  ecdsaWithSha512: "2a8648ce3d040304",
  mgf1: "2a864886f70d010108",
  sha256: "608648016503040201",
  sha384: "608648016503040202",
  sha512: "608648016503040203",

  subjectKeyId: "551d0e",
  keyUsage: "551d0f",
  subjectAltName: "551d11",
  basicConstraints: "551d13",
  nameConstraints: "551d1e",
  crlDistributionPoints: "551d1f",
  certificatePolicies: "551d20",
  policyMappings: "551d21",
  authorityKeyId: "551d23",
  policyConstraints: "551d24",
  extKeyUsage: "551d25",
  inhibitAnyPolicy: "551d36",
  authorityInfoAccess: "2b06010505070101",
  /** RFC 6962 §3.3. */
  sctList: "2b06010401d679020402",
  anyPolicy: "551d2000",

  ekuAny: "551d2500",
  ekuServerAuth: "2b06010505070301",
} as const;

/** Dotted form, for people. */
export function dottedOid(hex: string): string {
  const bytes = Buffer.from(hex, "hex");
  const arcs: bigint[] = [];
  let arc = 0n;
  for (const octet of bytes) {
    arc = (arc << 7n) | BigInt(octet & 0x7f);
    if ((octet & 0x80) !== 0) continue;
    if (arcs.length > 0) {
      arcs.push(arc);
    } else {
      const first = arc < 80n ? arc / 40n : 2n;
      arcs.push(first, arc - first * 40n);
    }
    arc = 0n;
  }
  return arcs.join(".");
}

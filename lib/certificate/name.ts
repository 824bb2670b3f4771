/**
 * Distinguished names. What Go checks of them (crypto/x509 parser.go, parseName and
 * parseASN1String) is checked here; comparing names is done on raw bytes elsewhere, as Go does, so
 * "the same" name in another string type or letter case is another name. The text is for people and
 * decides nothing.
 */
import { Der, TAG } from "./der.ts";
import { dottedOid } from "./asn1.ts";

const COMMON_NAME = "550403";

/** RFC 4514 §3, and the usual short forms. */
const SHORT_NAMES: Record<string, string> = {
  [COMMON_NAME]: "CN",
  "550404": "SN",
  "550405": "serialNumber",
  "550406": "C",
  "550407": "L",
  "550408": "ST",
  "550409": "STREET",
  "55040a": "O",
  "55040b": "OU",
  "55040c": "title",
  "550411": "postalCode",
  "55042a": "GN",
  "550461": "organizationIdentifier",
  "0992268993f22c640119": "DC",
  "0992268993f22c640101": "UID",
  "2a864886f70d010901": "emailAddress",
};

export interface NameText {
  /** RFC 4514: last component first, joined by commas. */
  text: string;
  /** The last common name, as pkix.Name.FillFromRDNSequence leaves it; null where there is none. */
  commonName: string | null;
}

/** Whether Go accepts a Name element (identifier and length included). */
export function isName(element: Uint8Array): boolean {
  return walk(element, null);
}

/** Text of a Name element that `isName` accepts; empty for another. */
export function nameText(element: Uint8Array): NameText {
  const rdns: string[] = [];
  let commonName: string | null = null;
  const ok = walk(element, (rdn, oid, value) => {
    if (oid === COMMON_NAME) commonName = value;
    const part = `${SHORT_NAMES[oid] ?? dottedOid(oid)}=${escapeValue(value)}`;
    rdns[rdn] = rdns[rdn] === undefined ? part : `${rdns[rdn]}+${part}`;
  });
  return ok
    ? {
        text: rdns
          .filter((rdn) => rdn !== undefined)
          .toReversed()
          .join(","),
        commonName,
      }
    : { text: "", commonName: null };
}

function walk(
  element: Uint8Array,
  visit: ((rdn: number, oid: string, value: string) => void) | null,
): boolean {
  const name = Der.of(element).read(TAG.sequence);
  if (name === null) return false;
  for (let rdn = 0; !name.empty; rdn++) {
    const set = name.read(TAG.set);
    if (set === null) return false;
    while (!set.empty) {
      const attribute = set.read(TAG.sequence);
      const oid = attribute?.readOid() ?? null;
      if (attribute === null || oid === null) return false;
      const value = attribute.readAny();
      if (value === null) return false;
      const bytes = value.slice();
      if (visit === null) {
        if (!isString(attribute.tag, bytes)) return false;
      } else {
        const text = stringOf(attribute.tag, bytes);
        if (text === null) return false;
        visit(rdn, oid, text);
      }
    }
  }
  return true;
}

/** parser.go, parseASN1String, without building the string for the common types. */
function isString(tag: number, bytes: Buffer): boolean {
  switch (tag) {
    case TAG.printableString:
      for (const octet of bytes) if (!isPrintable(octet)) return false;
      return true;
    case TAG.utf8String:
      for (const octet of bytes) if (octet >= 0x80) return stringOf(tag, bytes) !== null;
      return true;
    default:
      return stringOf(tag, bytes) !== null;
  }
}

function stringOf(tag: number, bytes: Buffer): string | null {
  switch (tag) {
    case TAG.t61String:
      return bytes.toString("latin1");
    case TAG.printableString:
      return bytes.every(isPrintable) ? bytes.toString("latin1") : null;
    case TAG.utf8String:
      return utf8(bytes);
    case TAG.bmpString:
      return bmp(bytes);
    case TAG.ia5String:
      return bytes.every((octet) => octet < 0x80) ? bytes.toString("latin1") : null;
    case TAG.numericString:
      return bytes.every((octet) => (octet >= 0x30 && octet <= 0x39) || octet === 0x20)
        ? bytes.toString("latin1")
        : null;
    default:
      return null;
  }
}

/** parser.go, isPrintable: PrintableString and, beyond the standard, `*` and `&`. */
function isPrintable(octet: number): boolean {
  return (
    (octet >= 0x61 && octet <= 0x7a) ||
    (octet >= 0x41 && octet <= 0x5a) ||
    (octet >= 0x30 && octet <= 0x39) ||
    (octet >= 0x27 && octet <= 0x29) ||
    (octet >= 0x2b && octet <= 0x2f) ||
    octet === 0x20 ||
    octet === 0x3a ||
    octet === 0x3d ||
    octet === 0x3f ||
    octet === 0x2a ||
    octet === 0x26
  );
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function utf8(bytes: Buffer): string | null {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return null;
  }
}

/** UCS-2 less surrogates and reserved noncharacters; one trailing NUL pair is dropped. */
function bmp(bytes: Buffer): string | null {
  if (bytes.length % 2 !== 0) return null;
  let end = bytes.length;
  if (end >= 2 && bytes[end - 1] === 0 && bytes[end - 2] === 0) end -= 2;
  let text = "";
  for (let i = 0; i < end; i += 2) {
    const unit = bytes.readUInt16BE(i);
    if (unit >= 0xfffe || (unit >= 0xfdd0 && unit <= 0xfdef) || (unit >= 0xd800 && unit <= 0xdfff))
      return null;
    text += String.fromCharCode(unit);
  }
  return text;
}

/** RFC 4514 §2.4. Control characters become hex pairs, so that no name can draw on a terminal. */
function escapeValue(value: string): string {
  if (/^[A-Za-z0-9.'()]+(?: [A-Za-z0-9.'()]+)*$/.test(value)) return value;
  return value
    .replace(/[\\",+<>;=]/g, "\\$&")
    .replace(/^[# ]| $/g, "\\$&")
    .replace(
      /[\u0000-\u001f\u007f-\u009f]/g,
      (char) => `\\${char.charCodeAt(0).toString(16).padStart(2, "0")}`,
    );
}

/**
 * Encodings that others write or read otherwise than Node: UTF-16 with a byte order mark, as
 * PowerShell's `>` writes it, and base64 as the API server reads it.
 */

/** The bytes, as UTF-8 where they are UTF-16 by their byte order mark. Total. */
export function utf8Of(bytes: Uint8Array): Uint8Array {
  const [first, second] = bytes;
  const encoding =
    first === 0xff && second === 0xfe
      ? "utf-16le"
      : first === 0xfe && second === 0xff
        ? "utf-16be"
        : null;
  return encoding === null ? bytes : Buffer.from(new TextDecoder(encoding).decode(bytes), "utf8");
}

/** What Node's decoder takes besides: base64url, and characters past Latin-1 by their low octet. */
const TAKEN_TOO = /[-_\u0100-\uffff]/;

/**
 * Base64 as the API server reads the values of a Secret (Go encoding/json into []byte: StdEncoding,
 * CR and LF skipped, padding required, unused low bits not looked at). Node's own decoder passes
 * over what it doesn't know, so that the length tells whether it did. `null` where it would
 * refuse the text.
 */
export function decodeBase64(text: string): Uint8Array | null {
  const body = text.includes("\n") || text.includes("\r") ? text.replaceAll(/[\r\n]/g, "") : text;
  if (body.length % 4 !== 0 || TAKEN_TOO.test(body)) return null;
  const bytes = Buffer.from(body, "base64");
  const padding = body.endsWith("==") ? 2 : body.endsWith("=") ? 1 : 0;
  return bytes.length === (body.length / 4) * 3 - padding ? bytes : null;
}

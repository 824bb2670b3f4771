/**
 * Base64 as the API server reads the values of a Secret (Go encoding/json into []byte: StdEncoding,
 * CR and LF skipped, padding required, unused low bits not looked at). Node's own decoder passes
 * over what it doesn't know, so that the length tells whether it did.
 */

/** What Node's decoder takes besides: base64url, and characters past Latin-1 by their low octet. */
const TAKEN_TOO = /[-_\u0100-\uffff]/;

/** The bytes, or `null` where the API server would refuse the text. */
export function decodeBase64(text: string): Uint8Array | null {
  const body = text.includes("\n") || text.includes("\r") ? text.replaceAll(/[\r\n]/g, "") : text;
  if (body.length % 4 !== 0 || TAKEN_TOO.test(body)) return null;
  const bytes = Buffer.from(body, "base64");
  const padding = body.endsWith("==") ? 2 : body.endsWith("=") ? 1 : 0;
  return bytes.length === (body.length / 4) * 3 - padding ? bytes : null;
}

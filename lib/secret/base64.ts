/**
 * Base64 as the API server reads the values of a Secret (Go encoding/json into []byte: StdEncoding, CR and
 * LF skipped, padding required, unused low bits not looked at). Node's own decoder takes almost anything.
 */

const ALPHABET = /^[A-Za-z0-9+/]*={0,2}$/;

/** The bytes, or `null` where the API server would refuse the text. */
export function decodeBase64(text: string): Uint8Array | null {
  const body = text.includes("\n") || text.includes("\r") ? text.replaceAll(/[\r\n]/g, "") : text;
  if (body.length % 4 !== 0 || !ALPHABET.test(body)) return null;
  return Buffer.from(body, "base64");
}

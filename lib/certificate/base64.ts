/**
 * Standard base64 as Go's encoding/base64 StdEncoding decodes it (base64.go, Encoding.Decode and
 * decodeQuantum): CR and LF are skipped wherever they stand, padding is required, nothing but line
 * ends may follow it, and the unused low bits of the last character aren't looked at. Node's own
 * decoder skips whatever it doesn't know, so it can't tell a damaged block from a good one.
 */

const INVALID = 0xff;
const SKIP = 0xfe;
const PAD = 0xfd;

const TABLE = buildTable();

function buildTable(): Uint8Array {
  const table = new Uint8Array(256).fill(INVALID);
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (let i = 0; i < alphabet.length; i++) table[alphabet.charCodeAt(i)] = i;
  table[0x0a] = SKIP;
  table[0x0d] = SKIP;
  table[0x3d] = PAD;
  // encoding/pem drops blanks and tabs before it decodes (pem.go, removeSpacesAndTabs).
  table[0x20] = SKIP;
  table[0x09] = SKIP;
  return table;
}

/**
 * Decodes the body of a PEM block, `bytes[start, end)`; blanks, tabs, CR and LF are skipped.
 * Returns null where Go's decoder reports an error.
 */
export function decodePemBody(bytes: Uint8Array, start: number, end: number): Uint8Array | null {
  const out = new Uint8Array(Math.ceil(((end - start) * 3) / 4) + 3);
  let length = 0;
  let value = 0;
  let filled = 0;
  let at = start;
  for (; at < end; at++) {
    // Four characters at once while a line lasts; the values of others have bits above the sixth.
    while (filled === 0 && at + 4 <= end) {
      const a = TABLE[bytes[at] as number] as number;
      const b = TABLE[bytes[at + 1] as number] as number;
      const c = TABLE[bytes[at + 2] as number] as number;
      const d = TABLE[bytes[at + 3] as number] as number;
      if ((a | b | c | d) > 63) break;
      out[length] = (a << 2) | (b >> 4);
      out[length + 1] = (b << 4) | (c >> 2);
      out[length + 2] = (c << 6) | d;
      length += 3;
      at += 4;
    }
    if (at === end) break;
    const code = TABLE[bytes[at] as number] as number;
    if (code < 64) {
      value = (value << 6) | code;
      if (++filled === 4) {
        out[length++] = value >> 16;
        out[length++] = value >> 8;
        out[length++] = value;
        value = 0;
        filled = 0;
      }
    } else if (code === PAD) {
      break;
    } else if (code !== SKIP) {
      return null;
    }
  }
  if (at === end) return filled === 0 ? out.subarray(0, length) : null;

  if (filled < 2) return null;
  let pads = 0;
  for (; at < end; at++) {
    const code = TABLE[bytes[at] as number] as number;
    if (code === PAD) pads++;
    else if (code !== SKIP) return null;
  }
  if (pads !== 4 - filled) return null;
  if (filled === 2) {
    out[length++] = value >> 4;
  } else {
    out[length++] = value >> 10;
    out[length++] = value >> 2;
  }
  return out.subarray(0, length);
}

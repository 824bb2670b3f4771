/**
 * PEM blocks exactly as a loop over Go's encoding/pem Decode finds them (pem.go, func Decode): the
 * first END line decides, the last BEGIN before it counts, BEGIN has to stand at the start of a
 * line, headers are "key: value" lines, a block that doesn't decode is skipped and the search goes
 * on after its END. Text between blocks is ignored. Nothing is trimmed or repaired: a byte order
 * mark or an indented BEGIN hides the block here because it does so in Go.
 *
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

/** One decoded PEM block. */
export interface PemBlock {
  /** What stands after BEGIN, bytes as Latin-1. */
  type: string;
  /** RFC 1421 headers, such as Proc-Type; null prototype, last value wins. */
  headers: Record<string, string>;
  bytes: Uint8Array;
}

const BEGIN = Buffer.from("-----BEGIN ", "latin1");
const END = Buffer.from("\n-----END ", "latin1");
const DASHES = "-----";
const LF = 0x0a;

/** All blocks of `bytes`, in order; empty where there is none. Never throws. */
export function parsePemBlocks(bytes: Uint8Array): PemBlock[] {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const blocks: PemBlock[] = [];
  let from = 0;
  while (from < data.length) {
    const found = decodeNext(data, from);
    if (found === null) break;
    blocks.push(found.block);
    from = found.next;
  }
  return blocks;
}

/** pem.go, func Decode, with offsets into `data` in place of reslicing. */
function decodeNext(data: Buffer, from: number): { block: PemBlock; next: number } | null {
  let rest = from;
  let trailer = from; // just past the END marker that was tried last
  for (;;) {
    if (trailer > data.length || trailer < rest) return null;
    rest = trailer;

    const end = data.indexOf(END, rest);
    if (end < 0) return null;
    trailer = end + END.length;

    const begin = lastBegin(data, rest, end);
    if (begin < 0 || (begin > rest && data[begin - 1] !== LF)) continue;
    rest = begin + BEGIN.length;

    const typeLine = readLine(data, rest);
    rest = typeLine.next;
    if (!typeLine.text.endsWith(DASHES)) continue;
    const type = typeLine.text.slice(0, -DASHES.length);

    const headers: Record<string, string> = Object.create(null) as Record<string, string>;
    let headerCount = 0;
    for (;;) {
      if (rest >= data.length) return null;
      const line = readLine(data, rest);
      const split = line.text.indexOf(":");
      if (split < 0) break;
      headers[line.text.slice(0, split).trim()] = line.text.slice(split + 1).trim();
      headerCount++;
      rest = line.next;
    }

    // Headers may have run past the END line; Go sees a negative index there.
    if (headerCount > 0 && end < rest) continue;

    const tail = type + DASHES;
    if (data.length - trailer < tail.length) continue;
    if (data.toString("latin1", trailer, trailer + tail.length) !== tail) continue;
    if (readLine(data, trailer + tail.length).text.length !== 0) continue;

    let body: Uint8Array | null = new Uint8Array(0);
    if (end > rest) {
      body = decodePemBody(data, rest, end);
      if (body === null) continue;
    }
    // The marker without its line feed: an empty block shares it with the BEGIN line.
    const next = readLine(data, end + END.length - 1).next;
    return { block: { type, headers, bytes: body }, next };
  }
}

function lastBegin(data: Buffer, from: number, before: number): number {
  const at = data.subarray(from, before).lastIndexOf(BEGIN);
  return at < 0 ? -1 : from + at;
}

/** pem.go, func getLine: the line without its line end and without blanks and tabs before that. */
function readLine(data: Buffer, from: number): { text: string; next: number } {
  const feed = data.indexOf(LF, from);
  let end: number;
  let next: number;
  if (feed < 0) {
    end = data.length;
    next = data.length;
  } else {
    end = feed;
    next = feed + 1;
    if (feed > from && data[feed - 1] === 0x0d) end--;
  }
  while (end > from && (data[end - 1] === 0x20 || data[end - 1] === 0x09)) end--;
  return { text: data.toString("latin1", from, end), next };
}

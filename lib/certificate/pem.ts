/**
 * PEM blocks exactly as a loop over Go's encoding/pem Decode finds them (pem.go, func Decode): the
 * first END line decides, the last BEGIN before it counts, BEGIN has to stand at the start of a
 * line, headers are "key: value" lines, a block that doesn't decode is skipped and the search goes
 * on after its END. Text between blocks is ignored. Nothing is trimmed or repaired: a byte order
 * mark or an indented BEGIN hides the block here because it does so in Go.
 */

import { decodePemBody } from "./base64.ts";

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

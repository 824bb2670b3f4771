/**
 * The file of one revision of a state: the text, then a line with its digest, so that a file that was cut
 * off or damaged is told from a whole one. Pure.
 *
 * A text that is a whole JSON document without that line is taken as it is: a person mended it by hand.
 */
import { createHash } from "node:crypto";

const SEAL = /\n\{"bytes":(\d{1,16}),"sha256":"([0-9a-f]{64})"\}\n$/;
/** No seal is longer. */
const SEAL_BYTES = 128;

/** The bytes of a revision's file. Written into one buffer: a state of many certificates weighs tens of megabytes. */
export function formatRevision(text: string): Uint8Array {
  const bytes = Buffer.byteLength(text, "utf8");
  const sealOf = (sha256: string): string => `\n${JSON.stringify({ bytes, sha256 })}\n`;
  const file = Buffer.allocUnsafe(bytes + sealOf("0".repeat(64)).length);
  file.write(text, "utf8");
  file.write(
    sealOf(createHash("sha256").update(file.subarray(0, bytes)).digest("hex")),
    bytes,
    "latin1",
  );
  return file;
}

export type ParsedRevision =
  { readonly ok: true; readonly text: string } | { readonly ok: false; readonly found: string };

export function parseRevision(bytes: Uint8Array): ParsedRevision {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const seal = SEAL.exec(file.toString("latin1", Math.max(0, file.length - SEAL_BYTES)));
  if (seal === null) {
    const whole = file.toString("utf8");
    return isJson(whole)
      ? { ok: true, text: whole }
      : {
          ok: false,
          found: `${bytes.byteLength} bytes that end before the state does: the file was cut off`,
        };
  }
  const content = file.subarray(0, file.length - seal[0].length);
  const fits =
    String(content.length) === seal[1] &&
    createHash("sha256").update(content).digest("hex") === seal[2];
  return fits
    ? { ok: true, text: content.toString("utf8") }
    : { ok: false, found: "a content that its own digest (the last line) doesn't fit" };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * The document of a copy as it lies in every store: `{ "format", "header", "sealed" }`, JSON, where
 * `sealed` is an armored age file. It can be opened without certkeep: `jq -r .sealed FILE | age -d
 * -i IDENTITY`.
 *
 * Reading is total and needs no identity. That a document is whole says nothing of who wrote it:
 * age authenticates no sender. See manifest.ts for what the content has to pass.
 */
import { createHash } from "node:crypto";
import {
  asObject,
  BACKUP_FORMAT,
  type BackupHeader,
  type CopyProblem,
  type CopyProblemCode,
  describe,
  type DraftHeader,
  factsOf,
  ownValue,
  parseHeader,
} from "./record.ts";
import { jsonOf } from "../untrusted.ts";

/** Most bytes of a document, in every store: three times what a Secret of 1 MiB can come to. */
export const MAX_DOCUMENT_BYTES = 8 * 1024 * 1024;

const ARMOR_BEGIN = "-----BEGIN AGE ENCRYPTED FILE-----";
const ARMOR_END = "-----END AGE ENCRYPTED FILE-----";

export interface CopyDocument {
  readonly header: BackupHeader;
  readonly sealed: string;
}

export type ParsedDocument =
  | { readonly ok: true; readonly document: CopyDocument }
  | { readonly ok: false; readonly problem: CopyProblem };

/**
 * What names a sealed text in headers and states: SHA-256 of its UTF-8 form, lower-case
 * hexadecimal.
 */
export function digestOf(sealed: string): string {
  return createHash("sha256").update(sealed, "utf8").digest("hex");
}

/** The document of an encrypted backup, and its header now that the digest is known. */
export function composeDocument(
  draft: DraftHeader,
  sealed: string,
): { readonly text: string; readonly header: BackupHeader } {
  const header: BackupHeader = {
    ...factsOf(draft),
    recipients: [...draft.recipients],
    digest: digestOf(sealed),
  };
  return {
    text: `${JSON.stringify({ format: BACKUP_FORMAT, header, sealed }, null, 1)}\n`,
    header,
  };
}

function failed(
  code: CopyProblemCode,
  place: string,
  found: string,
  expected: string,
): Extract<ParsedDocument, { ok: false }> {
  return { ok: false, problem: { code, place, found, expected } };
}

/**
 * Reads a document of a store, whatever its text is. Members that this version doesn't know are
 * passed over.
 */
export function parseDocument(text: string): ParsedDocument {
  if (text.length > MAX_DOCUMENT_BYTES) {
    const expected = `at most ${MAX_DOCUMENT_BYTES}`;
    return failed("too_large", "the whole", `${text.length} characters`, expected);
  }
  const raw = jsonOf(text);
  if (raw === undefined) return notJson(text);
  const object = asObject(raw);
  if (object === null)
    return failed("not_a_copy", "the whole", describe(raw), "the document of a copy");
  const format = ownValue(object, "format");
  const ours = `format ${BACKUP_FORMAT}`;
  if (typeof format !== "number" || !Number.isInteger(format) || format < 1)
    return failed("not_a_copy", "format", describe(format), ours);
  if (format > BACKUP_FORMAT) {
    const found = `format ${format} of a newer certkeep`;
    return failed("format_newer", "format", found, ours);
  }
  const header = parseHeader(ownValue(object, "header"));
  if (!header.ok) return header;
  const sealed = readSealed(ownValue(object, "sealed"), header.value.digest);
  return typeof sealed === "string"
    ? { ok: true, document: { header: header.value, sealed } }
    : sealed;
}

function notJson(text: string): ParsedDocument {
  const begun = text.trimStart().startsWith("{") && !text.trimEnd().endsWith("}");
  return begun
    ? failed(
        "truncated",
        "the whole",
        `${text.length} characters that end in the middle of a JSON document`,
        "a whole one",
      )
    : failed(
        "not_json",
        "the whole",
        `${text.length} characters that are no JSON document`,
        "the document of a copy",
      );
}

function readSealed(
  sealed: unknown,
  recorded: string,
): string | Extract<ParsedDocument, { ok: false }> {
  const expected = "an armored age file";
  if (typeof sealed !== "string") return failed("not_a_copy", "sealed", describe(sealed), expected);
  if (!sealed.startsWith(ARMOR_BEGIN))
    return failed("not_a_copy", "sealed", "text that is no armored age file", expected);
  const digest = digestOf(sealed);
  if (digest === recorded) return sealed;
  if (!sealed.trimEnd().endsWith(ARMOR_END))
    return failed("truncated", "sealed", "an age file that is cut off", "a whole one");
  return failed(
    "digest_mismatch",
    "sealed",
    `content with the digest ${digest}`,
    `the header's digest ${recorded}`,
  );
}

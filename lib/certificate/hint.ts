/**
 * Usual mistakes in bytes that Go rejects: what a person sees as a certificate or a key, and
 * encoding/pem doesn't. A hint explains a verdict and never changes it. Total: any bytes give
 * hints or none.
 */
import { decodePemBody, parsePemBlocks, type PemBlock } from "./pem.ts";
import { parseChain } from "./judge.ts";
import { matches, parsePrivateKey, parsePrivateKeyDer } from "./key.ts";
import { parseCertificate } from "./parse.ts";
import type { Reason } from "./reason.ts";

/** Stored in states: none is renamed or reused. */
export const HINT_KINDS = [
  "base64_twice",
  "blank",
  "byte_order_mark",
  "carriage_returns",
  "damaged_base64",
  "dashes",
  "der",
  "escaped_line_breaks",
  "holds_certificate",
  "holds_key",
  "indented",
  "key_not_first",
  "keystore",
  "leaf_not_first",
  "line_breaks",
  "no_begin_line",
  "no_end_line",
  "no_pem_lines",
  "not_base64",
  "old_label",
  "parameters_only",
  "passphrase",
  "pkcs12",
  "pkcs7",
  "public_key",
  "request",
  "ssh_key",
  "swapped",
  "text_before_begin",
  "trusted_certificate",
  "url_encoded",
  "utf16",
] as const;

export type HintKind = (typeof HINT_KINDS)[number];

/** Of what was never stored, or may be cut off, no form brings the content back. */
const WITHOUT_CONTENT: ReadonlySet<string> = new Set<HintKind>([
  "blank",
  "damaged_base64",
  "holds_certificate",
  "holds_key",
  "no_end_line",
  "parameters_only",
  "public_key",
  "request",
]);

/** Whether the bytes hold what is needed in another form. `kind` may be a newer version's. */
export function isConvertible(kind: string): boolean {
  return HINT_KINDS.some((known) => known === kind) && !WITHOUT_CONTENT.has(kind);
}

type Field = "certificate" | "key";

export interface Hint {
  readonly field: Field;
  readonly kind: HintKind;
  /** Which PEM block of the field, or certificate of the chain, from 1; `null`: all of it. */
  readonly at: number | null;
}

type Found = Pick<Hint, "kind" | "at">;

/** A Secret holds no more. */
const MAX_BYTES = 1024 * 1024;

const KEY_REASONS: ReadonlySet<string> = new Set<Reason>([
  "key_not_pem",
  "key_malformed",
  "key_unsupported",
  "key_mismatch",
]);

/** `key` `null`: none was given. `reasons`: the verdict, which hints explain. */
export function hintsOf(
  pair: { readonly certificate: Uint8Array; readonly key: Uint8Array | null },
  reasons: readonly string[],
): readonly Hint[] {
  if (reasons.length === 0) return [];
  const certificate = pair.certificate.subarray(0, MAX_BYTES);
  const key = (pair.key ?? new Uint8Array(0)).subarray(0, MAX_BYTES);
  const ofCertificate = fieldHint(certificate, "certificate") ?? orderHint(certificate, key);
  const ofKey = reasons.some((reason) => KEY_REASONS.has(reason))
    ? (fieldHint(key, "key") ?? laterKeyHint(certificate, key))
    : null;
  if (ofCertificate?.kind === "holds_key" && ofKey?.kind === "holds_certificate")
    return [{ field: "certificate", kind: "swapped", at: null }];
  return [
    ...(ofCertificate === null ? [] : [{ field: "certificate", ...ofCertificate } as const]),
    ...(ofKey === null ? [] : [{ field: "key", ...ofKey } as const]),
  ];
}

/** The leaf is further down: by the key, or, without one, below a CA that stands first. */
function orderHint(certificate: Uint8Array, key: Uint8Array): Found | null {
  const { leaf, further } = parseChain(certificate);
  if (leaf === null) return null;
  const parsed = parsePrivateKey(key);
  if (matches(parsed, leaf.publicKey) || (!parsed.ok && !leaf.isCa)) return null;
  const at = further.findIndex((one) => (parsed.ok ? matches(parsed, one.publicKey) : !one.isCa));
  return at < 0 ? null : { kind: "leaf_not_first", at: at + 2 };
}

/** Go takes the first key; a later one may be the right one. */
function laterKeyHint(certificate: Uint8Array, key: Uint8Array): Found | null {
  const { leaf } = parseChain(certificate);
  if (leaf === null) return null;
  const at = parsePemBlocks(key)
    .filter(({ type }) => isKeyType(type))
    .findIndex(({ bytes }) => matches(parsePrivateKeyDer(bytes), leaf.publicKey));
  return at < 1 ? null : { kind: "key_not_first", at: at + 1 };
}

function fieldHint(bytes: Uint8Array, field: Field): Found | null {
  if (bytes.length === 0) return null;
  const text = latin1(bytes);
  if (/^(?:\xff\xfe|\xfe\xff|\0-|-\0)/.test(text)) return whole("utf16");
  if (/-----BEGIN(?:%20|\+)/.test(text)) return whole("url_encoded");
  if (!/BEGIN [A-Z]/.test(text)) return unframedHint(bytes, text, field);
  if (/-(?:\\r)?\\n/.test(text)) return whole("escaped_line_breaks");
  return frameHint(text, parsePemBlocks(bytes), field) ?? blockHint(bytes, field);
}

function whole(kind: HintKind): Found {
  return { kind, at: null };
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

function isKeyType(type: string): boolean {
  return type === "PRIVATE KEY" || type.endsWith(" PRIVATE KEY");
}

function isCertificateType(type: string): boolean {
  return type === "CERTIFICATE" || type.endsWith(" CERTIFICATE");
}

/** A BEGIN or END line as a person would take it, however many hyphens it has. */
interface Marker {
  readonly isEnd: boolean;
  readonly type: string;
  readonly hyphens: boolean;
  readonly from: number;
  readonly to: number;
}

function markersOf(text: string): readonly Marker[] {
  return [...text.matchAll(/(-{0,5})(BEGIN|END) ([A-Z0-9][A-Z0-9 #.]{0,40})(-{0,5})/g)].map(
    ({ index, 0: all, 1: before = "", 2: word, 3: type = "", 4: after = "" }) => ({
      isEnd: word === "END",
      type: type.trim(),
      hyphens: before.length === 5 && after.length === 5,
      from: index,
      to: index + all.length,
    }),
  );
}

/** The first block of the field's kind that Go doesn't see as one. */
function frameHint(text: string, seen: readonly PemBlock[], field: Field): Found | null {
  const isType = field === "key" ? isKeyType : isCertificateType;
  const markers = markersOf(text);
  const begins = markers.filter(({ isEnd, type }) => !isEnd && isType(type)).length;
  const ends = markers.filter(({ isEnd, type }) => isEnd && isType(type)).length;
  if (seen.filter(({ type }) => isType(type)).length >= Math.max(begins, ends)) return null;
  let at = 0;
  for (const [index, marker] of markers.entries()) {
    if (!isType(marker.type)) continue;
    if (!marker.isEnd) at += 1;
    else if (markers[index - 1]?.isEnd !== false) return { kind: "no_begin_line", at: at + 1 };
    const kind = marker.hyphens
      ? marker.isEnd
        ? null
        : (beginFault(text, marker) ?? bodyFault(text, marker, markers[index + 1]))
      : "dashes";
    if (kind !== null) return { kind, at };
  }
  return null;
}

/** What hides a BEGIN line from Go: it has to stand at the start of a line. */
function beginFault(text: string, { from }: Marker): HintKind | null {
  const before = text.slice(text.lastIndexOf("\n", from - 1) + 1, from);
  if (from === 0 || before === "") return null;
  if (before === "\xef\xbb\xbf") return "byte_order_mark";
  if (before.endsWith("\r")) return "carriage_returns";
  if (before.trim() === "") return "indented";
  return /-----[ \t]*$/.test(before.slice(-40)) ? "line_breaks" : "text_before_begin";
}

/** What is wrong between a BEGIN line and its END line. */
function bodyFault(text: string, begin: Marker, end: Marker | undefined): HintKind | null {
  if (end?.isEnd !== true || end.type !== begin.type) return "no_end_line";
  if (!end.hyphens) return "dashes";
  const body = text.slice(begin.to, end.from);
  if (!body.includes("\n")) return body.includes("\r") ? "carriage_returns" : "line_breaks";
  const lines = body.split("\n");
  const last = lines.pop() ?? "";
  if (last !== "") return last.trim() === "" ? "indented" : "line_breaks";
  const after = text.slice(end.to, end.to + 200).split("\n", 1)[0] ?? "";
  if (lines.shift()?.trim() !== "" || after.trim() !== "") return "line_breaks";
  const headers = lines.findLastIndex((line) => line.includes(":")) + 1;
  const base64 = Buffer.from(lines.slice(headers).join("\n"), "latin1");
  return decodePemBody(base64, 0, base64.length) === null ? "damaged_base64" : null;
}

/** What is wrong with blocks that Go sees: their labels, or what they hold. */
function blockHint(bytes: Uint8Array, field: Field): Found | null {
  const blocks = parsePemBlocks(bytes);
  const types = blocks.map(({ type }) => type);
  const has = (isType: (type: string) => boolean): boolean => types.some((type) => isType(type));
  if (field === "certificate") {
    const labelled = types.filter(isCertificateType);
    const odd = labelled.findIndex((type) => type !== "CERTIFICATE");
    if (odd >= 0) {
      const kind = labelled[odd] === "TRUSTED CERTIFICATE" ? "trusted_certificate" : "old_label";
      return { kind, at: odd + 1 };
    }
    if (labelled.length > 0) return malformedHint(blocks);
    if (has((type) => type === "CMS" || type.startsWith("PKCS"))) return whole("pkcs7");
    if (has((type) => type.endsWith("CERTIFICATE REQUEST"))) return whole("request");
    if (has(isKeyType)) return whole("holds_key");
    return has((type) => type.endsWith("PUBLIC KEY")) ? whole("public_key") : null;
  }
  const key = blocks.find(({ type }) => isKeyType(type));
  if (key !== undefined) return keyBlockHint(key);
  if (has(isCertificateType)) return whole("holds_certificate");
  if (has((type) => type.endsWith("PUBLIC KEY"))) return whole("public_key");
  if (has((type) => type.endsWith("CERTIFICATE REQUEST"))) return whole("request");
  return has((type) => type.endsWith(" PARAMETERS")) ? whole("parameters_only") : null;
}

function malformedHint(blocks: readonly PemBlock[]): Found | null {
  const certificates = blocks.filter(({ type }) => type === "CERTIFICATE");
  const at = certificates.findIndex(({ bytes }) => !parseCertificate(bytes).ok);
  const kind = at < 0 ? null : binaryKind(certificates[at]?.bytes ?? new Uint8Array(0), null);
  return kind === null ? null : { kind, at: at + 1 };
}

function keyBlockHint({ type, headers, bytes }: PemBlock): Found | null {
  if (parsePrivateKeyDer(bytes).ok) return null;
  const isEncrypted =
    type === "ENCRYPTED PRIVATE KEY" || headers["Proc-Type"]?.includes("ENCRYPTED") === true;
  if (isEncrypted) return whole("passphrase");
  if (type === "OPENSSH PRIVATE KEY") return whole("ssh_key");
  const kind = binaryKind(bytes, null);
  return kind === null ? null : whole(kind);
}

/** What has no BEGIN line. */
function unframedHint(bytes: Uint8Array, text: string, field: Field): Found | null {
  if (text.trim() === "") return whole("blank");
  if (text.startsWith("PuTTY-User-Key-File")) return whole("ssh_key");
  let kind = binaryKind(bytes, field);
  let encoded = text;
  // Base64 of base64, a few times over at most.
  for (let step = 0; kind === null && step < 3; step++) {
    const compact = encoded.replaceAll(/\s/g, "");
    if (!/^[A-Za-z0-9+/]+={0,2}$/.test(compact)) break;
    const decoded = Buffer.from(compact, "base64");
    encoded = decoded.toString("latin1");
    const found = encoded.includes("-----BEGIN ") ? "base64_twice" : binaryKind(decoded, field);
    kind = found === "der" ? (step === 0 ? "no_pem_lines" : "base64_twice") : found;
  }
  return kind === null ? null : whole(kind);
}

/** Length of a header of DER: a tag and the length after it. */
function headerLength(bytes: Uint8Array): number {
  const length = bytes[1] ?? 0;
  return length < 0x80 ? 2 : 2 + (length & 0x0f);
}

/**
 * What isn't PEM text, by its first bytes. `field`: where DER of that field's own kind is a hint;
 * `null`: in a PEM block, which holds DER rightly.
 */
function binaryKind(bytes: Uint8Array, field: Field | null): HintKind | null {
  const start = Buffer.from(bytes.subarray(0, 40));
  const hex = start.toString("hex");
  if (start.toString("latin1").startsWith("-----BEGIN ")) return "base64_twice";
  if (hex.startsWith("feedfeed") || hex.startsWith("cececece")) return "keystore";
  if (bytes[0] !== 0x30) return null;
  if (parseCertificate(bytes).ok) return field === "certificate" ? "der" : "holds_certificate";
  const key = parsePrivateKeyDer(bytes);
  if (key.ok) return field === "key" ? "der" : "holds_key";
  const outer = start.subarray(headerLength(start));
  const inner = outer.subarray(headerLength(outer)).toString("hex");
  // RFC 5652 id-signedData; RFC 7292 version 3; RFC 8018 and 7292 encryption by a passphrase.
  if (outer.toString("hex").startsWith("06092a864886f70d010702")) return "pkcs7";
  if (outer.toString("hex").startsWith("02010330")) return "pkcs12";
  if (/^06(?:092a864886f70d0105|0a2a864886f70d010c01)/.test(inner)) return "passphrase";
  if (inner.startsWith("02010030")) return "request";
  return field !== null && (bytes[1] ?? 0) > 0x80 ? "der" : null;
}

/** Reason codes of the judge in words, and what may be wrong with bytes that Go rejects. */
import type { Reason } from "../../certificate/reason.ts";
import type { HintKind } from "../../certificate/hint.ts";

const CLAUSES: Readonly<Record<Reason, string>> = {
  certificate_empty: "the certificate field is empty",
  key_empty: "the key field is empty",
  certificate_not_pem: "the certificate field holds no PEM block of type CERTIFICATE",
  certificate_malformed: "the first certificate isn't well-formed",
  chain_malformed: "a further certificate in the chain isn't well-formed",
  key_not_pem: "the key field holds no PEM block whose type ends in PRIVATE KEY",
  key_malformed: "the private key isn't well-formed or its numbers don't belong together",
  key_unsupported: "the key is of a kind that TLS in Go can't use",
  key_mismatch: "the private key doesn't match the certificate",
  expired: "the certificate has expired",
  not_yet_valid: "the certificate isn't valid yet",
  name_mismatch: "the certificate isn't for this name",
  no_san: "the certificate has no subject alternative names; the common name doesn't count",
  unknown_issuer: "the certificate isn't signed by a trusted CA",
  missing_intermediate: "an intermediate certificate is missing from the chain",
  intermediate_expired: "a certificate on the path to the anchor has expired",
  intermediate_not_yet_valid: "a certificate on the path to the anchor isn't valid yet",
  validity_disjoint: "at no time are all certificates of a path valid together",
  weak_signature: "a signature uses SHA-1 or MD5",
  weak_key: "a signature is by an RSA key of fewer than 1024 bits",
  signature_invalid: "a signature doesn't verify with the issuer's key",
  signature_unsupported: "a signature uses an algorithm that can't be verified",
  unhandled_critical_extension: "a certificate has a critical extension that isn't understood",
  not_server_auth: "the certificate, or one above it, isn't meant for servers",
  name_constraint: "a certificate on the path doesn't permit one of the names",
  policy_invalid: "a certificate on the path demands a policy that the path doesn't have",
  not_a_ca: "a certificate that isn't a CA stands as issuer in the path",
  path_too_long: "the path is longer than one of its certificates permits",
  too_many_paths: "more than 100 signatures would have to be checked to find a path",
};

const clauses: Readonly<Record<string, string>> = CLAUSES;

/**
 * `the private key doesn't match the certificate; …`: one clause a code, unknown codes as they are.
 */
export function reasonText(reasons: readonly string[]): string {
  if (reasons.length === 0) return "the reason is not known";
  return reasons
    .map((reason) =>
      Object.hasOwn(clauses, reason) ? (clauses[reason] ?? "") : reason.replaceAll("_", " "),
    )
    .join("; ");
}

export function reasonSentence(reason: string): string {
  const clause = reasonText([reason]);
  return `${clause.charAt(0).toUpperCase()}${clause.slice(1)}.`;
}

/** `field` and `kind` come from a state, which a newer version may have written. */
export interface ShownHint {
  readonly field: string;
  readonly kind: string;
  readonly at: number | null;
}

type Sentence = (what: string, at: number) => string;

const SENTENCES: Readonly<Record<HintKind, Sentence>> = {
  base64_twice: (what) => `${what} is base64-encoded twice. Decode it once.`,
  blank: (what) => `${what} holds nothing but blanks and line breaks.`,
  byte_order_mark: (what, at) =>
    `${what}: a byte order mark (BOM) hides PEM block ${at}. Save it as UTF-8 without a BOM.`,
  carriage_returns: (what) =>
    `${what}: its lines end in a carriage return alone. End them with a line feed.`,
  damaged_base64: (what, at) => `${what}: PEM block ${at} is not valid base64.`,
  dashes: (what, at) =>
    `${what}: PEM block ${at} needs exactly five hyphens on each side of its BEGIN and END lines.`,
  der: (what) => `${what} is in DER form, not PEM. Convert it with openssl (-inform DER).`,
  escaped_line_breaks: (what) =>
    `${what}: its line breaks are written as the two characters \\n. Use real line breaks.`,
  holds_certificate: (what) => `${what} field holds a certificate.`,
  holds_key: (what) => `${what} field holds a private key.`,
  indented: (what, at) =>
    `${what}: PEM block ${at} is indented. BEGIN and END must be at the start of their lines.`,
  key_not_first: (_what, at) =>
    `Key ${at} of the file matches the certificate. It must be the first key.`,
  keystore: (what) => `${what} is a Java keystore, not PEM. Export it with keytool.`,
  leaf_not_first: (_what, at) =>
    `The server's certificate is certificate ${at} of the chain. It must be the first.`,
  line_breaks: (what, at) =>
    `${what}: line breaks are missing in PEM block ${at}. Its BEGIN line, its base64 and its END ` +
    "line must be separate lines.",
  no_begin_line: (what, at) => `${what}: PEM block ${at} has no BEGIN line.`,
  no_end_line: (what, at) =>
    `${what}: PEM block ${at} has no END line, or one of another kind. It may be cut off.`,
  no_pem_lines: (what) => `${what} is bare base64: its BEGIN and END lines are missing.`,
  not_base64: (what) =>
    `${what}: the value under data isn't base64. Encode it, or put PEM text under stringData.`,
  old_label: (what, at) =>
    `${what}: PEM block ${at} has an old label. Go reads only the label CERTIFICATE.`,
  parameters_only: (what) => `${what} field holds only key parameters.`,
  passphrase: (what) =>
    `${what} is encrypted with a passphrase. Store it without one (openssl pkey removes it).`,
  pkcs12: (what) => `${what} is a PKCS #12 file (.p12, .pfx), not PEM. Extract it with openssl.`,
  pkcs7: (what) =>
    `${what} is a PKCS #7 bundle (.p7b), not PEM certificates. Extract them with openssl pkcs7 ` +
    "-print_certs.",
  public_key: (what) => `${what} field holds only a public key.`,
  request: (what) => `${what} field holds a certificate signing request.`,
  ssh_key: (what) => `${what} is in OpenSSH's or PuTTY's own form. Convert it to PKCS #8 PEM.`,
  swapped: () => "Certificate and key are swapped: the certificate goes first.",
  text_before_begin: (what, at) =>
    `${what}: other characters, perhaps invisible, precede BEGIN in PEM block ${at}. It must be ` +
    "at the start of its line.",
  trusted_certificate: (what, at) =>
    `${what}: PEM block ${at} is a TRUSTED CERTIFICATE, a form of OpenSSL's own. Convert it with ` +
    "openssl x509.",
  url_encoded: (what) => `${what} is URL-encoded. Decode it first.`,
  utf16: (what) => `${what} is UTF-16 text. Save it as UTF-8 without a BOM.`,
};

const sentences: Readonly<Record<string, Sentence>> = SENTENCES;

/** One or two sentences; empty for a kind that this version doesn't know. */
export function hintText({ field, kind, at }: ShownHint): string {
  const what = field === "key" ? "The private key" : "The certificate";
  return Object.hasOwn(sentences, kind) ? (sentences[kind]?.(what, at ?? 1) ?? "") : "";
}

/** What may be wrong with bytes that Go rejects, in words. */
import type { HintKind } from "../../certificate/hint.ts";

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

/**
 * What a person did to a good pair, and the hint that names it. Each row is rejected by the judge,
 * whose verdict hints never change.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anchorsFromPem } from "../../lib/certificate/anchors.ts";
import { HINT_KINDS, hintsOf } from "../../lib/certificate/hint.ts";
import { judge } from "../../lib/certificate/judge.ts";
import { parsePemBlocks } from "../../lib/certificate/pem.ts";
import { Verifier } from "../../lib/certificate/verifier.ts";
import { hintText } from "../../lib/report/phrases/reasons.ts";
import { createAuthority } from "../support/pki.ts";

const authority = createAuthority();
const leaf = authority.issue({
  names: ["shop.example.com"],
  notBefore: new Date("2026-10-01T00:00:00Z"),
  notAfter: new Date("2026-12-30T00:00:00Z"),
});
const crt = leaf.certificatePem;
const key = leaf.keyPem;
const mid = authority.intermediates[0]?.pem ?? "";
const anchors = anchorsFromPem(authority.root.pem);

const derOf = (pem: string): Buffer => Buffer.from(parsePemBlocks(Buffer.from(pem))[0]!.bytes);
const base64 = (text: string | Buffer): string => Buffer.from(text).toString("base64");
const pem = (label: string, der: Buffer): string =>
  `-----BEGIN ${label}-----\n${base64(der)}\n-----END ${label}-----\n`;
const bytes = (text: string | Buffer): Buffer =>
  typeof text === "string" ? Buffer.from(text, "utf8") : text;

const encrypted = createPrivateKey(key).export({
  type: "pkcs8",
  format: "pem",
  cipher: "aes-128-cbc",
  passphrase: "x",
}) as string;
const legacy = generateKeyPairSync("rsa", {
  modulusLength: 2048,
  publicKeyEncoding: { type: "spki", format: "pem" },
  privateKeyEncoding: { type: "pkcs1", format: "pem", cipher: "aes-128-cbc", passphrase: "x" },
}).privateKey;
const publicKey = createPublicKey(key).export({ type: "spki", format: "pem" }) as string;
const other = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
const otherKey = other.export({ type: "pkcs8", format: "pem" }) as string;
const body = (text: string): string => text.trim().split("\n").slice(1, -1).join("\n");
const signedData = Buffer.from("308006092a864886f70d010702a0800000", "hex");
const pfx = Buffer.from("308209a202010330820968", "hex");
const request = Buffer.from("3082010030810a020100300a310800000000", "hex");

type Row = readonly [
  title: string,
  certificate: string | Buffer,
  key: string | Buffer,
  hints: readonly string[],
];

const rows: readonly Row[] = [
  ["PKCS #8 with a passphrase", crt, encrypted, ["key passphrase"]],
  ["PKCS #8 with a passphrase, DER", crt, derOf(encrypted), ["key passphrase"]],
  ["a passphrase as OpenSSL wrote it earlier", crt, legacy, ["key passphrase"]],
  [
    "a passphrase under another label",
    crt,
    pem("PRIVATE KEY", derOf(encrypted)),
    ["key passphrase"],
  ],
  [
    "OpenSSH's form",
    crt,
    pem("OPENSSH PRIVATE KEY", Buffer.from("openssh-key-v1")),
    ["key ssh_key"],
  ],
  ["PuTTY's form", crt, "PuTTY-User-Key-File-3: ssh-ed25519\n", ["key ssh_key"]],
  ["DER", derOf(crt), derOf(key), ["certificate der", "key der"]],
  ["cut DER", derOf(crt).subarray(0, 300), key, ["certificate der"]],
  ["PKCS #7", pem("PKCS7", signedData), key, ["certificate pkcs7"]],
  ["PKCS #7, DER", signedData, key, ["certificate pkcs7"]],
  ["PKCS #7 under CERTIFICATE", pem("CERTIFICATE", signedData), key, ["certificate pkcs7 1"]],
  ["PKCS #12", pfx, pfx, ["certificate pkcs12", "key pkcs12"]],
  ["PKCS #12 in base64", base64(pfx), key, ["certificate pkcs12"]],
  ["a Java keystore", Buffer.from("feedfeed00000002", "hex"), key, ["certificate keystore"]],
  ["base64 twice", base64(crt), base64(key), ["certificate base64_twice", "key base64_twice"]],
  ["base64 three times", base64(base64(crt)), key, ["certificate base64_twice"]],
  [
    "base64 twice within lines",
    pem("CERTIFICATE", Buffer.from(crt)),
    key,
    ["certificate base64_twice 1"],
  ],
  [
    "base64 without lines",
    body(leaf.leafPem),
    body(key),
    ["certificate no_pem_lines", "key no_pem_lines"],
  ],
  ["a byte order mark", `\ufeff${crt}`, key, ["certificate byte_order_mark 1"]],
  ["a byte order mark before the key", crt, `\ufeff${key}`, ["key byte_order_mark 1"]],
  [
    "a byte order mark in the middle",
    `${leaf.leafPem}\ufeff${mid}`,
    key,
    ["certificate byte_order_mark 2"],
  ],
  ["UTF-16", Buffer.from(`\ufeff${crt}`, "utf16le"), key, ["certificate utf16"]],
  ["UTF-16 without a mark", Buffer.from(crt, "utf16le"), key, ["certificate utf16"]],
  [
    "\\n as two characters",
    crt.replaceAll("\n", "\\n"),
    key.replaceAll("\n", "\\n"),
    ["certificate escaped_line_breaks", "key escaped_line_breaks"],
  ],
  [
    "\\r\\n as four characters",
    crt.replaceAll("\n", "\\r\\n"),
    key,
    ["certificate escaped_line_breaks"],
  ],
  [
    "all in one line",
    crt.replaceAll("\n", " "),
    key.replaceAll("\n", ""),
    ["certificate line_breaks 1", "key line_breaks 1"],
  ],
  ["END and BEGIN in one line", leaf.leafPem.trim() + mid, key, ["certificate line_breaks 1"]],
  ["carriage returns alone", crt.replaceAll("\n", "\r"), key, ["certificate carriage_returns 1"]],
  ["indented", crt.replaceAll(/^/gm, "  "), key, ["certificate indented 1"]],
  [
    "indented END",
    leaf.leafPem.replace("-----END", " -----END") + mid,
    key,
    ["certificate indented 1"],
  ],
  ["a quote in front", `"${crt}"`, key, ["certificate text_before_begin 1"]],
  ["a no-break space in front", `\u00a0${crt}`, key, ["certificate text_before_begin 1"]],
  ["dashes of a word processor", crt.replaceAll("-----", "–––"), key, ["certificate dashes 1"]],
  ["four hyphens", crt.replace("-----BEGIN", "----BEGIN"), key, ["certificate dashes 1"]],
  [
    "TRUSTED CERTIFICATE",
    leaf.leafPem.replaceAll("CERTIFICATE", "TRUSTED CERTIFICATE") + mid,
    key,
    ["certificate trusted_certificate 1"],
  ],
  [
    "X509 CERTIFICATE",
    crt.replaceAll("CERTIFICATE", "X509 CERTIFICATE"),
    key,
    ["certificate old_label 1"],
  ],
  [
    "no END line",
    leaf.leafPem.replace(/-----END.*\n/, "") + mid,
    key,
    ["certificate no_end_line 1"],
  ],
  [
    "cut off",
    crt.slice(0, 300),
    key.slice(0, 100),
    ["certificate no_end_line 1", "key no_end_line 1"],
  ],
  [
    "another kind of END",
    crt,
    key.replace(/-----END.*-----/, "-----END KEY-----"),
    ["key no_end_line 1"],
  ],
  ["no BEGIN line", crt.replace(/-----BEGIN.*\n/, ""), key, ["certificate no_begin_line 1"]],
  [
    "a stray character",
    leaf.leafPem.replace("\nM", "\nM!") + mid,
    key,
    ["certificate damaged_base64 1"],
  ],
  [
    "a later certificate damaged",
    leaf.leafPem + mid.replace("\nM", "\nM!"),
    key,
    ["certificate damaged_base64 2"],
  ],
  ["the leaf second", mid + leaf.leafPem, key, ["certificate leaf_not_first 2"]],
  [
    "the leaf second, a key with a passphrase",
    mid + leaf.leafPem,
    encrypted,
    ["certificate leaf_not_first 2", "key passphrase"],
  ],
  ["the key second", crt, otherKey + key, ["key key_not_first 2"]],
  ["swapped", key, crt, ["certificate swapped"]],
  ["swapped, DER", derOf(key), derOf(crt), ["certificate swapped"]],
  ["the key twice", key, key, ["certificate holds_key"]],
  ["the certificate twice", crt, crt, ["key holds_certificate"]],
  ["a request", pem("CERTIFICATE REQUEST", request), key, ["certificate request"]],
  ["a request, DER", request, key, ["certificate request"]],
  ["a public key", crt, publicKey, ["key public_key"]],
  [
    "parameters only",
    crt,
    pem("EC PARAMETERS", Buffer.from("06052b81040022", "hex")),
    ["key parameters_only"],
  ],
  ["a line break", "\n", "\n", ["certificate blank", "key blank"]],
  ["URL-encoded", encodeURIComponent(crt), key, ["certificate url_encoded"]],
  ["another's key", crt, otherKey, []],
  ["nothing", "", "", []],
  ["something else", "hello", "world", []],
];

const shown = (hints: ReturnType<typeof hintsOf>): readonly string[] =>
  hints.map(({ field, kind, at }) => `${field} ${kind}${at === null ? "" : ` ${at}`}`);

async function reasonsOf(certificate: Buffer, keyBytes: Buffer | null): Promise<readonly string[]> {
  const options = { dnsName: null, anchors, verifier: new Verifier() };
  return (await judge({ certificate, key: keyBytes }, options)).reasons;
}

describe("hints at what Go rejects", () => {
  it.each(rows)("%s", async (_title, certificate, keyBytes, hints) => {
    const pair = { certificate: bytes(certificate), key: bytes(keyBytes) };
    const reasons = await reasonsOf(pair.certificate, pair.key);
    expect(reasons).not.toEqual([]);
    expect(shown(hintsOf(pair, reasons))).toEqual(hints);
  });

  it.each([
    ["a good pair", crt, key],
    ["CRLF, text between and blanks at line ends", `x\n${crt.replaceAll("\n", " \r\n")}y\n`, key],
    ["both in one file", crt + key, crt + key],
  ])("has none for %s", async (_title, certificate, keyBytes) => {
    const reasons = await reasonsOf(bytes(certificate), bytes(keyBytes));
    expect(reasons).toEqual([]);
    const pair = { certificate: bytes(certificate), key: bytes(keyBytes) };
    expect(hintsOf(pair, reasons)).toEqual([]);
    // Nor where it is rejected for what isn't in the bytes.
    expect(hintsOf(pair, ["unknown_issuer"])).toEqual([]);
  });

  it("looks at the certificate alone where no key is given", async () => {
    expect(await reasonsOf(bytes(crt), null)).toEqual([]);
    const reasons = await reasonsOf(bytes(mid + leaf.leafPem), null);
    expect(shown(hintsOf({ certificate: bytes(mid + leaf.leafPem), key: null }, ["x"]))).toEqual([
      "certificate leaf_not_first 2",
    ]);
    expect(reasons).toEqual([]);
  });

  it("says a sentence for each kind, and nothing for one that it doesn't know", () => {
    for (const kind of HINT_KINDS)
      for (const field of ["certificate", "key"])
        expect(hintText({ field, kind, at: 2 })).toMatch(/^[A-Z].*\.$/);
    expect(hintText({ field: "key", kind: "toString", at: null })).toBe("");
  });

  it("never throws, whatever the bytes are", () => {
    const parts = fc.constantFrom(
      "-----BEGIN CERTIFICATE-----",
      "-----END CERTIFICATE-----",
      "-----BEGIN EC PRIVATE KEY-----",
      "-----END EC PRIVATE KEY-----",
      "\n",
      "\r",
      " ",
      "\\n",
      "MII",
      "0\u0082",
      "Proc-Type: x",
    );
    const text = fc
      .array(fc.oneof(parts, fc.string()), { maxLength: 12 })
      .map((all) => all.join(""));
    fc.assert(
      fc.property(text, text, (certificate, keyText) => {
        const pair = {
          certificate: Buffer.from(certificate, "latin1"),
          key: Buffer.from(keyText, "latin1"),
        };
        for (const hint of hintsOf(pair, ["key_malformed"])) expect(hintText(hint)).not.toBe("");
      }),
    );
  });
});

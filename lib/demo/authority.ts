/**
 * The demo's certificate authority: a root, an intermediate and leaves with embedded SCTs, in the
 * form in which Let's Encrypt issues them (RFC 5280; RFC 6962 §3.3). Its keys live in memory and
 * end with the process.
 */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

/** Certificate and key as PEM, right or wrong. */
export interface PairText {
  readonly certificatePem: string;
  readonly keyPem: string;
}

export interface LeafOptions {
  /** Host names, or the loopback's address. */
  readonly names: readonly string[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** When logs took the precertificate; none: no SCTs. */
  readonly loggedAtMs?: readonly number[];
}

export interface DemoAuthority {
  readonly rootPem: string;
  readonly intermediatePem: string;
  readonly intermediateKeyPem: string;
  /** A new key and its certificate, followed by the intermediate. */
  issue(options: LeafOptions): PairText;
}

interface Party {
  readonly name: Buffer;
  readonly key: KeyObject;
  readonly spki: Buffer;
  readonly keyId: Buffer;
}

const CA_VALIDITY = [Date.UTC(2020, 0), Date.UTC(2045, 0)] as const;
const LOOPBACK = "127.0.0.1";

function element(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

const sequence = (...parts: readonly Uint8Array[]): Buffer => element(0x30, ...parts);
const octets = (...parts: readonly Uint8Array[]): Buffer => element(0x04, ...parts);
const bits = (content: Uint8Array): Buffer => element(0x03, Buffer.from([0]), content);
const TRUE = Buffer.from([0x01, 0x01, 0xff]);

const oid = (hex: string): Buffer => element(0x06, Buffer.from(hex, "hex"));
const ECDSA_WITH_SHA256 = sequence(oid("2a8648ce3d040302"));
const COMMON_NAME = oid("550403");
const SUBJECT_KEY_ID = oid("551d0e");
const ALTERNATIVE_NAMES = oid("551d11");
const BASIC_CONSTRAINTS = oid("551d13");
const AUTHORITY_KEY_ID = oid("551d23");
const EXTENDED_KEY_USAGE = oid("551d25");
const SERVER_AUTH = oid("2b06010505070301");
const SCT_LIST = oid("2b06010401d679020402");

/** UTCTime up to 2049, GeneralizedTime from 2050 on (RFC 5280 §4.1.2.5). */
function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/\.\d+|[-:T]/gu, "");
  return digits < "2050"
    ? element(0x17, Buffer.from(digits.slice(2)))
    : element(0x18, Buffer.from(digits));
}

const commonName = (text: string): Buffer =>
  sequence(element(0x31, sequence(COMMON_NAME, element(0x0c, Buffer.from(text)))));

function pem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/gu) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

export function newKey(): { readonly key: KeyObject; readonly spki: Buffer; readonly pem: string } {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return {
    key: privateKey,
    spki: publicKey.export({ type: "spki", format: "der" }),
    pem: privateKey.export({ type: "sec1", format: "pem" }).toString(),
  };
}

function newParty(name: string): Party & { readonly pem: string } {
  const made = newKey();
  return { ...made, name: commonName(name), keyId: createHash("sha1").update(made.spki).digest() };
}

const keyIds = (subject: Party, issuer: Party): readonly Buffer[] => [
  sequence(SUBJECT_KEY_ID, octets(octets(subject.keyId))),
  sequence(AUTHORITY_KEY_ID, octets(sequence(element(0x80, issuer.keyId)))),
];

function certificate(
  subject: Party,
  issuer: Party,
  [notBeforeMs, notAfterMs]: readonly [number, number],
  extensions: readonly Buffer[],
): string {
  const signed = sequence(
    element(0xa0, element(0x02, Buffer.from([2]))),
    element(0x02, Buffer.from([0x05]), randomBytes(17)),
    ECDSA_WITH_SHA256,
    issuer.name,
    sequence(time(notBeforeMs), time(notAfterMs)),
    subject.name,
    subject.spki,
    element(0xa3, sequence(...keyIds(subject, issuer), ...extensions)),
  );
  const signature = bits(sign("sha256", signed, issuer.key));
  return pem("CERTIFICATE", sequence(signed, ECDSA_WITH_SHA256, signature));
}

const alternativeNames = (names: readonly string[]): Buffer =>
  sequence(
    ALTERNATIVE_NAMES,
    octets(
      sequence(
        ...names.map((name) =>
          name === LOOPBACK
            ? element(0x87, Buffer.from([127, 0, 0, 1]))
            : element(0x82, Buffer.from(name)),
        ),
      ),
    ),
  );

const withSize = (content: Buffer): Buffer =>
  Buffer.concat([Buffer.from([content.length >> 8, content.length & 0xff]), content]);

/** Log ids and signatures are random: nothing that reads only the times can tell. */
function timestamps(loggedAtMs: readonly number[]): Buffer {
  const list = loggedAtMs.map((ms) => {
    const at = Buffer.alloc(8);
    at.writeBigUInt64BE(BigInt(ms));
    const signature = Buffer.concat([Buffer.from([4, 3]), withSize(randomBytes(70))]);
    return withSize(
      Buffer.concat([Buffer.from([0]), randomBytes(32), at, Buffer.from([0, 0]), signature]),
    );
  });
  return sequence(SCT_LIST, octets(octets(withSize(Buffer.concat(list)))));
}

export function createAuthority(name: string): DemoAuthority {
  const ca = sequence(BASIC_CONSTRAINTS, TRUE, octets(sequence(TRUE)));
  const root = newParty(`${name} Root X1`);
  const intermediate = newParty(`${name} E1`);
  const intermediatePem = certificate(intermediate, root, CA_VALIDITY, [ca]);
  return {
    rootPem: certificate(root, root, CA_VALIDITY, [ca]),
    intermediatePem,
    intermediateKeyPem: intermediate.pem,
    issue: ({ names, notBeforeMs, notAfterMs, loggedAtMs = [] }) => {
      const leaf = newParty(names[0] ?? "");
      const leafPem = certificate(
        leaf,
        intermediate,
        [notBeforeMs, notAfterMs],
        [
          sequence(EXTENDED_KEY_USAGE, octets(sequence(SERVER_AUTH))),
          alternativeNames(names),
          ...(loggedAtMs.length === 0 ? [] : [timestamps(loggedAtMs)]),
        ],
      );
      return { certificatePem: leafPem + intermediatePem, keyPem: leaf.pem };
    },
  };
}

/**
 * DER bytes to a certificate, accepted and refused as Go 1.26 does (crypto/x509 parser.go,
 * parseCertificate and ParseCertificate). Total: whatever the bytes are, the answer is a
 * certificate or what is wrong with them, never an exception. Names, times and keys are checked
 * here because Go refuses the whole certificate over them; texts for people are built only when
 * asked for.
 */
import { hash } from "node:crypto";
import {
  type AlgorithmIdentifier,
  parsePublicKey,
  type PublicKey,
  type SignatureAlgorithm,
  signatureAlgorithmOf,
} from "./publickey.ts";
import { createCache } from "./cache.ts";
import type { NameConstraints } from "./constraint.ts";
import { type BitString, Der, rightAligned, TAG } from "./der.ts";
import { type Extension, type Extensions, noExtensions, readExtensions } from "./extension.ts";
import { ipText } from "./ip.ts";
import { isName, type NameText, nameText } from "./name.ts";
import { readTime } from "./validity.ts";

export type ParsedCertificate =
  | { ok: true; certificate: Certificate }
  | { ok: false; reason: "certificate_malformed"; detail: string };

interface Fields {
  raw: Buffer;
  rawTbs: Buffer;
  rawIssuer: Buffer;
  rawSubject: Buffer;
  rawSpki: Buffer;
  /** 1, 2 or 3. */
  version: number;
  /** Content octets of the serial number INTEGER, a leading 00 included. */
  serialDer: Buffer;
  notBefore: number;
  notAfter: number;
  publicKey: PublicKey;
  signatureAlgorithm: SignatureAlgorithm;
  signature: Uint8Array;
  extensions: readonly Extension[];
  known: Extensions;
}

const issuers = createCache<NameText>(64);

/** A certificate that Go would parse. Byte fields share memory with the input. */
export class Certificate {
  readonly raw: Buffer;
  readonly rawTbs: Buffer;
  readonly rawIssuer: Buffer;
  readonly rawSubject: Buffer;
  readonly rawSpki: Buffer;
  readonly version: number;
  readonly serialDer: Buffer;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly publicKey: PublicKey;
  readonly signatureAlgorithm: SignatureAlgorithm;
  readonly signature: Uint8Array;
  readonly extensions: readonly Extension[];
  /** What the extensions say that Go knows, and the SCT list. */
  readonly known: Extensions;
  #sha256: string | null = null;
  #spkiSha256: string | null = null;
  #subjectKey: string | null = null;
  #issuerKey: string | null = null;
  #subject: NameText | null = null;

  constructor(fields: Fields) {
    this.raw = fields.raw;
    this.rawTbs = fields.rawTbs;
    this.rawIssuer = fields.rawIssuer;
    this.rawSubject = fields.rawSubject;
    this.rawSpki = fields.rawSpki;
    this.version = fields.version;
    this.serialDer = fields.serialDer;
    this.notBeforeMs = fields.notBefore * 1000;
    this.notAfterMs = fields.notAfter * 1000;
    this.publicKey = fields.publicKey;
    this.signatureAlgorithm = fields.signatureAlgorithm;
    this.signature = fields.signature;
    this.extensions = fields.extensions;
    this.known = fields.known;
  }

  /** Lower-case hex of the whole certificate's SHA-256. */
  get sha256(): string {
    return (this.#sha256 ??= hash("sha256", this.raw, "hex"));
  }

  /** Lower-case hex of the SHA-256 of the SubjectPublicKeyInfo as encoded. */
  get spkiSha256(): string {
    return (this.#spkiSha256 ??= hash("sha256", this.rawSpki, "hex"));
  }

  /** The raw subject as a key for look-ups, an octet a character. */
  get subjectKey(): string {
    return (this.#subjectKey ??= this.rawSubject.toString("latin1"));
  }

  get issuerKey(): string {
    return (this.#issuerKey ??= this.rawIssuer.toString("latin1"));
  }

  /** Lower-case hex of the serial number without a leading 00. */
  get serial(): string {
    const { serialDer } = this;
    return serialDer.length > 1 && serialDer[0] === 0
      ? serialDer.toString("hex", 1)
      : serialDer.toString("hex");
  }

  /** RFC 4514 text; decides nothing. */
  get subjectText(): string {
    return (this.#subject ??= nameText(this.rawSubject)).text;
  }

  get issuerText(): string {
    return this.#issuer.text;
  }

  get subjectCommonName(): string | null {
    return (this.#subject ??= nameText(this.rawSubject)).commonName;
  }

  get issuerCommonName(): string | null {
    return this.#issuer.commonName;
  }

  get #issuer(): NameText {
    return issuers(this.issuerKey, () => nameText(this.rawIssuer));
  }

  /** dNSNames as written. */
  get dnsNames(): readonly string[] {
    return this.known.dnsNames;
  }

  get ipAddresses(): string[] {
    return this.known.ipBytes.map(ipText);
  }

  get emailAddresses(): readonly string[] {
    return this.known.emailAddresses;
  }

  get uris(): readonly string[] {
    return this.known.uris;
  }

  get isCa(): boolean {
    return this.known.isCa;
  }

  /** null where there is no limit. */
  get maxPathLen(): number | null {
    return this.known.maxPathLen < 0 ? null : this.known.maxPathLen;
  }

  /** Bits in the order of RFC 5280 §4.2.1.3, digitalSignature = 1; 0 where absent. */
  get keyUsage(): number {
    return this.known.keyUsage;
  }

  /** Hex object identifiers. */
  get extKeyUsages(): readonly string[] {
    return this.known.extKeyUsages;
  }

  /** Empty where absent. */
  get skid(): Buffer {
    return this.known.skid;
  }

  get akid(): Buffer {
    return this.known.akid;
  }

  /** null where the extension is absent. */
  get nameConstraints(): NameConstraints | null {
    return this.known.nameConstraints;
  }

  /** Contents of the inner OCTET STRING (RFC 6962 §3.3), or null. */
  get sctList(): Buffer | null {
    return this.known.sctList;
  }

  /** URIs with http or https. */
  get crlDistributionPoints(): string[] {
    return this.known.crlDistributionPoints.filter((uri) => /^https?:\/\//i.test(uri));
  }
}

class Malformed extends Error {}

function malformed(detail: string): never {
  throw new Malformed(detail);
}

function need<T>(value: T | null, detail: string): T {
  return value === null ? malformed(detail) : value;
}

/** Never throws. The detail is a short phrase such as "malformed validity". */
export function parseCertificate(der: Uint8Array): ParsedCertificate {
  try {
    return { ok: true, certificate: new Certificate(readCertificate(der)) };
  } catch (error) {
    if (error instanceof Malformed)
      return { ok: false, reason: "certificate_malformed", detail: error.message };
    throw error;
  }
}

function readCertificate(der: Uint8Array): Fields {
  const input = Der.of(der);
  const element = need(input.readElement(TAG.sequence), "malformed certificate");
  const raw = element.slice();
  const outer = need(element.read(TAG.sequence), "malformed certificate");

  const tbsElement = need(outer.readElement(TAG.sequence), "malformed tbs certificate");
  const rawTbs = tbsElement.slice();
  const tbs = need(tbsElement.read(TAG.sequence), "malformed tbs certificate");

  const version = readVersion(tbs);
  const serialDer = need(tbs.readIntegerBytes(), "malformed serial number");
  // GODEBUG x509negativeserial is 0 since Go 1.23.
  if ((serialDer[0] as number) & 0x80) malformed("negative serial number");

  const innerAlgorithm = need(tbs.read(TAG.sequence), "malformed signature algorithm identifier");
  const outerAlgorithm = need(outer.read(TAG.sequence), "malformed algorithm identifier");
  if (Buffer.compare(innerAlgorithm.slice(), outerAlgorithm.slice()) !== 0) {
    malformed("inner and outer signature algorithm identifiers don't match");
  }
  const signatureAlgorithm = signatureAlgorithmOf(readAlgorithm(innerAlgorithm));

  const rawIssuer = need(tbs.readElement(TAG.sequence), "malformed issuer").slice();
  if (!isName(rawIssuer)) malformed("malformed issuer");

  const validity = need(tbs.read(TAG.sequence), "malformed validity");
  const notBefore = need(readTime(validity), "malformed validity");
  const notAfter = need(readTime(validity), "malformed validity");

  const rawSubject = need(tbs.readElement(TAG.sequence), "malformed subject").slice();
  if (!isName(rawSubject)) malformed("malformed subject");

  const { rawSpki, publicKey } = readPublicKey(tbs);
  const known = noExtensions();
  const extensions = readTail(tbs, version, known);
  const signature = rightAligned(need<BitString>(outer.readBitString(), "malformed signature"));
  if (raw.length !== der.length) malformed("trailing data");
  return {
    raw,
    rawTbs,
    rawIssuer,
    rawSubject,
    rawSpki,
    version,
    serialDer,
    notBefore,
    notAfter,
    publicKey,
    signatureAlgorithm,
    signature,
    extensions,
    known,
  };
}

function readPublicKey(tbs: Der): Pick<Fields, "rawSpki" | "publicKey"> {
  const element = need(tbs.readElement(TAG.sequence), "malformed public key");
  const rawSpki = element.slice();
  const spki = need(element.read(TAG.sequence), "malformed public key");
  const algorithm = readAlgorithm(
    need(spki.read(TAG.sequence), "malformed public key algorithm identifier"),
  );
  const publicKey = parsePublicKey(algorithm, need(spki.readBitString(), "malformed public key"));
  return "malformed" in publicKey ? malformed(publicKey.malformed) : { rawSpki, publicKey };
}

/** What follows the public key, from version 2 on; fills `known`. */
function readTail(tbs: Der, version: number, known: Extensions): Extension[] {
  if (version === 1) return [];
  if (!tbs.skipOptional(0x81)) malformed("malformed issuerUniqueID");
  if (!tbs.skipOptional(0x82)) malformed("malformed subjectUniqueID");
  if (version !== 3 || !tbs.peek(0xa3)) return [];
  const extensions = readExtensionList(need(tbs.read(0xa3), "malformed extensions"));
  const bad = readExtensions(extensions, known);
  return bad === null ? extensions : malformed(`malformed ${bad}`);
}

/** cryptobyte ReadOptionalASN1Integer under [0], default 0; Go counts versions from one. */
function readVersion(tbs: Der): number {
  if (!tbs.peek(0xa0)) return 1;
  const explicit = need(tbs.read(0xa0), "malformed version");
  const version = need(explicit.readInt64(), "malformed version");
  if (!explicit.empty || version < 0n) malformed("malformed version");
  if (version > 2n) malformed("unknown version");
  return Number(version) + 1;
}

/** parser.go, parseAI. */
function readAlgorithm(der: Der): AlgorithmIdentifier {
  const oid = need(der.readOid(), "malformed algorithm identifier");
  if (der.empty) return { oid, parameters: null };
  return { oid, parameters: need(der.readAnyElement(), "malformed algorithm parameters").slice() };
}

function readExtensionList(explicit: Der): Extension[] {
  const list = need(explicit.read(TAG.sequence), "malformed extensions");
  const extensions: Extension[] = [];
  const seen = new Set<string>();
  while (!list.empty) {
    const extension = need(list.read(TAG.sequence), "malformed extension");
    const oid = need(extension.readOid(), "malformed extension identifier");
    let critical = false;
    if (extension.peek(TAG.boolean))
      critical = need(extension.readBoolean(), "malformed extension critical field");
    const value = need(extension.read(TAG.octetString), "malformed extension value").slice();
    if (seen.has(oid)) malformed("duplicate extension");
    seen.add(oid);
    extensions.push({ oid, critical, value });
  }
  return extensions;
}

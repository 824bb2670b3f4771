/**
 * Extensions of a certificate, as crypto/x509 parser.go, processExtensions, reads them. An
 * extension that Go knows and can't parse makes it refuse the certificate, critical or not; one
 * that it doesn't know counts only if it is critical, and then only for verification.
 */
import { type NameConstraints, parseNameConstraints } from "./constraint.ts";
import { Der, TAG } from "./der.ts";
import { isDomain } from "./domain.ts";
import { OID } from "./asn1.ts";
import { parseUriHost } from "./uri.ts";

export interface Extension {
  /** Hex of the DER contents of the identifier. */
  oid: string;
  critical: boolean;
  value: Buffer;
}

export interface PolicyMapping {
  issuer: string;
  subject: string;
}

/** What the known extensions say. */
export interface Extensions {
  /** Bits of x509.KeyUsage; 0 where the extension is absent or empty. */
  keyUsage: number;
  basicConstraintsValid: boolean;
  isCa: boolean;
  /** -1 where there is no limit. */
  maxPathLen: number;
  hasSubjectAltName: boolean;
  subjectAltName: Buffer | null;
  dnsNames: string[];
  emailAddresses: string[];
  ipBytes: Buffer[];
  uris: string[];
  uriHosts: string[];
  nameConstraints: NameConstraints | null;
  crlDistributionPoints: string[];
  akid: Buffer;
  skid: Buffer;
  /** Hex object identifiers in order, known to Go or not. */
  extKeyUsages: string[];
  /** Hex of each policy's contents; several octet strings are one policy only if equal. */
  policies: string[];
  policyMappings: PolicyMapping[];
  /** null where absent. */
  requireExplicitPolicy: number | null;
  inhibitPolicyMapping: number | null;
  inhibitAnyPolicy: number | null;
  /** Contents of the inner OCTET STRING of the SCT list. */
  sctList: Buffer | null;
  unhandledCritical: string[];
}

/** x509.go, KeyUsage. */
export const KEY_USAGE_CERT_SIGN = 1 << 5;

const EMPTY = Buffer.alloc(0);

export function noExtensions(): Extensions {
  return {
    keyUsage: 0,
    basicConstraintsValid: false,
    isCa: false,
    maxPathLen: -1,
    hasSubjectAltName: false,
    subjectAltName: null,
    dnsNames: [],
    emailAddresses: [],
    ipBytes: [],
    uris: [],
    uriHosts: [],
    nameConstraints: null,
    crlDistributionPoints: [],
    akid: EMPTY,
    skid: EMPTY,
    extKeyUsages: [],
    policies: [],
    policyMappings: [],
    requireExplicitPolicy: null,
    inhibitPolicyMapping: null,
    inhibitAnyPolicy: null,
    sctList: null,
    unhandledCritical: [],
  };
}

type Handler = (out: Extensions, extension: Extension) => string | "unhandled" | null;

/** Reads all of them in order. Text says what Go calls malformed first; null where nothing is. */
export function readExtensions(extensions: readonly Extension[], out: Extensions): string | null {
  for (const extension of extensions) {
    const handler = HANDLERS[extension.oid];
    const result = handler === undefined ? "unhandled" : handler(out, extension);
    if (result === "unhandled") {
      if (extension.critical) out.unhandledCritical.push(extension.oid);
    } else if (result !== null) {
      return result;
    }
  }
  return null;
}

const HANDLERS: Record<string, Handler> = {
  [OID.keyUsage]: (out, { value }) => {
    const bits = new Der(value).readBitString();
    if (bits === null) return "key usage";
    const length = bits.bytes.length * 8 - bits.paddingBits;
    for (let i = 0; i < 9 && i < length; i++) {
      if ((bits.bytes[i >> 3] as number) & (0x80 >> (i & 7))) out.keyUsage |= 1 << i;
    }
    return null;
  },

  [OID.basicConstraints]: (out, { value }) => {
    const sequence = new Der(value).read(TAG.sequence);
    if (sequence === null) return "basic constraints";
    let isCa: boolean | null = false;
    if (sequence.peek(TAG.boolean)) {
      isCa = sequence.readBoolean();
      if (isCa === null) return "basic constraints";
    }
    let maxPathLen = -1;
    if (sequence.peek(TAG.integer)) {
      const limit = sequence.readInt64();
      if (limit === null || limit < 0n) return "basic constraints";
      maxPathLen = Number(limit);
    }
    out.basicConstraintsValid = true;
    out.isCa = isCa;
    out.maxPathLen = maxPathLen;
    return null;
  },

  [OID.subjectAltName]: (out, { value }) => {
    out.hasSubjectAltName = true;
    out.subjectAltName = value;
    const names = new Der(value).read(TAG.sequence);
    if (names === null) return "subject alternative names";
    while (!names.empty) {
      const name = names.readAny();
      if (name === null) return "subject alternative name";
      const bad = readGeneralName(out, names.tag, name.slice());
      if (bad !== null) return bad;
    }
    const count =
      out.dnsNames.length + out.emailAddresses.length + out.ipBytes.length + out.uris.length;
    return count === 0 ? "unhandled" : null;
  },

  [OID.nameConstraints]: (out, { value }) => {
    const read = parseNameConstraints(value);
    if ("malformed" in read) return read.malformed;
    out.nameConstraints = read.constraints;
    return read.unhandled ? "unhandled" : null;
  },

  [OID.crlDistributionPoints]: (out, { value }) => {
    const points = new Der(value).read(TAG.sequence);
    if (points === null) return "CRL distribution points";
    while (!points.empty) {
      const point = points.read(TAG.sequence);
      if (point === null) return "CRL distribution point";
      if (!point.peek(0xa0)) continue;
      const fullName = point.read(0xa0)?.read(0xa0) ?? null;
      if (fullName === null) return "CRL distribution point";
      while (fullName.peek(0x86)) {
        const uri = fullName.read(0x86);
        if (uri === null) return "CRL distribution point";
        out.crlDistributionPoints.push(uri.slice().toString("latin1"));
      }
    }
    return null;
  },

  [OID.authorityKeyId]: (out, { critical, value }) => {
    if (critical) return "authority key identifier (marked critical)";
    const sequence = new Der(value).read(TAG.sequence);
    if (sequence === null) return "authority key identifier";
    if (sequence.peek(0x80)) {
      const id = sequence.read(0x80);
      if (id === null) return "authority key identifier";
      out.akid = id.slice();
    }
    return null;
  },

  [OID.policyConstraints]: (out, { value }) => {
    const sequence = new Der(value).read(TAG.sequence);
    if (sequence === null) return "policy constraints";
    if (sequence.peek(0x80)) {
      const count = sequence.readInt64(0x80);
      if (count === null) return "policy constraints";
      out.requireExplicitPolicy = Number(count);
    }
    if (sequence.peek(0x81)) {
      const count = sequence.readInt64(0x81);
      if (count === null) return "policy constraints";
      out.inhibitPolicyMapping = Number(count);
    }
    return null;
  },

  [OID.extKeyUsage]: (out, { value }) => {
    const sequence = new Der(value).read(TAG.sequence);
    if (sequence === null) return "extended key usages";
    while (!sequence.empty) {
      const oid = sequence.readOid();
      if (oid === null) return "extended key usages";
      out.extKeyUsages.push(oid);
    }
    return null;
  },

  [OID.subjectKeyId]: (out, { critical, value }) => {
    if (critical) return "subject key identifier (marked critical)";
    const id = new Der(value).read(TAG.octetString);
    if (id === null) return "subject key identifier";
    out.skid = id.slice();
    return null;
  },

  [OID.certificatePolicies]: (out, { value }) => {
    const sequence = new Der(value).read(TAG.sequence);
    if (sequence === null) return "certificate policies";
    while (!sequence.empty) {
      const oid = sequence.read(TAG.sequence)?.read(TAG.oid)?.slice() ?? null;
      if (oid === null || !isLongOid(oid)) return "certificate policies";
      const hex = oid.toString("hex");
      if (out.policies.includes(hex)) return "certificate policies";
      out.policies.push(hex);
    }
    return null;
  },

  [OID.policyMappings]: (out, { value }) => {
    const sequence = new Der(value).read(TAG.sequence);
    if (sequence === null) return "policy mappings";
    while (!sequence.empty) {
      const mapping = sequence.read(TAG.sequence);
      const issuer = mapping?.read(TAG.oid) ?? null;
      const subject = mapping?.read(TAG.oid) ?? null;
      if (issuer === null || subject === null) return "policy mappings";
      out.policyMappings.push({
        issuer: issuer.slice().toString("hex"),
        subject: subject.slice().toString("hex"),
      });
    }
    return null;
  },

  [OID.inhibitAnyPolicy]: (out, { value }) => {
    const count = new Der(value).readInt64();
    if (count === null) return "inhibit any policy";
    out.inhibitAnyPolicy = Number(count);
    return null;
  },

  [OID.authorityInfoAccess]: (_out, { critical, value }) => {
    if (critical) return "authority info access (marked critical)";
    const sequence = new Der(value).read(TAG.sequence);
    if (sequence === null) return "authority info access";
    while (!sequence.empty) {
      const access = sequence.read(TAG.sequence);
      if (access === null || access.readOid() === null) return "authority info access";
      if (access.peek(0x86) && access.read(0x86) === null) return "authority info access";
    }
    return null;
  },

  // Not known to Go: never malformed, and unhandled if critical.
  [OID.sctList]: (out, { value }) => {
    const list = new Der(value).read(TAG.octetString);
    if (list !== null) out.sctList = list.slice();
    return "unhandled";
  },
};

/** parser.go, forEachSAN and parseSANExtension: the tag is told by its low bits against 0x80. */
function readGeneralName(out: Extensions, tag: number, value: Buffer): string | null {
  if (tag === 0x87) {
    if (value.length !== 4 && value.length !== 16)
      return "IP address in the subject alternative names";
    out.ipBytes.push(value);
    return null;
  }
  if (tag !== 0x81 && tag !== 0x82 && tag !== 0x86) return null;
  for (const octet of value) if (octet >= 0x80) return "subject alternative name that isn't ASCII";
  const text = value.toString("latin1");
  if (tag === 0x82) {
    out.dnsNames.push(text);
  } else if (tag === 0x81) {
    out.emailAddresses.push(text);
  } else {
    const host = parseUriHost(text);
    if (host === null || (host.length > 0 && !isDomain(host, false)))
      return "URI in the subject alternative names";
    out.uris.push(text);
    out.uriHosts.push(host);
  }
  return null;
}

/** oid.go, newOIDFromDER: minimal arcs of any size. */
function isLongOid(bytes: Uint8Array): boolean {
  if (bytes.length === 0 || (bytes[bytes.length - 1] as number) & 0x80) return false;
  let start = true;
  for (const octet of bytes) {
    if (start && octet === 0x80) return false;
    start = (octet & 0x80) === 0;
  }
  return true;
}

/**
 * A small certificate authority for the tests: a root, intermediates, cross-signs, leaves with
 * embedded SCTs, revocation lists.
 *
 * It stands in for a public authority in shape only (names, extensions, the chain beside the leaf);
 * its keys live in memory and end with the process. Times are arguments; serials and log ids come
 * from `random` where one is given. Keys and ECDSA signatures are always fresh.
 */
import { createHash, randomBytes } from "node:crypto";
import {
  bitString,
  boolean,
  explicit,
  implicit,
  integer,
  integerHex,
  octetString,
  oid,
  pem,
  sequence,
} from "./asn1.ts";
import {
  type Extension,
  type KeyKind,
  type KeyPair,
  type Name,
  type RevokedEntry,
  type SctParts,
  type SignatureHash,
  certificateDer,
  createKey,
  extensionDer,
  keyIdOf,
  keyPemOf,
  nameDer,
  revocationListDer,
  sanExtension,
  sctExtension,
} from "./x509.ts";

/** Random octets; `node:crypto`'s unless given. */
export type Random = (sizeBytes: number) => Uint8Array;

export interface CaCertificate {
  readonly name: Name;
  readonly der: Buffer;
  readonly pem: string;
  readonly keys: KeyPair;
  /** Lower-case hex. */
  readonly serial: string;
}

export interface AuthorityOptions {
  /** Leads the names: `Sandbox` gives O=Sandbox, CN=Sandbox Root X1, CN=SE1. Default `Sandbox`. */
  readonly name?: string;
  /** Of root and intermediates; default P-256, the quickest. */
  readonly curve?: "P-256" | "P-384" | "RSA";
  /** Number of intermediates between root and leaf; default 1, 0 for none. */
  readonly intermediates?: number;
  /** Another authority that signs this one's root too; the cross-sign then stands in each chain. */
  readonly crossSignedBy?: Authority;
  /** Of root and intermediates; default 2020-01-01 to 2045-01-01. */
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly random?: Random;
}

export interface IssueOptions {
  /**
   * subjectAltName, in this order (host names, wildcards, IP addresses); the first is the common
   * name too where it fits 64 characters.
   */
  readonly names: readonly string[];
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Hex, or content octets of the INTEGER as they are; default 18 random octets. */
  readonly serial?: string | Uint8Array;
  /** Kind of a fresh key, or a key to use (many leaves may share one); default P-256. */
  readonly key?: KeyKind | KeyPair;
  /** Default `traditional`: SEC 1 for EC, PKCS#1 for RSA. */
  readonly keyFormat?: "traditional" | "pkcs8";
  readonly scts?: readonly SctParts[];
  /** Only the leaf in `certificatePem`. */
  readonly noIntermediate?: boolean;
  /** Other certificates after the leaf than the authority's chain. */
  readonly chain?: readonly CaCertificate[];
  readonly crlUrls?: readonly string[];
  /** Another common name; null for an empty subject. */
  readonly commonName?: string | null;
  /** False: no subjectAltName at all. */
  readonly san?: boolean;
  /** True: a leaf that says that it is an authority. */
  readonly ca?: boolean;
  /** OIDs; default serverAuth. Empty: no such extension. */
  readonly extendedKeyUsages?: readonly string[];
  readonly extensions?: readonly Extension[];
  readonly hash?: SignatureHash;
}

export interface Issued {
  /** Leaf and chain, as tailscaled and cert-manager store them. */
  readonly certificatePem: string;
  readonly keyPem: string;
  readonly keys: KeyPair;
  readonly leafPem: string;
  readonly leafDer: Buffer;
  /** Hex of the content octets of the serial as they stand in the certificate, lower-case. */
  readonly serial: string;
  /** SHA-256 of `leafDer`, lower-case hex. */
  readonly sha256: string;
}

export interface Authority {
  readonly name: string;
  readonly root: CaCertificate;
  /** The issuing one first, the one below the root last. */
  readonly intermediates: readonly CaCertificate[];
  /** What follows a leaf: the intermediates, and the root's cross-signs where there are any. */
  readonly chain: readonly CaCertificate[];
  issue(options: IssueOptions): Issued;
  /** A certificate over the name and key of another CA certificate, signed by this root. */
  crossSign(
    subject: CaCertificate,
    validity?: { readonly notBefore: Date; readonly notAfter: Date },
  ): CaCertificate;
  /** The issuing certificate's revocation list, DER. */
  revocationList(options: {
    readonly revoked: readonly RevokedEntry[];
    readonly thisUpdate: Date;
    readonly nextUpdate: Date;
    readonly extensions?: readonly Buffer[];
  }): Buffer;
}

const serverAuth = "1.3.6.1.5.5.7.3.1";
const epoch = new Date("2020-01-01T00:00:00Z");
const end = new Date("2045-01-01T00:00:00Z");

const keyUsage = (...octets: [number, number]): Buffer =>
  extensionDer({
    oid: "2.5.29.15",
    critical: true,
    value: bitString(Buffer.from([octets[0]]), octets[1]),
  });
const uriNames = (urls: readonly string[]): Buffer[] =>
  urls.map((url) => implicit(6, Buffer.from(url, "latin1")));
const keyUsageCa = keyUsage(0x06, 1);
const keyUsageLeaf = keyUsage(0x80, 7);
const keyUsageRsaLeaf = keyUsage(0xa0, 5);
const notCa = extensionDer({ oid: "2.5.29.19", critical: true, value: sequence() });
/** Domain-validated, CA/Browser Forum Baseline Requirements §7.1.6.1. */
const policies = extensionDer({
  oid: "2.5.29.32",
  value: sequence(sequence(oid("2.23.140.1.2.1"))),
});
const subjectKeyId = (key: KeyPair): Buffer =>
  extensionDer({ oid: "2.5.29.14", value: octetString(keyIdOf(key)) });
const authorityKeyId = (key: KeyPair): Buffer =>
  extensionDer({ oid: "2.5.29.35", value: sequence(implicit(0, keyIdOf(key))) });

function caExtensions(keys: KeyPair, pathLength: number | null): Buffer[] {
  const constraints = sequence(
    boolean(true),
    ...(pathLength === null ? [] : [integer(pathLength)]),
  );
  return [
    keyUsageCa,
    extensionDer({ oid: "2.5.29.19", critical: true, value: constraints }),
    subjectKeyId(keys),
  ];
}

/** DER of `crlDistributionPoints` with one full name an URL (RFC 5280 §4.2.1.13). */
function crlPoints(urls: readonly string[]): Buffer {
  const points = uriNames(urls).map((name) => sequence(explicit(0, explicit(0, name))));
  return extensionDer({ oid: "2.5.29.31", value: sequence(points) });
}

/** Makes an authority: a root and what stands below it. Some milliseconds; RSA takes longer. */
export function createAuthority(options: AuthorityOptions = {}): Authority {
  const {
    name = "Sandbox",
    curve = "P-256",
    notBefore = epoch,
    notAfter = end,
    random = randomBytes,
  } = options;
  const newSerial = (first: number): string => Buffer.from([first, ...random(17)]).toString("hex");
  const caOf = (
    subject: Name,
    keys: KeyPair,
    signer: { name: Name; keys: KeyPair },
    pathLength: number | null,
  ): CaCertificate => {
    const serial = newSerial(0x41);
    const own = signer.keys === keys;
    const der = certificateDer(
      {
        serial,
        issuer: nameDer(signer.name),
        subject: nameDer(subject),
        notBefore,
        notAfter,
        spki: keys.spki,
        extensions: [
          ...caExtensions(keys, pathLength),
          ...(own ? [] : [authorityKeyId(signer.keys)]),
        ],
      },
      signer.keys,
    );
    return { name: subject, der, pem: pem("CERTIFICATE", der), keys, serial };
  };

  const rootName: Name = [
    ["C", "US"],
    ["O", `${name} Research Group`],
    ["CN", `${name} Root X1`],
  ];
  const rootKeys = createKey(curve);
  const root = caOf(rootName, rootKeys, { name: rootName, keys: rootKeys }, null);
  const intermediates: CaCertificate[] = [];
  for (let left = options.intermediates ?? 1; left > 0; left -= 1) {
    const subject: Name = [
      ["C", "US"],
      ["O", name],
      ["CN", `${name.slice(0, 1).toUpperCase()}E${left}`],
    ];
    intermediates.unshift(caOf(subject, createKey(curve), intermediates[0] ?? root, left - 1));
  }
  const issuing = intermediates[0] ?? root;
  const issuerDer = nameDer(issuing.name);
  const aki = authorityKeyId(issuing.keys);
  const slug = name.toLowerCase().replace(/[^a-z0-9]+/gu, "-");
  const aia = extensionDer({
    oid: "1.3.6.1.5.5.7.1.1",
    value: sequence(
      sequence(oid("1.3.6.1.5.5.7.48.2"), uriNames([`http://${slug}.invalid/issuer`])),
    ),
  });
  const chain: CaCertificate[] = [...intermediates];

  const issue = (wanted: IssueOptions): Issued => {
    const keys = typeof wanted.key === "object" ? wanted.key : createKey(wanted.key);
    const serial = wanted.serial ?? newSerial(0x05);
    const first = wanted.names[0];
    const common =
      wanted.commonName === undefined
        ? first !== undefined && first.length <= 64
          ? first
          : null
        : wanted.commonName;
    const usages = wanted.extendedKeyUsages ?? [serverAuth];
    const leafDer = certificateDer(
      {
        serial,
        issuer: issuerDer,
        subject: nameDer(common === null ? [] : [["CN", common]]),
        notBefore: wanted.notBefore,
        notAfter: wanted.notAfter,
        spki: keys.spki,
        extensions: [
          keys.kind === "RSA" ? keyUsageRsaLeaf : keyUsageLeaf,
          ...(usages.length === 0
            ? []
            : [extensionDer({ oid: "2.5.29.37", value: sequence(usages.map((id) => oid(id))) })]),
          wanted.ca === true
            ? extensionDer({ oid: "2.5.29.19", critical: true, value: sequence(boolean(true)) })
            : notCa,
          subjectKeyId(keys),
          aki,
          aia,
          ...(wanted.san === false || wanted.names.length === 0
            ? []
            : [extensionDer(sanExtension(wanted.names, common === null))]),
          policies,
          ...(wanted.crlUrls === undefined ? [] : [crlPoints(wanted.crlUrls)]),
          ...(wanted.scts === undefined ? [] : [extensionDer(sctExtension(wanted.scts, random))]),
          ...(wanted.extensions ?? []).map(extensionDer),
        ],
        ...(wanted.hash === undefined ? {} : { hash: wanted.hash }),
      },
      issuing.keys,
    );
    const leafPem = pem("CERTIFICATE", leafDer);
    const after = wanted.noIntermediate === true ? [] : (wanted.chain ?? chain);
    return {
      certificatePem: leafPem + after.map((certificate) => certificate.pem).join(""),
      keyPem: keyPemOf(keys, wanted.keyFormat),
      keys,
      leafPem,
      leafDer,
      serial: (typeof serial === "string"
        ? integerHex(serial).subarray(2)
        : Buffer.from(serial)
      ).toString("hex"),
      sha256: createHash("sha256").update(leafDer).digest("hex"),
    };
  };

  const authority: Authority = {
    name,
    root,
    intermediates,
    chain,
    issue,
    crossSign: (subject, validity = { notBefore, notAfter }) => {
      const serial = newSerial(0x42);
      const der = certificateDer(
        {
          serial,
          issuer: nameDer(root.name),
          subject: nameDer(subject.name),
          ...validity,
          spki: subject.keys.spki,
          extensions: [...caExtensions(subject.keys, null), authorityKeyId(root.keys)],
        },
        root.keys,
      );
      return { name: subject.name, der, pem: pem("CERTIFICATE", der), keys: subject.keys, serial };
    },
    revocationList: (wanted) =>
      revocationListDer(
        { issuer: issuerDer, keyId: keyIdOf(issuing.keys), ...wanted },
        issuing.keys,
      ),
  };
  if (options.crossSignedBy !== undefined) chain.push(options.crossSignedBy.crossSign(root));
  return authority;
}

/** How far Let's Encrypt dates a certificate back: 58 min 30 s. */
const BACKDATED_MS = 58.5 * 60_000;

/**
 * Issues a certificate as Let's Encrypt would have `ageMs` before `nowMs`: for 90 days, back-dated,
 * logged twice.
 */
export function issueAged(
  authority: Authority,
  names: readonly string[],
  nowMs: number,
  ageMs: number,
): Issued {
  const issuedAtMs = nowMs - ageMs;
  const notBeforeMs = Math.floor((issuedAtMs - BACKDATED_MS) / 1000) * 1000;
  return authority.issue({
    names,
    notBefore: new Date(notBeforeMs),
    notAfter: new Date(notBeforeMs + 90 * 86_400_000 - 1000),
    scts: [{ timestampMs: issuedAtMs }, { timestampMs: issuedAtMs + 214 }],
  });
}

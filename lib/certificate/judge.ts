/**
 * The verdict on a pair, as its controller's code gives it: tls.X509KeyPair, parsing of every
 * further block, then Certificate.Verify for servers, all as in Go 1.26. Judging knows no time: it
 * gives the windows in which the pair holds, or the reasons why it never does; `verdictAt` puts an
 * instant to that. Total: any bytes get a judgement, none an exception.
 *
 * Invariant: a judgement has reasons or windows, never both and never neither.
 */
import { type Anchors, createPool } from "./anchors.ts";
import { createCache } from "./cache.ts";
import { lowerAscii, matchesHostname } from "./domain.ts";
import { matches, parsePrivateKey } from "./key.ts";
import { type Certificate, parseCertificate } from "./parse.ts";
import { findWindows, type Window } from "./path.ts";
import { parsePemBlocks } from "./pem.ts";
import type { Reason } from "./reason.ts";
import { formatMs } from "./time.ts";
import type { Verifier } from "./verifier.ts";

/**
 * What reports and states say of a certificate: plain JSON, no bytes, nothing derived from a key
 * but digests.
 */
interface CertificateFacts {
  /** RFC 4514 text. */
  subject: string;
  issuer: string;
  subjectCommonName: string | null;
  issuerCommonName: string | null;
  /** dNSNames in lower case as found, then IP addresses. */
  names: string[];
  /** Lower-case hex without a leading 00. */
  serial: string;
  /** RFC 3339, UTC. */
  notBefore: string;
  notAfter: string;
  notBeforeMs: number;
  notAfterMs: number;
  /** Lower-case hex of the whole certificate's SHA-256. */
  sha256: string;
  isCa: boolean;
}

function factsOf(certificate: Certificate): CertificateFacts {
  return {
    subject: certificate.subjectText,
    issuer: certificate.issuerText,
    subjectCommonName: certificate.subjectCommonName,
    issuerCommonName: certificate.issuerCommonName,
    names: [...certificate.dnsNames.map(lowerAscii), ...certificate.ipAddresses],
    serial: certificate.serial,
    notBefore: formatMs(certificate.notBeforeMs),
    notAfter: formatMs(certificate.notAfterMs),
    notBeforeMs: certificate.notBeforeMs,
    notAfterMs: certificate.notAfterMs,
    sha256: certificate.sha256,
    isCa: certificate.isCa,
  };
}

export type { Window } from "./path.ts";

/** PEM bytes as stored. */
export interface Pair {
  certificate: Uint8Array;
  /** `null`: there is none to check; the verdict is the certificate's alone. */
  key: Uint8Array | null;
}

interface JudgeOptions {
  /** The name it is served under; null leaves the name out, as an empty DNSName does in Go. */
  dnsName: string | null;
  anchors: Anchors;
  verifier: Verifier;
  /** Intermediates of known issuers; only to tell a missing intermediate from an unknown issuer. */
  knownIntermediates?: Anchors;
}

export interface Judgement {
  /** null where the first block isn't a certificate. */
  leaf: CertificateFacts | null;
  /** Further blocks that parsed, in order, doubles included. */
  chain: CertificateFacts[];
  keyFits: boolean;
  /** Ascending and apart; empty where the pair holds at no time. */
  windows: Window[];
  /** Why it holds at no time. */
  reasons: Reason[];
  /** SHA-256 of an anchor that a path leads to, whatever else is wrong; null where none does. */
  anchor: string | null;
}

/** What X509KeyPair and the owner's loop over the further blocks see in the certificate field. */
interface ParsedChain {
  leaf: Certificate | null;
  further: Certificate[];
  reasons: Reason[];
}

/** tls.go, X509KeyPair, as far as the certificate field goes. */
export function parseChain(pem: Uint8Array): ParsedChain {
  if (pem.length === 0) return { leaf: null, further: [], reasons: ["certificate_empty"] };
  const blocks = parsePemBlocks(pem).filter((block) => block.type === "CERTIFICATE");
  const [first, ...rest] = blocks;
  if (first === undefined) return { leaf: null, further: [], reasons: ["certificate_not_pem"] };
  const reasons: Reason[] = [];
  const leaf = parseCertificate(first.bytes);
  if (!leaf.ok) reasons.push("certificate_malformed");
  const further: Certificate[] = [];
  for (const block of rest) {
    const parsed = parseIssuer(block.bytes);
    if (parsed === null) reasons.push("chain_malformed");
    else further.push(parsed);
  }
  return { leaf: leaf.ok ? leaf.certificate : null, further, reasons: [...new Set(reasons)] };
}

/**
 * Judges a pair. Its cost is a signature check unless the verifier knows the leaf. `parsed` is what
 * `parseChain` gave for these very bytes, where the caller has it already.
 */
export async function judge(
  pair: Pair,
  options: JudgeOptions,
  parsed: ParsedChain = parseChain(pair.certificate),
): Promise<Judgement> {
  const { leaf, further } = parsed;
  const reasons = [...parsed.reasons];
  const keyFits = judgeKey(pair.key, leaf, reasons);
  if (leaf === null)
    return {
      leaf: null,
      chain: further.map(issuerFacts),
      keyFits,
      windows: [],
      reasons,
      anchor: null,
    };

  if (
    options.dnsName !== null &&
    options.dnsName !== "" &&
    !matchesHostname(leaf.known, options.dnsName)
  ) {
    reasons.push(leaf.known.hasSubjectAltName ? "name_mismatch" : "no_san");
  }
  const { anchors, verifier } = options;
  const { windows, obstacles, anchor } = await findWindows({
    leaf,
    intermediates: further,
    anchors,
    verifier,
  });
  if (windows.length === 0) reasons.push(...(await explain(leaf, further, obstacles, options)));
  return {
    leaf: factsOf(leaf),
    chain: further.map(issuerFacts),
    keyFits,
    windows: reasons.length === 0 ? windows : [],
    reasons,
    anchor: anchor === null ? null : anchor.sha256,
  };
}

/**
 * What the pair is at an instant; inside a window it is valid, outside the reason is one of time.
 */
export function verdictAt(
  judgement: Judgement,
  atMs: number,
): { valid: boolean; reasons: Reason[] } {
  const { leaf, windows } = judgement;
  const reasons = [...judgement.reasons];
  if (leaf !== null) {
    if (atMs < leaf.notBeforeMs) reasons.push("not_yet_valid");
    else if (atMs > leaf.notAfterMs) reasons.push("expired");
  }
  if (reasons.length > 0) return { valid: false, reasons };
  if (windows.some(({ fromMs, untilMs }) => fromMs <= atMs && atMs <= untilMs))
    return { valid: true, reasons };
  const later = windows.some(({ fromMs }) => fromMs > atMs);
  const earlier = windows.some(({ untilMs }) => untilMs < atMs);
  return {
    valid: false,
    reasons: [later && !earlier ? "intermediate_not_yet_valid" : "intermediate_expired"],
  };
}

/** Adds what is wrong with the key to `reasons`; returns whether it belongs to the leaf. */
function judgeKey(pem: Uint8Array | null, leaf: Certificate | null, reasons: Reason[]): boolean {
  if (pem === null) return false;
  if (pem.length === 0) {
    reasons.push("key_empty");
    return false;
  }
  const key = parsePrivateKey(pem);
  if (!key.ok) {
    reasons.push(key.reason);
    return false;
  }
  if (leaf === null) return false;
  const { kind } = leaf.publicKey;
  if (kind === "unknown" || kind === "dsa") {
    reasons.push("key_unsupported");
    return false;
  }
  if (matches(key, leaf.publicKey)) return true;
  reasons.push("key_mismatch");
  return false;
}

/** Most telling first: what a path met last before it would have held. */
const OBSTACLES: readonly Reason[] = [
  "unhandled_critical_extension",
  "not_server_auth",
  "name_constraint",
  "policy_invalid",
  "intermediate_expired",
  "intermediate_not_yet_valid",
  "path_too_long",
  "not_a_ca",
  "weak_signature",
  "weak_key",
  "signature_unsupported",
  "signature_invalid",
  "too_many_paths",
];

/** Why no path holds at any time, at least one reason. */
async function explain(
  leaf: Certificate,
  further: readonly Certificate[],
  obstacles: ReadonlySet<Reason>,
  options: JudgeOptions,
): Promise<Reason[]> {
  if (leaf.notBeforeMs > leaf.notAfterMs) return ["validity_disjoint"];
  const found = OBSTACLES.filter((reason) => obstacles.has(reason));
  if (found.length > 0) return found;
  const known = options.knownIntermediates;
  if (known !== undefined && (await leadsOn(leaf, further, known, options.verifier)))
    return ["missing_intermediate"];
  return ["unknown_issuer"];
}

/**
 * Whether a known intermediate signed the leaf or the last certificate that its own chain reaches.
 */
async function leadsOn(
  leaf: Certificate,
  further: readonly Certificate[],
  known: Anchors,
  verifier: Verifier,
): Promise<boolean> {
  const pool = createPool(further);
  const seen = new Set<Certificate>();
  const queue = [leaf];
  for (let child = queue.shift(); child !== undefined && seen.size < 20; child = queue.shift()) {
    if (seen.has(child)) continue;
    seen.add(child);
    for (const parent of known.parentsOf(child)) {
      if ((await verifier.check(child, parent)) === null) return true;
    }
    for (const parent of pool.parentsOf(child)) {
      if ((await verifier.check(child, parent)) === null) queue.push(parent);
    }
  }
  return false;
}

const issuers = createCache<Certificate | null>(64);

function parseIssuer(der: Uint8Array): Certificate | null {
  return issuers(Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString("latin1"), () => {
    const parsed = parseCertificate(der);
    return parsed.ok ? parsed.certificate : null;
  });
}

const factsCache = new WeakMap<Certificate, CertificateFacts>();

function issuerFacts(certificate: Certificate): CertificateFacts {
  let facts = factsCache.get(certificate);
  if (facts === undefined) {
    facts = factsOf(certificate);
    factsCache.set(certificate, facts);
  }
  return facts;
}

/**
 * Which CA of a kubeconfig proved a connection. A bundle may hold several, and whoever writes a
 * kubeconfig may add one, so that a bundle which contains a cluster's CA proves nothing: the chain
 * from the server's own certificate does.
 *
 * The first connection decides, and every later one has to be proven by the same CA: a cluster
 * isn't identified by one server and then read or written at another.
 */
import { createHash, X509Certificate } from "node:crypto";
import { type DetailedPeerCertificate, checkServerIdentity, type PeerCertificate } from "node:tls";
import type { ClusterIdentity } from "../../state/identity.ts";

/** PEM certificates that are trusted, and the digest over their DER in byte order. */
export interface Bundle {
  readonly pem: string;
  readonly sha256: string;
  readonly certificates: readonly X509Certificate[];
}

/** Bundles of all public authorities have 250 KB. */
export const MAX_PEM_BYTES = 4 * 1024 * 1024;
const BEGIN = "-----BEGIN CERTIFICATE-----";
const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** `null` where there is no certificate or one is broken. */
export function parseBundle(text: string): Bundle | null {
  try {
    const blocks = text.match(PEM_CERTIFICATE) ?? [];
    if (blocks.length === 0 || blocks.length !== text.split(BEGIN).length - 1) return null;
    const certificates = blocks.map((block) => new X509Certificate(block));
    const unique = new Map(
      certificates.map((certificate) => [certificate.fingerprint256, certificate.raw]),
    );
    const sorted = [...unique.values()].toSorted((a, b) => Buffer.compare(a, b));
    const hash = createHash("sha256");
    for (const der of sorted) hash.update(der);
    return {
      pem: certificates.map((certificate) => certificate.toString()).join(""),
      sha256: hash.digest("hex"),
      certificates,
    };
  } catch {
    return null;
  }
}

export type Proven = Omit<ClusterIdentity, "uid">;

export interface Proof {
  /**
   * As `checkServerIdentity` of node:tls, once a chain is verified; and whether it is the chain of
   * the same CA as before.
   */
  check(host: string, peer: PeerCertificate): Error | undefined;
  /** What the connections so far proved. */
  proven(): Proven;
}

/** A connection that another CA proved than the first one. */
export const OTHER_CA = "CERTKEEP_OTHER_CA";

/**
 * `host`: the name that the server's certificate is checked for. `bundle`: `null` where those of
 * the system are trusted, or nothing is checked.
 */
export function createProof(bundle: Bundle | null, host: string): Proof {
  let known: Proven | null = null;
  return {
    check: (name, peer) => {
      const wrong = checkServerIdentity(name, peer);
      if (wrong !== undefined || bundle === null) return wrong;
      const digests = provenBy(chainOf(peer), bundle);
      const first = digests.find((digest) =>
        bundle.certificates.some((certificate) => digestOf(certificate) === digest),
      );
      if (known === null && first !== undefined)
        known = {
          caSha256: first,
          alsoProvenBy: digests.filter((digest) => digest !== first),
          bundleSha256: bundle.certificates.length > 1 ? bundle.sha256 : null,
          host,
        };
      return known?.caSha256 != null && digests.includes(known.caSha256)
        ? undefined
        : Object.assign(new Error("another CA"), { code: OTHER_CA });
    },
    proven: () => known ?? { caSha256: null, host },
  };
}

function digestOf(certificate: X509Certificate): string {
  return certificate.fingerprint256.replaceAll(":", "").toLowerCase();
}

function chainOf(peer: PeerCertificate): X509Certificate[] {
  const chain: X509Certificate[] = [];
  let next: DetailedPeerCertificate | undefined = peer as DetailedPeerCertificate;
  while (next?.raw !== undefined && chain.length < 20) {
    chain.push(new X509Certificate(next.raw));
    // A root is its own issuer.
    next = next.issuerCertificate === next ? undefined : next.issuerCertificate;
  }
  return chain;
}

/**
 * Digests of the server's own certificate and of all that signed it, nearest first. Each step is a
 * signature by a CA: neither what a server sends along nor what a bundle holds beside it proves
 * anything.
 */
function provenBy([own, ...sent]: readonly X509Certificate[], bundle: Bundle): string[] {
  const { certificates } = bundle;
  const issuers = [...certificates, ...sent].filter((one) => one.ca || isSignedBy(one, one));
  const found = new Set<string>();
  let step = own === undefined ? [] : [own];
  while (step.length > 0) {
    for (const certificate of step) found.add(digestOf(certificate));
    step = issuers.filter(
      (issuer) => !found.has(digestOf(issuer)) && step.some((one) => isSignedBy(one, issuer)),
    );
  }
  // The chain is verified, so a single certificate proved it, also by a signature of a kind that
  // can't be checked here.
  const [only] = certificates;
  if (certificates.length === 1 && only !== undefined) found.add(digestOf(only));
  return [...found];
}

function isSignedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  } catch {
    // A key of a kind that this runtime can't use.
    return false;
  }
}

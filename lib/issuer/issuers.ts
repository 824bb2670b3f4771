/**
 * Who issues, as data: anchors, intermediates known for telling an issuance where a chain lacks
 * them, limits and back-dating. Let's Encrypt and its staging are built in; others come from
 * configuration and are the same type. Nothing here fetches anything or knows the time.
 */

import {
  type Anchors,
  anchorsFromPem,
  createAnchors,
  createPool,
  type Pool,
} from "../certificate/anchors.ts";
import type { Certificate } from "../certificate/parse.ts";
import type { Verifier } from "../certificate/verifier.ts";
import production from "./letsencrypt.json" with { type: "json" };
import staging from "./letsencrypt-staging.json" with { type: "json" };

/**
 * A bucket of the issuer: `count` certificates a `periodMs`, refilled evenly, up to `count` at
 * once.
 */
export interface Limit {
  count: number;
  periodMs: number;
}

/** How far before the issuance notBefore is set. */
export interface Backdate {
  /** In force for certificates whose notBefore is at or after this; ms since 1970. */
  fromMs: number;
  backdateMs: number;
}

export interface Issuer {
  /** Stable, of [a-z0-9-]. */
  id: string;
  title: string;
  /** Staging certificates are neither critical nor counted in a production budget. */
  environment: "production" | "staging";
  anchors: Anchors;
  /** Never trusted by themselves. */
  intermediates: Anchors;
  limits: {
    /** Per exact set of names; null where unknown. */
    perSet: Limit | null;
    /** Per registered domain; null where unknown. */
    perDomain: Limit | null;
    source: string;
    /** Day on which the source was read. */
    checked: string;
  } | null;
  /** Latest first; the last holds for all time before. */
  backdating: readonly Backdate[];
  /**
   * Whether every certificate is in public logs before anybody has it, and the shortest lifetime it
   * is issued for; null: not logged.
   */
  logged: { shortestLifetimeMs: number } | null;
  /** ACME directory (RFC 8555 §7.1.1), or null. */
  directory: string | null;
}

const WEEK_MS = 168 * 3_600_000;

/**
 * notBefore lies 58 min 30 s before the issuance, and lay an hour before it until 2024-07-25. Read
 * from letsencrypt/boulder 2d00c8e27 of 2026-08-07; an embedded SCT's time is the better evidence
 * where there is one.
 */
const LETS_ENCRYPT_BACKDATING: readonly Backdate[] = [
  { fromMs: 1_721_865_600_000, backdateMs: 3_510_000 },
  { fromMs: Number.NEGATIVE_INFINITY, backdateMs: 3_600_000 },
];

/**
 * Let's Encrypt logs a precertificate of each certificate before it signs that, and embeds the
 * logs' answers; its shortest profile, shortlived, is of 160 h
 * (https://letsencrypt.org/docs/profiles/, read 2026-08-21).
 */
const LETS_ENCRYPT_LOGGED = { shortestLifetimeMs: 160 * 3_600_000 };

/** The certificates of one file: PEM by name. */
const pems = (set: Readonly<Record<string, string>>): Anchors =>
  anchorsFromPem(...Object.values(set));

export const LETS_ENCRYPT: Issuer = {
  id: "letsencrypt",
  title: "Let's Encrypt",
  environment: "production",
  anchors: pems(production.roots),
  intermediates: pems(production.intermediates),
  limits: {
    perSet: { count: 5, periodMs: WEEK_MS },
    perDomain: { count: 50, periodMs: WEEK_MS },
    source: "https://letsencrypt.org/docs/rate-limits/",
    checked: "2026-08-21",
  },
  backdating: LETS_ENCRYPT_BACKDATING,
  logged: LETS_ENCRYPT_LOGGED,
  directory: "https://acme-v02.api.letsencrypt.org/directory",
};

/** The staging environment; its limits are far higher and not what anybody waits for. */
export const LETS_ENCRYPT_STAGING: Issuer = {
  id: "letsencrypt-staging",
  title: "Let's Encrypt (staging)",
  environment: "staging",
  anchors: pems(staging.roots),
  intermediates: pems(staging.intermediates),
  limits: null,
  backdating: LETS_ENCRYPT_BACKDATING,
  logged: null,
  directory: "https://acme-staging-v02.api.letsencrypt.org/directory",
};

/** What is known without configuration; production first. */
export const BUILT_IN_ISSUERS: readonly Issuer[] = [LETS_ENCRYPT, LETS_ENCRYPT_STAGING];

/**
 * An issuer from configuration. PEM text may hold several blocks; what isn't a certificate is
 * passed over.
 */
export function createIssuer(options: {
  id: string;
  title: string;
  environment?: Issuer["environment"];
  anchorsPem: string | Uint8Array;
  intermediatesPem?: string | Uint8Array;
  limits?: Issuer["limits"];
  backdateMs?: number;
  logged?: Issuer["logged"];
  directory?: Issuer["directory"];
}): Issuer {
  return {
    id: options.id,
    title: options.title,
    environment: options.environment ?? "production",
    anchors: anchorsFromPem(options.anchorsPem),
    intermediates:
      options.intermediatesPem === undefined
        ? createAnchors([])
        : anchorsFromPem(options.intermediatesPem),
    limits: options.limits ?? null,
    backdating: [{ fromMs: Number.NEGATIVE_INFINITY, backdateMs: options.backdateMs ?? 0 }],
    logged: options.logged ?? null,
    directory: options.directory ?? null,
  };
}

/** By how much the issuer set notBefore back when it issued this; ms, 0 if unknown. */
export function backdateMsOf(issuer: Issuer, notBeforeMs: number): number {
  return issuer.backdating.find(({ fromMs }) => notBeforeMs >= fromMs)?.backdateMs ?? 0;
}

/** Certificates looked at for one leaf at most; real paths have fewer than ten. */
const MAX_VISITS = 100;

/**
 * SHA-256 of an anchor of the issuer that the leaf's signatures lead to, or null. Its own chain and
 * the issuer's known intermediates are used together. Time, names and usages are left out: a
 * certificate that expired, or that lacks an intermediate, was issued all the same. An anchor leads
 * to itself.
 */
export function leadsToIssuer(
  certificate: Certificate,
  chain: readonly Certificate[],
  issuer: Issuer,
  verifier: Verifier,
): Promise<string | null> {
  return anchorOf(certificate, createPool(chain), issuer, verifier);
}

async function anchorOf(
  certificate: Certificate,
  pool: Pool,
  issuer: Issuer,
  verifier: Verifier,
): Promise<string | null> {
  if (issuer.anchors.has(certificate)) return certificate.sha256;
  const seen = new Set<string>();
  const queue = [certificate];
  let visits = 0;
  for (let child = queue.shift(); child !== undefined; child = queue.shift()) {
    if (seen.has(child.sha256)) continue;
    seen.add(child.sha256);
    for (const anchor of issuer.anchors.parentsOf(child)) {
      if (++visits > MAX_VISITS) return null;
      if ((await verifier.check(child, anchor)) === null) return anchor.sha256;
    }
    for (const known of [issuer.intermediates, pool]) {
      for (const parent of known.parentsOf(child)) {
        if (++visits > MAX_VISITS) return null;
        if ((await verifier.check(child, parent)) === null) queue.push(parent);
      }
    }
  }
  return null;
}

/** The first of `issuers` that the certificate leads to, or null. */
export async function issuerOf(
  certificate: Certificate,
  chain: readonly Certificate[],
  issuers: readonly Issuer[],
  verifier: Verifier,
): Promise<Issuer | null> {
  const pool = createPool(chain);
  for (const issuer of issuers) {
    if ((await anchorOf(certificate, pool, issuer, verifier)) !== null) return issuer;
  }
  return null;
}

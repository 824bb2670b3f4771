/** States for tests of findings: one certificate that is fine, to be changed. */
import {
  emptyState,
  type CertificateRecord,
  type CopyRecord,
  type SecretRecord,
  type StateDocument,
} from "../../lib/state/document.ts";
import { parseMs } from "../../lib/certificate/time.ts";

export const NOW = "2026-11-23T12:00:00Z";
export const NOW_MS = parseMs(NOW);

export function certificate(over: Partial<CertificateRecord> = {}): CertificateRecord {
  const notBefore = over.notBefore ?? "2026-11-01T00:00:00Z";
  const notAfter = over.notAfter ?? "2027-01-30T00:00:00Z";
  return {
    domain: "shop.tail1a2b3.ts.net",
    names: ["shop.tail1a2b3.ts.net"],
    issuer: "letsencrypt",
    issuerName: "CN=YE1",
    staging: false,
    serial: "0a",
    sha256: "aa",
    notBefore,
    notAfter,
    issuedAt: notBefore,
    issuedBy: "sct",
    keyFits: true,
    windows: [[notBefore, notAfter]],
    reasons: [],
    firstSeenAt: notBefore,
    copy: { version: "v1", digest: "d1", recipients: "r" },
    notKept: null,
    account: null,
    ...over,
  };
}

export function secret(over: Partial<SecretRecord> = {}): SecretRecord {
  return {
    uid: "u1",
    resourceVersion: "1",
    judgedWith: "j",
    recordedAt: "2026-11-02T00:00:00Z",
    shape: "ha-ingress",
    type: "kubernetes.io/tls",
    foreign: false,
    immutable: false,
    parent: null,
    certificates: { tls: certificate() },
    gaps: {},
    accounts: {},
    ...over,
  };
}

/** A backup of that certificate, seen valid. */
export function copy(over: Partial<CopyRecord> = {}): CopyRecord {
  const { issuer, serial, sha256, notBefore, notAfter, issuedAt } = certificate();
  return {
    namespace: "tailscale",
    secret: "shop.tail1a2b3.ts.net",
    shape: "ha-ingress",
    fieldBase: "tls",
    kind: "certificate",
    names: ["shop.tail1a2b3.ts.net"],
    issuer,
    serial,
    sha256,
    notBefore,
    notAfter,
    issuedAt,
    account: null,
    digest: "d1",
    key: "k1",
    recordedAt: notBefore,
    seenValid: true,
    liveFrom: notBefore,
    liveUntil: NOW,
    ...over,
  };
}

export function state(
  secrets: Record<string, SecretRecord> = { "tailscale/shop.tail1a2b3.ts.net": secret() },
  over: Partial<StateDocument> = {},
): StateDocument {
  return {
    ...emptyState("prod", "prod", "https://10.0.0.1"),
    audit: {
      startedAt: NOW,
      finishedAt: NOW,
      complete: true,
      lastCompleteAt: NOW,
      lastReachedAt: NOW,
      unread: [],
      secrets: 1,
      foreign: 0,
    },
    secrets,
    ...over,
  };
}

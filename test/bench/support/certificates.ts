/**
 * TLS Secrets by the thousand, each with a key and certificate of its own under one issuer, and
 * what it takes to verify them barely.
 */
import { parseCertificate } from "../../../lib/certificate/parse.ts";
import { createAuthority } from "../../support/pki.ts";
import type { SecretManifest } from "../../e2e/support/objects.ts";

/** Signatures of one issuer: base64 of what was signed and of the signature. */
export interface Signatures {
  readonly hash: string;
  /** DER, base64. */
  readonly spki: string;
  readonly signed: readonly (readonly [string, string])[];
}

export interface CertificateSet {
  readonly rootPem: string;
  readonly secrets: readonly SecretManifest[];
  readonly signatures: Signatures;
}

const DAY_MS = 86_400_000;
export const NAMESPACES = 20;
export const namespaceOf = (i: number): string => `team-${i % NAMESPACES}`;

/** Some 2 ms each. */
export function createCertificates(
  count: number,
  curve: "P-256" | "P-384",
  nowMs: number,
): CertificateSet {
  const authority = createAuthority({ name: "Bench", curve });
  const issuing = authority.intermediates[0];
  if (issuing === undefined) throw new Error("no intermediate");
  const signed: [string, string][] = [];
  const secrets: SecretManifest[] = [];
  for (let i = 0; i < count; i += 1) {
    const issued = authority.issue({
      names: [`app-${i}.example.com`],
      notBefore: new Date(nowMs - (1 + (i % 40)) * DAY_MS),
      notAfter: new Date(nowMs + (89 - (i % 40)) * DAY_MS),
    });
    const parsed = parseCertificate(issued.leafDer);
    if (!parsed.ok) throw new Error(parsed.detail);
    const { rawTbs, signature } = parsed.certificate;
    signed.push([
      Buffer.from(rawTbs).toString("base64"),
      Buffer.from(signature).toString("base64"),
    ]);
    secrets.push({
      namespace: namespaceOf(i),
      name: `app-${i}-tls`,
      type: "kubernetes.io/tls",
      data: {
        "tls.crt": Buffer.from(issued.certificatePem).toString("base64"),
        "tls.key": Buffer.from(issued.keyPem).toString("base64"),
      },
    });
  }
  const hash = curve === "P-384" ? "sha384" : "sha256";
  return {
    rootPem: authority.root.pem,
    secrets,
    signatures: { hash, spki: issuing.keys.spki.toString("base64"), signed },
  };
}

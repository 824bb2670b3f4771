/**
 * What cert-manager itself would say of a Secret that one of its Certificates owns. It looks at
 * less than Tailscale does: neither trust nor names nor the chain, only whether both halves are
 * there and fit each other, and whether renewal is due
 * (internal/controller/certificates/policies/checks.go: SecretIsMissingData,
 * SecretPublicKeysDiffer, CurrentCertificateNearingExpiry). What needs the Certificate object isn't
 * judged.
 */
import { parsePrivateKeyDer } from "../certificate/key.ts";
import { type Certificate, parseCertificate } from "../certificate/parse.ts";
import { parsePemBlocks } from "../certificate/pem.ts";
import { samePublicKey } from "../certificate/publickey.ts";
import { own } from "./shapes.ts";

/** Why it orders another: the first check that fails. */
export type CertManagerReason =
  | "missing_data"
  | "invalid_private_key"
  | "invalid_certificate"
  | "public_keys_differ"
  | "renewal_due";

export interface CertManagerVerdict {
  readonly keeps: boolean;
  readonly reason: CertManagerReason | null;
  /**
   * Milliseconds since 1970; by the default rule, a third of the lifetime before its end. `null`
   * where there is no certificate.
   */
  readonly renewalAtMs: number | null;
}

const SECOND_MS = 1000;

/** Whether annotations say that a cert-manager Certificate owns the Secret. */
export function isCertManagers(annotations: Readonly<Record<string, string>>): boolean {
  return (own(annotations, "cert-manager.io/certificate-name") ?? "") !== "";
}

const MAX_NAMES = 100;

/**
 * Names that it noted on a Secret. It does so only of a certificate that it issued
 * (internal/controller/certificates, AnnotationsForCertificate), so that an empty Secret with them
 * has lost one.
 */
export function issuedNames({
  annotations,
}: {
  readonly annotations: Readonly<Record<string, string>>;
}): string[] {
  const noted = ["cert-manager.io/alt-names", "cert-manager.io/common-name"].flatMap((key) =>
    (own(annotations, key) ?? "").split(","),
  );
  return [...new Set(noted.map((name) => name.trim()))]
    .filter((name) => /^[!-~]{1,253}$/.test(name))
    .slice(0, MAX_NAMES);
}

/** Its verdict on `tls.crt` and `tls.key` at an instant. Total. */
export function certManagerVerdict(
  certificate: Uint8Array,
  key: Uint8Array,
  atMs: number,
): CertManagerVerdict {
  const refuse = (
    reason: CertManagerReason,
    renewalAtMs: number | null = null,
  ): CertManagerVerdict => ({ keeps: false, reason, renewalAtMs });
  if (certificate.length === 0 || key.length === 0) return refuse("missing_data");
  const privateKey = decodeKey(key);
  if (privateKey === null) return refuse("invalid_private_key");
  const leaf = decodeChain(certificate);
  if (leaf === null) return refuse("invalid_certificate");
  if (!samePublicKey(privateKey, leaf.publicKey)) return refuse("public_keys_differ");
  const renewalAtMs = renewalTimeMs(leaf.notBeforeMs, leaf.notAfterMs);
  return atMs >= renewalAtMs
    ? refuse("renewal_due", renewalAtMs)
    : { keeps: true, reason: null, renewalAtMs };
}

/** pkg/util/pki/renewaltime.go, RenewalTime without overrides: cut to the second. */
export function renewalTimeMs(notBeforeMs: number, notAfterMs: number): number {
  const at = notAfterMs - Math.floor((notAfterMs - notBeforeMs) / 3);
  return at - (((at % SECOND_MS) + SECOND_MS) % SECOND_MS);
}

/**
 * pkg/util/pki/parse.go, DecodePrivateKeyBytes: the first block, whose label has to be one of
 * three.
 */
function decodeKey(pem: Uint8Array): Parameters<typeof samePublicKey>[0] | null {
  const block = parsePemBlocks(pem)[0];
  if (
    block === undefined ||
    !["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"].includes(block.type)
  )
    return null;
  const key = parsePrivateKeyDer(block.bytes);
  return key.ok ? key.publicKey : null;
}

/**
 * pkg/util/pki/parse.go, DecodeX509CertificateChainBytes: every block has to be a certificate,
 * whatever its label.
 */
function decodeChain(pem: Uint8Array): Certificate | null {
  const parsed = parsePemBlocks(pem).map((block) => parseCertificate(block.bytes));
  const [first] = parsed;
  return first !== undefined && first.ok && parsed.every((one) => one.ok)
    ? first.certificate
    : null;
}

/**
 * What cert-manager itself would say of a Secret that one of its Certificates owns. It looks at less than
 * Tailscale does: neither trust nor names nor the chain, only whether both halves are there and fit each
 * other, and whether renewal is due (internal/controller/certificates/policies/checks.go: SecretIsMissingData,
 * SecretPublicKeysDiffer, CurrentCertificateNearingExpiry). What needs the Certificate object isn't judged.
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
  /** Nanoseconds since 1970; by the default rule, a third of the lifetime before its end. `null` where there is no certificate. */
  readonly renewalAtNs: bigint | null;
}

const SECOND_NS = 1_000_000_000n;

/** Whether annotations say that a cert-manager Certificate owns the Secret. */
export function isCertManagers(annotations: Readonly<Record<string, string>>): boolean {
  return (own(annotations, "cert-manager.io/certificate-name") ?? "") !== "";
}

/** Its verdict on `tls.crt` and `tls.key` at an instant. Total. */
export function certManagerVerdict(
  certificate: Uint8Array,
  key: Uint8Array,
  atNs: bigint,
): CertManagerVerdict {
  const refuse = (
    reason: CertManagerReason,
    renewalAtNs: bigint | null = null,
  ): CertManagerVerdict => ({ keeps: false, reason, renewalAtNs });
  if (certificate.length === 0 || key.length === 0) return refuse("missing_data");
  const privateKey = decodeKey(key);
  if (privateKey === null) return refuse("invalid_private_key");
  const leaf = decodeChain(certificate);
  if (leaf === null) return refuse("invalid_certificate");
  if (!samePublicKey(privateKey, leaf.publicKey)) return refuse("public_keys_differ");
  const renewalAtNs = renewalTimeNs(leaf.notBeforeNs, leaf.notAfterNs);
  return atNs >= renewalAtNs
    ? refuse("renewal_due", renewalAtNs)
    : { keeps: true, reason: null, renewalAtNs };
}

/** pkg/util/pki/renewaltime.go, RenewalTime without overrides: cut to the second. */
export function renewalTimeNs(notBeforeNs: bigint, notAfterNs: bigint): bigint {
  const at = notAfterNs - (notAfterNs - notBeforeNs) / 3n;
  return at - (((at % SECOND_NS) + SECOND_NS) % SECOND_NS);
}

/** pkg/util/pki/parse.go, DecodePrivateKeyBytes: the first block, whose label has to be one of three. */
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

/** pkg/util/pki/parse.go, DecodeX509CertificateChainBytes: every block has to be a certificate, whatever its label. */
function decodeChain(pem: Uint8Array): Certificate | null {
  const parsed = parsePemBlocks(pem).map((block) => parseCertificate(block.bytes));
  const [first] = parsed;
  return first !== undefined && first.ok && parsed.every((one) => one.ok)
    ? first.certificate
    : null;
}

/** Reason codes of the judge in words. */
import type { Reason } from "../../certificate/reason.ts";

/** One clause a code. */
const CLAUSES: Readonly<Record<Reason, string>> = {
  certificate_empty: "the certificate field is empty",
  key_empty: "the key field is empty",
  certificate_not_pem: "the certificate field holds no PEM block of type CERTIFICATE",
  certificate_malformed: "the first certificate isn't well-formed",
  chain_malformed: "a further certificate in the chain isn't well-formed",
  key_not_pem: "the key field holds no PEM block whose type ends in PRIVATE KEY",
  key_malformed: "the private key isn't well-formed or its numbers don't belong together",
  key_unsupported: "the key is of a kind that TLS in Go can't use",
  key_mismatch: "the private key doesn't match the certificate",
  expired: "the certificate has expired",
  not_yet_valid: "the certificate isn't valid yet",
  name_mismatch: "the certificate isn't for this name",
  no_san: "the certificate has no subject alternative names; the common name doesn't count",
  unknown_issuer: "the certificate isn't signed by a trusted CA",
  missing_intermediate: "an intermediate certificate is missing from the chain",
  intermediate_expired: "a certificate on the path to the anchor has expired",
  intermediate_not_yet_valid: "a certificate on the path to the anchor isn't valid yet",
  validity_disjoint: "at no time are all certificates of a path valid together",
  weak_signature: "a signature uses SHA-1 or MD5",
  weak_key: "a signature is by an RSA key of fewer than 1024 bits",
  signature_invalid: "a signature doesn't verify with the issuer's key",
  signature_unsupported: "a signature uses an algorithm that can't be verified",
  unhandled_critical_extension: "a certificate has a critical extension that isn't understood",
  not_server_auth: "the certificate, or one above it, isn't meant for servers",
  name_constraint: "a certificate on the path doesn't permit one of the names",
  policy_invalid: "a certificate on the path demands a policy that the path doesn't have",
  not_a_ca: "a certificate that isn't a CA stands as issuer in the path",
  path_too_long: "the path is longer than one of its certificates permits",
  too_many_paths: "more than 100 signatures would have to be checked to find a path",
};

const clauses: Readonly<Record<string, string>> = CLAUSES;

/**
 * `the private key doesn't match the certificate; …`: one clause a code, unknown codes as they are.
 */
export function reasonText(reasons: readonly string[]): string {
  if (reasons.length === 0) return "the reason is not known";
  return reasons
    .map((reason) =>
      Object.hasOwn(clauses, reason) ? (clauses[reason] ?? "") : reason.replaceAll("_", " "),
    )
    .join("; ");
}

/** One reason as a sentence. */
export function reasonSentence(reason: string): string {
  const clause = reasonText([reason]);
  return `${clause.charAt(0).toUpperCase()}${clause.slice(1)}.`;
}

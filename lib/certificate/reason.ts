/**
 * Why a pair isn't valid: stable codes, and one plain sentence each. Codes are an interface: they stand in
 * states, reports and --json; none is renamed or reused.
 */

/** Code to sentence. The sentences are for people and may change. */
export const REASONS = {
  certificate_empty: "The certificate field is empty.",
  key_empty: "The key field is empty.",
  certificate_not_pem: "The certificate field holds no PEM block of type CERTIFICATE.",
  certificate_malformed: "The first certificate isn't well-formed.",
  chain_malformed: "A further certificate in the chain isn't well-formed.",
  key_not_pem: "The key field holds no PEM block whose type ends in PRIVATE KEY.",
  key_malformed: "The private key isn't well-formed or its numbers don't belong together.",
  key_unsupported: "The key is of a kind that TLS in Go can't use.",
  key_mismatch: "The private key doesn't belong to the certificate.",
  expired: "The certificate has expired.",
  not_yet_valid: "The certificate isn't valid yet.",
  name_mismatch: "The certificate isn't for this name.",
  no_san: "The certificate has no subject alternative names; the common name doesn't count.",
  unknown_issuer: "No path leads from the certificate to a trusted anchor.",
  missing_intermediate: "An intermediate certificate of a known issuer is missing from the chain.",
  intermediate_expired: "A certificate on the path to the anchor has expired.",
  intermediate_not_yet_valid: "A certificate on the path to the anchor isn't valid yet.",
  validity_disjoint: "At no time are all certificates of a path valid together.",
  weak_signature: "A signature uses SHA-1 or MD5.",
  weak_key: "A signature is by an RSA key of fewer than 1024 bits.",
  signature_invalid: "A signature doesn't verify with the issuer's key.",
  signature_unsupported: "A signature uses an algorithm that can't be verified.",
  unhandled_critical_extension: "A certificate has a critical extension that isn't understood.",
  not_server_auth: "The certificate, or one above it, isn't meant for servers.",
  name_constraint: "A certificate on the path doesn't permit one of the names.",
  policy_invalid: "A certificate on the path demands a policy that the path doesn't have.",
  not_a_ca: "A certificate that isn't a CA stands as issuer in the path.",
  path_too_long: "The path is longer than one of its certificates permits.",
  too_many_paths: "More than 100 signatures would have to be checked to find a path.",
} as const;

/** A stable code. */
export type Reason = keyof typeof REASONS;

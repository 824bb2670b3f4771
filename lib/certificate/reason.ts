/**
 * Why a pair isn't valid: stable codes. They are an interface: they stand in
 * states, reports and --json; none is renamed or reused.
 */

export const REASONS = [
  "certificate_empty",
  "key_empty",
  "certificate_not_pem",
  "certificate_malformed",
  "chain_malformed",
  "key_not_pem",
  "key_malformed",
  "key_unsupported",
  "key_mismatch",
  "expired",
  "not_yet_valid",
  "name_mismatch",
  "no_san",
  "unknown_issuer",
  "missing_intermediate",
  "intermediate_expired",
  "intermediate_not_yet_valid",
  "validity_disjoint",
  "weak_signature",
  "weak_key",
  "signature_invalid",
  "signature_unsupported",
  "unhandled_critical_extension",
  "not_server_auth",
  "name_constraint",
  "policy_invalid",
  "not_a_ca",
  "path_too_long",
  "too_many_paths",
] as const;

/** A stable code. */
export type Reason = (typeof REASONS)[number];

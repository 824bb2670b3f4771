/**
 * Why a plan decides as it does: stable codes, and whether a person may override one by naming it
 * (`--force CODE`). Codes are an interface: they stand in plans and in --json; none is renamed or
 * reused.
 */

/**
 * `forcible`: `--force` may name it. What would put something into a cluster that can't work, or
 * isn't ours, never.
 */
export const PLAN_CODES = {
  /** Restore. */
  secret_absent: "fixed",
  fields_absent: "fixed",
  live_invalid: "fixed",
  copy_longer: "fixed",
  account_absent: "fixed",
  account_with_certificate: "fixed",
  account_of_live: "fixed",
  secret_recreated: "fixed",
  forced: "fixed",

  /** Keep. */
  already_there: "fixed",
  live_valid: "forcible",
  account_in_use: "fixed",

  /** Later. */
  owner_makes_it: "fixed",

  /** Refuse: the copy. */
  no_copy: "fixed",
  copy_damaged: "fixed",
  copy_unreadable: "fixed",
  copy_format_newer: "fixed",
  copy_sealed_for_others: "fixed",
  copy_forged: "fixed",
  copy_swapped: "fixed",
  copy_of_another: "fixed",
  copy_unrecorded: "fixed",
  copy_retired: "fixed",
  copy_expired: "fixed",
  copy_not_yet_valid: "forcible",
  copy_key_mismatch: "fixed",
  copy_invalid: "forcible",
  copy_staging: "forcible",
  copy_revoked: "fixed",
  names_differ: "forcible",
  standby_not_asked: "fixed",
  standby_for_tailscale: "fixed",
  account_unknown: "fixed",
  account_not_backed_up: "fixed",
  account_of_another: "fixed",
  account_belongs_to_live: "fixed",

  /** Refuse: the place. */
  live_unknown: "fixed",
  live_deleting: "fixed",
  namespace_absent: "fixed",
  secret_immutable: "fixed",
  type_differs: "fixed",
  replace_would_lose: "fixed",
  place_not_for_shape: "fixed",
  device_renamed: "fixed",
  several_places: "fixed",
} as const satisfies Record<string, "fixed" | "forcible">;

export type PlanCode = keyof typeof PLAN_CODES;

/** Codes that `--force` takes. */
export const FORCIBLE: readonly PlanCode[] = (Object.keys(PLAN_CODES) as PlanCode[]).filter(
  isForcible,
);

export function isForcible(code: PlanCode): boolean {
  return PLAN_CODES[code] === "forcible";
}

export function isPlanCode(text: string): text is PlanCode {
  return Object.hasOwn(PLAN_CODES, text);
}

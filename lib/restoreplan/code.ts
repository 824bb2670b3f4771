/**
 * Why a plan decides as it does: stable codes, one clause each, and whether a person may override it by naming
 * it (`--force CODE`). Codes are an interface: they stand in plans and in --json; none is renamed or reused.
 */

interface Entry {
  readonly words: string;
  /** Whether `--force` may name it. What would put something into a cluster that can't work, or isn't ours, never. */
  readonly forcible: boolean;
}

function entry(words: string, forcible = false): Entry {
  return { words, forcible };
}

export const PLAN_CODES = {
  /** Restore. */
  secret_absent: entry("the Secret is gone"),
  fields_absent: entry("its fields are empty or gone"),
  live_invalid: entry("what is there is refused by its owner"),
  copy_longer: entry("the copy is valid for longer than what is there"),
  account_absent: entry("no account key is there"),
  account_with_certificate: entry("it belongs to a certificate that is restored with it"),
  account_of_live: entry(
    "it belongs to the valid certificate that is there; the key that is there doesn't",
  ),
  secret_recreated: entry(
    "the Secret is immutable, so the certificate can't be renewed: it is recreated with everything in it",
  ),
  forced: entry("you named what is overridden"),

  /** Keep. */
  already_there: entry("the very same bytes are there already"),
  live_valid: entry(
    "what is there is valid, and the copy is not valid for longer, or lacks one of its names",
    true,
  ),
  account_in_use: entry(
    "an account key is there, and no certificate is known to belong to another account",
  ),

  /** Later. */
  owner_makes_it: entry(
    "its owner makes the Secret itself, under a new name, and it isn't there yet",
  ),

  /** Refuse: the copy. */
  no_copy: entry("there is no copy of it"),
  copy_damaged: entry("the copy is damaged"),
  copy_unreadable: entry("the backup can't be read"),
  copy_format_newer: entry("the copy was written by a newer certkeep: update this one"),
  copy_sealed_for_others: entry("the identity at hand doesn't open the copy"),
  copy_forged: entry("the copy holds something that no audit would have put there"),
  copy_swapped: entry("the copy isn't the one that an audit recorded: its digest is another"),
  copy_of_another: entry("the backup came from another cluster (--from-cluster NAME takes those)"),
  copy_unrecorded: entry("no audit recorded this copy (--unrecorded takes it all the same)"),
  copy_retired: entry("the copy was retired"),
  copy_expired: entry("the copy has expired"),
  copy_not_yet_valid: entry("the copy is not valid yet", true),
  copy_key_mismatch: entry("the copy's key doesn't fit its certificate"),
  copy_invalid: entry("its owner would refuse the copy", true),
  copy_staging: entry(
    "the copy is a staging certificate, which costs nothing to issue again",
    true,
  ),
  copy_revoked: entry("the copy's certificate is revoked"),
  names_differ: entry("the copy's names aren't those last seen at this place", true),
  standby_not_asked: entry("it is a standby certificate of another origin (--standby takes it)"),
  standby_for_tailscale: entry(
    "a standby certificate doesn't help here: Tailscale discards what isn't of its own issuer and asks for a new one at each access. What helps: another host name, or staging for the time",
  ),
  account_unknown: entry("the account key isn't the one last seen at this place"),
  account_not_backed_up: entry(
    "there is no backup of the ACME account key that the certificate was issued under",
  ),
  account_of_another: entry("no certificate there was issued under this account"),
  account_belongs_to_live: entry(
    "the account key that is there belongs to a valid certificate beside it",
  ),

  /** Refuse: the place. */
  live_unknown: entry("what is there could not be read"),
  live_deleting: entry("the Secret is being deleted"),
  namespace_absent: entry("the namespace is gone (--create-namespace makes it)"),
  secret_immutable: entry("the Secret is immutable (--replace recreates it with everything in it)"),
  type_differs: entry(
    "the Secret has another type, which can't be changed (--replace recreates it with everything in it)",
  ),
  replace_would_lose: entry("the Secret can't be recreated without losing something of it"),
  place_not_for_shape: entry("this shape can't be restored to another place"),
  device_renamed: entry(
    "the machine has got another name in the tailnet, so it wouldn't serve this certificate",
  ),
  several_places: entry("several Secrets fit"),
} as const satisfies Record<string, Entry>;

export type PlanCode = keyof typeof PLAN_CODES;

/** Codes that `--force` takes. */
export const FORCIBLE: readonly PlanCode[] = (Object.keys(PLAN_CODES) as PlanCode[]).filter(
  isForcible,
);

export function isForcible(code: PlanCode): boolean {
  return PLAN_CODES[code].forcible;
}

export function isPlanCode(text: string): text is PlanCode {
  return Object.hasOwn(PLAN_CODES, text);
}

export function codeWords(code: PlanCode): string {
  return PLAN_CODES[code].words;
}

/**
 * Why a plan decides as it does: stable codes with what they are about, and whether a person may
 * override one by naming it (`--force CODE`). Codes are an interface: they stand in plans and in
 * --json; none is renamed or reused. Notes are what else a person has to know of an item or of the
 * plan. Sentences are made in lib/report.
 */
import type { CopyProblem } from "../backup/record.ts";
import type { RevocationGap } from "./view.ts";

interface ForgedPlace {
  readonly cluster: string;
  readonly namespace: string;
  readonly secret: string;
}

/** What a code is about. Texts of a cluster, of a backup or of an error may be in it. */
export type Detail =
  /** Of the copy. */
  | { readonly kind: "retired"; readonly reason: string }
  | { readonly kind: "revoked"; readonly at: string }
  | { readonly kind: "expired" | "not_before"; readonly atMs: number }
  /** Codes of lib/certificate/reason.ts. `refused`: by the owner of what is there already. */
  | { readonly kind: "reasons" | "refused"; readonly reasons: readonly string[] }
  | {
      readonly kind: "names";
      readonly copy: readonly string[];
      readonly lastSeen: readonly string[];
    }
  | { readonly kind: "not_in_store"; readonly url: string }
  | { readonly kind: "problems"; readonly problems: readonly CopyProblem[] }
  | { readonly kind: "elsewhere"; readonly says: ForgedPlace }
  | { readonly kind: "digest"; readonly found: string; readonly recorded: string }
  | { readonly kind: "shape"; readonly shape: string }
  | {
      readonly kind: "content";
      readonly what:
        | "no_private_key"
        | "other_account"
        | "half_a_pair"
        | "no_certificate"
        | "other_certificate"
        | "other_names";
    }
  | { readonly kind: "origin"; readonly cluster: string; readonly identity: string }
  /** Of the account. `lost`: whose renewal is refused then. */
  | {
      readonly kind: "account";
      /** `title`: `null` where the certificates there could not be looked at. */
      readonly user: { readonly title: string | null; readonly sure: boolean } | null;
      readonly lost: string | null;
    }
  /** Of the place. */
  | { readonly kind: "namespace"; readonly namespace: string }
  | { readonly kind: "finalizers"; readonly finalizers: readonly string[] }
  | { readonly kind: "types"; readonly live: string; readonly copy: string }
  | { readonly kind: "named"; readonly by: "domain" | "operator"; readonly name: string }
  | { readonly kind: "not_state"; readonly type: string }
  | { readonly kind: "random_names" }
  | { readonly kind: "secrets"; readonly names: readonly string[] }
  /**
   * A machine of the tailnet. `name`: `null` where it isn't known; `isToCome`: it hasn't run yet.
   */
  | {
      readonly kind: "device";
      readonly name: string | null;
      readonly isToCome: boolean;
      readonly domain: string | null;
    }
  | { readonly kind: "same_name" }
  /** Its parent makes it: `parent` is an Ingress, `null` where it isn't known. */
  | {
      readonly kind: "parent";
      readonly parent: { readonly namespace: string | null; readonly name: string } | null;
      readonly there: "present" | "absent" | "unknown";
      readonly secret: string;
    }
  /** In the words of an error. */
  | { readonly kind: "error"; readonly found: string };

export interface Objection {
  readonly code: PlanCode;
  readonly detail: Detail | null;
}

export function objection(code: PlanCode, detail: Detail | null = null): Objection {
  return { code, detail };
}

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

/** A label or an annotation. */
export interface Mark {
  readonly kind: "annotation" | "label";
  readonly key: string;
}

export type Note =
  | { readonly note: "secret_renamed"; readonly from: string; readonly to: string }
  | { readonly note: "recorder_unverified" }
  /** What cert-manager will do. `name`: of the Certificate. */
  | {
      readonly note:
        | "certmanager_no_issuer"
        | "certmanager_renews"
        | "certmanager_newer_seen"
        | "certmanager_not_known"
        | "certmanager_adopts";
    }
  | {
      readonly note: "certmanager_other_place" | "certmanager_ordered";
      readonly name: string;
    }
  | { readonly note: "unknown_issuer"; readonly untilMs: number }
  | { readonly note: "older_copy" }
  | {
      readonly note: "passed_over";
      readonly version: string;
      readonly code: PlanCode;
      readonly detail: Detail | null;
    }
  | { readonly note: "revocation_unknown"; readonly gap: RevocationGap }
  | { readonly note: "unrecorded" }
  | { readonly note: "account_unknown" }
  /** Metadata that isn't brought back. */
  | { readonly note: "marks_not_added" | "marks_not_moved"; readonly marks: readonly Mark[] }
  | { readonly note: "unkept_unknown" }
  | { readonly note: "unkept"; readonly unkept: readonly string[] };

/** What comes before everything else in a plan. */
export type PlanWarning =
  | { readonly warning: "machines_of_rebuilt" }
  | { readonly warning: "other_cluster"; readonly title: string; readonly key: string }
  | { readonly warning: "successor"; readonly key: string; readonly recorded: string | null }
  | { readonly warning: "pinned"; readonly key: string }
  | { readonly warning: "not_rebuilt" }
  | { readonly warning: "unknown_cluster"; readonly called: string; readonly isRegistered: boolean }
  | {
      readonly warning: "recreation";
      readonly namespace: string;
      readonly secret: string;
      /** `note`: the Secret that holds what the deleted one held. */
      readonly state: "note_unreadable" | "to_create" | "created";
      readonly note: string;
    }
  | { readonly warning: "error"; readonly found: string }
  | { readonly warning: "not_looked_at"; readonly found: string }
  | { readonly warning: "more_not_looked_at"; readonly count: number }
  | { readonly warning: "never_audited"; readonly cluster: string; readonly isAsked: boolean }
  | { readonly warning: "nothing_fits" }
  /** Everything was asked for, and audits saw no certificate. */
  | { readonly warning: "nothing_known" };

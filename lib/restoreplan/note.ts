/**
 * What a person has to know of an item of a plan, or of the plan: facts. Sentences of them are made
 * in lib/report.
 */
import type { PlanCode } from "./code.ts";
import type { Detail } from "./objection.ts";
import type { RevocationGap } from "./view.ts";

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

/**
 * What speaks for or against a copy or a place: a code, and what it is about. Sentences of it are
 * made in lib/report.
 */
import type { CopyProblem } from "../backup/problem.ts";
import type { PlanCode } from "./code.ts";

export interface ForgedPlace {
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

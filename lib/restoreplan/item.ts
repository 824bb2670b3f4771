/**
 * A plan: what is there, what would be written where, by which rule, and why. Field names and facts
 * only, no value.
 */
import type { Note, Objection, PlanCode, PlanWarning } from "./objection.ts";
import type { OpenedCopy, Revocation } from "./view.ts";

export type Rule = "restore" | "keep" | "refuse" | "later";
export type Action = "create" | "patch" | "replace" | "none";

/** What makes pods read a Secret again. */
export type RestartAction =
  | {
      readonly kind: "rollout";
      readonly namespace: string;
      readonly of: "deployment" | "statefulset";
      readonly name: string;
    }
  | { readonly kind: "deletePod"; readonly namespace: string; readonly pod: string };

/** When whoever uses the Secret reads it. */
export type RestartNote =
  | {
      readonly reads:
        | "none"
        | "nobody"
        | "not_known"
        | "operator_if_running"
        | "operator_at_start"
        | "group_next_access"
        | "group_within_a_day"
        | "proxy_not_started"
        | "proxy_at_start"
        | "pod_at_start"
        | "by_program";
    }
  | { readonly reads: "sidecar_if_running" | "sidecar_at_start"; readonly secret: string };

export interface Restart {
  readonly needed: "yes" | "no" | "unknown";
  readonly action: RestartAction | null;
  readonly note: RestartNote;
}

export interface Now {
  readonly state: "absent" | "empty" | "valid" | "invalid" | "account_key" | "unknown";
  /** Reasons of the judge. */
  readonly reasons: readonly string[];
  /** RFC 3339. */
  readonly notAfter: string | null;
}

export interface PlanItem {
  readonly title: string;
  readonly kind: OpenedCopy["record"]["header"]["kind"];
  readonly shape: string;
  readonly names: readonly string[];
  /** Where it was last seen. */
  readonly from: {
    readonly namespace: string;
    readonly secret: string;
    readonly fieldBase: string;
  };
  /** `null` where the place isn't known yet. */
  readonly to: { readonly namespace: string; readonly name: string } | null;
  readonly now: Now;
  readonly rule: Rule;
  readonly why: readonly Objection[];
  /** Codes that `--force` overrode. */
  readonly overridden: readonly PlanCode[];
  /** Codes that `--force` would have to name. */
  readonly force: readonly PlanCode[];
  readonly action: Action;
  /** What the write is conditional on. */
  readonly uid: string | null;
  readonly resourceVersion: string | null;
  readonly createNamespace: boolean;
  /** Names of the fields that would be written. */
  readonly fields: readonly string[];
  readonly version: string | null;
  readonly notAfter: string | null;
  /** Whole days left, rounded down; `null` for what has no end. */
  readonly daysLeft: number | null;
  readonly restart: Restart;
  /** Serial of the backup's certificate; `null` where there is none. */
  readonly serial: string | null;
  /** Whether the certificate need not be issued again. */
  readonly saved: 0 | 1;
  readonly revocation: Revocation | null;
  /** What isn't known, what else will happen. */
  readonly notes: readonly Note[];
}

/** One write: everything that goes into one Secret, at once. */
export interface SecretWrite {
  readonly namespace: string;
  readonly name: string;
  readonly action: Exclude<Action, "none">;
  readonly uid: string | null;
  readonly resourceVersion: string | null;
  readonly createNamespace: boolean;
  readonly type: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Base64; holds key bytes. */
  readonly data: Readonly<Record<string, string>>;
  /** Indexes into the plan's items. */
  readonly items: readonly number[];
}

export interface RestorePlan {
  readonly items: readonly PlanItem[];
  readonly writes: readonly SecretWrite[];
  /** What comes before everything else. */
  readonly warnings: readonly PlanWarning[];
}

/** Issuances that need not be made: a certificate in several Secrets was issued once. */
export function savedIssuances(items: readonly PlanItem[]): number {
  const certificates = items.flatMap(({ saved, serial, version }) =>
    saved === 1 ? [serial ?? version] : [],
  );
  return new Set(certificates).size;
}

export function codesOf({ why }: Pick<PlanItem, "why">): readonly PlanCode[] {
  return why.map(({ code }) => code);
}

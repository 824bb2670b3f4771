/**
 * What each finding rests on, by code. Facts only: lib/report/phrases.ts says them. Instants are
 * milliseconds since 1970.
 */
import type { Budget } from "../ratelimit/budget.ts";
import type { Issuance } from "../ratelimit/issuance.ts";
import type { Holder } from "../ratelimit/rules.ts";
import type { GapRecord } from "../state/document.ts";
import type { EventSignal, LogSignal } from "../state/signals.ts";
import type { Mismatch, ShownIdentity } from "../state/identity.ts";
import type { FindingCode } from "./codes.ts";
import type { Owner } from "../state/certificates.ts";

/**
 * Whether a restore would help, as the restore planner answers; `unknown`: the store could not be
 * listed.
 */
export type BackupStatus = "restorable" | "none" | "unknown";

/** Of a pair that its Tailscale node doesn't serve, since it has another name now. */
interface Renamed {
  readonly newName?: string;
}

interface Certificate {
  readonly serial: string;
  readonly notAfterMs: number;
}

type Overdue = Certificate & {
  readonly owner: Owner;
  readonly backup: BackupStatus;
  readonly renewalMs: number;
};

/** One Secret, or several that went at once. */
type Lost =
  | {
      readonly of: "one";
      readonly lastSeenMs: number;
      readonly parent: "stands" | "removed" | "replaced" | "unknown";
      readonly owner: Owner;
      readonly serials: readonly string[];
      readonly backup: BackupStatus;
    }
  | {
      readonly of: "many";
      readonly count: number;
      /** How many of them a restore brings back. */
      readonly restorable: number;
      readonly backup: BackupStatus;
      /** What took them, as the state recorded it. */
      readonly incident: string;
      /** The last audit that saw all of them, and the one that missed the last. */
      readonly fromMs: number;
      readonly untilMs: number;
      /** `namespace/secret`, the first fifty. */
      readonly keys: readonly string[];
    };

type Reported =
  | {
      readonly by: "log";
      /** The newest first; the first decides what is said. */
      readonly signs: readonly [LogSignal, ...LogSignal[]];
      /** Until when the issuer refuses, by the first. */
      readonly untilMs: number | null;
      /** Whether what is live is valid. */
      readonly safe: boolean;
      /**
       * Of a refusal: whether a restore helps those of its certificates that aren't valid; `null`:
       * none is known.
       */
      readonly restore: BackupStatus | null;
    }
  | { readonly by: "event"; readonly event: EventSignal }
  /** Names that a log made up, beyond those that are reported one by one. */
  | { readonly by: "unplaced"; readonly count: number };

interface IssuanceParams {
  readonly issuer: string;
  readonly key: string;
  readonly clusters: readonly string[];
  readonly issuances: readonly Issuance[];
}

interface BudgetParams extends IssuanceParams {
  readonly budget: Budget;
}

export interface FindingParams {
  secret_lost: Lost;
  secret_removed: Extract<Lost, { of: "one" }>;
  fields_emptied: Renamed & {
    /** `null`: it held one by its annotations or backups, and none was seen. */
    readonly certificate: Certificate | null;
    readonly names: readonly string[];
    readonly missing: "key" | "certificate" | "both";
    readonly owner: Owner;
    readonly backup: BackupStatus;
  };
  certificate_pending: { readonly emptyMs: number };
  certificate_invalid: Renamed & {
    /** `null`: what is stored is no certificate with its key. */
    readonly certificate: (Certificate & { readonly keyFits: boolean }) | null;
    /** State of the gap where there is no certificate. */
    readonly gap: string | null;
    readonly reasons: readonly string[];
    readonly hints: NonNullable<GapRecord["hints"]>;
    readonly owner: Owner;
    readonly backup: BackupStatus;
  };
  expired: Certificate & Renamed & { readonly owner: Owner; readonly backup: BackupStatus };
  expiring: Overdue;
  renewal_overdue: Overdue;
  rebuilt_not_restored: {
    readonly title: string;
    readonly rebuiltMs: number;
    readonly count: number;
    readonly restorable: number;
    readonly backup: BackupStatus;
    readonly names: readonly string[];
  };
  backup_missing:
    | { readonly of: "certificate" | "account_key"; readonly reason: string }
    | { readonly of: "all"; readonly count: number; readonly reason: "no_recipients" };
  backup_unreadable:
    | {
        readonly of: "one";
        readonly version: string;
        readonly key: string | null;
        /** Of lib/restoreplan/objection.ts, or one that a newer version made up. */
        readonly code: string | null;
        readonly detail: string;
      }
    | { readonly of: "more"; readonly count: number; readonly drilledMs: number };
  backup_quota: { readonly waiting: number; readonly made: number; readonly day: string };
  certificate_revoked: {
    readonly serial: string;
    readonly revokedMs: number;
    readonly reason: string | null;
    readonly list: string;
    readonly askedMs: number;
  };
  issued_not_stored: Reported;
  rate_limited:
    | Reported
    | {
        readonly by: "refusal";
        readonly kind: "set" | "domain";
        readonly key: string;
        readonly untilMs: number;
        readonly seenMs: number;
        readonly where: string;
        readonly burst: number | null;
        readonly safe: boolean;
        readonly restore: BackupStatus | null;
      };
  storage_forbidden: {
    /** How many Secrets; more than one only where the account was assumed. */
    readonly secrets: number;
    readonly accounts: readonly string[];
    readonly verbs: readonly string[];
    readonly sinceMs: number;
    /** No pod was seen that writes the Secret: the account is the one that its operator makes. */
    readonly assumed: boolean;
    readonly answers: readonly {
      readonly account: string;
      readonly verb: string;
      readonly reason: string;
      readonly askedMs: number;
    }[];
  };
  /** `recreates`: a restore makes it writable. */
  storage_immutable: { readonly readMs: number; readonly recreates: boolean };
  storage_failing: Reported;
  dns_failing: Reported;
  account_key_lost: Reported;
  renewal_window_forced: {
    readonly serial: string;
    readonly startMs: number;
    readonly endMs: number;
    readonly askedMs: number;
    readonly explanationUrl: string | null;
  };
  set_budget_low: BudgetParams;
  /** `safe`: each Secret of the cluster that holds the set is valid and backed up. */
  set_budget_exhausted: BudgetParams & {
    /** Every certificate of the set is valid, and would be restored if it were lost. */
    readonly safe: boolean;
    /** One isn't valid, and a restore brings it back. */
    readonly restorable: boolean;
  };
  domain_budget_low: BudgetParams;
  domain_budget_exhausted: BudgetParams;
  /** `holders`: so many Secrets hold one each, issued for itself; `null`: that isn't why. */
  reissued_without_need: IssuanceParams & { readonly holders: number | null };
  concurrent_issuance: IssuanceParams;
  shared_set: IssuanceParams & {
    readonly places: readonly Holder[];
    readonly sameSerial: boolean;
  };
  clock_off: { readonly recordedMs: number };
  credential_expiring: {
    readonly title: string;
    /** The restoring credential, and not the reading one. */
    readonly restores: boolean;
    readonly kind: string;
    readonly endsMs: number | null;
    readonly madeMs: number | null;
    readonly ended: boolean;
  };
  cluster_replaced: {
    readonly title: string;
    readonly kind: Mismatch;
    readonly pinned: ShownIdentity;
    readonly seen: ShownIdentity;
  };
  cluster_named_twice: { readonly title: string; readonly first: string };
  audit_incomplete:
    | {
        readonly of: "part";
        readonly code: string;
        readonly message: string;
        readonly lastReachedMs: number | null;
      }
    /** `finishedMs` `null`: none has finished yet. */
    | { readonly of: "stale"; readonly title: string; readonly finishedMs: number | null }
    /** No permission to read them; `mayBeDeleted`: whether they exist isn't known either. */
    | {
        readonly of: "namespaces";
        readonly namespaces: readonly string[];
        readonly mayBeDeleted: boolean;
        /** Secrets with certificates there, and how many of them a restore would bring back. */
        readonly count: number;
        readonly restorable: number;
        readonly lastReachedMs: number | null;
      }
    | { readonly of: "never" }
    | { readonly of: "unreadable"; readonly newer: boolean };
  cluster_unreachable: {
    readonly code: string;
    readonly message: string;
    readonly lastReachedMs: number | null;
  };
}

export type ParamsOf<C extends FindingCode> = FindingParams[C];

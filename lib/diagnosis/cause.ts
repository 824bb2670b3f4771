/**
 * Why certificates are issued without need, as data. lib/report/phrases/ says it. Instants are
 * milliseconds since 1970.
 *
 * How sure a cause is follows from what names it, never from how often it was seen:
 * - `proven`: something that decides it by itself says so of this certificate: the API server's
 *   answer, the `immutable` flag, the judge (which is the owner's own check), the issuer's answer,
 *   verified issuances, or a line of the owner's log that names the certificate and the failure.
 * - `likely`: something names its owner's pod but not the certificate (an Event, a line without a
 *   name), or leaves one other explanation (a recreated Secret, a silence after a start).
 * - `possible`: it matches, but rests on a pattern alone, or on what was seen elsewhere in the same
 *   namespace.
 *
 * What a log or an Event says is its cluster's own word: it names causes in that cluster alone.
 */
import type { RestoreAction } from "../finding/action.ts";
import type { EventSignal, LogSignal } from "../state/signals.ts";

export const CAUSE_CODES = [
  "storage",
  "account_key_lost",
  "validation_fails",
  "already_replaced",
  "renewal_window_forced",
  "hidden_stall",
  "dns",
  "race",
  "pod_churn",
  "many_new_names",
] as const;
/**
 * The more decisive first: of two that are equally sure, fixing the first shows whether the second
 * is one.
 */
export type CauseCode = (typeof CAUSE_CODES)[number];

export const CONFIDENCES = ["proven", "likely", "possible"] as const;
export type Confidence = (typeof CONFIDENCES)[number];

export const EVIDENCE_SOURCES = [
  "judge",
  "access",
  "secret",
  "log",
  "event",
  "issuer",
  "issuances",
] as const;
export type EvidenceSource = (typeof EVIDENCE_SOURCES)[number];

/** What a cause is concluded from. Text of a cluster may be in it. */
export type Because =
  | {
      readonly kind: "access_denied";
      readonly to: "read" | "write";
      readonly sinceMs: number;
      /**
       * How long ago the API server was asked, where that is too long for its answer to be of now;
       * else `null`.
       */
      readonly askedAgoMs: number | null;
    }
  | { readonly kind: "immutable" }
  /** `asMissing`: pods of a ProxyGroup take what they can't read for missing. */
  | { readonly kind: "logged"; readonly signal: LogSignal; readonly asMissing: boolean }
  | { readonly kind: "event"; readonly event: EventSignal }
  | { readonly kind: "emptied"; readonly sinceMs: number }
  | { readonly kind: "recreated"; readonly deleted: boolean; readonly seenMs: number }
  | { readonly kind: "had_been_emptied"; readonly seenMs: number }
  | { readonly kind: "other_account" }
  | { readonly kind: "asked_early"; readonly startMs: number; readonly endMs: number }
  | { readonly kind: "stalled"; readonly begunMs: number; readonly forMs: number }
  | { readonly kind: "rejected"; readonly reasons: readonly string[]; readonly now: boolean }
  | { readonly kind: "never_valid" }
  /** `places` `null`: to one holder, as far as is known. */
  | {
      readonly kind: "issued_together";
      readonly count: number;
      readonly withinMs: number;
      readonly places: number | null;
    }
  | { readonly kind: "issued_for_each"; readonly count: number; readonly clusters: number }
  | { readonly kind: "ordered_together"; readonly pods: number }
  | {
      readonly kind: "names_churn";
      readonly pattern: string;
      readonly count: number;
      readonly gone: number;
    }
  | { readonly kind: "secrets_churn"; readonly count: number; readonly gone: number }
  | {
      readonly kind: "first_certificates";
      readonly domain: string;
      readonly count: number;
      readonly withinMs: number;
    };

/** What was seen, by its source. */
export type Sighting =
  | { readonly kind: "logged"; readonly signal: LogSignal }
  | { readonly kind: "event"; readonly event: EventSignal }
  /** Nothing more about the name: until then, read whole; `null`: it wasn't read whole. */
  | { readonly kind: "log_silent"; readonly untilMs: number | null }
  | {
      readonly kind: "denied";
      readonly account: string;
      readonly verbs: readonly string[];
      readonly sinceMs: number;
      readonly reason: string;
      readonly askedMs: number;
      readonly assumed: boolean;
    }
  | { readonly kind: "immutable"; readonly readMs: number }
  | { readonly kind: "emptied"; readonly serial: string; readonly sinceMs: number }
  | {
      readonly kind: "recreated";
      readonly uid: string;
      readonly serial: string | null;
      readonly untilMs: number;
      readonly uidNow: string;
    }
  | { readonly kind: "fields"; readonly state: string; readonly untilMs: number }
  | {
      readonly kind: "accounts";
      readonly now: string;
      readonly before: string;
      readonly serial: string;
      readonly backedUpMs: number;
    }
  | {
      readonly kind: "window";
      readonly serial: string;
      readonly startMs: number;
      readonly endMs: number;
      readonly explanationUrl: string | null;
    }
  | { readonly kind: "rejected"; readonly reasons: readonly string[]; readonly readMs: number }
  | {
      readonly kind: "was_rejected";
      readonly serial: string | null;
      readonly reasons: readonly string[];
      readonly untilMs: number;
    }
  | { readonly kind: "never_valid"; readonly serial: string; readonly backedUpMs: number }
  | {
      readonly kind: "issued";
      readonly issuances: readonly { readonly serial: string; readonly issuedAtMs: number }[];
      /** `cluster namespace/secret` */
      readonly holders: readonly string[];
    }
  | {
      readonly kind: "first_of";
      readonly names: readonly string[];
      readonly lastMs: number;
    }
  | { readonly kind: "secrets_gone"; readonly keys: readonly string[] }
  | {
      readonly kind: "first_in";
      readonly count: number;
      readonly fromMs: number;
      readonly untilMs: number;
      /** The most first. */
      readonly clusters: readonly { readonly cluster: string; readonly count: number }[];
    };

/** What was seen, where, when, and by which source. */
export interface EvidenceLine {
  readonly source: EvidenceSource;
  /** A Secret, a pod's container, an issuer: for people. Text of a cluster may be in it. */
  readonly where: string;
  readonly seen: Sighting;
  /** When it was last so. */
  readonly atMs: number;
}

/** Something to do about it. */
export type Measure =
  | {
      readonly kind: "grant";
      /** Role and RoleBinding that give the permission; `null`: its own manifest's. */
      readonly role: string | null;
      readonly namespace: string;
      readonly account: string | null;
      /** It may name another ProxyGroup. */
      readonly shared: boolean;
    }
  | {
      readonly kind: "check_grant";
      readonly verb: string;
      readonly namespace: string;
      readonly secret: string;
      readonly account: string;
    }
  | {
      readonly kind: "restore" | "restore_newest" | "restore_account_key";
      readonly action: RestoreAction;
    }
  | { readonly kind: "no_account_key" }
  /** `action` `null`: no backup helps. */
  | {
      readonly kind: "recreate";
      readonly action: RestoreAction | null;
      readonly namespace: string;
      readonly secret: string;
    }
  | { readonly kind: "find_writer"; readonly namespace: string; readonly secret: string }
  /** `owner`: what its pods belong to, as kubectl names it; `null`: nothing says so. */
  | {
      readonly kind: "read_sidecar_log";
      readonly namespace: string;
      readonly secret: string;
      readonly owner: string | null;
    }
  | { readonly kind: "restart"; readonly namespace: string; readonly pod: string }
  | { readonly kind: "add_diagnosis" | "register_namespace"; readonly cluster: string }
  | { readonly kind: "doctor"; readonly cluster: string }
  | {
      readonly kind:
        | "check_api"
        | "fewer_nodes"
        | "cache_outside"
        | "use_staging"
        | "standby"
        | "restart_to_ask"
        | "keep_secret"
        | "wait_with_names"
        | "let_one_issue"
        | "own_names"
        | "enable_https"
        | "check_resolver"
        | "wait_for_record"
        | "check_node"
        | "log_debug"
        | "await_audit";
    };

/** A single trace of a cause. */
export interface Hint {
  readonly confidence: Confidence;
  readonly because: Because;
  readonly evidence: readonly EvidenceLine[];
  readonly measures: readonly Measure[];
  /**
   * It held until then: a certificate was stored since; `null`: as far as is known it still holds.
   */
  readonly overMs: number | null;
}

export interface Cause extends Hint {
  readonly code: CauseCode;
}

/** A source without which the cause, or part of it, stays unknown. */
export interface Missing {
  readonly source: "logs" | "events" | "access" | "renewal_info" | "revocation" | "transparency";
  /**
   * `not_enabled`, `forbidden`, …: the code of the source's status; `not_tailscale`, `sidecar`:
   * certkeep doesn't read it.
   */
  readonly code: string;
  readonly sinceMs: number | null;
  /** The setting that would show it. */
  readonly measure: Measure | null;
}

/** Of one set of names, or one registered domain, in one cluster. */
export interface Diagnosis {
  readonly cluster: string;
  readonly kind: "set" | "domain";
  readonly issuer: string | null;
  /** Key of the set, or the registered domain. */
  readonly key: string;
  /**
   * `unknown`: something was reissued without need, or isn't renewed, and nothing seen names why.
   * `none`: nothing needs a cause.
   */
  readonly verdict: "caused" | "unknown" | "none";
  /**
   * Instants of certificates issued without need within a week, this cluster's own claims among
   * them.
   */
  readonly needlessMs: readonly number[];
  /** The most decisive first: those that still hold, then by confidence. */
  readonly causes: readonly Cause[];
  readonly missing: readonly Missing[];
}

/** Lines of evidence that a cause keeps, the surest hints' first. */
const MAX_EVIDENCE = 8;
const MAX_MEASURES = 5;

function byWeight(
  a: Pick<Hint, "confidence" | "overMs">,
  b: Pick<Hint, "confidence" | "overMs">,
): number {
  return (
    Number(a.overMs !== null) - Number(b.overMs !== null) ||
    CONFIDENCES.indexOf(a.confidence) - CONFIDENCES.indexOf(b.confidence)
  );
}

/**
 * The cause that all hints are about: as sure as its surest that still holds. `null` without one.
 */
export function causeOf(code: CauseCode, hints: readonly Hint[]): Cause | null {
  const sorted = hints.toSorted(byWeight);
  const [first] = sorted;
  if (first === undefined) return null;
  // What is over asks for nothing beside what still holds.
  const holding = sorted.filter(({ overMs }) => (overMs === null) === (first.overMs === null));
  const measures = new Map<string, Measure>();
  for (const measure of holding.flatMap((hint) => hint.measures)) {
    const key = measureKey(measure);
    // Of measures that do the same, the surest hint's.
    if (!measures.has(key)) measures.set(key, measure);
  }
  return {
    ...first,
    code,
    evidence: sorted.flatMap(({ evidence }) => evidence).slice(0, MAX_EVIDENCE),
    measures: [...measures.values()].slice(0, MAX_MEASURES),
  };
}

/** The same for measures that do the same. */
export function measureKey(measure: Measure): string {
  return JSON.stringify("action" in measure && measure.action !== null ? measure.action : measure);
}

/** The most decisive first. */
export function sortCauses(causes: readonly Cause[]): Cause[] {
  return causes.toSorted(
    (a, b) => byWeight(a, b) || CAUSE_CODES.indexOf(a.code) - CAUSE_CODES.indexOf(b.code),
  );
}

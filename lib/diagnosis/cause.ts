/**
 * Why certificates are issued without need, as data. lib/report/phrases/ says it. Instants are
 * milliseconds since 1970.
 *
 * How sure a cause is follows from what names it, never from how often it was seen:
 * - `proven`: something that decides it by itself says so of this certificate: the API server's
 *   answer, the `immutable` flag, the judge (which is the owner's own check), the issuer's answer,
 *   verified issuances, or a line of the owner's log that names the certificate and the failure.
 * - `likely`: something names its controller's pod, not the certificate (an Event, a line without a
 *   name), or leaves one other explanation (a recreated Secret, a silence after a start).
 * - `possible`: it matches, but rests on a pattern alone, or on what was seen elsewhere in the same
 *   namespace.
 *
 * What a log or an Event says is its cluster's own word: it names causes in that cluster alone.
 */
import type { RestoreAction, Via } from "../finding/action.ts";
import type { EvidenceLine, Fact } from "./evidence.ts";

export const CAUSE_CODES = [
  "storage",
  "account_key_lost",
  "validation_fails",
  "already_replaced",
  "renewal_window_forced",
  "hidden_stall",
  "dns",
  "account_rejected",
  "server_untrusted",
  "network",
  "rate_limited",
  "order_failed",
  "race",
  "pod_churn",
  "many_new_names",
] as const;
/**
 * The more decisive first: of two that are equally sure, fixing the first shows whether the second
 * is one.
 */
export type CauseCode = (typeof CAUSE_CODES)[number];

/** Whether it explains certificates that were issued without need. */
export function explainsReissue({ code, precedes }: Pick<Cause, "code" | "precedes">): boolean {
  return precedes !== false && EFFECTS[code].includes("reissues");
}

/** What a cause leads to: certificates issued without need, or none issued that is needed. */
export type Effect = "reissues" | "stops";

export const EFFECTS: Readonly<Record<CauseCode, readonly Effect[]>> = {
  storage: ["reissues", "stops"],
  account_key_lost: ["stops"],
  validation_fails: ["reissues", "stops"],
  already_replaced: ["stops"],
  renewal_window_forced: ["reissues"],
  hidden_stall: ["stops"],
  dns: ["reissues", "stops"],
  account_rejected: ["stops"],
  server_untrusted: ["stops"],
  network: ["stops"],
  rate_limited: ["stops"],
  order_failed: ["stops"],
  race: ["reissues"],
  pod_churn: ["reissues"],
  many_new_names: ["reissues", "stops"],
};

export const CONFIDENCES = ["proven", "likely", "possible"] as const;
export type Confidence = (typeof CONFIDENCES)[number];

export type Measure = AnyMeasure & { readonly via?: Via };

type AnyMeasure =
  | {
      readonly kind: "grant";
      /** Role and RoleBinding that give the permission; `null`: its own manifest's. */
      readonly role: string | null;
      readonly namespace: string;
      readonly account: string | null;
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
        | "await_limit"
        | "await_first_limit"
        | "unpause"
        | "new_account"
        | "check_egress"
        | "check_interception"
        | "await_retry"
        | "read_order_error"
        | "log_debug"
        | "await_audit";
    };

/** A single trace of a cause. */
export interface Hint {
  readonly confidence: Confidence;
  readonly because: Fact;
  readonly evidence: readonly EvidenceLine[];
  readonly measures: readonly Measure[];
  /**
   * It held until then: a certificate was stored since; `null`: as far as is known it still holds.
   */
  readonly overMs: number | null;
  /** It was seen before one of the reissues that want a cause, or none does. Absent: it was. */
  readonly precedes?: boolean;
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
  readonly measure: Measure | null;
}

/** Of one set of names, or one registered domain, in one cluster. */
export interface Diagnosis {
  readonly cluster: string;
  readonly kind: "set" | "domain";
  readonly issuer: string | null;
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

type Weighed = Pick<Hint, "confidence" | "overMs" | "precedes">;

function byWeight(a: Weighed, b: Weighed): number {
  return (
    Number(a.overMs !== null) - Number(b.overMs !== null) ||
    Number(a.precedes === false) - Number(b.precedes === false) ||
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
    // What was seen later explains nothing beside what was seen before.
    evidence: sorted
      .filter((hint) => first.precedes === false || hint.precedes !== false)
      .flatMap(({ evidence }) => evidence)
      .slice(0, MAX_EVIDENCE),
    measures: [...measures.values()].slice(0, MAX_MEASURES),
  };
}

/** The same for measures that do the same. */
export function measureKey(measure: Measure): string {
  return JSON.stringify("action" in measure && measure.action !== null ? measure.action : measure);
}

export function sortCauses(causes: readonly Cause[]): Cause[] {
  return causes.toSorted(
    (a, b) => byWeight(a, b) || CAUSE_CODES.indexOf(a.code) - CAUSE_CODES.indexOf(b.code),
  );
}

function measureVia(measure: Measure, via: Via): Measure {
  return "action" in measure && measure.action !== null
    ? { ...measure, action: { ...measure.action, via } }
    : { ...measure, via };
}

/** The diagnosis, with commands that lead where `via` leads. */
export function diagnosisVia(diagnosis: Diagnosis, via: Via | null): Diagnosis {
  if (via === null) return diagnosis;
  return {
    ...diagnosis,
    causes: diagnosis.causes.map((cause) => ({
      ...cause,
      measures: cause.measures.map((measure) => measureVia(measure, via)),
    })),
    missing: diagnosis.missing.map((one) => ({
      ...one,
      measure: one.measure === null ? null : measureVia(one.measure, via),
    })),
  };
}

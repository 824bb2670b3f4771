/** What causes rest on, as data. Text of a cluster may be in it. */
import type { EventSignal, LogSignal } from "../state/signals.ts";

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
      /** No pod was seen with the account: it is the one that the operator creates. */
      readonly assumed: boolean;
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
  | {
      readonly kind: "issued_together";
      readonly count: number;
      readonly withinMs: number;
      readonly places: number;
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

export function logLine(signal: LogSignal): EvidenceLine {
  const { where, lastMs: atMs } = signal;
  return { source: "log", where, atMs, seen: { kind: "logged", signal } };
}

export function eventLine(event: EventSignal): EvidenceLine {
  const { namespace, object, lastMs: atMs } = event;
  return { source: "event", where: `${namespace} ${object}`, atMs, seen: { kind: "event", event } };
}

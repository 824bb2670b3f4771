/** What causes rest on, as data. Text of a cluster may be in it. */
import type { EventSignal, LogSignal } from "../state/signals.ts";

export type EvidenceSource =
  "judge" | "access" | "secret" | "log" | "event" | "issuer" | "issuances";

interface Issued {
  readonly issuances: readonly { readonly serial: string; readonly issuedAtMs: number }[];
  /** `cluster namespace/secret` */
  readonly holders: readonly string[];
}

/** What was seen, and what a cause is concluded from it. */
export type Fact =
  | {
      readonly kind: "access_denied";
      readonly to: "read" | "write";
      readonly account: string;
      readonly verbs: readonly string[];
      readonly sinceMs: number;
      /** As the API server gave it, or empty. */
      readonly reason: string;
      readonly askedMs: number;
      /**
       * How long ago the API server was asked, where that is too long for its answer to be of now;
       * else `null`.
       */
      readonly askedAgoMs: number | null;
      /** No pod was seen with the account: it is the one that the operator creates. */
      readonly assumed: boolean;
    }
  | { readonly kind: "immutable"; readonly readMs: number }
  /** `asMissing`: pods of a ProxyGroup take what they can't read for missing. */
  | { readonly kind: "logged"; readonly signal: LogSignal; readonly asMissing: boolean }
  | { readonly kind: "event"; readonly event: EventSignal }
  | { readonly kind: "emptied"; readonly serial: string; readonly sinceMs: number }
  | {
      readonly kind: "recreated";
      readonly deleted: boolean;
      readonly uid: string;
      readonly serial: string | null;
      readonly untilMs: number;
      readonly uidNow: string;
    }
  | { readonly kind: "had_been_emptied"; readonly state: string; readonly untilMs: number }
  | {
      readonly kind: "other_account";
      readonly now: string;
      readonly before: string;
      readonly serial: string;
      readonly backedUpMs: number;
    }
  | {
      readonly kind: "asked_early";
      readonly serial: string;
      readonly startMs: number;
      readonly endMs: number;
      readonly explanationUrl: string | null;
    }
  | {
      readonly kind: "stalled";
      readonly begunMs: number;
      readonly forMs: number;
      /** Nothing more about the name until then, read whole; `null`: it wasn't read whole. */
      readonly silentUntilMs: number | null;
    }
  | { readonly kind: "rejected"; readonly reasons: readonly string[]; readonly readMs: number }
  | {
      readonly kind: "was_rejected";
      readonly serial: string | null;
      readonly reasons: readonly string[];
      readonly untilMs: number;
    }
  | { readonly kind: "never_valid"; readonly serial: string; readonly backedUpMs: number }
  | ({ readonly kind: "issued_together"; readonly places: number } & Issued)
  | ({ readonly kind: "issued_for_each"; readonly clusters: number } & Issued)
  | { readonly kind: "ordered_together"; readonly pods: number }
  | {
      readonly kind: "names_churn";
      readonly pattern: string;
      readonly names: readonly string[];
      readonly gone: number;
      readonly lastMs: number;
    }
  /** `gone`: Secrets that aren't there any more. */
  | { readonly kind: "secrets_churn"; readonly count: number; readonly gone: readonly string[] }
  | {
      readonly kind: "first_certificates";
      readonly domain: string;
      readonly count: number;
      readonly fromMs: number;
      readonly untilMs: number;
      readonly clusters: readonly { readonly cluster: string; readonly count: number }[];
    };

export interface EvidenceLine {
  readonly source: EvidenceSource;
  /** A Secret, a pod's container, an issuer: for people. */
  readonly where: string;
  readonly seen: Fact;
  readonly atMs: number;
}

/** What is concluded from the first line. */
export function basedOn(
  line: EvidenceLine,
  ...others: readonly EvidenceLine[]
): { readonly because: Fact; readonly evidence: readonly EvidenceLine[] } {
  return { because: line.seen, evidence: [line, ...others] };
}

export function logLine(signal: LogSignal, asMissing = false): EvidenceLine {
  const { where, lastMs: atMs } = signal;
  return { source: "log", where, atMs, seen: { kind: "logged", signal, asMissing } };
}

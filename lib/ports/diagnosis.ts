/**
 * What may be asked of a cluster about why certificates are issued: the pods that write them, their logs, events, and
 * what the server says of an account's rights.
 *
 * Contract (test/contract/diagnosis.ts, on the sandbox and on a real server): nothing is stored; the one thing that is
 * posted is a SubjectAccessReview. Every call is bounded in time and bytes. What isn't there is an answer; every
 * failure is a `CertkeepError` with a `cluster_*` code whose text holds nothing of a body.
 */

export interface ContainerFacts {
  readonly name: string;
  /** When the one that runs now was started; `null` where none runs. */
  readonly startedMs: number | null;
  readonly restarts: number;
}

export interface PodFacts {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Name of its service account; `null` where it isn't told. */
  readonly account: string | null;
  readonly containers: readonly ContainerFacts[];
}

export interface LogQuery {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  /** The one before the last restart. */
  readonly previous?: boolean;
  /** Lines from then on; cut to the second. */
  readonly sinceMs?: number | null;
  /** The last so many lines alone. */
  readonly tailLines?: number | null;
  /** Bytes at most; lines beyond are left out, the oldest are given. */
  readonly limitBytes: number;
}

export type LogText =
  /** Each line begins with the kubelet's time. `cut`: there was more than was to be read. */
  | { readonly state: "read"; readonly bytes: Uint8Array; readonly cut: boolean }
  /** There is no such log: the container hasn't started, has no previous one, is gone, or its file is. */
  | { readonly state: "none" };

export interface EventFacts {
  readonly namespace: string;
  /** Kind and name of what it is about. */
  readonly kind: string;
  readonly name: string;
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  /** As it is: not redacted yet. */
  readonly message: string;
  readonly count: number;
  readonly firstMs: number;
  readonly lastMs: number;
}

export interface AccessQuestion {
  readonly namespace: string;
  readonly secret: string;
  /** Service account of the same namespace. */
  readonly account: string;
  readonly verb: string;
}

/** Items of a listing, and whether there are more than were taken. */
export interface Listed<T> {
  readonly items: readonly T[];
  readonly more: boolean;
}

export interface ClusterDiagnosis {
  listPods(
    namespace: string,
    labelSelector: string,
    signal?: AbortSignal,
  ): Promise<Listed<PodFacts>>;
  readLog(query: LogQuery, signal?: AbortSignal): Promise<LogText>;
  listEvents(
    namespace: string,
    fieldSelector: string,
    signal?: AbortSignal,
  ): Promise<Listed<EventFacts>>;
  /** What a service account may do to a Secret, by the server's own word; the reason is the server's, as it is. */
  reviewAccess(
    question: AccessQuestion,
    signal?: AbortSignal,
  ): Promise<{ readonly allowed: boolean; readonly reason: string }>;
  /** Requests by what they asked: `pods`, `logs`, `events`, `access`. */
  requests(): Readonly<Record<string, number>>;
  close(): Promise<void>;
}

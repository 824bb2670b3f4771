import type { MetricName } from "../report/metrics.ts";

/** The clock, as an argument. */
export interface Clock {
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  nowMs(): number;
}

/** Waiting, as an argument: a use case that has to wait takes this. */
export interface Timer {
  /** Ends early, without an error, where `signal` is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Where a use case says how far it is. Shown on a terminal only; never a name's value or a key. */
export interface Progress {
  /** `total` is `null` while it isn't known. */
  step(what: string, done: number, total: number | null): void;
  /** One line of a message for the person, on standard error. */
  note(message: string): void;
}

/** Keys that a log line has anyhow, or that Lambda's JSON format gives a meaning. */
type ReservedKey =
  | "timestamp"
  | "level"
  | "message"
  | "service"
  | "sampling_rate"
  | "function"
  | "stage"
  | "requestId"
  | "errorType"
  | "errorMessage"
  | "stackTrace";

/** A field can't take a reserved key's place: it would be lost, or hide what stands there. */
export type LogFields = Readonly<
  Record<string, string | number | boolean | null> & Partial<Record<ReservedKey, never>>
>;

/**
 * What a function tells of its steps, a line each, for whoever looks at its log.
 *
 * Contract: a line is written whole. Names, numbers and certkeep's own messages only: nothing of a
 * Secret, a credential or a foreign error gets in.
 */
export interface Log {
  info(step: string, fields?: LogFields): void;
  /** Something that a person may want to know. */
  warn(step: string, fields?: LogFields): void;
  /** Something that could not be done. */
  error(step: string, fields?: LogFields): void;
}

/**
 * Numbers that alarms and dashboards look at. None is of one cluster: those are in reports and the
 * log.
 */

export interface Metrics {
  /** Several values of one name are added up. */
  put(name: MetricName, value: number): void;
  /** Writes what was put since the last time; nothing where nothing was. */
  publish(): void;
}

export interface QueueMessage {
  /** Names the message among those that are sent together. */
  readonly id: string;
  readonly body: string;
}

export interface RefusedMessage {
  readonly id: string;
  /** The queue's word for why, `[A-Za-z0-9._]` only. */
  readonly code: string;
}

/**
 * A queue that takes messages and delivers each at least once.
 *
 * Contract (test/adapters/aws/queue.test.ts): what isn't among the refused was taken. A message
 * that was refused for a reason that passes has been tried again.
 */
export interface Queue {
  /** For people. */
  readonly url: string;
  /** @returns those that the queue didn't take */
  send(messages: readonly QueueMessage[]): Promise<readonly RefusedMessage[]>;
}

/** Where alarms are sent, as far as it is to be known whether anybody hears them. */
export interface AlarmTopic {
  /** For people. */
  readonly name: string;
  /**
   * Who is told, and who was asked and hasn't agreed yet. @throws CertkeepError where that can't be
   * known
   */
  subscriptions(): Promise<{ readonly confirmed: number; readonly pending: number }>;
}

/** Processes of this machine, told apart for as long as it runs: a process id alone is reused. */
export interface ProcessMark {
  /** Id of the boot. */
  readonly boot: string;
  /** Namespaces in which `pid` and `started` count. */
  readonly namespaces: string;
  readonly pid: number;
  /** When the process started, in the system's own unit since the boot. */
  readonly started: string;
}

export interface ProcessTable {
  /** `null` where the system doesn't tell all of it. */
  own(): Promise<ProcessMark | null>;
  /** Whether that process certainly ended. `false` where anything differs or can't be read. */
  isGone(mark: ProcessMark): Promise<boolean>;
}

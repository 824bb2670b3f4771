/**
 * What a digest says, before it is known where: one notice for each root cause, the worst first,
 * titled by what happened. Pure. Nothing is cut here; a medium shows as much as it can hold and
 * counts what it leaves out.
 */
import type { Severity } from "../../finding/codes.ts";
import type { Finding } from "../../finding/finding.ts";
import type { Text } from "../part.ts";
import type { ClusterSummary } from "../summary.ts";

export interface Notice {
  readonly severity: Severity | "resolved";
  /** One line without a full stop. */
  readonly title: Text;
  /** What it affects, why, what to do: one line each, the most important first. */
  readonly lines: readonly Text[];
  /** Complete, for pasting. */
  readonly commands: readonly string[];
}

export type MessageKind = "first" | "news" | "urgent" | "heartbeat";

export interface Message {
  readonly kind: MessageKind;
  readonly madeMs: number;
  readonly title: Text;
  readonly notices: readonly Notice[];
  /** The counts of all clusters, and what else to know; one line each. */
  readonly notes: readonly Text[];
  /** The command that shows what is left out. */
  readonly report: string;
}

export interface Resolved {
  /** Of the finding; one from a newer version is shown as it is. */
  readonly code: string;
  readonly cluster: string;
  readonly label: string;
  readonly saidMs: number;
}

/** When the valid certificate was issued that now stands where a finding was; `null`: unknown. */
export type IssuedNow = (resolved: Resolved) => number | null;

export interface MessageInput {
  readonly kind: MessageKind;
  readonly nowMs: number;
  readonly summaries: readonly ClusterSummary[];
  readonly reported: readonly Finding[];
  /** Ids of those that were reported before and are repeated. */
  readonly repeated: ReadonlySet<string>;
  readonly resolved: readonly Resolved[];
  readonly issuedNow: IssuedNow;
  readonly weekly: boolean;
  readonly notes: readonly Text[];
}

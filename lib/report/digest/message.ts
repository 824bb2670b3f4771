/**
 * What a digest says, before it is known where: a verdict in one line, then sections, each with one
 * thing to do, the most important first. Pure. Nothing is cut here; a medium shows as much as it
 * can hold and says what it leaves out.
 */
import type { Severity } from "../../finding/codes.ts";
import type { Finding } from "../../finding/finding.ts";
import type { BudgetLevel } from "../budgets.ts";
import type { Part } from "../part.ts";
import type { ClusterSummary } from "../summary.ts";

/** One line of a section, and how many findings (or whatever the section counts) it stands for. */
export interface Item {
  readonly parts: readonly Part[];
  readonly command: string | null;
  /** The same as a call of the function on AWS, for readers without certkeep at hand. */
  readonly invoke?: string | null;
  readonly weight: number;
  readonly cluster: string | null;
}

export interface Section {
  readonly title: string;
  /** Of its findings; absent where it isn't about findings. */
  readonly severity?: Severity;
  /** 0 is the most important: the last to be cut. */
  readonly rank: number;
  readonly items: readonly Item[];
  /** What the items count: `finding`, `certificate`. */
  readonly unit: readonly [one: string, many: string];
}

export type MessageKind = "first" | "news" | "urgent" | "heartbeat";

export interface Message {
  readonly kind: MessageKind;
  readonly madeMs: number;
  readonly verdict: string;
  /** One line of context below the verdict. */
  readonly context: readonly Part[];
  readonly sections: readonly Section[];
  /** What was muted, what was reported before, and the like. */
  readonly notes: readonly (readonly Part[])[];
}

export interface Resolved {
  /** Of the finding; one from a newer version is shown as it is. */
  readonly code: string;
  readonly cluster: string;
  readonly label: string;
}

export interface MessageInput {
  readonly kind: MessageKind;
  readonly nowMs: number;
  readonly summaries: readonly ClusterSummary[];
  /** Findings to report in full. */
  readonly reported: readonly Finding[];
  /** Ids of those that were reported before and are repeated. */
  readonly repeated: ReadonlySet<string>;
  readonly resolved: readonly Resolved[];
  readonly budgets: readonly BudgetLevel[];
  readonly notes: readonly (readonly Part[])[];
}

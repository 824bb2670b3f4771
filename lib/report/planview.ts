/** A plan as people are shown it. */
import type { PlanItem } from "../restoreplan/item.ts";
import type { PlanWarning } from "../restoreplan/note.ts";
import type { Style } from "./text.ts";

export type ShownOutcome =
  "planned" | "done" | "kept" | "refused" | "later" | "failed" | "not_tried";

export interface ShownItem {
  readonly item: PlanItem;
  readonly outcome: ShownOutcome;
  readonly message: string | null;
}

export interface PlanView {
  readonly title: string;
  readonly server: string;
  readonly mode: "plan" | "apply" | "rehearse";
  readonly items: readonly ShownItem[];
  readonly warnings: readonly PlanWarning[];
  readonly events: readonly string[];
  readonly interrupted: boolean;
  /**
   * The folder that manifests were written to in place of a cluster, so that nothing is restored
   * yet; `null`: none.
   */
  readonly offline: string | null;
  /** The command that carries the plan out; `null` where a word of it doesn't fit a command. */
  readonly applyCommand: string | null;
  readonly width: number;
  readonly style: Style;
  /** Whether a rule's details are told for each row. */
  readonly verbose: boolean;
}

const WORDS: Readonly<Record<ShownOutcome, string>> = {
  planned: "restore",
  done: "restored",
  kept: "keep",
  refused: "refuse",
  later: "later",
  failed: "FAILED",
  not_tried: "not tried",
};
export const wordOf = (outcome: ShownOutcome, { offline }: PlanView): string =>
  outcome === "done" && offline !== null ? "written" : WORDS[outcome];

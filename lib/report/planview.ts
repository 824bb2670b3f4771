/** A plan as people are shown it. */
import type { PlanItem } from "../restoreplan/item.ts";
import type { PlanWarning } from "../restoreplan/objection.ts";
import { itemTitle } from "./phrases/plan.ts";
import type { CommandChange } from "./phrases/planremedy.ts";
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
  /** The command as given, but for `change`; `null` where a word of it doesn't fit a command. */
  readonly command: (change: CommandChange) => string | null;
  /** Of sentences. */
  readonly width: number;
  /** Of the table: names are cut only where a terminal has no room for them. */
  readonly room: number;
  readonly style: Style;
  /** Whether unchanged rows and details are shown. */
  readonly verbose: boolean;
}

export function placeOf({ to, from }: PlanItem): string {
  return to === null
    ? `${from.namespace}/(new name, was ${from.secret})`
    : `${to.namespace}/${to.name}`;
}

/** Names of the rows: with the Secret where two would have the same. */
export function createNaming(items: readonly ShownItem[]): (item: PlanItem) => string {
  const titles = Map.groupBy(items, ({ item }) => itemTitle(item));
  return (item) => {
    const title = itemTitle(item);
    if ((titles.get(title)?.length ?? 0) <= 1) return title;
    const { namespace, secret } = item.from;
    return `${title} (${item.to === null ? `${namespace}/${secret}` : placeOf(item)})`;
  };
}

const NAMES_SHOWN = 4;

/** Up to four names, and how many more. */
export function namesText(names: readonly string[]): string {
  const more = names.length - NAMES_SHOWN;
  return more > 0
    ? `${names.slice(0, NAMES_SHOWN).join(", ")} and ${more.toLocaleString("en-US")} more`
    : names.join(", ");
}
/** Whether nothing has to be known of it: what is there is valid and stays. */
export function isQuiet({
  item: { now, notes, overridden },
  outcome,
  message,
}: ShownItem): boolean {
  return (
    outcome === "kept" &&
    message === null &&
    notes.length === 0 &&
    overridden.length === 0 &&
    (now.state === "valid" || now.state === "account_key")
  );
}

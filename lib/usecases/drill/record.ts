/**
 * What a drill leaves behind: a note of the last whole one, by which doctor says how long ago it
 * was; and in each cluster's state what it couldn't use, so that every report and digest says it
 * until a drill finds it good. A state that has nothing to say, and had nothing, isn't written.
 */
import * as z from "zod/mini";
import { isCertkeepError, type CertkeepError } from "../../error.ts";
import type { UnreadableBackup } from "../../finding/backups.ts";
import type { StateStore } from "../../ports/stores.ts";
import type { StateDocument } from "../../state/document.ts";
import { changeState } from "../states.ts";

/** Name of the document in a state store. */
export const DRILL_NAME = "drill";

const drillDocument = z.looseObject({
  format: z.number(),
  /** RFC 3339. */
  at: z.string(),
  /** Copies that were looked at, and of them those that could not be opened. */
  copies: z.number(),
  unreadable: z.number(),
});
export type DrillNote = z.infer<typeof drillDocument>;

export function parseDrill(text: string): DrillNote | null {
  try {
    const parsed = z.safeParse(drillDocument, JSON.parse(text));
    return parsed.success && /^\d{4}-/.test(parsed.data.at) ? parsed.data : null;
  } catch {
    return null;
  }
}

export function formatDrill(note: Pick<DrillNote, "at" | "copies" | "unreadable">): string {
  return `${JSON.stringify({ format: 1, ...note })}\n`;
}

/** Copies of one cluster that are told one by one; the rest are counted. */
const UNREADABLE_TOLD = 20;
/** Characters of what was found wrong. */
const DETAIL_MAX = 200;

/** What one drill found in one cluster. */
export interface ClusterDrill {
  /** All versions that it looked at. */
  readonly looked: ReadonlySet<string>;
  readonly unreadable: readonly UnreadableBackup[];
  /** Versions that retention removed. */
  readonly removed: ReadonlySet<string>;
  /** Whether it looked at all that the cluster has; else the rest of the last record stands. */
  readonly isComplete: boolean;
}

type DrillRecord = NonNullable<StateDocument["drill"]>;

/** The record after a drill at `at` (RFC 3339), or `null` where there is nothing to write. */
function nextRecord(
  before: DrillRecord | undefined,
  found: ClusterDrill,
  at: string,
): DrillRecord | null {
  if (!found.isComplete && found.looked.size === 0) return null;
  const earlier = found.isComplete
    ? []
    : (before?.unreadable ?? []).filter(({ version }) => !found.looked.has(version));
  const now = [...found.unreadable]
    .toSorted((a, b) => (a.version < b.version ? -1 : 1))
    .map((one) => ({ ...one, detail: one.detail.slice(0, DETAIL_MAX) }));
  const all = [...earlier, ...now];
  const unreadable = all.slice(0, UNREADABLE_TOLD);
  const more = all.length - unreadable.length + (found.isComplete ? 0 : (before?.more ?? 0));
  const isEmpty = all.length === 0 && more === 0;
  const wasEmpty = before === undefined || (before.unreadable.length === 0 && before.more === 0);
  return isEmpty && wasEmpty ? null : { at, unreadable, more };
}

function withDrill(state: StateDocument, found: ClusterDrill, at: string): StateDocument | null {
  const drill = nextRecord(state.drill, found, at);
  const left = Object.entries(state.copies).filter(([version]) => !found.removed.has(version));
  if (drill === null && left.length === Object.keys(state.copies).length) return null;
  return {
    ...state,
    copies: Object.fromEntries(left),
    ...(drill === null ? {} : { drill }),
  };
}

/** @returns states that could not be written */
export async function recordDrill(
  states: StateStore,
  known: ReadonlyMap<string, StateDocument>,
  found: ReadonlyMap<string, ClusterDrill>,
  at: string,
): Promise<CertkeepError[]> {
  const problems: CertkeepError[] = [];
  for (const [cluster, state] of known) {
    const one = found.get(cluster);
    if (one === undefined || withDrill(state, one, at) === null) continue;
    try {
      await changeState(states, cluster, state.title, state.server, (now) => {
        return withDrill(now, one, at) ?? now;
      });
    } catch (error) {
      if (!isCertkeepError(error)) throw error;
      problems.push(error);
    }
  }
  return problems;
}

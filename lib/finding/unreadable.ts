/**
 * Copies that the last drill could not use: said in a cluster's findings until a drill finds them
 * good, they are retired, or retention took them. Pure; bounded by what the drill wrote down.
 */
import type { StateDocument } from "../state/document.ts";
import type { Draft } from "./finding.ts";
import { parseMs } from "../certificate/time.ts";

/** What a drill tells of a copy that it could not use. */
export interface UnreadableCopy {
  readonly version: string;
  readonly namespace: string | null;
  readonly secret: string | null;
  /** Of lib/restoreplan/code.ts; one that a newer version made up is shown as it is. */
  readonly code: string | null;
  readonly detail: string;
}

export function unreadableDraft(
  cluster: string,
  { version, namespace, secret, code, detail }: UnreadableCopy,
  key: string | null,
): Draft {
  const short = version.slice(0, 12);
  return {
    code: "backup_unreadable",
    subject: { cluster, namespace, secret, name: short },
    params: { of: "one", version, key, code, detail },
    actions: [{ kind: "backups", version: short }],
    cause: [code ?? "unknown"],
  };
}

export function* unreadableDrafts(state: StateDocument): Generator<Draft> {
  const { drill } = state;
  if (drill === undefined) return;
  for (const one of drill.unreadable) {
    if (state.copies[one.version]?.retired !== undefined) continue;
    yield unreadableDraft(state.cluster, one, state.copies[one.version]?.key ?? null);
  }
  if (drill.more === 0) return;
  yield {
    code: "backup_unreadable",
    subject: { cluster: state.cluster, namespace: null, secret: null, name: null },
    params: { of: "more", count: drill.more, drilledMs: parseMs(drill.at) },
    actions: [{ kind: "drill" }],
    cause: ["more"],
  };
}

/**
 * Copies that the last drill could not use: said in a cluster's findings until a drill finds them good, they are
 * retired, or retention took them. Pure; bounded by what the drill wrote down.
 */
import { codeWords, isPlanCode } from "../restoreplan/code.ts";
import type { StateDocument } from "../state/document.ts";
import { commandLine, literal } from "./command.ts";
import type { Draft } from "./finding.ts";

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
  const words = code === null ? "it can't be opened" : isPlanCode(code) ? codeWords(code) : code;
  return {
    code: "backup_unreadable",
    subject: { cluster, namespace, secret, name: short },
    seen: `Copy ${short}: ${words}${detail === "" ? "" : ` (${detail})`}.`,
    evidence: [...(key === null ? [] : [key]), ...(code === null ? [] : [code])],
    command: commandLine(literal("certkeep backups"), `${short}*`),
    cause: `backup_unreadable:${code ?? "unknown"}`,
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
    seen: `${drill.more === 1 ? "1 more copy" : `${drill.more} more copies`} could not be used in the drill of ${drill.at}.`,
    evidence: [`drill ${drill.at}`],
    command: commandLine(literal("certkeep drill")),
    cause: "backup_unreadable:more",
  };
}

/**
 * What a cluster had before it was rebuilt and doesn't have yet, for as long as a restore takes it
 * by itself. By the backups that the successor's state carries on. Pure.
 */
import { parseMs } from "../certificate/time.ts";
import { setOf } from "../ratelimit/limit.ts";
import { combinedHelp, type RecordedPlanner } from "../restoreplan/recorded.ts";
import { predecessorsOf, stillCounts } from "../restoreplan/successor.ts";
import type { CertificateEntry } from "../state/certificates.ts";
import type { CopyRecord, StateDocument } from "../state/document.ts";
import { calledBy } from "../state/identity.ts";
import { standingSecrets } from "../state/secrets.ts";
import { restoreAction } from "./action.ts";
import type { Draft } from "./finding.ts";
import { allowedRestore } from "./losses.ts";

const MAX_NAMES = 50;

/** Backups of what the last audit before the rebuild saw live, whether or not it was valid. */
function liveBefore({ copies }: StateDocument, rebuiltMs: number): readonly CopyRecord[] {
  const before = Object.values(copies).filter(
    ({ kind, liveUntil }) => kind === "certificate" && parseMs(liveUntil) <= rebuiltMs,
  );
  const lastMs = before.reduce(
    (last, { liveUntil }) => Math.max(last, parseMs(liveUntil)),
    Number.NEGATIVE_INFINITY,
  );
  return before.filter(({ liveUntil }) => parseMs(liveUntil) === lastMs);
}

function served({ seenValid, retired, notAfter }: CopyRecord, atMs: number): boolean {
  return seenValid && retired === undefined && notAfter !== null && parseMs(notAfter) >= atMs;
}

export function* rebuiltDrafts(
  state: StateDocument,
  entries: readonly CertificateEntry[],
  planner: RecordedPlanner,
  atMs: number,
): Generator<Draft> {
  const predecessor = predecessorsOf(state).at(-1);
  if (predecessor === undefined || !stillCounts(predecessor, atMs)) return;
  const rebuiltMs = parseMs(predecessor.at);
  // A recreated proxy has a Secret of another name: what counts is the certificate's names.
  const here = new Set(
    entries.flatMap(({ verdict, record }) =>
      verdict?.valid === true && record !== null ? [setOf(record.names).key] : [],
    ),
  );
  // What a restore brings back counts, and what served until the rebuild and needs a new
  // certificate.
  const candidates = liveBefore(state, rebuiltMs)
    .filter(({ names }) => !here.has(setOf(names).key))
    .map((copy) => ({ copy, help: planner.helpFor(copy) }))
    .filter(({ copy, help }) => help.backup === "restorable" || served(copy, atMs));
  if (candidates.length === 0) return;
  const missing = candidates.map(({ copy }) => copy);
  const helps = candidates.map(({ help }) => help);
  const { backup } = combinedHelp(helps);
  const namespaces = new Set([...standingSecrets(state)].map(({ namespace }) => namespace));
  yield {
    code: "rebuilt_not_restored",
    subject: { cluster: state.cluster, namespace: null, secret: null, name: null },
    params: {
      title: state.title,
      rebuiltMs,
      count: missing.length,
      restorable: helps.filter((help) => help.backup === "restorable").length,
      backup,
      names: missing.map(({ names, secret }) => names[0] ?? secret).slice(0, MAX_NAMES),
    },
    actions:
      backup === "restorable"
        ? allowedRestore(
            state,
            restoreAction(calledBy(state), [], {
              all: true,
              createNamespace: missing.some(({ namespace }) => !namespaces.has(namespace)),
            }),
          )
        : [],
  };
}

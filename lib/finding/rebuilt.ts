/**
 * What a cluster had before it was rebuilt and doesn't have yet, for as long as a restore takes it
 * by itself. By the backups that the successor's state carries on. Pure.
 */
import { parseMs } from "../certificate/time.ts";
import { setOf } from "../ratelimit/limit.ts";
import { combinedHelp, type RecordedPlanner, type RestoreHelp } from "../restoreplan/recorded.ts";
import {
  liveCopies,
  lostCopies,
  type Predecessor,
  predecessorsOf,
  stillCounts,
} from "../restoreplan/successor.ts";
import type { CertificateEntry } from "../state/certificates.ts";
import type { CopyRecord, StateDocument } from "../state/document.ts";
import { calledBy } from "../state/identity.ts";
import { standingSecrets } from "../state/secrets.ts";
import { restoreAction } from "./action.ts";
import type { Draft } from "./finding.ts";
import { allowedRestore } from "./losses.ts";

const MAX_NAMES = 50;

function served({ seenValid, retired, notAfter }: CopyRecord, atMs: number): boolean {
  return seenValid && retired === undefined && notAfter !== null && parseMs(notAfter) >= atMs;
}

interface Candidate {
  readonly copy: CopyRecord;
  readonly help: RestoreHelp;
}

function isRestorable({ help }: Candidate): boolean {
  return help.backup === "restorable";
}

/**
 * What a restore brings back, and what served until the rebuild and needs a new certificate, less
 * what is valid here by now. A recreated proxy has a Secret of another name: what counts is the
 * certificate's names.
 */
function candidatesOf(
  state: StateDocument,
  predecessor: Predecessor,
  entries: readonly CertificateEntry[],
  { planner, atMs }: { readonly planner: RecordedPlanner; readonly atMs: number },
): readonly Candidate[] {
  const here = new Set(
    entries.flatMap(({ verdict, record }) =>
      verdict?.valid === true && record !== null ? [setOf(record.names).key] : [],
    ),
  );
  const live = liveCopies(state, parseMs(predecessor.at));
  const helped = (copies: readonly CopyRecord[], there: ReadonlySet<string>): Candidate[] =>
    copies
      .filter(({ names }) => !there.has(setOf(names).key))
      .map((copy) => ({ copy, help: planner.helpFor(copy) }));
  const hereOrLive = new Set([...here, ...live.map(({ names }) => setOf(names).key)]);
  return [
    ...helped(live, here).filter((one) => isRestorable(one) || served(one.copy, atMs)),
    ...helped(lostCopies(state, predecessor), hereOrLive).filter(isRestorable),
  ];
}

export function* rebuiltDrafts(
  state: StateDocument,
  entries: readonly CertificateEntry[],
  planner: RecordedPlanner,
  atMs: number,
): Generator<Draft> {
  const predecessor = predecessorsOf(state).at(-1);
  if (predecessor === undefined || !stillCounts(predecessor, atMs)) return;
  const candidates = candidatesOf(state, predecessor, entries, { planner, atMs });
  if (candidates.length === 0) return;
  const missing = candidates.map(({ copy }) => copy);
  const { backup } = combinedHelp(candidates.map(({ help }) => help));
  // Registering creates the namespaces that are registered.
  const namespaces = new Set([
    ...[...standingSecrets(state)].map(({ namespace }) => namespace),
    ...(state.credential?.namespaces ?? []),
  ]);
  yield {
    code: "rebuilt_not_restored",
    subject: { cluster: state.cluster, namespace: null, secret: null, name: null },
    params: {
      title: state.title,
      rebuiltMs: parseMs(predecessor.at),
      count: missing.length,
      restorable: candidates.filter(isRestorable).length,
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

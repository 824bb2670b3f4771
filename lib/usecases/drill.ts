/**
 * A drill opens every backup and judges it as of now, so that it is known before it is needed
 * whether a restore would work. Retention is part of it: it deletes what was opened and judged;
 * without an identity nothing, or, on AWS, by what audits recorded.
 */
import pLimit from "p-limit";
import { parseCopyKey } from "../backup/keys.ts";
import { formatMs } from "../certificate/time.ts";
import { CertkeepError } from "../error.ts";
import { createFinding, findingId, type Finding } from "../finding/finding.ts";
import { unreadableDraft, type UnreadableBackup } from "../finding/backups.ts";
import type { Opener } from "../ports/stores.ts";
import type { DrilledCopy, DrillReport } from "../report/drill.ts";
import type { StateDocument } from "../state/document.ts";
import type { AuditPorts } from "./audit/context.ts";
import {
  applyRetention,
  type ClusterDrill,
  DRILL_NAME,
  drilledCertificates,
  formatDrill,
  recordDrill,
} from "./drill/record.ts";
import { examineBackup, missingBackups, OPENS_AT_ONCE, type Examined } from "./drill/examine.ts";
import {
  byOwner,
  createCopyReader,
  isMeantBy,
  isUnreached,
  listCopies,
  type ListedPlace,
} from "./copies.ts";
import { loadStates } from "./states.ts";

export interface DrillPorts extends Pick<
  AuditPorts,
  "backups" | "states" | "kit" | "clock" | "progress" | "signal"
> {
  /** `null`: no identity, so only headers are read. */
  readonly opener: Opener | null;
  /** Those configured for a cluster; empty: none is, or it isn't known. */
  readonly recipientsFor: (cluster: string, state: StateDocument | undefined) => readonly string[];
  /** `false`: what retention would remove is reported, and nothing is removed. */
  readonly remove: boolean;
  /** Whether retention goes on, by less, where no identity opens anything. */
  readonly prunesUnopened?: boolean;
}

/**
 * `patterns` match a cluster, a Secret or a name; none: all. Retention looks at all backups of the
 * clusters that are looked at.
 */
export async function runDrill(
  ports: DrillPorts,
  patterns: readonly string[],
): Promise<DrillReport> {
  const nowMs = ports.clock.nowMs();
  const isOver = (): boolean => ports.signal?.aborted === true;
  const { places: listed, problems: unlisted } = await listCopies(ports.backups);
  const problems: CertkeepError[] = [...unlisted];
  const states = await loadStates(ports.states, problems);
  const places = byOwner(listed, states);
  const backups = createCopyReader(ports.backups);
  const unreached: CertkeepError[] = [];
  const limit = pLimit(OPENS_AT_ONCE);
  let done = 0;
  const examine = async (place: ListedPlace): Promise<Examined[]> => {
    if (isOver()) return [];
    const stored = await backups.read(place.key);
    ports.progress.step("opening backups", (done += 1), places.length);
    if (!isUnreached(stored)) {
      const context = { url: backups.url, opener: ports.opener, kit: ports.kit, nowMs };
      return [await examineBackup(place, stored, states.get(place.cluster), context)];
    }
    if (stored?.trouble != null) unreached.push(stored.trouble);
    return [];
  };
  const examined = (await Promise.all(places.map((place) => limit(() => examine(place))))).flat();
  const keys = new Set(places.map(({ key }) => key));
  const lost = await missingBackups(states, keys, backups, { nowMs, isOver, unreached });
  problems.push(...unreached);
  const kept = await applyRetention(examined, ports, { states, nowMs, isOver, problems });
  const interrupted = isOver();
  if (interrupted) problems.push(outOfTime(examined.length, places.length));
  const isComplete =
    patterns.length === 0 && !interrupted && unreached.length === 0 && unlisted.length === 0;
  const copies = [...kept, ...lost].filter((copy) =>
    isMeantBy(patterns, copy, ...(copy.header === null ? [copy.key] : [])),
  );
  problems.push(...(await record(ports, states, { copies, isComplete, nowMs })));
  return {
    opened: ports.opener !== null,
    copies: copies.toSorted((a, b) => (a.key < b.key ? -1 : 1)),
    certificates: [...states]
      .flatMap(([cluster, state]) => drilledCertificates(cluster, state, examined, nowMs))
      .filter((certificate) => isMeantBy(patterns, certificate, certificate.title)),
    findings: copies
      .filter(({ verdict }) => verdict === "unreadable")
      .map((copy) => findingOf(copy, states.get(copy.cluster), formatMs(nowMs))),
    problems,
    retention: retentionOf(ports),
    interrupted,
  };
}

function retentionOf({ opener, prunesUnopened, remove }: DrillPorts): DrillReport["retention"] {
  if (opener === null && prunesUnopened !== true) return "needs_identity";
  return remove ? "done" : "shown";
}

function outOfTime(examined: number, all: number): CertkeepError {
  return new CertkeepError("deadline", {
    where: "drill",
    found: `timed out with ${examined} of ${all} backups tested, before all old ones were pruned`,
    todo:
      "Give the functions more time or memory (timeoutSeconds, memoryMb in serverless.yml), or " +
      "run it elsewhere: certkeep drill",
  });
}

/** Notes a complete drill, and in each cluster's state what was found. @returns unwritten states */
async function record(
  { states: store, opener, remove }: DrillPorts,
  states: ReadonlyMap<string, StateDocument>,
  {
    copies,
    isComplete,
    nowMs,
  }: {
    readonly copies: readonly DrilledCopy[];
    readonly isComplete: boolean;
    readonly nowMs: number;
  },
): Promise<CertkeepError[]> {
  const at = formatMs(nowMs);
  // A rehearsal writes nothing, and headers alone don't show that a backup opens again.
  if (!remove) return [];
  if (opener === null) return recordDrill(store, states, removalsOnly(copies), at);
  if (isComplete) {
    const unreadable = copies.filter(({ verdict }) => verdict === "unreadable").length;
    const text = formatDrill({ at, copies: copies.length, unreadable });
    // Of two drills at once, one is noted.
    await store.write(DRILL_NAME, text, (await store.read(DRILL_NAME))?.revision ?? null);
  }
  return recordDrill(store, states, byCluster(copies, states.keys(), isComplete), at);
}

/** Of a drill that opened nothing, only what it removed is recorded. */
function removalsOnly(copies: readonly DrilledCopy[]): ReadonlyMap<string, ClusterDrill> {
  const removed = copies.filter((copy) => copy.removed !== null);
  return new Map(
    [...Map.groupBy(removed, ({ cluster }) => cluster)].map(([cluster, own]) => [
      cluster,
      {
        looked: new Set(),
        unreadable: [],
        removed: new Set(own.map(({ version }) => version)),
        digests: new Map(),
        isComplete: false,
      },
    ]),
  );
}

function findingOf(copy: DrilledCopy, state: StateDocument | undefined, now: string): Finding {
  const draft = unreadableDraft(copy.cluster, unreadableOf(copy), copy.key);
  return createFinding(draft, state?.findings[findingId(draft.code, draft.subject)]?.since ?? now);
}

function unreadableOf({ key, version, code, detail }: DrilledCopy): UnreadableBackup {
  const { namespace = null, secret = null } = parseCopyKey(key) ?? {};
  return { version, namespace, secret, code, detail };
}

function byCluster(
  copies: readonly DrilledCopy[],
  clusters: Iterable<string>,
  isComplete: boolean,
): ReadonlyMap<string, ClusterDrill> {
  return new Map(
    [...clusters].map((cluster) => {
      const own = copies.filter((copy) => copy.cluster === cluster);
      const versions = (wanted: readonly DrilledCopy[]): Set<string> =>
        new Set(wanted.map(({ version }) => version));
      return [
        cluster,
        {
          looked: versions(own),
          unreadable: own
            .filter((copy) => copy.verdict === "unreadable" && !copy.retired && !copy.removed)
            .map(unreadableOf),
          removed: versions(own.filter(({ removed }) => removed !== null)),
          digests: new Map(
            own.flatMap(({ version, verdict, header, recorded }) =>
              header !== null && recorded && verdict !== "unreadable" && verdict !== "not_opened"
                ? [[version, header.digest] as const]
                : [],
            ),
          ),
          isComplete,
        },
      ];
    }),
  );
}

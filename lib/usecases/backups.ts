/**
 * The copies there are: listed by their headers, and verified by their digests, without opening
 * any.
 */
import pLimit from "p-limit";
import type { ParsedDocument } from "../backup/document.ts";
import { clusterPrefix } from "../backup/keys.ts";
import type { BackupHeader, CopyProblem } from "../backup/record.ts";
import { type CertkeepError, isCertkeepError, orError } from "../error.ts";
import type { StateStore } from "../ports/stores.ts";
import type { AuditPorts } from "./audit/context.ts";
import {
  byOwner,
  createCopyReader,
  isMeantBy,
  isUnreached,
  listCopies,
  type ListedPlace,
} from "./copies.ts";
import { loadStates, readState } from "./states.ts";

export interface ListedCopy {
  readonly key: string;
  readonly version: string;
  readonly cluster: string;
  readonly sizeBytes: number | null;
  /** `null` where the copy is damaged: `problem` says how. */
  readonly header: BackupHeader | null;
  readonly problem: CopyProblem | null;
  /**
   * `recorded`: its digest is the one that an audit recorded. `differs`: an audit recorded another.
   * `unrecorded`: no audit recorded it. `unknown`: the state could not be read.
   */
  readonly record: "recorded" | "differs" | "unrecorded" | "unknown";
}

export interface BackupsReport {
  readonly copies: readonly ListedCopy[];
  readonly problems: readonly CertkeepError[];
}

const READS_AT_ONCE = 16;

/**
 * `patterns` fit cluster, Secret, `namespace/secret` or a name in the certificate; none: all.
 * `namespace`: only its copies are read.
 * @throws CertkeepError where the store can't be listed
 */
export async function listBackups(
  ports: Pick<AuditPorts, "backups" | "states" | "progress">,
  patterns: readonly string[],
  namespace?: string,
): Promise<BackupsReport> {
  const listing = await listCopies(ports.backups);
  const problems: CertkeepError[] = [...listing.problems];
  // A state that can't be read is told by whoever asks for what it recorded.
  const places = byOwner(
    listing.places.filter((place) => namespace === undefined || place.namespace === namespace),
    await loadStates(ports.states, []),
  );
  const backups = createCopyReader(ports.backups);
  const recorded = new Map<string, Promise<ReadonlyMap<string, string> | null>>();
  const recordedOf = (cluster: string): Promise<ReadonlyMap<string, string> | null> => {
    const known = recorded.get(cluster) ?? recordedDigests(ports.states, cluster, problems);
    recorded.set(cluster, known);
    return known;
  };
  const limit = pLimit(READS_AT_ONCE);
  let done = 0;
  const copies = await Promise.all(
    places.map((place) =>
      limit(async (): Promise<ListedCopy | null> => {
        const stored = await backups.read(place.key);
        ports.progress.step("reading copies", (done += 1), places.length);
        if (isUnreached(stored) && stored?.trouble != null) problems.push(stored.trouble);
        return stored === null
          ? null
          : listedCopy(place, stored.parsed, await recordedOf(place.cluster));
      }),
    ),
  );
  return {
    copies: copies
      .filter((copy) => copy !== null)
      .filter((copy) => isMeantBy(patterns, copy))
      .toSorted(byPlace),
    problems,
  };
}

function listedCopy(
  place: ListedPlace,
  parsed: ParsedDocument,
  digests: ReadonlyMap<string, string> | null,
): ListedCopy {
  const digest = digests?.get(place.version);
  const { key, version, cluster, sizeBytes } = place;
  const base = { key, version, cluster, sizeBytes };
  const recordOf = (found: string | null): ListedCopy["record"] => {
    if (digests === null) return "unknown";
    if (digest === undefined) return "unrecorded";
    return digest === found ? "recorded" : "differs";
  };
  if (!parsed.ok) return { ...base, header: null, problem: parsed.problem, record: recordOf(null) };
  const { header } = parsed.document;
  const misplaced =
    !key.startsWith(clusterPrefix(header.cluster)) ||
    header.namespace !== place.namespace ||
    header.secret !== place.secret;
  return {
    ...base,
    header,
    problem: misplaced
      ? {
          code: "headers_differ",
          place: "header",
          found: `a backup of ${header.cluster}/${header.namespace}/${header.secret}`,
          expected: `one of ${cluster}/${place.namespace}/${place.secret}, as its key says`,
        }
      : null,
    record: recordOf(header.digest),
  };
}

async function recordedDigests(
  states: StateStore,
  cluster: string,
  problems: CertkeepError[],
): Promise<ReadonlyMap<string, string> | null> {
  const state = await orError(readState(states, cluster));
  if (!isCertkeepError(state))
    return new Map(
      Object.entries(state?.copies ?? {}).map(([version, { digest }]) => [version, digest]),
    );
  problems.push(state);
  return null;
}

function byPlace(a: ListedCopy, b: ListedCopy): number {
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}

/** Whether a copy is whole and, as far as that is known, the one that an audit recorded. */
export function isSound(copy: ListedCopy): boolean {
  return copy.problem === null && copy.record !== "differs";
}

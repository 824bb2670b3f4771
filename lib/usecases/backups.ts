/** The copies there are: listed by their headers, and verified by their digests, without opening any. */
import pLimit from "p-limit";
import { parseDocument } from "../backup/document.ts";
import { clusterPrefix, parseCopyKey } from "../backup/keys.ts";
import type { CopyProblem } from "../backup/problem.ts";
import type { BackupHeader } from "../backup/record.ts";
import { CertkeepError, isCertkeepError } from "../error.ts";
import { matchesPattern } from "../finding/pattern.ts";
import type { BlobEntry, BlobStore, StateStore } from "../ports/stores.ts";
import type { Progress } from "../ports/runtime.ts";
import { loadState } from "./states.ts";

export interface ListedCopy {
  readonly key: string;
  readonly version: string;
  readonly cluster: string;
  readonly sizeBytes: number | null;
  /** `null` where the copy is damaged: `problem` says how. */
  readonly header: BackupHeader | null;
  readonly problem: CopyProblem | null;
  /**
   * `recorded`: its digest is the one that an audit recorded. `differs`: an audit recorded another. `unrecorded`:
   * no audit recorded it. `unknown`: the state could not be read.
   */
  readonly record: "recorded" | "differs" | "unrecorded" | "unknown";
}

export interface BackupsPorts {
  readonly backups: BlobStore;
  readonly states: StateStore;
  readonly progress: Progress;
}

export interface BackupsReport {
  readonly copies: readonly ListedCopy[];
  /** Things in the store that are no copies, and states that could not be read. */
  readonly problems: readonly CertkeepError[];
}

const READS_AT_ONCE = 16;

/** `patterns` fit cluster, Secret, `namespace/secret` or a name in the certificate; none: all. @throws CertkeepError where the store can't be listed */
export async function listBackups(
  ports: BackupsPorts,
  patterns: readonly string[],
): Promise<BackupsReport> {
  const problems: CertkeepError[] = [];
  const entries: BlobEntry[] = [];
  for await (const entry of ports.backups.list("")) entries.push(entry);
  const recorded = new Map<string, Promise<ReadonlyMap<string, string> | null>>();
  const recordedOf = (cluster: string): Promise<ReadonlyMap<string, string> | null> => {
    const known = recorded.get(cluster) ?? recordedDigests(ports.states, cluster, problems);
    recorded.set(cluster, known);
    return known;
  };
  const limit = pLimit(READS_AT_ONCE);
  let done = 0;
  const copies = await Promise.all(
    entries.map((entry) =>
      limit(async (): Promise<ListedCopy | null> => {
        const place = parseCopyKey(entry.key);
        if (place === null) return null;
        const bytes = await ports.backups.read(entry.key);
        ports.progress.step("reading copies", (done += 1), entries.length);
        if (bytes === null) return null;
        const parsed = parseDocument(new TextDecoder().decode(bytes));
        const digests = await recordedOf(place.cluster);
        const digest = digests?.get(place.version);
        const base = {
          key: entry.key,
          version: place.version,
          cluster: place.cluster,
          sizeBytes: entry.sizeBytes,
        };
        if (!parsed.ok)
          return {
            ...base,
            header: null,
            problem: parsed.problem,
            record: digests === null ? "unknown" : digest === undefined ? "unrecorded" : "differs",
          };
        const { header } = parsed.document;
        const misplaced =
          clusterPrefix(header.cluster) !== clusterPrefix(place.cluster) ||
          header.namespace !== place.namespace ||
          header.secret !== place.secret;
        return {
          ...base,
          header,
          problem: misplaced
            ? {
                code: "headers_differ",
                place: "header",
                found: `a copy of ${header.cluster}/${header.namespace}/${header.secret}`,
                expected: `one of ${place.cluster}/${place.namespace}/${place.secret}, as its key says`,
              }
            : null,
          record:
            digests === null
              ? "unknown"
              : digest === undefined
                ? "unrecorded"
                : digest === header.digest
                  ? "recorded"
                  : "differs",
        };
      }),
    ),
  );
  return {
    copies: copies
      .filter((copy) => copy !== null)
      .filter((copy) => fits(copy, patterns))
      .toSorted(byPlace),
    problems,
  };
}

async function recordedDigests(
  states: StateStore,
  cluster: string,
  problems: CertkeepError[],
): Promise<ReadonlyMap<string, string> | null> {
  try {
    const loaded = await loadState(states, cluster);
    return new Map(
      Object.entries(loaded?.state.copies ?? {}).map(([version, { digest }]) => [version, digest]),
    );
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    problems.push(error);
    return null;
  }
}

function fits(copy: ListedCopy, patterns: readonly string[]): boolean {
  if (patterns.length === 0) return true;
  const { header } = copy;
  const texts = [
    copy.cluster,
    copy.version,
    ...(header === null
      ? []
      : [header.secret, `${header.namespace}/${header.secret}`, header.fieldBase, ...header.names]),
  ];
  return patterns.some((pattern) => texts.some((text) => matchesPattern(pattern, text)));
}

function byPlace(a: ListedCopy, b: ListedCopy): number {
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}

/** Whether a copy is whole and, as far as that is known, the one that an audit recorded. */
export function isSound(copy: ListedCopy): boolean {
  return copy.problem === null && copy.record !== "differs";
}

/**
 * The backups of a store, one by one: what is wrong with one is that one's, and stops no other.
 * Only a store that fails several times in a row ends a run: then it is the store.
 */
import { parseDocument, type ParsedDocument } from "../backup/document.ts";
import { parseCopyKey, type CopyPlace } from "../backup/keys.ts";
import type { BackupHeader, CopyProblem } from "../backup/record.ts";
import { isCertkeepError, type CertkeepError } from "../error.ts";
import { isMeant } from "../finding/place.ts";
import type { BlobStore } from "../ports/stores.ts";
import type { StateDocument } from "../state/document.ts";
import type { PlanCode } from "../restoreplan/objection.ts";

export interface ListedPlace extends CopyPlace {
  readonly key: string;
  readonly version: string;
  readonly sizeBytes: number | null;
}

export interface CopyListing {
  readonly places: readonly ListedPlace[];
  /** What keeps the listing from being whole: folders that can't be listed, links. */
  readonly problems: readonly CertkeepError[];
}

export async function listCopies(backups: BlobStore, prefix = ""): Promise<CopyListing> {
  const places: ListedPlace[] = [];
  const problems: CertkeepError[] = [];
  for await (const { key, sizeBytes, trouble } of backups.list(prefix)) {
    const place = parseCopyKey(key);
    // The trouble of what lies at a backup's key is told when that is read.
    if (place !== null) places.push({ key, ...place, sizeBytes });
    else if (trouble !== undefined) problems.push(trouble);
  }
  return { places, problems };
}

/**
 * Each backup under the cluster whose state records it: that of a cluster which was given a name
 * lies where it was before.
 */
export function byOwner(
  places: readonly ListedPlace[],
  states: ReadonlyMap<string, StateDocument>,
): ListedPlace[] {
  const owners = new Map<string, string>();
  for (const [cluster, { copies }] of states)
    for (const { key } of Object.values(copies)) owners.set(key, cluster);
  return places.map((place) => {
    const isOwn = states.get(place.cluster)?.copies[place.version] !== undefined;
    const owner = isOwn ? undefined : owners.get(place.key);
    return owner === undefined ? place : { ...place, cluster: owner };
  });
}

interface Meant {
  readonly cluster: string;
  readonly version?: string;
  /** Of what can be read. */
  readonly header?: Pick<BackupHeader, "namespace" | "secret" | "fieldBase" | "names"> | null;
  readonly namespace?: string;
  readonly secret?: string;
}

/** Whether patterns mean a backup: by cluster, version, Secret or name; none mean all. */
export function isMeantBy(
  patterns: readonly string[],
  { header, namespace, secret, ...rest }: Meant,
  ...others: readonly string[]
): boolean {
  const place = header ?? (secret === undefined ? null : { namespace, secret });
  const texts = [
    rest.cluster,
    ...(rest.version === undefined ? [] : [rest.version]),
    ...(place === null ? [] : [place.secret ?? "", `${place.namespace}/${place.secret}`]),
    ...(header == null ? [] : [header.fieldBase, ...header.names]),
    ...others,
  ];
  return patterns.length === 0 || patterns.some((pattern) => isMeant(pattern, texts));
}

export interface StoredCopy {
  /** `null` where they could not be read, as `trouble` says. */
  readonly bytes: Uint8Array | null;
  readonly trouble: CertkeepError | null;
  readonly parsed: ParsedDocument;
}

/** Whether the store failed, so that nothing is known of the backup itself. */
export function isUnreached(stored: StoredCopy | null): boolean {
  return stored?.parsed.ok === false && stored.parsed.problem.code === "unreachable";
}

export interface CopyReader {
  readonly url: string;
  /** `null` where there is none. @throws CertkeepError where the store fails again and again */
  read(key: string): Promise<StoredCopy | null>;
}

const FAILURES_IN_A_ROW = 5;

export function createCopyReader(backups: BlobStore): CopyReader {
  let failures = 0;
  async function read(key: string): Promise<StoredCopy | null> {
    let bytes: Uint8Array | null;
    try {
      bytes = await backups.read(key);
    } catch (error) {
      if (!isCertkeepError(error)) throw error;
      const own = error.code === "store_damaged" || error.code === "file_unreadable";
      if (!own && (failures += 1) >= FAILURES_IN_A_ROW) throw error;
      const parsed = { ok: false, problem: problemOf(error, own, key) } as const;
      return { bytes: null, trouble: error, parsed };
    }
    failures = 0;
    return bytes === null
      ? null
      : { bytes, trouble: null, parsed: parseDocument(new TextDecoder().decode(bytes)) };
  }
  return { url: backups.url, read };
}

function problemOf({ parts }: CertkeepError, own: boolean, key: string): CopyProblem {
  return {
    code: own ? "unreadable" : "unreachable",
    // Whoever shows it names the backup; a folder above it may be what is wrong.
    place: parts.where.endsWith(key) ? "the backup" : parts.where,
    found: parts.found,
    expected: "a readable backup",
  };
}

export function planCodeOf({ code }: CopyProblem): PlanCode {
  if (code === "format_newer") return "copy_format_newer";
  return code === "unreadable" || code === "unreachable" ? "copy_unreadable" : "copy_damaged";
}

/**
 * Seals every recorded copy again for the recipients that are configured now, as new versions:
 * after a recipient was added, or an identity leaked or was lost.
 *
 * Write-once holds: nothing is changed in place. A new version counts only once it was read back
 * and, where an identity of this run can open it, opened and found to hold the very same; only then
 * may the old one go (`purgeOld`). Interrupted, it goes on where it ended: what has its new version
 * already is verified and left. Copies that no audit recorded are left as they are: sealing them
 * again would make them look as if one had.
 */
import pLimit from "p-limit";
import { parseCopyKey } from "../backup/keys.ts";
import { sortedSet } from "../backup/record.ts";
import { CertkeepError, isCertkeepError } from "../error.ts";
import type { Opener } from "../ports/stores.ts";
import type { SecretRecord, StateDocument } from "../state/document.ts";
import { mapRecords } from "../state/secrets.ts";
import type { AuditPorts } from "./audit/context.ts";
import { byOwner, createCopyReader, isMeantBy, listCopies, type ListedPlace } from "./copies.ts";
import { rekeyBackup, type Move, type RekeyContext } from "./rekey/reencrypt.ts";
import { changeState, loadStates, readState } from "./states.ts";

export interface RekeyPorts extends Pick<
  AuditPorts,
  "backups" | "states" | "sealer" | "kit" | "clock" | "progress"
> {
  readonly opener: Opener;
  recipientsFor(cluster: string): readonly string[];
}

/**
 * `current`: sealed for these recipients already. `sealed`: a new version was made, or one was
 * there, and it counts. `unrecorded`, `retired`: left as it is. `failed`: could not be opened,
 * sealed or verified.
 */
type RekeyOutcome = "current" | "sealed" | "unrecorded" | "retired" | "failed";

export interface RekeyedCopy {
  readonly key: string;
  readonly cluster: string;
  readonly outcome: RekeyOutcome;
  readonly replacedBy: string | null;
  /** Whether the new version was opened as well as read back: only then may the old one go. */
  readonly proven: boolean;
  /** Whether somebody who isn't configured any more can open what lies under `key`. */
  readonly exposed: boolean;
  /**
   * `hidden`: gone under its key, and the store keeps older versions. `kept`: the store didn't let
   * it go. `message` says why.
   */
  readonly old: "left" | "removed" | "hidden" | "kept";
  readonly message: string | null;
}

export interface RekeyReport {
  readonly copies: readonly RekeyedCopy[];
  readonly problems: readonly CertkeepError[];
}

const AT_ONCE = 8;

/**
 * `patterns` match cluster, Secret or version; none: all. @throws CertkeepError where the store
 * can't be listed
 */
export async function runRekey(
  ports: RekeyPorts,
  patterns: readonly string[],
  purgeOld: boolean,
): Promise<RekeyReport> {
  const listing = await listCopies(ports.backups);
  const problems: CertkeepError[] = [...listing.problems];
  // A state that can't be read is told when its own cluster's turn comes.
  const places = byOwner(listing.places, await loadStates(ports.states, []));
  const wanted = places.filter((place) => isMeantBy(patterns, place));
  const run: Run = {
    ports,
    backups: createCopyReader(ports.backups),
    listed: new Set(listing.places.map(({ key }) => key)),
    purgeOld,
    done: 0,
    total: wanted.length,
  };
  const copies: RekeyedCopy[] = [];
  const byCluster = [...Map.groupBy(wanted, ({ cluster }) => cluster)];
  for (const [cluster, own] of byCluster.toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    try {
      copies.push(...(await rekeyCluster(cluster, own, run)));
    } catch (error) {
      if (!isCertkeepError(error)) throw error;
      problems.push(error);
    }
  }
  return { copies, problems };
}

interface Run extends Omit<RekeyContext, "recipients"> {
  readonly purgeOld: boolean;
  done: number;
  readonly total: number;
}

async function rekeyCluster(
  cluster: string,
  places: readonly ListedPlace[],
  run: Run,
): Promise<RekeyedCopy[]> {
  const { ports } = run;
  const recipients = sortedSet(ports.recipientsFor(cluster));
  if (recipients.length === 0)
    throw new CertkeepError("usage", {
      where: `cluster ${cluster}`,
      found: "the configuration names no recipients to encrypt its backups for",
      todo: "Name them under recipients: in certkeep.yaml",
    });
  const state = await readState(ports.states, cluster);
  const change = (next: (now: StateDocument) => StateDocument): Promise<void> =>
    state === null
      ? Promise.resolve()
      : changeState(ports.states, cluster, state.title, state.server, next);
  const moves: Move[] = [];
  const limit = pLimit(AT_ONCE);
  const results = await Promise.all(
    places.map(({ key, version }) =>
      limit(async () => {
        const known = state?.copies[version] ?? null;
        const one = await rekeyBackup(key, version, known, { ...run, recipients });
        if (one.move !== null) moves.push(one.move);
        ports.progress.step("sealing copies", (run.done += 1), run.total);
        return one.copy;
      }),
    ),
  );
  // What takes a backup's place is recorded before the old one may go: a crash between the two
  // loses nothing.
  if (moves.length > 0) await change((now) => moved(now, moves));
  if (!run.purgeOld) return results;
  const purged = await Promise.all(results.map((copy) => limit(() => purge(copy, ports))));
  const gone = purged
    .filter(({ old }) => old === "removed" || old === "hidden")
    .map(({ key }) => parseCopyKey(key)?.version ?? "");
  const isLeft = ([version]: [string, unknown]): boolean => !gone.includes(version);
  if (gone.length > 0)
    await change((now) => ({
      ...now,
      copies: Object.fromEntries(Object.entries(now.copies).filter(isLeft)),
    }));
  return purged;
}

function moved(state: StateDocument, moves: readonly Move[]): StateDocument {
  const to = new Map(moves.map((move) => [move.from, move]));
  const pointed = <
    T extends { copy: { version: string; digest: string; recipients: string } | null },
  >(
    records: Record<string, T>,
  ): Record<string, T> =>
    Object.fromEntries(
      Object.entries(records).map(([base, record]) => {
        const move = record.copy === null ? undefined : to.get(record.copy.version);
        return [
          base,
          move === undefined
            ? record
            : {
                ...record,
                copy: {
                  ...record.copy,
                  version: move.to,
                  digest: move.copy.digest,
                  recipients: move.recipients,
                },
              },
        ];
      }),
    );
  const held = (record: SecretRecord): SecretRecord => ({
    ...record,
    certificates: pointed(record.certificates),
    accounts: pointed(record.accounts),
  });
  return {
    ...state,
    copies: {
      ...state.copies,
      ...Object.fromEntries(
        moves.map((move) => [move.to, { ...state.copies[move.to], ...move.copy }]),
      ),
    },
    ...mapRecords(state, held),
  };
}

/**
 * Removes what a recipient no longer configured could open, once its successor counts, or it is
 * never to be used again.
 */
async function purge(copy: RekeyedCopy, { backups }: RekeyPorts): Promise<RekeyedCopy> {
  if (!copy.exposed || (copy.outcome !== "sealed" && copy.outcome !== "retired")) return copy;
  if (copy.outcome === "sealed" && !copy.proven)
    return {
      ...copy,
      old: "kept",
      message:
        "no identity of this run opens its new version, so the old one stays: name both, one " +
        "after the other in one file, by --identity",
    };
  try {
    const kept = await backups.remove(copy.key);
    const left = await backups.read(copy.key);
    if (left !== null) return { ...copy, old: "kept", message: "the store still has it" };
    return kept === null ? { ...copy, old: "removed" } : { ...copy, old: "hidden", message: kept };
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    return { ...copy, old: "kept", message: error.message };
  }
}

/**
 * Retiring a copy: it is never planned again (a leaked key, a revoked certificate), and, if wanted,
 * removed. The state says so, since that is what a restore believes; a copy that no state knows can
 * only be removed.
 */
import { formatMs } from "../../certificate/time.ts";
import { CertkeepError } from "../../error.ts";
import type { BlobStore, StateStore } from "../../ports/stores.ts";
import type { AuditPorts } from "../audit/context.ts";
import { listCopies } from "../copies.ts";
import { changeState, readState, stateKeys } from "../states.ts";

export type RetirePorts = Pick<AuditPorts, "backups" | "states" | "clock">;

export interface Retired {
  readonly version: string;
  readonly clusters: readonly string[];
  readonly names: readonly string[];
  readonly purged: boolean;
  /**
   * Where it was removed from, and what the store still keeps of it; `null` where it wasn't
   * removed.
   */
  readonly purgeNote: string | null;
}

const PREFIX = /^[0-9a-f]{8,64}$/;

interface KnownBackup {
  readonly cluster: string;
  readonly version: string;
  readonly key: string;
  readonly names: readonly string[];
}

/** `prefix`: a version or the beginning of one. @throws CertkeepError usage */
export async function retireCopy(
  prefix: string,
  reason: string,
  purge: boolean,
  ports: RetirePorts,
): Promise<Retired> {
  const where = `certkeep backups retire ${prefix.slice(0, 64)}`;
  const refuse = (found: string, todo: string): CertkeepError =>
    new CertkeepError("usage", { where, found, todo });
  if (!PREFIX.test(prefix))
    throw refuse(
      "this isn't the beginning of a version",
      "Give at least 8 hexadecimal digits. List versions: certkeep backups",
    );
  if (reason.trim() === "") throw refuse("no reason is given", "Add --reason TEXT");
  const known = await recordedBackups(prefix, ports.states);
  const listing = await listCopies(ports.backups);
  const stored = listing.places.filter(({ version }) => version.startsWith(prefix));
  const versions = [...new Set([...known, ...stored].map(({ version }) => version))];
  const [version] = versions;
  if (version === undefined)
    throw refuse("no backup has this version", "List backups: certkeep backups");
  if (versions.length > 1)
    throw refuse(`${versions.length} versions begin like this`, "Give more digits");
  if (known.length === 0 && !purge)
    throw refuse(
      "no audit recorded this backup, so it is never restored by itself",
      "To remove it, add --purge",
    );
  const clusters = known.map(({ cluster }) => cluster);
  // The state first: a copy that is still there must not be planned.
  await markRetired(version, clusters, reason.trim(), ports);
  // Those that a state knows as well: a listing may lag behind, and lacks what a lock kept at an
  // earlier purge.
  const keys = [...stored, ...known].map(({ key }) => key).filter((key) => key !== "");
  return {
    version,
    clusters,
    names: known[0]?.names ?? [],
    purged: purge,
    purgeNote: purge ? await purgeKeys(new Set(keys), listing.problems, ports.backups) : null,
  };
}

async function recordedBackups(prefix: string, states: StateStore): Promise<KnownBackup[]> {
  const known: KnownBackup[] = [];
  for (const cluster of await stateKeys(states)) {
    const state = await readState(states, cluster);
    for (const [version, { key, names }] of Object.entries(state?.copies ?? {}))
      if (version.startsWith(prefix)) known.push({ cluster, version, key, names });
  }
  return known;
}

async function markRetired(
  version: string,
  clusters: readonly string[],
  reason: string,
  { states, clock }: RetirePorts,
): Promise<void> {
  const at = formatMs(clock.nowMs());
  for (const cluster of clusters) {
    await changeState(states, cluster, cluster, "", (state) => {
      const copy = state.copies[version];
      if (copy === undefined || copy.retired !== undefined) return state;
      const copies = { ...state.copies, [version]: { ...copy, retired: { at, reason } } };
      return { ...state, copies };
    });
  }
}

async function purgeKeys(
  keys: ReadonlySet<string>,
  unlisted: readonly CertkeepError[],
  backups: BlobStore,
): Promise<string> {
  const left = unlisted.map(
    ({ parts }) => `${parts.where} could not be looked into (${parts.found})`,
  );
  for (const key of keys) {
    const kept = await backups.remove(key);
    if (kept !== null) left.push(kept);
  }
  if (left.length > 0) return `removed from ${backups.url}, but ${left.join(", and ")}`;
  return backups.url.startsWith("file:")
    ? `removed from ${backups.url}; other copies of that folder, such as its own backups, ` +
        "still hold it"
    : `removed from ${backups.url}, older versions included`;
}

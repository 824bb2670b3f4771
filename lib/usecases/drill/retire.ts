/**
 * Retiring a copy: it is never planned again (a leaked key, a revoked certificate), and, if wanted,
 * removed. The state says so, since that is what a restore believes; a copy that no state knows can
 * only be removed.
 */
import { formatMs } from "../../certificate/time.ts";
import { CertkeepError } from "../../error.ts";
import type { BlobStore, StateStore } from "../../ports/stores.ts";
import type { Clock } from "../../ports/runtime.ts";
import { listCopies } from "../copies.ts";
import { changeState, loadState, stateKeys } from "../states.ts";

export interface RetirePorts {
  readonly backups: BlobStore;
  readonly states: StateStore;
  readonly clock: Clock;
}

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

/** `prefix`: a version or the beginning of one. @throws CertkeepError usage */
export async function retireCopy(
  prefix: string,
  reason: string,
  purge: boolean,
  ports: RetirePorts,
): Promise<Retired> {
  const where = `certkeep backups retire ${prefix.slice(0, 64)}`;
  if (!PREFIX.test(prefix))
    throw new CertkeepError("usage", {
      where,
      found: "no version",
      expected: "8 hexadecimal digits at least",
      todo: "certkeep backups    lists them",
    });
  if (reason.trim() === "")
    throw new CertkeepError("usage", {
      where,
      found: "no reason",
      expected: "--reason TEXT, for whoever asks later",
    });
  const known: { cluster: string; version: string; key: string; names: readonly string[] }[] = [];
  for (const cluster of await stateKeys(ports.states)) {
    const loaded = await loadState(ports.states, cluster);
    for (const [version, copy] of Object.entries(loaded?.state.copies ?? {}))
      if (version.startsWith(prefix))
        known.push({ cluster, version, key: copy.key, names: copy.names });
  }
  const keys = new Map<string, string>();
  const listing = await listCopies(ports.backups);
  for (const place of listing.places)
    if (place.version.startsWith(prefix)) keys.set(place.key, place.version);
  const versions = [...new Set([...known.map(({ version }) => version), ...keys.values()])];
  const [version] = versions;
  if (version === undefined)
    throw new CertkeepError("usage", {
      where,
      found: "no copy of that version",
      expected: "one that certkeep backups lists",
    });
  if (versions.length > 1)
    throw new CertkeepError("usage", {
      where,
      found: `${versions.length} copies whose versions begin so`,
      expected: "more of its digits",
    });
  if (known.length === 0 && !purge) {
    throw new CertkeepError("usage", {
      where,
      found: "a copy that no audit recorded: it is never planned by itself",
      expected: "--purge, to remove it",
    });
  }
  const at = formatMs(ports.clock.nowMs());
  // The state first: a copy that is still there must not be planned.
  for (const { cluster } of known) {
    await changeState(ports.states, cluster, cluster, "", (state) => {
      const copy = state.copies[version];
      if (copy === undefined || copy.retired !== undefined) return state;
      return {
        ...state,
        copies: { ...state.copies, [version]: { ...copy, retired: { at, reason: reason.trim() } } },
      };
    });
  }
  const left: string[] = [];
  if (purge) {
    for (const { parts } of listing.problems)
      left.push(`${parts.where} could not be looked into (${parts.found})`);
    // Those that a state knows as well: a listing may lag behind, and lacks what a lock kept at an
    // earlier purge.
    for (const key of new Set([
      ...keys.keys(),
      ...known.map((copy) => copy.key).filter((name) => name !== ""),
    ])) {
      const kept = await ports.backups.remove(key);
      if (kept !== null) left.push(kept);
    }
  }
  return {
    version,
    clusters: known.map(({ cluster }) => cluster),
    names: known[0]?.names ?? [],
    purged: purge,
    purgeNote: purge ? noteOf(ports.backups.url, left) : null,
  };
}

function noteOf(url: string, left: readonly string[]): string {
  if (left.length > 0) return `removed from ${url}, but ${left.join(", and ")}`;
  return url.startsWith("file:")
    ? `removed from ${url}; other copies of that folder, such as its own backups, still hold it`
    : `removed from ${url}, older versions included`;
}

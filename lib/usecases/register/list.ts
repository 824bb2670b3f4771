/** The clusters there are, as registrations, states and credentials tell; no cluster is asked. */
import type { ClusterEntry } from "../../config/cluster.ts";
import { isCertkeepError } from "../../error.ts";
import type { StateStore } from "../../ports/stores.ts";
import type { ClusterRow } from "../../report/clusters.ts";
import { loadState } from "../states.ts";

export interface ListPorts {
  readonly states: StateStore;
  /** Server and end of the reading credential, without asking anybody. @throws CertkeepError */
  describe(
    entry: ClusterEntry,
    registered: boolean,
  ): Promise<{ readonly server: string; readonly expiresAtMs: number | null }>;
}

export async function listClusters(
  clusters: readonly ClusterEntry[],
  registered: readonly string[],
  broken: readonly { readonly name: string; readonly error: Error }[],
  ports: ListPorts,
): Promise<ClusterRow[]> {
  const listed = await Promise.all(
    clusters.map(async (entry): Promise<ClusterRow> => {
      const problems: string[] = [];
      const told = async <T>(work: () => Promise<T>): Promise<T | null> => {
        try {
          return await work();
        } catch (error) {
          if (!isCertkeepError(error)) throw error;
          problems.push(error.message);
          return null;
        }
      };
      const state = (await told(() => loadState(ports.states, entry.name)))?.state ?? null;
      const place = await told(() => ports.describe(entry, registered.includes(entry.name)));
      return {
        name: entry.name,
        registered: registered.includes(entry.name),
        server: place?.server ?? state?.server ?? null,
        identity: state?.identity?.key ?? null,
        kind: entry.access?.kind ?? null,
        parts: entry.access?.parts ?? [],
        namespaces: entry.namespaces,
        restores: entry.restoreKubeconfig !== null || entry.eks?.restoreRole != null,
        lastAudit:
          state?.audit == null
            ? null
            : { at: state.audit.finishedAt, complete: state.audit.complete },
        credentialEndsAt:
          place?.expiresAtMs == null ? null : new Date(place.expiresAtMs).toISOString(),
        problems,
      };
    }),
  );
  const unusable = broken.map(({ name, error }): ClusterRow => ({
    name,
    registered: true,
    server: null,
    identity: null,
    kind: null,
    parts: [],
    namespaces: null,
    restores: false,
    lastAudit: null,
    credentialEndsAt: null,
    problems: [error.message],
  }));
  return [...listed, ...unusable].toSorted((a, b) =>
    a.name < b.name ? -1 : a.name > b.name ? 1 : 0,
  );
}

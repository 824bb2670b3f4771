/** The clusters there are, as registrations, states and credentials tell; no cluster is asked. */
import type { ClusterEntry } from "../../config/cluster.ts";
import { type CertkeepError, isCertkeepError, orError } from "../../error.ts";
import type { StateStore } from "../../ports/stores.ts";
import type { ClusterRow } from "../../report/clusters.ts";
import { readState } from "../states.ts";

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
      const told = <T>(result: T | CertkeepError): T | null => {
        if (!isCertkeepError(result)) return result;
        problems.push(result.message);
        return null;
      };
      const state = told(await orError(readState(ports.states, entry.name)));
      const isRegistered = registered.includes(entry.name);
      const place = told(await orError(ports.describe(entry, isRegistered)));
      return {
        name: entry.name,
        registered: isRegistered,
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

/** When the certificates were issued that stand now where findings are over. */
import { parseMs } from "../../certificate/time.ts";
import { isCertkeepError } from "../../error.ts";
import type { StateStore } from "../../ports/stores.ts";
import { shortLabel } from "../../report/digest/changes.ts";
import type { IssuedNow, Resolved } from "../../report/digest/message.ts";
import { certificates, titleOf } from "../../state/certificates.ts";
import { loadState } from "../states.ts";

/** Clusters whose states are read for it; of others nothing is known. */
const MAX_CLUSTERS = 10;

export async function issuedNow(
  states: StateStore,
  resolved: readonly Resolved[],
  nowMs: number,
): Promise<IssuedNow> {
  const issued = new Map<string, number>();
  const clusters = [...new Set(resolved.map(({ cluster }) => cluster))];
  for (const cluster of clusters.slice(0, MAX_CLUSTERS)) {
    try {
      const loaded = await loadState(states, cluster);
      if (loaded === null) continue;
      for (const entry of certificates(loaded.state, nowMs))
        if (entry.condition === "live" && entry.verdict.valid)
          issued.set(keyOf(cluster, shortLabel(titleOf(entry))), parseMs(entry.record.issuedAt));
    } catch (error) {
      // The survey reports a state that can't be read.
      if (!isCertkeepError(error) && !(error instanceof RangeError)) throw error;
    }
  }
  return ({ cluster, label }) => issued.get(keyOf(cluster, label)) ?? null;
}

function keyOf(cluster: string, label: string): string {
  return JSON.stringify([cluster, label]);
}

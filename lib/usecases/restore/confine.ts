/**
 * Before the deployed function restores: whether it may, by what is recorded and not by what a
 * registration says.
 */
import { CertkeepError } from "../../error.ts";
import type { RestorePair } from "../../config/schema.ts";
import type { StateStore } from "../../ports/stores.ts";
import { refusalParts } from "../../report/pinning.ts";
import { refusalOf } from "../../restoreplan/destination.ts";
import type { ClusterIdentity } from "../../state/identity.ts";
import { loadState } from "../states.ts";

/** @throws CertkeepError usage */
export async function confine(
  asked: { readonly cluster: string; readonly from: string | null; readonly seen: ClusterIdentity },
  pairs: readonly RestorePair[],
  states: StateStore,
): Promise<void> {
  const loaded = await loadState(states, asked.cluster);
  const refusal = refusalOf({ ...asked, pairs, state: loaded?.state ?? null });
  if (refusal !== null) throw new CertkeepError("usage", refusalParts(asked.cluster, refusal));
  // By its name alone: a title is what a registration makes it.
  if (asked.from !== null && (await loadState(states, asked.from)) === null) {
    throw new CertkeepError("usage", {
      where: `fromCluster ${asked.from}`,
      found: "no state under this name",
      expected: "a cluster that was audited",
    });
  }
}

/** What each part of an observation is given. */
import type { ClusterDiagnosis } from "../../../ports/cluster.ts";
import type { Issuer } from "../../../issuer/issuers.ts";
import type { StateDocument } from "../../../state/document.ts";
import type { Observations } from "../../../state/observations.ts";

export interface ObserveContext {
  readonly diagnosis: ClusterDiagnosis;
  /** The state as it stands after reading. */
  readonly state: StateDocument;
  readonly before: Observations;
  readonly issuers: readonly Pick<Issuer, "id" | "directory">[];
  readonly nowMs: number;
  readonly signal: AbortSignal;
}

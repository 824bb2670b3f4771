/** The drilling function with its concrete parts. */
import type { DrillPorts } from "../../usecases/drill.ts";
import { composeDrill } from "../drill.ts";
import { composeSettings } from "../settings.ts";
import { hasIdentity, identityWorld } from "./identity.ts";
import type { FunctionRun } from "./run.ts";

/** Without an identity nothing is removed. @throws CertkeepError config_invalid, identity_invalid, store_unavailable */
export async function composeDrillFunction(run: FunctionRun): Promise<DrillPorts> {
  const world = identityWorld(run);
  const opens = await hasIdentity(run, await composeSettings({ ...world, reach: [] }));
  return composeDrill({
    ...world,
    env: opens ? run.env : { ...run.env, CERTKEEP_IDENTITY: "" },
    atNs: null,
    dryRun: !opens,
  });
}

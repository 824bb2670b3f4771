/** Sealing copies again, with its concrete adapters. */
import { createSealer } from "../adapters/age/sealer.ts";
import { settingsFor } from "../config/settings.ts";
import type { Progress } from "../ports/progress.ts";
import type { RekeyPorts } from "../use/rekey.ts";
import { composeOpener, type IdentityWorld } from "./identity.ts";
import { kitOf } from "./restore.ts";
import { composeSettings } from "./settings.ts";

export interface RekeyWorld extends IdentityWorld {
  readonly nowNs: () => bigint;
  readonly progress: Progress;
}

/** @throws CertkeepError for a configuration or an identity that can't be used */
export async function composeRekey(world: RekeyWorld): Promise<RekeyPorts> {
  const settings = await composeSettings(world);
  return {
    ...settings.stores,
    opener: await composeOpener(world, settings),
    sealer: createSealer(),
    kit: kitOf(settings),
    clock: { nowNs: world.nowNs },
    progress: world.progress,
    recipientsFor: (cluster) => settingsFor(settings.config, cluster).recipients,
  };
}

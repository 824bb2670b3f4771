/** Sealing copies again, with its concrete adapters. */
import { createSealer } from "../adapters/age/sealer.ts";
import { BACKUP_STORE } from "../config/form.ts";
import { settingsFor } from "../config/settings.ts";
import { CertkeepError } from "../error.ts";
import type { Progress } from "../ports/runtime.ts";
import { plain } from "../plain.ts";
import type { MovePorts } from "../usecases/move.ts";
import type { RekeyPorts } from "../usecases/rekey.ts";
import { awsWorld } from "./aws.ts";
import { composeOpener, type IdentityWorld } from "./identity.ts";
import { kitOf } from "./kit.ts";
import { composeSettings, openBackups, type World } from "./settings.ts";

export interface RekeyWorld extends IdentityWorld {
  readonly nowMs: () => number;
  readonly progress: Progress;
}

/** @throws CertkeepError for a configuration or an identity that can't be used */
export async function composeRekey(world: RekeyWorld): Promise<RekeyPorts> {
  const settings = await composeSettings(world);
  return {
    ...settings.stores,
    opener: await composeOpener(world, settings),
    sealer: createSealer(),
    kit: kitOf(settings.config),
    clock: { nowMs: world.nowMs },
    progress: world.progress,
    recipientsFor: (cluster) => settingsFor(settings.config, cluster).recipients,
  };
}

/**
 * `from`: the URL of the store that copies are brought from. @throws CertkeepError for a
 * configuration or a store that can't be used
 */
export async function composeMove(
  world: World & Pick<RekeyWorld, "progress">,
  from: string,
): Promise<MovePorts> {
  const { config, stores } = await composeSettings({ ...world, reach: "none" });
  if (!BACKUP_STORE.test(from))
    throw new CertkeepError("usage", {
      where: "--from",
      found: plain(from.slice(0, 200)),
      expected: "file:FOLDER, s3://BUCKET/PREFIX or secretsmanager://PREFIX",
    });
  return {
    from: await openBackups(from, awsWorld(world.env, config.aws)),
    to: stores.backups,
    states: stores.states,
    progress: world.progress,
  };
}

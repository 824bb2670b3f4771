/** What works on backups without a cluster, with its concrete adapters. */
import { BACKUP_STORE } from "../config/form.ts";
import { settingsFor } from "../config/settings.ts";
import { CertkeepError } from "../error.ts";
import { plain } from "../plain.ts";
import type { DrillPorts } from "../usecases/drill.ts";
import type { MovePorts } from "../usecases/move.ts";
import type { RekeyPorts } from "../usecases/rekey.ts";
import { stateKeys } from "../usecases/states.ts";
import { awsWorld } from "./aws.ts";
import { composeOpener, composeOpenerIfAny } from "./identity.ts";
import { composeSettings, openBackups } from "./settings.ts";
import { portsOf, type RunWorld } from "./world.ts";

export async function composeDrill(world: RunWorld, dryRun: boolean): Promise<DrillPorts> {
  const deployed = world.deployed === true;
  // On AWS a registration is one secret with the credential, which a drill has no use for.
  const settings = await composeSettings(deployed ? { ...world, reach: [] } : world);
  const ports = portsOf(settings, world);
  return {
    ...ports,
    recipientsFor: (cluster, state) =>
      deployed
        ? withPackaged(state?.audit?.recipients ?? [], ports.recipientsFor(cluster))
        : ports.recipientsFor(cluster),
    opener: await composeOpenerIfAny(world, settings),
    remove: world.atMs === null && !dryRun,
  };
}

/**
 * Of the last audit and of the packaged configuration: a person may audit with another one. None
 * where no audit noted any, so that everybody counts.
 */
function withPackaged(noted: readonly string[], packaged: readonly string[]): readonly string[] {
  return noted.length === 0 ? [] : [...new Set([...noted, ...packaged])];
}

export async function composeRekey(world: RunWorld): Promise<RekeyPorts> {
  const settings = await composeSettings(world);
  return { ...portsOf(settings, world), opener: await composeOpener(world, settings) };
}

/** `from`: the URL of the store that backups are brought from. */
export async function composeMove(world: RunWorld, from: string): Promise<MovePorts> {
  const { config, stores } = await composeSettings({ ...world, reach: "none" });
  if (!BACKUP_STORE.test(from))
    throw new CertkeepError("usage", {
      where: "--from",
      found: `${plain(from.slice(0, 200))} isn't a store of backups`,
      todo: "Use file:FOLDER, s3://BUCKET/PREFIX or secretsmanager://PREFIX",
    });
  return {
    from: await openBackups(from, awsWorld(world.env, config.aws)),
    to: stores.backups,
    states: stores.states,
    progress: world.progress,
  };
}

/** `asked`: `--cluster`, or `null`: the only one there is. */
export async function composeImport(world: RunWorld, asked: string | null) {
  const settings = await composeSettings(world);
  const { config, stores } = settings;
  const names = settings.names.length > 0 ? settings.names : await stateKeys(stores.states);
  const cluster = asked ?? (names.length === 1 ? (names[0] ?? null) : null);
  if (cluster === null || (names.length > 0 && !names.includes(cluster))) {
    throw new CertkeepError("usage", {
      where: "certkeep backups import",
      found:
        names.length === 0
          ? "no cluster is configured, and none was audited"
          : cluster === null
            ? `there are ${names.length} clusters to choose from`
            : `there is no cluster ${cluster}`,
      todo:
        names.length === 0
          ? "Audit the cluster once: certkeep audit"
          : `Use --cluster with one of: ${names.join(", ")}`,
    });
  }
  return {
    cluster,
    recipients: settingsFor(config, cluster).recipients,
    ports: { ...portsOf(settings, world), dryRun: false },
  };
}

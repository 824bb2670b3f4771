/** The drill, retiring and importing with their concrete adapters. */
import { createSealer } from "../adapters/age/sealer.ts";
import { settingsFor } from "../config/settings.ts";
import { CertkeepError } from "../error.ts";
import type { Progress } from "../ports/runtime.ts";
import type { AuditPorts } from "../usecases/audit/context.ts";
import type { DrillPorts } from "../usecases/drill.ts";
import { stateKeys } from "../usecases/states.ts";
import { composeOpenerIfAny, type IdentityWorld } from "./identity.ts";
import { kitOf } from "./kit.ts";
import { composeSettings, type World } from "./settings.ts";

export interface DrillWorld extends IdentityWorld {
  readonly nowMs: () => number;
  /** An instant to judge at; nothing is removed then. */
  readonly atMs: number | null;
  readonly dryRun: boolean;
  readonly progress: Progress;
  readonly signal?: AbortSignal;
}

/**
 * @throws CertkeepError for a configuration or an identity that can't be used; no identity at all
 * is no error
 */
export async function composeDrill(world: DrillWorld): Promise<DrillPorts> {
  const settings = await composeSettings(world);
  return {
    ...settings.stores,
    opener: await composeOpenerIfAny(world, settings),
    kit: kitOf(settings.config),
    clock: { nowMs: () => world.atMs ?? world.nowMs() },
    progress: world.progress,
    recipientsFor: (cluster) => settingsFor(settings.config, cluster).recipients,
    remove: world.atMs === null && !world.dryRun,
    ...(world.signal === undefined ? {} : { signal: world.signal }),
  };
}

export interface ImportWorld extends World {
  /** `--cluster`, or `null`: the only one there is. */
  readonly cluster: string | null;
  readonly nowMs: () => number;
  readonly progress: Progress;
}

export interface ComposedImport {
  readonly cluster: string;
  readonly recipients: readonly string[];
  readonly ports: AuditPorts;
}

export async function composeImport(world: ImportWorld): Promise<ComposedImport> {
  const settings = await composeSettings(world);
  const { config, stores } = settings;
  const names = settings.names.length > 0 ? settings.names : await stateKeys(stores.states);
  const cluster = world.cluster ?? (names.length === 1 ? (names[0] ?? null) : null);
  if (cluster === null || (names.length > 0 && !names.includes(cluster))) {
    throw new CertkeepError("usage", {
      where: "certkeep backups import",
      found: cluster === null ? `${names.length} clusters to choose from` : `no cluster ${cluster}`,
      expected: `--cluster, one of: ${names.join(", ") || "none is configured or was audited"}`,
    });
  }
  return {
    cluster,
    recipients: settingsFor(config, cluster).recipients,
    ports: {
      ...stores,
      sealer: createSealer(),
      clock: { nowMs: world.nowMs },
      kit: kitOf(settings.config),
      progress: world.progress,
      dryRun: false,
    },
  };
}

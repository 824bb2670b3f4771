/** The restore with its concrete adapters: for the command line and the function alike. */
import { randomUUID } from "node:crypto";
import { createSealer } from "../adapters/age/sealer.ts";
import { createRevocationSource } from "../adapters/crl/source.ts";
import { createManifestFolder } from "../adapters/file/manifests.ts";
import { createProcessTable } from "../adapters/file/system.ts";
import { createSelfAccess } from "../adapters/kubernetes/access.ts";
import { createClusterReader } from "../adapters/kubernetes/reader.ts";
import { createClusterWriter } from "../adapters/kubernetes/writer.ts";
import { settingsFor } from "../config/settings.ts";
import type { Progress } from "../ports/runtime.ts";
import type { RestorePorts, RestoreTarget } from "../usecases/restore/context.ts";
import { auditSettings } from "./audit.ts";
import {
  clusterMeant,
  connectCluster,
  contextSettings,
  type ContextRef,
  type InteractiveAuth,
} from "./connect.ts";
import { composeOpener, type IdentityWorld } from "./identity.ts";
import { kitOf } from "./kit.ts";
import { pathOf } from "./path.ts";
import { composeSettings, type ComposedSettings, notACluster } from "./settings.ts";
import { realTimer } from "../adapters/timer.ts";

export interface RestoreWorld extends IdentityWorld {
  /** A cluster of the configuration, or a context. */
  readonly cluster: string;
  /** What is named after it. */
  readonly names?: readonly string[];
  readonly contextRef?: ContextRef | null;
  /** A folder to write to in place of the cluster, or `null`. */
  readonly offline: string | null;
  readonly nowMs: () => number;
  /** `null` for a function. */
  readonly interactiveAuth: InteractiveAuth | null;
  readonly progress: Progress;
  readonly signal?: AbortSignal;
}

export interface ComposedRestore {
  readonly target: RestoreTarget;
  readonly ports: RestorePorts;
}

/** @throws CertkeepError for a configuration, a kubeconfig or an identity that can't be used */
export async function composeRestore(world: RestoreWorld): Promise<ComposedRestore> {
  const settings = await composeSettings({
    ...world,
    reach: world.contextRef == null ? [world.cluster] : [],
  });
  const { stores } = settings;
  const opener = await composeOpener(world, settings);
  return {
    target: await composeTarget(settings, world),
    ports: {
      ...stores,
      opener,
      sealer: createSealer(),
      clock: { nowMs: world.nowMs },
      timer: realTimer,
      kit: kitOf(settings.config),
      revocation: createRevocationSource(
        world.signal === undefined ? {} : { signal: world.signal },
      ),
      progress: world.progress,
      holder: randomUUID(),
      // Functions' machines are clones, whose boots and processes look alike.
      ...(world.interactiveAuth === null ? {} : { processes: createProcessTable() }),
      ...(world.signal === undefined ? {} : { signal: world.signal }),
    },
  };
}

async function composeTarget(
  composed: ComposedSettings,
  world: RestoreWorld,
): Promise<RestoreTarget> {
  const { config, broken, names, kubeconfigs, registered: registrations } = composed;
  const cluster = await clusterMeant(world.cluster, composed, world);
  if (cluster !== null && !names.includes(cluster))
    throw notACluster([cluster, ...(world.names ?? [])], names, config.stores.registry);
  const isRegistered = cluster !== null && registrations.includes(cluster);
  const unusable = broken.find(({ name }) => name === cluster);
  const entry =
    cluster === null
      ? contextSettings(world.cluster, config, world)
      : {
          ...settingsFor(config, cluster),
          // A context that a person names is the credential that restores, too.
          ...(world.contextRef == null ? {} : { restoreKubeconfig: null }),
        };
  const settings = auditSettings(entry);
  if (world.offline !== null) {
    const folder = pathOf(world.offline, world);
    return {
      name: null,
      title: cluster ?? world.cluster,
      server: `file:${folder}`,
      homeNamespace: null,
      settings,
      ...createManifestFolder(folder),
    };
  }
  if (unusable !== undefined) throw unusable.error;
  const connection = await connectCluster(entry, "restore", isRegistered, world, kubeconfigs);
  const options = { userAgent: "certkeep", concurrency: 16 };
  return {
    name: cluster,
    title: cluster ?? connection.title,
    server: connection.server.href.replace(/\/$/, ""),
    homeNamespace: connection.namespace,
    settings,
    settingsOf: async (name) => auditSettings(await composed.of(name)),
    // An interrupted run finishes the requests that are under way, so it isn't the signal that ends
    // them.
    reader: createClusterReader(connection, options),
    writer: createClusterWriter(connection, options),
    access: {
      self: createSelfAccess(connection, options),
      cluster: cluster ?? world.cluster,
      registration: isRegistered
        ? {
            parts: entry.access?.parts ?? [],
            isApart: entry.restoreKubeconfig !== null || entry.eks?.restoreRole != null,
          }
        : null,
    },
  };
}

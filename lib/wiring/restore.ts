/** The restore with its concrete adapters: for the command line and the function alike. */
import { randomUUID } from "node:crypto";
import { createRevocationSource } from "../adapters/crl/source.ts";
import { createManifestFolder } from "../adapters/file/manifests.ts";
import { createProcessTable } from "../adapters/file/system.ts";
import { createSelfAccess } from "../adapters/kubernetes/access.ts";
import { createClusterReader } from "../adapters/kubernetes/reader.ts";
import { createClusterWriter } from "../adapters/kubernetes/writer.ts";
import { settingsFor } from "../config/settings.ts";
import type { RestoreTarget } from "../usecases/restore/context.ts";
import { auditSettings } from "./audit.ts";
import { clusterMeant, connectCluster, contextSettings } from "./connect.ts";
import { composeOpener } from "./identity.ts";
import { pathOf } from "./path.ts";
import { composeSettings, type ComposedSettings, notACluster } from "./settings.ts";
import { portsOf, type RunWorld } from "./world.ts";

interface Asked {
  /** A cluster of the configuration, or a context. */
  readonly cluster: string;
  /** What is named after it. */
  readonly names?: readonly string[];
  /** A folder to write to in place of the cluster, or `null`. */
  readonly offline: string | null;
}

export async function composeRestore(world: RunWorld, asked: Asked) {
  const reach = world.contextRef === null ? [asked.cluster] : [];
  const settings = await composeSettings({ ...world, reach });
  const opener = await composeOpener(world, settings);
  return {
    target: await composeTarget(settings, world, asked),
    ports: {
      ...portsOf(settings, world),
      opener,
      revocation: createRevocationSource(
        world.signal === undefined ? {} : { signal: world.signal },
      ),
      holder: randomUUID(),
      // Functions' machines are clones, whose boots and processes look alike.
      ...(world.deployed === true ? {} : { processes: createProcessTable() }),
    },
  };
}

async function composeTarget(
  composed: ComposedSettings,
  world: RunWorld,
  asked: Asked,
): Promise<RestoreTarget> {
  const { config, broken, names, kubeconfigs, registered: registrations } = composed;
  const cluster = await clusterMeant(asked.cluster, composed, world);
  if (cluster !== null && !names.includes(cluster))
    throw notACluster([cluster, ...(asked.names ?? [])], names, config.stores.registry);
  const isRegistered = cluster !== null && registrations.includes(cluster);
  const unusable = broken.find(({ name }) => name === cluster);
  const entry =
    cluster === null
      ? contextSettings(asked.cluster, config, world)
      : {
          ...settingsFor(config, cluster),
          // A context that a person names is the credential that restores, too.
          ...(world.contextRef === null ? {} : { restoreKubeconfig: null }),
        };
  const settings = auditSettings(entry);
  if (asked.offline !== null) {
    const folder = pathOf(asked.offline, world);
    return {
      name: null,
      title: cluster ?? asked.cluster,
      server: `file:${folder}`,
      homeNamespace: null,
      settings,
      ...createManifestFolder(folder),
    };
  }
  if (unusable !== undefined) throw unusable.error;
  const connection = await connectCluster(entry, "restore", isRegistered, world, kubeconfigs);
  const options = { concurrency: 16 };
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
      cluster: cluster ?? asked.cluster,
      registration: isRegistered
        ? {
            kind: entry.access?.kind ?? null,
            parts: entry.access?.parts ?? [],
            isApart: entry.restoreKubeconfig !== null || entry.eks?.restoreRole != null,
          }
        : null,
    },
  };
}

/**
 * The configuration that holds, the stores and the registry that it names, and which of the
 * registered clusters there are: all of them read, or no more than is asked for, since each
 * function on AWS may read no more.
 */
import type { AwsWorld } from "../adapters/aws/client.ts";
import { createFileBlobs, createFileStates } from "../adapters/file/stores.ts";
import type { LoadedConfig } from "../adapters/file/config.ts";
import { localPaths } from "../adapters/file/paths.ts";
import type { Rewritten } from "../adapters/kubernetes/kubeconfigtokens.ts";
import type { ClusterEntry } from "../config/cluster.ts";
import type { Config } from "../config/schema.ts";
import { settingsFor, type ClusterSettings } from "../config/settings.ts";
import { meant } from "../config/problem.ts";
import { CertkeepError, isCertkeepError } from "../error.ts";
import type { RegisteredCluster, Registry, SecretValues } from "../ports/registry.ts";
import type { BlobStore, StateStore } from "../ports/stores.ts";
import type { Bearer } from "../rbac/table.ts";
import { commandLine, literal } from "../report/command.ts";
import { awsWorld, openBlobs, openRegistry, openStates, secretValues } from "./aws.ts";
import { composeConfig, type ConfigWorld, ownTexts } from "./config.ts";
import { readRegistry, type Reach } from "./registry.ts";

export interface World extends ConfigWorld {
  /**
   * Of which clusters the registration is read; the names of all are known anyhow. Default: of all.
   */
  readonly reach?: Reach;
  /** A registry that can't be read is told in the answer instead of thrown. */
  readonly tolerant?: boolean;
}

export interface Stores {
  readonly backups: BlobStore;
  readonly states: StateStore;
}

/** Texts of kubeconfigs, which hold credentials. */
export interface Kubeconfigs {
  read(cluster: string, bearer: Bearer): Promise<string>;
  /**
   * Of a file that belongs to the configuration; `null`: of another, which is read from the disk.
   * @throws as node:fs
   */
  readonly admitted: LoadedConfig["admitted"];
  /** Approves a file that was approved as it was before certkeep wrote tokens into it. */
  readonly rewritten: Rewritten;
}

export interface ComposedSettings extends Omit<LoadedConfig, "registrations"> {
  /** Every cluster's, whether or not its registration was read, or can be. */
  readonly names: readonly string[];
  /**
   * Where registrations lie as files; `null`: in the registry that the configuration names, or
   * nowhere.
   */
  readonly folder: string | null;
  /** Why the registry could not be read; `null`: it was, or there is none. */
  readonly registryFailure: CertkeepError | null;
  /** The settings of one cluster, whether or not its registration was read already. */
  of(name: string): Promise<ClusterSettings>;
  readonly kubeconfigs: Kubeconfigs;
  readonly secrets: SecretValues;
  readonly stores: Stores;
}

/** The store of copies by its URL; `null`: the folder that is used where none is named. */
export async function openBackups(url: string | null, there: AwsWorld): Promise<BlobStore> {
  return url === null || isFile(url)
    ? createFileBlobs(folderOf(url) ?? localPaths().backups)
    : openBlobs(url, there);
}

export async function composeSettings(world: World): Promise<ComposedSettings> {
  const loaded = await composeConfig(world);
  const { stores, aws, clusters } = loaded.config;
  const there = awsWorld(world.env, aws);
  const common = {
    registryFailure: null,
    secrets: secretValues(there),
    stores: {
      backups: await openBackups(stores.backups, there),
      states:
        stores.state === null || isFile(stores.state)
          ? createFileStates(folderOf(stores.state) ?? localPaths().states)
          : await openStates(stores.state, there),
    },
  };
  world.onUse?.(`backups in ${common.stores.backups.url}`);
  world.onUse?.(`states in ${common.stores.states.url}`);
  if (stores.registry !== null) world.onUse?.(`clusters registered in ${stores.registry}`);
  if (stores.registry === null) {
    return {
      ...loaded,
      ...common,
      names: namesOf(clusters, loaded.broken),
      folder: loaded.registrations,
      of: async (name) => settingsFor(loaded.config, name),
      kubeconfigs: { ...NO_KUBECONFIGS, ...filesOf(loaded) },
    };
  }
  const registry = await openRegistry(stores.registry, there);
  const read = await readRegistry(registry, loaded.config, world.reach ?? "all").catch(
    (error: unknown) => {
      if (world.tolerant !== true || !isCertkeepError(error)) throw error;
      return { names: [], clusters: [], broken: [], failure: error };
    },
  );
  const withClusters = (registered: readonly RegisteredCluster[]): Config => ({
    ...loaded.config,
    clusters: [...clusters, ...registered.map(({ entry }) => entry)],
  });
  return {
    ...loaded,
    ...common,
    config: withClusters(read.clusters),
    of: async (name) => {
      const { clusters: one } = await readRegistry(registry, loaded.config, [name]);
      return settingsFor(withClusters(one), name);
    },
    registered: read.clusters.map(({ entry }) => entry.name),
    broken: read.broken,
    registryFailure: read.failure,
    names: [...new Set([...namesOf(clusters, read.broken), ...read.names])],
    folder: null,
    kubeconfigs: {
      ...filesOf(loaded),
      read: (cluster, bearer) => registeredKubeconfig(registry, read.clusters, cluster, bearer),
    },
  };
}

function filesOf(loaded: LoadedConfig): Pick<Kubeconfigs, "admitted" | "rewritten"> {
  const own = ownTexts(loaded);
  return {
    admitted: loaded.admitted,
    rewritten: async (file, before, after) => {
      if ((await own.read(file)) === before) await own.written(file, after);
    },
  };
}

async function registeredKubeconfig(
  registry: Registry,
  clusters: readonly RegisteredCluster[],
  cluster: string,
  bearer: Bearer,
): Promise<string> {
  if (bearer === "restore") return registry.restoring(cluster);
  const known =
    clusters.find(({ entry }) => entry.name === cluster) ?? (await registry.read(cluster));
  if (known !== null) return known.kubeconfig;
  throw new CertkeepError("usage", {
    where: `cluster ${cluster}`,
    found: `it isn't registered in ${registry.url}`,
    todo: `Run: certkeep clusters add ${cluster}`,
  });
}

function namesOf(clusters: readonly ClusterEntry[], broken: LoadedConfig["broken"]): string[] {
  return [...clusters, ...broken].map(({ name }) => name);
}

const NO_KUBECONFIGS: Pick<Kubeconfigs, "read"> = {
  read: async (cluster) => {
    throw new CertkeepError("kubeconfig_invalid", {
      where: `cluster ${cluster}`,
      found: "its kubeconfig is in Secrets Manager, but the configuration names no registry",
      todo: "Name a file, or add stores.registry",
    });
  },
};

function isFile(url: string): boolean {
  return url.startsWith("file:");
}

/** `null`: where none is named. */
function folderOf(url: string | null): string | null {
  return url === null ? null : url.slice("file:".length);
}

/**
 * `names`: those that there are. `registry`: where they are registered; `null`: in the
 * configuration. `takesContexts`: a function has no kubeconfig.
 */
export function unknownCluster(
  cluster: string,
  names: readonly string[],
  registry: string | null,
  takesContexts = true,
): CertkeepError {
  const known = names.length === 0 ? "a registered cluster" : `one of: ${names.join(", ")}`;
  const use = `Use ${known}${takesContexts ? ", or a context of your kubeconfig" : ""}`;
  const near = meant(cluster, names);
  return new CertkeepError("usage", {
    where: `cluster ${cluster}`,
    found: `there is no such cluster in ${registry ?? "the configuration"}`,
    todo:
      near === null
        ? `${use}. Or register it: certkeep clusters add ${cluster} --context CTX`
        : `${use}. Did you mean ${near}?`,
  });
}

/** The same for the first word of a restore, where the cluster may have been left out. */
export function notACluster(
  words: readonly [string, ...string[]],
  names: readonly string[],
  registry: string | null,
): CertkeepError {
  const [first] = words;
  const [only = "", ...others] = names;
  if (!/[./]/.test(first) || names.length === 0 || meant(first, names) !== null)
    return unknownCluster(first, names, registry);
  const command = literal("certkeep restore");
  const offered =
    others.length === 0
      ? commandLine(command, only, ...words)
      : commandLine(command, literal("CLUSTER"), ...words);
  return new CertkeepError("usage", {
    where: "certkeep restore",
    found: `${first} isn't a cluster`,
    todo:
      `Use one of: ${names.join(", ")}, or a context of your kubeconfig. The cluster comes ` +
      `first${offered === null ? "" : `: ${offered}`}`,
  });
}

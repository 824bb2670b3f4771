/**
 * The configuration that holds, the stores and the registry that it names, and which of the
 * registered clusters there are: all of them read, or no more than is asked for, since each
 * function on AWS may read no more.
 */
import pLimit from "p-limit";
import type { AwsWorld } from "../adapters/aws/client.ts";
import { createFileBlobs } from "../adapters/file/blobs.ts";
import type { LoadedConfig } from "../adapters/file/config.ts";
import { localPaths } from "../adapters/file/paths.ts";
import { createFileStates } from "../adapters/file/states.ts";
import type { ClusterEntry } from "../config/cluster.ts";
import { LABEL } from "../config/form.ts";
import { refuseSameRole } from "../config/registered.ts";
import type { Config } from "../config/schema.ts";
import { meant } from "../config/suggest.ts";
import { CertkeepError, isCertkeepError } from "../error.ts";
import { plain } from "../plain.ts";
import type { RegisteredCluster, Registry, SecretValues } from "../ports/registry.ts";
import type { BlobStore, StateStore } from "../ports/stores.ts";
import type { Bearer } from "../rbac/table.ts";
import { awsWorld, openBlobs, openRegistry, openStates, secretValues } from "./aws.ts";
import { composeConfig, type ConfigWorld } from "./config.ts";

export interface World extends ConfigWorld {
  /**
   * Of which clusters the registration is read; the names of all are known anyhow. Default: of all.
   */
  readonly reach?: Reach;
  /** A registry that can't be read is told in the answer instead of thrown. */
  readonly tolerant?: boolean;
}

export type Reach = "all" | "none" | readonly string[];

export interface Stores {
  readonly backups: BlobStore;
  readonly states: StateStore;
}

/** Texts of kubeconfigs, which hold credentials. */
export interface Kubeconfigs {
  /** Of one that lies in no file, by cluster. @throws CertkeepError */
  read(cluster: string, bearer: Bearer): Promise<string>;
  /**
   * Of a file that belongs to the configuration; `null`: of another, which is read from the disk.
   * @throws as node:fs
   */
  readonly admitted: LoadedConfig["admitted"];
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
  readonly kubeconfigs: Kubeconfigs;
  readonly secrets: SecretValues;
  readonly stores: Stores;
}

/** A registry's secrets that are read at once. */
const READ_AT_ONCE = 8;

/** The store of copies by its URL; `null`: the folder that is used where none is named. */
export async function openBackups(url: string | null, there: AwsWorld): Promise<BlobStore> {
  return url === null || isFile(url)
    ? createFileBlobs(folderOf(url) ?? localPaths().backups)
    : openBlobs(url, there);
}

/** @throws CertkeepError config_missing, config_invalid, store_unavailable */
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
  if (stores.registry === null) {
    return {
      ...loaded,
      ...common,
      names: namesOf(clusters, loaded.broken),
      folder: loaded.registrations,
      kubeconfigs: { ...NO_KUBECONFIGS, admitted: loaded.admitted },
    };
  }
  const registry = await openRegistry(stores.registry, there);
  const read = await readRegistry(registry, loaded.config, world.reach ?? "all").catch(
    (error: unknown) => {
      if (world.tolerant !== true || !isCertkeepError(error)) throw error;
      return { names: [], clusters: [], broken: [], failure: error };
    },
  );
  return {
    ...loaded,
    ...common,
    config: {
      ...loaded.config,
      clusters: [...clusters, ...read.clusters.map(({ entry }) => entry)],
    },
    registered: read.clusters.map(({ entry }) => entry.name),
    broken: read.broken,
    registryFailure: read.failure,
    names: [...new Set([...namesOf(clusters, read.broken), ...read.names])],
    folder: null,
    kubeconfigs: {
      admitted: loaded.admitted,
      read: async (cluster, bearer) => {
        if (bearer === "restore") return registry.restoring(cluster);
        const known =
          read.clusters.find(({ entry }) => entry.name === cluster) ??
          (await registry.read(cluster));
        if (known !== null) return known.kubeconfig;
        throw new CertkeepError("usage", {
          where: `cluster ${cluster}`,
          found: `no registration in ${registry.url}`,
          expected: "one",
          todo: `certkeep clusters add ${cluster}`,
        });
      },
    },
  };
}

interface ReadRegistry {
  readonly names: readonly string[];
  readonly clusters: readonly RegisteredCluster[];
  readonly broken: LoadedConfig["broken"];
  readonly failure: CertkeepError | null;
}

/**
 * One registration that can't be used hides no other; a registry that can't be read hides them all,
 * and is told.
 */
async function readRegistry(
  registry: Registry,
  config: Config,
  reach: Reach,
): Promise<ReadRegistry> {
  const listed = typeof reach === "string";
  const names = listed
    ? await registry.names()
    : [...new Set(reach)].filter(
        (name) => LABEL.test(name) && !config.clusters.some((entry) => entry.name === name),
      );
  if (reach === "none")
    return {
      names: names.filter((name) => LABEL.test(name)),
      clusters: [],
      broken: [],
      failure: null,
    };
  const limit = pLimit(READ_AT_ONCE);
  const results = await Promise.all(
    names.map((name) => limit(async () => ({ name, ...(await readOne(registry, name, listed)) }))),
  );
  const clusters: RegisteredCluster[] = [];
  const broken: { name: string; error: CertkeepError }[] = [];
  for (const { name, cluster, error } of results) {
    try {
      if (error !== null) throw error;
      if (cluster === null) continue;
      const where = `${registry.url}/clusters/${name}`;
      if (config.clusters.some((entry) => entry.name === name))
        throw new CertkeepError("config_invalid", {
          where,
          found: `a second cluster ${name}; the configuration has one`,
          expected: "each name once",
          todo: "Remove one of the two",
        });
      refuseSameRole(
        cluster.entry,
        [...config.clusters, ...clusters.map(({ entry }) => entry)],
        where,
      );
      clusters.push(cluster);
    } catch (failure) {
      if (!isCertkeepError(failure)) throw failure;
      broken.push({ name: plain(name), error: failure });
    }
  }
  const unknown = listed
    ? []
    : names.filter(
        (name) =>
          ![...clusters.map(({ entry }) => entry), ...broken].some((one) => one.name === name),
      );
  // Whoever mistypes a name is told which there are, if he may know.
  const others = unknown.length === 0 ? [] : await registry.names().catch(() => []);
  return {
    names: [
      ...clusters.map(({ entry }) => entry.name),
      ...others.filter((name) => LABEL.test(name)),
    ],
    clusters,
    broken,
    failure: null,
  };
}

async function readOne(
  registry: Registry,
  name: string,
  listed: boolean,
): Promise<{ readonly cluster: RegisteredCluster | null; readonly error: CertkeepError | null }> {
  try {
    const cluster = await registry.read(name);
    if (cluster !== null || !listed) return { cluster, error: null };
    throw new CertkeepError("config_invalid", {
      where: `${registry.url}/clusters/${plain(name)}`,
      found: "a secret without a value",
      expected: "a registration and its kubeconfig",
      ...(LABEL.test(name)
        ? { todo: `Register the cluster again: certkeep clusters add ${name}` }
        : {}),
    });
  } catch (error) {
    // What AWS refuses to everybody is one trouble, not one a cluster.
    if (isCertkeepError(error, "config_invalid")) return { cluster: null, error };
    throw error;
  }
}

function namesOf(clusters: readonly ClusterEntry[], broken: LoadedConfig["broken"]): string[] {
  return [...clusters, ...broken].map(({ name }) => name);
}

const NO_KUBECONFIGS: Pick<Kubeconfigs, "read"> = {
  read: async (cluster) => {
    throw new CertkeepError("kubeconfig_invalid", {
      where: `cluster ${cluster}`,
      found: "a kubeconfig in Secrets Manager, without a registry",
      expected: "a file",
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
 * configuration.
 */
export function unknownCluster(
  cluster: string,
  names: readonly string[],
  registry: string | null,
): CertkeepError {
  const near = meant(cluster, names);
  return new CertkeepError("usage", {
    where: `cluster ${cluster}`,
    found: `no such cluster in ${registry ?? "the configuration"}`,
    expected: names.length === 0 ? "one that is registered" : `one of: ${names.join(", ")}`,
    todo:
      near === null
        ? `Register it: certkeep clusters add ${cluster} --context CTX`
        : `Did you mean ${near}?`,
  });
}

/**
 * The configuration that holds, the stores and the registry that it names, and which of the registered clusters there
 * are: all of them read, or no more than is asked for, since each function on AWS may read no more.
 */
import pLimit from "p-limit";
import type { AwsWorld } from "../adapters/aws/client.ts";
import { createFileBlobs } from "../adapters/file/blobs.ts";
import {
  loadConfig,
  refuseSameRole,
  resolveConfig,
  type LoadedConfig,
} from "../adapters/file/config.ts";
import { localPaths } from "../adapters/file/paths.ts";
import { createFileStates } from "../adapters/file/states.ts";
import type { ClusterEntry } from "../config/cluster.ts";
import type { Config } from "../config/schema.ts";
import { deployedConfig } from "../config/deployed.ts";
import { LABEL } from "../config/form.ts";
import { parseConfig } from "../config/parse.ts";
import { invalidConfig } from "../config/problem.ts";
import { refuseFiles, REMOTE_CONFIG } from "../config/remote.ts";
import { meant } from "../config/suggest.ts";
import { CertkeepError, isCertkeepError } from "../error.ts";
import { plain } from "../plain.ts";
import type { RegisteredCluster, Registry, SecretValues } from "../ports/registry.ts";
import type { BlobStore, StateStore } from "../ports/stores.ts";
import type { Bearer } from "../rbac/table.ts";
import { awsWorld, openBlobs, openRegistry, openStates, readRemote, secretValues } from "./aws.ts";
import { homeOf } from "./path.ts";

export interface World {
  /** `--config`: a path or `s3://BUCKET/KEY`; `null`: looked for upwards from `cwd`. */
  readonly configFile: string | null;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Of which clusters the registration is read; the names of all are known anyhow. Default: of all. */
  readonly reach?: Reach;
  /** A registry that can't be read is told in the answer instead of thrown. */
  readonly tolerant?: boolean;
  /** A function on AWS: what its environment says goes over the packaged certkeep.yaml. */
  readonly deployed?: boolean;
}

export type Reach = "all" | "none" | readonly string[];

export interface Stores {
  readonly backups: BlobStore;
  readonly states: StateStore;
}

/** Kubeconfigs that lie in no file, by cluster. Their texts hold credentials. */
export interface Kubeconfigs {
  /** @throws CertkeepError */
  read(cluster: string, bearer: Bearer): Promise<string>;
}

export interface ComposedSettings extends Omit<LoadedConfig, "registrations"> {
  /** Every cluster's, whether or not its registration was read, or can be. */
  readonly names: readonly string[];
  /** Where registrations lie as files; `null`: in the registry that the configuration names, or nowhere. */
  readonly folder: string | null;
  /** Why the registry could not be read; `null`: it was, or there is none. */
  readonly registryFailure: CertkeepError | null;
  readonly kubeconfigs: Kubeconfigs;
  readonly secrets: SecretValues;
  readonly stores: Stores;
}

/** A registry's secrets that are read at once. */
const READ_AT_ONCE = 8;

/** The configuration alone: nothing that it names is opened. @throws CertkeepError config_missing, config_invalid */
export async function composeConfig(world: World): Promise<LoadedConfig> {
  const places = {
    explicit: world.configFile,
    cwd: world.cwd,
    homeFolder: homeOf(world.env),
    userFolder: localPaths().config,
  };
  const url = world.configFile;
  const loaded =
    url === null || !/^s3:/i.test(url)
      ? await loadConfig(places)
      : await loadRemote(url, world, places);
  return world.deployed === true
    ? { ...loaded, config: deployedConfig(loaded.config, world.env) }
    : loaded;
}

async function loadRemote(
  url: string,
  world: World,
  places: Parameters<typeof loadConfig>[0],
): Promise<LoadedConfig> {
  if (!REMOTE_CONFIG.test(url))
    throw new CertkeepError("usage", {
      where: "--config",
      found: plain(url.slice(0, 200)),
      expected: "s3://BUCKET/KEY, such as s3://my-bucket/certkeep.yaml",
    });
  const text = await readRemote(url, world.env);
  if (text === null)
    throw new CertkeepError("config_missing", {
      where: url,
      found: "no such object",
      expected: "a certkeep.yaml",
      todo: "Correct --config; the deployed functions write it at their first run",
    });
  const parsed = parseConfig(text, url);
  if (!parsed.ok) throw invalidConfig(url, parsed.problems);
  refuseFiles(parsed.config, url);
  return {
    config: await resolveConfig(parsed.config, "/", url, places),
    file: url,
    registrations: null,
    registered: [],
    broken: [],
  };
}

/** The store of copies by its URL; `null`: the folder that is used where none is named. */
export async function openBackups(url: string | null, there: AwsWorld): Promise<BlobStore> {
  return url === null || isFile(url)
    ? createFileBlobs(folderOf(url, localPaths().backups))
    : openBlobs(url, there);
}

/** @throws CertkeepError config_missing, config_invalid, store_unavailable */
export async function composeSettings(world: World): Promise<ComposedSettings> {
  const paths = localPaths();
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
          ? createFileStates(folderOf(stores.state, paths.states))
          : await openStates(stores.state, there),
    },
  };
  if (stores.registry === null) {
    return {
      ...loaded,
      ...common,
      names: namesOf(clusters, loaded.broken),
      folder: loaded.registrations,
      kubeconfigs: NO_KUBECONFIGS,
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

/** One registration that can't be used hides no other; a registry that can't be read hides them all, and is told. */
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

const NO_KUBECONFIGS: Kubeconfigs = {
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

function folderOf(url: string | null, usual: string): string {
  return url === null ? usual : url.slice("file:".length);
}

/** `names`: those that there are. `registry`: where they are registered; `null`: in the configuration. */
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

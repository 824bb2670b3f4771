/** Which registered clusters there are: all of them read, or no more than is asked for. */
import pLimit from "p-limit";
import type { LoadedConfig } from "../adapters/file/config.ts";
import { LABEL } from "../config/form.ts";
import { alreadyConfigured, brokenRegistration, refuseSameRole } from "../config/registered.ts";
import type { Config } from "../config/schema.ts";
import { CertkeepError, isCertkeepError } from "../error.ts";
import { plain } from "../plain.ts";
import type { RegisteredCluster, Registry } from "../ports/registry.ts";

/** Of which clusters the registration is read; the names of all are known anyhow. */
export type Reach = "all" | "none" | readonly string[];

const READ_AT_ONCE = 8;

export interface ReadRegistry {
  readonly names: readonly string[];
  readonly clusters: readonly RegisteredCluster[];
  readonly broken: LoadedConfig["broken"];
  readonly failure: CertkeepError | null;
}

/**
 * One registration that can't be used hides no other; a registry that can't be read hides them all,
 * and is told.
 */
export async function readRegistry(
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
  const { clusters, broken } = usable(results, config, registry.url);
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

type ReadOne = {
  readonly cluster: RegisteredCluster | null;
  readonly error: CertkeepError | null;
};

function usable(
  results: readonly (ReadOne & { readonly name: string })[],
  config: Config,
  url: string,
): Pick<ReadRegistry, "clusters" | "broken"> {
  const clusters: RegisteredCluster[] = [];
  const broken: { name: string; error: CertkeepError }[] = [];
  for (const { name, cluster, error } of results) {
    try {
      if (error !== null) throw error;
      if (cluster === null) continue;
      const where = `${url}/clusters/${name}`;
      if (config.clusters.some((entry) => entry.name === name))
        throw new CertkeepError("config_invalid", {
          where,
          found: alreadyConfigured(name),
          todo: "Remove one of the two",
        });
      const others = [...config.clusters, ...clusters.map(({ entry }) => entry)];
      refuseSameRole(cluster.entry, others, where);
      clusters.push(cluster);
    } catch (failure) {
      if (!isCertkeepError(failure)) throw failure;
      broken.push({ name: plain(name), error: failure });
    }
  }
  return { clusters, broken };
}

async function readOne(registry: Registry, name: string, listed: boolean): Promise<ReadOne> {
  try {
    const cluster = await registry.read(name);
    if (cluster !== null || !listed) return { cluster, error: null };
    throw brokenRegistration(`${registry.url}/clusters/${plain(name)}`, "the secret has no value");
  } catch (error) {
    // What AWS refuses to everybody is one trouble, not one a cluster.
    if (isCertkeepError(error, "config_invalid")) return { cluster: null, error };
    throw error;
  }
}

/**
 * From a cluster's settings to a connection: by kubeconfig, service account or IAM role, to read or
 * to restore.
 *
 * A stored registration is stricter than a person's own kubeconfig: it runs no programs (whoever
 * may write it could have any command run by an audit), and its server is never believed unchecked.
 * Its kubeconfig from a registry is used from memory, and may name no files.
 */
import { roleCredentials } from "../adapters/aws/client.ts";
import type { Connection } from "../adapters/kubernetes/connection.ts";
import { asEksRole } from "../adapters/kubernetes/eks.ts";
import { connect, loadConnection } from "../adapters/kubernetes/context.ts";
import { loadKubeconfig, parseKubeconfig } from "../adapters/kubernetes/kubeconfig.ts";
import type { Bearer } from "../rbac/table.ts";
import type { ClusterEntry, EksAccess } from "../config/cluster.ts";
import { isSecretReference } from "../config/registered.ts";
import type { Config } from "../config/schema.ts";
import { settingsFor, type ClusterSettings } from "../config/settings.ts";
import { CertkeepError } from "../error.ts";
import { homeOf, pathOf } from "./path.ts";
import type { ComposedSettings, Kubeconfigs } from "./settings.ts";
import type { RunWorld } from "./world.ts";

type ContextWorld = Pick<RunWorld, "env" | "cwd" | "contextRef" | "deployed">;

/** The kubeconfig that a person names; `null`: what kubectl would take. */
export function namedKubeconfig({ contextRef, env, cwd }: ContextWorld): string | null {
  const file = contextRef?.kubeconfig ?? null;
  return file === null ? null : pathOf(file, { cwd, env });
}

/**
 * The cluster that a name on the command line means, whether or not there is one; `null`: it is a
 * context that no cluster is configured by.
 */
export async function clusterMeant(
  name: string,
  settings: Pick<ComposedSettings, "names" | "config">,
  world: ContextWorld,
): Promise<string | null> {
  return (await isContext(name, settings, world))
    ? configuredBy(name, settings.config, namedKubeconfig(world))
    : name;
}

/** The only cluster that the configuration reaches by this context of the same kubeconfig. */
function configuredBy(context: string, { clusters }: Config, file: string | null): string | null {
  const [first, ...others] = clusters.filter(
    (entry) => entry.context === context && entry.kubeconfig === file,
  );
  return first === undefined || others.length > 0 ? null : first.name;
}

/**
 * Whether a name on the command line is a context's: with `--context` or `--kubeconfig`, where no
 * cluster is registered, and where no cluster has the name.
 */
async function isContext(
  name: string,
  { names, config }: Pick<ComposedSettings, "names" | "config">,
  world: ContextWorld,
): Promise<boolean> {
  if (world.contextRef !== null) return true;
  if (names.length === 0 && config.stores.registry === null) return true;
  // A function has no contexts.
  if (names.includes(name) || world.deployed === true) return false;
  const kubeconfig = await loadKubeconfig({
    environment: world.env,
    homeFolder: homeOf(world.env),
  }).catch(() => null);
  return kubeconfig?.contexts.has(name) === true;
}

/** A context, as if the configuration named it; `null`: the current one. */
export function contextSettings(
  context: string | null,
  config: Config,
  world: ContextWorld,
): ClusterSettings {
  // No cluster has this name, so a registered one that is called like the context lends nothing.
  const defaults = settingsFor(config, "");
  return { ...defaults, name: context ?? "", context, kubeconfig: namedKubeconfig(world) };
}

type ConnectWorld = Pick<
  RunWorld,
  "env" | "nowMs" | "deployed" | "onUse" | "onRequest" | "askProvider"
>;

export type ConnectSettings = Pick<
  ClusterEntry,
  "name" | "kubeconfig" | "context" | "restoreKubeconfig" | "eks"
>;

export async function connectCluster(
  settings: ConnectSettings,
  purpose: Bearer,
  registered: boolean,
  world: ConnectWorld,
  kubeconfigs: Kubeconfigs,
): Promise<Connection> {
  const apart = purpose === "restore" && settings.restoreKubeconfig !== null;
  const kubeconfig = apart ? settings.restoreKubeconfig : settings.kubeconfig;
  const context = apart ? null : settings.context;
  const { nowMs } = world;
  // Only a person's own kubeconfig may run programs, or ask a provider for tokens.
  const isOwn = !registered && world.deployed !== true;
  const opened =
    kubeconfig !== null && isSecretReference(kubeconfig)
      ? await connect(
          parseKubeconfig(
            await kubeconfigs.read(settings.name, apart ? "restore" : "read"),
            kubeconfig,
          ),
          context,
          { environment: world.env, nowMs, allowExec: false, allowFiles: false },
        )
      : await loadConnection({
          ...(kubeconfig === null ? {} : { files: [kubeconfig] }),
          ...(context === null ? {} : { context }),
          known: kubeconfigs.admitted,
          rewritten: kubeconfigs.rewritten,
          environment: world.env,
          homeFolder: homeOf(world.env),
          nowMs,
          allowExec: isOwn,
          ...(isOwn && world.askProvider !== undefined ? { askProvider: world.askProvider } : {}),
        });
  const title = settings.name === "" ? opened.title : settings.name;
  const connection = counted(opened, title, world);
  world.onUse?.(
    `cluster ${title}: ` +
      `${connection.server.origin}, context ${connection.title} of ${connection.source}`,
  );
  if (registered) refuseInsecure(connection, settings.name);
  return settings.eks === null
    ? connection
    : asRole(connection, settings.eks, purpose, settings.name, world);
}

/** The same connection, whose requests are counted as those of `cluster`. */
export function counted(
  connection: Connection,
  cluster: string,
  { onRequest }: Pick<ConnectWorld, "onRequest">,
): Connection {
  return { ...connection, onRequest: (kind) => onRequest?.(cluster, kind) };
}

/** The same connection as the IAM role that reads or restores. */
export function asRole(
  connection: Connection,
  { cluster, region, role, restoreRole }: EksAccess,
  purpose: Bearer,
  name: string,
  { env, nowMs }: Pick<ConnectWorld, "env" | "nowMs">,
): Connection {
  const endpoint = env["AWS_ENDPOINT_URL_STS"];
  const own = purpose === "restore" ? (restoreRole ?? role) : role;
  return asEksRole(connection, {
    cluster,
    region,
    credentials: roleCredentials(own, region, name, env),
    nowMs,
    ...(endpoint === undefined ? {} : { endpoint }),
  });
}

export function refuseInsecure(connection: Connection, name: string): void {
  if (!connection.insecure) return;
  throw new CertkeepError("kubeconfig_invalid", {
    where: `cluster ${name}: ${connection.source}`,
    found: "with insecure-skip-tls-verify, any server at this address would get the credential",
    todo:
      "Use the cluster's certificate-authority-data instead. To see the server's CA: " +
      `openssl s_client -showcerts -connect ${connection.server.host}`,
  });
}

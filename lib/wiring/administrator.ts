/** Whose credential registers a cluster, and the credentials that a person brings along. */
import type { Connection } from "../adapters/kubernetes/connection.ts";
import { loadConnection } from "../adapters/kubernetes/context.ts";
import { loadKubeconfig } from "../adapters/kubernetes/kubeconfig.ts";
import type { ClusterEntry } from "../config/cluster.ts";
import { CertkeepError } from "../error.ts";
import type { StoredCredential } from "../rbac/manifest.ts";
import type { Bearer } from "../rbac/table.ts";
import type { RegisterPorts } from "../usecases/register/context.ts";
import { readState } from "../usecases/states.ts";
import { askProvider } from "../adapters/kubernetes/identityprovider.ts";
import { counted, refuseInsecure } from "./connect.ts";
import { homeOf, pathOf } from "./path.ts";
import type { ComposedSettings } from "./settings.ts";
import type { RunWorld } from "./world.ts";

export { askProvider };

/** `contextRef` is the administrator's. */
export interface RegisterWorld extends RunWorld {
  readonly name: string;
  /** Files with credentials of the person's own, by what they are for. */
  readonly brought: Readonly<Record<Bearer, string | null>>;
  readonly consent: RegisterPorts["consent"];
  readonly note: (message: string) => void;
}

/** The credential that registers, without an option: the one that leads to the known cluster. */
export async function administrator(
  world: RegisterWorld,
  {
    settings,
    existing,
    configured,
  }: {
    readonly settings: ComposedSettings;
    readonly existing: Omit<ClusterEntry, "name"> | null;
    readonly configured: object | null;
  },
): Promise<RegisterWorld> {
  if (world.contextRef !== null || world.brought.read !== null) return world;
  if (configured !== null) {
    const { kubeconfig = null, context = null } = existing ?? {};
    return { ...world, contextRef: { kubeconfig, context } };
  }
  const known = (await readState(settings.stores.states, world.name))?.server ?? "";
  if (known === "") return world;
  const config = await loadKubeconfig({ environment: world.env, homeFolder: homeOf(world.env) });
  const leadsThere = (context: string): boolean => {
    const cluster = config?.contexts.get(context)?.fields["cluster"];
    const server =
      typeof cluster === "string" ? config?.clusters.get(cluster)?.fields["server"] : undefined;
    return typeof server === "string" && server.replace(/\/$/, "") === known;
  };
  const { currentContext = null } = config ?? {};
  if (currentContext !== null && leadsThere(currentContext)) return world;
  const [context] = [...(config?.contexts.keys() ?? [])].filter(leadsThere);
  if (context === undefined) return world;
  world.note(`cluster ${world.name}: uses context ${context}, which leads to ${known}`);
  return { ...world, contextRef: { kubeconfig: null, context } };
}

export async function adminConnection(world: RegisterWorld): Promise<Connection> {
  const { context = null, kubeconfig = null } = world.contextRef ?? {};
  const own = kubeconfig ?? (context === null ? world.brought.read : null);
  const connection = await loadConnection({
    ...(own === null ? {} : { files: [pathOf(own, world)] }),
    ...(context === null ? {} : { context }),
    environment: world.env,
    homeFolder: homeOf(world.env),
    nowMs: world.nowMs,
    askProvider,
  });
  return counted(connection, world.name, world);
}

/**
 * The credential of a kubeconfig that somebody brings, without what it runs or looks up by itself.
 */
export async function broughtCredential(
  world: RegisterWorld,
  bearer: Bearer,
): Promise<StoredCredential | null> {
  const file = world.brought[bearer];
  if (file === null) return null;
  const connection = await loadConnection({
    files: [pathOf(file, world)],
    environment: world.env,
    homeFolder: homeOf(world.env),
    nowMs: world.nowMs,
    allowExec: false,
  });
  refuseInsecure(connection, world.name);
  const { headers, clientPair } = await connection.credentials();
  const { authorization } = headers;
  if (clientPair !== null) return { kind: "pair", ...clientPair };
  if (typeof authorization === "string" && authorization.startsWith("Bearer "))
    return { kind: "token", token: authorization.slice("Bearer ".length) };
  throw new CertkeepError("kubeconfig_invalid", {
    where: connection.source,
    found: "the user has neither a token nor a client certificate",
    todo: "Name a kubeconfig that has one of them",
  });
}

/** The audit with its concrete adapters: for the command line, the function and the demo alike. */
import { createClusterDiagnosis } from "../adapters/kubernetes/diagnosis.ts";
import { createClusterReader } from "../adapters/kubernetes/reader.ts";
import { type CertkeepError, isCertkeepError } from "../error.ts";
import type { Config } from "../config/schema.ts";
import { settingsFor, type ClusterSettings } from "../config/settings.ts";
import type { ClusterReader } from "../ports/cluster.ts";
import { namespacesOf } from "../rbac/rules.ts";
import type { Part } from "../rbac/table.ts";
import type { AuditPorts, AuditSettings, AuditTarget } from "../usecases/audit/context.ts";
import { confined } from "../usecases/audit/identify.ts";
import { limitOverrides } from "./kit.ts";
import { clusterMeant, connectCluster, contextSettings } from "./connect.ts";
import { composeOutside } from "./outside.ts";
import {
  composeSettings,
  type ComposedSettings,
  type Kubeconfigs,
  unknownCluster,
} from "./settings.ts";
import { portsOf, type RunWorld } from "./world.ts";

interface Asked {
  /** Clusters of the configuration, or contexts; empty: all, or the current context. */
  readonly clusters: readonly string[];
  /** The only namespace that is looked at; `null`: all that the settings name. */
  readonly namespace?: string | null;
}

export async function composeAudit(world: RunWorld, asked: Asked) {
  const { clusters, namespace = null } = asked;
  const reach = world.contextRef !== null ? [] : clusters.length === 0 ? "all" : clusters;
  const settings = await composeSettings({ ...world, reach });
  const targets = await composeTargets(settings, world, clusters);
  return {
    config: settings.config,
    targets: targets.map((target) => confined({ ...target, only: namespace })),
    ports: await composePorts(settings, world),
  };
}

function sourcesText({ sources: { transparency, renewalInfo, revocation } }: Config): string {
  return [
    "clusters",
    ...(transparency === null ? [] : ["certificate logs"]),
    ...(renewalInfo ? ["renewal windows"] : []),
    ...(revocation ? ["revocation lists"] : []),
  ].join(", ");
}

export async function composePorts(
  settings: ComposedSettings,
  world: RunWorld,
): Promise<AuditPorts> {
  const { config } = settings;
  world.onUse?.(`sources: ${sourcesText(config)}`);
  const outside = world.atMs === null ? await composeOutside(settings, world) : null;
  return {
    ...portsOf(settings, world),
    wall: { nowMs: world.nowMs },
    overrides: limitOverrides(config),
    dryRun: world.atMs !== null,
    ...(outside === null ? {} : { outside }),
    ...(world.deadlineMs === undefined ? {} : { deadlineMs: world.deadlineMs }),
  };
}

async function composeTargets(
  settings: ComposedSettings,
  world: RunWorld,
  clusters: readonly string[],
): Promise<readonly AuditTarget[]> {
  const { config, names, kubeconfigs } = settings;
  const { registry } = config.stores;
  const { contextRef } = world;
  const byContext = async (context: string | null): Promise<AuditTarget> => {
    const own = contextSettings(context, config, world);
    const target = await connectTarget(null, own, false, world, kubeconfigs);
    return { ...target, settingsOf: async (name) => auditSettings(await settings.of(name)) };
  };
  const context = contextRef?.context ?? null;
  const asked = clusters.length === 0 && context !== null ? [context] : clusters;
  if (asked.length === 0 && (contextRef !== null || (names.length === 0 && registry === null)))
    return [await byContext(null)];
  if (names.length === 0 && registry !== null && asked.length === 0)
    world.progress.note(
      `no cluster is registered in ${registry}. Register one: certkeep clusters add NAME ` +
        "--context CTX",
    );
  return Promise.all(
    (asked.length === 0 ? names : asked).map(async (name) => {
      const cluster = await clusterMeant(name, settings, world);
      if (cluster === null) return byContext(name);
      if (!names.includes(cluster)) throw unknownCluster(cluster, names, registry);
      return namedTarget(cluster, settings, world);
    }),
  );
}

/**
 * A cluster that the configuration names; one whose credential can't be used says so at each look.
 */
export async function namedTarget(
  name: string,
  {
    config,
    broken,
    registered,
    kubeconfigs,
  }: Pick<ComposedSettings, "config" | "broken" | "registered" | "kubeconfigs">,
  world: RunWorld,
): Promise<AuditTarget> {
  const settings = settingsFor(config, name);
  const unusable = broken.find((one) => one.name === name);
  try {
    if (unusable !== undefined) throw unusable.error;
    return await connectTarget(name, settings, registered.includes(name), world, kubeconfigs);
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    return {
      name,
      title: name,
      server: "",
      homeNamespace: null,
      reader: brokenReader(error),
      settings: auditSettings(settings),
    };
  }
}

async function connectTarget(
  name: string | null,
  settings: ClusterSettings,
  registered: boolean,
  world: RunWorld,
  kubeconfigs: Kubeconfigs,
): Promise<AuditTarget> {
  const found = await connectCluster(settings, "read", registered, world, kubeconfigs);
  const title = name ?? found.title;
  // Errors name the cluster as the configuration does: many contexts are called the same.
  const connection = { ...found, title };
  if (connection.insecure)
    world.progress.note(
      `cluster ${title}: the kubeconfig says insecure-skip-tls-verify, so its server isn't ` +
        "authenticated",
    );
  const options = world.signal === undefined ? {} : { signal: world.signal };
  return {
    name,
    title,
    server: connection.server.href.replace(/\/$/, ""),
    homeNamespace: connection.namespace,
    reader: createClusterReader(connection, options),
    diagnosis: createClusterDiagnosis(connection, options),
    // A person's own kubeconfig is renewed by logging in: its end is nobody's business here.
    credential: registered
      ? {
          kind: settings.access?.kind ?? "kubeconfig",
          endsAt:
            connection.credentialExpiresAtMs === null
              ? null
              : new Date(connection.credentialExpiresAtMs).toISOString(),
          madeAt: settings.access?.since ?? null,
          ...(settings.access === null ? {} : registeredFor(settings, settings.access.parts)),
        }
      : null,
    settings: auditSettings(settings),
  };
}

function registeredFor(
  { namespaces, secrets }: Pick<ClusterSettings, "namespaces" | "secrets">,
  parts: readonly Part[],
): { parts: string[]; namespaces: string[] | null } {
  const plan = { parts, namespaces, secrets };
  return { parts: [...parts], namespaces: namespaces === null ? null : [...namespacesOf(plan)] };
}

export function auditSettings(settings: ClusterSettings): AuditSettings {
  return {
    namespaces: settings.namespaces,
    selector: settings.selector,
    secrets: settings.secrets.map(({ namespace, name }) => `${namespace}/${name}`),
    operatorNamespace: settings.operator?.namespace ?? "tailscale",
    operatorSecret: settings.operator?.secret ?? "operator",
    recipients: settings.recipients,
    copiesPerDay: settings.copiesPerDay,
  };
}

/** A cluster whose kubeconfig can't be used: each look says so, and the other clusters are done. */
function brokenReader(error: CertkeepError): ClusterReader {
  const fail = (): never => {
    throw error;
  };
  return {
    identity: async () => fail(),
    // oxlint-disable-next-line require-yield
    listMetadata: async function* () {
      fail();
    },
    // oxlint-disable-next-line require-yield
    listSecrets: async function* () {
      fail();
    },
    getStamp: async () => fail(),
    getSecret: async () => fail(),
    presence: async () => fail(),
    stats: () => ({ requests: {}, valuesRead: 0, unfilteredFullListings: 0, unreadable: [] }),
    close: async () => {},
  };
}

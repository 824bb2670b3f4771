/** The doctor with its concrete adapters. */
import { randomBytes } from "node:crypto";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { localPaths } from "../adapters/file/paths.ts";
import { createRegistrationFiles } from "../adapters/file/registrations.ts";
import { createSetupFiles } from "../adapters/file/setup.ts";
import { createSelfAccess } from "../adapters/kubernetes/access.ts";
import { realTimer } from "../adapters/timer.ts";
import { loadKubeconfig } from "../adapters/kubernetes/kubeconfig.ts";
import { createClusterReader } from "../adapters/kubernetes/reader.ts";
import { isSecretReference } from "../config/registered.ts";
import { parseRegistration } from "../config/parse.ts";
import { settingsFor } from "../config/settings.ts";
import type { Bearer } from "../rbac/table.ts";
import type {
  DoctorPorts,
  ExaminedCluster,
  ExaminedConnection,
  IdentityFacts,
} from "../usecases/doctor/context.ts";
import { awsWorld } from "./aws.ts";
import { ownTexts } from "./config.ts";
import { clusterMeant, connectCluster, contextSettings, namedKubeconfig } from "./connect.ts";
import { composeDigest } from "./digest.ts";
import { composeOpenerIfAny } from "./identity.ts";
import { homeOf, pathOf } from "./path.ts";
import { composeSettings, type ComposedSettings, unknownCluster } from "./settings.ts";
import type { RunWorld } from "./world.ts";

const CONNECT_TIMEOUT_MS = 5_000;

/**
 * `clusters`: of the configuration, or contexts; none: all, or the current context.
 * @throws CertkeepError for a configuration that can't be used, or a cluster that isn't there
 */
export async function composeDoctor(
  world: RunWorld,
  clusters: readonly string[],
  sendTest: boolean,
): Promise<DoctorPorts> {
  const settings = await composeSettings({ ...world, tolerant: true });
  const { config, file, trust, registered, broken, names, stores } = settings;
  const { contextRef } = world;
  const asked = contextRef?.context == null ? clusters : [contextRef.context];
  const meant = await Promise.all(asked.map((name) => clusterMeant(name, settings, world)));
  const chosen = asked.map((name, index) => meant[index] ?? name);
  const contexts =
    asked.length > 0
      ? asked.filter((_, index) => meant[index] === null)
      : await currentContext(settings, world);
  const unknown = chosen.find((name) => !names.includes(name) && !contexts.includes(name));
  if (unknown !== undefined && settings.registryFailure === null)
    throw unknownCluster(unknown, names, config.stores.registry);
  const wanted = (name: string): boolean =>
    !contexts.includes(name) &&
    (chosen.includes(name) || (chosen.length === 0 && contextRef === null));
  return {
    configuration: file === null ? null : { file, trust },
    clusters: examined(settings, wanted, contexts, world),
    broken: await Promise.all(
      broken
        .filter(({ name }) => wanted(name))
        .map(async (one) => ({ ...one, isReadable: await isReadable(one.name, settings) })),
    ),
    identity: () => identityFacts(world, settings),
    ...stores,
    registry:
      config.stores.registry === null
        ? null
        : {
            url: config.stores.registry,
            clusters: registered.length,
            failure: settings.registryFailure,
          },
    topic:
      config.aws?.topic == null
        ? null
        : (await import("../adapters/aws/queue.ts")).createAlarmTopic(
            config.aws.topic,
            awsWorld(world.env, config.aws),
          ),
    connect: (cluster, bearer) => openConnection(cluster, bearer, world, settings),
    routes: async () => (await composeDigest(world, true)).routes,
    sendTest,
    clock: { nowMs: world.nowMs },
    timer: realTimer,
    newId: () => randomBytes(6).toString("hex"),
  };
}

/** A registry's secret without a value is as good as readable: there is nothing to lose. */
async function isReadable(name: string, settings: ComposedSettings): Promise<boolean> {
  const { folder } = settings;
  if (folder === null) return true;
  const stored = await createRegistrationFiles(folder, ownTexts(settings)).read(name);
  return stored !== null && parseRegistration(stored.text, "").ok;
}

function examined(
  { config, registered }: ComposedSettings,
  wanted: (name: string) => boolean,
  contexts: readonly string[],
  world: RunWorld,
): readonly ExaminedCluster[] {
  return [
    ...config.clusters
      .filter(({ name }) => wanted(name))
      .map((entry) => ({
        ...entry,
        named: true,
        registered: registered.includes(entry.name),
        sealedFor: settingsFor(config, entry.name).recipients,
      })),
    ...contexts.map((context) => ({
      ...contextSettings(context, config, world),
      recipients: null,
      named: false,
      registered: false,
      sealedFor: config.recipients,
    })),
  ];
}

/** The current context, as an audit takes it where nothing is asked for. */
async function currentContext(
  { names, config }: ComposedSettings,
  world: RunWorld,
): Promise<readonly string[]> {
  if (world.contextRef === null && (names.length > 0 || config.stores.registry !== null)) return [];
  const file = namedKubeconfig(world);
  const kubeconfig = await loadKubeconfig({
    ...(file === null ? {} : { files: [file] }),
    environment: world.env,
    homeFolder: homeOf(world.env),
  });
  const current = kubeconfig?.currentContext ?? null;
  return current === null ? [] : [current];
}

async function openConnection(
  cluster: ExaminedCluster,
  bearer: Bearer,
  world: RunWorld,
  { kubeconfigs }: ComposedSettings,
): Promise<ExaminedConnection> {
  const { registered } = cluster;
  const connection = await connectCluster(cluster, bearer, registered, world, kubeconfigs);
  // Who asks a doctor waits for the answer: one attempt, and a short one.
  const http = { attempts: 1, connectTimeoutMs: CONNECT_TIMEOUT_MS, nowMs: world.nowMs };
  const self = createSelfAccess(connection, http);
  const reader = createClusterReader(connection, http);
  return {
    server: connection.server.origin,
    insecure: connection.insecure,
    expiresAtMs: connection.credentialExpiresAtMs,
    self,
    reader,
    close: async () => {
      await Promise.all([self.close(), reader.close()]);
    },
  };
}

async function identityFacts(
  world: RunWorld,
  settings: ComposedSettings,
): Promise<IdentityFacts | null> {
  const configured = settings.config.identity;
  const opener = await composeOpenerIfAny(world, settings);
  if (opener === null) return null;
  const reference = world.identity ?? configured ?? join(localPaths().identities, "identity.txt");
  if (reference === "-" || reference.startsWith("env:") || isSecretReference(reference))
    return {
      where: reference,
      recipients: opener.recipients,
      shared: false,
      workTree: null,
      outside: null,
    };
  const path = pathOf(reference.replace(/^file:/, ""), world);
  const { mode } = await stat(path);
  return {
    where: path,
    recipients: opener.recipients,
    shared: process.geteuid !== undefined && (mode & 0o077) !== 0,
    workTree: await createSetupFiles().workTreeOf(path),
    outside: await outsideOf(world),
  };
}

/** The home folder, which is there for certain, unless it is in a work tree itself. */
async function outsideOf({ env }: RunWorld): Promise<string | null> {
  const home = homeOf(env);
  if (home === null) return null;
  const path = join(home, "certkeep-identity.txt");
  return (await createSetupFiles().workTreeOf(path)) === null ? path : null;
}

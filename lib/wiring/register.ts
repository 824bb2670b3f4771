/** Registering, removing and listing clusters with their concrete adapters. */
import { dirname, relative } from "node:path";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createSetupFiles } from "../adapters/file/setup.ts";
import { createRegistrationFiles } from "../adapters/file/registrations.ts";
import { createSelfAccess } from "../adapters/kubernetes/access.ts";
import { connect } from "../adapters/kubernetes/context.ts";
import { parseKubeconfig } from "../adapters/kubernetes/kubeconfig.ts";
import { proxyFromEnvironment } from "../adapters/proxy.ts";
import { createClusterReader } from "../adapters/kubernetes/reader.ts";
import { createRegistrar } from "../adapters/kubernetes/register.ts";
import { accessName, printedPlan, type ServerPlace } from "../rbac/manifest.ts";
import type { Bearer } from "../rbac/table.ts";
import type { EksAccess } from "../config/cluster.ts";
import { removeCluster } from "../config/edit.ts";
import { parseRegistration } from "../config/parse.ts";
import { invalidConfig } from "../config/problem.ts";
import { settingsFor } from "../config/settings.ts";
import { NO_CLUSTER_NAME, refuseSameRole } from "../config/registered.ts";
import { LABEL } from "../config/form.ts";
import { CertkeepError } from "../error.ts";
import type { Registrations } from "../ports/registry.ts";
import { plain } from "../plain.ts";
import type { OpenedCredential, RegisterPorts } from "../usecases/register/context.ts";
import { certificates } from "../state/certificates.ts";
import type { StateDocument } from "../state/document.ts";
import { earlierState } from "../usecases/pin.ts";
import { readState } from "../usecases/states.ts";
import type { ListPorts } from "../usecases/register/list.ts";
import type { RemovePorts } from "../usecases/register/remove.ts";
import {
  adminConnection,
  administrator,
  broughtCredential,
  type RegisterWorld,
} from "./administrator.ts";
import { awsWorld } from "./aws.ts";
import { ownTexts } from "./config.ts";
import { asRole, connectCluster, counted, refuseInsecure } from "./connect.ts";
import { realTimer } from "../adapters/timer.ts";
import { composeSettings, type ComposedSettings, type World } from "./settings.ts";
import type { RunWorld } from "./world.ts";

/** Where registrations are written; only who registers loads that. @throws CertkeepError usage */
async function openRegistrations(
  { config, folder, file, admitted }: ComposedSettings,
  env: World["env"],
): Promise<Registrations> {
  const { registry } = config.stores;
  if (registry !== null)
    return (await import("../adapters/aws/registrations.ts")).createSecretRegistrations(
      registry,
      awsWorld(env, config.aws),
      env["CERTKEEP_KMS_KEY"] || null,
    );
  if (folder !== null) return createRegistrationFiles(folder, ownTexts({ file, admitted }));
  throw new CertkeepError("usage", {
    where: file ?? "--config",
    found: "this configuration in a bucket names no registry",
    todo: "Add stores.registry, such as secretsmanager://certkeep/prod",
  });
}

export async function composeExisting(world: World, name: string) {
  if (!LABEL.test(name))
    throw new CertkeepError("usage", {
      where: "certkeep clusters",
      found: `${NO_CLUSTER_NAME}: ${plain(name.slice(0, 80))}`,
      todo:
        "Use at most 63 small letters, digits and -, beginning and ending with a letter or " +
        "digit",
    });
  const settings = await composeSettings(world);
  const registrations = await openRegistrations(settings, world.env);
  const stored = await registrations.read(name);
  const parsed = stored === null ? null : parseRegistration(stored.text, registrations.where(name));
  if (parsed?.ok === false && stored?.text !== "")
    throw invalidConfig(registrations.where(name), parsed.problems);
  const configured = await configuredEntry(settings, name);
  const entry = configured === null ? null : settingsFor(settings.config, name);
  const existing = parsed?.ok === true ? parsed.entry : entry;
  return { settings, registrations, existing, configured };
}

async function configuredEntry(
  settings: ComposedSettings,
  name: string,
): Promise<RegisterPorts["configured"]> {
  const { file, folder, registered, config } = settings;
  if (!config.clusters.some((entry) => entry.name === name) || registered.includes(name))
    return null;
  if (file === null || folder === null) return refuseConfigured(settings, name);
  const own = ownTexts(settings);
  const text = await own.read(file);
  const removed = text === null ? null : removeCluster(text, name);
  if (text === null || removed === null) return refuseConfigured(settings, name);
  return {
    file,
    settings: removed.settings,
    remove: async () => {
      const done = await createSetupFiles().replace(file, text, removed.text);
      if (done === "changed") return false;
      await own.written(file, removed.text);
      return true;
    },
  };
}

function refuseConfigured({ config, registered, file }: ComposedSettings, name: string): null {
  if (!config.clusters.some((entry) => entry.name === name) || registered.includes(name))
    return null;
  throw new CertkeepError("usage", {
    where: `cluster ${name}`,
    found: `${file ?? "certkeep.yaml"} has a cluster of this name`,
    todo: "Remove its entry there first, or choose another name",
  });
}

/**
 * In a registry whoever audits one cluster doesn't see the others' roles, so it is asked for
 * before. @throws CertkeepError config_invalid
 */
export function refuseSharedRole(
  name: string,
  eks: EksAccess | null,
  { settings, ports }: { readonly settings: ComposedSettings; readonly ports: RegisterPorts },
): void {
  refuseSameRole(
    { eks },
    settings.config.clusters.filter((entry) => entry.name !== name),
    ports.registrations.where(name),
  );
}

export async function composeRegister(world: RegisterWorld) {
  const composed = await composeExisting(world, world.name);
  const { settings, registrations, existing, configured } = composed;
  const admin = await adminConnection(await administrator(world, composed));
  refuseInsecure(admin, world.name);
  const place: ServerPlace = {
    server: admin.server.href.replace(/\/$/, ""),
    caPem: admin.caPem,
    tlsServerName: admin.tlsServerName,
    proxyUrl:
      admin.proxyUrl === null || proxyFromEnvironment(admin.server, world.env) !== null
        ? null
        : admin.proxyUrl.href,
  };
  const registrar = createRegistrar(admin);
  const self = createSelfAccess(admin);
  const reader = createClusterReader(admin);
  const { states } = settings.stores;
  const seen = await reader.identity();
  const { server } = place;
  const known =
    (await readState(states, world.name)) ?? (await earlierState(states, world.name, seen, server));
  return {
    settings,
    existing,
    printed: async () => printedPlan(await registrar.annotationsOf(accessName(world.name, "read"))),
    namespacesSeen: known === null ? [] : namespacesOf(known, world.nowMs()),
    close: async () => {
      await Promise.all([registrar.close(), self.close(), reader.close()]);
    },
    ports: {
      registrar,
      self,
      reader,
      place,
      brought: {
        read: await broughtCredential(world, "read"),
        restore: await broughtCredential(world, "restore"),
      },
      open: (bearer: Bearer, text: string, eks: EksAccess | null) =>
        openCredential(bearer, text, eks, world),
      registrations,
      states,
      configured,
      otherNames: settings.config.clusters
        .map((entry) => entry.name)
        .filter((name) => name !== world.name && !settings.registered.includes(name)),
      clock: { nowMs: world.nowMs },
      timer: realTimer,
      consent: world.consent,
      schema: settings.folder === null ? null : schemaPath(settings.folder),
      note: world.note,
    },
  };
}

async function openCredential(
  bearer: Bearer,
  text: string,
  eks: EksAccess | null,
  world: RegisterWorld,
): Promise<OpenedCredential> {
  const bare = await connect(
    parseKubeconfig(text, `the ${bearer} credential of ${world.name}`),
    null,
    { environment: world.env, nowMs: world.nowMs, allowExec: false },
  );
  const own = counted(bare, world.name, world);
  const connection = eks === null ? own : asRole(own, eks, bearer, world.name, world);
  const self = createSelfAccess(connection);
  const reader = createClusterReader(connection);
  return {
    self,
    reader,
    expiresAtMs: connection.credentialExpiresAtMs,
    close: async () => {
      await Promise.all([self.close(), reader.close()]);
    },
  };
}

/**
 * Relative where it lies below; else it isn't named, since a file that is committed names no path
 * of one machine.
 */
function schemaPath(folder: string): string | null {
  const schema = fileURLToPath(new URL("../../schema/registration.schema.json", import.meta.url));
  const below = relative(folder, schema);
  return existsSync(schema) && !below.startsWith("../../..") && dirname(below) !== "."
    ? below
    : null;
}

function namespacesOf(state: StateDocument, atMs: number): string[] {
  const found = [...certificates(state, atMs)].map(({ namespace }) => namespace);
  return [...new Set(found)].toSorted();
}

export async function composeRemove(
  world: Omit<RegisterWorld, "brought" | "consent">,
  revoke: boolean,
): Promise<{
  readonly ports: RemovePorts;
  readonly settings: ComposedSettings;
  close(): Promise<void>;
}> {
  const settings = await composeSettings(world);
  const registrations = await openRegistrations(settings, world.env);
  const configured = await configuredEntry(settings, world.name);
  const base = {
    configured,
    registrations,
    states: settings.stores.states,
    clock: { nowMs: world.nowMs },
  };
  if (!revoke) return { settings, ports: { ...base, admin: null }, close: async () => {} };
  const admin = await adminConnection({
    ...world,
    brought: { read: null, restore: null },
    consent: async () => true,
  });
  const registrar = createRegistrar(admin);
  const reader = createClusterReader(admin);
  return {
    settings,
    ports: { ...base, admin: { registrar, reader, server: admin.server.href } },
    close: async () => {
      await Promise.all([registrar.close(), reader.close()]);
    },
  };
}

export async function composeList(
  world: RunWorld,
): Promise<{ readonly settings: ComposedSettings; readonly ports: ListPorts }> {
  const settings = await composeSettings(world);
  return {
    settings,
    ports: {
      states: settings.stores.states,
      describe: async (entry, registered) => {
        const connection = await connectCluster(
          entry,
          "read",
          registered,
          world,
          settings.kubeconfigs,
        );
        return {
          server: connection.server.href.replace(/\/$/, ""),
          expiresAtMs: connection.credentialExpiresAtMs,
        };
      },
    },
  };
}

/**
 * `certkeep init` with its concrete adapters: where things may go on this machine, and who makes
 * them.
 */
import { existsSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { generateIdentity, parseIdentities, type AskPassphrase } from "../adapters/age/identity.ts";
import { CONFIG_NAME, namedConfig, type LoadedConfig } from "../adapters/file/config.ts";
import { localPaths } from "../adapters/file/paths.ts";
import { createSetupFiles } from "../adapters/file/setup.ts";
import { loadKubeconfig } from "../adapters/kubernetes/kubeconfig.ts";
import { webhookProblem } from "../adapters/slack/poster.ts";
import { parseConfig } from "../config/parse.ts";
import { CertkeepError, isCertkeepError } from "../error.ts";
import type {
  ContextChoice,
  InitFiles,
  InitPlaces,
  InitPorts,
  InitQuestions,
} from "../usecases/init.ts";
import type { CloudPorts, CloudQuestions } from "../usecases/initcloud.ts";
import { composeConfig, ownTexts, placesOf, type ConfigWorld } from "./config.ts";
import { homeOf, pathOf, shortPath } from "./path.ts";

export interface InitWorld extends ConfigWorld {
  /** `--identity`, or `null`. */
  readonly identityFile: string | null;
  /** `--context`, each. */
  readonly contexts: readonly string[];
  readonly nowMs: () => number;
  readonly questions: InitQuestions | null;
  readonly askPassphrase: AskPassphrase | null;
  readonly note: (message: string) => void;
}

export async function composeInit(
  world: InitWorld,
): Promise<{ readonly places: InitPlaces; readonly ports: InitPorts }> {
  const home = homeOf(world.env);
  const paths = localPaths();
  const named =
    world.configFile === null
      ? null
      : namedConfig(world.configFile, placesOf(world, world.configFile));
  const existing = await existingConfig(world);
  const configured = existing?.config.identity ?? null;
  if (world.identityFile === null && configured !== null && !configured.startsWith("file:"))
    refuseUnread(existing, configured);
  const identity =
    world.identityFile !== null
      ? pathOf(world.identityFile, world)
      : configured === null
        ? join(paths.identities, "identity.txt")
        : configured.slice("file:".length);
  const schema = fileURLToPath(new URL("../../schema/certkeep.schema.json", import.meta.url));
  return {
    places: {
      existing: existing?.file ?? null,
      configs:
        named === null ? [join(world.cwd, CONFIG_NAME), join(paths.config, CONFIG_NAME)] : [named],
      identities: [identity],
      identityChosen: world.identityFile !== null || configured !== null,
      contexts: world.contexts.length === 0 ? null : world.contexts,
      schemaPath: (config) => schemaPath(schema, config, paths.config),
      reference: (path) => `file:${shortPath(path, home)}`,
    },
    ports: {
      files: initFiles(existing),
      identities: {
        generate: async () => {
          const { secret, recipient } = await generateIdentity();
          return { identity: secret, recipient };
        },
        recipientsOf: async (content, where) =>
          (await parseIdentities({ where, content }, world.askPassphrase)).map(
            ({ recipient }) => recipient,
          ),
      },
      listContexts: () => listContexts(world.env, home),
      questions: world.questions,
      clock: { nowMs: world.nowMs },
      note: world.note,
    },
  };
}

/** init writes no second identity beside one that it can't read. */
function refuseUnread(existing: LoadedConfig | null, identity: string): void {
  if (existing === null || existing.config.recipients.length > 0) return;
  throw new CertkeepError("usage", {
    where: existing.file ?? "certkeep.yaml",
    found: `it names an identity (${identity}) but no recipients`,
    todo: "Add recipients: with the public key of that identity (age-keygen -y shows it)",
  });
}

export interface CloudWorld extends InitWorld {
  readonly region: string | null;
  readonly cloudQuestions: CloudQuestions | null;
}

/**
 * What is packaged lies in this folder, and names no clusters. @throws CertkeepError usage,
 * config_unapproved, config_invalid
 */
export async function composeInitCloud(world: CloudWorld) {
  const file = world.configFile ?? join(world.cwd, CONFIG_NAME);
  // One that is there was only found; one that isn't is named, so that none is looked for above.
  const configFile = existsSync(file) ? world.configFile : file;
  const composed = await composeInit({ ...world, configFile });
  const existing =
    composed.places.existing === null
      ? null
      : await composed.ports.files.read(composed.places.existing);
  const parsed = existing === null ? null : parseConfig(existing, file);
  return {
    ...composed,
    ports: { ...composed.ports, listContexts: async () => [] },
    region:
      (world.region ?? (parsed?.ok === true ? parsed.config.aws?.region : null)) ||
      world.env["AWS_REGION"] ||
      world.env["AWS_DEFAULT_REGION"] ||
      null,
    cloud: async (region: string): Promise<CloudPorts> => ({
      files: composed.ports.files,
      secrets: (await import("../adapters/aws/secretsmanager.ts")).createSecretKeeper(
        { env: { ...world.env, AWS_REGION: region }, region },
        world.env["CERTKEEP_KMS_KEY"] || null,
      ),
      questions: world.cloudQuestions,
      webhookProblem,
      note: world.note,
    }),
  };
}

/** What is there is used as it was checked, and what is written is approved. */
function initFiles(existing: LoadedConfig | null): InitFiles {
  const files = createSetupFiles();
  const own = ownTexts(existing?.file == null ? null : existing);
  return {
    ...files,
    read: async (path) => (await own.read(path)) ?? (await files.read(path)),
    create: async (path, text, access) => {
      const done = await files.create(path, text, access);
      if (done === "created" && access === "public") await own.written(path, text);
      return done;
    },
    replace: async (path, before, after) => {
      const done = await files.replace(path, before, after);
      if (done === "replaced") await own.written(path, after);
      return done;
    },
  };
}

/** A file that --config names and that isn't there yet is to be made. */
async function existingConfig(world: ConfigWorld): Promise<LoadedConfig | null> {
  try {
    return await composeConfig(world);
  } catch (error) {
    if (isCertkeepError(error, "config_missing")) return null;
    throw error;
  }
}

async function listContexts(
  env: InitWorld["env"],
  homeFolder: string | null,
): Promise<ContextChoice[]> {
  const config = await loadKubeconfig({ environment: env, homeFolder });
  return [...(config?.contexts.keys() ?? [])].map((name) => ({
    name,
    current: name === config?.currentContext,
  }));
}

/**
 * Relative where the schema lies below the configuration; absolute in a user's own folder, which
 * nobody commits.
 */
function schemaPath(schema: string, config: string, userFolder: string): string | null {
  if (!existsSync(schema)) return null;
  const below = relative(dirname(config), schema);
  if (!below.startsWith("..")) return below;
  return dirname(config) === userFolder ? schema : null;
}

/**
 * The configuration that holds: named, found and approved, packaged with a function, or read from
 * S3.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createApprovals, realOf, sha256Of } from "../adapters/file/approvals.ts";
import {
  CONFIG_NAME,
  loadConfig,
  resolveConfig,
  type LoadedConfig,
} from "../adapters/file/config.ts";
import type { Approving, Question } from "../adapters/file/configfiles.ts";
import { type ConfigPlaces, localPaths } from "../adapters/file/paths.ts";
import { DEFAULT_CONFIG } from "../config/schema.ts";
import { deployedConfig, refuseFiles, REMOTE_CONFIG } from "../config/deployed.ts";
import { parseConfig } from "../config/parse.ts";
import { invalidConfig } from "../config/problem.ts";
import { CertkeepError, isCertkeepError } from "../error.ts";
import { plain } from "../plain.ts";
import { readRemote } from "./aws.ts";
import { homeOf } from "./path.ts";

export type ApprovalQuestion = Question;

export interface ConfigWorld {
  /** `--config`: a path or `s3://BUCKET/KEY`; `null`: looked for upwards from `cwd`. */
  readonly configFile: string | null;
  /** `--config` as a person typed it, for the commands that are offered; absent: it wasn't. */
  readonly configWord?: string | null;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /**
   * A function on AWS: certkeep.yaml is the packaged one in `cwd`, and what the environment says
   * goes over it.
   */
  readonly deployed?: boolean;
  /**
   * Asks the person about a configuration that was only found and isn't approved; absent: it is
   * refused.
   */
  readonly askApproval?: Approving["ask"];
  /** Hears which configuration is used, before anything of it is; `null`: none. */
  readonly onConfig?: (file: string | null) => void;
  /** Hears what else is used and read: places and counts, never a secret. */
  readonly onUse?: (line: string) => void;
  /** Hears of each request to a cluster's API server. */
  readonly onRequest?: (cluster: string, kind: string) => void;
}

/**
 * The configuration alone: nothing that it names is opened. @throws CertkeepError config_missing,
 * config_unapproved, config_invalid
 */
export async function composeConfig(world: ConfigWorld): Promise<LoadedConfig> {
  const url = world.configFile;
  if (world.deployed === true) {
    const loaded = await loadPackaged(world);
    return { ...loaded, config: deployedConfig(loaded.config, world.env) };
  }
  if (url !== null && /^s3:/i.test(url)) {
    world.onConfig?.(url);
    return loadRemote(url, world);
  }
  return loadConfig(placesOf(world, url), approvingOf(world, false), world.onConfig);
}

/**
 * Approves a configuration as it is, with the files that belong to it. @throws CertkeepError
 * config_missing, config_invalid
 */
export async function approveConfig(world: ConfigWorld): Promise<LoadedConfig> {
  return loadConfig(placesOf(world, world.configFile), approvingOf(world, true), world.onConfig);
}

export function placesOf(
  { env, cwd }: Pick<ConfigWorld, "env" | "cwd">,
  explicit: string | null,
): ConfigPlaces {
  return { explicit, cwd, homeFolder: homeOf(env), userFolder: () => localPaths().config };
}

function approvingOf({ askApproval }: ConfigWorld, accept: boolean): Approving {
  return {
    approvals: createApprovals(() => localPaths().approvals),
    ask: askApproval ?? null,
    accept,
  };
}

/**
 * What is packaged with a function was named by whoever deployed it; nothing is looked for
 * elsewhere.
 */
async function loadPackaged(world: ConfigWorld): Promise<LoadedConfig> {
  const file = join(world.cwd, CONFIG_NAME);
  try {
    return await loadConfig(placesOf(world, file), approvingOf(world, false), world.onConfig);
  } catch (error) {
    if (!isCertkeepError(error, "config_missing")) throw error;
    return { ...IN_NO_FOLDER, config: DEFAULT_CONFIG, file: null };
  }
}

/** Files of a configuration that certkeep itself changes. */
export interface OwnTexts {
  /** The text that was checked, or written since; `null`: of neither. */
  read(file: string): Promise<string | null>;
  written(file: string, text: string): Promise<void>;
}

/** `loaded`: `null` where the configuration is only now written. */
export function ownTexts(loaded: Pick<LoadedConfig, "file" | "admitted"> | null): OwnTexts {
  const texts = new Map<string, string>();
  const approvals = createApprovals(() => localPaths().approvals);
  return {
    read: async (file) => {
      // Why a file can't be read is told by whoever reads it from the disk.
      const checked = await loaded?.admitted(file).catch(() => null);
      return texts.get(file) ?? checked?.toString("utf8") ?? null;
    },
    written: async (file, text) => {
      texts.set(file, text);
      const config = loaded === null ? file : loaded.file;
      if (config === null) return;
      try {
        const sha256 = sha256Of(Buffer.from(text));
        await approvals.write(config, file, { real: await realOf(file), sha256 });
      } catch (error) {
        // Who names the configuration needs no approval; anybody else is told at the next command.
        if (!isCertkeepError(error)) throw error;
      }
    },
  };
}

const IN_NO_FOLDER: Omit<LoadedConfig, "config" | "file"> = {
  trust: "named",
  registrations: null,
  registered: [],
  broken: [],
  admitted: async () => null,
  approved: [],
};

async function loadRemote(url: string, world: ConfigWorld): Promise<LoadedConfig> {
  if (!REMOTE_CONFIG.test(url))
    throw new CertkeepError("usage", {
      where: "--config",
      found: `${plain(url.slice(0, 200))} isn't an object in S3`,
      todo: "Use s3://BUCKET/KEY, such as s3://my-bucket/certkeep.yaml",
    });
  const text = await readRemote(url, world.env);
  if (text === null)
    throw new CertkeepError("config_missing", {
      where: url,
      found: "there is no such object",
      todo: "Correct --config. The deployed functions write it at their first run",
    });
  const parsed = parseConfig(text, url);
  if (!parsed.ok) throw invalidConfig(url, parsed.problems);
  refuseFiles(parsed.config, url);
  const config = await resolveConfig(
    parsed.config,
    { file: "/", shownName: url, read: (file) => readFile(file) },
    placesOf(world, url),
  );
  return { ...IN_NO_FOLDER, config, file: url };
}

/** The configuration that holds, and the stores that it names. */
import { createFileBlobs } from "../adapters/file/blobs.ts";
import { loadConfig, type LoadedConfig } from "../adapters/file/config.ts";
import { localPaths } from "../adapters/file/paths.ts";
import { createFileStates } from "../adapters/file/states.ts";
import type { BlobStore } from "../ports/blobs.ts";
import type { StateStore } from "../ports/states.ts";

export interface World {
  /** `--config`, or `null`: looked for upwards from `cwd`. */
  readonly configFile: string | null;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

export interface Stores {
  readonly backups: BlobStore;
  readonly states: StateStore;
}

export interface ComposedSettings extends LoadedConfig {
  readonly stores: Stores;
}

export function homeOf(env: World["env"]): string | null {
  return env["HOME"] ?? env["USERPROFILE"] ?? null;
}

/** @throws CertkeepError config_missing, config_invalid */
export async function composeSettings(world: World): Promise<ComposedSettings> {
  const paths = localPaths();
  const loaded = await loadConfig({ explicit: world.configFile, cwd: world.cwd, homeFolder: homeOf(world.env), userFolder: paths.config });
  const { backups, state } = loaded.config.stores;
  return {
    ...loaded,
    stores: {
      backups: createFileBlobs(backups === null ? paths.backups : folderOf(backups)),
      states: createFileStates(state === null ? paths.states : folderOf(state)),
    },
  };
}

function folderOf(url: string): string {
  return url.slice("file:".length);
}

/**
 * Where things lie on this machine, by the custom of its platform (XDG on Linux, `~/Library` on macOS).
 * The identity that opens backups lies apart from the data, so that a copy of one is not a copy of both.
 */
import envPaths from "env-paths";
import { join } from "node:path";

export interface LocalPaths {
  /** Folder of a user's `certkeep.yaml` and `clusters/`. */
  readonly config: string;
  /** Sealed copies. */
  readonly backups: string;
  /** State documents. */
  readonly states: string;
  /** Folder of age identities; below the configuration's, never below the data's. */
  readonly identities: string;
}

export function localPaths(): LocalPaths {
  const { config, data } = envPaths("certkeep", { suffix: "" });
  return {
    config,
    backups: join(data, "backups"),
    states: join(data, "state"),
    identities: join(config, "identity"),
  };
}

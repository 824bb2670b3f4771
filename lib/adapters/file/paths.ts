/**
 * Where things lie on this machine, by the custom of its platform (XDG on Linux, `~/Library` on
 * macOS). The identity that opens backups lies apart from the data, so that a copy of one is not a
 * copy of both.
 *
 * Only absolute folders count, as the XDG specification demands: a relative one would begin in
 * whatever folder certkeep runs in, and what lies there isn't the user's own. A folder is worked
 * out when it is asked for, so that who names a configuration with stores of its own needs no home.
 */
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { CertkeepError } from "../../error.ts";

export interface LocalPaths {
  /** Folder of a user's `certkeep.yaml` and `clusters/`. */
  readonly config: string;
  /** Backups. */
  readonly backups: string;
  /** State documents. */
  readonly states: string;
  /** Folder of age identities; below the configuration's, never below the data's. */
  readonly identities: string;
  /** Which configurations that were only found this user approved. */
  readonly approvals: string;
}

const NAME = "certkeep";

/** Reading a path throws CertkeepError `usage` where this user has no home folder. */
export function localPaths(): LocalPaths {
  const config = (): string =>
    folder({
      linux: ["XDG_CONFIG_HOME", [".config"], [NAME]],
      darwin: [null, ["Library", "Preferences"], [NAME]],
      win32: ["APPDATA", ["AppData", "Roaming"], [NAME, "Config"]],
    });
  const data = (): string =>
    folder({
      linux: ["XDG_DATA_HOME", [".local", "share"], [NAME]],
      darwin: [null, ["Library", "Application Support"], [NAME]],
      win32: ["LOCALAPPDATA", ["AppData", "Local"], [NAME, "Data"]],
    });
  const state = (): string =>
    process.platform === "darwin" || process.platform === "win32"
      ? data()
      : folder({ linux: ["XDG_STATE_HOME", [".local", "state"], [NAME]] });
  return {
    get config() {
      return config();
    },
    get backups() {
      return join(data(), "backups");
    },
    get states() {
      return join(data(), "state");
    },
    get identities() {
      return join(config(), "identity");
    },
    get approvals() {
      return join(state(), "approvals");
    },
  };
}

/**
 * An environment variable that names a folder, the usual one in the home folder, and what follows
 * either.
 */
type Custom = readonly [string | null, readonly string[], readonly string[]];

function folder(
  customs: { readonly linux: Custom } & Partial<Record<"darwin" | "win32", Custom>>,
): string {
  const { platform, env } = process;
  const [variable, usual, rest] =
    (platform === "darwin" || platform === "win32" ? customs[platform] : undefined) ??
    customs.linux;
  const named = variable === null ? undefined : env[variable];
  const base = named !== undefined && isAbsolute(named) ? named : join(home(), ...usual);
  return join(base, ...rest);
}

function home(): string {
  let path = "";
  try {
    path = homedir();
  } catch {
    // A user without an entry in the system's list, and no HOME.
  }
  if (isAbsolute(path)) return path;
  throw new CertkeepError("usage", {
    where: "the home folder",
    found: "HOME isn't set, and this user has none",
    todo: "Set HOME, or use --config with a file that names its identity and its stores",
  });
}

/**
 * Where things lie on this machine, by the custom of its platform (XDG on Linux, `~/Library` on
 * macOS). The identity that opens backups lies apart from the data, so that a copy of one is not a
 * copy of both.
 *
 * Only absolute folders count, as the XDG specification demands: a relative one would begin in
 * whatever folder certkeep runs in, and what lies there isn't the user's own. A folder is worked
 * out when it is asked for, so that who names a configuration with stores of its own needs no home.
 *
 * Paths in a configuration: where they begin, how messages show them, and which lead to files of
 * its own.
 */
import { homedir } from "node:os";
import { dirname, isAbsolute, join, relative, sep } from "node:path";
import type { ClusterEntry } from "../../config/cluster.ts";
import { CertkeepError } from "../../error.ts";
import { plain } from "../../plain.ts";
import { realOf } from "./approvals.ts";

interface LocalPaths {
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
    userFolder({
      linux: ["XDG_CONFIG_HOME", [".config"], [NAME]],
      darwin: [null, ["Library", "Preferences"], [NAME]],
      win32: ["APPDATA", ["AppData", "Roaming"], [NAME, "Config"]],
    });
  const data = (): string =>
    userFolder({
      linux: ["XDG_DATA_HOME", [".local", "share"], [NAME]],
      darwin: [null, ["Library", "Application Support"], [NAME]],
      win32: ["LOCALAPPDATA", ["AppData", "Local"], [NAME, "Data"]],
    });
  const state = (): string =>
    process.platform === "darwin" || process.platform === "win32"
      ? data()
      : userFolder({ linux: ["XDG_STATE_HOME", [".local", "state"], [NAME]] });
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

function userFolder(
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

export interface ConfigPlaces {
  /** What --config says, or `null`: looked for. */
  readonly explicit: string | null;
  /** Absolute. */
  readonly cwd: string;
  /** What `~` means; `null`: it is refused. */
  readonly homeFolder: string | null;
  /** The user's configuration folder. @throws CertkeepError where this user has no home folder */
  userFolder(): string;
}

/** Relative where it lies below the current folder. */
export function shownPath(file: string, cwd: string): string {
  const below = cwd.endsWith("/") ? cwd : `${cwd}/`;
  return plain(file.startsWith(below) ? file.slice(below.length) : file);
}

export function untilde(path: string, { homeFolder }: Pick<ConfigPlaces, "homeFolder">): string {
  if (path !== "~" && !path.startsWith("~/")) return path;
  if (homeFolder === null)
    throw new CertkeepError("config_invalid", {
      where: plain(path),
      found: "~ means nothing here: there is no home folder",
      todo: "Use a path that begins with /",
    });
  return join(homeFolder, path.slice(1));
}

/** An absolute path; relative ones begin at the folder of `file`. */
export function absolute(path: string, file: string, places: ConfigPlaces): string {
  const expanded = untilde(path, places);
  return isAbsolute(expanded) ? expanded : join(dirname(file), expanded);
}

/** `file:PATH` and `file:///PATH` to `file:` and an absolute path; another URL as it is. */
export function absoluteUrl(url: string | null, file: string, places: ConfigPlaces): string | null {
  if (url === null || !url.startsWith("file:")) return url;
  return `file:${absolute(url.slice("file:".length).replace(/^\/{3}/, "/"), file, places)}`;
}

export function resolveEntry<T extends Pick<ClusterEntry, "kubeconfig" | "restoreKubeconfig">>(
  entry: T,
  file: string,
  places: ConfigPlaces,
): T {
  const path = (text: string | null): string | null =>
    text === null ? null : absolute(text, file, places);
  return {
    ...entry,
    kubeconfig: path(entry.kubeconfig),
    restoreKubeconfig: path(entry.restoreKubeconfig),
  };
}

/**
 * Of the paths that `file` names, those of files that belong to the configuration in `folder`:
 * written relative, or below it. A kubeconfig elsewhere, such as the user's own, is nothing that a
 * project brings along.
 */
export async function ownFiles(
  written: readonly (string | null)[],
  { file, folder }: { readonly file: string; readonly folder: string },
  places: ConfigPlaces,
): Promise<string[]> {
  const own: string[] = [];
  for (const text of written) {
    if (text === null) continue;
    const path = absolute(text, file, places);
    const isRelative = !isAbsolute(untilde(text, places));
    if (isRelative || isBelow(folder, path) || isBelow(folder, await realOf(path))) own.push(path);
  }
  return own;
}

function isBelow(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way.split(sep)[0] !== ".." && !isAbsolute(way);
}

/**
 * Paths in a configuration: where they begin, how messages show them, and which lead to files of
 * its own.
 */
import { dirname, isAbsolute, join, relative, sep } from "node:path";
import type { ClusterEntry } from "../../config/cluster.ts";
import { CertkeepError } from "../../error.ts";
import { plain } from "../../plain.ts";
import { realOf } from "./approvals.ts";

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
      found: "~, though there is no home folder",
      expected: "a path that begins with /",
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

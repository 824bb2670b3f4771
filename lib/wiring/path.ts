/** Paths as people write them, with `~` for the home folder, and back. */
import { join, resolve } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

export function homeOf(env: Environment): string | null {
  return env["HOME"] ?? env["USERPROFILE"] ?? null;
}

/** `~/…` in full. */
export function fromHome(path: string, home: string | null): string {
  return home !== null && (path === "~" || path.startsWith("~/"))
    ? join(home, path.slice(1))
    : path;
}

/** `path` with `~` for the home folder. */
export function shortPath(path: string, home: string | null): string {
  return home !== null && home !== "/" && path.startsWith(`${home}/`)
    ? `~${path.slice(home.length)}`
    : path;
}

/** The absolute path that a path on the command line means. */
export function pathOf(
  path: string,
  { cwd, env }: { readonly cwd: string; readonly env: Environment },
): string {
  return resolve(cwd, fromHome(path, homeOf(env)));
}

/** Paths as people write them, with `~` for the home folder, and back. */
import { join, resolve } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

export function homeOf(env: Environment): string | null {
  return env["HOME"] ?? env["USERPROFILE"] ?? null;
}

export function fromHome(path: string, home: string | null): string {
  return home !== null && (path === "~" || path.startsWith("~/"))
    ? join(home, path.slice(1))
    : path;
}

export function shortPath(path: string, home: string | null): string {
  return home !== null && home !== "/" && path.startsWith(`${home}/`)
    ? `~${path.slice(home.length)}`
    : path;
}

export function pathOf(
  path: string,
  { cwd, env }: { readonly cwd: string; readonly env: Environment },
): string {
  return resolve(cwd, fromHome(path, homeOf(env)));
}

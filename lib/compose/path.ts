/** Paths as people write them, with `~` for the home folder, and back. */
import { join, resolve } from "node:path";
import type { World } from "./settings.ts";

export function homeOf(env: World["env"]): string | null {
  return env["HOME"] ?? env["USERPROFILE"] ?? null;
}

/** `~/…` in full. */
export function fromHome(path: string, home: string | null): string {
  return home !== null && (path === "~" || path.startsWith("~/")) ? join(home, path.slice(1)) : path;
}

/** `path` with `~` for the home folder. */
export function shortPath(path: string, home: string | null): string {
  return home !== null && home !== "/" && path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path;
}

/** The absolute path that a path on the command line means. */
export function pathOf(path: string, { cwd, env }: Pick<World, "cwd" | "env">): string {
  return resolve(cwd, fromHome(path, homeOf(env)));
}

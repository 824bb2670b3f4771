/**
 * The command line with a folder's certkeep.yaml named: one that is only found would have to be
 * approved first.
 */
import { join } from "node:path";

export function named(folder: string, args: readonly string[]): readonly string[] {
  return [...args, "--config", configIn(folder)];
}

export function configIn(folder: string): string {
  return join(folder, "certkeep.yaml");
}

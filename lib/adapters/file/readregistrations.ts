/** Registrations beside a configuration, `clusters/NAME.yaml`. A bad one hides no other. */
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { ClusterEntry } from "../../config/cluster.ts";
import type { Config } from "../../config/schema.ts";
import { LABEL } from "../../config/form.ts";
import { parseRegistration } from "../../config/parse.ts";
import { invalidConfig } from "../../config/problem.ts";
import { refuseSameRole } from "../../config/registered.ts";
import { CertkeepError } from "../../error.ts";
import { plain } from "../../plain.ts";
import type { ConfigFiles } from "./configfiles.ts";
import { ownFiles, resolveEntry, shownPath, type ConfigPlaces } from "./configpaths.ts";
import { systemCode } from "./system.ts";

export interface Registered {
  readonly entries: readonly ClusterEntry[];
  /** Clusters whose registration can't be used, each with its one error. */
  readonly broken: readonly { readonly name: string; readonly error: CertkeepError }[];
}

/** @throws CertkeepError config_invalid, config_unapproved */
export async function readRegistrations(
  folder: string,
  config: Config,
  sources: ConfigFiles,
  places: ConfigPlaces,
): Promise<Registered> {
  const files = await listRegistrations(folder, places);
  await sources.admitRegistrations(files);
  const broken: { name: string; error: CertkeepError }[] = [];
  /** One registration's trouble is its own. */
  const each = async <T>(file: string, work: () => Promise<T>): Promise<T | null> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof CertkeepError) || error.code === "config_unapproved") throw error;
      broken.push({ name: plain(nameOf(file)), error });
      return null;
    }
  };
  const parsed = new Map<string, ClusterEntry>();
  for (const file of files) {
    const entry = await each(file, () => parseFile(file, config, sources, places));
    if (entry !== null) parsed.set(file, entry);
  }
  for (const [file, { kubeconfig, restoreKubeconfig }] of parsed)
    await sources.admitNamed(
      await ownFiles([kubeconfig, restoreKubeconfig], { file, folder: dirname(folder) }, places),
    );
  const entries: ClusterEntry[] = [];
  for (const [file, written] of parsed) {
    const entry = await each(file, async () => {
      const shownName = shownPath(file, places.cwd);
      const resolved = resolveEntry(written, file, places);
      await refuseShared(resolved.kubeconfig, `${shownName}: kubeconfig`, places);
      await refuseShared(resolved.restoreKubeconfig, `${shownName}: restoreKubeconfig`, places);
      refuseSameRole(resolved, [...config.clusters, ...entries], shownName);
      return resolved;
    });
    if (entry !== null) entries.push(entry);
  }
  return { entries, broken };
}

async function listRegistrations(folder: string, places: ConfigPlaces): Promise<string[]> {
  try {
    return (await readdir(folder))
      .filter((name) => !name.startsWith(".") && /\.ya?ml$/.test(name))
      .toSorted()
      .map((name) => join(folder, name));
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    throw new CertkeepError("config_invalid", {
      where: shownPath(folder, places.cwd),
      found: `a folder that can't be read (${code ?? "no reason given"})`,
      expected: "the clusters' registrations",
    });
  }
}

function nameOf(file: string): string {
  return basename(file).replace(/\.ya?ml$/, "");
}

async function parseFile(
  file: string,
  config: Config,
  sources: ConfigFiles,
  places: ConfigPlaces,
): Promise<ClusterEntry> {
  const shownName = shownPath(file, places.cwd);
  const name = nameOf(file);
  const refuse = (found: string, expected: string, todo?: string): CertkeepError =>
    new CertkeepError("config_invalid", {
      where: shownName,
      found,
      expected,
      ...(todo === undefined ? {} : { todo }),
    });
  if (!file.endsWith(".yaml"))
    throw refuse("a registration of this name", `${plain(name)}.yaml`, "Rename it");
  if (!LABEL.test(name))
    throw refuse(
      "a file name that is no cluster's name",
      "small letters, digits and -, then .yaml",
    );
  if (config.clusters.some((entry) => entry.name === name))
    throw refuse(
      `a second cluster ${name}; the configuration has one`,
      "each name once",
      "Remove one of the two",
    );
  const result = parseRegistration(await sources.read(file, shownName), shownName);
  if (!result.ok) throw invalidConfig(shownName, result.problems);
  return { name, ...result.entry };
}

/** A registration's kubeconfig holds a credential that nobody else may read. */
async function refuseShared(
  file: string | null,
  where: string,
  places: ConfigPlaces,
): Promise<void> {
  if (file === null) return;
  const place = `${where}: ${shownPath(file, places.cwd)}`;
  // Why a file can't be looked at is told when it is read.
  const mode = await stat(file).then(
    (status) => status.mode,
    (error: unknown) => (["ENOENT", "ENOTDIR"].includes(systemCode(error) ?? "") ? null : 0),
  );
  if (mode === null)
    throw new CertkeepError("config_invalid", {
      where: place,
      found: "no such file",
      expected: "a kubeconfig",
    });
  if (process.geteuid !== undefined && (mode & 0o077) !== 0) {
    throw new CertkeepError("config_invalid", {
      where: place,
      found: `a credential that others may read or write (mode ${(mode & 0o777).toString(8)})`,
      expected: "mode 600",
      todo: "Take the permissions of others away with chmod 600",
    });
  }
}

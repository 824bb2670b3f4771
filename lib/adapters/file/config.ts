/**
 * Finds and reads `certkeep.yaml` and the registrations beside it, and resolves their paths.
 *
 * A file that was only found (not named by --config) counts only if it belongs to this user, to root or to
 * the owner of a folder that is his alone, and not everybody may write to it: whoever writes the
 * configuration names the recipients, and could have every key sealed for himself. One bad registration never hides another cluster: it is returned as broken.
 */
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { type ClusterEntry } from "../../config/cluster.ts";
import { type PemSource } from "../../config/issuer.ts";
import { DEFAULT_CONFIG, type Config } from "../../config/schema.ts";
import { LABEL } from "../../config/form.ts";
import { parseConfig, parseRegistration } from "../../config/parse.ts";
import { invalidConfig } from "../../config/problem.ts";
import { MAX_BYTES } from "../../config/yaml.ts";
import { CertkeepError } from "../../error.ts";
import { plain } from "../../plain.ts";

export const CONFIG_NAME = "certkeep.yaml";
const REGISTRATIONS = "clusters";

export interface ConfigPlaces {
  /** What --config says, or `null`: looked for. */
  readonly explicit: string | null;
  /** Absolute. */
  readonly cwd: string;
  /** What `~` means; `null`: it is refused. */
  readonly homeFolder: string | null;
  /** The user's configuration folder. */
  readonly userFolder: string;
}

export interface LoadedConfig {
  /** Where registrations lie, whether or not the folder is there; `null`: the configuration lies in no folder. */
  readonly registrations: string | null;
  /** Paths in it are absolute, also those after `file:`; anchors are read; registrations in files stand among the clusters. */
  readonly config: Config;
  /** Absolute, or the URL that it was read from; `null`: there is none, and the defaults hold. */
  readonly file: string | null;
  /** Names of the clusters that registrations brought. */
  readonly registered: readonly string[];
  /** Clusters whose registration can't be used, each with its one error. */
  readonly broken: readonly { readonly name: string; readonly error: CertkeepError }[];
}

/** The configuration that holds here. @throws CertkeepError config_missing, config_invalid with every problem */
export async function loadConfig(places: ConfigPlaces): Promise<LoadedConfig> {
  const file = await findConfig(places);
  const shownName = file === null ? CONFIG_NAME : shownPath(file, places.cwd);
  let config = DEFAULT_CONFIG;
  if (file !== null) {
    const result = parseConfig(await readSmall(file, shownName), shownName);
    if (!result.ok) throw invalidConfig(shownName, result.problems);
    config = await resolveConfig(result.config, file, shownName, places);
  }
  const folder = join(file === null ? places.userFolder : dirname(file), REGISTRATIONS);
  const { entries, broken } =
    config.stores.registry === null
      ? await readRegistrations(folder, config, places)
      : { entries: [], broken: [] };
  return {
    config: { ...config, clusters: [...config.clusters, ...entries] },
    file,
    registrations: folder,
    registered: entries.map((entry) => entry.name),
    broken,
  };
}

/** Where the configuration is: named, else upwards from the current folder, else in the user's folder; `null` for none. */
export async function findConfig(places: ConfigPlaces): Promise<string | null> {
  const { explicit, cwd, userFolder } = places;
  if (explicit !== null) {
    const file = namedConfig(explicit, places);
    if ((await kindOf(file)) === null) {
      throw new CertkeepError("config_missing", {
        where: shownPath(file, cwd),
        found: "no such file",
        expected: "a certkeep.yaml",
        todo: "Correct --config, or make one with: certkeep init",
      });
    }
    return file;
  }
  for (let folder = resolve(cwd); ; folder = dirname(folder)) {
    const file = await configIn(folder, cwd);
    if (file !== null) return file;
    if (folder === dirname(folder)) break;
  }
  return await configIn(userFolder, cwd);
}

/** The absolute path that --config means. @throws CertkeepError usage */
export function namedConfig(text: string, places: ConfigPlaces): string {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    throw new CertkeepError("usage", {
      where: "--config",
      found: "a URL",
      expected: "the path of a certkeep.yaml",
    });
  }
  return resolve(places.cwd, untilde(text, places));
}

async function configIn(folder: string, cwd: string): Promise<string | null> {
  const file = join(folder, CONFIG_NAME);
  const status = await kindOf(file);
  if (status === null) {
    const misnamed = join(folder, "certkeep.yml");
    if ((await kindOf(misnamed)) === null) return null;
    throw new CertkeepError("config_invalid", {
      where: shownPath(misnamed, cwd),
      found: "a configuration of this name",
      expected: CONFIG_NAME,
      todo: `Rename it to ${CONFIG_NAME}`,
    });
  }
  const user = process.geteuid?.();
  const foreign =
    user !== undefined &&
    status.uid !== user &&
    status.uid !== 0 &&
    !(await ownsAlone(folder, status.uid));
  if (foreign || (user !== undefined && (status.mode & 0o002) !== 0)) {
    throw new CertkeepError("config_invalid", {
      where: shownPath(file, cwd),
      found: foreign ? "a file of another user" : "a file that every user may write to",
      expected: "your own, since it says who can open your backups",
      todo: foreign
        ? "If you trust it, name it by --config"
        : "Take that right away (chmod o-w), or name the file by --config",
    });
  }
  return file;
}

/** Whether a folder is `uid`'s and not for everybody to write to, as a mounted project is and /tmp isn't. */
async function ownsAlone(folder: string, uid: number): Promise<boolean> {
  const status = await kindOf(folder);
  return status !== null && status.uid === uid && (status.mode & 0o002) === 0;
}

/** `null` where there is nothing of this name. */
async function kindOf(
  file: string,
): Promise<{ readonly uid: number; readonly mode: number } | null> {
  try {
    return await stat(file);
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    // What can't be looked at is told when it is read.
    return { uid: 0, mode: 0 };
  }
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown }).code;
  return typeof code === "string" ? code : "no reason given";
}

const WORDS: Readonly<Record<string, string>> = {
  EACCES: "a file that this user may not read",
  EPERM: "a file that this user may not read",
  EISDIR: "a folder",
  ENOENT: "no such file",
  ENOTDIR: "no such file",
  ELOOP: "links that lead in a circle",
};

async function readSmall(file: string, shownName: string): Promise<Uint8Array> {
  try {
    const status = await stat(file);
    if (status.isFile() && status.size > MAX_BYTES)
      throw new CertkeepError("config_invalid", {
        where: shownName,
        found: `${status.size} bytes`,
        expected: `a file of at most ${MAX_BYTES} bytes`,
      });
    return await readFile(file);
  } catch (error) {
    if (error instanceof CertkeepError) throw error;
    throw new CertkeepError("config_invalid", {
      where: shownName,
      found: WORDS[codeOf(error)] ?? `a file that can't be read (${codeOf(error)})`,
      expected: "a readable file",
    });
  }
}

/** Relative where it lies below the current folder. */
function shownPath(file: string, cwd: string): string {
  const below = cwd.endsWith("/") ? cwd : `${cwd}/`;
  return plain(file.startsWith(below) ? file.slice(below.length) : file);
}

function untilde(path: string, { homeFolder }: Pick<ConfigPlaces, "homeFolder">): string {
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
function absolute(path: string, file: string, places: ConfigPlaces): string {
  const expanded = untilde(path, places);
  return isAbsolute(expanded) ? expanded : join(dirname(file), expanded);
}

/** `file:PATH` and `file:///PATH` to `file:` and an absolute path; another URL as it is. */
function absoluteUrl(url: string | null, file: string, places: ConfigPlaces): string | null {
  if (url === null || !url.startsWith("file:")) return url;
  return `file:${absolute(url.slice("file:".length).replace(/^\/{3}/, "/"), file, places)}`;
}

/** Paths made absolute, and anchors read. `file` is where relative paths begin. @throws CertkeepError config_invalid */
export async function resolveConfig(
  config: Config,
  file: string,
  shownName: string,
  places: ConfigPlaces,
): Promise<Config> {
  const issuers = await Promise.all(
    config.issuers.map(async (issuer, index) => {
      const read = (source: PemSource, key: string): Promise<PemSource> =>
        readPem(source, `${shownName}: issuers[${index}].${key}`, file, places);
      return {
        ...issuer,
        anchors: await read(issuer.anchors, "anchors"),
        intermediates:
          issuer.intermediates === null ? null : await read(issuer.intermediates, "intermediates"),
      };
    }),
  );
  const { transparency } = config.sources;
  return {
    ...config,
    identity: absoluteUrl(config.identity, file, places),
    clusters: config.clusters.map((entry) => resolveEntry(entry, file, places)),
    stores: {
      ...config.stores,
      backups: absoluteUrl(config.stores.backups, file, places),
      state: absoluteUrl(config.stores.state, file, places),
    },
    issuers,
    sources: {
      ...config.sources,
      transparency:
        transparency === null
          ? null
          : { ...transparency, token: absoluteUrl(transparency.token, file, places) },
    },
    digest: {
      ...config.digest,
      routes: config.digest.routes.map((route) => ({
        ...route,
        webhook: absoluteUrl(route.webhook, file, places) ?? route.webhook,
      })),
    },
  };
}

function resolveEntry<T extends Pick<ClusterEntry, "kubeconfig" | "restoreKubeconfig">>(
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

async function readPem(
  source: PemSource,
  where: string,
  file: string,
  places: ConfigPlaces,
): Promise<PemSource> {
  if (source.kind === "pem") return source;
  const path = absolute(source.path, file, places);
  const pem = new TextDecoder().decode(
    await readSmall(path, `${where}: ${shownPath(path, places.cwd)}`),
  );
  if (!pem.includes("-----BEGIN CERTIFICATE-----")) {
    throw new CertkeepError("config_invalid", {
      where: `${where}: ${shownPath(path, places.cwd)}`,
      found: "no certificate",
      expected: "certificates in PEM",
    });
  }
  return { kind: "pem", pem };
}

async function readRegistrations(
  folder: string,
  config: Config,
  places: ConfigPlaces,
): Promise<{ entries: ClusterEntry[]; broken: LoadedConfig["broken"] }> {
  let names: string[];
  try {
    names = (await readdir(folder))
      .filter((name) => !name.startsWith(".") && /\.ya?ml$/.test(name))
      .toSorted();
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT" || code === "ENOTDIR") return { entries: [], broken: [] };
    throw new CertkeepError("config_invalid", {
      where: shownPath(folder, places.cwd),
      found: `a folder that can't be read (${code})`,
      expected: "the clusters' registrations",
    });
  }
  const entries: ClusterEntry[] = [];
  const broken: { name: string; error: CertkeepError }[] = [];
  for (const fileName of names) {
    const name = basename(fileName).replace(/\.ya?ml$/, "");
    try {
      const entry = await readRegistration(join(folder, fileName), name, config, places);
      refuseSameRole(
        entry,
        [...config.clusters, ...entries],
        shownPath(join(folder, fileName), places.cwd),
      );
      entries.push(entry);
    } catch (error) {
      if (!(error instanceof CertkeepError)) throw error;
      broken.push({ name: plain(name), error });
    }
  }
  return { entries, broken };
}

async function readRegistration(
  file: string,
  name: string,
  config: Config,
  places: ConfigPlaces,
): Promise<ClusterEntry> {
  const shownName = shownPath(file, places.cwd);
  const refuse = (where: string, found: string, expected: string, todo?: string): CertkeepError =>
    new CertkeepError("config_invalid", {
      where,
      found,
      expected,
      ...(todo === undefined ? {} : { todo }),
    });
  if (!file.endsWith(".yaml"))
    throw refuse(shownName, "a registration of this name", `${plain(name)}.yaml`, "Rename it");
  if (!LABEL.test(name))
    throw refuse(
      shownName,
      "a file name that is no cluster's name",
      "small letters, digits and -, then .yaml",
    );
  if (config.clusters.some((entry) => entry.name === name))
    throw refuse(
      shownName,
      `a second cluster ${name}; the configuration has one`,
      "each name once",
      "Remove one of the two",
    );
  const result = parseRegistration(await readSmall(file, shownName), shownName);
  if (!result.ok) throw invalidConfig(shownName, result.problems);
  const entry = resolveEntry({ name, ...result.entry }, file, places);
  if (entry.kubeconfig !== null)
    await refuseShared(entry.kubeconfig, `${shownName}: kubeconfig`, places);
  if (entry.restoreKubeconfig !== null)
    await refuseShared(entry.restoreKubeconfig, `${shownName}: restoreKubeconfig`, places);
  return entry;
}

/** A token for an EKS cluster is bound to its name alone: one role for two of the same name would let each be the other. */
export function refuseSameRole(
  entry: Pick<ClusterEntry, "eks">,
  others: readonly ClusterEntry[],
  where: string,
): void {
  const roles = rolesOf(entry);
  const other = others.find(
    (one) =>
      one.eks !== null &&
      entry.eks !== null &&
      one.eks.cluster === entry.eks.cluster &&
      rolesOf(one).some((role) => roles.includes(role)),
  );
  if (other === undefined) return;
  throw new CertkeepError("config_invalid", {
    where: `${where}: eks.role`,
    found: `the EKS name and the role of cluster ${other.name} as well`,
    expected:
      "a role of its own for each registration, since a token is bound to the cluster's name alone and could be replayed at the other",
  });
}

function rolesOf({ eks }: Pick<ClusterEntry, "eks">): readonly string[] {
  return eks === null ? [] : [eks.role, ...(eks.restoreRole === null ? [] : [eks.restoreRole])];
}

/** A registration's kubeconfig holds a credential that nobody else may read. */
async function refuseShared(file: string, where: string, places: ConfigPlaces): Promise<void> {
  const status = await kindOf(file);
  const place = `${where}: ${shownPath(file, places.cwd)}`;
  if (status === null)
    throw new CertkeepError("config_invalid", {
      where: place,
      found: "no such file",
      expected: "a kubeconfig",
    });
  if (process.geteuid !== undefined && (status.mode & 0o077) !== 0) {
    throw new CertkeepError("config_invalid", {
      where: place,
      found: `a credential that others may read or write (mode ${(status.mode & 0o777).toString(8)})`,
      expected: "mode 600",
      todo: "Take the rights of others away: chmod 600",
    });
  }
}

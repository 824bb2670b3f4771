/**
 * Finds and reads `certkeep.yaml` and the registrations beside it, and resolves their paths. Which
 * of these files may be used at all is up to `configfiles.ts`. One bad registration never hides
 * another cluster: it is returned as broken.
 */
import { lstat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { PemSource } from "../../config/issuer.ts";
import { parseConfig } from "../../config/parse.ts";
import { invalidConfig } from "../../config/problem.ts";
import { DEFAULT_CONFIG, type Config } from "../../config/schema.ts";
import { utf8Of } from "../../encoding.ts";
import { CertkeepError, isCertkeepError } from "../../error.ts";
import { realOf } from "./approvals.ts";
import { type Approving, type ConfigFile, ConfigFiles } from "./configfiles.ts";
import {
  absolute,
  absoluteUrl,
  ownFiles,
  resolveEntry,
  shownPath,
  untilde,
  type ConfigPlaces,
} from "./paths.ts";
import { readRegistrations } from "./registrations.ts";
import { systemCode } from "./system.ts";

export const CONFIG_NAME = "certkeep.yaml";
const REGISTRATIONS = "clusters";

/** Why a configuration counts. */
export type Trust = "named" | "user" | "approved";

export interface LoadedConfig {
  /**
   * Where registrations lie, whether or not the folder is there; `null`: the configuration lies in
   * no folder.
   */
  readonly registrations: string | null;
  /**
   * Paths in it are absolute, also those after `file:`; anchors are read; registrations in files
   * stand among the clusters.
   */
  readonly config: Config;
  /** Absolute, or the URL that it was read from; `null`: there is none, and the defaults hold. */
  readonly file: string | null;
  readonly trust: Trust;
  /** Names of the clusters that registrations brought. */
  readonly registered: readonly string[];
  /** Clusters whose registration can't be used, each with its one error. */
  readonly broken: readonly { readonly name: string; readonly error: CertkeepError }[];
  /**
   * The bytes of the configuration or of a file that belongs to it, as they were checked; `null`:
   * of another file. @throws as node:fs
   */
  admitted(file: string): Promise<Buffer | null>;
  /** Files that the person approved just now. */
  readonly approved: readonly string[];
}

/** @throws CertkeepError config_missing, config_unapproved, config_invalid with every problem */
export async function loadConfig(
  places: ConfigPlaces,
  approving: Approving,
  onFile: (file: string | null) => void = () => {},
): Promise<LoadedConfig> {
  const found = await findConfig(places);
  onFile(found?.path ?? null);
  // Who approves a file that he names approves what would be found.
  const file: ConfigFile | null =
    found !== null && approving.accept ? { ...found, origin: "found" } : found;
  const files = new ConfigFiles(file, approving);
  let config = DEFAULT_CONFIG;
  if (file !== null) {
    const shownName = shownPath(file.path, places.cwd);
    await files.admitConfig();
    const result = parseConfig(await files.read(file.path, shownName), shownName);
    if (!result.ok) throw invalidConfig(shownName, result.problems);
    await files.admitNamed(await filesOf(result.config, file.path, places));
    config = await resolveConfig(
      result.config,
      { file: file.path, shownName, read: (...wanted) => files.read(...wanted) },
      places,
    );
  }
  const folder = join(file === null ? places.userFolder() : dirname(file.path), REGISTRATIONS);
  const { entries, broken } =
    config.stores.registry === null
      ? await readRegistrations(folder, config, files, places)
      : { entries: [], broken: [] };
  return {
    config: { ...config, clusters: [...config.clusters, ...entries] },
    file: file?.path ?? null,
    trust: files.isApproved() ? "approved" : file?.origin === "named" ? "named" : "user",
    registrations: folder,
    registered: entries.map((entry) => entry.name),
    broken,
    admitted: (path) => files.admitted(path),
    approved: await files.save(),
  };
}

/** Kubeconfigs and anchors that belong to the configuration. */
async function filesOf(config: Config, file: string, places: ConfigPlaces): Promise<string[]> {
  const pem = (source: PemSource | null): string | null =>
    source?.kind === "file" ? source.path : null;
  return ownFiles(
    [
      ...config.clusters.flatMap(({ kubeconfig, restoreKubeconfig }) => [
        kubeconfig,
        restoreKubeconfig,
      ]),
      ...config.issuers.flatMap(({ anchors, intermediates }) => [pem(anchors), pem(intermediates)]),
    ],
    { file, folder: dirname(file) },
    places,
  );
}

/** Named, else upwards from the current folder, else in the user's folder; `null` for none. */
async function findConfig(places: ConfigPlaces): Promise<ConfigFile | null> {
  const { explicit, cwd } = places;
  if (explicit !== null) {
    const path = namedConfig(explicit, places);
    if (await exists(path)) return { path, origin: "named" };
    throw new CertkeepError("config_missing", {
      where: shownPath(path, cwd),
      found: "there is no such file",
      todo: "Correct the path, or make one with: certkeep init",
    });
  }
  const start = await realOf(resolve(cwd));
  const own = await ownFolder(places);
  for (let folder = start; ; folder = dirname(folder)) {
    const path = await configIn(folder, cwd);
    if (path !== null) return { path, origin: folder === own ? "user" : "found" };
    if (folder === dirname(folder)) break;
  }
  const path = await configIn(places.userFolder(), cwd);
  return path === null ? null : { path, origin: "user" };
}

async function ownFolder(places: ConfigPlaces): Promise<string | null> {
  try {
    return await realOf(places.userFolder());
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    return null;
  }
}

/** The absolute path that --config means. @throws CertkeepError usage */
export function namedConfig(text: string, places: ConfigPlaces): string {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    throw new CertkeepError("usage", {
      where: "--config",
      found: "this command doesn't accept a URL",
      todo: "Name the path of a certkeep.yaml",
    });
  }
  return resolve(places.cwd, untilde(text, places));
}

async function configIn(folder: string, cwd: string): Promise<string | null> {
  const file = join(folder, CONFIG_NAME);
  if (await exists(file)) return file;
  const misnamed = join(folder, "certkeep.yml");
  if (!(await exists(misnamed))) return null;
  throw new CertkeepError("config_invalid", {
    where: shownPath(misnamed, cwd),
    found: "certkeep doesn't read a file of this name",
    todo: `Rename it to ${CONFIG_NAME}`,
  });
}

/**
 * What can't be looked at is there, and told when it is read: nothing falls back to another
 * configuration.
 */
async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    (error: unknown) => !["ENOENT", "ENOTDIR"].includes(systemCode(error) ?? ""),
  );
}

/** Where a configuration stands. */
interface Start {
  /** Relative paths begin at its folder. */
  readonly file: string;
  readonly shownName: string;
  readonly read: (file: string, shownName: string) => Promise<Uint8Array>;
}

/** Paths made absolute, and anchors read. @throws CertkeepError config_invalid */
export async function resolveConfig(
  config: Config,
  { file, shownName, read: readAnchors }: Start,
  places: ConfigPlaces,
): Promise<Config> {
  const issuers = await Promise.all(
    config.issuers.map(async (issuer, index) => {
      const read = (source: PemSource, key: string): Promise<PemSource> =>
        readPem(
          source,
          { file, shownName: `${shownName}: issuers[${index}].${key}`, read: readAnchors },
          places,
        );
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

async function readPem(
  source: PemSource,
  { file, shownName, read }: Start,
  places: ConfigPlaces,
): Promise<PemSource> {
  if (source.kind === "pem") return source;
  const path = absolute(source.path, file, places);
  const where = `${shownName}: ${shownPath(path, places.cwd)}`;
  const pem = new TextDecoder().decode(utf8Of(await read(path, where)));
  if (!pem.includes("-----BEGIN CERTIFICATE-----")) {
    throw new CertkeepError("config_invalid", {
      where,
      found: "the file holds no certificate",
      todo: "Name a file with certificates in PEM",
    });
  }
  return { kind: "pem", pem };
}

/**
 * Registrations as files: `clusters/NAME.yaml`, and beside it the kubeconfigs of its credentials
 * (0600), which a `.gitignore` of the folder keeps out of any commit.
 *
 * A credential is written under a new name first, then the registration is put in the place of
 * exactly the one that was read: of two people who register one name at once, one is told. The
 * kubeconfigs that the registration named before stay until the next rotation, for an audit that
 * has just read it. Refused: a registration that is a link.
 *
 * Registrations beside a configuration, `clusters/NAME.yaml`. A bad one hides no other.
 */
import { randomBytes } from "node:crypto";
import { readdir, readFile, stat, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { ClusterEntry } from "../../config/cluster.ts";
import { LABEL } from "../../config/form.ts";
import { parseRegistration } from "../../config/parse.ts";
import { invalidConfig } from "../../config/problem.ts";
import { alreadyConfigured, NO_CLUSTER_NAME, refuseSameRole } from "../../config/registered.ts";
import type { Config } from "../../config/schema.ts";
import { CertkeepError } from "../../error.ts";
import { plain } from "../../plain.ts";
import type { Registrations } from "../../ports/registry.ts";
import type { Bearer } from "../../rbac/table.ts";
import type { ConfigFiles } from "./configfiles.ts";
import { type ConfigPlaces, ownFiles, resolveEntry, shownPath } from "./paths.ts";
import { createSetupFiles } from "./setup.ts";
import { storeError, systemCode } from "./system.ts";

const CREDENTIAL = /^([a-z0-9-]+)\.(read|restore)-[0-9a-f]{8}\.kubeconfig$/;
/** Replacing a file takes moments; an older claim was left by a killed process. Milliseconds. */
const CLAIM_MS = 60_000;

/** What is known of the files already, and who hears what is written. */
interface Texts {
  /** `null`: it is read from the disk. */
  read(file: string): Promise<string | null>;
  written(file: string, text: string): Promise<void>;
}

const NO_TEXTS: Texts = { read: async () => null, written: async () => {} };

class RegistrationFiles implements Registrations {
  readonly place: Registrations["place"];
  readonly #folder: string;
  readonly #texts: Texts;
  readonly #files = createSetupFiles();

  constructor(folder: string, texts: Texts) {
    this.#folder = folder;
    this.#texts = texts;
    this.place = folder;
  }

  readonly where: Registrations["where"] = (name) => {
    return join(this.#folder, `${name}.yaml`);
  };

  async #entries(): Promise<string[]> {
    try {
      return await readdir(this.#folder);
    } catch (error) {
      if (systemCode(error) === "ENOENT") return [];
      throw storeError(error, "could not be read", this.#folder);
    }
  }

  async #drop(path: string): Promise<void> {
    try {
      await unlink(path);
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw storeError(error, "could not be removed", path);
    }
  }

  async #credentialsOf(name: string): Promise<string[]> {
    return (await this.#entries()).filter((file) => CREDENTIAL.exec(file)?.[1] === name);
  }

  /** Writes a credential under a new name, readable by this user alone. */
  async #keepCredential(name: string, bearer: Bearer, text: string): Promise<string> {
    const ignore = join(this.#folder, ".gitignore");
    if (
      (await this.#files.create(
        ignore,
        "# Credentials of registered clusters.\n*.kubeconfig\n",
        "public",
      )) === "exists"
    ) {
      const there = await readFile(ignore, "utf8").catch(() => "");
      if (
        !there.split(/\r?\n/).some((line) => ["*.kubeconfig", "*"].includes(line.trim())) &&
        (await this.#files.workTreeOf(ignore)) !== null
      ) {
        throw new CertkeepError("config_invalid", {
          where: ignore,
          found:
            "the folder is in a git work tree, and a commit could publish its *.kubeconfig files",
          todo: "Add the line *.kubeconfig",
        });
      }
    }
    const file = `${name}.${bearer}-${randomBytes(4).toString("hex")}.kubeconfig`;
    if ((await this.#files.create(join(this.#folder, file), text, "private")) === "exists")
      throw new CertkeepError("state_conflict", {
        where: join(this.#folder, file),
        found: "a file of this random name",
        todo: "Run it again",
      });
    return file;
  }

  /**
   * Between looking at a file and replacing it nobody else may: whoever comes meanwhile is told
   * that it changes.
   */
  async #replaceAlone(name: string, before: string, after: string): Promise<boolean> {
    const claim = join(this.#folder, `.${name}.claim`);
    const claimed = async (): Promise<boolean> =>
      (await this.#files.create(claim, "", "private")) === "created";
    if (!(await claimed())) {
      const { mtimeMs } = await stat(claim).catch(() => ({ mtimeMs: 0 }));
      if (Date.now() - mtimeMs < CLAIM_MS) return false;
      await this.#drop(claim);
      if (!(await claimed())) return false;
    }
    try {
      return (await this.#files.replace(this.where(name), before, after)) === "replaced";
    } finally {
      await this.#drop(claim);
    }
  }

  readonly read: Registrations["read"] = async (name) => {
    const text =
      (await this.#texts.read(this.where(name))) ?? (await this.#files.read(this.where(name)));
    return text === null ? null : { revision: text, text };
  };

  readonly write: Registrations["write"] = async (name, before, { credentials, text }) => {
    const made = new Map<string, string>();
    const keep = async (bearer: Bearer, credential: string): Promise<string> => {
      const file = await this.#keepCredential(name, bearer, credential);
      made.set(file, credential);
      return file;
    };
    let written = false;
    try {
      const names = {
        read: await keep("read", credentials.read),
        restore: credentials.restore === null ? null : await keep("restore", credentials.restore),
      };
      const after = text(names);
      written =
        before === null
          ? (await this.#files.create(this.where(name), after, "public")) === "created"
          : await this.#replaceAlone(name, before.revision, after);
      if (!written) return "changed";
      for (const [file, credential] of made)
        await this.#texts.written(join(this.#folder, file), credential);
      await this.#texts.written(this.where(name), after);
      return "written";
    } finally {
      // One that stays is named by no registration, and goes at the next time.
      if (!written)
        for (const file of made.keys())
          await this.#drop(join(this.#folder, file)).catch(() => undefined);
    }
  };

  readonly tidy: Registrations["tidy"] = async (name, before) => {
    const now = await this.#files.read(this.where(name));
    const kept = new Set([now, before?.text ?? null].flatMap(credentialNames));
    for (const file of await this.#credentialsOf(name))
      if (!kept.has(file)) await this.#drop(join(this.#folder, file));
  };

  readonly remove: Registrations["remove"] = async (name) => {
    await this.#drop(this.where(name));
    for (const file of await this.#credentialsOf(name)) await this.#drop(join(this.#folder, file));
  };
}

/** `folder` is made with the first registration. */
export function createRegistrationFiles(folder: string, texts: Texts = NO_TEXTS): Registrations {
  return new RegistrationFiles(folder, texts);
}

/** Credentials that a registration names. */
function credentialNames(text: string | null): string[] {
  const parsed = text === null ? null : parseRegistration(text, "");
  if (parsed === null || !parsed.ok) return [];
  return [parsed.entry.kubeconfig, parsed.entry.restoreKubeconfig].filter((file) => file !== null);
}

interface Registered {
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
      found: `the folder of registrations can't be read (${code ?? "no reason given"})`,
      todo: "Give this user permission for it (chmod u+rx)",
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
  const refuse = (found: string, todo: string): CertkeepError =>
    new CertkeepError("config_invalid", { where: shownName, found, todo });
  if (!file.endsWith(".yaml"))
    throw refuse("certkeep doesn't read a file of this name", `Rename it to ${plain(name)}.yaml`);
  if (!LABEL.test(name))
    throw refuse(NO_CLUSTER_NAME, "Rename it: small letters, digits and -, then .yaml");
  if (config.clusters.some((entry) => entry.name === name))
    throw refuse(alreadyConfigured(name), "Remove one of the two");
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
      found: "there is no such file",
      todo: "Correct the path, or register the cluster again",
    });
  if (process.geteuid !== undefined && (mode & 0o077) !== 0) {
    throw new CertkeepError("config_invalid", {
      where: place,
      found: `other users can read or write this credential (mode ${(mode & 0o777).toString(8)})`,
      todo: "Make it readable for you alone: chmod 600",
    });
  }
}

/**
 * Registrations as files: `clusters/NAME.yaml`, and beside it the kubeconfigs of its credentials
 * (0600), which a `.gitignore` of the folder keeps out of any commit.
 *
 * A credential is written under a new name first, then the registration is put in the place of
 * exactly the one that was read: of two people who register one name at once, one is told. The
 * kubeconfigs that the registration named before stay until the next rotation, for an audit that
 * has just read it. Refused: a registration that is a link.
 */
import { randomBytes } from "node:crypto";
import { readdir, readFile, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { Bearer } from "../../rbac/table.ts";
import { parseRegistration } from "../../config/parse.ts";
import { CertkeepError } from "../../error.ts";
import type { Registrations } from "../../ports/registry.ts";
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

/** `folder` is made with the first registration. */
export function createRegistrationFiles(folder: string, texts: Texts = NO_TEXTS): Registrations {
  const files = createSetupFiles();
  const fileOf = (name: string): string => join(folder, `${name}.yaml`);

  const entries = async (): Promise<string[]> => {
    try {
      return await readdir(folder);
    } catch (error) {
      if (systemCode(error) === "ENOENT") return [];
      throw storeError(error, "could not be read", folder);
    }
  };
  const drop = async (path: string): Promise<void> => {
    try {
      await unlink(path);
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw storeError(error, "could not be removed", path);
    }
  };
  const credentialsOf = async (name: string): Promise<string[]> =>
    (await entries()).filter((file) => CREDENTIAL.exec(file)?.[1] === name);

  /** Writes a credential under a new name, readable by this user alone. */
  const keepCredential = async (name: string, bearer: Bearer, text: string): Promise<string> => {
    const ignore = join(folder, ".gitignore");
    if (
      (await files.create(
        ignore,
        "# Credentials of registered clusters.\n*.kubeconfig\n",
        "public",
      )) === "exists"
    ) {
      const there = await readFile(ignore, "utf8").catch(() => "");
      if (
        !there.split(/\r?\n/).some((line) => ["*.kubeconfig", "*"].includes(line.trim())) &&
        (await files.workTreeOf(ignore)) !== null
      ) {
        throw new CertkeepError("config_invalid", {
          where: ignore,
          found: "nothing that keeps *.kubeconfig out of a commit, in a git work tree",
          expected: "a line *.kubeconfig",
        });
      }
    }
    const file = `${name}.${bearer}-${randomBytes(4).toString("hex")}.kubeconfig`;
    if ((await files.create(join(folder, file), text, "private")) === "exists")
      throw new CertkeepError("state_conflict", {
        where: join(folder, file),
        found: "a file of this random name",
        todo: "Run it again",
      });
    return file;
  };

  /**
   * Between looking at a file and replacing it nobody else may: whoever comes meanwhile is told
   * that it changes.
   */
  const replaceAlone = async (name: string, before: string, after: string): Promise<boolean> => {
    const claim = join(folder, `.${name}.claim`);
    const claimed = async (): Promise<boolean> =>
      (await files.create(claim, "", "private")) === "created";
    if (!(await claimed())) {
      const { mtimeMs } = await stat(claim).catch(() => ({ mtimeMs: 0 }));
      if (Date.now() - mtimeMs < CLAIM_MS) return false;
      await drop(claim);
      if (!(await claimed())) return false;
    }
    try {
      return (await files.replace(fileOf(name), before, after)) === "replaced";
    } finally {
      await drop(claim);
    }
  };

  return {
    place: folder,
    where: fileOf,
    read: async (name) => {
      const text = (await texts.read(fileOf(name))) ?? (await files.read(fileOf(name)));
      return text === null ? null : { revision: text, text };
    },
    write: async (name, before, { credentials, text }) => {
      const made = new Map<string, string>();
      const keep = async (bearer: Bearer, credential: string): Promise<string> => {
        const file = await keepCredential(name, bearer, credential);
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
            ? (await files.create(fileOf(name), after, "public")) === "created"
            : await replaceAlone(name, before.revision, after);
        if (!written) return "changed";
        for (const [file, credential] of made) await texts.written(join(folder, file), credential);
        await texts.written(fileOf(name), after);
        return "written";
      } finally {
        // One that stays is named by no registration, and goes at the next time.
        if (!written)
          for (const file of made.keys()) await drop(join(folder, file)).catch(() => undefined);
      }
    },
    tidy: async (name, before) => {
      const now = await files.read(fileOf(name));
      const kept = new Set([now, before?.text ?? null].flatMap(credentialNames));
      for (const file of await credentialsOf(name))
        if (!kept.has(file)) await drop(join(folder, file));
    },
    remove: async (name) => {
      await drop(fileOf(name));
      for (const file of await credentialsOf(name)) await drop(join(folder, file));
    },
  };
}

/** Credentials that a registration names. */
function credentialNames(text: string | null): string[] {
  const parsed = text === null ? null : parseRegistration(text, "");
  if (parsed === null || !parsed.ok) return [];
  return [parsed.entry.kubeconfig, parsed.entry.restoreKubeconfig].filter((file) => file !== null);
}

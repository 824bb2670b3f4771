/**
 * Registrations as files: `clusters/NAME.yaml`, and beside it the kubeconfigs of its credentials (0600), which a
 * `.gitignore` of the folder keeps out of any commit.
 *
 * A credential is written under a new name first, then the registration is put in the place of exactly the one that
 * was read: of two people who register one name at once, one is told. The kubeconfigs that the registration named
 * before stay until the next rotation, for an audit that has just read it. Refused: a registration that is a link.
 */
import { randomBytes } from "node:crypto";
import { readdir, readFile, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { Bearer } from "../../access/table.ts";
import { CertkeepError } from "../../error.ts";
import type { RegistrationFiles } from "../../ports/registrations.ts";
import { createSetupFiles } from "./setup.ts";
import { storeError, systemCode } from "./system.ts";

const CREDENTIAL = /^([a-z0-9-]+)\.(read|restore)-[0-9a-f]{8}\.kubeconfig$/;

/** `folder` is made with the first registration. */
export function createRegistrationFiles(folder: string): RegistrationFiles {
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
  const credentialsOf = async (name: string): Promise<string[]> => (await entries()).filter((file) => CREDENTIAL.exec(file)?.[1] === name);

  return {
    folder,
    read: (name) => files.read(fileOf(name)),
    writeCredential: async (name, bearer: Bearer, text) => {
      const ignore = join(folder, ".gitignore");
      if ((await files.create(ignore, "# Credentials of registered clusters.\n*.kubeconfig\n", "public")) === "exists") {
        const there = await readFile(ignore, "utf8").catch(() => "");
        if (!there.split(/\r?\n/).some((line) => ["*.kubeconfig", "*"].includes(line.trim())) && (await files.workTreeOf(ignore)) !== null) {
          throw new CertkeepError("config_invalid", { where: ignore, found: "nothing that keeps *.kubeconfig out of a commit, in a git work tree", expected: "a line *.kubeconfig" });
        }
      }
      const file = `${name}.${bearer}-${randomBytes(4).toString("hex")}.kubeconfig`;
      if ((await files.create(join(folder, file), text, "private")) === "exists") throw new CertkeepError("state_conflict", { where: join(folder, file), found: "a file of this random name", todo: "Run it again" });
      return file;
    },
    write: async (name, before, after) => {
      if (before === null) return (await files.create(fileOf(name), after, "public")) === "created" ? "written" : "changed";
      return (await files.replace(fileOf(name), before, after)) === "replaced" ? "written" : "changed";
    },
    remove: async (name) => {
      await drop(fileOf(name));
      for (const file of await credentialsOf(name)) await drop(join(folder, file));
    },
    credentials: credentialsOf,
    dropCredential: async (file) => {
      if (CREDENTIAL.test(file)) await drop(join(folder, file));
    },
  };
}

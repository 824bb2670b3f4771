/**
 * Registrations on disk: credentials for one's own eyes, out of any commit, and never two writers'
 * mixture.
 */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createApprovals } from "../../../lib/adapters/file/approvals.ts";
import { loadConfig, type LoadedConfig } from "../../../lib/adapters/file/config.ts";
import { createRegistrationFiles } from "../../../lib/adapters/file/registrations.ts";
import { parseRegistration } from "../../../lib/config/parse.ts";
import { registrationText, type RegistrationFields } from "../../../lib/config/registered.ts";
import type { NextRegistration } from "../../../lib/ports/registry.ts";
import { registrationsContract } from "../../contract/registrations.ts";

let root: string;
let folder: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "certkeep-registrations-"));
  folder = join(root, "clusters");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const kubeconfigs = (): string[] =>
  readdirSync(folder).filter((file) => file.endsWith(".kubeconfig"));
const load = (): Promise<LoadedConfig> =>
  loadConfig(
    {
      explicit: join(root, "certkeep.yaml"),
      cwd: root,
      homeFolder: root,
      userFolder: () => join(root, "user"),
    },
    { approvals: createApprovals(() => join(root, "state")), ask: null, accept: false },
  );

const NEXT: NextRegistration = {
  credentials: { read: "canary", restore: null },
  text: ({ read }) => `kubeconfig: ${read}\n`,
};

registrationsContract("files", async () => {
  const path = mkdtempSync(join(tmpdir(), "certkeep-registrations-"));
  return {
    registrations: createRegistrationFiles(path),
    again: () => createRegistrationFiles(path),
    credential: async (name, bearer) => {
      if (!existsSync(join(path, `${name}.yaml`)))
        return readdirSync(path).some((file) => file.startsWith(`${name}.`)) ? "left" : null;
      const parsed = parseRegistration(readFileSync(join(path, `${name}.yaml`), "utf8"), "f");
      const file = parsed.ok
        ? bearer === "read"
          ? parsed.entry.kubeconfig
          : parsed.entry.restoreKubeconfig
        : null;
      return file === null ? null : readFileSync(join(path, file), "utf8");
    },
    close: async () => rmSync(path, { recursive: true, force: true }),
  };
});

describe("registrations", () => {
  it(
    "have credentials with mode 600 under names of their own, which a .gitignore keeps out of " +
      "commits",
    async () => {
      const files = createRegistrationFiles(folder);
      await files.write("prod", null, NEXT);
      const [one = ""] = kubeconfigs();
      expect(one).toMatch(/^prod\.read-[0-9a-f]{8}\.kubeconfig$/);
      expect(statSync(join(folder, one)).mode & 0o777).toBe(0o600);
      expect(readFileSync(join(folder, ".gitignore"), "utf8").split("\n")).toContain(
        "*.kubeconfig",
      );
      await files.write("prod", await files.read("prod"), NEXT);
      expect(kubeconfigs()).toHaveLength(2);
      expect(kubeconfigs()).toContain(one);
    },
  );

  it("keep the credentials before until the next time", async () => {
    const files = createRegistrationFiles(folder);
    await files.write("prod", null, NEXT);
    const [first = ""] = kubeconfigs();
    for (const kept of [true, false]) {
      const before = await files.read("prod");
      await files.write("prod", before, NEXT);
      await files.tidy("prod", before);
      expect(kubeconfigs().includes(first)).toBe(kept);
      expect(kubeconfigs()).toHaveLength(2);
    }
  });

  it("refuse a .gitignore that lets credentials into a commit", async () => {
    mkdirSync(join(root, ".git"));
    mkdirSync(folder);
    writeFileSync(join(folder, ".gitignore"), "node_modules\n");
    await expect(createRegistrationFiles(folder).write("prod", null, NEXT)).rejects.toMatchObject({
      code: "config_invalid",
    });
    expect(readdirSync(folder)).toEqual([".gitignore"]);
  });

  it("are replaced again after a process was killed while it replaced one", async () => {
    const files = createRegistrationFiles(folder);
    await files.write("prod", null, NEXT);
    writeFileSync(join(folder, ".prod.claim"), "");
    expect(await files.write("prod", await files.read("prod"), NEXT)).toBe("changed");
    const longAgo = new Date(Date.now() - 120_000);
    utimesSync(join(folder, ".prod.claim"), longAgo, longAgo);
    expect(await files.write("prod", await files.read("prod"), NEXT)).toBe("written");
    expect(existsSync(join(folder, ".prod.claim"))).toBe(false);
  });

  it("that come second leave no credential", async () => {
    const files = createRegistrationFiles(folder);
    await files.write("prod", null, NEXT);
    expect(await files.write("prod", null, NEXT)).toBe("changed");
    expect(kubeconfigs()).toHaveLength(1);
  });
});

describe("the configuration", () => {
  it("takes a registration's restoring credential only where it is one's own", async () => {
    mkdirSync(folder);
    for (const file of ["r", "w"]) writeFileSync(join(folder, file), "", { mode: 0o600 });
    writeFileSync(join(folder, "prod.yaml"), "kubeconfig: r\nrestoreKubeconfig: w\n");
    writeFileSync(join(root, "certkeep.yaml"), "");
    expect((await load()).config.clusters).toMatchObject([
      { name: "prod", kubeconfig: join(folder, "r"), restoreKubeconfig: join(folder, "w") },
    ]);
    chmodSync(join(folder, "w"), 0o644);
    expect((await load()).broken.map(({ error }) => error.message)).toEqual([
      expect.stringContaining("other users can read or write this credential (mode 644)"),
    ]);
  });

  it("refuses one role for two registrations of one EKS name", async () => {
    mkdirSync(folder);
    writeFileSync(join(root, "certkeep.yaml"), "");
    const eks = (cluster: string, role: string): string =>
      `eks: {cluster: ${cluster}, region: eu-west-1, role: ` +
      `"arn:aws:iam::123456789012:role/${role}"}\n`;
    writeFileSync(join(folder, "a.yaml"), eks("prod", "one"));
    writeFileSync(join(folder, "b.yaml"), eks("prod", "one"));
    writeFileSync(join(folder, "c.yaml"), eks("prod", "two"));
    writeFileSync(join(folder, "d.yaml"), eks("other", "one"));
    const { registered, broken } = await load();
    expect(registered).toEqual(["a", "c", "d"]);
    expect(broken.map(({ name, error }) => `${name}: ${error.message}`)).toEqual([
      expect.stringMatching(
        /^b: .*eks\.role: cluster a has the same EKS name and role, .*Give each registration a role/,
      ),
    ]);
    expect(existsSync(join(folder, "b.yaml"))).toBe(true);
  });
});

describe("the text of a registration", () => {
  const fields: RegistrationFields = {
    kubeconfig: "prod.read-00000000.kubeconfig",
    restoreKubeconfig: null,
    plan: { parts: ["secrets", "diagnosis"], namespaces: ["shop"], secrets: [] },
    eks: null,
    access: {
      kind: "token",
      parts: ["secrets", "diagnosis"],
      since: "2026-11-23T20:00:00Z",
      broad: false,
    },
    schema: null,
  };

  it("is one that reads back", () => {
    expect(parseRegistration(registrationText(null, fields) ?? "", "prod.yaml")).toMatchObject({
      ok: true,
      entry: {
        kubeconfig: fields.kubeconfig,
        restoreKubeconfig: null,
        namespaces: ["shop"],
        access: fields.access,
      },
    });
  });

  it("keeps the comments and settings of its author", () => {
    const before =
      "# ours\n" +
      "selector: team=web # since spring\n" +
      "context: old\n" +
      "kubeconfig: old.kubeconfig\n" +
      "namespaces: [a, b]\n";
    const after = registrationText(before, fields) ?? "";
    expect(after).toContain("# ours");
    expect(after).toContain("selector: team=web # since spring");
    expect(parseRegistration(after, "prod.yaml")).toMatchObject({
      ok: true,
      entry: {
        selector: "team=web",
        context: null,
        kubeconfig: fields.kubeconfig,
        namespaces: ["shop"],
      },
    });
  });

  it("by name looks for nothing", () => {
    const named =
      registrationText(null, {
        ...fields,
        plan: { parts: ["named"], namespaces: [], secrets: [{ namespace: "shop", name: "web" }] },
      }) ?? "";
    expect(parseRegistration(named, "prod.yaml")).toMatchObject({
      ok: true,
      entry: { namespaces: [], secrets: [{ namespace: "shop", name: "web" }] },
    });
  });

  it("is none where what is there can't be completed", () => {
    expect(registrationText("- a list\n", fields)).toBeNull();
    expect(registrationText("a: [\n", fields)).toBeNull();
  });
});

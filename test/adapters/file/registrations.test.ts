/** Registrations on disk: credentials for one's own eyes, out of any commit, and never two writers' mixture. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadConfig } from "../../../lib/adapters/file/config.ts";
import { createRegistrationFiles } from "../../../lib/adapters/file/registrations.ts";
import { parseRegistration } from "../../../lib/config/parse.ts";
import { registrationText, type RegistrationFields } from "../../../lib/config/registration.ts";

let root: string;
let folder: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "certkeep-registrations-"));
  folder = join(root, "clusters");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const places = (): Parameters<typeof loadConfig>[0] => ({ explicit: null, cwd: root, homeFolder: root, userFolder: join(root, "user") });

describe("registrations", () => {
  it("have credentials with mode 600 under names of their own, which a .gitignore keeps out of commits", async () => {
    const files = createRegistrationFiles(folder);
    const one = await files.writeCredential("prod", "read", "canary");
    const two = await files.writeCredential("prod", "read", "canary");
    expect(one).toMatch(/^prod\.read-[0-9a-f]{8}\.kubeconfig$/);
    expect(one).not.toBe(two);
    expect(statSync(join(folder, one)).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(folder, ".gitignore"), "utf8").split("\n")).toContain("*.kubeconfig");
    expect((await files.credentials("prod")).toSorted()).toEqual([one, two].toSorted());
    expect(await files.credentials("pro")).toEqual([]);
  });

  it("refuse a .gitignore that lets credentials into a commit", async () => {
    mkdirSync(join(root, ".git"));
    mkdirSync(folder);
    writeFileSync(join(folder, ".gitignore"), "node_modules\n");
    await expect(createRegistrationFiles(folder).writeCredential("prod", "read", "canary")).rejects.toMatchObject({ code: "config_invalid" });
    expect(readdirSync(folder)).toEqual([".gitignore"]);
  });

  it("are written in the place of exactly what was read: of twenty at once, one wins", async () => {
    const files = createRegistrationFiles(folder);
    const first = await Promise.all(Array.from({ length: 20 }, async (_, n) => files.write("prod", null, `context: c${n}\n`)));
    expect(first.filter((one) => one === "written").length).toBe(1);
    const before = await files.read("prod");
    expect(await files.write("prod", "something else\n", "x")).toBe("changed");
    expect(await files.write("prod", before, "context: next\n")).toBe("written");
    expect(await files.read("prod")).toBe("context: next\n");
  });

  it("go with their credentials, and leave others'", async () => {
    const files = createRegistrationFiles(folder);
    for (const name of ["prod", "prod-2"]) {
      await files.writeCredential(name, "read", "canary");
      await files.write(name, null, "context: c\n");
    }
    await files.remove("prod");
    await files.remove("prod");
    expect(await files.read("prod")).toBeNull();
    expect(readdirSync(folder).filter((file) => file.startsWith("prod.")).length).toBe(0);
    expect((await files.credentials("prod-2")).length).toBe(1);
    await files.dropCredential("../outside");
  });
});

describe("the configuration", () => {
  it("takes a registration's restoring credential only where it is one's own", async () => {
    mkdirSync(folder);
    for (const file of ["r", "w"]) writeFileSync(join(folder, file), "", { mode: 0o600 });
    writeFileSync(join(folder, "prod.yaml"), "kubeconfig: r\nrestoreKubeconfig: w\n");
    writeFileSync(join(root, "certkeep.yaml"), "");
    expect((await loadConfig(places())).config.clusters).toMatchObject([{ name: "prod", kubeconfig: join(folder, "r"), restoreKubeconfig: join(folder, "w") }]);
    chmodSync(join(folder, "w"), 0o644);
    expect((await loadConfig(places())).broken.map(({ error }) => error.message)).toEqual([expect.stringContaining("others may read or write (mode 644)")]);
  });

  it("refuses one role for two registrations of one EKS name", async () => {
    mkdirSync(folder);
    writeFileSync(join(root, "certkeep.yaml"), "");
    const eks = (cluster: string, role: string): string => `eks: {cluster: ${cluster}, region: eu-west-1, role: "arn:aws:iam::123456789012:role/${role}"}\n`;
    writeFileSync(join(folder, "a.yaml"), eks("prod", "one"));
    writeFileSync(join(folder, "b.yaml"), eks("prod", "one"));
    writeFileSync(join(folder, "c.yaml"), eks("prod", "two"));
    writeFileSync(join(folder, "d.yaml"), eks("other", "one"));
    const { registered, broken } = await loadConfig(places());
    expect(registered).toEqual(["a", "c", "d"]);
    expect(broken.map(({ name, error }) => `${name}: ${error.message}`)).toEqual([expect.stringMatching(/^b: .*eks\.role: found the EKS name and the role of cluster a|^b: .*the EKS name and the role of cluster a/)]);
    expect(existsSync(join(folder, "b.yaml"))).toBe(true);
  });
});

describe("the text of a registration", () => {
  const fields: RegistrationFields = {
    kubeconfig: "prod.read-00000000.kubeconfig",
    restoreKubeconfig: null,
    plan: { parts: ["secrets", "diagnosis"], namespaces: ["shop"], secrets: [] },
    eks: null,
    access: { kind: "token", parts: ["secrets", "diagnosis"], since: "2026-11-23T20:00:00Z", broad: false },
    schema: null,
  };

  it("is one that reads back", () => {
    expect(parseRegistration(registrationText(null, fields) ?? "", "prod.yaml")).toMatchObject({ ok: true, entry: { kubeconfig: fields.kubeconfig, restoreKubeconfig: null, namespaces: ["shop"], access: fields.access } });
  });

  it("keeps the comments and settings of its owner", () => {
    const before = "# ours\nselector: team=web # since spring\ncontext: old\nkubeconfig: old.kubeconfig\nnamespaces: [a, b]\n";
    const after = registrationText(before, fields) ?? "";
    expect(after).toContain("# ours");
    expect(after).toContain("selector: team=web # since spring");
    expect(parseRegistration(after, "prod.yaml")).toMatchObject({ ok: true, entry: { selector: "team=web", context: null, kubeconfig: fields.kubeconfig, namespaces: ["shop"] } });
  });

  it("by name looks for nothing", () => {
    const named = registrationText(null, { ...fields, plan: { parts: ["named"], namespaces: [], secrets: [{ namespace: "shop", name: "web" }] } }) ?? "";
    expect(parseRegistration(named, "prod.yaml")).toMatchObject({ ok: true, entry: { namespaces: [], secrets: [{ namespace: "shop", name: "web" }] } });
  });

  it("is none where what is there can't be completed", () => {
    expect(registrationText("- a list\n", fields)).toBeNull();
    expect(registrationText("a: [\n", fields)).toBeNull();
  });
});

/**
 * From an approved configuration to what uses it: the bytes that were approved, and what certkeep
 * writes itself.
 */
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createRegistrationFiles } from "../../lib/adapters/file/registrations.ts";
import { approveConfig, composeConfig, ownTexts } from "../../lib/wiring/config.ts";
import { connectCluster } from "../../lib/wiring/connect.ts";
import { composeSettings, type World } from "../../lib/wiring/settings.ts";

let root: string;
let world: World;

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "certkeep-approved-")));
  vi.stubEnv("XDG_STATE_HOME", join(root, "state"));
  vi.stubEnv("XDG_CONFIG_HOME", join(root, "config"));
  vi.stubEnv("XDG_DATA_HOME", join(root, "data"));
  mkdirSync(join(root, "work"));
  writeFileSync(join(root, "work/kubeconfig"), kubeconfig("https://approved.example"));
  writeFileSync(
    join(root, "work/certkeep.yaml"),
    "clusters: [{name: prod, kubeconfig: kubeconfig}]\n",
  );
  world = { configFile: null, env: { HOME: root }, cwd: join(root, "work") };
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true, force: true });
});

function kubeconfig(server: string): string {
  return JSON.stringify({
    kind: "Config",
    "current-context": "c",
    clusters: [{ name: "c", cluster: { server } }],
    users: [{ name: "u", user: { token: "t" } }],
    contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
  });
}

describe("an approved configuration", () => {
  it("connects by the kubeconfig that was approved, whatever stands there by then", async () => {
    await approveConfig(world);
    const { config, kubeconfigs } = await composeSettings(world);
    writeFileSync(join(root, "work/kubeconfig"), kubeconfig("https://other.example"));
    const [cluster] = config.clusters;
    if (cluster === undefined) throw new Error("no cluster");
    const connection = await connectCluster(
      cluster,
      "read",
      false,
      { env: world.env, nowMs: () => 0, deployed: true },
      kubeconfigs,
    );
    expect(connection.server.host).toBe("approved.example");
  });

  it("stays approved where certkeep itself wrote new tokens, and only as it was before", async () => {
    await approveConfig(world);
    const { kubeconfigs } = await composeSettings(world);
    const file = join(root, "work/kubeconfig");
    const [before, after] = ["https://approved.example", "https://after.example"].map(kubeconfig);
    const write = async (was: string): Promise<void> => {
      writeFileSync(file, after ?? "");
      await kubeconfigs.rewritten(file, was, after ?? "");
    };
    await write("something else");
    await expect(composeConfig(world)).rejects.toThrow("kubeconfig (changed)");
    await write(before ?? "");
    expect(await composeConfig(world)).toMatchObject({ trust: "approved" });
  });

  it("stays approved where certkeep itself registers a cluster, and only for what it wrote", async () => {
    await approveConfig(world);
    const folder = join(root, "work/clusters");
    const register = async (name: string): Promise<void> => {
      const registrations = createRegistrationFiles(folder, ownTexts(await composeConfig(world)));
      const before = await registrations.read(name);
      expect(
        await registrations.write(name, before, {
          credentials: { read: kubeconfig("https://one.example"), restore: null },
          text: ({ read }) => `kubeconfig: ${read}\n`,
        }),
      ).toBe("written");
      expect((await registrations.read(name))?.text).toMatch(/^kubeconfig: /);
    };
    await register("one");
    await register("one");
    await register("two");
    expect(await composeConfig(world)).toMatchObject({
      trust: "approved",
      registered: ["one", "two"],
    });
    expect(readdirSync(folder)).toHaveLength(6);
    writeFileSync(join(folder, "three.yaml"), "kubeconfig: ../kubeconfig\n");
    await expect(composeConfig(world)).rejects.toThrow("clusters/three.yaml (new)");
  });
});

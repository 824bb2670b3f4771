/**
 * `certkeep doctor` where nothing is registered: the command that an audit's finding offers has to
 * work.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { NOW_MS } from "../finding/fixture.ts";
import { type Ended, runIn } from "../support/cli.ts";
import { named } from "../support/named.ts";

const KUBECONFIG = {
  apiVersion: "v1",
  kind: "Config",
  clusters: [{ name: "c", cluster: { server: "https://127.0.0.1:9" } }],
  users: [{ name: "u", user: { token: "canary" } }],
  contexts: [{ name: "Nowhere", context: { cluster: "c", user: "u" } }],
};

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "certkeep-cli-doctor-"));
  await writeFile(join(folder, "kubeconfig"), JSON.stringify(KUBECONFIG), { mode: 0o600 });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function doctor(config: string, ...names: string[]): Promise<Ended> {
  await writeFile(
    join(folder, "certkeep.yaml"),
    `stores: {backups: "file:backups", state: "file:state"}\n${config}`,
    { mode: 0o600 },
  );
  return runIn(folder, named(folder, ["doctor", ...names]), { columns: 200, nowMs: () => NOW_MS });
}

describe("certkeep doctor CONTEXT", () => {
  it("looks at a context where the configuration names no cluster, as an audit does", async () => {
    const { code, out } = await doctor("", "Nowhere");
    expect(code).toBe(3);
    expect(out).toMatch(
      /\nProblems\n[\s\S]*\n {2}connection +cluster Nowhere: nothing listens at the server's address/,
    );
    expect(out).toContain("\n    kubectl --context Nowhere cluster-info\n");
    // Its state isn't found by that name, so nothing is said of what audits saw.
    expect(out).not.toContain("Never audited");
  });

  it("says which contexts there are", async () => {
    const { out } = await doctor("", "Nowhree");
    expect(out.replaceAll(/\s+/g, " ")).toContain(
      "no context Nowhree. Name one of: Nowhere. Did you mean Nowhere?",
    );
  });

  it("takes a context beside registered clusters, by its name or by --context", async () => {
    const config = "clusters: [{name: prod, context: Nowhere}]\n";
    for (const args of [["Nowhere"], ["--context", "Nowhere"]]) {
      const { code, out } = await doctor(config, ...args);
      expect([code, out.includes("cluster Nowhere"), out.includes("cluster prod")]).toEqual([
        3,
        true,
        false,
      ]);
    }
  });

  it("says which clusters are registered for a name that is neither", async () => {
    expect(await doctor("clusters: [{name: prod, context: Nowhere}]\n", "elsewhere")).toMatchObject(
      { code: 2, err: expect.stringContaining("no such cluster in the configuration") as string },
    );
  });
});

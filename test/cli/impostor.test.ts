/**
 * A context whose server claims to be another cluster, as a person meets it on the command line.
 */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Ended, runIn } from "../support/cli.ts";
import { named } from "../support/named.ts";
import { generateIdentity } from "../../lib/adapters/age/identity.ts";
import { serviceAccount, startSandbox, type Sandbox } from "../fake-apiserver/api.ts";
import { ingressSecret, startWorld, type World } from "../support/world.ts";

const DOMAIN = "shop.tail1a2b3.ts.net";

let world: World;
let evil: Sandbox;
let folder: string;

const certkeep = (...args: readonly string[]): Promise<Ended> =>
  runIn(folder, named(folder, args), {
    env: { KUBECONFIG: ["prod", "evil"].map((name) => join(folder, name)).join(":") },
    columns: 200,
    nowMs: () => world.nowMs,
  });

/** Every file of the state store but the leases, with its text. */
async function states(): Promise<readonly (readonly [name: string, text: string])[]> {
  const files = await readdir(join(folder, "state"), { recursive: true, withFileTypes: true });
  const kept = files.filter((file) => file.isFile() && !file.parentPath.includes("lease-"));
  return Promise.all(
    kept.map(async ({ parentPath, name }) => {
      const path = join(parentPath, name);
      return [path, await readFile(path, "utf8")] as const;
    }),
  );
}

beforeEach(async () => {
  world = await startWorld();
  evil = await startSandbox({ namespaces: ["default", "tailscale"] });
  const uid = world.sandbox.get(null, "kube-system", "Namespace")?.metadata.uid ?? "";
  evil.put([{ kind: "Namespace", metadata: { name: "kube-system", uid } }]);
  folder = await mkdtemp(join(tmpdir(), "certkeep-cli-impostor-"));
  const { secret, recipient } = await generateIdentity();
  const files = {
    prod: world.sandbox.kubeconfig({ context: "prod" }),
    evil: evil.kubeconfig({ context: "evil" }),
    "identity.txt": `${secret}\n`,
    "anchors.pem": world.authority.root.pem,
    "certkeep.yaml":
      `recipients: [${recipient}]\n` +
      `identity: "file:identity.txt"\n` +
      `stores: {backups: "file:backups", state: "file:state"}\n` +
      "issuers:\n" +
      "  - {id: test, title: Test, kind: production, anchors: anchors.pem}\n",
  };
  for (const [name, text] of Object.entries(files))
    await writeFile(join(folder, name), text, { mode: 0o600 });
  world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
  const { code, err } = await certkeep("audit", "prod");
  if (code !== 0) throw new Error(err);
});
afterEach(async () => {
  await world.stop();
  await evil.stop();
  await rm(folder, { recursive: true, force: true });
});

describe("a context whose server has prod's uid and another CA", () => {
  it("is refused by audit and restore, which name the way on", async () => {
    const before = await states();
    const audit = await certkeep("audit", "evil");
    expect(audit.code).toBe(2);
    expect(audit.err).toMatch(
      /^certkeep: cluster evil: the server has the recorded uid under another CA .*or, if its CA was renewed: certkeep clusters add NAME --context evil$/m,
    );
    expect(audit.out + audit.err).not.toContain("--apply");
    expect(audit.out + audit.err).not.toContain(DOMAIN);
    expect(audit.out).toBe("");
    const restore = await certkeep("restore", "evil", "--all", "--apply");
    expect(restore.code).toBe(2);
    expect(restore.err).toMatch(
      /Nothing was restored\. .*, or, if .*: certkeep restore evil --rebuilt --all --apply/,
    );
    expect(evil.get("tailscale", DOMAIN)).toBeNull();
    expect(await states()).toEqual(before);
    const doctor = await certkeep("doctor", "evil");
    expect(doctor.out).toContain("certkeep clusters add evil --context evil");
    expect(doctor.out).not.toContain("certkeep restore");
  });

  it("is the cluster once a person runs the offered command; then the old one isn't", async () => {
    expect((await certkeep("restore", "evil", "--rebuilt", "--all", "--apply")).code).toBe(0);
    expect(evil.get("tailscale", DOMAIN)).not.toBeNull();
    expect((await certkeep("audit", "evil")).code).toBe(0);
    expect((await certkeep("audit", "prod")).code).toBe(2);
  });
});

it("a context that can't read the uid any more is offered no restore by doctor", async () => {
  const expectNoRestore = async (): Promise<void> => {
    const { code, out } = await certkeep("doctor", "prod");
    expect([code, out]).toEqual([1, expect.stringContaining("kube-system")]);
    expect(out).not.toContain("certkeep restore");
  };
  const rules = [{ verbs: ["get", "list"], resources: ["secrets"] }];
  world.sandbox.setToken("blind", serviceAccount("certkeep", "blind", rules));
  const kubeconfig = world.sandbox.kubeconfig({ context: "prod", token: "blind" });
  await writeFile(join(folder, "prod"), kubeconfig);
  await expectNoRestore();
  // No permission is missing here.
  await writeFile(join(folder, "prod"), world.sandbox.kubeconfig({ context: "prod" }));
  world.sandbox.remove(null, "kube-system", "Namespace");
  await expectNoRestore();
});

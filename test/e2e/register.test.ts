/** Registering against a real kube-apiserver: RBAC is the server's own, and so are tokens, access reviews and refusals. */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { generateIdentity } from "../../lib/adapters/age/identity.ts";
import { createAuthority, type Authority, type Issued } from "../../lib/sandbox/pki.ts";
import { startKube, type Kube } from "./support/kube.ts";
import { createNamespace, createSecrets, createServiceAccount, createToken, type SecretManifest } from "./support/objects.ts";
import { kubectl, runProgram, type Ended } from "./support/run.ts";
import { lacksTools } from "./support/tools.ts";

const MAIN = resolve(import.meta.dirname, "../../lib/cli/main.ts");
const DAY_MS = 86_400_000;
const RBAC = "/apis/rbac.authorization.k8s.io/v1";

const base64 = (text: string): string => Buffer.from(text).toString("base64");

function tls(namespace: string, name: string, pair: Issued): SecretManifest {
  return { namespace, name, type: "kubernetes.io/tls", data: { "tls.crt": base64(pair.certificatePem), "tls.key": base64(pair.keyPem) } };
}

interface DoctorLine {
  readonly id: string;
  readonly level: "pass" | "warn" | "fail";
  readonly cluster: string | null;
  readonly text: string;
  readonly command: string | null;
}

describe.skipIf(lacksTools("etcd", "kube-apiserver", "kubectl"))("registering a real cluster", () => {
  let kube: Kube;
  let folder: string;
  let admin: string;
  let authority: Authority;

  const run = (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> =>
    runProgram(process.execPath, [MAIN, ...args], { cwd: folder, env: { PATH: process.env["PATH"] ?? "", HOME: folder, KUBECONFIG: admin, ...env }, timeoutMs: 100_000 });
  const issue = (name: string): Issued => authority.issue({ names: [name], notBefore: new Date(Date.now() - 10 * DAY_MS), notAfter: new Date(Date.now() + 80 * DAY_MS) });
  const registration = (name: string): string => readFileSync(join(folder, "clusters", `${name}.yaml`), "utf8");
  const credentials = (name: string): string[] => readdirSync(join(folder, "clusters")).filter((file) => file.startsWith(`${name}.`) && file.endsWith(".kubeconfig"));

  beforeAll(async () => {
    kube = await startKube();
    folder = mkdtempSync(join(tmpdir(), "certkeep-e2e-register-"));
    authority = createAuthority({ name: "E2E" });
    for (const name of ["tailscale", "shop", "other"]) await createNamespace(kube, name);
    await createSecrets(kube, [
      tls("shop", "web-tls", issue("web.example.com")),
      tls("tailscale", "n1.tail1a2b3.ts.net", issue("n1.tail1a2b3.ts.net")),
      { namespace: "tailscale", name: "operator-oauth", type: "Opaque", data: { client_secret: base64("canary-oauth-value") } },
      { namespace: "other", name: "database", type: "Opaque", data: { password: base64("canary") } },
    ]);
    const { secret, recipient } = await generateIdentity();
    writeFileSync(join(folder, "identity.txt"), `${secret}\n`, { mode: 0o600 });
    writeFileSync(join(folder, "anchors.pem"), authority.root.pem);
    writeFileSync(join(folder, "certkeep.yaml"), `recipients: [${recipient}]\nidentity: file:identity.txt\nstores: {backups: "file:backups", state: "file:state"}\nissuers:\n  - {id: e2e, title: E2E, kind: production, anchors: anchors.pem}\n`);
    admin = kube.kubeconfigFor({ contextName: "admin" });
  });
  afterAll(async () => {
    await kube?.stop();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  it("registers with the rights it asked for, says what else they see, and audits with exactly those", async () => {
    const added = await run(["clusters", "add", "prod", "--context", "admin", "--namespace", "tailscale", "--namespace", "shop", "--parts", "secrets,parents,diagnosis,restore", "--yes", "--json"]);
    expect(added.stderr).toContain("Registered prod");
    expect(added).toMatchObject({ code: 0 });
    expect(added.stderr).toContain("operator-oauth");
    expect(added.stderr).toContain("--by-name");
    expect(added.stderr).toContain("--in-cluster");
    expect(added.stdout + added.stderr).not.toMatch(/eyJ|canary/);
    const document = JSON.parse(added.stdout) as { credentials: { bearer: string; user: string; missing: unknown[]; excess: unknown[]; expiresAtMs: number }[] };
    expect(document.credentials.map(({ bearer, user, missing, excess }) => ({ bearer, user, missing, excess }))).toEqual([
      { bearer: "read", user: "system:serviceaccount:certkeep:certkeep-prod-read", missing: [], excess: [] },
      { bearer: "restore", user: "system:serviceaccount:certkeep:certkeep-prod-restore", missing: [], excess: [] },
    ]);
    expect(credentials("prod").length).toBe(2);
    for (const file of credentials("prod")) expect(statSync(join(folder, "clusters", file)).mode & 0o777).toBe(0o600);
    expect(registration("prod")).not.toMatch(/token:|eyJ/);
    expect(readFileSync(join(folder, "clusters/.gitignore"), "utf8")).toContain("*.kubeconfig");

    const audit = await run(["audit", "prod", "--json"], { KUBECONFIG: "/nowhere" });
    expect(audit).toMatchObject({ code: 0 });
    const [cluster] = (JSON.parse(audit.stdout) as { clusters: { complete: boolean; copies: { made: number } }[] }).clusters;
    expect(cluster).toMatchObject({ complete: true, copies: { made: 2 } });
  });
});

/** Kubeconfigs that kubectl takes, on a real API server: what gets kubectl in gets certkeep in. */
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { type IdentityProvider, startIdentityProvider } from "./support/identityprovider.ts";
import { runIn, type Said } from "./support/incommand.ts";
import { type Kube, startKube } from "./support/kube.ts";
import { kubectl } from "./support/run.ts";
import { lacksTools } from "./support/tools.ts";

const AUDIENCE = "kubernetes";

describe.skipIf(lacksTools("etcd", "kube-apiserver", "kubectl"))("a kubeconfig", () => {
  let provider: IdentityProvider;
  let kube: Kube;
  let folder: string;
  let written = 0;

  beforeAll(async () => {
    provider = await startIdentityProvider(AUDIENCE, "alice");
    folder = mkdtempSync(join(tmpdir(), "certkeep-idp-"));
    const ca = join(folder, "ca.crt");
    writeFileSync(ca, provider.caPem);
    kube = await startKube({
      args: [
        `--oidc-issuer-url=${provider.issuer}`,
        `--oidc-client-id=${AUDIENCE}`,
        `--oidc-ca-file=${ca}`,
        "--oidc-username-prefix=-",
      ],
    });
    await kube.demand("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRoleBinding",
      metadata: { name: "alice" },
      roleRef: {
        apiGroup: "rbac.authorization.k8s.io",
        kind: "ClusterRole",
        name: "cluster-admin",
      },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "alice" }],
    });
  }, 120_000);
  afterAll(async () => {
    await kube.stop();
    await provider.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const file = (bytes: string | Buffer, name = "config"): string => {
    written += 1;
    const path = join(kube.folder, `${name}-${written}`);
    writeFileSync(path, bytes);
    chmodSync(path, 0o600);
    return path;
  };
  /** Each with a state of its own: who was believed once isn't asked again in another way. */
  const audit = async (kubeconfig: string): Promise<Said> => {
    const own = mkdtempSync(join(kube.folder, "audit-"));
    const stores = 'stores: {backups: "file:backups", state: "file:state"}\n';
    writeFileSync(join(own, "certkeep.yaml"), stores);
    const env = {
      ...(process.env as Record<string, string>),
      HOME: folder,
      KUBECONFIG: kubeconfig,
    };
    return runIn(["audit", "--fail-on", "never"], own, env);
  };
  const admin = (): string => readFileSync(kube.kubeconfigFor(), "utf8");
  const ready = (kubeconfig: string) =>
    kubectl(kube, ["get", "--raw", "/api/v1/namespaces/kube-system"], { kubeconfig });

  it.each([
    ["UTF-16, as PowerShell writes it", () => Buffer.from(`\ufeff${admin()}`, "utf16le")],
    ["UTF-16 of the other order", () => Buffer.from(`\ufeff${admin()}`, "utf16le").swap16()],
    [
      "a truth value of YAML 1.1",
      () => admin().replace(/certificate-authority-data: .*/, "insecure-skip-tls-verify: yes"),
    ],
  ])("that is or has %s", async (_, textOf) => {
    const config = file(textOf());
    expect(await ready(config)).toMatchObject({ code: 0 });
    expect(await audit(config)).toMatchObject({ code: 0 });
  });

  it("has its plugin told the same of the cluster as by kubectl", async () => {
    const log = file("");
    const answer = {
      apiVersion: "client.authentication.k8s.io/v1",
      kind: "ExecCredential",
      status: { token: kube.adminToken },
    };
    const plugin = file(
      `#!/bin/sh\nprintf '%s\\n' "$KUBERNETES_EXEC_INFO" >> ${log}\n` +
        `echo '${JSON.stringify(answer)}'\n`,
    );
    chmodSync(plugin, 0o700);
    const config = parse(
      readFileSync(
        kube.kubeconfigFor({
          user: {
            exec: {
              apiVersion: "client.authentication.k8s.io/v1",
              command: plugin,
              args: null,
              env: null,
              interactiveMode: "Never",
              provideClusterInfo: true,
            },
          },
        }),
        "utf8",
      ),
    ) as { clusters: { cluster: Record<string, unknown> }[] };
    Object.assign(config.clusters[0]?.cluster ?? {}, {
      "tls-server-name": "localhost",
      "disable-compression": true,
      extensions: [
        {
          name: "client.authentication.k8s.io/exec",
          extension: { apiVersion: "example.invalid/v1", shootRef: { namespace: "x", name: "y" } },
        },
      ],
    });
    const path = file(JSON.stringify(config));
    expect(await ready(path)).toMatchObject({ code: 0 });
    expect(await audit(path)).toMatchObject({ code: 0 });
    const told = readFileSync(log, "utf8")
      .trim()
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as object);
    expect(told.length).toBeGreaterThan(1);
    for (const one of told) expect(one).toEqual(told[0]);
  });

  const oidcUser = (idToken: string, refreshToken: string): string =>
    readFileSync(
      kube.kubeconfigFor({
        user: {
          "auth-provider": {
            name: "oidc",
            config: {
              "client-id": AUDIENCE,
              "client-secret": "s",
              "id-token": idToken,
              "idp-certificate-authority-data": Buffer.from(provider.caPem).toString("base64"),
              "idp-issuer-url": provider.issuer,
              "refresh-token": refreshToken,
            },
          },
        },
      }),
      "utf8",
    );

  it("of an OpenID Connect user is refreshed as by kubectl, each takes over from the other", async () => {
    const path = file(oidcUser(provider.idToken(-60), provider.refreshToken()));
    const before = provider.refreshes.length;
    expect(await audit(path)).toMatchObject({ code: 0 });
    expect(provider.refreshes.slice(before)).toMatchObject([{ taken: true }]);
    // Neither needs another one now.
    expect(await ready(path)).toMatchObject({ code: 0 });
    expect(await audit(path)).toMatchObject({ code: 0 });
    expect(provider.refreshes.length).toBe(before + 1);
    // The refresh token that was written is good for kubectl, and kubectl's for certkeep.
    const ended = (): void => {
      const text = readFileSync(path, "utf8");
      writeFileSync(path, text.replace(/(id-token: ).*/, `$1${provider.idToken(-60)}`));
    };
    ended();
    expect(await ready(path)).toMatchObject({ code: 0 });
    ended();
    expect(await audit(path)).toMatchObject({ code: 0 });
    expect(provider.refreshes.slice(before).map(({ taken }) => taken)).toEqual([true, true, true]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(existsSync(`${path}.lock`)).toBe(false);
  });

  it("of an OpenID Connect user is refreshed once by several audits at a time", async () => {
    const path = file(oidcUser(provider.idToken(-60), provider.refreshToken()));
    const before = provider.refreshes.length;
    const said = await Promise.all([audit(path), audit(path), audit(path)]);
    expect(said.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(provider.refreshes.slice(before)).toMatchObject([{ taken: true }]);
  });
});

import { chmodSync, existsSync, readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { authority, connectionTo, failureOf, folder, put } from "./support.ts";

const SERVER = "https://api.example.com:6443";

/** Writes a plugin in shell; gives its path. */
function plugin(path: string, script: string): string {
  put(`${path}/plugin`, `#!/bin/sh\n${script}\n`);
  chmodSync(`${path}/plugin`, 0o700);
  return `${path}/plugin`;
}

function credential(status: object): string {
  return (
    "echo " +
    `'${JSON.stringify({ apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", status })}'`
  );
}

const user = (command: string, more: object = {}): object => ({
  exec: {
    apiVersion: "client.authentication.k8s.io/v1",
    command,
    interactiveMode: "Never",
    ...more,
  },
});
const path = process.env["PATH"] ?? "";

let environment: Record<string, string>;
beforeAll(() => {
  environment = { PATH: path, FROM_US: "yes" };
});

describe("a credential plugin", () => {
  test("gets its arguments, its environment and what it may know; its token is used", async () => {
    const at = folder();
    const command = plugin(
      at,
      `printf '%s|%s|%s|%s' "$1" "$FROM_US" "$OWN" "$KUBERNETES_EXEC_INFO" > ${at}/seen; ` +
        `${credential({ token: "from-plugin" })}`,
    );
    const connection = await connectionTo(
      {
        server: SERVER,
        user: user(command, {
          args: ["a b"],
          env: [{ name: "OWN", value: "own" }],
          provideClusterInfo: true,
        }),
      },
      { environment },
    );
    expect(connection.usesExec).toBe(true);
    expect((await connection.credentials()).headers).toEqual({
      authorization: "Bearer from-plugin",
    });
    const [first, fromUs, own, info] = readFileSync(`${at}/seen`, "utf8").split("|");
    expect([first, fromUs, own]).toEqual(["a b", "yes", "own"]);
    expect(JSON.parse(info ?? "")).toMatchObject({
      kind: "ExecCredential",
      apiVersion: "client.authentication.k8s.io/v1",
      spec: { interactive: false, cluster: { server: SERVER } },
    });
  });

  // Each row as kubectl 1.34 gave it to a plugin.
  test.each([
    [
      "an address with a path, query and fragment",
      { server: `${SERVER}/base/?x=1#f` },
      {
        server: `${SERVER}/base/`,
      },
    ],
    ["an address with a slash", { server: `${SERVER}/` }, { server: `${SERVER}/` }],
    [
      "all settings of its own",
      {
        server: SERVER,
        "tls-server-name": "api.internal",
        "proxy-url": "http://127.0.0.1:3128",
        "disable-compression": true,
        "insecure-skip-tls-verify": true,
        extensions: [
          { name: "other", extension: { x: 1 } },
          {
            name: "client.authentication.k8s.io/exec",
            extension: { apiVersion: "example.invalid/v1", shootRef: { name: "y", on: true } },
          },
        ],
      },
      {
        server: SERVER,
        "tls-server-name": "api.internal",
        "proxy-url": "http://127.0.0.1:3128",
        "disable-compression": true,
        "insecure-skip-tls-verify": true,
        config: { apiVersion: "example.invalid/v1", shootRef: { name: "y", on: true } },
      },
    ],
  ])("gets the cluster as kubectl tells it: %s", async (_, cluster, told) => {
    const at = folder();
    const command = plugin(
      at,
      `printf '%s' "$KUBERNETES_EXEC_INFO" > ${at}/seen; ${credential({ token: "t" })}`,
    );
    for (const provideClusterInfo of [true, false]) {
      const connection = await connectionTo(
        { server: SERVER, caPem: null, cluster, user: user(command, { provideClusterInfo }) },
        { environment },
      );
      await connection.credentials();
      const info = JSON.parse(readFileSync(`${at}/seen`, "utf8")) as { spec: object };
      expect(info.spec).toEqual({
        interactive: false,
        ...(provideClusterInfo ? { cluster: { config: null, ...told } } : {}),
      });
    }
  });

  test("gets the bytes of the CA that the kubeconfig names", async () => {
    const at = folder();
    const command = plugin(
      at,
      `printf '%s' "$KUBERNETES_EXEC_INFO" > ${at}/seen; ${credential({ token: "t" })}`,
    );
    const ca = `# the cluster's\n${authority.caPem}`;
    const connection = await connectionTo(
      { server: SERVER, caPem: ca, user: user(command, { provideClusterInfo: true }) },
      { environment },
    );
    await connection.credentials();
    const { spec } = JSON.parse(readFileSync(`${at}/seen`, "utf8")) as {
      spec: { cluster: Record<string, string> };
    };
    expect(spec.cluster["certificate-authority-data"]).toBe(Buffer.from(ca).toString("base64"));
  });

  test(
    "is run once while its credential lasts, by several at once too, and again before it ends " +
      "or where it was refused",
    async () => {
      const at = folder();
      const command = plugin(
        at,
        `echo x >> ${at}/runs; ` +
          `${credential({ token: "t", expirationTimestamp: "2026-01-01T00:10:00Z" })}`,
      );
      let nowMs = Date.parse("2026-01-01T00:00:00Z");
      const connection = await connectionTo(
        { server: SERVER, user: user(command) },
        { environment, nowMs: () => nowMs },
      );
      const runs = (): number => readFileSync(`${at}/runs`, "utf8").length / 2;
      await Promise.all([connection.credentials(), connection.credentials()]);
      nowMs = Date.parse("2026-01-01T00:09:29Z");
      await connection.credentials();
      expect(runs()).toBe(1);
      nowMs = Date.parse("2026-01-01T00:09:30Z");
      await connection.credentials();
      expect(runs()).toBe(2);
      nowMs = Date.parse("2026-01-01T00:00:00Z");
      expect(connection.forget()).toBe(true);
      await connection.credentials();
      expect(runs()).toBe(3);
    },
  );

  test("may give a client certificate instead", async () => {
    const command = plugin(
      folder(),
      credential({ clientCertificateData: "CERT", clientKeyData: "KEY" }),
    );
    const connection = await connectionTo({ server: SERVER, user: user(command) }, { environment });
    expect(await connection.credentials()).toEqual({
      headers: {},
      clientPair: { cert: "CERT", key: "KEY" },
    });
  });

  test("with a relative path begins at the kubeconfig's folder; a bare name is looked for on PATH", async () => {
    const at = folder();
    plugin(at, credential({ token: "relative" }));
    const relative = await connectionTo(
      { server: SERVER, user: user("./plugin") },
      { environment },
      `${at}/config`,
    );
    expect((await relative.credentials()).headers).toEqual({ authorization: "Bearer relative" });
    const bare = await connectionTo(
      { server: SERVER, user: user("plugin") },
      { environment: { PATH: `${at}:${path}` } },
    );
    expect((await bare.credentials()).headers).toEqual({ authorization: "Bearer relative" });
  });

  test.each<[string, string, string, string]>([
    ["that isn't there", "", "kubeconfig_invalid", "isn't installed"],
    ["that fails", "echo canary-key; exit 3", "cluster_unauthorized", "failed (exit code 3)"],
    ["that dies", "kill -9 $$", "cluster_unauthorized", "failed (signal SIGKILL)"],
    ["that prints no JSON", "echo canary-key", "cluster_unauthorized", "gave no ExecCredential"],
    [
      "that prints another kind",
      `echo '{"kind":"Other","status":{"token":"canary-key"}}'`,
      "cluster_unauthorized",
      "gave no ExecCredential",
    ],
    [
      "without a token",
      credential({ token: "" }),
      "cluster_unauthorized",
      "gave no ExecCredential",
    ],
    ["that never ends", "exec sleep 30", "cluster_unauthorized", "gave no credential within 0.2 s"],
    [
      "that leaves a child behind",
      "sleep 3 & wait",
      "cluster_unauthorized",
      "gave no credential within 0.2 s",
    ],
    [
      "that writes for ever",
      "while :; do echo canary-key-canary-key-canary-key-canary-key; done | head -c 3000000; " +
        "exec sleep 9",
      "cluster_unauthorized",
      "",
    ],
  ])("%s is told in words, without its output", async (_, script, code, words) => {
    const at = folder();
    const command = script === "" ? `${at}/plugin` : plugin(at, script);
    const execTimeoutMs = script.includes("head") ? 5_000 : script.includes("sleep") ? 200 : 5_000;
    const connection = await connectionTo(
      { server: SERVER, user: user(command, { installHint: "get it\u001b[31m there" }) },
      { environment, execTimeoutMs },
    );
    const began = Date.now();
    const failure = await failureOf(connection.credentials());
    expect(failure.code).toBe(code);
    expect(failure.message).toContain(words);
    expect(failure.message).toContain("context stub");
    expect(failure.message).not.toMatch(/canary-key|\u001b/);
    expect(Date.now() - began).toBeLessThan(5_000);
  });

  test("is refused where programs aren't to be run, and isn't run", async () => {
    const at = folder();
    const command = plugin(at, `touch ${at}/ran; ${credential({ token: "t" })}`);
    const failure = await failureOf(
      connectionTo({ server: SERVER, user: user(command) }, { environment, allowExec: false }),
    );
    expect(failure.code).toBe("kubeconfig_invalid");
    expect(failure.message).toContain("which certkeep doesn't run here");
    expect(existsSync(`${at}/ran`)).toBe(false);
  });
});

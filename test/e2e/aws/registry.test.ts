/**
 * The registry in Secrets Manager: registrations by the contract of the port, and what readers see
 * of good and bad ones. On moto.
 */
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  ListSecretVersionIdsCommand,
  PutSecretValueCommand,
} from "@aws-sdk/client-secrets-manager";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSecretRegistry } from "../../../lib/adapters/aws/registry.ts";
import { createSecretRegistrations } from "../../../lib/adapters/aws/registrations.ts";
import { secretsClient } from "../../../lib/adapters/aws/secretsmanager.ts";
import { connectCluster } from "../../../lib/wiring/connect.ts";
import type { Reach } from "../../../lib/wiring/registry.ts";
import { composeSettings } from "../../../lib/wiring/settings.ts";
import { isCertkeepError } from "../../../lib/error.ts";
import { registrationsContract } from "../../contract/registrations.ts";
import { startMoto, type AwsEmulator } from "../support/aws.ts";
import { lacksTools } from "../support/tools.ts";
import { thrown, useTestCredentials, worldOf } from "./support.ts";

beforeAll(useTestCredentials);

const kubeconfig = (server: string, user: object = { token: "canary-token" }): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "c",
    clusters: [{ name: "c", cluster: { server } }],
    users: [{ name: "c", user }],
    contexts: [{ name: "c", context: { cluster: "c", user: "c" } }],
  });

describe.skipIf(lacksTools("moto_server"))("the registry", () => {
  let moto: AwsEmulator;
  beforeAll(async () => {
    moto = await startMoto();
  });
  afterAll(() => moto?.stop());

  const place = () => {
    const url = `secretsmanager://certkeep/${randomUUID()}`;
    const root = url.slice("secretsmanager://".length);
    const client = secretsClient(worldOf(moto));
    return {
      url,
      client,
      registry: createSecretRegistry(url, worldOf(moto)),
      registrations: createSecretRegistrations(url, worldOf(moto)),
      secret: async (name: string, value: string | null): Promise<void> =>
        void (await client.send(
          new CreateSecretCommand({
            Name: `${root}/${name}`,
            ...(value === null ? {} : { SecretString: value }),
          }),
        )),
      name: (name: string): string => `${root}/${name}`,
    };
  };
  const register = async (
    at: ReturnType<typeof place>,
    name: string,
    read = kubeconfig(`https://${name}.example:6443`),
    restore: string | null = kubeconfig(`https://${name}.example:6443`, {
      token: "canary-restore",
    }),
  ): Promise<void> => {
    const text = ({ restore: reference }: { restore: string | null }): string =>
      `${reference === null ? "" : `restoreKubeconfig: ${reference}\n`}namespaces: [shop]\n` +
      "access: {kind: token}\n";
    expect(
      await at.registrations.write(name, await at.registrations.read(name), {
        credentials: { read, restore },
        text,
      }),
    ).toBe("written");
  };

  registrationsContract("secretsmanager", async () => {
    const at = place();
    return {
      registrations: at.registrations,
      again: () => createSecretRegistrations(at.url, worldOf(moto)),
      credential: async (name, bearer) => {
        if (bearer === "read") return (await at.registry.read(name))?.kubeconfig ?? null;
        return at.registry
          .restoring(name)
          .catch((error: unknown) =>
            isCertkeepError(error, "config_invalid") ? null : Promise.reject(error),
          );
      },
    };
  });

  it("lists names without values, and gives each credential to who asks for it", async () => {
    const at = place();
    for (const name of ["prod", "lab"]) await register(at, name);
    await at.secret("slack/ops", "https://hooks.slack.com/x");
    expect(await at.registry.names()).toEqual(["lab", "prod"]);
    const read = await at.registry.read("prod");
    expect(read).toMatchObject({
      entry: {
        name: "prod",
        kubeconfig: `${at.url}/clusters/prod`,
        restoreKubeconfig: `${at.url}/restoring/prod`,
        namespaces: ["shop"],
      },
    });
    expect(read?.kubeconfig).toContain("canary-token");
    expect(JSON.stringify(read)).not.toContain("canary-restore");
    expect(await at.registry.restoring("prod")).toContain("canary-restore");
    expect(await at.registry.read("nowhere")).toBeNull();
  });

  it(
    "keeps few versions, and the one before still readable by its label, for an audit that has " +
      "just begun",
    async () => {
      const at = place();
      for (let n = 0; n < 5; n += 1) await register(at, "prod");
      const { Versions = [] } = await at.client.send(
        new ListSecretVersionIdsCommand({ SecretId: at.name("clusters/prod") }),
      );
      const labels = Versions.flatMap(({ VersionStages }) => VersionStages ?? []);
      expect(labels.filter((label) => label !== "certkeep-next").toSorted()).toEqual([
        "AWSCURRENT",
        "AWSPREVIOUS",
      ]);
      expect(labels.filter((label) => label === "certkeep-next")).toHaveLength(1);
    },
  );

  const whole = JSON.stringify({
    format: 1,
    registration: "namespaces: [shop]\n",
    kubeconfig: kubeconfig("https://h:1"),
  });

  it.each<[string, (at: ReturnType<typeof place>) => Promise<void>, RegExp]>([
    [
      "a secret without a value",
      (at) => at.secret("clusters/bad", null),
      /the secret has no value\. Register the cluster again: certkeep clusters add bad/,
    ],
    ["no JSON", (at) => at.secret("clusters/bad", "canary: {"), /the secret isn't JSON/],
    [
      "no kubeconfig",
      (at) => at.secret("clusters/bad", JSON.stringify({ format: 1, registration: "" })),
      /the secret lacks "format": 1, or registration and kubeconfig/,
    ],
    [
      "a later format",
      (at) => at.secret("clusters/bad", whole.replace('"format":1', '"format":2')),
      /it has format 2, and this version reads format 1/,
    ],
    [
      "a mistake in it",
      (at) =>
        at.secret(
          "clusters/bad",
          JSON.stringify({ format: 1, registration: "contxt: a\n", kubeconfig: "x" }),
        ),
      /clusters\/bad:1:1: contxt isn't a setting.*Did you mean "context"/s,
    ],
    [
      "a file named",
      (at) =>
        at.secret(
          "clusters/bad",
          JSON.stringify({ format: 1, registration: "kubeconfig: /etc/passwd\n", kubeconfig: "x" }),
        ),
      /it names a kubeconfig's path, but a registry holds the kubeconfig itself/,
    ],
    [
      "another's restoring credential",
      (at) =>
        at.secret(
          "clusters/bad",
          JSON.stringify({
            format: 1,
            registration: "restoreKubeconfig: secretsmanager://other\n",
            kubeconfig: "x",
          }),
        ),
      /its restoreKubeconfig isn't secretsmanager:/,
    ],
    [
      "a name that can't be",
      (at) => at.secret("clusters/Bad_", whole),
      /no cluster can have this name/,
    ],
    [
      "a secret that is scheduled for deletion",
      async (at) => {
        await at.secret("clusters/bad", whole);
        await at.client.send(
          new DeleteSecretCommand({ SecretId: at.name("clusters/bad"), RecoveryWindowInDays: 7 }),
        );
      },
      /scheduled for deletion.*aws secretsmanager restore-secret --secret-id .*clusters\/bad.*certkeep clusters remove bad/,
    ],
  ])("tells %s for that cluster alone", async (_name, spoil, message) => {
    const at = place();
    await register(at, "good");
    await spoil(at);
    const settings = await compose(at, "all");
    expect(settings.registered).toEqual(["good"]);
    expect(settings.broken).toHaveLength(1);
    expect(settings.broken[0]?.error.message).toMatch(message);
    expect(settings.broken[0]?.error.message).not.toContain("canary");
  });

  it(
    "can be registered over what is half written, and removed while it is scheduled for " +
      "deletion",
    async () => {
      const at = place();
      await at.secret("clusters/empty", null);
      await at.secret("clusters/broken", "{");
      await at.secret("clusters/going", whole);
      await at.client.send(new DeleteSecretCommand({ SecretId: at.name("clusters/going") }));
      for (const name of ["empty", "broken", "going"]) {
        expect((await at.registrations.read(name))?.text).toBe("");
        await register(at, name);
      }
      expect((await compose(at, "all")).registered.toSorted()).toEqual([
        "broken",
        "empty",
        "going",
      ]);
      await at.client.send(new DeleteSecretCommand({ SecretId: at.name("clusters/going") }));
      await at.registrations.remove("going");
      expect(await at.registry.names()).toEqual(["broken", "empty"]);
    },
  );

  it("puts nothing there that is larger than a secret may be", async () => {
    const at = place();
    const error = await thrown(
      at.registrations.write("prod", null, {
        credentials: { read: "x".repeat(70_000), restore: "y" },
        text: () => "",
      }),
    );
    expect(error).toMatchObject({
      code: "usage",
      message: expect.stringContaining("more than a secret holds (65536 bytes)"),
    });
    expect(await at.registry.names()).toEqual([]);
  });

  async function compose(at: ReturnType<typeof place>, reach: Reach) {
    const folder = mkdtempSync(join(tmpdir(), "certkeep-registry-"));
    writeFileSync(
      join(folder, "certkeep.yaml"),
      `stores: {registry: "${at.url}", backups: "file:b", state: "file:s"}\n` +
        "aws: {region: eu-west-1}\n",
    );
    try {
      return await composeSettings({
        configFile: join(folder, "certkeep.yaml"),
        cwd: folder,
        env: { HOME: folder, ...moto.env },
        reach,
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  describe("is read no further than", () => {
    it("the names", async () => {
      const at = place();
      await register(at, "prod");
      await at.client.send(
        new PutSecretValueCommand({ SecretId: at.name("clusters/prod"), SecretString: "not read" }),
      );
      expect(await compose(at, "none")).toMatchObject({
        names: ["prod"],
        registered: [],
        broken: [],
      });
    });

    it("the cluster that is asked for; one that isn't there brings the others' names", async () => {
      const at = place();
      await register(at, "prod");
      await at.secret("clusters/other", "not read");
      expect(await compose(at, ["prod"])).toMatchObject({
        names: ["prod"],
        registered: ["prod"],
        broken: [],
      });
      expect(await compose(at, ["prd"])).toMatchObject({
        names: ["other", "prod"],
        registered: [],
        broken: [],
      });
    });
  });

  it("gives credentials that are used from memory, each for its purpose, and name no file", async () => {
    const at = place();
    await register(at, "prod");
    await register(
      at,
      "filed",
      kubeconfig("https://filed.example", { tokenFile: "/etc/hostname" }),
      null,
    );
    const { config, kubeconfigs } = await compose(at, "all");
    const world = { env: {}, nowMs: () => 1_800_000_000_000, deployed: true };
    const entry = (name: string) =>
      config.clusters.find((one) => one.name === name) ?? Promise.reject(new Error(name));
    const reading = await connectCluster(await entry("prod"), "read", true, world, kubeconfigs);
    expect(reading.server.href).toBe("https://prod.example:6443/");
    expect((await reading.credentials()).headers["authorization"]).toBe("Bearer canary-token");
    const restoring = await connectCluster(
      await entry("prod"),
      "restore",
      true,
      world,
      kubeconfigs,
    );
    expect((await restoring.credentials()).headers["authorization"]).toBe("Bearer canary-restore");
    expect(
      await thrown(connectCluster(await entry("filed"), "read", true, world, kubeconfigs)),
    ).toMatchObject({
      code: "kubeconfig_invalid",
      message: expect.stringContaining("`tokenFile` names a file"),
    });
  });
});

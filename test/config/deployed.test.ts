/** The settings of a function, and of a configuration in a bucket. */
import { describe, expect, it } from "vitest";
import type { Config } from "../../lib/config/schema.ts";
import { deployedConfig, refuseFiles, REMOTE_CONFIG } from "../../lib/config/deployed.ts";
import { parseConfig } from "../../lib/config/parse.ts";

function configOf(text: string): Config {
  const result = parseConfig(text, "f");
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.config;
}

const PACKAGED = configOf(
  "identity: file:~/id.txt\n" +
    "clusters: [{name: mine}]\n" +
    `stores: {backups: "file:b", state: "file:s"}\n` +
    "restores: [{from: a, to: b}]\n",
);

describe("a function's settings", () => {
  it("are the environment's over the packaged file's, less what lies with a person", () => {
    const env = {
      CERTKEEP_STATE: "s3://bucket/state",
      CERTKEEP_BACKUPS: "secretsmanager://certkeep/prod/backups",
      CERTKEEP_REGISTRY: "secretsmanager://certkeep/prod",
      CERTKEEP_IDENTITY: "secretsmanager://certkeep/prod/identity",
      CERTKEEP_STAGE: "prod",
      CERTKEEP_TOPIC: "arn:aws:sns:eu-west-1:123456789012:alarms",
      CERTKEEP_RESTORE_FUNCTION: "certkeep-prod-restore",
      AWS_REGION: "eu-west-1",
    };
    expect(deployedConfig(PACKAGED, env)).toEqual({
      ...PACKAGED,
      clusters: [],
      identity: env.CERTKEEP_IDENTITY,
      stores: {
        backups: env.CERTKEEP_BACKUPS,
        state: env.CERTKEEP_STATE,
        registry: env.CERTKEEP_REGISTRY,
      },
      aws: {
        region: "eu-west-1",
        stage: "prod",
        topic: env.CERTKEEP_TOPIC,
        restoreFunction: "certkeep-prod-restore",
      },
    });
  });

  it(
    "have no identity unless the deployment names one, and a file's clusters only without a " +
      "registry",
    () => {
      expect(deployedConfig(PACKAGED, {})).toEqual({ ...PACKAGED, identity: null });
      expect(
        deployedConfig(
          configOf(
            "stores: {registry: 'secretsmanager://a'}\n" +
              "clusters: [{name: x}]\n" +
              "aws: {region: eu-west-1, stage: s}\n",
          ),
          { AWS_REGION: "us-east-1" },
        ),
      ).toMatchObject({ clusters: [], aws: { region: "us-east-1", stage: "s" } });
    },
  );

  it("show no value that isn't of its form", () => {
    expect(() => deployedConfig(PACKAGED, { CERTKEEP_IDENTITY: "AGE-SECRET-KEY-1CANARY" })).toThrow(
      /CERTKEEP_IDENTITY isn't secretsmanager:\/\/NAME \(its value isn't shown\)\. Deploy again$/,
    );
    expect(() => deployedConfig(PACKAGED, { CERTKEEP_STATE: "https://canary" })).not.toThrow(
      /canary/,
    );
  });
});

describe("a configuration in a bucket", () => {
  const PEM =
    '{id: a, anchors: "-----BEGIN CERTIFICATE-----\\nMIIB\\n-----END CERTIFICATE-----\\n"}';

  it.each([
    [
      "stores on AWS, certificates inline, a person's own files",
      "identity: file:~/id.txt\n" +
        "stores: {backups: 's3://bucket/b', state: 's3://bucket/s'}\n" +
        `issuers: [${PEM}]\n` +
        "clusters: [{name: a, kubeconfig: ~/.kube/config}, {name: b, kubeconfig: /etc/kube}, " +
        "{name: c}]\n" +
        "digest: {routes: [{name: a, webhook: 'secretsmanager://x'}]}\n",
    ],
    ["nothing", ""],
  ])("takes %s", (_name, text) => {
    expect(() => refuseFiles(configOf(text), "s3://b/c")).not.toThrow();
  });

  it.each([
    ["stores: {backups: 'file:/b'}", "stores.backups"],
    ["stores: {state: 'file:s'}", "stores.state"],
    ["issuers: [{id: a, anchors: /a.pem}]", "issuers[0].anchors"],
    [`issuers: [${PEM.replace("}", ", intermediates: b.pem}")}]`, "issuers[0].intermediates"],
    ["digest: {routes: [{name: a, webhook: 'file:/h'}]}", "digest.routes[0].webhook"],
    ["sources: {transparency: {token: 'file:/t'}}", "sources.transparency.token"],
    ["identity: file:id.txt", "identity"],
    ["clusters: [{name: a, kubeconfig: kube}]", "clusters[0].kubeconfig"],
    ["clusters: [{name: a, restoreKubeconfig: ../kube}]", "clusters[0].restoreKubeconfig"],
  ])("refuses %s", (text, setting) => {
    expect(() => refuseFiles(configOf(text), "s3://b/c")).toThrow(`  ${setting} is a file. Use `);
  });

  it.each(["s3://bucket/certkeep.yaml", "s3://my.bucket-1/a/b c.yaml".replace(" ", "_")])(
    "is named %s",
    (url) => {
      expect(REMOTE_CONFIG.test(url)).toBe(true);
    },
  );

  it.each(["s3://bucket", "s3://bucket/", "S3://bucket/a", "s3://b/a", "s3://bucket/a\n"])(
    "isn't named %j",
    (url) => {
      expect(REMOTE_CONFIG.test(url)).toBe(false);
    },
  );
});

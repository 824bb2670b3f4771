/**
 * The published configuration: whole, readable from a bucket, and written only where it differs.
 */
import { beforeEach, describe, expect, it } from "vitest";
import { publishedConfig, type Published, refuseFiles } from "../../lib/config/deployed.ts";
import { parseConfig } from "../../lib/config/parse.ts";
import { CertkeepError } from "../../lib/error.ts";
import { createAuthority } from "../support/pki.ts";
import { publishConfig } from "../../functions/dispatch.ts";
import { keepTelemetry, type KeptTelemetry } from "../support/telemetry.ts";

const RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
const stores = {
  backups: "secretsmanager://certkeep/prod/backups",
  state: "s3://bucket/state",
  registry: "secretsmanager://certkeep/prod",
};
const aws = {
  region: "eu-west-1",
  stage: "prod",
  topic: null,
  restoreFunction: "certkeep-prod-restore",
};
const pem = createAuthority({ name: "Test" }).root.pem;

const PACKAGED = `# Ours.
recipients: [${RECIPIENT}]   # the team's
identity: file:identity.txt
clusters: [{name: prod, kubeconfig: ~/.kube/config}]
stores: {backups: "file:backups", state: "file:state"}
issuers:
  - {id: corp, title: Corp, anchors: corp.pem}
digest:
  routes:
    - {name: laptop, webhook: "file:hook"}
    - {name: ops, webhook: "secretsmanager://certkeep/prod/slack/ops"}
`;

function publish(text: string): Published {
  const parsed = parseConfig(text, "certkeep.yaml");
  if (!parsed.ok) throw new Error("a mistake");
  const issuers = parsed.config.issuers.map((issuer) => ({
    ...issuer,
    anchors: { kind: "pem" as const, pem },
  }));
  const published = publishedConfig(text, { ...parsed.config, issuers, stores }, aws);
  if (published === null) throw new Error("nothing is published");
  return published;
}

describe("the published configuration", () => {
  it(
    "names the deployment's stores and function, holds the anchors, and nothing that one " +
      "machine alone has",
    () => {
      const { text, leftOut } = publish(PACKAGED);
      const parsed = parseConfig(text, "s3://bucket/certkeep.yaml");
      if (!parsed.ok) throw new Error(text);
      const { config } = parsed;
      expect(() => refuseFiles(config, "s3://bucket/certkeep.yaml")).not.toThrow();
      expect(config).toMatchObject({
        recipients: [RECIPIENT],
        stores,
        aws,
        clusters: [],
        identity: null,
      });
      expect(config.issuers[0]?.anchors).toEqual({ kind: "pem", pem });
      expect(config.digest.routes.map(({ name }) => name)).toEqual(["ops"]);
      expect(leftOut).toEqual(["clusters", "digest.routes[0]", "identity"]);
      expect(text).toContain("# Ours.");
    },
  );

  it("published again is the same text", () => {
    const { text } = publish(PACKAGED);
    expect(publish(text)).toEqual({ text, leftOut: [] });
  });

  it.each(["", "{}", "# nothing yet\n"])(
    "of a package without settings (%j) is the stores alone",
    (packaged) => {
      const parsed = parseConfig(publish(packaged).text, "x");
      expect(parsed).toMatchObject({ ok: true, config: { stores, aws } });
    },
  );

  it("keeps an identity that a person's home folder holds", () => {
    expect(publish("identity: file:~/.config/certkeep/identity.txt\n").text).toContain(
      "identity: file:~/.config/certkeep/identity.txt",
    );
  });

  it.each(["- a\n", "a: [", "text"])("of what is no map of settings is none: %j", (packaged) => {
    expect(
      publishedConfig(
        packaged,
        { stores, issuers: [], digest: { atMinute: 0, weekday: "monday", routes: [] } },
        aws,
      ),
    ).toBeNull();
  });
});

describe("publishing", () => {
  let telemetry: KeptTelemetry;
  let there: string | null;
  let writes: number;
  beforeEach(() => {
    telemetry = keepTelemetry();
    [there, writes] = [null, 0];
  });
  const place = {
    url: "s3://bucket/certkeep.yaml",
    read: async () => there,
    write: async (text: string) => {
      writes += 1;
      there = text;
    },
  };

  it("writes once, and again where something else stands there", async () => {
    for (let run = 0; run < 3; run += 1)
      await publishConfig({ text: "a: 1\n", leftOut: [] }, place, telemetry.log);
    expect(writes).toBe(1);
    there = "by hand";
    await publishConfig({ text: "a: 1\n", leftOut: [] }, place, telemetry.log);
    expect([there, writes]).toEqual(["a: 1\n", 2]);
  });

  it("that fails is an error, which the function ends with and an alarm tells of", async () => {
    const denied = {
      ...place,
      read: () =>
        Promise.reject(
          new CertkeepError("store_unavailable", {
            where: place.url,
            found: "this identity has no permission for s3:GetObject",
          }),
        ),
    };
    await expect(
      publishConfig({ text: "a: 1\n", leftOut: [] }, denied, telemetry.log),
    ).rejects.toThrow("s3:GetObject");
  });
});

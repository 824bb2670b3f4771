/**
 * What `certkeep init --aws` makes, over files and secrets in memory: each once, and neither value
 * anywhere else.
 */
import { describe, expect, it } from "vitest";
import { parseConfig } from "../../lib/config/parse.ts";
import { CertkeepError } from "../../lib/error.ts";
import type { InitResult } from "../../lib/usecases/init.ts";
import {
  checkPackable,
  runInitCloud,
  type CloudPorts,
  type CloudQuestions,
  type CloudRequest,
} from "../../lib/usecases/initcloud.ts";

const CONFIG = "/srv/certkeep.yaml";
const IDENTITY = "/home/me/identity.txt";
const MINE = "age1z2lrvsqly5snu93xzzlcwqvatvcct8znj5plhq5mh6k0nvs8usyqfrwzcx";
const HOOK = "https://hooks.slack.com/services/T0/B0/canary";
const REQUEST: CloudRequest = {
  stage: "prod",
  region: "eu-west-1",
  webhook: null,
  skipWebhook: false,
  identity: null,
};
const INIT: InitResult = {
  config: { path: CONFIG, action: "created" },
  identity: { path: IDENTITY, action: "created" },
  recipients: [MINE],
  clusters: [],
  opens: true,
};

function world(
  config: string,
  questions: Partial<CloudQuestions> | null = null,
  secrets: Record<string, string> = {},
) {
  const files = new Map([
    [CONFIG, config],
    [IDENTITY, "# created: x\nAGE-SECRET-KEY-1CANARY\n"],
  ]);
  const kept = new Map(Object.entries(secrets));
  const notes: string[] = [];
  const ports: CloudPorts = {
    files: {
      read: async (path) => files.get(path) ?? null,
      replace: async (path, before, after) => {
        if (files.get(path) !== before) return "changed";
        files.set(path, after);
        return "replaced";
      },
    },
    secrets: {
      exists: async (name) => kept.has(name),
      create: async (name, value) => {
        if (kept.has(name)) return "exists";
        kept.set(name, value);
        return "created";
      },
    },
    questions:
      questions === null
        ? null
        : { webhook: async () => null, identity: async () => false, ...questions },
    webhookProblem: (text) => (text.startsWith("https://") ? null : "no https"),
    note: (message) => notes.push(message),
  };
  return {
    files,
    kept,
    notes,
    ports,
    run: (request: Partial<CloudRequest> = {}, init: Partial<InitResult> = {}) =>
      runInitCloud({ ...REQUEST, ...request }, { ...INIT, ...init }, ports),
  };
}

function configIn(files: Map<string, string>) {
  const result = parseConfig(files.get(CONFIG) ?? "", CONFIG);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.config;
}

const TEXT = `# ours\nrecipients: [${MINE}] # me\n`;

describe("init --aws", () => {
  it(
    "makes the webhook's secret and the route that refers to it, and writes the value nowhere " +
      "else",
    async () => {
      const at = world(TEXT, { webhook: async () => ` ${HOOK}\n` });
      expect(await at.run()).toEqual({
        registry: "secretsmanager://certkeep/prod",
        webhook: { name: "certkeep/prod/slack/ops", action: "created" },
        identity: { name: "certkeep/prod/identity", action: "absent" },
        config: "updated",
      });
      expect([...at.kept]).toEqual([["certkeep/prod/slack/ops", HOOK]]);
      expect(configIn(at.files)).toMatchObject({
        recipients: [MINE],
        aws: { region: "eu-west-1", stage: "prod" },
        digest: { routes: [{ name: "ops", webhook: "secretsmanager://certkeep/prod/slack/ops" }] },
      });
      expect(at.files.get(CONFIG)).toContain(TEXT);
      expect(`${at.files.get(CONFIG)}${at.notes.join()}`).not.toContain("canary");
    },
  );

  it("changes nothing when it is run again, with other answers too", async () => {
    const at = world(TEXT, { webhook: async () => HOOK });
    await at.run({ identity: true });
    const before = { files: [...at.files], kept: [...at.kept] };
    const again = world(
      at.files.get(CONFIG) ?? "",
      { webhook: async () => "https://other", identity: async () => true },
      Object.fromEntries(at.kept),
    );
    expect(await again.run({ identity: true, webhook: "https://another" })).toMatchObject({
      webhook: { action: "kept" },
      identity: { action: "kept" },
      config: "kept",
    });
    expect({ files: [...again.files], kept: [...again.kept] }).toEqual(before);
  });

  it("puts the identity there only where that is wanted, without its comments", async () => {
    const at = world(TEXT, { identity: async () => true });
    expect(await at.run({ skipWebhook: true })).toMatchObject({
      webhook: { action: "skipped" },
      identity: { action: "created" },
    });
    expect([...at.kept]).toEqual([["certkeep/prod/identity", "AGE-SECRET-KEY-1CANARY\n"]]);
    expect(configIn(at.files).digest.routes).toEqual([]);
    const nobody = world(TEXT);
    expect(await nobody.run({ webhook: HOOK })).toMatchObject({
      webhook: { action: "created" },
      identity: { action: "absent" },
    });
  });

  it.each<[string, string | null, Partial<InitResult>, RegExp]>([
    ["isn't here", null, { identity: null, opens: false }, /no identity here/],
    ["opens nothing of what is sealed", null, { opens: false }, /no identity here decrypts/],
    [
      "has a passphrase",
      "-----BEGIN AGE ENCRYPTED FILE-----\ncanary\n-----END AGE ENCRYPTED FILE-----\n",
      {},
      /behind a passphrase/,
    ],
  ])("refuses an identity that %s", async (_name, text, init, message) => {
    const at = world(TEXT);
    if (text !== null) at.files.set(IDENTITY, text);
    await expect(at.run({ identity: true, skipWebhook: true }, init)).rejects.toThrow(message);
    expect(at.kept.size).toBe(0);
  });

  it("refuses a webhook that is none, and shows it nowhere", async () => {
    const error = await world(TEXT)
      .run({ webhook: "canary" })
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(CertkeepError);
    expect((error as CertkeepError).message).not.toContain("canary");
  });

  it("says what to add where nothing can be put in safely", async () => {
    const at = world(`{recipients: [${MINE}], digest: {at: "09:00"}}`);
    expect(await at.run({ webhook: HOOK })).toMatchObject({ config: "kept" });
    expect(at.notes.join("\n")).toContain('webhook: "secretsmanager://certkeep/prod/slack/ops"');
  });
});

describe("a configuration that can't be packaged", () => {
  it("is refused before anything is made, for what isn't a person's own", async () => {
    await expect(
      checkPackable(CONFIG, world("issuers: [{id: a, anchors: a.pem}]\n").ports),
    ).rejects.toThrow(/issuers\[0\]\.anchors is a file/);
    await expect(checkPackable(CONFIG, world("clusers: []\n").ports)).rejects.toMatchObject({
      code: "config_invalid",
    });
    const own = world(
      "identity: file:id.txt\n" +
        "stores: {backups: 'file:b', state: 'file:s'}\n" +
        "clusters: [{name: mine, kubeconfig: k}]\n",
    );
    await checkPackable(CONFIG, own.ports);
    expect(own.notes.join()).toContain("certkeep clusters add mine");
  });
});

/**
 * Copies that somebody else sealed for the right recipient: age doesn't say who sealed, so
 * everything in them is looked at, and what no audit recorded is taken by nobody's word but a
 * person's.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSealer } from "../../lib/adapters/age/sealer.ts";
import { composeDocument, parseDocument } from "../../lib/backup/document.ts";
import { copyKey } from "../../lib/backup/keys.ts";
import { buildDocument, versionOf } from "../../lib/backup/draft.ts";
import { type BackupRecord, type CopyFacts, factsOf } from "../../lib/backup/record.ts";
import { headed } from "../backup/records.ts";
import { accountThumbprint } from "../../lib/secret/account.ts";
import { base64, ingressSecret, startWorld, type World } from "../support/world.ts";
import { accountPem, dataAt, operatorSecret, outcomes, restore } from "../support/restoring.ts";

const DOMAIN = "shop.tail1a2b3.ts.net";
const OPERATOR = "operator.tail1a2b3.ts.net";
let world: World;
let good: BackupRecord;
let account: BackupRecord;

beforeEach(async () => {
  world = await startWorld();
  world.put(
    ingressSecret(DOMAIN, world.issue([DOMAIN])),
    operatorSecret(OPERATOR, world.issue([OPERATOR]), accountPem()),
  );
  await world.audit();
  world.sandbox.remove("tailscale", DOMAIN);
  world.sandbox.remove("tailscale", "operator");
  const records = await Promise.all(
    [...world.backups.blobs.values()].map(async (bytes): Promise<BackupRecord> => {
      const parsed = parseDocument(new TextDecoder().decode(bytes));
      if (!parsed.ok) throw new Error("damaged");
      const manifest = JSON.parse(
        new TextDecoder().decode(await world.opener.open(parsed.document.sealed)),
      ) as {
        type: string;
        metadata: { labels?: Record<string, string> };
        data: Record<string, string>;
      };
      return {
        header: factsOf(parsed.document.header),
        type: manifest.type,
        labels: manifest.metadata.labels ?? {},
        annotations: {},
        data: manifest.data,
      };
    }),
  );
  good = records.find(
    ({ header: { secret, kind } }) => secret === DOMAIN && kind === "certificate",
  ) as BackupRecord;
  account = records.find(({ header }) => header.kind === "account-key") as BackupRecord;
});
afterEach(() => world.stop());

interface Manifest {
  readonly metadata: { readonly labels: Record<string, string> };
  readonly data: Record<string, string>;
}

/**
 * Puts a copy of `record` into the store, sealed for the right recipient; `change` meddles with the
 * manifest.
 */
async function forge(
  record: BackupRecord,
  change: (manifest: Manifest) => unknown = () => null,
): Promise<string> {
  const draft = buildDocument(record, [world.recipient]);
  const manifest = JSON.parse(new TextDecoder().decode(draft.plaintext)) as Manifest;
  change(manifest);
  const sealed = await createSealer().seal(new TextEncoder().encode(JSON.stringify(manifest)), [
    world.recipient,
  ]);
  const version = versionOf({ ...record, data: manifest.data }, [world.recipient]);
  world.backups.blobs.set(
    copyKey(record.header, version),
    new TextEncoder().encode(composeDocument(draft.header, sealed).text),
  );
  return version;
}

/** Only what was forged: the real copies go. */
async function only(version: string): Promise<void> {
  for (const key of world.backups.blobs.keys())
    if (!key.endsWith(`/${version}.json`)) world.backups.blobs.delete(key);
}

async function rulesOf(version: string, name = DOMAIN): Promise<string[]> {
  await only(version);
  // Whoever forges under a recorded version is found out by the digest; here the state knows of no
  // copy.
  const stored = world.states.states.get("cluster-prod");
  if (stored !== undefined)
    world.states.states.set("cluster-prod", {
      ...stored,
      text: JSON.stringify({ ...(JSON.parse(stored.text) as object), copies: {} }),
    });
  const texts = outcomes(await restore(world, { version, unrecorded: true, names: [name] }));
  return texts.map((text) => text.replace(/^.* (refuse|restore|keep) /, "$1 "));
}

describe("a copy that no audit recorded", () => {
  it("is told as such, and taken only when a person says so", async () => {
    const pair = world.issue([DOMAIN], { notAfter: new Date(world.nowMs + 200 * 86_400_000) });
    const version = await forge({
      ...headed(good, leafOf(pair)),
      data: { "tls.crt": base64(pair.certificatePem), "tls.key": base64(pair.keyPem) },
    });
    // The recorded one goes first, though this one is valid for longer.
    expect(
      (await restore(world, { names: [DOMAIN], mode: "plan" })).items[0]?.item.version,
    ).not.toBe(version);
    expect((await restore(world, { version, mode: "plan" })).items[0]?.item.why).toMatchObject([
      { code: "copy_unrecorded" },
    ]);
    expect(outcomes(await restore(world, { version, unrecorded: true }))).toEqual([
      `${DOMAIN} restore done secret_absent`,
    ]);
  });

  it.each([
    ["a field of a node's state", { data: { _machinekey: "cHJpdmtleTo=" } }],
    ["a field beside the pair", { data: { "ca.crt": "eA==" } }],
  ])("with %s is refused", async (_name, extra) => {
    const version = await forge(good, (manifest) => Object.assign(manifest.data, extra.data));
    expect(await rulesOf(version)).toEqual(["refuse refused copy_forged"]);
    expect(dataAt(world.sandbox, "tailscale", DOMAIN)).toBeNull();
  });

  it.each([
    [
      "another kind",
      (manifest: Manifest) => Object.assign(manifest, { kind: "ClusterRoleBinding" }),
    ],
    ["an owner", (manifest: Manifest) => Object.assign(manifest.metadata, { ownerReferences: [] })],
    [
      "another Secret's name",
      (manifest: Manifest) => Object.assign(manifest.metadata, { name: "operator" }),
    ],
    ["stringData", (manifest: Manifest) => Object.assign(manifest, { stringData: { x: "y" } })],
    [
      "another type",
      (manifest: Manifest) =>
        Object.assign(manifest, { type: "kubernetes.io/service-account-token" }),
    ],
    [
      "a label that nobody adopts by",
      (manifest: Manifest) =>
        Object.assign(manifest.metadata.labels, { "evil.example.com/x": "y" }),
    ],
    ["immutable", (manifest: Manifest) => Object.assign(manifest, { immutable: true })],
  ] as const)("with %s is refused", async (_name, change) => {
    expect(await rulesOf(await forge(good, change))).toEqual(["refuse refused copy_forged"]);
    expect(world.sandbox.all()).toEqual([]);
  });

  it("with a certificate for another's domain, whatever its headers say, is refused", async () => {
    const pair = world.issue(["bank.tail1a2b3.ts.net"]);
    const data = { "tls.crt": base64(pair.certificatePem), "tls.key": base64(pair.keyPem) };
    expect(await rulesOf(await forge({ ...good, data }))).toEqual(["refuse refused copy_forged"]);
    const honest = await forge({
      ...headed(good, { ...leafOf(pair), names: ["bank.tail1a2b3.ts.net"] }),
      data,
    });
    expect((await rulesOf(honest))[0]).toMatch(
      /^refuse refused (copy_invalid\+)?names_differ|^refuse refused copy_invalid/,
    );
    expect(world.sandbox.all()).toEqual([]);
  });

  it("with somebody else's account key is refused, alone and beside its certificate", async () => {
    const pem = accountPem();
    const thumbprint = accountThumbprint(Buffer.from(pem)) ?? "";
    const lying = await forge({ ...account, data: { "acme-account.key.pem": base64(pem) } });
    expect(await rulesOf(lying, OPERATOR)).toEqual(["refuse refused copy_forged"]);
    const honest = await forge({
      ...headed(account, { accountThumbprint: thumbprint }),
      data: { "acme-account.key.pem": base64(pem) },
    });
    expect(await rulesOf(honest, OPERATOR)).toEqual(["refuse refused account_unknown"]);
    expect(world.sandbox.all()).toEqual([]);
  });
});

it("a copy that an audit recorded, put in another's place, is refused", async () => {
  const [first] = [...world.backups.blobs].filter(([key]) => !key.includes("/operator/"));
  const [, operator] = [...world.backups.blobs].find(([key]) => key.includes("/operator/")) ?? [];
  world.backups.blobs.set(first?.[0] ?? "", operator ?? new Uint8Array());
  const [text] = outcomes(await restore(world, { names: [DOMAIN] }));
  expect(text).toBe(`${DOMAIN} refuse refused copy_forged`);
});

function leafOf(pair: {
  readonly serial: string;
  readonly sha256: string;
}): Pick<CopyFacts, "serial" | "leafSha256" | "accountThumbprint"> {
  return { serial: pair.serial, leafSha256: pair.sha256, accountThumbprint: null };
}

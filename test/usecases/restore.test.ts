import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { composeDocument, parseDocument } from "../../lib/backup/document.ts";
import { buildDocument } from "../../lib/backup/draft.ts";
import { parseCopyKey } from "../../lib/backup/keys.ts";
import { parseManifest } from "../../lib/backup/manifest.ts";
import type { BackupRecord } from "../../lib/backup/record.ts";
import { codesOf } from "../../lib/restoreplan/item.ts";
import { base64, DAY_MS, ingressSecret, startWorld, type World } from "../support/world.ts";
import {
  accountPem,
  dataAt,
  notes,
  operatorSecret,
  outcomes,
  proxySecret,
  restore,
  tlsSecret,
  whys,
} from "../support/restoring.ts";

let world: World;

beforeEach(async () => {
  world = await startWorld();
});
afterEach(() => world.stop());

const DOMAIN = "shop.tail1a2b3.ts.net";

describe("what is gone comes back", () => {
  it("C: with type, labels and the very bytes, and the next audit finds nothing wrong", async () => {
    const pair = world.issue([DOMAIN]);
    const secret = ingressSecret(DOMAIN, pair);
    world.put(secret);
    await world.audit();
    world.sandbox.remove("tailscale", DOMAIN);
    await world.audit();
    const planned = await restore(world, { names: [DOMAIN], mode: "plan" });
    expect(outcomes(planned)).toEqual([`${DOMAIN} restore planned secret_absent`]);
    expect(planned.items[0]?.item).toMatchObject({
      action: "create",
      fields: ["tls.crt", "tls.key"],
      saved: 1,
      daysLeft: 79,
      to: { namespace: "tailscale", name: DOMAIN },
    });
    expect(world.sandbox.get("tailscale", DOMAIN)).toBeNull();
    const done = await restore(world, { names: [DOMAIN] });
    expect(outcomes(done)).toEqual([`${DOMAIN} restore done secret_absent`]);
    const there = world.sandbox.get("tailscale", DOMAIN);
    expect(there?.data).toEqual(secret.data);
    expect(there?.type).toBe("kubernetes.io/tls");
    expect(there?.metadata.labels).toEqual(secret.metadata.labels);
    expect(there?.metadata.annotations).toBeUndefined();
    const [cluster] = (await world.audit()).clusters;
    expect(cluster?.findings).toEqual([]);
    expect(outcomes(await restore(world, { names: [DOMAIN] }))).toEqual([
      `${DOMAIN} keep kept already_there`,
    ]);
  });

  it("C: emptied fields are filled again, labels are left alone", async () => {
    const pair = world.issue([DOMAIN]);
    world.put(ingressSecret(DOMAIN, pair));
    await world.audit();
    world.put(ingressSecret(DOMAIN, null));
    const done = await restore(world, { names: ["shop.*"] });
    expect(outcomes(done)).toEqual([`${DOMAIN} restore done fields_absent`]);
    expect(dataAt(world.sandbox, "tailscale", DOMAIN)).toEqual({
      "tls.crt": base64(pair.certificatePem),
      "tls.key": base64(pair.keyPem),
    });
  });

  it(
    "A: certificate and account key in one write, recreated with nothing else, or into a node's " +
      "state",
    async () => {
      const domain = "operator.tail1a2b3.ts.net";
      const [pair, account] = [world.issue([domain]), accountPem()];
      world.put(operatorSecret(domain, pair, account));
      await world.audit();
      world.sandbox.remove("tailscale", "operator");
      world.sandbox.forgetRequests();
      const made = await restore(world, { names: [domain] });
      expect(outcomes(made)).toEqual([
        "ACME account key restore done account_absent",
        `${domain} restore done secret_absent`,
      ]);
      expect(
        world.sandbox.requests.filter(({ method }) => method !== "GET").map(({ verb }) => verb),
      ).toEqual(["create"]);
      expect(Object.keys(dataAt(world.sandbox, "tailscale", "operator") ?? {}).toSorted()).toEqual([
        "acme-account.key.pem",
        `${domain}.crt`,
        `${domain}.key`,
      ]);
      expect(made.items[0]?.item.restart).toMatchObject({
        needed: "unknown",
        action: { kind: "rollout", namespace: "tailscale", of: "deployment", name: "operator" },
      });

      world.put(operatorSecret(domain, null, null));
      world.sandbox.forgetRequests();
      const filled = await restore(world, { names: [domain] });
      expect(filled.items.map(({ outcome }) => outcome)).toEqual(["done", "done"]);
      expect(filled.items[0]?.item.restart).toMatchObject({ needed: "yes" });
      expect(
        world.sandbox.requests.filter(({ method }) => method !== "GET").map(({ verb }) => verb),
      ).toEqual(["patch"]);
      expect(Object.keys(dataAt(world.sandbox, "tailscale", "operator") ?? {})).toContain(
        "_machinekey",
      );
    },
  );

  it("B: never made; found under its new name by its parent and its machine", async () => {
    const domain = "web.tail1a2b3.ts.net";
    const [pair, account] = [world.issue([domain]), accountPem()];
    world.put(proxySecret("ts-web-aaaaa-0", "web", domain, { pair, account, device: domain }));
    await world.audit();
    world.sandbox.remove("tailscale", "ts-web-aaaaa-0");
    const none = await restore(world, { names: [domain] });
    expect(none.items.map(({ item, outcome }) => [item.rule, outcome, codesOf(item)[0]])).toEqual([
      ["later", "later", "owner_makes_it"],
      ["later", "later", "owner_makes_it"],
    ]);
    expect(world.sandbox.all().map(({ metadata }) => metadata.name)).toEqual([]);
    world.put(proxySecret("ts-web-bbbbb-0", "web", domain, {}));
    const done = await restore(world, { names: [domain] });
    expect(outcomes(done)).toEqual([
      "ACME account key restore done account_absent",
      `${domain} restore done fields_absent`,
    ]);
    // Nobody else wrote to the new Secret meanwhile.
    expect(done.items.map(({ message }) => message)).toEqual([null, null]);
    expect(done.items[0]?.item.restart.needed).toBe("no");
    expect(dataAt(world.sandbox, "tailscale", "ts-web-bbbbb-0")).toMatchObject({
      [`${domain}.crt`]: base64(pair.certificatePem),
      [`${domain}.key`]: base64(pair.keyPem),
      "acme-account.key.pem": base64(account),
    });
  });

  it("B: not for a machine of another name, nor for another parent's", async () => {
    const domain = "web.tail1a2b3.ts.net";
    world.put(
      proxySecret("ts-web-aaaaa-0", "web", domain, { pair: world.issue([domain]), device: domain }),
    );
    await world.audit();
    world.sandbox.remove("tailscale", "ts-web-aaaaa-0");
    world.put(proxySecret("ts-other-ccccc-0", "other", domain, { device: domain }));
    expect((await restore(world, { names: [domain] })).items[0]?.item.rule).toBe("later");
    world.put(proxySecret("ts-web-bbbbb-0", "web", domain, { device: "web-1.tail1a2b3.ts.net" }));
    const report = await restore(world, { names: [domain] });
    expect(report.items[0]?.item).toMatchObject({
      rule: "refuse",
      why: [{ code: "device_renamed" }],
    });
    expect(whys(report)).toContain("web-1.tail1a2b3.ts.net");
  });

  it("H: in any namespace", async () => {
    const domain = "side.tail1a2b3.ts.net";
    const pair = world.issue([domain]);
    world.put(operatorSecret(domain, pair, accountPem(), "shop", "side-state"));
    await world.audit();
    world.sandbox.remove("shop", "side-state");
    expect(
      (await restore(world, { names: ["shop/side-state"] })).items.map(({ outcome }) => outcome),
    ).toEqual(["done", "done"]);
    expect(dataAt(world.sandbox, "shop", "side-state")).toMatchObject({
      [`${domain}.crt`]: base64(pair.certificatePem),
    });
  });

  it("generic TLS: with what cert-manager adopts it by, and it is said what cert-manager will do", async () => {
    const pair = world.issue(["a.example.com"]);
    world.put(tlsSecret("shop", "web-tls", pair));
    await world.audit();
    world.sandbox.remove("shop", "web-tls");
    const done = await restore(world, { names: ["a.example.com"] });
    expect(outcomes(done)).toEqual(["a.example.com restore done secret_absent"]);
    const there = world.sandbox.get("shop", "web-tls");
    expect(there?.metadata.annotations).toEqual(
      tlsSecret("shop", "web-tls", pair).metadata.annotations,
    );
    expect(there?.metadata.labels).toEqual({
      "controller.cert-manager.io/fao": "true",
      team: "web",
    });
    expect(notes(done)).toContain("cert-manager adopts it");
    world.sandbox.remove("shop", "web-tls");
    world.nowMs += 70 * DAY_MS;
    const late = await restore(world, { names: ["a.example.com"], mode: "plan" });
    expect(notes(late)).toContain("renew it at once");
  });
});

describe("never worse", () => {
  it("keeps what is valid and not shorter; takes what is longer; seals what it replaces first", async () => {
    const old = world.issue([DOMAIN], { notAfter: new Date(world.nowMs + 30 * DAY_MS) });
    const long = world.issue([DOMAIN]);
    world.put(ingressSecret(DOMAIN, long));
    await world.audit();
    world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
    expect(outcomes(await restore(world, { names: [DOMAIN] }))).toEqual([
      `${DOMAIN} keep kept live_valid`,
    ]);
    world.put(ingressSecret(DOMAIN, old));
    const done = await restore(world, { names: [DOMAIN] });
    expect(outcomes(done)).toEqual([`${DOMAIN} restore done copy_longer`]);
    const state = await world.state();
    const replaced = Object.values(state.copies).filter(({ kind }) => kind === "replaced");
    expect(replaced).toMatchObject([{ sha256: old.sha256, seenValid: true }]);
    expect(world.backups.blobs.has(replaced[0]?.key ?? "")).toBe(true);
  });

  it(
    "refuses what an audit never recorded, what was swapped, retired, expired, cut, or sealed " +
      "for others",
    async () => {
      world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
      await world.audit();
      world.sandbox.remove("tailscale", DOMAIN);
      const [key, bytes] = [...world.backups.blobs][0] as [string, Uint8Array];
      const state = [...world.states.states][0] as [string, { revision: number; text: string }];
      const code = async (): Promise<string> =>
        (await restore(world, { names: [DOMAIN], mode: "plan" })).items
          .map(({ item }) => `${item.rule} ${codesOf(item).join("+")}`)
          .join(" ");
      const withState = (change: (text: string) => string): void => {
        world.states.states.set(state[0], {
          revision: state[1].revision,
          text: change(state[1].text),
        });
      };
      withState((text) =>
        text.replaceAll(/"digest":"[0-9a-f]{64}","key"/g, `"digest":"${"0".repeat(64)}","key"`),
      );
      // What it holds is what was recorded: it was encrypted again, as after a change of the store.
      expect(await code()).toBe("restore secret_absent");
      const swap = async (change: (record: BackupRecord) => BackupRecord): Promise<string> => {
        const parsed = parseDocument(new TextDecoder().decode(bytes));
        if (!parsed.ok) throw new Error(parsed.problem.found);
        const { header, sealed } = parsed.document;
        const opened = parseManifest(
          await world.opener.open(sealed),
          header,
          parseCopyKey(key)?.version ?? "",
        );
        if (!opened.ok) throw new Error("the backup is damaged");
        const draft = buildDocument(change(opened.record), [world.recipient]);
        const { text } = composeDocument(
          draft.header,
          await world.ports().sealer.seal(draft.plaintext, [world.recipient]),
        );
        world.backups.blobs.set(key, new TextEncoder().encode(text));
        const answer = await code();
        world.backups.blobs.set(key, bytes);
        return answer;
      };
      expect(await swap((record) => record)).toBe("restore secret_absent");
      expect(await swap((record) => ({ ...record, type: "Other" }))).toBe("refuse copy_swapped");
      for (const header of [{ kind: "replaced" }, { shape: "tls" }] as const)
        expect(
          await swap((record) => ({ ...record, header: { ...record.header, ...header } })),
        ).toBe("refuse copy_swapped");
      withState((text) => JSON.stringify({ ...(JSON.parse(text) as object), copies: {} }));
      expect(await code()).toBe("refuse no_copy");
      withState((text) =>
        JSON.stringify({ ...(JSON.parse(text) as object), copies: {}, secrets: {} }),
      );
      expect(await code()).toBe("refuse copy_unrecorded");
      expect(
        (await restore(world, { names: [DOMAIN], unrecorded: true, mode: "plan" })).items[0]?.item
          .rule,
      ).toBe("restore");
      withState((text) =>
        text.replaceAll(
          '"seenValid":true',
          '"seenValid":true,"retired":{"at":"2026-01-01T00:00:00Z","reason":"leaked"}',
        ),
      );
      expect(await code()).toBe("refuse copy_retired");
      withState((text) => text);
      world.backups.blobs.set(key, bytes.subarray(0, bytes.length - 40));
      expect(await code()).toBe("refuse copy_damaged");
      world.backups.blobs.set(
        key,
        Buffer.from(new TextDecoder().decode(bytes).replace('"format": 1', '"format": 2')),
      );
      expect(await code()).toBe("refuse copy_format_newer");
      world.backups.blobs.set(
        key,
        Buffer.from(new TextDecoder().decode(bytes).replace(DOMAIN, "evil.tail1a2b3.ts.net")),
      );
      expect(await code()).toBe("refuse copy_forged");
      world.backups.blobs.set(key, bytes);
      expect(await code()).toBe("restore secret_absent");
      world.nowMs += 81 * DAY_MS;
      expect(await code()).toBe("refuse copy_expired");
    },
  );
});

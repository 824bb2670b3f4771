/** A certificate and the ACME account key that it was issued under are restored as a pair. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { serviceAccount, type PutObject } from "../fake-apiserver/api.ts";
import { accountThumbprint } from "../../lib/secret/account.ts";
import { restoreExit } from "../../lib/usecases/restore/context.ts";
import { startEarlierWorld } from "../support/earlier.ts";
import {
  accountPem,
  dataAt,
  notes,
  operatorSecret,
  outcomes,
  restore,
  whys,
} from "../support/restoring.ts";
import { base64, DAY_MS, ingressSecret, startWorld, type World } from "../support/world.ts";

let world: World;
beforeEach(async () => {
  world = await startWorld();
});
afterEach(() => world.stop());

const NODE = "operator.tail1a2b3.ts.net";
const SHOP = "shop.tail1a2b3.ts.net";
const FIELD = "acme-account.key.pem";
const [first, second] = [accountPem(), accountPem()];

async function audit(): Promise<void> {
  await world.audit();
  world.nowMs += 60_000;
}

const keyAt = (name: string): string | undefined =>
  dataAt(world.sandbox, "tailscale", name)?.[FIELD];

/** The state of a ProxyGroup's pod. */
function podState(name: string, account: string | null): PutObject {
  return {
    metadata: {
      name,
      namespace: "tailscale",
      labels: {
        "tailscale.com/managed": "true",
        "tailscale.com/secret-type": "state",
        "tailscale.com/parent-resource": "pg",
        "tailscale.com/parent-resource-type": "proxygroup",
      },
    },
    type: "Opaque",
    data: {
      _machinekey: base64("privkey:aa"),
      ...(account === null ? {} : { [FIELD]: base64(account) }),
    },
  };
}

describe("a node's own Secret", () => {
  it("gets the key of the certificate's account, though another one was backed up later", async () => {
    const pair = world.issue([NODE]);
    world.put(operatorSecret(NODE, pair, first));
    await audit();
    // The key was lost, the node registered another account, and an audit backed that up as well.
    world.put(operatorSecret(NODE, pair, second));
    await audit();
    world.sandbox.remove("tailscale", "operator");
    const done = await restore(world, { names: [NODE] });
    expect(outcomes(done)).toEqual([
      "ACME account key restore done account_absent",
      `${NODE} restore done secret_absent`,
    ]);
    expect(keyAt("operator")).toBe(base64(first));
    expect(dataAt(world.sandbox, "tailscale", "operator")?.[`${NODE}.crt`]).toBe(
      base64(pair.certificatePem),
    );
  });

  it("gets the key of the newest certificate where that was issued under the later account", async () => {
    world.put(operatorSecret(NODE, world.issue([NODE]), first));
    await audit();
    const newer = world.issue([NODE], { notAfter: new Date(world.nowMs + 85 * DAY_MS) });
    world.put(operatorSecret(NODE, newer, second));
    await audit();
    world.sandbox.remove("tailscale", "operator");
    await restore(world, { names: [NODE] });
    expect(keyAt("operator")).toBe(base64(second));
  });

  it(
    "gets back the key that its live certificate belongs to: planned, in one write, what it " +
      "replaces sealed first",
    async () => {
      const pair = world.issue([NODE]);
      world.put(operatorSecret(NODE, pair, first));
      await audit();
      world.put(operatorSecret(NODE, pair, second));
      const before = dataAt(world.sandbox, "tailscale", "operator");
      const planned = await restore(world, { names: [NODE], mode: "plan" });
      expect(outcomes(planned)).toEqual([
        "ACME account key restore planned account_of_live",
        `${NODE} keep kept already_there`,
      ]);
      expect(keyAt("operator")).toBe(base64(second));
      world.sandbox.forgetRequests();
      const done = await restore(world, { names: [NODE] });
      expect(restoreExit(done, false)).toBe(0);
      expect(world.sandbox.requests.filter(({ method }) => method !== "GET")).toHaveLength(1);
      expect(dataAt(world.sandbox, "tailscale", "operator")).toEqual({
        ...before,
        [FIELD]: base64(first),
      });
      const replaced = Object.values((await world.state()).copies).filter(
        ({ kind }) => kind === "replaced",
      );
      expect(replaced.map(({ account }) => account)).toEqual([
        accountThumbprint(Buffer.from(second)),
      ]);
      expect(outcomes(await restore(world, { names: [NODE] }))).toEqual([
        "ACME account key keep kept already_there",
        `${NODE} keep kept already_there`,
      ]);
    },
  );

  it(
    "gets the key that the certificates beside it belong to as well, as they were when first " +
      "seen",
    async () => {
      const other = "two.tail1a2b3.ts.net";
      const [pair, beside] = [world.issue([NODE]), world.issue([other])];
      const both = (account: string, withNode: boolean): PutObject => ({
        ...operatorSecret(NODE, withNode ? pair : null, account),
        data: {
          ...operatorSecret(NODE, withNode ? pair : null, account).data,
          [`${other}.crt`]: base64(beside.certificatePem),
          [`${other}.key`]: base64(beside.keyPem),
        },
      });
      world.put(both(first, true));
      await audit();
      world.put(both(second, true));
      await audit();
      world.put(both(second, false));
      await audit();
      expect(outcomes(await restore(world, { names: [NODE] }))).toEqual([
        "ACME account key restore done account_of_live",
        `${NODE} restore done fields_absent`,
      ]);
      expect(keyAt("operator")).toBe(base64(first));
    },
  );

  it("is left alone where no backup holds the key, and that is said", async () => {
    const pair = world.issue([NODE]);
    world.put(operatorSecret(NODE, pair, first));
    await audit();
    for (const [key] of world.backups.blobs) {
      const copies = Object.values((await world.state()).copies);
      if (copies.some((copy) => copy.key === key && copy.kind === "account-key"))
        world.backups.blobs.delete(key);
    }
    world.put(operatorSecret(NODE, pair, second));
    await audit();
    const report = await restore(world, { names: [NODE] });
    expect(outcomes(report)).toEqual([
      "ACME account key refuse refused account_not_backed_up",
      `${NODE} keep kept already_there`,
    ]);
    expect(whys(report)).toContain(
      `the ACME account key that the certificate was issued under has no backup: ${NODE}`,
    );
    expect(keyAt("operator")).toBe(base64(second));
  });

  it("gets the key with a certificate that is named by its version", async () => {
    const pair = world.issue([NODE]);
    world.put(operatorSecret(NODE, pair, first));
    await audit();
    const [version = ""] =
      Object.entries((await world.state()).copies).find(([, { kind }]) => kind === "certificate") ??
      [];
    world.put(operatorSecret(NODE, null, second));
    await audit();
    expect(outcomes(await restore(world, { version }))).toEqual([
      "ACME account key restore done account_with_certificate",
      `${NODE} restore done fields_absent`,
    ]);
    expect(keyAt("operator")).toBe(base64(first));
  });
});

describe("an HA Ingress, whose account key lies with the ProxyGroup's first pod", () => {
  const lose = async (): Promise<void> => {
    const pair = world.issue([SHOP]);
    world.put(podState("pg-0", first), podState("pg-1", second), ingressSecret(SHOP, pair));
    await audit();
    world.put(podState("pg-0", second));
    await audit();
  };

  it("has the account in its backup's header", async () => {
    await lose();
    const copies = Object.values((await world.state()).copies);
    expect(copies.find(({ secret }) => secret === SHOP)?.account).toBe(
      accountThumbprint(Buffer.from(first)),
    );
  });

  it("gets that key into the pod's Secret, with its certificate and without", async () => {
    await lose();
    expect(outcomes(await restore(world, { names: [SHOP], mode: "plan" }))).toEqual([
      "ACME account key restore planned account_of_live",
      `${SHOP} keep kept already_there`,
    ]);
    world.sandbox.remove("tailscale", SHOP);
    const done = await restore(world, { names: [SHOP] });
    expect(outcomes(done)).toEqual([
      "ACME account key restore done account_with_certificate",
      `${SHOP} restore done secret_absent`,
    ]);
    expect(keyAt("pg-0")).toBe(base64(first));
    expect(keyAt("pg-1")).toBe(base64(second));
    expect(dataAt(world.sandbox, "tailscale", "pg-0")).toHaveProperty("_machinekey");
    expect(done.items.map(({ item }) => item.restart.action)).toContainEqual({
      kind: "deletePod",
      namespace: "tailscale",
      pod: "pg-0",
    });
  });

  it("doesn't get it where a certificate of the same group was issued under the other account", async () => {
    await lose();
    const other = "blog.tail1a2b3.ts.net";
    world.put(ingressSecret(other, world.issue([other])));
    await audit();
    world.sandbox.remove("tailscale", SHOP);
    const done = await restore(world, { names: [SHOP] });
    expect(outcomes(done)).toEqual([
      "ACME account key refuse refused account_belongs_to_live",
      `${SHOP} restore done secret_absent`,
    ]);
    expect(whys(done)).toContain(
      `${SHOP} belongs to another account, so its renewal is rejected until it expires`,
    );
    expect(keyAt("pg-0")).toBe(base64(second));
  });

  it("doesn't get it where the group's other certificates can't be listed", async () => {
    await lose();
    world.sandbox.setToken(
      "restorer",
      serviceAccount("certkeep", "restorer", [
        { verbs: ["get", "create", "patch"], resources: ["secrets"] },
        { verbs: ["get"], resources: ["namespaces"] },
      ]),
    );
    const done = await restore(world, { names: [SHOP], mode: "plan" }, { token: "restorer" });
    expect(outcomes(done)).toContain("ACME account key refuse refused account_belongs_to_live");
    expect(whys(done)).toContain("a certificate that couldn't be read");
  });

  it("doesn't get it from another group, nor a certificate of which nothing is known", async () => {
    const foreign = ingressSecret(SHOP, world.issue([SHOP]));
    world.put(podState("pg-0", first), {
      ...foreign,
      metadata: {
        ...foreign.metadata,
        labels: { ...foreign.metadata.labels, "tailscale.com/proxy-group": "other" },
      },
    });
    await audit();
    world.sandbox.remove("tailscale", SHOP);
    const report = await restore(world, { names: [SHOP], mode: "plan" });
    expect(outcomes(report)).toEqual([`${SHOP} restore planned secret_absent`]);
    expect(notes(report)).toContain("it is unknown which ACME account it was issued under");
  });
});

describe("accounts that the operator shares", () => {
  const SHARED = "_default.acme-account.key.pem";
  const shared = (account: string): PutObject => ({
    metadata: {
      name: "tailscale-acme-accounts",
      namespace: "tailscale",
      labels: { "tailscale.com/managed": "true" },
    },
    type: "Opaque",
    data: { [SHARED]: base64(account) },
  });
  const sharedKey = (): string | undefined =>
    dataAt(world.sandbox, "tailscale", "tailscale-acme-accounts")?.[SHARED];

  it("come back with a certificate of a node that keeps no key of its own", async () => {
    const pair = world.issue([NODE]);
    world.put(shared(first), operatorSecret(NODE, pair, null));
    await audit();
    world.put(shared(second));
    await audit();
    world.sandbox.remove("tailscale", "tailscale-acme-accounts");
    expect(outcomes(await restore(world, { names: [NODE] }))).toEqual([
      "ACME account key restore done account_absent",
      `${NODE} keep kept already_there`,
    ]);
    expect(sharedKey()).toBe(base64(first));
  });

  it("stay where another node's certificate belongs to them", async () => {
    world.put(shared(first), operatorSecret(NODE, world.issue([NODE]), null));
    await audit();
    world.put(shared(second), ingressSecret(SHOP, world.issue([SHOP])));
    await audit();
    expect(outcomes(await restore(world, { names: [NODE] }))).toEqual([
      "ACME account key refuse refused account_belongs_to_live",
      `${NODE} keep kept already_there`,
    ]);
    expect(sharedKey()).toBe(base64(second));
  });
});

describe("a store of an earlier version", () => {
  it(
    "gives the key by the backup's own header, whatever its state says, and tells where no " +
      "header has it",
    async () => {
      const earlier = await startEarlierWorld();
      try {
        const [before] = earlier.earlier.secrets;
        const done = await restore(earlier, { all: true, rebuilt: true });
        expect(done.items.map(({ outcome }) => outcome)).not.toContain("refused");
        expect(dataAt(earlier.sandbox, "tailscale", "operator")?.[FIELD]).toBe(
          before.data?.[FIELD],
        );
        const unknown = done.items.filter(({ item }) =>
          item.notes.some(({ note }) => note === "account_unknown"),
        );
        expect(unknown.map(({ item }) => item.shape)).toEqual(["ha-ingress"]);
      } finally {
        await earlier.stop();
      }
    },
  );
});

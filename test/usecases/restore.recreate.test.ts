/** A Secret that is immutable, recreated with everything in it. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { serviceAccount, type PutObject } from "../fake-apiserver/api.ts";
import { warningText } from "../../lib/report/phrases/plannotes.ts";
import { restoreExit } from "../../lib/usecases/restore/context.ts";
import type { Issued } from "../support/pki.ts";
import {
  accountPem,
  dataAt,
  operatorSecret,
  outcomes,
  restore,
  restoreTarget,
  tlsSecret,
} from "../support/restoring.ts";
import { base64, DAY_MS, ingressSecret, startWorld, type World } from "../support/world.ts";

let world: World;
let pair: Issued;
let whole: PutObject;
const NODE = "operator.tail1a2b3.ts.net";
const SHOP = "shop.tail1a2b3.ts.net";
const account = accountPem();
const APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

beforeEach(async () => {
  world = await startWorld();
  pair = world.issue([NODE]);
  const secret = operatorSecret(NODE, pair, account);
  whole = {
    ...secret,
    metadata: {
      ...secret.metadata,
      labels: { team: "edge" },
      annotations: { [APPLIED]: '{"data":{}}', "example.com/x": "1" },
      ownerReferences: [{ apiVersion: "v1", kind: "ConfigMap", name: "owner", uid: "u-1" }],
    },
    immutable: true,
  };
  world.put(whole);
  await world.audit();
});
afterEach(() => world.stop());

const secretNow = () => world.sandbox.get("tailscale", "operator");
const names = (): string[] =>
  world.sandbox
    .all()
    .filter(({ metadata }) => metadata.namespace === "tailscale")
    .map(({ metadata }) => metadata.name)
    .toSorted();

function expectWhole(): void {
  const there = secretNow();
  expect(there).toMatchObject({ type: "Opaque", data: whole.data });
  expect(there?.metadata).toMatchObject({
    labels: whole.metadata.labels,
    annotations: whole.metadata.annotations,
    ownerReferences: whole.metadata.ownerReferences,
  });
  expect(there?.immutable).not.toBe(true);
  expect(names()).toEqual(["operator"]);
}

describe("--replace", () => {
  it(
    "recreates what is live and valid, with its other fields, annotations and owner; the plan " +
      "says so",
    async () => {
      const uid = secretNow()?.metadata.uid;
      expect(outcomes(await restore(world, { names: [NODE] }))).toEqual([
        "ACME account key keep kept already_there",
        `${NODE} keep kept already_there`,
      ]);
      const planned = await restore(world, { names: [NODE], replace: true, mode: "plan" });
      expect(planned.items.map(({ item }) => `${item.action} ${item.fields.join()}`)).toEqual([
        "replace ",
        "replace ",
      ]);
      expect(planned.items.map(({ item }) => item.saved)).toEqual([0, 0]);
      expect(planned.items.map(({ item }) => item.restart.needed)).toEqual(["no", "no"]);
      expect(secretNow()?.metadata.uid).toBe(uid);
      const done = await restore(world, { names: [NODE], replace: true });
      expect(outcomes(done)).toEqual([
        "ACME account key restore done secret_recreated",
        `${NODE} restore done secret_recreated`,
      ]);
      expect(restoreExit(done, false)).toBe(0);
      expect(secretNow()?.metadata.uid).not.toBe(uid);
      expectWhole();
      // Now it can be renewed, and there is nothing left to do.
      expect(outcomes(await restore(world, { names: [NODE], replace: true }))).toEqual([
        "ACME account key keep kept already_there",
        `${NODE} keep kept already_there`,
      ]);
    },
  );

  it("restores what is broken in it, and keeps the rest", async () => {
    const broken = operatorSecret(NODE, { ...pair, keyPem: world.issue([NODE]).keyPem }, account);
    world.put({ ...whole, data: broken.data ?? {} });
    expect(outcomes(await restore(world, { names: [NODE], replace: true }))).toEqual([
      "ACME account key restore done secret_recreated",
      `${NODE} restore done live_invalid`,
    ]);
    expectWhole();
  });

  it("keeps a certificate that is newer than its backup, and seals it first", async () => {
    const newer = world.issue([NODE], { notAfter: new Date(world.nowMs + 89 * DAY_MS) });
    whole = { ...whole, data: operatorSecret(NODE, newer, account).data ?? {} };
    world.put(whole);
    await restore(world, { names: [NODE], replace: true });
    expectWhole();
    const copies = Object.values((await world.state()).copies);
    expect(copies.some(({ kind, sha256 }) => kind === "replaced" && sha256 === newer.sha256)).toBe(
      true,
    );
  });

  it("recreates a Secret of another type as the type that it has to have", async () => {
    const shop = world.issue([SHOP]);
    const secret = ingressSecret(SHOP, shop);
    world.put(secret);
    await world.audit();
    world.sandbox.remove("tailscale", SHOP);
    world.put({ ...secret, type: "Opaque", data: { "tls.crt": "", other: base64("o") } });
    await restore(world, { names: [SHOP], replace: true });
    expect(world.sandbox.get("tailscale", SHOP)).toMatchObject({
      type: "kubernetes.io/tls",
      data: { ...secret.data, other: base64("o") },
    });
  });

  it("leaves a Secret alone that no controller has to write", async () => {
    const secret = tlsSecret("shop", "web", world.issue(["a.example.com"]));
    world.put({ ...secret, metadata: { ...secret.metadata, annotations: {} }, immutable: true });
    await world.audit();
    expect(outcomes(await restore(world, { names: ["shop/web"], replace: true }))).toEqual([
      "a.example.com keep kept already_there",
    ]);
  });

  it("stores nothing in a rehearsal", async () => {
    const before = secretNow();
    const report = await restore(world, { names: [NODE], replace: true, mode: "rehearse" });
    expect(report.items.map(({ outcome }) => outcome)).toEqual(["done", "done"]);
    expect(secretNow()).toEqual(before);
    expect(names()).toEqual(["operator"]);
  });
});

describe("what could go wrong", () => {
  it("a server that would refuse the new Secret: nothing is deleted", async () => {
    const before = secretNow();
    world.sandbox.setToken(
      "deleter",
      serviceAccount("certkeep", "deleter", [
        { verbs: ["get", "list", "patch", "delete"], resources: ["secrets"] },
        { verbs: ["get"], resources: ["namespaces"] },
      ]),
    );
    const report = await restore(world, { names: [NODE], replace: true }, { token: "deleter" });
    expect(report.items.map(({ outcome, code }) => `${outcome} ${code}`)).toEqual([
      "failed cluster_forbidden",
      "failed cluster_forbidden",
    ]);
    expect(secretNow()).toEqual(before);
  });

  it("somebody who writes in between: it is planned again, from what is there then", async () => {
    const { writer } = await restoreTarget(world);
    let written = false;
    const readWhole: typeof writer.readWhole = async (place) => {
      if (!written) {
        written = true;
        world.put({ ...whole, metadata: { ...whole.metadata, labels: { team: "core" } } });
      }
      return writer.readWhole(place);
    };
    const done = await restore(
      world,
      { names: [NODE], replace: true },
      { target: { writer: { ...writer, readWhole } } },
    );
    expect(done.items.map(({ outcome }) => outcome)).toEqual(["done", "done"]);
    whole = { ...whole, metadata: { ...whole.metadata, labels: { team: "core" } } };
    expectWhole();
  });

  it("somebody who creates it first: that is told, with where everything lies", async () => {
    const { writer } = await restoreTarget(world);
    const deleteSecret: typeof writer.deleteSecret = async (version, options) => {
      const outcome = await writer.deleteSecret(version, options);
      if (version.name === "operator" && options?.dryRun !== true)
        world.put({ ...operatorSecret(NODE, null, null), type: "Opaque" });
      return outcome;
    };
    const report = await restore(
      world,
      { names: [NODE], replace: true },
      { target: { writer: { ...writer, deleteSecret } } },
    );
    expect(report.items[0]).toMatchObject({ outcome: "failed", code: "cluster_conflict" });
    expect(report.items[0]?.message).toMatch(
      /something else created it while it was recreated.*It is sealed in Secret certkeep-recreate-[0-9a-f]{16}, field secret\.age/s,
    );
    const note = world.sandbox.get(
      "tailscale",
      names().find((name) => name.startsWith("certkeep-")) ?? "",
    );
    const sealed = Buffer.from(note?.data?.["secret.age"] ?? "", "base64").toString("utf8");
    expect(sealed).toContain("-----BEGIN AGE ENCRYPTED FILE-----");
    expect(JSON.parse(Buffer.from(await world.opener.open(sealed)).toString("utf8"))).toMatchObject(
      { data: whole.data },
    );
  });

  it(
    "a run that is killed at any write: nothing is lost, and the next run completes it, with " +
      "--replace and without",
    async () => {
      class Killed extends Error {}
      let reached = 0;
      for (const replace of [true, false]) {
        for (let nth = 1; nth <= 6; nth += 1) {
          for (const when of ["before", "after"] as const) {
            world.put(whole);
            await world.audit();
            const { writer } = await restoreTarget(world);
            let count = 0;
            const guard =
              <A extends unknown[], T>(write: (...args: A) => Promise<T>) =>
              async (...args: A): Promise<T> => {
                count += 1;
                if (count > nth || (count === nth && when === "before")) throw new Killed();
                const outcome = await write(...args);
                if (count === nth) throw new Killed();
                return outcome;
              };
            const killing = {
              ...writer,
              createSecret: guard(writer.createSecret),
              patchSecret: guard(writer.patchSecret),
              deleteSecret: guard(writer.deleteSecret),
              createWhole: guard(writer.createWhole),
            };
            await restore(
              world,
              { names: [NODE], replace: true },
              { target: { writer: killing } },
            ).catch((error: unknown) => {
              if (!(error instanceof Killed)) throw error;
              reached += 1;
            });
            const next = await restore(world, { names: [NODE], mode: "plan", replace });
            const gone = dataAt(world.sandbox, "tailscale", "operator") === null;
            expect(
              next.warnings.map(warningText).join(" ").includes("--apply creates it again"),
            ).toBe(gone);
            await restore(world, { names: [NODE], replace });
            // Without --replace a Secret that wasn't deleted yet stays as it was.
            if (replace || gone) expectWhole();
            else expect(dataAt(world.sandbox, "tailscale", "operator")).toEqual(whole.data);
            await restore(world, { names: [NODE], replace: true });
            expectWhole();
            world.sandbox.remove("tailscale", "operator");
            world.nowMs += 31_000;
          }
        }
      }
      // The check, the note, the deletion, the creation and the removal of the note, before and after
      // each.
      expect(reached).toBe(2 * 2 * 5);
    },
    60_000,
  );

  it("a note that isn't of this Secret, or can't be read, creates nothing", async () => {
    world.sandbox.remove("tailscale", "operator");
    const name = "certkeep-recreate-06e55b633481f7bb";
    for (const text of ["nonsense", "{}"]) {
      world.put({
        metadata: { name, namespace: "tailscale" },
        type: "Opaque",
        data: { "secret.age": base64(text) },
      });
      const report = await restore(world, { names: [NODE], mode: "plan" });
      expect(report.warnings.map(warningText).join(" ")).toContain(
        `its note can't be read (${name})`,
      );
    }
  });
});

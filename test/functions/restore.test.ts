/**
 * A restore by the function: the plan and rules of the command, in time, once at a time, and
 * nowhere but home.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseRestoreEvent } from "../../lib/config/event.ts";
import type { RestorePair } from "../../lib/config/schema.ts";
import type { ClusterIdentity } from "../../lib/state/identity.ts";
import { pinIdentity } from "../../lib/state/identity.ts";
import { restoreByEvent, withoutIdentity } from "../../functions/restore.ts";
import type { RestorePorts } from "../../lib/usecases/restore/context.ts";
import type { RestoreAccess } from "../../lib/usecases/restore/permissions.ts";
import { pinByPerson } from "../../lib/usecases/pin.ts";
import { loadState, saveState } from "../../lib/usecases/states.ts";
import { startSandbox, type Sandbox } from "../fake-apiserver/api.ts";
import { keepTelemetry, type KeptTelemetry } from "../support/telemetry.ts";
import { dataAt, restoreTarget } from "../support/restoring.ts";
import { realTimer } from "../../lib/adapters/timer.ts";
import { ingressSecret, startWorld, type World } from "../support/world.ts";

const DOMAIN = "shop.tail1a2b3.ts.net";
const REAL: ClusterIdentity = {
  uid: "11111111-1111-1111-1111-111111111111",
  caSha256: "a".repeat(64),
};
const OTHER: ClusterIdentity = {
  uid: "22222222-2222-2222-2222-222222222222",
  caSha256: "b".repeat(64),
};

let world: World;
let evil: Sandbox;
let telemetry: KeptTelemetry;
beforeEach(async () => {
  world = await startWorld();
  evil = await startSandbox({ namespaces: ["default", "kube-system", "tailscale", "shop"] });
  telemetry = keepTelemetry();
  world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
});
afterEach(async () => {
  await world.stop();
  await evil.stop();
});

/** Audits what is registered as `name` and says to be `identity`. */
async function audit(
  name = "prod",
  identity: ClusterIdentity = REAL,
  sandbox: Sandbox = world.sandbox,
): Promise<void> {
  const target = await restoreTarget(world, { name, sandbox });
  const { auditAll } = await import("../../lib/usecases/audit.ts");
  await auditAll(
    [{ ...target, title: name, reader: { ...target.reader, identity: async () => identity } }],
    world.ports(),
    [],
  );
}

let holders = 0;
interface Choice {
  readonly identity?: ClusterIdentity;
  readonly sandbox?: Sandbox;
  readonly pairs?: readonly RestorePair[];
  readonly access?: RestoreAccess;
  readonly ports?: Partial<RestorePorts>;
}
async function invoke(
  event: object,
  choice: Choice = {},
): Promise<Record<string, unknown> & { items: { outcome: string; codes: string[] }[] }> {
  const asked = parseRestoreEvent(event);
  const target = await restoreTarget(world, {
    name: asked.cluster,
    sandbox: choice.sandbox ?? world.sandbox,
  });
  const { identity = REAL } = choice;
  holders += 1;
  return (await restoreByEvent(asked, {
    ...telemetry,
    restore: {
      ...world.ports(),
      opener: world.opener,
      timer: realTimer,
      revocation: null,
      holder: `fn-${holders}`,
      ...choice.ports,
    },
    target: {
      ...target,
      ...(choice.access === undefined ? {} : { access: choice.access }),
      title: asked.cluster,
      reader: { ...target.reader, identity: async () => identity },
    },
    pairs: choice.pairs ?? [],
    self: { name: "certkeep-prod-restore", region: "eu-west-1" },
  })) as Record<string, unknown> & { items: { outcome: string; codes: string[] }[] };
}
const keysAt = (sandbox: Sandbox): unknown => dataAt(sandbox, "tailscale", DOMAIN);

describe("a restore by the function", () => {
  it(
    "plans unless apply is true, says how to go on, then restores; done twice it keeps what is " +
      "there",
    async () => {
      await audit();
      const before = keysAt(world.sandbox);
      world.sandbox.remove("tailscale", DOMAIN);
      const event = { cluster: "prod", names: [DOMAIN] };
      const plan = await invoke(event);
      expect(plan).toMatchObject({
        schema: "certkeep.restore/v1",
        identity: "present",
        mode: "plan",
        counts: { planned: 1 },
        continue: false,
      });
      expect(plan["apply"]).toBe(
        "aws lambda invoke --function-name certkeep-prod-restore --region eu-west-1 " +
          "--cli-read-timeout 900 --cli-binary-format raw-in-base64-out --payload " +
          `'{"cluster":"prod","names":["${DOMAIN}"],"apply":true}' /dev/stdout`,
      );
      expect(keysAt(world.sandbox)).toBeNull();
      expect(await invoke({ ...event, apply: true })).toMatchObject({
        mode: "apply",
        counts: { done: 1 },
        continue: false,
      });
      expect(keysAt(world.sandbox)).toEqual(before);
      expect(await invoke({ ...event, apply: true })).toMatchObject({ counts: { kept: 1 } });
    },
  );

  it(
    "retried by a client that gave up waiting isn't done twice at once: the second waits for " +
      "the first, then keeps",
    async () => {
      await audit();
      world.sandbox.remove("tailscale", DOMAIN);
      let [writing, most, writes] = [0, 0, 0];
      world.sandbox.intercept(({ method, path }) => {
        if (!path.includes("/secrets") || method === "GET") return undefined;
        writes += 1;
        most = Math.max(most, (writing += 1));
        setTimeout(() => (writing -= 1), 20);
        return undefined;
      });
      const answers = await Promise.all(
        [1, 2, 3].map(() => invoke({ cluster: "prod", all: true, apply: true })),
      );
      expect(
        answers.flatMap(({ items }) => items.map(({ outcome }) => outcome)).toSorted(),
      ).toEqual(["done", "kept", "kept"]);
      expect([most, writes]).toEqual([1, 1]);
    },
  );

  it("stops before its time is over and says that it isn't done; run again it does what is left", async () => {
    for (const host of ["a", "b", "c"])
      world.put(
        ingressSecret(`${host}.tail1a2b3.ts.net`, world.issue([`${host}.tail1a2b3.ts.net`])),
      );
    await audit();
    for (const host of ["shop", "a", "b", "c"])
      world.sandbox.remove("tailscale", `${host}.tail1a2b3.ts.net`);
    const stopped = new AbortController();
    stopped.abort();
    const first = await invoke(
      { cluster: "prod", all: true, apply: true },
      { ports: { signal: stopped.signal } },
    );
    expect(first).toMatchObject({ interrupted: true, continue: true });
    expect(first["next"]).toContain("Invoke it again");
    expect(await invoke({ cluster: "prod", all: true, apply: true })).toMatchObject({
      counts: { done: 4 },
      continue: false,
    });
  });

  it("fails the invocation where something wasn't restored, and names it", async () => {
    await audit();
    world.sandbox.remove("tailscale", DOMAIN);
    world.sandbox.intercept(({ method, path }) =>
      path.includes("/secrets") && method !== "GET" ? { kind: "status", status: 403 } : undefined,
    );
    await expect(invoke({ cluster: "prod", names: [DOMAIN], apply: true })).rejects.toMatchObject({
      code: "restore_failed",
      message: expect.stringMatching(
        new RegExp(
          `^cluster prod: 1 of 1 certificates couldn't be restored\\. [\\s\\S]*\n${DOMAIN}: `,
        ),
      ),
    });
    expect(keysAt(world.sandbox)).toBeNull();
  });

  it("fails the invocation where its credential may not restore, or nothing is known", async () => {
    await audit();
    world.sandbox.remove("tailscale", DOMAIN);
    const isAllowed = async (): Promise<boolean> => false;
    const self = { isAllowed, whoAmI: async () => "jane", close: async () => {} };
    const access = { self, cluster: "prod", registration: null } as unknown as RestoreAccess;
    const asked = { cluster: "prod", names: [DOMAIN] };
    expect(await invoke(asked, { access })).toMatchObject({ mode: "plan" });
    await expect(invoke({ ...asked, apply: true }, { access })).rejects.toMatchObject({
      code: "restore_failed",
      message: expect.stringContaining(`\n${DOMAIN}: `),
    });
    const unknown = { cluster: "prod", names: ["unknown.example.com"], apply: true };
    await expect(invoke(unknown)).rejects.toMatchObject({ code: "usage" });
  });

  it("killed at any call of the stores, it does what is left when it is run again", async () => {
    await audit();
    const before = keysAt(world.sandbox);
    const event = { cluster: "prod", all: true, apply: true };
    world.faults.clear();
    world.sandbox.remove("tailscale", DOMAIN);
    await invoke(event);
    const calls = world.faults.calls.length;
    expect(calls).toBeGreaterThan(4);
    for (let nth = 1; nth <= calls; nth += 1) {
      for (const when of ["before", "after"] as const) {
        world.sandbox.remove("tailscale", DOMAIN);
        world.faults.clear();
        world.faults.add({ nth, when, error: () => new Error("killed") });
        await invoke(event).catch(() => null);
        world.faults.clear();
        // The lease of what was killed has ended by then.
        world.nowMs += 60_000;
        const { items } = await invoke(event);
        expect(
          items.map(({ outcome }) => ["done", "kept"].includes(outcome)),
          `call ${nth} ${when}`,
        ).toEqual([true]);
        expect(keysAt(world.sandbox), `call ${nth} ${when}`).toEqual(before);
      }
    }
  });

  it("goes to the successor that a person pinned", async () => {
    await audit();
    await pinByPerson(
      world.states,
      { cluster: "prod", title: "prod", server: evil.url, successor: true },
      OTHER,
      world.nowMs,
    );
    const answer = await invoke(
      { cluster: "prod", all: true, apply: true },
      { identity: OTHER, sandbox: evil },
    );
    expect(answer).toMatchObject({ counts: { done: 1 } });
    expect(keysAt(evil)).not.toBeNull();
  });

  it("goes across a listed pair whose second a person pinned", async () => {
    await audit();
    await audit("standby", OTHER, evil);
    const event = { cluster: "standby", fromCluster: "prod", all: true, apply: true };
    const [pairs, there] = [[{ from: "prod", to: "standby" }], { identity: OTHER, sandbox: evil }];
    await expect(invoke(event, { ...there, pairs })).rejects.toThrow("only an audit pinned");
    const loaded = await loadState(world.states, "standby");
    if (loaded === null || loaded.state.identity === null) throw new Error("no state");
    await saveState(
      world.states,
      "standby",
      {
        ...loaded.state,
        identity: pinIdentity("person", OTHER, { server: evil.url, at: "2026-01-01T00:00:00Z" }),
      },
      loaded.revision,
    );
    await expect(invoke(event, there)).rejects.toThrow(
      "the deployed certkeep.yaml allows no restore of backups of",
    );
    expect(keysAt(evil)).toBeNull();
    expect(await invoke(event, { ...there, pairs })).toMatchObject({ counts: { done: 1 } });
  });
});

describe("whoever may register or invoke gets no key sent to a server of his own", () => {
  beforeEach(() => audit());
  const all = { cluster: "prod", all: true, apply: true, createNamespace: true };

  it("by a registration under an old name that leads to another cluster", async () => {
    await expect(invoke(all, { sandbox: evil, identity: OTHER })).rejects.toThrow(
      "another cluster answers",
    );
    expect(keysAt(evil)).toBeNull();
  });

  it("by a server that says the old cluster's uid", async () => {
    await expect(
      invoke(all, { sandbox: evil, identity: { ...REAL, caSha256: OTHER.caSha256 } }),
    ).rejects.toThrow("under another CA");
    expect(keysAt(evil)).toBeNull();
  });

  it("by such a server once scheduled audits have met it", async () => {
    const liar = { ...REAL, caSha256: OTHER.caSha256 };
    for (let turn = 0; turn < 3; turn += 1) await audit("prod", liar, evil);
    expect((await world.state()).identity?.caSha256).toBe(REAL.caSha256);
    await expect(invoke(all, { sandbox: evil, identity: liar })).rejects.toThrow(
      "under another CA",
    );
    expect(keysAt(evil)).toBeNull();
  });

  it("by such a server that answers nothing of the CA", async () => {
    await expect(
      invoke(all, { sandbox: evil, identity: { ...REAL, caSha256: null } }),
    ).rejects.toThrow("any public authority");
    expect(keysAt(evil)).toBeNull();
  });

  it("by a new name", async () => {
    await expect(
      invoke({ ...all, cluster: "evil" }, { sandbox: evil, identity: OTHER }),
    ).rejects.toThrow("never recorded");
    await audit("evil", OTHER, evil);
    expect(
      await invoke({ ...all, cluster: "evil" }, { sandbox: evil, identity: OTHER }),
    ).toMatchObject({ items: [] });
    await expect(
      invoke({ ...all, cluster: "evil", fromCluster: "prod" }, { sandbox: evil, identity: OTHER }),
    ).rejects.toThrow("backups of prod");
    expect(keysAt(evil)).toBeNull();
  });

  it("by an old name whose state is gone, with copies that no state knows", async () => {
    world.states.states.delete("cluster-prod");
    await audit("prod", OTHER, evil);
    const event = { ...all, all: false, names: [DOMAIN], unrecorded: true };
    const choice = { sandbox: evil, identity: OTHER };
    const plan = await invoke({ ...event, apply: false }, choice);
    expect(plan.items.map(({ codes }) => codes)).toEqual([["copy_of_another"]]);
    await expect(invoke(event, choice)).rejects.toMatchObject({ code: "restore_failed" });
    expect(keysAt(evil)).toBeNull();
  });

  it("by the title of a registration that is called as another cluster", async () => {
    await audit("evil", OTHER, evil);
    const pairs = [{ from: "gone", to: "evil" }];
    await expect(
      invoke(
        { ...all, cluster: "evil", fromCluster: "gone" },
        { sandbox: evil, identity: OTHER, pairs },
      ),
    ).rejects.toThrow("only an audit pinned");
    expect(keysAt(evil)).toBeNull();
  });
});

describe("without an identity in the cloud", () => {
  it("answers with the command to run where one is", () => {
    const event = parseRestoreEvent({
      cluster: "prod",
      names: ["*.example.com"],
      apply: true,
      force: ["live_valid"],
    });
    expect(withoutIdentity(event, "s3://bucket/certkeep.yaml")).toMatchObject({
      identity: "absent",
      continue: false,
      run:
        "certkeep restore prod '*.example.com' --force live_valid --config " +
        "s3://bucket/certkeep.yaml --apply",
    });
  });

  it("the command asks for all that the event did", () => {
    const event = parseRestoreEvent({
      cluster: "prod",
      names: ["shop.*"],
      namespace: "shop",
      version: "0123456789",
      asOf: "2026-03-01T12:00:00Z",
      fromCluster: "old",
      createNamespace: true,
      replace: true,
      unrecorded: true,
      standby: true,
      force: ["live_valid", "copy_invalid"],
    });
    expect(withoutIdentity(event, null)).toMatchObject({
      run:
        "certkeep restore prod 'shop.*' --namespace shop --as-of 2026-03-01T12:00:00Z --version " +
        "0123456789 --from-cluster old --create-namespace --replace --unrecorded --standby " +
        "--force live_valid --force copy_invalid",
    });
  });

  it("a name that is no word of a command is left to the person", () => {
    const event = parseRestoreEvent({ cluster: "prod", names: ["$(reboot)"] });
    expect(JSON.stringify(withoutIdentity(event, null))).not.toContain("reboot");
    expect(withoutIdentity(event, null)).toMatchObject({ run: "certkeep restore prod --all" });
  });
});

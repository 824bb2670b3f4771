import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { changeState } from "../../lib/usecases/states.ts";
import { dataAt, outcomes, proxySecret, restore, tlsSecret } from "../support/restoring.ts";
import { DAY_MS, ingressSecret, startWorld, type World } from "../support/world.ts";

const DOMAIN = "shop.tail1a2b3.ts.net";

let world: World;
beforeEach(async () => {
  world = await startWorld();
});
afterEach(() => world.stop());

/** One audit by a clock that is ahead; the clock is right again afterwards. */
async function auditAhead(days: number): Promise<void> {
  const { nowMs } = world;
  world.nowMs = nowMs + days * DAY_MS;
  await world.audit();
  world.nowMs = nowMs + 3_600_000;
}

async function findings(): Promise<string[]> {
  const { clusters } = await world.audit();
  return clusters.flatMap((one) => one.findings.map(({ code }) => code)).toSorted();
}

describe("after one audit by a clock that was ahead", () => {
  it.each([1, 79, 81, 100, 400, 4000])(
    "by %i days a certificate is backed up by the next",
    async (days) => {
      world.put(
        ingressSecret(DOMAIN, world.issue([DOMAIN])),
        tlsSecret("shop", "web", world.issue(["web.example.com"])),
      );
      await auditAhead(days);
      expect(await findings()).toEqual([]);
      const { secrets, copies } = await world.state();
      expect(Object.keys(copies)).toHaveLength(2);
      for (const { certificates } of Object.values(secrets))
        for (const { copy, notKept } of Object.values(certificates))
          expect([(copy?.version ?? "") in copies, notKept]).toEqual([true, null]);
      expect(world.backups.blobs.size).toBe(2);
      // From then on nothing is read again.
      world.sandbox.forgetRequests();
      await world.audit();
      expect(world.sandbox.requests.filter(({ path }) => /\/secrets\/./.test(path))).toEqual([]);
    },
  );

  it("a backup stays recorded, and retired where it was", async () => {
    world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
    await world.audit();
    const [version = ""] = Object.keys((await world.state()).copies);
    await changeState(world.states, "prod", "prod", "", (state) => ({
      ...state,
      copies: Object.fromEntries(
        Object.entries(state.copies).map(([key, copy]) => [
          key,
          { ...copy, retired: { at: "2026-11-23T12:00:00Z", reason: "leaked" } },
        ]),
      ),
    }));
    await auditAhead(400);
    await world.audit();
    expect((await world.state()).copies[version]?.retired?.reason).toBe("leaked");
  });

  it("a loss is still reported, and restored", async () => {
    const pair = world.issue(["web.example.com"]);
    world.put(
      tlsSecret("shop", "web", pair),
      tlsSecret("shop", "other", world.issue(["o.example.com"])),
    );
    await world.audit();
    world.sandbox.remove("shop", "web");
    await world.audit();
    await auditAhead(400);
    expect(await findings()).toContain("secret_removed");
    expect(outcomes(await restore(world, { names: ["shop/web"] }))).toEqual([
      "web.example.com restore done secret_absent",
    ]);
    expect(dataAt(world.sandbox, "shop", "web")).toEqual(tlsSecret("shop", "web", pair).data);
  });

  it("a loss that it met is still reported", async () => {
    world.put(tlsSecret("shop", "web", world.issue(["web.example.com"])));
    await world.audit();
    world.sandbox.remove("shop", "web");
    await auditAhead(400);
    expect(await findings()).toContain("secret_removed");
  });

  it("a loss of one of two Secrets for the same names, first seen by it, is reported", async () => {
    const pair = world.issue(["web.example.com"]);
    world.put(tlsSecret("shop", "a", pair));
    await world.audit();
    world.put(tlsSecret("shop", "b", pair));
    await auditAhead(5);
    await world.audit();
    world.sandbox.remove("shop", "a");
    world.nowMs += 3_600_000;
    expect(await findings()).toContain("secret_removed");
  });

  it("fields that were removed meanwhile are still missing", async () => {
    const domain = "proxy.tail1a2b3.ts.net";
    world.put(proxySecret("ts-proxy-abcde-0", "proxy", domain, { pair: world.issue([domain]) }));
    await world.audit();
    world.put(proxySecret("ts-proxy-abcde-0", "proxy", domain, {}));
    await auditAhead(400);
    expect(await findings()).toContain("fields_emptied");
  });

  it("what was live then is what was live now", async () => {
    const pair = world.issue(["web.example.com"]);
    world.put(tlsSecret("shop", "web", pair));
    await auditAhead(5);
    await world.audit();
    const atMs = world.nowMs;
    world.nowMs += DAY_MS;
    world.sandbox.remove("shop", "web");
    const report = await restore(world, {
      all: true,
      asOfMs: atMs,
      mode: "plan",
    });
    expect(outcomes(report)).toEqual(["web.example.com restore planned secret_absent"]);
  });
});

it("a certificate that has expired isn't read again by each audit", async () => {
  world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
  world.nowMs += 100 * DAY_MS;
  await world.audit();
  world.sandbox.forgetRequests();
  await world.audit();
  expect(world.sandbox.requests.filter(({ path }) => /\/secrets\/./.test(path))).toEqual([]);
  expect(world.backups.blobs.size).toBe(0);
});

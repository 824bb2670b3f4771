/** What is valid stays: other places, other names, and copies that only seem to be better. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createAuthority } from "../support/pki.ts";
import { DAY_MS, ingressSecret, startWorld, type World } from "../support/world.ts";
import {
  accountPem,
  dataAt,
  operatorSecret,
  outcomes,
  restore,
  tlsSecret,
} from "../support/restoring.ts";

let world: World;
beforeEach(async () => {
  world = await startWorld();
});
afterEach(() => world.stop());

/** Without a parent that its loss could be told by. */
const plain = ({
  metadata,
  ...rest
}: ReturnType<typeof tlsSecret>): ReturnType<typeof tlsSecret> => ({
  ...rest,
  metadata: { ...metadata, annotations: {} },
});
const ending = (days: number): { notAfter: Date } => ({
  notAfter: new Date(world.nowMs + days * DAY_MS),
});

describe("a valid certificate for other names", () => {
  it("stays at another place that a copy is sent to, however long the copy holds", async () => {
    const theirs = tlsSecret("shop", "theirs", world.issue(["b.example.com"], ending(20)));
    world.put(tlsSecret("shop", "mine", world.issue(["a.example.com"], ending(80))), theirs);
    await world.audit();
    const report = await restore(world, {
      names: ["a.example.com"],
      as: { namespace: "shop", name: "theirs" },
    });
    expect(outcomes(report)).toEqual(["a.example.com keep kept live_valid"]);
    expect(dataAt(world.sandbox, "shop", "theirs")).toEqual(theirs.data);
  });

  it("stays where it covers a name that the copy lacks, though no audit has seen it yet", async () => {
    world.put(tlsSecret("shop", "web", world.issue(["a.example.com"], ending(80))));
    await world.audit();
    const wider = tlsSecret(
      "shop",
      "web",
      world.issue(["a.example.com", "b.example.com"], ending(40)),
    );
    world.put(wider);
    for (const request of [{ names: ["a.example.com"] }, { all: true }, { namespace: "shop" }]) {
      expect(outcomes(await restore(world, request))).toEqual([
        "a.example.com keep kept live_valid",
      ]);
    }
    expect(dataAt(world.sandbox, "shop", "web")).toEqual(wider.data);
  });

  it("gives way to a longer one for the same names and more", async () => {
    const first = tlsSecret(
      "shop",
      "web",
      world.issue(["a.example.com", "b.example.com"], ending(80)),
    );
    world.put(first);
    await world.audit();
    world.put(tlsSecret("shop", "web", world.issue(["A.example.com"], ending(40))));
    expect(outcomes(await restore(world, { all: true }))).toEqual([
      "a.example.com restore done copy_longer",
    ]);
    expect(dataAt(world.sandbox, "shop", "web")).toEqual(first.data);
  });
});

describe("what a tired person mixes up", () => {
  it("a machine's keys don't go into somebody's TLS Secret", async () => {
    const web = tlsSecret("shop", "web", world.issue(["a.example.com"]));
    world.put(
      operatorSecret(
        "operator.tail1a2b3.ts.net",
        world.issue(["operator.tail1a2b3.ts.net"]),
        accountPem(),
      ),
      web,
    );
    await world.audit();
    const report = await restore(world, {
      names: ["operator.tail1a2b3.ts.net"],
      as: { namespace: "shop", name: "web" },
      replace: true,
    });
    expect(outcomes(report)).toEqual([
      "ACME account key refuse refused place_not_for_shape",
      "operator.tail1a2b3.ts.net refuse refused place_not_for_shape",
    ]);
    expect(dataAt(world.sandbox, "shop", "web")).toEqual(web.data);
  });

  it("a name and a version of another certificate", async () => {
    world.put(
      tlsSecret("shop", "web", world.issue(["a.example.com"])),
      tlsSecret("shop", "other", world.issue(["b.example.com"])),
    );
    await world.audit();
    const version =
      Object.entries((await world.state()).copies).find(
        ([, { secret }]) => secret === "other",
      )?.[0] ?? "";
    await expect(restore(world, { names: ["a.example.com"], version })).rejects.toThrow(
      "no match for a.example.com",
    );
    expect(outcomes(await restore(world, { names: ["b.example.com"], version }))).toEqual([
      "b.example.com keep kept already_there",
    ]);
  });
});

describe("a certificate of somebody's own CA", () => {
  it("is told to be perhaps there on purpose before it is replaced, and is kept", async () => {
    world.put(tlsSecret("shop", "web", world.issue(["a.example.com"])));
    await world.audit();
    const own = createAuthority({ name: "Own" }).issue({
      names: ["a.example.com"],
      notBefore: new Date(world.nowMs - DAY_MS),
      ...ending(300),
    });
    world.put(tlsSecret("shop", "web", own));
    const plan = await restore(world, { all: true, mode: "plan" });
    expect(
      plan.items.map(({ item }) => item.notes.filter(({ note }) => note === "unknown_issuer")),
    ).toMatchObject([[{ untilMs: expect.any(Number) as number }]]);
    expect(outcomes(await restore(world, { names: ["a.example.com"] }))).toEqual([
      "a.example.com restore done live_invalid",
    ]);
    expect(
      Object.values((await world.state()).copies)
        .map(({ kind }) => kind)
        .toSorted(),
    ).toEqual(["certificate", "replaced"]);
  });
});

describe("which of several copies is taken", () => {
  it("one of other names that holds for longer doesn't hide the one that was last seen", async () => {
    world.put(tlsSecret("shop", "web", world.issue(["b.example.com"], ending(80))));
    await world.audit();
    world.nowMs += DAY_MS;
    const last = tlsSecret("shop", "web", world.issue(["a.example.com"], ending(40)));
    world.put(last);
    await world.audit();
    world.sandbox.remove("shop", "web");
    expect(outcomes(await restore(world, { all: true }))).toEqual([
      "a.example.com restore done secret_absent",
    ]);
    expect(dataAt(world.sandbox, "shop", "web")).toEqual(last.data);
  });

  it(
    "after damage that several audits saw, some of them incomplete, all that was live before is " +
      "taken",
    async () => {
      const [shop, web] = [
        ingressSecret("shop.tail1a2b3.ts.net", world.issue(["shop.tail1a2b3.ts.net"])),
        plain(tlsSecret("shop", "web", world.issue(["a.example.com"]))),
      ];
      world.put(shop, web);
      await world.audit();
      world.nowMs += DAY_MS;
      world.put(ingressSecret("shop.tail1a2b3.ts.net", null));
      world.sandbox.remove("shop", "web");
      await world.audit();
      world.nowMs += DAY_MS;
      const undo = world.sandbox.intercept(({ path }) =>
        path.includes("/secrets") ? { kind: "status", status: 500 } : undefined,
      );
      await world.audit();
      undo();
      world.nowMs += DAY_MS;
      await world.audit();
      expect(outcomes(await restore(world, { all: true }))).toEqual([
        "a.example.com restore done secret_absent",
        "shop.tail1a2b3.ts.net restore done fields_absent",
      ]);
      expect(dataAt(world.sandbox, "tailscale", "shop.tail1a2b3.ts.net")).toEqual(shop.data);
      expect(outcomes(await restore(world, { all: true }))).toEqual([
        "a.example.com keep kept already_there",
        "shop.tail1a2b3.ts.net keep kept already_there",
      ]);
    },
  );
});

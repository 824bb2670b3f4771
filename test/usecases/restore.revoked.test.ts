/**
 * A certificate that its issuer revoked is never put back; where that can't be known, it is said.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createKit } from "../../lib/wiring/kit.ts";
import { createIssuer } from "../../lib/issuer/issuers.ts";
import type { RevocationSource } from "../../lib/ports/outside.ts";
import type { Issued } from "../support/pki.ts";
import type { RestoreReport } from "../../lib/usecases/restore/context.ts";
import { DAY_MS, ingressSecret, startWorld, type World } from "../support/world.ts";
import { dataAt, notes, restore, whys } from "../support/restoring.ts";

const DOMAIN = "shop.tail1a2b3.ts.net";
const URL = "http://te1.c.lencr.org/7.crl";
let world: World;
let pair: Issued;
let asked: string[];

beforeEach(async () => {
  world = await startWorld();
  asked = [];
  pair = world.issue([DOMAIN], { crlUrls: [URL] });
  world.put(ingressSecret(DOMAIN, pair));
  await world.audit();
  world.sandbox.remove("tailscale", DOMAIN);
});
afterEach(() => world.stop());

/** The test's authority under the id of the issuer whose hosts are known. */
const kit = (id: string) =>
  createKit([
    createIssuer({
      id,
      title: id,
      anchorsPem: world.authority.root.pem,
      intermediatesPem: world.authority.intermediates.map(({ pem }) => pem).join(""),
    }),
  ]);

function source(answer: () => Awaited<ReturnType<RevocationSource["fetch"]>>): RevocationSource {
  return {
    fetch: async (url) => {
      asked.push(url);
      return answer();
    },
  };
}

const listOf = (
  serials: readonly string[],
  nextUpdate = new Date(world.nowMs + DAY_MS),
): Uint8Array =>
  world.authority.revocationList({
    revoked: serials.map((serial) => ({ serial, revokedAt: new Date(world.nowMs - DAY_MS) })),
    thisUpdate: new Date(world.nowMs - DAY_MS),
    nextUpdate,
  });

async function run(
  revocation: RevocationSource,
  id = "letsencrypt",
  force = new Set<never>(),
): Promise<RestoreReport> {
  return restore(world, { names: [DOMAIN], force }, { restorePorts: { kit: kit(id), revocation } });
}

describe("revocation", () => {
  it("named by the issuer's list: refused, with since when", async () => {
    const report = await run(source(() => ({ ok: true, der: listOf([pair.serial]) })));
    expect(report.items[0]?.item).toMatchObject({
      rule: "refuse",
      why: [{ code: "copy_revoked" }],
    });
    expect(whys(report)).toContain("since ");
    expect(asked).toEqual([URL]);
    expect(dataAt(world.sandbox, "tailscale", DOMAIN)).toBeNull();
  });

  it("not named: restored, and nothing is said", async () => {
    const report = await run(source(() => ({ ok: true, der: listOf(["0599"]) })));
    expect(report.items[0]).toMatchObject({
      outcome: "done",
      item: { revocation: { state: "good" } },
    });
    expect(notes(report)).not.toContain("revocation");
  });

  it.each<[string, () => Awaited<ReturnType<RevocationSource["fetch"]>>, string]>([
    ["no answer", () => ({ ok: false, why: "the issuer's host isn't known to DNS here" }), "DNS"],
    ["no list", () => ({ ok: true, der: Buffer.from("<html>") }), "can't be read"],
    [
      "an old list",
      () => ({ ok: true, der: listOf([pair.serial], new Date(world.nowMs - 1000)) }),
      "out of date",
    ],
  ])("%s: restored, and said to be not known", async (_name, answer, why) => {
    const report = await run(source(answer));
    expect(report.items[0]?.outcome).toBe("done");
    expect(notes(report)).toContain("revocation not checked: ");
    expect(notes(report)).toContain(why);
  });

  it("an issuer whose hosts aren't known is not asked, wherever its certificates point", async () => {
    const report = await run(
      source(() => ({ ok: true, der: listOf([pair.serial]) })),
      "corp",
    );
    expect(asked).toEqual([]);
    expect(report.items[0]?.outcome).toBe("done");
  });

  it("each list is asked for once, however many certificates name it", async () => {
    const names = ["a", "b", "c"].map((host) => `${host}.tail1a2b3.ts.net`);
    for (const name of names)
      world.put(ingressSecret(name, world.issue([name], { crlUrls: [URL] })));
    await world.audit();
    for (const name of names) world.sandbox.remove("tailscale", name);
    await restore(
      world,
      { all: true },
      {
        restorePorts: {
          kit: kit("letsencrypt"),
          revocation: source(() => ({ ok: true, der: listOf([]) })),
        },
      },
    );
    expect(asked).toEqual([URL]);
  });
});

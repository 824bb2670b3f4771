/**
 * What stood in a Secret before that something else stands there for: by it a later audit tells why
 * it was reissued.
 */
import { afterEach, beforeEach, expect, it } from "vitest";
import type { EarlierContent } from "../../lib/state/document.ts";
import { base64, DAY_MS, ingressSecret, startWorld, type World } from "../support/world.ts";

let world: World;

beforeEach(async () => {
  world = await startWorld();
});
afterEach(() => world.stop());

const DOMAIN = "shop.tail1a2b3.ts.net";
const KEY = `tailscale/${DOMAIN}`;

async function earlier(): Promise<readonly EarlierContent[]> {
  await world.audit();
  return (await world.state()).secrets[KEY]?.earlier ?? [];
}

it("is nothing while the certificate stays, whatever else is written to the Secret", async () => {
  const pair = world.issue([DOMAIN]);
  world.put(ingressSecret(DOMAIN, pair));
  expect(await earlier()).toEqual([]);
  const secret = ingressSecret(DOMAIN, pair);
  world.put({ ...secret, metadata: { ...secret.metadata, annotations: { seen: "yes" } } });
  expect(await earlier()).toEqual([]);
});

it("is a good certificate, with no reason", async () => {
  world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
  await world.audit();
  const before = (await world.state()).secrets[KEY];
  world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
  expect(await earlier()).toMatchObject([
    {
      base: "tls",
      state: "live",
      reasons: [],
      uid: before?.uid,
      serial: before?.certificates["tls"]?.serial,
    },
  ]);
});

it("is judged by now where an older certificate was put back in its place", async () => {
  const at = (days: number): Date => new Date(world.nowMs + days * DAY_MS);
  const older = world.issue([DOMAIN], { notBefore: at(-40), notAfter: at(50) });
  world.put(ingressSecret(DOMAIN, world.issue([DOMAIN], { notBefore: at(-5), notAfter: at(85) })));
  await world.audit();
  world.put(ingressSecret(DOMAIN, older));
  expect(await earlier()).toMatchObject([{ state: "live", reasons: [] }]);
});

it("is one that its controller refused, with the judge's reasons", async () => {
  const [one, other] = [world.issue([DOMAIN]), world.issue([DOMAIN])];
  world.put(ingressSecret(DOMAIN, { ...one, keyPem: other.keyPem }));
  expect(await earlier()).toEqual([]);
  world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
  expect(await earlier()).toMatchObject([{ state: "live", reasons: ["key_mismatch"] }]);
});

it("is what could not be read, and fields that were emptied", async () => {
  const page = base64("<html>502 Bad Gateway</html>\n");
  world.put({ ...ingressSecret(DOMAIN, null), data: { "tls.crt": page, "tls.key": page } });
  expect(await earlier()).toEqual([]);
  world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
  expect(await earlier()).toMatchObject([{ state: "unreadable", serial: null }]);
  world.put(ingressSecret(DOMAIN, null));
  await world.audit();
  world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
  expect(await earlier()).toMatchObject([
    { state: "empty", reasons: ["certificate_empty"] },
    { state: "unreadable" },
  ]);
});

it("is a Secret that was gone, by its uid", async () => {
  world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
  await world.audit();
  const uid = (await world.state()).secrets[KEY]?.uid;
  world.sandbox.remove("tailscale", DOMAIN);
  await world.audit();
  world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
  expect(await earlier()).toMatchObject([{ state: "gone", uid }]);
  expect((await world.state()).secrets[KEY]?.uid).not.toBe(uid);
});

it("is forgotten after 30 days, and beyond the newest ten", async () => {
  for (let i = 0; i < 13; i += 1) {
    world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
    await world.audit();
  }
  expect(await earlier()).toHaveLength(10);
  world.nowMs += 31 * DAY_MS;
  await world.audit();
  world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
  expect(await earlier()).toHaveLength(1);
});

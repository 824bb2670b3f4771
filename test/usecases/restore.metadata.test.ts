/**
 * Annotations and labels of other controllers: in the backup, in the restored Secret, and what the
 * plan says of the rest.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { PutObject } from "../fake-apiserver/api.ts";
import { startEarlierWorld } from "../support/earlier.ts";
import { notes, outcomes, restore, tlsSecret } from "../support/restoring.ts";
import { ingressSecret, startWorld, type World } from "../support/world.ts";

let world: World;
beforeEach(async () => {
  world = await startWorld();
});
afterEach(() => world.stop());

const DOMAIN = "shop.tail1a2b3.ts.net";
const HELM = { "meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "shop" };
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

function marked(
  secret: PutObject,
  annotations: Readonly<Record<string, string>>,
  labels: Readonly<Record<string, string>> = {},
): PutObject {
  const { metadata } = secret;
  return {
    ...secret,
    metadata: {
      ...metadata,
      annotations: { ...metadata.annotations, ...annotations },
      labels: { ...metadata.labels, ...labels },
    },
  };
}

const notesOf = async (request: Parameters<typeof restore>[1]): Promise<string> =>
  notes(await restore(world, { ...request, mode: "plan" }));

describe("what other controllers know a Secret by", () => {
  it("comes back with it, whatever its shape, and the plan names what doesn't", async () => {
    const mirror = {
      "reflector.v1.k8s.emberstack.com/reflects": "certs/wild",
      "reflector.v1.k8s.emberstack.com/auto-reflects": "True",
    };
    const web = tlsSecret("shop", "web-tls", world.issue(["a.example.com"]));
    world.put(
      marked(
        web,
        { ...HELM, [LAST_APPLIED]: "{}", "example.com/build": "7" },
        { "app.kubernetes.io/managed-by": "Helm", "helm.sh/chart": "web-1.2.3" },
      ),
      marked(
        ingressSecret(DOMAIN, world.issue([DOMAIN])),
        { ...mirror, "reflector.v1.k8s.emberstack.com/reflected-version": "12" },
        { "app.kubernetes.io/instance": "edge" },
      ),
    );
    await world.audit();
    world.sandbox.remove("shop", "web-tls");
    world.sandbox.remove("tailscale", DOMAIN);
    expect(await notesOf({ names: ["shop/web-tls"] })).toContain(
      "not in the backup, so not restored: annotation example.com/build, annotation " +
        `${LAST_APPLIED}, label helm.sh/chart`,
    );
    expect(await notesOf({ names: [DOMAIN] })).toContain(
      "not restored: annotation reflector.v1.k8s.emberstack.com/reflected-version",
    );
    await restore(world, { all: true });
    expect(world.sandbox.get("shop", "web-tls")?.metadata).toMatchObject({
      annotations: { ...web.metadata.annotations, ...HELM },
      labels: { ...web.metadata.labels, "app.kubernetes.io/managed-by": "Helm" },
    });
    expect(world.sandbox.get("tailscale", DOMAIN)?.metadata.annotations).toEqual(mirror);
    expect(world.sandbox.get("tailscale", DOMAIN)?.metadata.labels).toMatchObject({
      "app.kubernetes.io/instance": "edge",
      "tailscale.com/managed": "true",
    });
  });

  it("makes no new backup where only what isn't kept changes", async () => {
    const web = tlsSecret("shop", "web-tls", world.issue(["a.example.com"]));
    const put = (count: number): void =>
      world.put(
        marked(
          web,
          {
            ...HELM,
            [LAST_APPLIED]: String(count),
            "reflector.v1.k8s.emberstack.com/reflected-version": String(count),
            "example.com/build": String(count),
          },
          { "helm.sh/chart": `web-${count}`, "app.kubernetes.io/version": String(count) },
        ),
      );
    for (let count = 0; count < 5; count += 1) {
      put(count);
      await world.audit();
      world.nowMs += 60_000;
    }
    expect(world.backups.blobs.size).toBe(1);
    // Another owner is another backup: it is what has to come back.
    world.put(marked(web, { ...HELM, "meta.helm.sh/release-name": "front" }));
    await world.audit();
    world.sandbox.remove("shop", "web-tls");
    await restore(world, { all: true });
    expect(
      world.sandbox.get("shop", "web-tls")?.metadata.annotations?.["meta.helm.sh/release-name"],
    ).toBe("front");
  });

  it("isn't added to a Secret that somebody else made, nor to one at another place", async () => {
    const web = tlsSecret("shop", "web-tls", world.issue(["a.example.com"]));
    const kapp = { "kapp.k14s.io/app": "1" };
    world.put(marked(web, HELM, kapp));
    await world.audit();
    world.put({ ...web, data: { "tls.crt": "", "tls.key": "" } });
    expect(await notesOf({ names: ["shop/web-tls"] })).toContain(
      "lacks metadata of the backup, which isn't added: annotation meta.helm.sh/release-name",
    );
    expect(outcomes(await restore(world, { names: ["shop/web-tls"] }))).toEqual([
      "a.example.com restore done fields_absent",
    ]);
    expect(world.sandbox.get("shop", "web-tls")?.metadata).toMatchObject({
      annotations: web.metadata.annotations,
      labels: web.metadata.labels,
    });
    const as = { namespace: "shop", name: "other" };
    expect(await notesOf({ names: ["shop/web-tls"], as })).toContain(
      "not restored to another place, where a controller could delete the Secret: annotation " +
        "meta.helm.sh/release-name",
    );
    await restore(world, { names: ["shop/web-tls"], as });
    expect(world.sandbox.get("shop", "other")?.metadata.labels).toEqual(web.metadata.labels);
    expect(world.sandbox.get("shop", "other")?.metadata.annotations).toEqual(
      web.metadata.annotations,
    );
  });
});

describe("backups of an earlier version", () => {
  it("restore as they are: the very bytes, type, labels and annotations that they hold", async () => {
    const earlier = await startEarlierWorld();
    try {
      const done = await restore(earlier, { all: true, rebuilt: true });
      expect(done.items.map(({ outcome }) => outcome)).not.toContain("failed");
      const [, , ingress, web] = earlier.earlier.secrets;
      const at = ({ metadata }: PutObject) =>
        earlier.sandbox.get(metadata.namespace ?? "", metadata.name);
      expect(at(ingress)).toMatchObject({
        type: ingress.type,
        data: ingress.data,
        metadata: { labels: ingress.metadata.labels },
      });
      expect(at(web)).toMatchObject({ type: web.type, data: web.data });
      expect(at(web)?.metadata.labels).toEqual(web.metadata.labels);
      // Helm's annotations weren't in it, and the plan doesn't claim to know what else was there.
      expect(Object.keys(at(web)?.metadata.annotations ?? {}).toSorted()).toEqual(
        Object.keys(web.metadata.annotations ?? {})
          .filter((key) => key.startsWith("cert-manager.io/"))
          .toSorted(),
      );
      expect(notes(done)).toContain("unknown which other annotations and labels the Secret had");
      expect(done.items.find(({ item }) => item.shape === "tls")?.item.notes).toContainEqual({
        note: "unkept_unknown",
      });
    } finally {
      await earlier.stop();
    }
  });

  it("are joined by one that holds the annotations, at the next audit", async () => {
    const earlier = await startEarlierWorld();
    try {
      earlier.put(...earlier.earlier.secrets.slice(1));
      await restore(earlier, { all: true, rebuilt: true });
      const before = earlier.backups.blobs.size;
      await earlier.audit({ settings: { recipients: [earlier.recipient] } });
      const web = Object.entries((await earlier.state()).copies).filter(
        ([, { secret }]) => secret === "web-tls",
      );
      expect(web.length).toBeGreaterThan(0);
      expect(earlier.backups.blobs.size).toBeGreaterThan(before);
      earlier.sandbox.remove("shop", "web-tls");
      await restore(earlier, { names: ["shop/web-tls"] });
      expect(earlier.sandbox.get("shop", "web-tls")?.metadata.annotations).toMatchObject(HELM);
    } finally {
      await earlier.stop();
    }
  });
});

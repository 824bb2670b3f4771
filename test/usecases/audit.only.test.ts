/** An audit of one namespace: nothing is concluded about the others. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { standingRecord } from "../../lib/state/secrets.ts";
import { serviceAccount } from "../fake-apiserver/api.ts";
import { base64, DAY_MS, ingressSecret, startWorld, type World } from "../support/world.ts";

const DOMAIN = "wiki.tail1a2b3.ts.net";
const WIKI = `tailscale/${DOMAIN}`;

let world: World;
beforeEach(async () => {
  world = await startWorld();
  world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
  const { certificatePem, keyPem } = world.issue(["web.example.com"]);
  world.put({
    metadata: { name: "web", namespace: "shop" },
    type: "kubernetes.io/tls",
    data: { "tls.crt": base64(certificatePem), "tls.key": base64(keyPem) },
  });
});
afterEach(() => world.stop());

describe("an audit of one namespace", () => {
  it("reports what is missing there, and never what wasn't looked at", async () => {
    await world.audit();
    const before = await world.state();
    world.nowMs += DAY_MS;
    world.sandbox.remove("tailscale", DOMAIN);
    world.sandbox.remove("shop", "web");
    world.sandbox.forgetRequests();
    const { clusters } = await world.audit({ only: "shop", observe: true });
    expect(clusters[0]).toMatchObject({ complete: true });
    expect(clusters[0]?.findings.map(({ code, subject }) => [code, subject.namespace])).toEqual([
      ["secret_lost", "shop"],
    ]);
    const listed = world.sandbox.requests
      .map(({ path }) => path)
      .filter((path) => /secrets|pods|events/.test(path));
    expect(listed.filter((path) => !path.includes("/namespaces/shop/"))).toEqual([]);
    const after = await world.state();
    expect(Object.keys(after.lost)).toEqual(["shop/web"]);
    expect(standingRecord(after, WIKI)).toEqual(standingRecord(before, WIKI));
    expect(after.audit).toEqual(before.audit);
    // The next whole audit finds the other.
    await world.audit();
    expect(Object.keys((await world.state()).lost).toSorted()).toEqual(["shop/web", WIKI]);
  });

  it("doesn't count as the cluster's first audit, and backs up what it sees", async () => {
    const { clusters } = await world.audit({ only: "shop" });
    expect(clusters[0]).toMatchObject({ complete: true, copies: { made: 1 } });
    const state = await world.state();
    expect([state.audit, Object.keys(state.secrets)]).toEqual([null, ["shop/web"]]);
    const whole = await world.audit();
    expect(whole.clusters[0]).toMatchObject({ copies: { made: 1 }, tally: { certificates: 2 } });
  });

  it("extends no backup's life where it didn't look, and keeps what was reported there", async () => {
    await world.audit({ observe: true });
    const before = await world.state();
    world.nowMs += DAY_MS;
    await world.audit({ only: "shop", observe: true });
    const after = await world.state();
    const untilOf = (state: typeof after, namespace: string): readonly string[] =>
      Object.values(state.copies)
        .filter(({ key }) => key.includes(`/${namespace}/`))
        .map(({ liveUntil }) => liveUntil);
    expect(untilOf(after, "tailscale")).toEqual(untilOf(before, "tailscale"));
    expect(untilOf(after, "shop")).not.toEqual(untilOf(before, "shop"));
    expect(before.observations).toMatchObject({ access: expect.arrayContaining([]) });
    expect(after.observations).toEqual(before.observations);
  });

  it("is a usage error where the namespace isn't there, and nothing is recorded", async () => {
    await world.audit();
    const before = await world.state();
    const { clusters, failed } = await world.audit({ only: "shpo" });
    expect(clusters).toEqual([]);
    expect(failed.map(({ error }) => [error.exitCode, error.message])).toEqual([
      [
        2,
        "cluster prod: there is no namespace shpo. Correct -n; kubectl get namespaces lists them",
      ],
    ]);
    expect(await world.state()).toEqual(before);
  });

  it("is incomplete, and no usage error, where it isn't known that the namespace is there", async () => {
    const rules = [{ verbs: ["get"], resources: ["namespaces"], resourceNames: ["kube-system"] }];
    world.sandbox.setToken("blind", serviceAccount("certkeep", "blind", rules));
    const { clusters, failed } = await world.audit({ only: "shpo", token: "blind" });
    expect(failed).toEqual([]);
    expect(clusters[0]).toMatchObject({ complete: false });
    expect(clusters[0]?.confined?.audit?.unread).toMatchObject([{ code: "cluster_forbidden" }]);
  });
});

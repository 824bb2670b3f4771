/** Whose logs an audit reads, whom their claims are about, and what restarts took from them. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { observationsOf } from "../../lib/state/observations.ts";
import type { SourceStatus } from "../../lib/state/signals.ts";
import { stateEvidence } from "../../lib/state/evidence.ts";
import { base64, ingressSecret, startWorld, type World } from "../support/world.ts";

let world: World;
beforeEach(async () => {
  world = await startWorld();
});
afterEach(() => world.stop());

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DOMAIN = "shop.tail1a2b3.ts.net";
const PG = {
  "tailscale.com/parent-resource": "pg",
  "tailscale.com/parent-resource-type": "proxygroup",
};
const OPERATOR = { app: "operator" };

const iso = (ms: number): string => new Date(ms).toISOString().replace("Z", "000001Z");
const line = (ms: number, text: string): string => `${iso(ms)} 2026/11/23 00:00:00 ${text}\n`;
const issuedAndLost = (ms: number): string =>
  line(ms, `cert("${DOMAIN}"): got cert`) +
  line(
    ms + 10,
    `cert("${DOMAIN}"): getCertPEM: error writing TLS cert and key to Secret: error getting ` +
      `Secret ${DOMAIN}: secrets "${DOMAIN}" is forbidden: User ` +
      `"system:serviceaccount:tailscale:pg" cannot get resource "secrets"`,
  );

interface PodChoice {
  readonly labels?: Readonly<Record<string, string>>;
  readonly container?: string;
  readonly startedMs?: number;
  readonly restarts?: number;
  readonly env?: readonly object[];
}

function putPod(name: string, log: string, choice: PodChoice = {}): void {
  const { labels = PG, container = "tailscale", restarts = 0, env = [] } = choice;
  const startedAt = new Date(choice.startedMs ?? world.nowMs - HOUR_MS).toISOString();
  world.sandbox.put([
    {
      kind: "Pod",
      metadata: { name, namespace: "tailscale", labels },
      spec: { serviceAccountName: "pg", containers: [{ name: container, env }] },
      status: {
        containerStatuses: [
          { name: container, restartCount: restarts, state: { running: { startedAt } } },
        ],
      },
    },
  ]);
  world.sandbox.setLog("tailscale", name, container, log);
}

function putNode(name: string, labels: Readonly<Record<string, string>> = {}): void {
  world.put({
    metadata: { name, namespace: "tailscale", labels },
    type: "Opaque",
    data: { _machinekey: base64("x") },
  });
}

const PG_STATE = {
  ...PG,
  "tailscale.com/managed": "true",
  "tailscale.com/secret-type": "state",
};

const audit = async (): Promise<readonly string[]> => {
  const report = await world.audit({ observe: true });
  return report.clusters[0]?.findings.map(({ code }) => code) ?? [];
};
const statusOf = async (scope: string): Promise<SourceStatus | undefined> =>
  observationsOf(await world.state()).looks.find((one) => one.scope === scope);
const claims = async (): Promise<readonly (string | null)[][]> =>
  stateEvidence(await world.state())
    .issuances.filter(({ claimedBy }) => claimedBy !== null)
    .map(({ issuer, names }) => [issuer, ...names]);

describe("a node that never stored a certificate", () => {
  const startedMs = (): number => world.nowMs - HOUR_MS;
  const log = (): string =>
    line(startedMs() + 500, "starting") + issuedAndLost(startedMs() + MINUTE_MS);

  it("is read where it is the operator", async () => {
    putNode("operator");
    putPod("operator-5d9", log(), { labels: OPERATOR, container: "operator" });
    expect(await audit()).toContain("issued_not_stored");
  });

  it("is read where it is the first pod of a ProxyGroup of Services", async () => {
    putNode("pg-0", PG_STATE);
    putNode("pg-1", PG_STATE);
    putPod("pg-0", log());
    putPod("pg-1", log());
    expect(await audit()).toContain("issued_not_stored");
    expect(await statusOf("tailscale/pg-0/tailscale")).toBeDefined();
    expect(await statusOf("tailscale/pg-1/tailscale")).toBeUndefined();
  });

  it("has no pod that matches where its labels are others, which is no gap in a log", async () => {
    putNode("operator");
    expect(await audit()).toEqual([]);
    expect(await statusOf("tailscale, pods app=operator")).toMatchObject({
      code: "no_pod",
    });
  });
});

describe("what a log claims is about", () => {
  const STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory";
  const directory = (value: string) => [{ name: "TS_DEBUG_ACME_DIRECTORY_URL", value }];
  const elsewhere = [
    {
      name: "TS_DEBUG_ACME_DIRECTORY_URL",
      valueFrom: { configMapKeyRef: { name: "x", key: "y" } },
    },
  ];
  const lines = (extra = ""): string => {
    const startedMs = world.nowMs - HOUR_MS;
    return (
      line(startedMs + 500, "boot: starting") +
      extra +
      line(startedMs + MINUTE_MS, `cert("${DOMAIN}"): got cert`)
    );
  };
  const named = (text: string): string => line(world.nowMs - HOUR_MS + 600, text);

  it.each<readonly [string, string, readonly object[], string]>([
    ["Tailscale's own directory where none is configured", "", [], "letsencrypt"],
    ["the configured directory's issuer", "", directory(STAGING), "letsencrypt-staging"],
    ["nobody known where another directory is", "", directory("https://ca.test/dir"), "unknown"],
    ["nobody known where the directory comes from elsewhere", "", elsewhere, "unknown"],
    [
      "the issuer of the directory that the log names",
      `Post "${STAGING.replace("directory", "acme/new-order")}": EOF`,
      directory("https://ca.test/dir"),
      "letsencrypt-staging",
    ],
    ["nobody known where the log names another", 'Get "https://ca.test/dir": EOF', [], "unknown"],
  ])("%s", async (_, text, env, issuer) => {
    putNode("pg-0", PG_STATE);
    putPod("pg-0", lines(text === "" ? "" : named(text)), { env });
    await audit();
    expect(await claims()).toEqual([[issuer, DOMAIN]]);
  });

  it("nobody known where the container isn't known to be Tailscale's", async () => {
    putNode("pg-0", PG_STATE);
    putPod("pg-0", lines(), { container: "sidecar" });
    await audit();
    expect(await claims()).toEqual([["unknown", DOMAIN]]);
  });

  it("the issuer of what its Secret holds, or held until it was emptied", async () => {
    world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
    await audit();
    world.put(ingressSecret(DOMAIN, null));
    putPod("pg-0", lines());
    await audit();
    expect(await claims()).toEqual([["test", DOMAIN]]);
  });

  it("the issuer of the pod's other certificates where its Secret holds none", async () => {
    const other = "wiki.tail1a2b3.ts.net";
    world.put(ingressSecret(DOMAIN, null), ingressSecret(other, world.issue([other])));
    putPod("pg-0", lines());
    await audit();
    expect(await claims()).toEqual([["test", DOMAIN]]);
  });

  it("nobody known where Tailscale's other pods use another issuer", async () => {
    const other = "wiki.tail1a2b3.ts.net";
    world.put(ingressSecret(other, world.issue([other])));
    putNode("operator");
    putPod("operator-5d9", lines(), { labels: OPERATOR, container: "operator" });
    await audit();
    expect(await claims()).toEqual([["unknown", DOMAIN]]);
  });
});

describe("a log after restarts", () => {
  const scope = "tailscale/pg-0/tailscale";

  /** Reads a pod that started an hour ago; then `next` says what is there two hours later. */
  async function twice(
    next: PodChoice & { readonly previous?: (metMs: number) => string },
  ): Promise<SourceStatus | undefined> {
    const firstMs = world.nowMs - HOUR_MS;
    const metMs = world.nowMs - 10 * MINUTE_MS;
    world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
    putPod("pg-0", line(firstMs + 500, "boot: starting") + line(metMs, "serving"), {
      startedMs: firstMs,
      restarts: 1,
    });
    await audit();
    expect(await statusOf(scope)).toMatchObject({ code: null, restarts: 1 });
    world.nowMs += 2 * HOUR_MS;
    const startedMs = world.nowMs - HOUR_MS;
    putPod("pg-0", line(startedMs + 500, "boot: starting"), { startedMs, ...next });
    if (next.previous !== undefined)
      world.sandbox.setLog("tailscale", "pg-0", "tailscale", next.previous(metMs), true);
    await audit();
    return statusOf(scope);
  }

  const joined = (metMs: number): string =>
    line(metMs, "serving") + line(metMs + MINUTE_MS, "exiting");
  const begun = (metMs: number): string => line(metMs + MINUTE_MS, "exiting");

  it.each([
    ["is complete after one, whose log is still there", { restarts: 2, previous: joined }, null],
    ["has a gap after one whose log was cut", { restarts: 2, previous: begun }, "restart"],
    ["has a gap after one whose log is missing", { restarts: 2 }, "restart"],
    ["has a gap after two", { restarts: 3, previous: begun }, "logs of 1 earlier container"],
    ["has a gap where the pod was replaced", { restarts: 0 }, "last one that was read"],
    ["has a gap where a pod was replaced that restarted", { restarts: 1, previous: begun }, "pod"],
  ])("%s", async (_, next, unread) => {
    const status = await twice(next);
    expect(status?.code).toBe(unread === null ? null : "gap");
    if (unread === null) expect(status?.unread).toBeNull();
    else expect(status?.unread).toContain(unread);
  });
});

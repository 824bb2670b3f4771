/**
 * An audit that asks for more than Secrets: logs, events and access reviews of what issues in the
 * cluster.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { budgetOf } from "../../lib/ratelimit/budget.ts";
import { realTimer } from "../../lib/adapters/timer.ts";
import type { Timer } from "../../lib/ports/runtime.ts";
import type { AccessRule } from "../fake-apiserver/access.ts";
import { serviceAccount } from "../fake-apiserver/api.ts";
import { observationsOf } from "../../lib/state/observations.ts";
import type { SourceStatus } from "../../lib/state/signals.ts";
import { stateEvidence } from "../../lib/state/evidence.ts";
import { auditAll, type AuditReport } from "../../lib/usecases/audit.ts";
import { CLUSTER_MS } from "../../lib/usecases/audit/context.ts";
import { base64, ingressSecret, startWorld, type World } from "../support/world.ts";

let world: World;

beforeEach(async () => {
  world = await startWorld();
});
afterEach(() => world.stop());

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const SHARED = "shop.tail1a2b3.ts.net";
const ALONE = "wiki.tail1a2b3.ts.net";
const OPERATOR = "operator.tail1a2b3.ts.net";
const PG_LOG = "tailscale/pg-0/tailscale";

const iso = (ms: number): string => new Date(ms).toISOString().replace("Z", "000001Z");
const line = (ms: number, text: string): string => `${iso(ms)} 2026/11/23 00:00:00 ${text}\n`;
const json = (ms: number, text: string, level = "debug"): string =>
  `${iso(ms)} ${JSON.stringify({ level, ts: iso(ms), logger: "tailscaled", msg: text })}\n`;
const got = (domain: string): string => `cert("${domain}"): got cert`;

interface PodChoice {
  readonly labels: Readonly<Record<string, string>>;
  readonly container?: string;
  readonly account?: string;
  readonly startedMs: number;
  readonly restarts?: number;
}

function putPod(
  name: string,
  { labels, container = "tailscale", account = "pg", startedMs, restarts = 0 }: PodChoice,
): void {
  const status = {
    containerStatuses: [
      {
        name: container,
        restartCount: restarts,
        state: { running: { startedAt: new Date(startedMs).toISOString() } },
      },
    ],
  };
  world.sandbox.put([
    {
      kind: "Pod",
      metadata: { name, namespace: "tailscale", labels },
      spec: { serviceAccountName: account, containers: [{ name: "sidecar" }, { name: container }] },
      status,
    },
  ]);
}

const PG = {
  "tailscale.com/parent-resource": "pg",
  "tailscale.com/parent-resource-type": "proxygroup",
};

/** A shared certificate, written by the first pod of `pg`, which began an hour ago. */
function putShared(log: (startedMs: number) => string, over: Partial<PodChoice> = {}): number {
  const startedMs = world.nowMs - HOUR_MS;
  world.put(ingressSecret(SHARED, world.issue([SHARED])));
  putPod("pg-0", { labels: PG, startedMs, ...over });
  world.sandbox.setLog(
    "tailscale",
    "pg-0",
    "tailscale",
    line(startedMs + 500, "boot: 2026/11/23 starting") + log(startedMs),
  );
  return startedMs;
}

const audit = async (choice: Parameters<World["audit"]>[0] = {}): Promise<AuditReport> =>
  world.audit({ observe: true, ...choice });
const told = async () => observationsOf(await world.state());
const look = async (source: string, scope: string): Promise<SourceStatus | undefined> =>
  (await told()).looks.find((one) => one.source === source && one.scope === scope);
const asked = (): string[] =>
  world.sandbox.requests
    .filter(({ path }) => /pods|events|accessreviews/.test(path))
    .map(({ path, query }) =>
      (
        `${path.split("/").at(-1)} ` +
        `${query["labelSelector"] ?? query["container"] ?? query["fieldSelector"] ?? ""}`
      ).trim(),
    );

describe("logs", () => {
  it(
    "say what was issued and lost, claim it for their own cluster, and are whole from the pod's " +
      "start on",
    async () => {
      const lost =
        `cert("${SHARED}"): getCertPEM: error writing TLS cert and key to Secret: error getting ` +
        `Secret ${SHARED}: secrets "${SHARED}" is forbidden: User ` +
        `"system:serviceaccount:tailscale:pg" cannot get resource "secrets"`;
      const startedMs = putShared(
        (from) => line(from + MINUTE_MS, got(SHARED)) + line(from + MINUTE_MS + 10, lost),
      );
      const report = await audit();
      expect(report.clusters[0]?.complete).toBe(true);
      expect((await told()).signs).toMatchObject([
        { kind: "issued", domain: SHARED, where: PG_LOG, count: 1, firstMs: startedMs + MINUTE_MS },
        { kind: "store_write_failed", code: "forbidden", domain: SHARED, count: 1 },
      ]);
      expect(await look("logs", PG_LOG)).toMatchObject({
        code: null,
        wholeMs: world.nowMs,
        sinceMs: null,
      });
      const { issuances, coverage } = stateEvidence(await world.state());
      expect(issuances.filter(({ claimedBy }) => claimedBy !== null)).toMatchObject([
        { issuer: "test", names: [SHARED], issuedAtMs: startedMs + MINUTE_MS, claimedBy: "prod" },
      ]);
      expect(coverage).toEqual([
        {
          source: "log",
          cluster: "prod",
          issuer: "test",
          scope: { kind: "set", key: SHARED },
          fromMs: startedMs,
          untilMs: world.nowMs - 1_000,
        },
      ]);
      const shared = report.across.ledger.accounts.set.get("test")?.get(SHARED)?.entries.length;
      const own = report.across.ledgerOf("prod").accounts.set.get("test")?.get(SHARED)
        ?.entries.length;
      expect([shared, own]).toEqual([1, 2]);
    },
  );

  it("count on where they were left: no line twice, and what came since joins on", async () => {
    const startedMs = putShared((from) => line(from + MINUTE_MS, got(SHARED)));
    await audit();
    const first =
      line(startedMs + 500, "boot: 2026/11/23 starting") + line(startedMs + MINUTE_MS, got(SHARED));
    world.nowMs += HOUR_MS;
    world.sandbox.setLog(
      "tailscale",
      "pg-0",
      "tailscale",
      first + line(world.nowMs - MINUTE_MS, got(SHARED)),
    );
    world.sandbox.forgetRequests();
    await audit();
    expect(
      world.sandbox.requests.find(({ path }) => path.endsWith("/log"))?.query["sinceTime"],
    ).toBe(
      new Date(Math.floor((startedMs + MINUTE_MS) / 1_000) * 1_000)
        .toISOString()
        .replace(".000Z", "Z"),
    );
    expect((await told()).signs).toMatchObject([{ kind: "issued", count: 2 }]);
    const { issuances, coverage } = stateEvidence(await world.state());
    expect(issuances.filter(({ claimedBy }) => claimedBy !== null)).toHaveLength(2);
    expect(coverage).toMatchObject([{ fromMs: startedMs, untilMs: world.nowMs - 1_000 }]);
  });

  it("of more names than are stored are told as that, and show what was issued all the same", async () => {
    putShared((from) =>
      Array.from({ length: 600 }, (_, i) =>
        line(from + MINUTE_MS + i, got(i === 599 ? SHARED : `n${i}.tail1a2b3.ts.net`)),
      ).join(""),
    );
    await audit();
    expect(await look("logs", PG_LOG)).toMatchObject({
      code: null,
      wholeMs: world.nowMs,
      unread: "100 lines of more names and kinds than are stored",
    });
    expect(
      stateEvidence(await world.state())
        .issuances.filter(({ names }) => names[0] === SHARED && names.length === 1)
        .some(({ claimedBy }) => claimedBy === "prod"),
    ).toBe(true);
    expect(stateEvidence(await world.state()).coverage).toHaveLength(1);
  });

  it("that don't hold the last line any more have a gap, and join on from there", async () => {
    const startedMs = putShared(() => "");
    await audit();
    world.nowMs += HOUR_MS;
    world.sandbox.setLog(
      "tailscale",
      "pg-0",
      "tailscale",
      line(world.nowMs - MINUTE_MS, "rotated"),
    );
    await audit();
    expect(await look("logs", PG_LOG)).toMatchObject({
      code: "gap",
      sinceMs: world.nowMs,
      wholeMs: world.nowMs - HOUR_MS,
    });
    expect(stateEvidence(await world.state()).coverage).toMatchObject([
      { fromMs: startedMs, untilMs: startedMs + HOUR_MS - 1_000 },
    ]);
    world.nowMs += HOUR_MS;
    await audit();
    expect(await look("logs", PG_LOG)).toMatchObject({ code: null });
    expect(stateEvidence(await world.state()).coverage).toHaveLength(2);
  });

  it.each([
    ["begin after the pod", (from: number) => line(from + MINUTE_MS, "later"), "gap"],
    [
      "hold lines back",
      (from: number) =>
        line(from, "boot") + line(from + 1, `[RATELIMIT] format(${JSON.stringify(got(SHARED))})`),
      "gap",
    ],
    [
      "don't name what was issued",
      (from: number) =>
        line(from, "boot") + line(from + 1, '[RATELIMIT] format("cert(%q): got cert") (9 dropped)'),
      "gap",
    ],
    [
      "are binary in part",
      (from: number) => `${line(from, "boot")}${iso(from + 1)} cert\u0000\u0001\n`,
      "gap",
    ],
    [
      "are too long",
      (from: number) =>
        line(from, "boot") +
        line(from + 1, "x".repeat(999)).repeat(4_500) +
        line(from + 2, got(SHARED)),
      "too_much",
    ],
  ])("that %s cover nothing", async (_name, log, code) => {
    const startedMs = putShared(() => "");
    world.sandbox.setLog("tailscale", "pg-0", "tailscale", log(startedMs));
    await audit();
    expect(await look("logs", PG_LOG)).toMatchObject({ code, wholeMs: null });
    expect((await look("logs", PG_LOG))?.unread).toBeTypeOf("string");
    expect(stateEvidence(await world.state()).coverage).toEqual([]);
    // The end of what is too long is read all the same.
    expect((await told()).signs.filter(({ domain }) => domain === SHARED)).toHaveLength(
      code === "too_much" ? 1 : 0,
    );
  });

  it.each([
    ["a line of the kind follows", () => line(world.nowMs - MINUTE_MS, got(SHARED))],
    ["nothing follows", () => ""],
  ])("that held lines back cover again once no more of those can come: %s", async (_name, next) => {
    const held = (from: number): string =>
      line(from, "boot") +
      line(from + 1, got(SHARED)) +
      line(from + 1, `[RATELIMIT] format(${JSON.stringify(got(SHARED))})`);
    const startedMs = putShared(() => "");
    world.sandbox.setLog("tailscale", "pg-0", "tailscale", held(startedMs));
    await audit();
    const gapMs = world.nowMs;
    world.nowMs += HOUR_MS;
    world.sandbox.setLog("tailscale", "pg-0", "tailscale", held(startedMs) + next());
    await audit();
    expect(await look("logs", PG_LOG)).toMatchObject({ code: null });
    expect(stateEvidence(await world.state()).coverage).toMatchObject([
      { fromMs: gapMs + 15_000, untilMs: world.nowMs - 1_000 },
    ]);
  });

  it("before a restart are read too, once", async () => {
    const startedMs = putShared(() => "", { restarts: 1 });
    world.sandbox.setLog(
      "tailscale",
      "pg-0",
      "tailscale",
      line(startedMs - HOUR_MS, got(SHARED)),
      true,
    );
    await audit();
    expect((await told()).signs).toMatchObject([{ kind: "issued", count: 1 }]);
    world.sandbox.forgetRequests();
    await audit();
    expect(world.sandbox.requests.filter(({ query }) => query["previous"] === "true")).toEqual([]);
    expect((await told()).signs).toMatchObject([{ kind: "issued", count: 1 }]);
  });

  it("of the operator say nothing of certificates below debug level, and that is said", async () => {
    const pair = world.issue([OPERATOR]);
    const startedMs = world.nowMs - HOUR_MS;
    world.put({
      metadata: { name: "operator", namespace: "tailscale" },
      type: "Opaque",
      data: {
        [`${OPERATOR}.crt`]: base64(pair.certificatePem),
        [`${OPERATOR}.key`]: base64(pair.keyPem),
      },
    });
    putPod("operator-5d9", {
      labels: { app: "operator" },
      container: "operator",
      account: "operator",
      startedMs,
    });
    world.sandbox.setLog(
      "tailscale",
      "operator-5d9",
      "operator",
      json(startedMs, "starting", "info"),
    );
    await audit();
    const scope = "tailscale/operator-5d9/operator";
    expect(await look("logs", scope)).toMatchObject({ code: "debug_off", sinceMs: world.nowMs });
    expect(stateEvidence(await world.state()).coverage).toEqual([]);
    world.nowMs += HOUR_MS;
    putPod("operator-7aa", {
      labels: { app: "operator" },
      container: "operator",
      account: "operator",
      startedMs: world.nowMs - MINUTE_MS,
    });
    world.sandbox.remove("tailscale", "operator-5d9", "Pod");
    world.sandbox.setLog(
      "tailscale",
      "operator-7aa",
      "operator",
      json(world.nowMs - MINUTE_MS, "starting", "info") + json(world.nowMs - 5_000, got(OPERATOR)),
    );
    await audit();
    expect(await look("logs", scope)).toBeUndefined();
    expect(await look("logs", "tailscale/operator-7aa/operator")).toMatchObject({ code: null });
    expect(stateEvidence(await world.state()).coverage).toMatchObject([
      { scope: { kind: "set", key: OPERATOR } },
    ]);
  });

  it(
    "of a standalone proxy are those of the pod called like its Secret; one without a " +
      "certificate yet is read as well",
    async () => {
      const labels = {
        "tailscale.com/managed": "true",
        "tailscale.com/parent-resource": "wiki",
        "tailscale.com/parent-resource-ns": "shop",
        "tailscale.com/parent-resource-type": "ingress",
      };
      world.put({
        metadata: { name: "ts-wiki-x7k2p-0", namespace: "tailscale", labels },
        type: "Opaque",
        data: { device_fqdn: base64(ALONE) },
      });
      putPod("ts-wiki-x7k2p-0", { labels, account: "proxies", startedMs: world.nowMs - HOUR_MS });
      const refused =
        `cert("${ALONE}"): getCertPEM: 429 urn:ietf:params:acme:error:rateLimited: too many ` +
        "certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, " +
        "retry after " +
        `${new Date(world.nowMs + HOUR_MS).toISOString().slice(0, 19).replace("T", " ")} UTC: ` +
        "see " +
        "https://x";
      world.sandbox.setLog(
        "tailscale",
        "ts-wiki-x7k2p-0",
        "tailscale",
        line(world.nowMs - HOUR_MS, refused),
      );
      const report = await audit();
      expect((await told()).signs).toMatchObject([
        { kind: "rate_limited", code: "set", domain: ALONE },
      ]);
      expect(stateEvidence(await world.state()).refusals).toMatchObject([
        { issuer: "letsencrypt", kind: "set", key: ALONE, burst: 5, cluster: "prod" },
      ]);
      expect(
        budgetOf(report.across.ledger, "set", "letsencrypt", ALONE, world.nowMs),
      ).toMatchObject({
        atMost: 5,
        claims: [{ cluster: "prod" }],
      });
    },
  );

  it("that are forged by the million change no budget but their own cluster's, and stay small", async () => {
    let forged = "";
    const at = world.nowMs - 30 * MINUTE_MS;
    for (let i = 0; i < 30_000; i++)
      forged += line(at + i, i % 2 === 0 ? got(SHARED) : got(`n${i}.victim.example.com`));
    putShared(() => forged);
    const report = await audit();
    expect(report.clusters[0]?.complete).toBe(true);
    expect(budgetOf(report.across.ledger, "set", "test", SHARED, world.nowMs)).toBeNull();
    expect(report.across.ledger.accounts.domain.get("letsencrypt")).toBeUndefined();
    expect(report.across.ledgerOf("other").accounts.domain.get("letsencrypt")).toBeUndefined();
    expect(
      report.across.ledgerOf("prod").accounts.set.get("test")?.get(SHARED)?.entries.length,
    ).toBeLessThanOrEqual(51);
    expect(JSON.stringify(await world.state()).length).toBeLessThan(2_000_000);
  });

  it("leave no credential in state or report", async () => {
    const secret = "CANARYcanary0123456789";
    const lines = [
      `?jwt=eyJhbGciOiJIUzI1NiJ9.${secret}.x`,
      `Bearer ${secret}`,
      `tskey-auth-${secret}`,
      `-----BEGIN EC PRIVATE KEY-----${secret}`,
      `\u001b[31mtskey-\u001b[0mauth-${secret}`,
    ];
    putShared((from) =>
      lines
        .map((text, i) => line(from + 1_000 + i, `cert("${SHARED}"): getCertPEM: ${text}`))
        .join(""),
    );
    world.sandbox.put([
      {
        kind: "Event",
        metadata: { name: "e", namespace: "tailscale" },
        involvedObject: { kind: "Pod", name: "pg-0", namespace: "tailscale" },
        type: "Warning",
        reason: "TailscaleStateUpdateFailed",
        message: `Bearer ${secret}`,
        count: 1,
        firstTimestamp: iso(world.nowMs),
        lastTimestamp: iso(world.nowMs),
      },
    ]);
    const report = await audit();
    expect((await told()).signs).toMatchObject([{ kind: "order_failed", count: 5 }]);
    expect((await told()).events).toHaveLength(1);
    expect(JSON.stringify([await world.state(), report.clusters, report.failed])).not.toContain(
      "CANARY",
    );
  });
});

describe("access reviews", () => {
  const may = (...verbs: string[]): void =>
    world.sandbox.setToken(
      "pg",
      serviceAccount("tailscale", "pg", [
        { verbs, resources: ["secrets"], resourceNames: [SHARED], namespace: "tailscale" },
      ]),
    );

  it(
    "ask for the account of the pod that writes, and again only where that could tell something " +
      "new",
    async () => {
      may("get");
      putShared(() => "");
      await audit();
      const account = "system:serviceaccount:tailscale:pg";
      expect((await told()).access).toMatchObject([
        {
          secret: `tailscale/${SHARED}`,
          account,
          verb: "get",
          allowed: true,
          sinceMs: world.nowMs,
        },
        {
          secret: `tailscale/${SHARED}`,
          account,
          verb: "patch",
          allowed: false,
          sinceMs: world.nowMs,
        },
      ]);
      expect(await look("access", "tailscale")).toMatchObject({ code: null });
      const firstMs = world.nowMs;
      world.nowMs += MINUTE_MS;
      world.sandbox.forgetRequests();
      await audit();
      expect(asked().filter((one) => one.startsWith("subject"))).toHaveLength(1);
      expect((await told()).access).toMatchObject([
        { verb: "get", atMs: firstMs },
        { verb: "patch", sinceMs: firstMs, atMs: world.nowMs },
      ]);
      may("get", "patch");
      world.nowMs += MINUTE_MS;
      await audit();
      expect((await told()).access).toMatchObject([
        { verb: "get" },
        { verb: "patch", allowed: true, sinceMs: world.nowMs },
      ]);
      world.sandbox.forgetRequests();
      await audit();
      expect(asked().filter((one) => one.startsWith("subject"))).toEqual([]);
      world.put(ingressSecret(SHARED, world.issue([SHARED])));
      world.nowMs += MINUTE_MS;
      await audit();
      expect(asked().filter((one) => one.startsWith("subject"))).toHaveLength(2);
    },
  );

  it(
    "without a pod ask for the account that the operator makes, and forget what was said of " +
      "another",
    async () => {
      putShared(() => "", { account: "other" });
      await audit();
      const accounts = async (): Promise<string[]> =>
        (await told()).access.map(
          ({ account, verb, assumed }) =>
            `${account.split(":").at(-1)} ${verb}${assumed === true ? " assumed" : ""}`,
        );
      expect(await accounts()).toEqual(["other get", "other patch"]);
      world.sandbox.remove("tailscale", "pg-0", "Pod");
      await audit();
      expect(await accounts()).toEqual(["pg get assumed", "pg patch assumed"]);
    },
  );
});

describe("events", () => {
  it(
    "are warnings of the state store and of Ingresses, in the namespaces of Secrets and of " +
      "their parents",
    async () => {
      putShared(() => "");
      const event = (
        name: string,
        namespace: string,
        kind: string,
        reason: string,
        type = "Warning",
      ) => ({
        kind: "Event",
        metadata: { name, namespace },
        involvedObject: { kind, name: "x", namespace },
        type,
        reason,
        message: "m",
        count: 3,
        firstTimestamp: iso(world.nowMs - HOUR_MS),
        lastTimestamp: iso(world.nowMs),
      });
      world.sandbox.put([
        event("a", "tailscale", "Pod", "TailscaleStateLoadFailed"),
        event("b", "shop", "Ingress", "HTTPSNotEnabled"),
        event("c", "shop", "Pod", "FailedMount"),
        event("d", "tailscale", "Pod", "TailscaledStateUpdated", "Normal"),
        event("e", "default", "Ingress", "HTTPSNotEnabled"),
      ]);
      await audit();
      expect((await told()).events).toMatchObject([
        { namespace: "shop", object: "Ingress/x", reason: "HTTPSNotEnabled", count: 3 },
        { namespace: "tailscale", object: "Pod/x", reason: "TailscaleStateLoadFailed" },
      ]);
      expect(await look("events", "shop")).toMatchObject({ code: null });
    },
  );
});

describe("a cluster that doesn't answer", () => {
  it("is asked nothing where nothing issues", async () => {
    const pair = world.issue(["www.example.com"]);
    world.put({
      metadata: { name: "www", namespace: "shop" },
      type: "kubernetes.io/tls",
      data: { "tls.crt": base64(pair.certificatePem), "tls.key": base64(pair.keyPem) },
    });
    const labels = {
      "tailscale.com/managed": "true",
      "tailscale.com/parent-resource": "db",
      "tailscale.com/parent-resource-ns": "shop",
      "tailscale.com/parent-resource-type": "svc",
    };
    world.put({
      metadata: { name: "ts-db-a1b2c-0", namespace: "tailscale", labels },
      type: "Opaque",
      data: { device_fqdn: base64("db") },
    });
    await audit();
    expect(asked()).toEqual([]);
    expect(await world.state()).not.toHaveProperty("observations");
  });

  it("because it may not: each source says so, with since when, and the audit is complete", async () => {
    const rules: readonly AccessRule[] = [
      { verbs: ["get", "list"], resources: ["secrets", "namespaces"] },
    ];
    world.sandbox.setToken("reader", serviceAccount("certkeep", "reader", rules));
    putShared(() => "");
    const report = await audit({ token: "reader" });
    expect(report.clusters[0]).toMatchObject({ complete: true, findings: [] });
    const firstMs = world.nowMs;
    world.nowMs += HOUR_MS;
    world.sandbox.forgetRequests();
    const again = await audit({ token: "reader" });
    expect(
      (await told()).looks.map(({ source, code, sinceMs }) => [source, code, sinceMs]),
    ).toEqual([
      ["access", "forbidden", firstMs],
      ["events", "forbidden", firstMs],
      ["events", "forbidden", firstMs],
      ["logs", "forbidden", firstMs],
    ]);
    // One of each: pods, events of two namespaces, a review.
    expect(asked()).toHaveLength(4);
    expect(again.across.ledger.evidence.silences).toEqual(
      expect.arrayContaining([
        { source: "log", cluster: "prod", reason: "forbidden", sinceMs: firstMs },
      ]),
    );
    expect(
      again.across.ledger.evidence.silences.filter(
        ({ source, reason }) => source === "log" && reason === "not_enabled",
      ),
    ).toEqual([]);
  });

  it.each([500, 503, 429])(
    "but with status %i: the audit is complete, and says what is missing",
    async (status) => {
      putShared(() => "");
      world.sandbox.intercept(({ path }) =>
        /pods|events|accessreviews/.test(path) ? { kind: "status", status } : undefined,
      );
      const report = await audit();
      expect(report.clusters[0]?.complete).toBe(true);
      expect(new Set((await told()).looks.map(({ code }) => code))).toEqual(
        new Set(["unreachable"]),
      );
    },
  );

  it("because every source hangs: the audit ends within its bound, and keeps what was known", async () => {
    putShared((from) => line(from + MINUTE_MS, got(SHARED)));
    await audit();
    world.sandbox.intercept(({ path }) =>
      /pods|events|accessreviews/.test(path) ? { kind: "hang" } : undefined,
    );
    world.nowMs += MINUTE_MS;
    let waitedMs = 0;
    const timer: Timer = {
      sleep: (ms, signal) => {
        if (ms === CLUSTER_MS) return realTimer.sleep(ms, signal);
        waitedMs = ms;
        return realTimer.sleep(100, signal);
      },
    };
    const report = await audit({ ports: { timer } });
    expect(waitedMs).toBe(20_000);
    expect(report.clusters[0]).toMatchObject({ complete: true });
    expect(await look("logs", PG_LOG)).toMatchObject({
      code: "timeout",
      wholeMs: world.nowMs - MINUTE_MS,
      lineMs: expect.any(Number) as number,
    });
    expect((await told()).signs).toHaveLength(1);
    expect((await told()).access).toHaveLength(2);
    await audit({ ports: { timer, deadlineMs: world.nowMs + 8_000 } });
    expect(waitedMs).toBe(2_000);
  });

  it("because reading what it answered takes too long: the time ends in the middle of a log", async () => {
    const held = `[RATELIMIT] format("cert(\\"${SHARED}\\"): got cert") (999999999 dropped)`;
    putShared((from) => line(from + MINUTE_MS, held).repeat(30_000));
    const target = await world.target({ observe: true });
    const diagnosis = await world.diagnosis();
    let answered = (): void => {};
    const read = new Promise<void>((resolve) => (answered = resolve));
    const readLog: typeof diagnosis.readLog = async (query, signal) =>
      diagnosis.readLog(query, signal).finally(answered);
    // Over as soon as anything else has a turn.
    const timer: Timer = {
      sleep: async (ms, signal) =>
        ms === CLUSTER_MS
          ? realTimer.sleep(ms, signal)
          : read.then(() => new Promise((resolve) => setImmediate(resolve))),
    };
    const report = await auditAll(
      [{ ...target, diagnosis: { ...diagnosis, readLog } }],
      { ...world.ports(), timer },
      [],
    );
    expect(report.clusters[0]?.complete).toBe(true);
    expect((await told()).looks.filter(({ source }) => source === "logs")).toMatchObject([
      { scope: "tailscale", code: "timeout" },
    ]);
    expect((await told()).signs).toEqual([]);
  });

  it("because the run's own time is over: nothing is asked, nothing forgotten", async () => {
    putShared(() => "");
    await audit();
    const ended = new AbortController();
    world.sandbox.intercept(({ path }) => {
      if (path.endsWith("/pods")) ended.abort();
      return /pods|events|accessreviews/.test(path) ? { kind: "hang" } : undefined;
    });
    const report = await audit({ ports: { signal: ended.signal } });
    expect(report.clusters[0]?.complete).toBe(true);
    expect(await look("logs", PG_LOG)).toMatchObject({ code: "timeout" });
  });
});

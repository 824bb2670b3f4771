/**
 * `certkeep audit` on a real cluster with the rights of the part `diagnosis` and no others: what
 * the logs of a proxy, events and the server itself tell of why certificates are issued.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rulesOf } from "../../lib/rbac/rules.ts";
import { createFileStates } from "../../lib/adapters/file/stores.ts";
import { createAuthority } from "../support/pki.ts";
import { logChoice, selectLog } from "../fake-apiserver/podlog.ts";
import type { StateDocument } from "../../lib/state/document.ts";
import { stateEvidence } from "../../lib/state/evidence.ts";
import { observationsOf } from "../../lib/state/observations.ts";
import { loadState, stateKeys } from "../../lib/usecases/states.ts";
import { type Kube, startKube } from "./support/kube.ts";
import { type KubeletStub, startKubeletStub } from "./support/kubelet.ts";
import { createNamespace, createSecrets, createServiceAccount } from "./support/objects.ts";
import { runProgram } from "./support/run.ts";
import { lacksTools } from "./support/tools.ts";
import { named } from "../support/named.ts";

const MAIN = join(import.meta.dirname, "../../lib/cli/main.ts");
const DOMAIN = "shop.tail1a2b3.ts.net";
const CANARY = "CANARYcanary0123456789";
const base64 = (text: string): string => Buffer.from(text).toString("base64");
const line = (ms: number, text: string): string =>
  `${new Date(ms).toISOString().replace("Z", "000001Z")} 2026/11/23 14:34:50 ${text}\n`;
const got = `cert("${DOMAIN}"): got cert`;
const lost =
  `cert("${DOMAIN}"): getCertPEM: error writing TLS cert and key to Secret: error patching ` +
  `Secret ${DOMAIN}: secrets "${DOMAIN}" is forbidden: User ` +
  `"system:serviceaccount:tailscale:pg" cannot patch resource "secrets" in API group "" in the ` +
  `namespace "tailscale"`;

describe.skipIf(lacksTools("etcd", "kube-apiserver"))("what a real cluster tells of causes", () => {
  let kube: Kube;
  let kubelet: KubeletStub;
  let folder: string;
  let token: string;
  let log: string;
  let startedMs: number;

  const audit = async (): Promise<StateDocument> => {
    const ended = await runProgram(
      process.execPath,
      [MAIN, ...named(folder, ["audit", "--json"])],
      {
        cwd: folder,
        env: {
          PATH: process.env["PATH"] ?? "",
          HOME: folder,
          KUBECONFIG: kube.kubeconfigFor({ token }),
        },
        timeoutMs: 60_000,
      },
    );
    expect(JSON.parse(ended.stdout)).toMatchObject({ clusters: [{ complete: true }] });
    const states = createFileStates(join(folder, "state"));
    const [key = ""] = await stateKeys(states);
    const loaded = await loadState(states, key);
    if (loaded === null) throw new Error("there is no state");
    expect(JSON.stringify(loaded.state) + ended.stdout + ended.stderr).not.toContain("CANARY");
    return loaded.state;
  };

  beforeAll(async () => {
    kube = await startKube();
    kubelet = await startKubeletStub(kube);
    folder = mkdtempSync(join(tmpdir(), "certkeep-e2e-observe-"));
    for (const namespace of ["tailscale", "shop"]) await createNamespace(kube, namespace);
    const authority = createAuthority({ name: "E2E" });
    const nowMs = Date.now();
    const pair = authority.issue({
      names: [DOMAIN],
      notBefore: new Date(nowMs - 40 * 86_400_000),
      notAfter: new Date(nowMs + 50 * 86_400_000),
    });
    const labels = {
      "tailscale.com/managed": "true",
      "tailscale.com/secret-type": "certs",
      "tailscale.com/proxy-group": "pg",
      "tailscale.com/domain": DOMAIN,
      "tailscale.com/parent-resource": "shop",
      "tailscale.com/parent-resource-ns": "shop",
      "tailscale.com/parent-resource-type": "ingress",
    };
    await createSecrets(kube, [
      {
        namespace: "tailscale",
        name: DOMAIN,
        type: "kubernetes.io/tls",
        labels,
        data: { "tls.crt": base64(pair.certificatePem), "tls.key": base64(pair.keyPem) },
      },
    ]);
    // The binding of the domain was left behind: it may read, and no longer write.
    await createServiceAccount(kube, "tailscale", "pg", [
      { apiGroups: [""], resources: ["secrets"], verbs: ["get", "list"], resourceNames: [DOMAIN] },
    ]);
    const rules = rulesOf(
      { parts: ["secrets", "diagnosis"], namespaces: null, secrets: [] },
      "read",
    );
    token = await createServiceAccount(
      kube,
      "shop",
      "certkeep",
      rules.filter(({ namespace }) => namespace === "shop").flatMap((placed) => placed.rules),
      rules.filter(({ namespace }) => namespace === null).flatMap((placed) => placed.rules),
    );
    await kubelet.createPod(
      "tailscale",
      "pg-0",
      "tailscale",
      { "tailscale.com/parent-resource": "pg", "tailscale.com/parent-resource-type": "proxygroup" },
      "pg",
    );
    const pod = await kube.demand<{
      status: { containerStatuses: { state: { running: { startedAt: string } } }[] };
    }>("GET", "/api/v1/namespaces/tailscale/pods/pg-0");
    startedMs = Date.parse(pod.status.containerStatuses[0]?.state.running.startedAt ?? "");
    log =
      line(startedMs + 100, `boot: starting with tskey-auth-${CANARY}`) +
      line(startedMs + 1_000, got) +
      line(startedMs + 1_010, lost) +
      line(startedMs + 9_000, got) +
      line(startedMs + 9_010, lost);
    kubelet.setLog("tailscale", "pg-0", ({ query }) =>
      query.get("previous") === "true" ? null : selectLog(log, logChoice(query)),
    );
    const times = {
      firstTimestamp: new Date(nowMs - 60_000).toISOString().replace(/\.\d+/, ""),
      lastTimestamp: new Date(nowMs).toISOString().replace(/\.\d+/, ""),
    };
    await kube.demand("POST", "/api/v1/namespaces/tailscale/events", {
      metadata: { name: "e1", namespace: "tailscale" },
      involvedObject: { kind: "Pod", name: "pg-0", namespace: "tailscale" },
      type: "Warning",
      reason: "TailscaleStateUpdateFailed",
      message: `secrets not found, Bearer ${CANARY}`,
      count: 7,
      source: { component: "tailscale-state-store" },
      ...times,
    });
    writeFileSync(join(folder, "anchors.pem"), authority.root.pem);
    writeFileSync(
      join(folder, "certkeep.yaml"),
      'stores: {backups: "file:backups", state: "file:state"}\n' +
        "issuers:\n" +
        "  - {id: e2e, title: E2E, kind: production, anchors: anchors.pem}\n",
    );
  });
  afterAll(async () => {
    await kubelet?.stop();
    await kube?.stop();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  it(
    "is read with those rights alone: what was issued and lost, what the account may do, what " +
      "the state store said",
    async () => {
      const state = await audit();
      const { signs, access, events, looks } = observationsOf(state);
      expect(looks.map(({ source, scope, code }) => [source, scope, code])).toEqual([
        ["access", "tailscale", null],
        ["events", "shop", null],
        ["events", "tailscale", null],
        ["logs", "tailscale/pg-0/tailscale", null],
      ]);
      expect(signs).toMatchObject([
        { kind: "issued", code: null, domain: DOMAIN, count: 2 },
        { kind: "store_write_failed", code: "forbidden", domain: DOMAIN, count: 2 },
      ]);
      expect(access).toMatchObject([
        {
          secret: `tailscale/${DOMAIN}`,
          account: "system:serviceaccount:tailscale:pg",
          verb: "get",
          allowed: true,
        },
        {
          secret: `tailscale/${DOMAIN}`,
          account: "system:serviceaccount:tailscale:pg",
          verb: "patch",
          allowed: false,
        },
      ]);
      expect(events).toMatchObject([
        { object: "Pod/pg-0", reason: "TailscaleStateUpdateFailed", count: 7 },
      ]);
      const { issuances, coverage } = stateEvidence(state);
      expect(issuances.filter(({ claimedBy }) => claimedBy !== null)).toHaveLength(2);
      expect(coverage).toMatchObject([
        {
          source: "log",
          cluster: state.cluster,
          scope: { kind: "set", key: DOMAIN },
          fromMs: startedMs,
        },
      ]);
    },
  );

  it("is counted on by the next audit, which asks for what came since", async () => {
    const asked = kubelet.asked.length;
    log += line(Date.now() - 100, got);
    const { signs } = observationsOf(await audit());
    expect(signs.find(({ kind }) => kind === "issued")?.count).toBe(3);
    expect(kubelet.asked.slice(asked).map(({ query }) => query.get("sinceTime"))).toEqual([
      new Date(Math.floor((startedMs + 9_010) / 1_000) * 1_000).toISOString().replace(".000Z", "Z"),
    ]);
  });
});

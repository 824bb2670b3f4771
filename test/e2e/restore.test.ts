/**
 * Restores on a real kube-apiserver: each shape is audited, lost or damaged, planned, restored and
 * audited again, by a service account that has exactly the verbs that docs/restore.md lists.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { codesOf } from "../../lib/restoreplan/item.ts";
import { generateIdentity, createOpener } from "../../lib/adapters/age/identity.ts";
import { createSealer } from "../../lib/adapters/age/sealer.ts";
import { createFileBlobs } from "../../lib/adapters/file/stores.ts";
import { loadConnection } from "../../lib/adapters/kubernetes/context.ts";
import { createClusterReader } from "../../lib/adapters/kubernetes/reader.ts";
import { createClusterWriter } from "../../lib/adapters/kubernetes/writer.ts";
import { createKit } from "../../lib/wiring/kit.ts";
import { createIssuer } from "../../lib/issuer/issuers.ts";
import type { PutObject } from "../fake-apiserver/api.ts";
import { createAuthority, type Issued } from "../support/pki.ts";
import { createKey } from "../support/x509.ts";
import { auditAll, type AuditReport } from "../../lib/usecases/audit.ts";
import type { AuditPorts, AuditSettings } from "../../lib/usecases/audit/context.ts";
import { runRestore } from "../../lib/usecases/restore.ts";
import type { RestoreReport, RestoreRequest } from "../../lib/usecases/restore/context.ts";
import { loadState } from "../../lib/usecases/states.ts";
import { createMemoryStates, type MemoryStates } from "../support/memory.ts";
import {
  accountPem,
  operatorSecret,
  outcomes,
  proxySecret,
  REQUEST,
  tlsSecret,
} from "../support/restoring.ts";
import { realTimer } from "../../lib/adapters/timer.ts";
import { base64, DAY_MS, ingressSecret } from "../support/world.ts";
import { writerContract } from "../contract/writer.ts";
import { startKube, type Kube } from "./support/kube.ts";
import { createNamespace, createServiceAccount, readSecret } from "./support/objects.ts";
import { runProgram } from "./support/run.ts";
import { findTool, lacksTools } from "./support/tools.ts";

const NAMESPACES = ["tailscale", "shop"];
const rbac = "rbac.authorization.k8s.io";
const suffix = "tail1a2b3.ts.net";

describe.skipIf(lacksTools("kube-apiserver", "etcd"))("a restore on a real kube-apiserver", () => {
  let kube: Kube;
  let folder: string;
  let states: MemoryStates;
  let identity: { readonly secret: string; readonly recipient: string };
  let restorer: string;
  let follower: string;
  let ports: AuditPorts;
  const authority = createAuthority({ name: "Test" });
  const key = createKey("P-256");
  const now = Date.now();
  const issue = (...names: string[]): Issued =>
    authority.issue({
      names,
      notBefore: new Date(now - DAY_MS),
      notAfter: new Date(now + 80 * DAY_MS),
      key,
    });

  /**
   * Binds a Role with these verbs on Secrets in each namespace, and nothing else but the cluster's
   * identity.
   */
  async function accountWith(name: string, verbs: readonly string[]): Promise<string> {
    const token = await createServiceAccount(
      kube,
      "certkeep",
      name,
      [],
      [
        {
          apiGroups: [""],
          resources: ["namespaces"],
          resourceNames: ["kube-system"],
          verbs: ["get"],
        } as never,
      ],
    );
    for (const namespace of NAMESPACES) {
      const api = `/apis/${rbac}/v1/namespaces/${namespace}`;
      await kube.demand("POST", `${api}/roles`, {
        metadata: { name },
        rules: [{ apiGroups: [""], resources: ["secrets"], verbs }],
      });
      await kube.demand("POST", `${api}/rolebindings`, {
        metadata: { name },
        roleRef: { apiGroup: rbac, kind: "Role", name },
        subjects: [{ kind: "ServiceAccount", namespace: "certkeep", name }],
      });
    }
    return token;
  }

  async function connection(token?: string) {
    return loadConnection({
      files: [kube.kubeconfigFor(token === undefined ? {} : { token })],
      environment: {},
      homeFolder: null,
      nowMs: Date.now,
    });
  }
  const settings = (): AuditSettings => ({
    namespaces: NAMESPACES,
    selector: null,
    secrets: [],
    operatorNamespace: "tailscale",
    operatorSecret: "operator",
    recipients: [identity.recipient],
    copiesPerDay: 5000,
  });

  async function audit(): Promise<AuditReport> {
    const reader = createClusterReader(await connection());
    return auditAll(
      [
        {
          name: "prod",
          title: "prod",
          server: kube.server,
          homeNamespace: null,
          reader,
          settings: settings(),
        },
      ],
      ports,
      [],
    );
  }

  async function restore(
    request: Partial<RestoreRequest>,
    token = restorer,
  ): Promise<RestoreReport> {
    const [one, opener] = [
      await connection(token),
      await createOpener([{ where: "test", content: identity.secret }]),
    ];
    const target = {
      name: "prod",
      title: "prod",
      server: kube.server,
      homeNamespace: null,
      reader: createClusterReader(one),
      writer: createClusterWriter(one),
      settings: settings(),
    };
    try {
      return await runRestore(
        target,
        { ...REQUEST, ...request },
        { ...ports, opener, timer: realTimer, revocation: null, holder: "e2e" },
      );
    } finally {
      await target.reader.close();
      await target.writer.close();
    }
  }

  async function put(object: PutObject): Promise<void> {
    const { metadata, ...rest } = object;
    const path = `/api/v1/namespaces/${metadata.namespace ?? ""}/secrets`;
    await kube.request("DELETE", `${path}/${metadata.name}`);
    await kube.demand("POST", path, { apiVersion: "v1", kind: "Secret", metadata, ...rest });
  }
  const lose = async (namespace: string, name: string): Promise<void> =>
    void (await kube.demand("DELETE", `/api/v1/namespaces/${namespace}/secrets/${name}`));
  const fineNow = async (count: number): Promise<void> => {
    const [cluster] = (await audit()).clusters;
    expect(cluster?.findings.filter(({ severity }) => severity === "critical")).toEqual([]);
    expect(cluster?.tally.ok).toBe(count);
  };
  const clear = async (): Promise<void> => {
    for (const namespace of NAMESPACES)
      await kube.demand("DELETE", `/api/v1/namespaces/${namespace}/secrets`);
    states.states.clear();
  };

  beforeAll(async () => {
    kube = await startKube();
    folder = mkdtempSync(join(tmpdir(), "certkeep-restore-"));
    for (const namespace of [...NAMESPACES, "certkeep"]) await createNamespace(kube, namespace);
    identity = await generateIdentity();
    states = createMemoryStates();
    const kit = createKit([
      createIssuer({ id: "test", title: "Test", anchorsPem: authority.root.pem }),
    ]);
    ports = {
      backups: createFileBlobs(join(folder, "backups")),
      states,
      sealer: createSealer(),
      clock: { nowMs: () => Date.now() },
      kit,
      progress: { step: () => {}, note: () => {} },
      dryRun: false,
    };
    restorer = await accountWith("restorer", ["get", "list", "create", "patch"]);
    follower = await accountWith("follower", ["get", "list", "create", "patch", "watch"]);
  });
  afterEach(clear);
  afterAll(async () => {
    await kube?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it("A, C, H and generic TLS: deleted, planned, restored byte for byte, and found fine", async () => {
    const account = accountPem();
    const [a, c, h] = [`operator.${suffix}`, `shop.${suffix}`, `side.${suffix}`];
    const secrets = [
      operatorSecret(a, issue(a), account),
      ingressSecret(c, issue(c)),
      operatorSecret(h, issue(h), accountPem(), "shop", "side"),
      tlsSecret("shop", "web-tls", issue("a.example.com")),
    ];
    for (const secret of secrets) await put(secret);
    await fineNow(4);
    for (const { metadata } of secrets) await lose(metadata.namespace ?? "", metadata.name);
    await kube.forgetRequests();
    const planned = await restore({ all: true, mode: "plan" });
    expect(planned.items.map(({ item }) => item.rule)).toEqual(planned.items.map(() => "restore"));
    const rehearsed = await restore({ all: true, mode: "rehearse" });
    expect(rehearsed.items.every(({ outcome }) => outcome === "done")).toBe(true);
    for (const { metadata } of secrets)
      expect(await readSecret(kube, metadata.namespace ?? "", metadata.name)).toBeNull();
    const done = await restore({ all: true });
    expect(
      done.items.every(({ outcome }) => outcome === "done"),
      `${outcomes(done).join("; ")}`,
    ).toBe(true);
    for (const { metadata, data, type } of secrets) {
      const there = await readSecret(kube, metadata.namespace ?? "", metadata.name);
      expect(there?.type).toBe(type);
      for (const [field, bytes] of Object.entries(there?.data ?? {}))
        expect(bytes).toBe(data?.[field]);
      expect(Object.keys(there?.data ?? {}).some((field) => field.startsWith("_"))).toBe(false);
    }
    await fineNow(4);
    const asked = (await kube.requests()).filter(
      ({ user, responseStatus }) =>
        user.username.endsWith(":restorer") && (responseStatus?.code ?? 0) < 400,
    );
    // Whether cert-manager's Certificate stands is asked as well; that it may not be seen is no
    // hindrance.
    expect(
      new Set(asked.map(({ verb, objectRef }) => `${verb} ${objectRef?.resource ?? ""}`)),
    ).toEqual(new Set(["get secrets", "get namespaces", "create secrets"]));
  });

  it("C, D and A: damaged fields are patched, what was there is kept first", async () => {
    const [a, c] = [`operator.${suffix}`, `shop.${suffix}`];
    const [good, bad] = [issue(c), issue("other.example.com")];
    await put(operatorSecret(a, issue(a), accountPem()));
    await put(ingressSecret(c, good));
    await fineNow(2);
    await put(ingressSecret(c, { certificatePem: bad.certificatePem, keyPem: bad.keyPem }));
    await put(operatorSecret(a, null, null));
    const done = await restore({ all: true });
    expect(
      done.items.every(({ outcome }) => outcome === "done"),
      `${outcomes(done).join("; ")}`,
    ).toBe(true);
    expect((await readSecret(kube, "tailscale", c))?.data?.["tls.crt"]).toBe(
      base64(good.certificatePem),
    );
    expect(Object.keys((await readSecret(kube, "tailscale", "operator"))?.data ?? {})).toContain(
      "_machinekey",
    );
    const state = await loadState(states, "prod");
    expect(
      Object.values(state?.state.copies ?? {}).filter(
        ({ kind, sha256 }) => kind === "replaced" && sha256 === bad.sha256,
      ),
    ).toHaveLength(1);
    await fineNow(2);
  });

  it(
    "B: the new Secret is found by its parent, and is filled without a restart where the proxy " +
      "hasn't run",
    async () => {
      const domain = `web.${suffix}`;
      const pair = issue(domain);
      await put(
        proxySecret("ts-web-aaaaa-0", "web", domain, {
          pair,
          account: accountPem(),
          device: domain,
        }),
      );
      await fineNow(1);
      await lose("tailscale", "ts-web-aaaaa-0");
      expect((await restore({ all: true })).items.map(({ outcome }) => outcome)).toEqual([
        "later",
        "later",
      ]);
      await put(proxySecret("ts-web-bbbbb-0", "web", domain, {}));
      const done = await restore({ all: true });
      expect(done.items.map(({ outcome }) => outcome)).toEqual(["done", "done"]);
      // The first of the two writes isn't taken for somebody else's.
      expect(done.items.map(({ message }) => message)).toEqual([null, null]);
      expect((await readSecret(kube, "tailscale", "ts-web-bbbbb-0"))?.data?.[`${domain}.crt`]).toBe(
        base64(pair.certificatePem),
      );
    },
  );

  it.each(["watch", "list"] as const)(
    "B, followed by %s: filled within half a second of its creation",
    async (how) => {
      const domain = `web.${suffix}`;
      await put(
        proxySecret("ts-web-aaaaa-0", "web", domain, { pair: issue(domain), device: domain }),
      );
      await fineNow(1);
      await lose("tailscale", "ts-web-aaaaa-0");
      const following = restore(
        { all: true, followMs: 20_000 },
        how === "watch" ? follower : restorer,
      );
      await sleep(1_500);
      await put(proxySecret("ts-web-ccccc-0", "web", domain, {}));
      const made = performance.now();
      let filled = 0;
      while (filled === 0 && performance.now() - made < 5_000) {
        if (
          (await readSecret(kube, "tailscale", "ts-web-ccccc-0"))?.data?.[`${domain}.crt`] !==
          undefined
        )
          filled = performance.now() - made;
        await sleep(5);
      }
      const report = await following;
      expect(report.items.map(({ outcome }) => outcome)).toEqual(["done"]);
      expect(filled).toBeGreaterThan(0);
      expect(filled).toBeLessThan(how === "watch" ? 500 : 1_000);
      expect(report.events.join(" ").includes("Permission to watch Secrets")).toBe(how === "list");
    },
  );

  it("a verb that is missing is named, with the manifest that grants it", async () => {
    const weak = await accountWith("weak", ["get", "list"]);
    const domain = `shop.${suffix}`;
    await put(ingressSecret(domain, issue(domain)));
    await fineNow(1);
    await lose("tailscale", domain);
    const report = await restore({ all: true }, weak);
    expect(report.items[0]).toMatchObject({ outcome: "failed", code: "cluster_forbidden" });
    expect(report.items[0]?.message).toContain(
      "system:serviceaccount:certkeep:weak has no permission to create secrets in namespace tailscale",
    );
    const manifest = report.items[0]?.message?.split("kubectl apply -f -:\n")[1] ?? "";
    writeFileSync(join(folder, "grant.yaml"), manifest);
    const kubectl = findTool("kubectl");
    if (kubectl !== null) {
      await runProgram(kubectl, [
        "--kubeconfig",
        kube.kubeconfigFor(),
        "apply",
        "-f",
        join(folder, "grant.yaml"),
      ]);
      expect((await restore({ all: true }, weak)).items.map(({ outcome }) => outcome)).toEqual([
        "done",
      ]);
    }
  });

  it("a Secret that is immutable is recreated only when asked for, by who may delete", async () => {
    const deleter = await accountWith("deleter", ["get", "list", "create", "patch", "delete"]);
    await put(tlsSecret("shop", "web-tls", issue("a.example.com")));
    await fineNow(1);
    await put({ ...tlsSecret("shop", "web-tls", issue("b.example.com")), immutable: true });
    const plain = await restore({ all: true });
    expect(plain.items.map(({ item }) => codesOf(item)[0])).toEqual(["live_valid"]);
    const expired = authority.issue({
      names: ["a.example.com"],
      notBefore: new Date(now - 9 * DAY_MS),
      notAfter: new Date(now - DAY_MS),
    });
    await put({ ...tlsSecret("shop", "web-tls", expired), immutable: true });
    expect((await restore({ all: true })).items.map(({ item }) => codesOf(item)[0])).toEqual([
      "secret_immutable",
    ]);
    expect((await restore({ all: true, replace: true })).items[0]).toMatchObject({
      outcome: "failed",
      code: "cluster_forbidden",
    });
    expect(
      (await restore({ all: true, replace: true }, deleter)).items.map(({ outcome }) => outcome),
    ).toEqual(["done"]);
    expect(
      (await readSecret(kube, "shop", "web-tls"))?.metadata.annotations?.[
        "cert-manager.io/certificate-name"
      ],
    ).toBe("web-tls");
    await fineNow(1);
  });

  it("a node's Secret that is immutable is recreated with everything in it, once it is asked for", async () => {
    const recreator = await accountWith("recreator", ["get", "list", "create", "patch", "delete"]);
    const name = `operator.${suffix}`;
    const secret = operatorSecret(name, issue(name), accountPem());
    const metadata = {
      ...secret.metadata,
      labels: { team: "edge" },
      annotations: { "kubectl.kubernetes.io/last-applied-configuration": "{}" },
    };
    await put({ ...secret, metadata, immutable: true });
    await audit();
    const uid = (await readSecret(kube, "tailscale", "operator"))?.metadata.uid;
    expect((await restore({ all: true })).items.map(({ outcome }) => outcome)).toEqual([
      "kept",
      "kept",
    ]);
    const rehearsed = await restore({ all: true, replace: true, mode: "rehearse" }, recreator);
    expect(rehearsed.items.map(({ outcome }) => outcome)).toEqual(["done", "done"]);
    expect((await readSecret(kube, "tailscale", "operator"))?.metadata.uid).toBe(uid);
    const done = await restore({ all: true, replace: true }, recreator);
    expect(outcomes(done)).toEqual([
      "ACME account key restore done secret_recreated",
      `${name} restore done secret_recreated`,
    ]);
    const there = await readSecret(kube, "tailscale", "operator");
    expect(there).toMatchObject({ metadata, type: "Opaque", data: secret.data });
    expect(there?.metadata.uid).not.toBe(uid);
    // It can be written again, and nothing else was left behind.
    await kube.demand("PATCH", "/api/v1/namespaces/tailscale/secrets/operator", {
      data: { [`${name}.crt`]: base64("renewed") },
    });
    const all = await kube.demand("GET", "/api/v1/namespaces/tailscale/secrets");
    expect(JSON.stringify(all)).not.toContain("certkeep-recreate");
  });

  it("1,000 certificates come back in one run, and a second run writes nothing", async () => {
    const names = Array.from({ length: 1000 }, (_, at) => `s${at}.${suffix}`);
    await Promise.all(
      Array.from({ length: 8 }, async (_, lane) => {
        for (let at = lane; at < names.length; at += 8)
          await put(ingressSecret(names[at] ?? "", issue(names[at] ?? "")));
      }),
    );
    await fineNow(1000);
    await kube.demand("DELETE", `/api/v1/namespaces/tailscale/secrets`);
    const start = performance.now();
    const done = await restore({ all: true });
    const tookMs = performance.now() - start;
    process.stderr.write(
      `restored 1,000 certificates in ${(tookMs / 1000).toFixed(1)} s, ` +
        `${(process.memoryUsage().rss / 1048576).toFixed(0)} MB RSS of the test process\n`,
    );
    expect(done.items.filter(({ outcome }) => outcome === "done")).toHaveLength(1000);
    expect(tookMs).toBeLessThan(60_000);
    await kube.forgetRequests();
    expect((await restore({ all: true })).items.every(({ outcome }) => outcome === "kept")).toBe(
      true,
    );
    expect((await kube.requests()).filter(({ verb }) => !["get", "list"].includes(verb))).toEqual(
      [],
    );
  }, 300_000);

  it.skipIf(lacksTools("age", "jq", "kubectl"))(
    "without certkeep: jq, age and kubectl bring the same back",
    async () => {
      const domain = `shop.${suffix}`;
      const pair = issue(domain);
      await put(ingressSecret(domain, pair));
      await fineNow(1);
      await lose("tailscale", domain);
      const state = await loadState(states, "prod");
      const [copy] = Object.values(state?.state.copies ?? {}).filter(
        ({ secret }) => secret === domain,
      );
      writeFileSync(join(folder, "identity.txt"), `${identity.secret}\n`, { mode: 0o600 });
      const file = join(folder, "backups", copy?.key ?? "");
      const tools = { jq: findTool("jq"), age: findTool("age"), kubectl: findTool("kubectl") };
      const line =
        `'${tools.jq}' -r .sealed '${file}' | '${tools.age}' -d -i ` +
        `'${join(folder, "identity.txt")}' | '${tools.jq}' 'select(.kind=="Secret")' | ` +
        `'${tools.kubectl}' --kubeconfig '${kube.kubeconfigFor()}' apply --server-side ` +
        "--force-conflicts " +
        `--field-manager=certkeep-${Object.keys(state?.state.copies ?? {})[0]?.slice(0, 12)} -f ` +
        "-";
      await runProgram("/bin/bash", ["-o", "pipefail", "-c", line]);
      expect((await readSecret(kube, "tailscale", domain))?.data).toEqual({
        "tls.crt": base64(pair.certificatePem),
        "tls.key": base64(pair.keyPem),
      });
      await fineNow(1);
    },
  );
});

if (!lacksTools("kube-apiserver", "etcd")) {
  writerContract("kube-apiserver", async () => {
    const kube = await startKube();
    await createNamespace(kube, "work");
    const none = await createServiceAccount(kube, "work", "none", []);
    const at = (token?: string) =>
      loadConnection({
        files: [kube.kubeconfigFor(token === undefined ? {} : { token })],
        environment: {},
        homeFolder: null,
        nowMs: Date.now,
      });
    const [admin, weak] = [await at(), await at(none)];
    const [writer, reader, powerless] = [
      createClusterWriter(admin),
      createClusterReader(admin),
      createClusterWriter(weak),
    ];
    return {
      writer,
      reader,
      powerless,
      namespace: "work",
      close: async () => {
        await Promise.all([writer.close(), reader.close(), powerless.close()]);
        await kube.stop();
      },
    };
  });
}

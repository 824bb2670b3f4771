/**
 * Why certificates are reissued, on a real kube-apiserver: for each cause a cluster in which it
 * holds, one in which none does, and one in which two do; `certkeep explain` names it from what
 * `certkeep audit` was told, with the rights of a registration and no others. RBAC, access reviews,
 * Events and immutability are the server's own; a pod's log is served by a stub of its kubelet.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { generateIdentity } from "../../lib/adapters/age/identity.ts";
import { createAuthority, type Authority, issueAged, type Issued } from "../support/pki.ts";
import { runIn } from "./support/incommand.ts";
import { startKube, type Kube } from "./support/kube.ts";
import { startKubeletStub, type KubeletStub } from "./support/kubelet.ts";
import { createNamespace, createSecrets } from "./support/objects.ts";
import { runProgram } from "./support/run.ts";
import { lacksTools } from "./support/tools.ts";
import { named } from "../support/named.ts";

const RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces/tailscale";
const MAIN = resolve(import.meta.dirname, "../../lib/cli/main.ts");
const DOMAIN = "shop.tail1a2b3.ts.net";
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const base64 = (text: string): string => Buffer.from(text).toString("base64");

interface Explained {
  readonly diagnoses: readonly {
    readonly cluster: string;
    readonly verdict: string;
    readonly needless: readonly string[];
    readonly causes: readonly {
      readonly code: string;
      readonly confidence: string;
      readonly over: string | null;
      readonly because: string;
      readonly evidence: readonly { readonly source: string; readonly text: string }[];
      readonly measures: readonly { readonly command: string | null }[];
    }[];
    readonly missing: readonly { readonly source: string; readonly code: string }[];
  }[];
  readonly findings: readonly { readonly code: string; readonly why: string | null }[];
}

/** A folder of certkeep's, and the clusters that are registered there. */
type PairText = Pick<Issued, "certificatePem" | "keyPem">;

class World {
  readonly folder = mkdtempSync(join(tmpdir(), "certkeep-e2e-causes-"));
  readonly clusters: {
    readonly name: string;
    readonly kube: Kube;
    readonly kubelet: KubeletStub;
  }[] = [];
  readonly #authority: Authority;

  constructor(authority: Authority) {
    this.#authority = authority;
  }

  async init(): Promise<this> {
    const { secret, recipient } = await generateIdentity();
    mkdirSync(this.folder, { recursive: true });
    writeFileSync(join(this.folder, "identity.txt"), `${secret}\n`, { mode: 0o600 });
    writeFileSync(join(this.folder, "anchors.pem"), this.#authority.root.pem);
    writeFileSync(
      join(this.folder, "intermediates.pem"),
      this.#authority.intermediates.map(({ pem }) => pem).join(""),
    );
    const issuer =
      "  - {id: e2e, title: E2E, kind: production, anchors: anchors.pem, intermediates: " +
      "intermediates.pem, limits: {perSet: {count: 5}, perDomain: {count: 50}}}";
    writeFileSync(
      join(this.folder, "certkeep.yaml"),
      `recipients: [${recipient}]\n` +
        "identity: file:identity.txt\n" +
        `stores: {backups: "file:backups", state: "file:state"}\n` +
        "issuers:\n" +
        `${issuer}\n`,
    );
    return this;
  }

  /** A certificate of the name, issued so long ago. */
  issue(agoMs: number): PairText {
    return issueAged(this.#authority, [DOMAIN], Date.now(), agoMs);
  }

  /**
   * A cluster with a ProxyGroup that serves the name; its Secret may be written by the group's
   * account.
   */
  async cluster(name: string, pair: PairText, parts = "secrets,parents,diagnosis"): Promise<Kube> {
    const kube = await startKube();
    const kubelet = await startKubeletStub(kube);
    this.clusters.push({ name, kube, kubelet });
    for (const namespace of ["tailscale", "shop"]) await createNamespace(kube, namespace);
    await kube.demand("POST", "/api/v1/namespaces/tailscale/serviceaccounts", {
      metadata: { name: "pg" },
    });
    await kube.demand("POST", `${RBAC}/roles`, {
      metadata: { name: DOMAIN },
      rules: [
        {
          apiGroups: [""],
          resources: ["secrets"],
          resourceNames: [DOMAIN],
          verbs: ["get", "list", "patch", "update"],
        },
      ],
    });
    await kube.demand("POST", `${RBAC}/rolebindings`, {
      metadata: { name: DOMAIN },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: DOMAIN },
      subjects: [{ kind: "ServiceAccount", namespace: "tailscale", name: "pg" }],
    });
    await this.put(kube, pair);
    await this.pod(kube, kubelet, []);
    const kubeconfig = kube.kubeconfigFor({ contextName: "admin" });
    const added = await this.run(
      [
        "clusters",
        "add",
        name,
        "--context",
        "admin",
        "--namespace",
        "tailscale",
        "--namespace",
        "shop",
        "--parts",
        parts,
        "--yes",
      ],
      kubeconfig,
    );
    if (added.code !== 0) throw new Error(added.stderr);
    return kube;
  }

  async put(
    kube: Kube,
    pair: PairText,
    over: {
      readonly immutable?: boolean;
      readonly namespace?: string;
      readonly name?: string;
      readonly shape?: "tls";
    } = {},
  ): Promise<void> {
    const { namespace = "tailscale", name = DOMAIN } = over;
    const labels =
      over.shape === "tls"
        ? {}
        : {
            "tailscale.com/managed": "true",
            "tailscale.com/secret-type": "certs",
            "tailscale.com/proxy-group": "pg",
            "tailscale.com/domain": DOMAIN,
            "tailscale.com/parent-resource": "shop",
            "tailscale.com/parent-resource-ns": "shop",
            "tailscale.com/parent-resource-type": "ingress",
          };
    const data = { "tls.crt": base64(pair.certificatePem), "tls.key": base64(pair.keyPem) };
    const there = await kube.request("GET", `/api/v1/namespaces/${namespace}/secrets/${name}`);
    if (there.status === 404)
      await createSecrets(kube, [
        {
          namespace,
          name,
          type: "kubernetes.io/tls",
          labels,
          data,
          ...(over.immutable === true ? { immutable: true } : {}),
        },
      ]);
    else
      await kube.demand("PATCH", `/api/v1/namespaces/${namespace}/secrets/${name}`, {
        data,
        ...(over.immutable === true ? { immutable: true } : {}),
      });
  }

  /** The group's first pod, which alone issues, with such a log since its start a moment ago. */
  async pod(kube: Kube, kubelet: KubeletStub, lines: readonly string[]): Promise<void> {
    const there = await kube.request("GET", "/api/v1/namespaces/tailscale/pods/pg-0");
    if (there.status === 404)
      await kubelet.createPod(
        "tailscale",
        "pg-0",
        "tailscale",
        {
          "tailscale.com/managed": "true",
          "tailscale.com/parent-resource": "pg",
          "tailscale.com/parent-resource-type": "proxygroup",
        },
        "pg",
      );
    const fromMs = Date.now() - 59_000;
    const log = ["boot: 2026/11/23 14:34:49 Starting tailscaled", ...lines]
      .map((line, i) => `${new Date(fromMs + i * 1000).toISOString()} ${line}`)
      .join("\n");
    kubelet.setLog("tailscale", "pg-0", `${log}\n`);
  }

  log(name: string, lines: readonly string[]): Promise<void> {
    const found = this.clusters.find((cluster) => cluster.name === name);
    if (found === undefined) throw new Error(name);
    return this.pod(found.kube, found.kubelet, lines);
  }

  async run(
    args: readonly string[],
    kubeconfig = "",
  ): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
    return runIn(args, this.folder, {
      PATH: process.env["PATH"] ?? "",
      HOME: this.folder,
      KUBECONFIG: kubeconfig,
    });
  }

  /** The findings that the audit itself tells. */
  async audit(): Promise<readonly string[]> {
    const { stdout, stderr } = await this.run(["audit", "--json"]);
    const document = JSON.parse(stdout) as {
      clusters: { complete: boolean; findings: { code: string }[] }[];
    };
    if (
      stderr !== "" ||
      document.clusters.length !== this.clusters.length ||
      !document.clusters.every(({ complete }) => complete)
    )
      throw new Error(`not audited whole: ${stderr}`);
    return document.clusters.flatMap(({ findings }) => findings.map(({ code }) => code)).toSorted();
  }

  async explain(): Promise<{
    readonly document: Explained;
    readonly text: string;
    readonly causes: readonly string[];
  }> {
    // The page as a person gets it: from the command itself.
    const [json, page] = [
      await this.run(["explain", DOMAIN, "--json"]),
      await runProgram(
        process.execPath,
        [MAIN, ...named(this.folder, ["explain", DOMAIN, "--no-color"])],
        {
          cwd: this.folder,
          env: { PATH: process.env["PATH"] ?? "", HOME: this.folder },
        },
      ),
    ];
    const document = JSON.parse(json.stdout) as Explained;
    return {
      document,
      text: page.stdout.replaceAll(/\s+/g, " "),
      causes: document.diagnoses.flatMap(({ causes }) =>
        causes.map(
          ({ code, confidence, over }) => `${code} ${confidence}${over === null ? "" : " over"}`,
        ),
      ),
    };
  }

  async stop(): Promise<void> {
    await Promise.all(this.clusters.flatMap(({ kube, kubelet }) => [kubelet.stop(), kube.stop()]));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const stamp = "2026/11/23 14:34:50";
const cert = (text: string): string => `${stamp} cert("${DOMAIN}"): ${text}`;
const ORDER = [
  cert("acme: using dns-01: Funnel is not enabled for x:443"),
  cert("requesting cert..."),
];
const LOST = [
  ...ORDER,
  cert("got cert"),
  cert(
    `getCertPEM: error writing TLS cert and key to Secret: error getting Secret ${DOMAIN}: ` +
      `secrets "${DOMAIN}" not found`,
  ),
];

describe.skipIf(lacksTools("etcd", "kube-apiserver"))("why certificates are reissued", () => {
  let authority: Authority;
  const worlds: World[] = [];
  const world = async (): Promise<World> => {
    const one = await new World(authority).init();
    worlds.push(one);
    return one;
  };
  /**
   * One cluster whose certificate was issued anew an hour ago, though that of two days ago was
   * good.
   */
  const reissued = async (
    parts?: string,
  ): Promise<{ readonly world: World; readonly kube: Kube }> => {
    const one = await world();
    const kube = await one.cluster("prod", one.issue(2 * DAY_MS), parts);
    await one.audit();
    await one.put(kube, one.issue(HOUR_MS));
    return { world: one, kube };
  };

  beforeAll(() => {
    authority = createAuthority({ name: "E2E" });
  });
  afterAll(async () => {
    await Promise.all(worlds.map((one) => one.stop()));
  });

  it("names none where none holds, and says so", async () => {
    const one = await world();
    await one.cluster("prod", one.issue(2 * DAY_MS));
    expect(await one.audit()).toEqual([]);
    const { document, text } = await one.explain();
    expect(document.diagnoses).toMatchObject([
      { verdict: "none", causes: [], missing: [], needless: [] },
    ]);
    expect(text).toContain("Why No needless reissue was seen, and nothing that would lead to one.");
  });

  it("storage: the owner's RoleBinding is gone", async () => {
    const { world: one, kube } = await reissued();
    await kube.demand("DELETE", `${RBAC}/rolebindings/${DOMAIN}`);
    expect(await one.audit()).toEqual(["reissued_without_need", "storage_forbidden"]);
    const { document, text, causes } = await one.explain();
    expect(causes).toEqual(["storage proven"]);
    expect(document.diagnoses[0]?.causes[0]?.evidence[0]).toMatchObject({
      source: "access",
      text: expect.stringContaining("system:serviceaccount:tailscale:pg may not get or patch it"),
    });
    expect(text).toContain(`kubectl get rolebinding ${DOMAIN} -n tailscale -o yaml`);
    expect(document.findings.find(({ code }) => code === "reissued_without_need")?.why).toMatch(
      /^Because the Secret can't be written \(denied since /,
    );
  });

  it("storage: the Secret is immutable", async () => {
    const { world: one, kube } = await reissued();
    await one.put(kube, one.issue(HOUR_MS), { immutable: true });
    expect(await one.audit()).toEqual(expect.arrayContaining(["storage_immutable"]));
    const { causes, text } = await one.explain();
    expect(causes[0]).toBe("storage proven");
    expect(text).toContain(`certkeep restore prod ${DOMAIN} --replace`);
  });

  it("storage: Events of the state store, which are no more than likely", async () => {
    const { world: one, kube } = await reissued();
    const now = new Date().toISOString().replace(/\.\d+Z$/, "Z");
    await kube.demand("POST", "/api/v1/namespaces/tailscale/events", {
      metadata: { name: "pg-0.17a", namespace: "tailscale" },
      involvedObject: { apiVersion: "v1", kind: "Pod", namespace: "tailscale", name: "pg-0" },
      type: "Warning",
      reason: "TailscaleStateUpdateFailed",
      message: "secrets not found",
      count: 7,
      firstTimestamp: now,
      lastTimestamp: now,
      source: { component: "tailscale-state-store" },
    });
    expect(await one.audit()).toEqual(["reissued_without_need", "storage_failing"]);
    const { causes, text } = await one.explain();
    expect(causes).toEqual(["storage likely"]);
    expect(text).toContain("the message is that of the first time: secrets not found");
  });

  it("storage: issued and lost, as the log says", async () => {
    const { world: one } = await reissued();
    await one.log("prod", [...LOST, ...LOST]);
    expect(await one.audit()).toEqual(expect.arrayContaining(["issued_not_stored"]));
    const { document, causes, text } = await one.explain();
    expect(causes).toEqual(["storage proven"]);
    expect(document.diagnoses[0]?.causes[0]?.evidence[0]?.text).toContain(
      "error writing TLS cert and key to Secret",
    );
    expect(document.diagnoses[0]?.needless.length).toBe(3);
    expect(text).toContain("what is issued can't be stored: the Secret is missing (twice, last at");
  });

  it("DNS: the resolver, as the log says", async () => {
    const { world: one } = await reissued();
    await one.log("prod", [
      cert(
        'getCertPEM: Get "https://acme-v02.api.letsencrypt.org/directory": dial tcp: lookup ' +
          "acme-v02.api.letsencrypt.org on 10.96.0.10:53: no such host",
      ),
    ]);
    expect(await one.audit()).toEqual(["dns_failing", "reissued_without_need"]);
    const { causes, text } = await one.explain();
    expect(causes).toEqual(["dns proven"]);
    expect(text).toContain("because a name can't be looked up");
  });

  it("validation: a key that didn't fit before the reissue", async () => {
    const one = await world();
    const kube = await one.cluster("prod", one.issue(2 * DAY_MS));
    await one.audit();
    await one.put(kube, {
      certificatePem: one.issue(2 * DAY_MS).certificatePem,
      keyPem: one.issue(2 * DAY_MS).keyPem,
    });
    expect(await one.audit()).toEqual(["certificate_invalid"]);
    expect((await one.explain()).causes).toEqual(["validation_fails proven"]);
    // Its owner throws it away and stores another.
    await one.put(kube, one.issue(60_000));
    expect(await one.audit()).toEqual(["reissued_without_need"]);
    const { causes, text } = await one.explain();
    expect(causes).toEqual(["validation_fails proven over"]);
    expect(text).toContain(
      "what was stored was rejected (the private key doesn't match the certificate)",
    );
  });

  it("race: the same set in two namespaces and in two clusters", async () => {
    const one = await world();
    const [first, second, third] = [
      one.issue(HOUR_MS),
      one.issue(HOUR_MS - 60_000),
      one.issue(HOUR_MS - 120_000),
    ];
    const kube = await one.cluster("prod", first);
    await one.put(kube, second, { namespace: "shop", name: "shop-tls", shape: "tls" });
    await one.audit();
    expect((await one.explain()).causes).toEqual(["race proven"]);
    await one.cluster("dr", third);
    expect(new Set(await one.audit())).toEqual(
      new Set(["concurrent_issuance", "reissued_without_need", "set_budget_low", "shared_set"]),
    );
    const { document, text, causes } = await one.explain();
    expect(document.diagnoses.map(({ cluster }) => cluster).toSorted()).toEqual(["dr", "prod"]);
    expect(causes).toEqual(["race proven", "race proven"]);
    for (const holder of [
      `dr tailscale/${DOMAIN}`,
      `prod tailscale/${DOMAIN}`,
      "prod shop/shop-tls",
    ])
      expect(text).toContain(holder);
  });

  it("two at once: the RoleBinding is gone, and the resolver fails", async () => {
    const { world: one, kube } = await reissued();
    await kube.demand("DELETE", `${RBAC}/rolebindings/${DOMAIN}`);
    await one.log("prod", [cert("getCertPEM: lookup acme-v02.api.letsencrypt.org: no such host")]);
    await one.audit();
    expect((await one.explain()).causes).toEqual(["storage proven", "dns proven"]);
  });

  it("says that it doesn't know where it may not look, with the command that would let it", async () => {
    const { world: one } = await reissued("secrets,parents");
    await one.audit();
    const { document, text } = await one.explain();
    expect(document.diagnoses).toMatchObject([{ verdict: "unknown", causes: [] }]);
    expect(text).toMatch(/Cause unknown: logs (?:denied since|not enabled)/);
    expect(text).toContain(
      "certkeep clusters add prod --parts secrets --parts parents --parts diagnosis",
    );
  });
});

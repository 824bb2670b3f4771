/** Clusters of a folder, whose certificates, pods and logs a test sets up to be diagnosed. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { generateIdentity } from "../../../lib/adapters/age/identity.ts";
import { type Authority, createAuthority, issueAged, type Issued } from "../../support/pki.ts";
import { named } from "../../support/named.ts";
import { runIn } from "./incommand.ts";
import type { Kube } from "./kube.ts";
import { startKube } from "./kube.ts";
import { type KubeletStub, startKubeletStub } from "./kubelet.ts";
import { createNamespace, createSecrets } from "./objects.ts";
import { runProgram } from "./run.ts";

export const RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces/tailscale";
const MAIN = resolve(import.meta.dirname, "../../../lib/cli/main.ts");
export const DOMAIN = "shop.tail1a2b3.ts.net";
export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

const base64 = (text: string): string => Buffer.from(text).toString("base64");

export interface Explained {
  readonly diagnoses: readonly {
    readonly cluster: string;
    readonly verdict: string;
    readonly needless: readonly string[];
    readonly causes: readonly {
      readonly code: string;
      readonly confidence: string;
      readonly over: string | null;
      readonly explainsReissue: boolean;
      readonly because: string;
      readonly evidence: readonly { readonly source: string; readonly text: string }[];
      readonly measures: readonly { readonly command: string | null }[];
    }[];
    readonly missing: readonly { readonly source: string; readonly code: string }[];
  }[];
  readonly findings: readonly { readonly code: string; readonly why: string | null }[];
}

export type PairText = Pick<Issued, "certificatePem" | "keyPem">;

export class World {
  readonly folder = mkdtempSync(join(tmpdir(), "certkeep-e2e-causes-"));
  readonly clusters: {
    readonly name: string;
    readonly kube: Kube;
    readonly kubelet: KubeletStub;
  }[] = [];
  readonly #authority: Authority;
  readonly #staging = createAuthority({ name: "E2E Staging" });
  /** Of a company: no issuer of this folder's. */
  readonly ownCa = createAuthority({ name: "Corp" });

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
    writeFileSync(join(this.folder, "staging.pem"), this.#staging.root.pem);
    const issuer =
      "  - {id: e2e, title: E2E, kind: production, anchors: anchors.pem, intermediates: " +
      "intermediates.pem, limits: {perSet: {count: 5}, perDomain: {count: 50}}}";
    writeFileSync(
      join(this.folder, "certkeep.yaml"),
      `recipients: [${recipient}]\n` +
        "identity: file:identity.txt\n" +
        `stores: {backups: "file:backups", state: "file:state"}\n` +
        "issuers:\n" +
        `${issuer}\n` +
        "  - {id: e2e-staging, title: E2E Staging, kind: staging, anchors: staging.pem}\n",
    );
    return this;
  }

  /** A certificate of the name, issued so long ago. */
  issue(agoMs: number, name = DOMAIN): PairText {
    return issueAged(this.#authority, [name], Date.now(), agoMs);
  }

  issueStaging(agoMs: number): PairText {
    return issueAged(this.#staging, [DOMAIN], Date.now(), agoMs);
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
  async pod(
    kube: Kube,
    kubelet: KubeletStub,
    lines: readonly string[],
    agoMs = 59_000,
  ): Promise<void> {
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
    const fromMs = Date.now() - agoMs;
    const log = ["boot: 2026/11/23 14:34:49 Starting tailscaled", ...lines]
      .map((line, i) => `${new Date(fromMs + i * 1000).toISOString()} ${line}`)
      .join("\n");
    kubelet.setLog("tailscale", "pg-0", `${log}\n`);
  }

  log(name: string, lines: readonly string[], agoMs?: number): Promise<void> {
    const found = this.clusters.find((cluster) => cluster.name === name);
    if (found === undefined) throw new Error(name);
    return this.pod(found.kube, found.kubelet, lines, agoMs);
  }

  /** Forgets what was audited, and removes Secrets, pods and Events, as of another cluster. */
  async empty(kube: Kube): Promise<void> {
    for (const folder of ["state", "backups"])
      rmSync(join(this.folder, folder), { recursive: true, force: true });
    for (const namespace of ["tailscale", "shop"]) {
      await kube.demand("DELETE", `/api/v1/namespaces/${namespace}/events`);
      await kube.demand("DELETE", `/api/v1/namespaces/${namespace}/pods?gracePeriodSeconds=0`);
      const { body } = await kube.request<{
        items?: { metadata: { name: string }; type: string }[];
      }>("GET", `/api/v1/namespaces/${namespace}/secrets`);
      for (const { metadata, type } of body.items ?? [])
        if (type !== "kubernetes.io/service-account-token")
          await kube.demand("DELETE", `/api/v1/namespaces/${namespace}/secrets/${metadata.name}`);
    }
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
        [MAIN, ...named(this.folder, ["explain", DOMAIN, "--no-color", "-v"])],
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

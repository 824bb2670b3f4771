/**
 * The command against a real kube-apiserver: what a person does, with the rights that an audit
 * needs and no others.
 */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { generateIdentity } from "../../lib/adapters/age/identity.ts";
import { createAuthority, type Authority, type Issued } from "../support/pki.ts";
import { createKey } from "../support/x509.ts";
import { startFront, type Front } from "./support/front.ts";
import { startKube, type Kube } from "./support/kube.ts";
import {
  createNamespace,
  createSecrets,
  createServiceAccount,
  readSecret,
  type SecretManifest,
} from "./support/objects.ts";
import { kubectl, runProgram, type Ended } from "./support/run.ts";
import { lacksTools, requireTool } from "./support/tools.ts";
import { named } from "../support/named.ts";

const MAIN = resolve(import.meta.dirname, "../../lib/cli/main.ts");
const DAY_MS = 86_400_000;
const TAILNET = "tail1a2b3.ts.net";

const base64 = (text: string): string => Buffer.from(text).toString("base64");

interface AuditDocument {
  readonly clusters: readonly {
    readonly complete: boolean;
    readonly counts: {
      readonly certificates: number;
      readonly ok: number;
      readonly copies: number;
    };
    readonly copies: { readonly made: number };
    readonly findings: readonly {
      readonly code: string;
      readonly subject: { readonly name: string | null };
    }[];
  }[];
}

/** Secrets of every shape that there is, `count` in all, each with a good certificate. */
function* everyShape(authority: Authority, count: number): Generator<SecretManifest> {
  const keys = createKey("P-256");
  const dates = {
    notBefore: new Date(Date.now() - 10 * DAY_MS),
    notAfter: new Date(Date.now() + 80 * DAY_MS),
    key: keys,
  };
  const issue = (name: string): Issued => authority.issue({ names: [name], ...dates });
  const field = (name: string, pair: Issued): Record<string, string> => ({
    [`${name}.crt`]: base64(pair.certificatePem),
    [`${name}.key`]: base64(pair.keyPem),
  });
  const parent = (name: string, type: string): Record<string, string> => ({
    "tailscale.com/managed": "true",
    "tailscale.com/parent-resource": name,
    "tailscale.com/parent-resource-ns": "shop",
    "tailscale.com/parent-resource-type": type,
  });
  const account = { "acme-account.key.pem": base64(issue("account.test").keyPem) };
  const operator = `operator.${TAILNET}`;
  yield {
    namespace: "tailscale",
    name: "operator",
    type: "Opaque",
    data: {
      ...field(operator, issue(operator)),
      ...field(`second.${TAILNET}`, issue(`second.${TAILNET}`)),
      ...account,
      _machinekey: base64("privkey:x"),
      _profiles: base64("{}"),
    },
  };
  for (let n = 1; n < count; n += 1) {
    const name = `n${n}.${TAILNET}`;
    const pair = issue(name);
    const tls = { "tls.crt": base64(pair.certificatePem), "tls.key": base64(pair.keyPem) };
    switch (n % 5) {
      case 0:
        yield {
          namespace: "tailscale",
          name: `ts-n${n}-x7k2p-0`,
          type: "Opaque",
          labels: parent(`n${n}`, "ingress"),
          data: { ...field(name, pair), ...account, _machinekey: base64("x") },
        };
        break;
      case 1:
        yield {
          namespace: "tailscale",
          name,
          type: "kubernetes.io/tls",
          labels: {
            ...parent(`n${n}`, "ingress"),
            "tailscale.com/secret-type": "certs",
            "tailscale.com/proxy-group": "pg",
            "tailscale.com/domain": name,
          },
          data: tls,
        };
        break;
      case 2:
        yield {
          namespace: "tailscale",
          name,
          type: "kubernetes.io/tls",
          labels: {
            "tailscale.com/managed": "true",
            "tailscale.com/secret-type": "certs",
            "tailscale.com/proxy-group": "kube",
            "tailscale.com/domain": name,
            "tailscale.com/parent-resource": "kube",
            "tailscale.com/parent-resource-type": "proxygroup",
          },
          data: tls,
        };
        break;
      case 3:
        yield {
          namespace: "shop",
          name: `sidecar-${n}`,
          type: "Opaque",
          data: { ...field(name, pair), _machinekey: base64("x") },
        };
        break;
      default:
        yield {
          namespace: "shop",
          name: `tls-${n}`,
          type: "kubernetes.io/tls",
          annotations: {
            "cert-manager.io/certificate-name": `tls-${n}`,
            "cert-manager.io/issuer-name": "letsencrypt",
          },
          labels: { "controller.cert-manager.io/fao": "true" },
          data: tls,
        };
    }
  }
}

describe.skipIf(lacksTools("etcd", "kube-apiserver", "kubectl", "age", "jq"))(
  "an audit of a real cluster",
  () => {
    let kube: Kube;
    let front: Front;
    let folder: string;
    let readerToken: string;
    let identityFile: string;

    const run = (args: readonly string[], kubeconfig: string): Promise<Ended> =>
      runProgram(process.execPath, [MAIN, ...named(folder, args)], {
        cwd: folder,
        env: { PATH: process.env["PATH"] ?? "", HOME: folder, KUBECONFIG: kubeconfig },
        timeoutMs: 100_000,
      });
    const audit = async (
      kubeconfig: string,
    ): Promise<{ readonly ended: Ended; readonly cluster: AuditDocument["clusters"][number] }> => {
      const ended = await run(["audit", "--json"], kubeconfig);
      const [cluster] = (JSON.parse(ended.stdout) as AuditDocument).clusters;
      if (cluster === undefined) throw new Error(ended.stderr);
      return { ended, cluster };
    };

    beforeAll(async () => {
      kube = await startKube({ pagesFromCache: false });
      front = await startFront(kube);
      folder = mkdtempSync(join(tmpdir(), "certkeep-e2e-audit-"));
      await createNamespace(kube, "tailscale");
      await createNamespace(kube, "shop");
      const authority = createAuthority({ name: "E2E" });
      await createSecrets(kube, everyShape(authority, 500));
      await createSecrets(
        kube,
        (function* () {
          for (let n = 0; n < 120; n += 1)
            yield {
              namespace: "shop",
              name: `other-${n}`,
              type: "Opaque",
              data: { password: base64(`p${n}`) },
            };
        })(),
      );
      readerToken = await createServiceAccount(
        kube,
        "tailscale",
        "certkeep",
        [],
        [
          { apiGroups: [""], resources: ["secrets"], verbs: ["list", "get"] },
          { apiGroups: [""], resources: ["namespaces"], verbs: ["get"] },
        ],
      );
      const { secret, recipient } = await generateIdentity();
      identityFile = join(folder, "identity.txt");
      writeFileSync(identityFile, `${secret}\n`, { mode: 0o600 });
      writeFileSync(join(folder, "anchors.pem"), authority.root.pem);
      writeFileSync(
        join(folder, "certkeep.yaml"),
        `recipients: [${recipient}]\n` +
          `stores: {backups: "file:backups", state: "file:state"}\n` +
          "issuers:\n" +
          "  - {id: e2e, title: E2E, kind: production, anchors: anchors.pem}\n",
      );
    });
    afterAll(async () => {
      await front?.stop();
      await kube?.stop();
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    });

    it(
      "finds and keeps every shape with list and get alone, over an expired listing, and the " +
        "server refuses that credential any write",
      async () => {
        let expired = false;
        front.interfere(async ({ query }) => {
          if (expired || query.get("continue") === null) return null;
          expired = true;
          await kube.demand("POST", "/api/v1/namespaces/shop/secrets", {
            metadata: { name: "late" },
            type: "Opaque",
            data: { password: base64("late") },
          });
          await kube.compact();
          return null;
        });
        const config = kube.kubeconfigFor({ token: readerToken, server: front.server });
        const { ended, cluster } = await audit(config);
        expect(expired).toBe(true);
        expect(front.passages.some(({ status }) => status === 410)).toBe(true);
        expect(ended).toMatchObject({ code: 0 });
        // 500 Secrets, of which the operator's holds two certificates.
        expect(cluster).toMatchObject({
          complete: true,
          counts: { certificates: 501, ok: 501, copies: 501 },
          findings: [],
        });
        // It may ask what an owner may do, which stores nothing; here it is refused even that, and
        // does without.
        expect(
          new Set(
            front.passages
              .filter(({ method }) => method !== "GET")
              .map(({ method, path, status }) => `${method} ${path} ${status}`),
          ),
        ).toEqual(new Set(["POST /apis/authorization.k8s.io/v1/subjectaccessreviews 403"]));
        const refused = await kubectl(
          kube,
          ["create", "secret", "generic", "x", "-n", "tailscale", "--from-literal=a=b"],
          { kubeconfig: kube.kubeconfigFor({ token: readerToken }) },
        );
        expect(refused.stderr).toContain("forbidden");
      },
    );

    it("reads no value a second time, and asks for little", async () => {
      front.forget();
      front.interfere(() => null);
      const { cluster } = await audit(
        kube.kubeconfigFor({ token: readerToken, server: front.server }),
      );
      expect(cluster).toMatchObject({
        complete: true,
        counts: { certificates: 501, copies: 501 },
        copies: { made: 0 },
      });
      const withValues = front.passages.filter(
        ({ path, headers }) => path.includes("/secrets") && !(headers.accept ?? "").includes("as="),
      );
      expect(withValues.map(({ path }) => path)).toEqual([]);
      const ofCauses = front.passages.filter(({ path }) =>
        /\/(?:pods|events|subjectaccessreviews)$/.test(path),
      );
      expect(ofCauses.length).toBeLessThan(8);
      expect(front.passages.length - ofCauses.length).toBeLessThan(12);
    });

    it("gives back two records of one Secret by jq, age and kubectl alone", async () => {
      const cluster =
        readdirSync(join(folder, "backups")).find((name) => name.startsWith("uid-")) ?? "";
      const operator = join(folder, "backups", cluster, "tailscale", "operator");
      const before = (await readSecret(kube, "tailscale", "operator"))?.data ?? {};
      await kube.demand("DELETE", "/api/v1/namespaces/tailscale/secrets/operator");
      const bin = join(folder, "bin");
      mkdirSync(bin);
      const kubeconfig = kube.kubeconfigFor({ token: kube.adminToken });
      for (const file of readdirSync(operator)) {
        const line =
          'jq -r .sealed "$FILE" | age -d -i "$IDENTITY" | jq \'select(.kind=="Secret")\' | ' +
          '"$KUBECTL" apply --server-side --force-conflicts ' +
          '--field-manager="certkeep-$VERSION" -f -';
        const applied = await runProgram("sh", ["-c", `set -e; ${line}`], {
          env: {
            PATH: process.env["PATH"] ?? "",
            HOME: folder,
            KUBECONFIG: kubeconfig,
            KUBECTL: requireTool("kubectl"),
            FILE: join(operator, file),
            IDENTITY: identityFile,
            VERSION: file.replace(".json", "").slice(0, 12),
          },
        });
        expect(applied.code, `${applied.stderr}`).toBe(0);
      }
      const secret = await readSecret(kube, "tailscale", "operator");
      const after = secret?.data ?? {};
      const kept = Object.keys(before)
        .filter((field) => !field.startsWith("_"))
        .toSorted();
      expect(kept).toHaveLength(5);
      expect(Object.fromEntries(kept.map((field) => [field, after[field]]))).toEqual(
        Object.fromEntries(kept.map((field) => [field, before[field]])),
      );
      expect(Object.keys(after).toSorted()).toEqual(kept);
      expect(JSON.stringify(secret?.metadata.annotations ?? {})).not.toContain("last-applied");
      const again = await audit(kube.kubeconfigFor({ token: readerToken }));
      expect(again.cluster).toMatchObject({
        complete: true,
        counts: { certificates: 501, ok: 501 },
        copies: { made: 0 },
        findings: [],
      });
    });

    it(
      "says in one plain message each what is wrong with a credential, and ends with its exit " +
        "code",
      async () => {
        const cases: readonly (readonly [
          name: string,
          kubeconfig: string,
          code: number,
          words: RegExp,
        ])[] = [
          ["no such file", join(folder, "nowhere"), 2, /KUBECONFIG/],
          ["an expired token", kube.kubeconfigFor({ token: "expired" }), 3, /token|credential/i],
          [
            "a CA that doesn't fit",
            kube.kubeconfigFor({
              token: readerToken,
              caPem: createAuthority({ name: "Other" }).root.pem,
            }),
            3,
            /certificate|CA/,
          ],
          [
            "a port where nobody listens",
            kube.kubeconfigFor({ token: readerToken, server: "https://127.0.0.1:1" }),
            3,
            /refused|reached/,
          ],
        ];
        for (const [name, kubeconfig, code, words] of cases) {
          const ended = await run(["audit"], kubeconfig);
          expect(ended.code, `${name}: ${ended.stderr}`).toBe(code);
          const said = ended.stderr + ended.stdout;
          expect(said, `${name}`).toMatch(words);
          expect(said, `${name}`).not.toContain(readerToken);
          expect(
            ended.stderr.split("\n").filter((line) => line.startsWith("    at ")),
            `${name}`,
          ).toEqual([]);
        }
        expect(readFileSync(join(folder, "certkeep.yaml"), "utf8")).toContain("recipients");
      },
    );
  },
);

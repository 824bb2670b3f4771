/**
 * Tailscale's own store reads what a restore wrote, on a real kube-apiserver: the very bytes, valid
 * by Go's own check, under the rights that the operator gives its pods. Left out where the program
 * isn't built (test/e2e/tailscale/build.sh).
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { generateIdentity, createOpener } from "../../lib/adapters/age/identity.ts";
import { createSealer } from "../../lib/adapters/age/sealer.ts";
import { loadConnection } from "../../lib/adapters/kubernetes/context.ts";
import { createClusterReader } from "../../lib/adapters/kubernetes/reader.ts";
import { createClusterWriter } from "../../lib/adapters/kubernetes/writer.ts";
import { createKit } from "../../lib/wiring/kit.ts";
import { createIssuer } from "../../lib/issuer/issuers.ts";
import type { PutObject } from "../fake-apiserver/api.ts";
import { createAuthority, type Issued } from "../support/pki.ts";
import { auditAll } from "../../lib/usecases/audit.ts";
import { runRestore } from "../../lib/usecases/restore.ts";
import { createMemoryBlobs, createMemoryStates } from "../support/memory.ts";
import { accountPem, operatorSecret, proxySecret, REQUEST } from "../support/restoring.ts";
import { realTimer } from "../../lib/adapters/timer.ts";
import { DAY_MS, ingressSecret } from "../support/world.ts";
import { startKube, type Kube } from "./support/kube.ts";
import { createNamespace, createServiceAccount } from "./support/objects.ts";
import { runProgram } from "./support/run.ts";
import { lacksTools } from "./support/tools.ts";

function builtProgram(): string | null {
  try {
    return execFileSync(join(import.meta.dirname, "tailscale/build.sh"), ["--if-cached"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    }).trim();
  } catch {
    if (process.env["CI"] === "true" || process.env["E2E_REQUIRED"] === "1")
      throw new Error("Tailscale's own store isn't built: run test/e2e/tailscale/build.sh");
    return null;
  }
}

const program = builtProgram();
const NAMESPACE = "tailscale";
const suffix = "tail1a2b3.ts.net";

interface Answer {
  readonly cert: string;
  readonly key: string;
  readonly account: string | null;
  readonly valid: boolean;
  readonly why: string;
}

describe.skipIf(program === null || lacksTools("kube-apiserver", "etcd"))(
  "Tailscale's own store",
  () => {
    let kube: Kube;
    let folder: string;
    const authority = createAuthority({ name: "Test" });
    const account = accountPem();
    const domains = {
      operator: `operator.${suffix}`,
      proxy: `web.${suffix}`,
      shared: `shop.${suffix}`,
      sidecar: `side.${suffix}`,
    };
    const pairs: Record<string, Issued> = {};

    /**
     * Runs the store as a pod of the operator does: with a service account's folder under a root of
     * its own.
     */
    async function read(
      secret: string,
      domain: string,
      env: Record<string, string> = {},
    ): Promise<Answer> {
      const url = new URL(kube.server);
      const ended = await runProgram(
        program ?? "",
        [join(folder, "root"), secret, domain, join(folder, "roots.pem")],
        {
          env: {
            PATH: process.env["PATH"],
            HOME: folder,
            POD_NAME: "test-0",
            POD_UID: "1",
            TS_KUBERNETES_READ_API_SERVER_ADDRESS_FROM_ENV: "true",
            KUBERNETES_SERVICE_HOST: url.hostname,
            KUBERNETES_SERVICE_PORT_HTTPS: url.port,
            ...env,
          },
        },
      );
      expect(ended.code, `${ended.stderr}`).toBe(0);
      return JSON.parse(ended.stdout) as Answer;
    }

    beforeAll(async () => {
      kube = await startKube();
      folder = mkdtempSync(join(tmpdir(), "certkeep-tailscale-"));
      await createNamespace(kube, NAMESPACE);
      const token = await createServiceAccount(kube, NAMESPACE, "proxies", [
        {
          apiGroups: [""],
          resources: ["secrets"],
          verbs: [
            "create",
            "delete",
            "deletecollection",
            "get",
            "list",
            "patch",
            "update",
            "watch",
          ],
        },
        { apiGroups: [""], resources: ["events"], verbs: ["create", "patch", "get"] },
      ]);
      const account_ = join(folder, "root/var/run/secrets/kubernetes.io/serviceaccount");
      mkdirSync(account_, { recursive: true });
      writeFileSync(join(account_, "token"), token);
      writeFileSync(join(account_, "namespace"), NAMESPACE);
      writeFileSync(join(account_, "ca.crt"), kube.caPem);
      writeFileSync(join(folder, "roots.pem"), authority.root.pem);

      const now = Date.now();
      for (const domain of Object.values(domains))
        pairs[domain] = authority.issue({
          names: [domain],
          notBefore: new Date(now - DAY_MS),
          notAfter: new Date(now + 80 * DAY_MS),
        });
      const pairOf = (domain: string): Issued => pairs[domain] as Issued;
      const put = async ({ metadata, ...rest }: PutObject): Promise<void> =>
        void (await kube.demand("POST", `/api/v1/namespaces/${NAMESPACE}/secrets`, {
          apiVersion: "v1",
          kind: "Secret",
          metadata,
          ...rest,
        }));
      await put(operatorSecret(domains.operator, pairOf(domains.operator), account));
      await put(
        operatorSecret(domains.sidecar, pairOf(domains.sidecar), account, NAMESPACE, "side"),
      );
      await put(ingressSecret(domains.shared, pairOf(domains.shared)));
      await put(
        proxySecret("ts-web-aaaaa-0", "web", domains.proxy, {
          pair: pairOf(domains.proxy),
          account,
          device: domains.proxy,
        }),
      );

      const { secret, recipient } = await generateIdentity();
      const connection = await loadConnection({
        files: [kube.kubeconfigFor()],
        environment: {},
        homeFolder: null,
        nowMs: Date.now,
      });
      const settings = {
        namespaces: [NAMESPACE],
        selector: null,
        secrets: [],
        operatorNamespace: NAMESPACE,
        operatorSecret: "operator",
        recipients: [recipient],
        copiesPerDay: 100,
      };
      const target = {
        name: "prod",
        title: "prod",
        server: kube.server,
        homeNamespace: null,
        reader: createClusterReader(connection),
        writer: createClusterWriter(connection),
        settings,
      };
      const ports = {
        backups: createMemoryBlobs(),
        states: createMemoryStates(),
        sealer: createSealer(),
        clock: { nowMs: () => Date.now() },
        kit: createKit([
          createIssuer({ id: "test", title: "Test", anchorsPem: authority.root.pem }),
        ]),
        progress: { step: () => {}, note: () => {} },
        dryRun: false,
      };
      await auditAll([{ ...target, reader: createClusterReader(connection) }], ports, []);
      await kube.demand("DELETE", `/api/v1/namespaces/${NAMESPACE}/secrets`);
      await put(proxySecret("ts-web-bbbbb-0", "web", domains.proxy, {}));
      const report = await runRestore(
        target,
        { ...REQUEST, all: true },
        {
          ...ports,
          opener: await createOpener([{ where: "test", content: secret }]),
          timer: realTimer,
          revocation: null,
          holder: "e2e",
        },
      );
      if (!report.items.every(({ outcome }) => outcome === "done"))
        throw new Error("not everything was restored");
      await target.reader.close();
      await target.writer.close();
    });
    afterAll(async () => {
      await kube?.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    const expectSame = (answer: Answer, domain: string): void => {
      expect(answer).toMatchObject({ valid: true, why: "" });
      expect(Buffer.from(answer.cert, "base64").toString()).toBe(pairs[domain]?.certificatePem);
      expect(Buffer.from(answer.key, "base64").toString()).toBe(pairs[domain]?.keyPem);
    };

    it.each([
      ["A, the operator's", "operator", "operator"],
      ["B, a proxy's under its new name", "ts-web-bbbbb-0", "proxy"],
      ["H, a sidecar's", "side", "sidecar"],
    ] as const)("reads %s certificate and account key", async (_name, secret, which) => {
      const answer = await read(secret, domains[which]);
      expectSame(answer, domains[which]);
      expect(Buffer.from(answer.account ?? "", "base64").toString()).toBe(account);
    });

    it.each(["rw", "ro"])("C: reads the shared certificate in mode %s", async (mode) => {
      expectSame(await read("pg-0", domains.shared, { TS_CERT_SHARE_MODE: mode }), domains.shared);
    });

    it("and finds none where none was put", async () => {
      expect((await read("operator", `other.${suffix}`)).valid).toBe(false);
    });
  },
);

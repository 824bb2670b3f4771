/**
 * Two ACME accounts of a real issuer, on a real kube-apiserver: a node lost its account key and
 * registered again. What a restore puts back can be renewed; with the other account's key the
 * issuer refuses.
 */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { generateIdentity } from "../../lib/adapters/age/identity.ts";
import type { AcmeCertificate, AcmeClient } from "./support/acme.ts";
import { startKube, type Kube } from "./support/kube.ts";
import { createNamespace, readSecret } from "./support/objects.ts";
import { type Pebble, startPebble } from "./support/pebble.ts";
import { type Ended, runProgram } from "./support/run.ts";
import { lacksTools } from "./support/tools.ts";

const MAIN = resolve(import.meta.dirname, "../../lib/cli/main.ts");
const NODE = "operator.tail1a2b3.ts.net";
const SHOP = "shop.tail1a2b3.ts.net";
const FIELD = "acme-account.key.pem";
const REFUSED = /requester account did not request the certificate being replaced/;

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const text = (value: string | undefined): string =>
  Buffer.from(value ?? "", "base64").toString("utf8");

describe.skipIf(lacksTools("etcd", "kube-apiserver", "pebble"))(
  "a certificate and its account of a real issuer",
  () => {
    let kube: Kube;
    let pebble: Pebble;
    let folder: string;
    let old: AcmeClient;
    let registered: AcmeClient;

    const run = (...args: string[]): Promise<Ended> =>
      runProgram(process.execPath, [MAIN, ...args, "--config", "certkeep.yaml"], {
        cwd: folder,
        env: { PATH: process.env["PATH"] ?? "", HOME: folder, NO_COLOR: "1" },
        timeoutMs: 60_000,
      });
    const audit = async (): Promise<void> => {
      const ended = await run("audit", "--fail-on", "never");
      expect(ended).toMatchObject({ code: 0 });
    };
    const restore = (name: string, ...args: string[]): Promise<Ended> =>
      run("restore", "prod", name, "--identity", "identity.txt", ...args);
    const put = async (
      name: string,
      data: Readonly<Record<string, string>>,
      more: object = {},
      labels: Readonly<Record<string, string>> = {},
    ): Promise<void> => {
      const path = "/api/v1/namespaces/tailscale/secrets";
      await kube.request("DELETE", `${path}/${name}`);
      await kube.demand("POST", path, {
        apiVersion: "v1",
        kind: "Secret",
        metadata: { namespace: "tailscale", name, labels },
        type: "Opaque",
        data,
        ...more,
      });
    };
    const lose = (name: string): Promise<unknown> =>
      kube.demand("DELETE", `/api/v1/namespaces/tailscale/secrets/${name}`);
    const node = (pair: AcmeCertificate, account: AcmeClient): Promise<void> =>
      put("operator", {
        _machinekey: base64("privkey:aa"),
        [`${NODE}.crt`]: base64(pair.certificatePem),
        [`${NODE}.key`]: base64(pair.keyPem),
        [FIELD]: base64(account.accountPem),
      });
    const pod = (account: AcmeClient): Promise<void> =>
      put(
        "pg-0",
        { _machinekey: base64("privkey:bb"), [FIELD]: base64(account.accountPem) },
        {},
        {
          "tailscale.com/managed": "true",
          "tailscale.com/secret-type": "state",
          "tailscale.com/parent-resource": "pg",
          "tailscale.com/parent-resource-type": "proxygroup",
        },
      );
    const ingress = (pair: AcmeCertificate): Promise<void> =>
      put(
        SHOP,
        { "tls.crt": base64(pair.certificatePem), "tls.key": base64(pair.keyPem) },
        { type: "kubernetes.io/tls" },
        {
          "tailscale.com/managed": "true",
          "tailscale.com/secret-type": "certs",
          "tailscale.com/proxy-group": "pg",
          "tailscale.com/domain": SHOP,
        },
      );
    const fieldOf = async (secret: string, field: string): Promise<string> =>
      text((await readSecret(kube, "tailscale", secret))?.data?.[field]);
    /** Renews what lies in the cluster with the account key that lies there, as the node would. */
    const renew = async (name: string, certificate: string, account: string): Promise<void> => {
      await (await pebble.client(account)).issue([name], certificate);
    };

    beforeAll(async () => {
      [kube, pebble] = await Promise.all([startKube(), startPebble()]);
      [old, registered] = [await pebble.client(), await pebble.client()];
      folder = mkdtempSync(join(tmpdir(), "certkeep-e2e-accounts-"));
      await createNamespace(kube, "tailscale");
      const { recipient, secret } = await generateIdentity();
      writeFileSync(join(folder, "identity.txt"), `${secret}\n`, { mode: 0o600 });
      writeFileSync(join(folder, "root.pem"), pebble.rootPem);
      writeFileSync(join(folder, "intermediate.pem"), pebble.intermediatePem);
      writeFileSync(
        join(folder, "certkeep.yaml"),
        `recipients: [${recipient}]
stores: {backups: "file:backups", state: "file:state"}
clusters: [{name: prod, kubeconfig: ${kube.kubeconfigFor()}}]
issuers:
  - {id: pebble, title: Pebble, anchors: root.pem, intermediates: intermediate.pem, limits: {perSet: {count: 5}}}
`,
      );
      chmodSync(join(folder, "certkeep.yaml"), 0o600);
    });
    afterAll(async () => {
      await pebble?.stop();
      await kube?.stop();
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    });

    it("come back as a pair, though the other account's key was backed up later", async () => {
      const pair = await old.issue([NODE]);
      await node(pair, old);
      await audit();
      await node(pair, registered);
      await audit();
      await expect(
        renew(NODE, pair.certificatePem, await fieldOf("operator", FIELD)),
      ).rejects.toThrow(REFUSED);
      await lose("operator");
      const ended = await restore(NODE, "--apply");
      expect(ended).toMatchObject({ code: 0 });
      expect(await fieldOf("operator", FIELD)).toBe(old.accountPem);
      await renew(NODE, await fieldOf("operator", `${NODE}.crt`), await fieldOf("operator", FIELD));
    });

    it(
      "are made a pair again where the certificate is live and valid, and its account key was " +
        "lost",
      async () => {
        const pair = await old.issue([NODE]);
        await node(pair, old);
        await audit();
        await node(pair, registered);
        await audit();
        const planned = await restore(NODE, "-v");
        expect(planned).toMatchObject({ code: 0 });
        expect(planned.stdout.replaceAll(/\s+/g, " ")).toContain(
          "the valid certificate in the cluster was issued under this account",
        );
        expect(await fieldOf("operator", FIELD)).toBe(registered.accountPem);
        const ended = await restore(NODE, "--apply");
        expect(ended).toMatchObject({ code: 0 });
        expect(await fieldOf("operator", `${NODE}.crt`)).toBe(pair.certificatePem);
        expect(await fieldOf("operator", "_machinekey")).toBe("privkey:aa");
        await renew(NODE, pair.certificatePem, await fieldOf("operator", FIELD));
      },
    );

    it("come back as a pair from two Secrets: an HA Ingress, and its ProxyGroup's first pod", async () => {
      const pair = await old.issue([SHOP]);
      await pod(old);
      await ingress(pair);
      await audit();
      await pod(registered);
      await audit();
      await lose(SHOP);
      const ended = await restore(SHOP, "--apply");
      expect(ended).toMatchObject({ code: 0 });
      await renew(SHOP, await fieldOf(SHOP, "tls.crt"), await fieldOf("pg-0", FIELD));
      expect(await fieldOf("pg-0", "_machinekey")).toBe("privkey:bb");
    });
  },
);

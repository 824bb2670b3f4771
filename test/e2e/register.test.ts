/**
 * Registering against a real kube-apiserver: RBAC is the server's own, and so are tokens, access
 * reviews and refusals.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { generateIdentity } from "../../lib/adapters/age/identity.ts";
import { createAuthority, type Authority, type Issued } from "../support/pki.ts";
import { runIn, type Said } from "./support/incommand.ts";
import { startKube, type Kube } from "./support/kube.ts";
import {
  createNamespace,
  createSecrets,
  createServiceAccount,
  readSecret,
  type Rule,
  type SecretManifest,
} from "./support/objects.ts";
import { waitUntil } from "./support/process.ts";
import { kubectl, runProgram, type Ended } from "./support/run.ts";
import { lacksTools, requireTool } from "./support/tools.ts";
import { named } from "../support/named.ts";

const MAIN = resolve(import.meta.dirname, "../../lib/cli/main.ts");
const DAY_MS = 86_400_000;
const RBAC = "/apis/rbac.authorization.k8s.io/v1";
const PARTS = "secrets,parents,diagnosis,restore,follow,replace,create-namespace";

const base64 = (text: string): string => Buffer.from(text).toString("base64");

function tls(namespace: string, name: string, pair: Issued): SecretManifest {
  return {
    namespace,
    name,
    type: "kubernetes.io/tls",
    data: { "tls.crt": base64(pair.certificatePem), "tls.key": base64(pair.keyPem) },
  };
}

interface DoctorLine {
  readonly id: string;
  readonly level: "pass" | "warn" | "fail";
  readonly cluster: string | null;
  readonly text: string;
  readonly command: string | null;
}

interface Role {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly rules: readonly Rule[];
}

describe.skipIf(lacksTools("etcd", "kube-apiserver", "kubectl", "openssl"))(
  "registering a real cluster",
  () => {
    let kube: Kube;
    /** Another cluster, whose control plane caps tokens at a day as managed ones do. */
    let capped: Kube;
    let folder: string;
    /** Signs client certificates. */
    let ca: string;
    let admin: string;
    let authority: Authority;

    const env = (kubeconfig: string): Record<string, string> => ({
      PATH: process.env["PATH"] ?? "",
      HOME: folder,
      KUBECONFIG: kubeconfig,
    });
    const certkeep = (...args: string[]): Promise<Said> => runIn(args, folder, env(admin));
    const inProcess = (args: readonly string[], kubeconfig = admin): Promise<Ended> =>
      runProgram(process.execPath, [MAIN, ...named(folder, args)], {
        cwd: folder,
        env: env(kubeconfig),
        timeoutMs: 100_000,
      });
    const openssl = async (...args: string[]): Promise<void> => {
      const ended = await runProgram(requireTool("openssl"), args, { cwd: ca });
      if (ended.code !== 0) throw new Error(ended.stderr);
    };
    const issue = (name: string): Issued =>
      authority.issue({
        names: [name],
        notBefore: new Date(Date.now() - 10 * DAY_MS),
        notAfter: new Date(Date.now() + 80 * DAY_MS),
      });
    const registration = (name: string): string =>
      readFileSync(join(folder, "clusters", `${name}.yaml`), "utf8");
    const credentials = (name: string): string[] =>
      readdirSync(join(folder, "clusters")).filter(
        (file) => file.startsWith(`${name}.`) && file.endsWith(".kubeconfig"),
      );
    const doctor = async (
      name: string,
    ): Promise<{ readonly code: number; readonly lines: readonly DoctorLine[] }> => {
      const said = await certkeep("doctor", name, "--json");
      return { code: said.code, lines: (JSON.parse(said.stdout) as { lines: DoctorLine[] }).lines };
    };
    const wrong = (lines: readonly DoctorLine[], level = "fail"): string[] =>
      lines.filter((line) => line.level === level && line.cluster !== null).map(({ text }) => text);
    /** Roles and ClusterRoles of a registration. */
    const rolesOf = async (name: string): Promise<Role[]> => {
      const selector = `labelSelector=${encodeURIComponent(`certkeep.dev/registration=${name}`)}`;
      const found: Role[] = [];
      for (const kind of ["Role", "ClusterRole"]) {
        const list = await kube.demand<{ items: Role[] }>(
          "GET",
          `${RBAC}/${kind.toLowerCase()}s?${selector}`,
        );
        found.push(...list.items.map((item) => ({ ...item, kind })));
      }
      return found;
    };
    const pathOf = ({ kind, metadata }: Role): string =>
      `${RBAC}${metadata.namespace === undefined ? "" : `/namespaces/${metadata.namespace}`}/${kind.toLowerCase()}s/${metadata.name}`;

    beforeAll(async () => {
      ca = mkdtempSync(join(tmpdir(), "certkeep-e2e-ca-"));
      await openssl(
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-keyout",
        "ca.key",
        "-out",
        "ca.crt",
        "-subj",
        "/CN=clients",
        "-days",
        "100",
      );
      [kube, capped] = await Promise.all([
        startKube({ args: [`--client-ca-file=${join(ca, "ca.crt")}`] }),
        startKube({ args: ["--service-account-max-token-expiration=24h"] }),
      ]);
      folder = mkdtempSync(join(tmpdir(), "certkeep-e2e-register-"));
      authority = createAuthority({ name: "E2E" });
      for (const name of ["tailscale", "shop", "other"]) await createNamespace(kube, name);
      await createNamespace(capped, "tailscale");
      await createSecrets(kube, [
        tls("shop", "web-tls", issue("web.example.com")),
        tls("tailscale", "n1.tail1a2b3.ts.net", issue("n1.tail1a2b3.ts.net")),
        {
          namespace: "tailscale",
          name: "operator-oauth",
          type: "Opaque",
          data: { client_secret: base64("canary-oauth-value") },
        },
        {
          namespace: "other",
          name: "database",
          type: "Opaque",
          data: { password: base64("canary") },
        },
      ]);
      const { secret, recipient } = await generateIdentity();
      writeFileSync(join(folder, "identity.txt"), `${secret}\n`, { mode: 0o600 });
      writeFileSync(join(folder, "anchors.pem"), authority.root.pem);
      writeFileSync(
        join(folder, "certkeep.yaml"),
        `recipients: [${recipient}]\n` +
          "identity: file:identity.txt\n" +
          `stores: {backups: "file:backups", state: "file:state"}\n` +
          "issuers:\n" +
          "  - {id: e2e, title: E2E, kind: production, anchors: anchors.pem}\n",
      );
      admin = kube.kubeconfigFor({ contextName: "admin" });
    });
    afterAll(async () => {
      await Promise.all([kube?.stop(), capped?.stop()]);
      for (const one of [folder, ca])
        if (one !== undefined) rmSync(one, { recursive: true, force: true });
    });

    it(
      "registers with the rights it asked for, says what else they see, and audits with exactly " +
        "those",
      async () => {
        const added = await inProcess([
          "clusters",
          "add",
          "prod",
          "--context",
          "admin",
          "--namespace",
          "tailscale",
          "--namespace",
          "shop",
          "--parts",
          PARTS,
          "--yes",
          "--json",
        ]);
        expect(added.stderr).toContain("Registered prod");
        expect(added).toMatchObject({ code: 0 });
        for (const text of ["operator-oauth", "--parts named", "--in-cluster"])
          expect(added.stderr).toContain(text);
        expect(added.stdout + added.stderr).not.toMatch(/eyJ|canary/);
        const document = JSON.parse(added.stdout) as {
          credentials: {
            bearer: string;
            user: string;
            missing: unknown[];
            excess: unknown[];
            expiresAtMs: number;
          }[];
        };
        expect(
          document.credentials.map(({ bearer, user, missing, excess }) => ({
            bearer,
            user,
            missing,
            excess,
          })),
        ).toEqual([
          {
            bearer: "read",
            user: "system:serviceaccount:certkeep:certkeep-prod-read",
            missing: [],
            excess: [],
          },
          {
            bearer: "restore",
            user: "system:serviceaccount:certkeep:certkeep-prod-restore",
            missing: [],
            excess: [],
          },
        ]);
        for (const { expiresAtMs } of document.credentials)
          expect(expiresAtMs - Date.now()).toBeGreaterThan(360 * DAY_MS);
        expect(credentials("prod").length).toBe(2);
        for (const file of credentials("prod"))
          expect(statSync(join(folder, "clusters", file)).mode & 0o777).toBe(0o600);
        expect(registration("prod")).not.toMatch(/token:|eyJ/);
        expect(readFileSync(join(folder, "clusters/.gitignore"), "utf8")).toContain("*.kubeconfig");

        await kube.forgetRequests();
        const audit = await inProcess(["audit", "prod", "--json"], "/nowhere");
        expect(audit).toMatchObject({ code: 0 });
        const [cluster] = (
          JSON.parse(audit.stdout) as {
            clusters: { complete: boolean; copies: { made: number } }[];
          }
        ).clusters;
        expect(cluster).toMatchObject({ complete: true, copies: { made: 2 } });
        const asked = await kube.requests();
        expect(new Set(asked.map(({ user }) => user.username))).toEqual(
          new Set(["system:serviceaccount:certkeep:certkeep-prod-read"]),
        );
        expect(asked.filter(({ responseStatus }) => (responseStatus?.code ?? 0) >= 400)).toEqual(
          [],
        );
      },
    );

    it("restores with the restoring credential and its rights alone", async () => {
      const before = await readSecret(kube, "shop", "web-tls");
      await kube.demand("DELETE", "/api/v1/namespaces/shop/secrets/web-tls");
      await kube.forgetRequests();
      const restored = await inProcess(
        ["restore", "prod", "web.example.com", "--apply"],
        "/nowhere",
      );
      expect(restored).toMatchObject({ code: 0 });
      expect((await readSecret(kube, "shop", "web-tls"))?.data).toEqual(before?.data);
      const asked = await kube.requests();
      expect(new Set(asked.map(({ user }) => user.username))).toEqual(
        new Set(["system:serviceaccount:certkeep:certkeep-prod-restore"]),
      );
      expect(asked.filter(({ responseStatus }) => responseStatus?.code === 403)).toEqual([]);
    });

    it("finds everything right, then names every right that is taken away, one by one", async () => {
      const healthy = await doctor("prod");
      expect(wrong(healthy.lines)).toEqual([]);
      expect(healthy.code).toBe(0);
      let taken = 0;
      for (const role of await rolesOf("prod")) {
        for (const [index, rule] of role.rules.entries()) {
          for (const verb of rule.verbs) {
            const rules = role.rules
              .map((one, at) =>
                at === index ? { ...one, verbs: one.verbs.filter((other) => other !== verb) } : one,
              )
              .filter(({ verbs }) => verbs.length > 0);
            await kube.demand("PATCH", pathOf(role), { rules });
            const [resource = ""] = rule.resources;
            const expected =
              `lacks permission to ${verb} ` +
              `${resource}${rule.apiGroups[0] === "" ? "" : `.${rule.apiGroups[0]}`}`;
            // A permission for several names is missed for each.
            const names = rule.resourceNames?.length ?? 1;
            let said: string[] = [];
            await waitUntil(
              `${verb} ${resource} of ${role.metadata.name} to be missed`,
              15_000,
              async () => {
                said = wrong((await doctor("prod")).lines);
                return said.length >= names;
              },
            );
            expect(said.length).toBe(names);
            for (const text of said) expect(text).toContain(expected);
            expect(said[0]).toContain("Without it ");
            expect(said[0]).toContain(
              role.metadata.name.endsWith("-restore") ? "restoring" : "reading",
            );
            await kube.demand("PATCH", pathOf(role), { rules: role.rules });
            await waitUntil(
              "the right to be back",
              15_000,
              async () => wrong((await doctor("prod")).lines).length === 0,
            );
            taken += 1;
          }
        }
      }
      expect(taken).toBeGreaterThan(30);
    }, 600_000);

    it(
      "refuses a credential that can do too much, naming the verbs, and registers nothing; " +
        "--allow-broad takes it, and doctor goes on telling",
      async () => {
        const token = await createServiceAccount(
          kube,
          "other",
          "broad",
          [{ apiGroups: [""], resources: ["secrets"], verbs: ["delete"] }],
          [
            { apiGroups: [""], resources: ["secrets"], verbs: ["get", "list", "update"] },
            { apiGroups: [""], resources: ["namespaces"], verbs: ["get"] },
          ],
          3_600 * 24 * 60,
        );
        const broad = kube.kubeconfigFor({ token });
        const args = [
          "clusters",
          "add",
          "broad",
          "--context",
          "admin",
          "--credential",
          broad,
          "--namespace",
          "tailscale",
          "--parts",
          "secrets",
          "--yes",
          "--no-apply",
        ];
        const refused = await certkeep(...args);
        expect(refused.code).toBe(3);
        expect(refused.stderr).toMatch(/has more permissions than it needs: .*update secrets/);
        expect(refused.stderr).toContain("get secrets in namespace default, kube-system");
        expect(existsSync(join(folder, "clusters/broad.yaml"))).toBe(false);
        expect(credentials("broad")).toEqual([]);
        const taken = await certkeep(...args, "--allow-broad");
        expect(taken.code).toBe(0);
        expect(registration("broad")).toContain("broad: true");
        const { lines, code } = await doctor("broad");
        expect(code).toBe(0);
        expect(wrong(lines, "warn").join("\n")).toMatch(
          /can do more than needed: update secrets.*accepted/,
        );
        await certkeep("clusters", "remove", "broad");
      },
    );

    it(
      "rotates while audits run: none of them fails, and the credential before stays good until " +
        "the next time",
      async () => {
        const before = registration("prod");
        const audits: Promise<Ended>[] = [];
        const begin = (): void =>
          void audits.push(inProcess(["audit", "prod", "--json"], "/nowhere"));
        begin();
        for (let n = 0; n < 3; n += 1) {
          begin();
          expect(
            (await certkeep("clusters", "add", "prod", "--context", "admin", "--yes")).code,
          ).toBe(0);
        }
        begin();
        for (const ended of await Promise.all(audits))
          expect({ code: ended.code, stderr: ended.stderr }).toMatchObject({ code: 0 });
        expect(registration("prod")).not.toBe(before);
        expect(credentials("prod").length).toBe(4);
        // What isn't said on the command line is as it was registered.
        expect((parse(registration("prod")) as { namespaces: string[] }).namespaces).toEqual([
          "tailscale",
          "shop",
        ]);
      },
    );

    it(
      "loses neither of two that are registered at once, and tells one of two people who " +
        "register one name",
      async () => {
        const add = (name: string): Promise<Ended> =>
          inProcess(["clusters", "add", name, "--context", "admin", "--yes"]);
        const apart = await Promise.all([add("one"), add("two")]);
        expect(apart.map(({ code }) => code)).toEqual([0, 0]);
        const same = await Promise.all([add("same"), add("same")]);
        for (const { code, stderr } of same)
          if (code !== 0) expect(stderr).toContain("another process made");
        expect(same.some(({ code }) => code === 0)).toBe(true);
        for (const name of ["one", "two", "same"])
          expect(wrong((await doctor(name)).lines)).toEqual([]);
        for (const name of ["one", "two", "same"])
          expect(
            (await certkeep("clusters", "remove", name, "--revoke", "--context", "admin")).code,
          ).toBe(0);
      },
    );

    it(
      "refuses a token that ends before anybody would renew it, with the ways that work, and " +
        "leaves nothing behind; on demand it is taken and its end is told",
      async () => {
        const other = capped.kubeconfigFor({ contextName: "capped" });
        const add = (...more: string[]): Promise<Said> =>
          runIn(["clusters", "add", "capped", "--yes", ...more], folder, env(other));
        const refused = await add();
        expect(refused.code).toBe(2);
        expect(refused.stderr).toMatch(
          /in 24 hours, though 365 days were asked for: the server caps tokens\. An audit that runs by itself needs at least 30 days/,
        );
        for (const way of [
          "--eks ARN --role ARN",
          "client certificate",
          "--days never",
          "--in-cluster",
          "--days 1",
        ])
          expect(refused.stderr).toContain(way);
        const left = await capped.demand<{ items: unknown[] }>(
          "GET",
          `${RBAC}/clusterroles?labelSelector=app.kubernetes.io/managed-by%3Dcertkeep`,
        );
        expect(left.items).toEqual([]);
        expect(existsSync(join(folder, "clusters/capped.yaml"))).toBe(false);

        expect(await add("--days", "1")).toMatchObject({ code: 0 });
        const audit = await certkeep("audit", "capped", "--json");
        const findings = (
          JSON.parse(audit.stdout) as {
            clusters: { findings: { code: string; severity: string }[] }[];
          }
        ).clusters[0]?.findings;
        expect(findings?.filter(({ code }) => code === "credential_expiring")).toMatchObject([
          { severity: "critical" },
        ]);
        expect(wrong((await doctor("capped")).lines).join("\n")).toMatch(
          /The reading credential expires in 2[34] hours \(/,
        );
      },
    );

    it(
      "refuses a name that is another cluster's, and pins the successor when told that it was " +
        "rebuilt, with the old state kept",
      async () => {
        const other = capped.kubeconfigFor({ contextName: "capped" });
        const add = (...more: string[]): Promise<Said> =>
          runIn(
            [
              "clusters",
              "add",
              "prod",
              "--yes",
              "--days",
              "1",
              "--namespace",
              "tailscale",
              ...more,
            ],
            folder,
            env(other),
          );
        const before = registration("prod");
        const refused = await add();
        expect(refused.code).toBe(2);
        expect(refused.stderr).toContain("the name is another cluster's");
        expect(registration("prod")).toBe(before);
        const rebuilt = await add("--rebuilt");
        expect(rebuilt.code).toBe(0);
        expect(
          readdirSync(join(folder, "state")).filter((name) =>
            name.startsWith("predecessor-prod-uid-"),
          ).length,
        ).toBe(1);
        const audit = await certkeep("audit", "prod", "--json");
        expect(
          (JSON.parse(audit.stdout) as { clusters: { complete: boolean }[] }).clusters[0]?.complete,
        ).toBe(true);
        // And back, as if that one had been rebuilt again.
        expect(
          (
            await certkeep(
              "clusters",
              "add",
              "prod",
              "--context",
              "admin",
              "--yes",
              "--rebuilt",
              "--parts",
              PARTS,
              "--namespace",
              "tailscale",
              "--namespace",
              "shop",
            )
          ).code,
        ).toBe(0);
      },
    );

    it(
      "prints a manifest that kubectl takes and that needs no further rights, and registers on " +
        "it without applying",
      async () => {
        const printed = await certkeep(
          "clusters",
          "add",
          "gitops",
          "--namespace",
          "shop",
          "--print",
        );
        expect(printed.code).toBe(0);
        const applied = await kubectl(kube, ["apply", "-f", "-"], { input: printed.stdout });
        expect(applied).toMatchObject({ code: 0 });
        await kube.forgetRequests();
        expect(
          (
            await certkeep(
              "clusters",
              "add",
              "gitops",
              "--namespace",
              "shop",
              "--no-apply",
              "--yes",
              "--context",
              "admin",
            )
          ).code,
        ).toBe(0);
        const writes = (await kube.requests()).filter(
          ({ verb, objectRef }) =>
            ["patch", "update", "delete"].includes(verb) ||
            (verb === "create" && objectRef?.apiGroup === "rbac.authorization.k8s.io"),
        );
        expect(writes).toEqual([]);
        expect(wrong((await doctor("gitops")).lines)).toEqual([]);
      },
    );

    it("reads by name alone where it was asked to: nothing is listed, and that is said", async () => {
      expect(
        (
          await certkeep(
            "clusters",
            "add",
            "named",
            "--context",
            "admin",
            "--secret",
            "shop/web-tls",
            "--yes",
          )
        ).code,
      ).toBe(0);
      await kube.forgetRequests();
      const audit = await certkeep("audit", "named", "--json");
      expect(
        (
          JSON.parse(audit.stdout) as {
            clusters: { complete: boolean; copies: { made: number } }[];
          }
        ).clusters[0],
      ).toMatchObject({ complete: true, copies: { made: 1 } });
      const counts = await kube.requestCounts();
      expect(counts["list secrets"]).toBeUndefined();
      const { lines } = await doctor("named");
      expect(wrong(lines)).toEqual([]);
      expect(wrong(lines, "warn").join("\n")).toContain("Only named Secrets are audited");
    });

    it(
      "takes a kubeconfig of somebody's own with relative paths, and refuses one that runs a " +
        "program",
      async () => {
        mkdirSync(join(folder, "own"), { recursive: true });
        const token = await createServiceAccount(
          kube,
          "other",
          "narrow",
          [],
          [
            {
              apiGroups: [""],
              resources: ["namespaces"],
              resourceNames: ["kube-system", "shop"],
              verbs: ["get"],
            },
          ],
          3_600 * 24 * 60,
        );
        writeFileSync(join(folder, "own/token"), token, { mode: 0o600 });
        writeFileSync(join(folder, "own/ca.crt"), kube.caPem);
        const config = (user: object): string =>
          JSON.stringify({
            kind: "Config",
            "current-context": "c",
            clusters: [
              { name: "c", cluster: { server: kube.server, "certificate-authority": "ca.crt" } },
            ],
            users: [{ name: "u", user }],
            contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
          });
        writeFileSync(
          join(folder, "own/exec.kubeconfig"),
          config({
            exec: {
              apiVersion: "client.authentication.k8s.io/v1",
              command: "touch",
              args: [join(folder, "ran")],
            },
          }),
        );
        writeFileSync(join(folder, "own/token.kubeconfig"), config({ tokenFile: "token" }));
        const add = (file: string): Promise<Said> =>
          certkeep(
            "clusters",
            "add",
            "own",
            "--context",
            "admin",
            "--credential",
            join("own", file),
            "--namespace",
            "shop",
            "--parts",
            "secrets",
            "--yes",
          );
        const exec = await add("exec.kubeconfig");
        expect(exec.code).toBe(2);
        expect(exec.stderr).toContain("needs the credential plugin touch");
        expect(existsSync(join(folder, "ran"))).toBe(false);
        // What it may do is granted to the user that the server says it is.
        expect(await add("token.kubeconfig")).toMatchObject({ code: 0 });
        expect(registration("own")).toContain("kind: kubeconfig");
        expect(wrong((await doctor("own")).lines)).toEqual([]);
      },
    );

    it(
      "takes a client certificate, grants its name the rights, and knows when it ends; an " +
        "administrator's context may be in one of several files",
      async () => {
        await openssl(
          "req",
          "-newkey",
          "ec",
          "-pkeyopt",
          "ec_paramgen_curve:P-256",
          "-nodes",
          "-keyout",
          "reader.key",
          "-out",
          "reader.csr",
          "-subj",
          "/CN=certkeep-reader",
        );
        await openssl(
          "x509",
          "-req",
          "-in",
          "reader.csr",
          "-CA",
          "ca.crt",
          "-CAkey",
          "ca.key",
          "-CAcreateserial",
          "-out",
          "reader.crt",
          "-days",
          "90",
        );
        const own = kube.kubeconfigFor({
          user: {
            "client-certificate": join(ca, "reader.crt"),
            "client-key": join(ca, "reader.key"),
          },
        });
        const said = await runIn(
          [
            "clusters",
            "add",
            "pair",
            "--context",
            "admin",
            "--credential",
            own,
            "--namespace",
            "shop",
            "--parts",
            "secrets",
            "--yes",
            "--json",
          ],
          folder,
          env(`${admin}:${own}`),
        );
        expect(said).toMatchObject({ code: 0 });
        expect(JSON.parse(said.stdout)).toMatchObject({
          kind: "certificate",
          credentials: [{ bearer: "read", user: "certkeep-reader", missing: [], excess: [] }],
        });
        expect(said.stdout + said.stderr).not.toContain("PRIVATE KEY");
        expect(wrong((await doctor("pair")).lines)).toEqual([]);
        expect((await doctor("pair")).lines.find(({ id }) => id === "credential")?.text).toMatch(
          /in (89|90) days/,
        );
        expect((await certkeep("audit", "pair")).code).toBe(0);
        expect(
          (await certkeep("clusters", "remove", "pair", "--revoke", "--context", "admin")).code,
        ).toBe(0);
        expect(await rolesOf("pair")).toEqual([]);
      },
    );

    it("takes a token that a Secret holds, once the cluster has filled it in", async () => {
      // There is no controller here: the test does what it would do.
      let filled = 0;
      const fill = async (): Promise<void> => {
        const list = await kube.demand<{
          items: {
            metadata: { name: string; labels?: Record<string, string> };
            data?: Record<string, string>;
          }[];
        }>("GET", "/api/v1/namespaces/certkeep/secrets");
        for (const { metadata, data } of list.items) {
          if (
            metadata.labels?.["certkeep.dev/registration"] !== "held" ||
            data?.["token"] !== undefined
          )
            continue;
          const { status } = await kube.demand<{ status: { token: string } }>(
            "POST",
            "/api/v1/namespaces/certkeep/serviceaccounts/certkeep-held-read/token",
            {
              kind: "TokenRequest",
              spec: {
                expirationSeconds: 60 * 86_400,
                boundObjectRef: { kind: "Secret", apiVersion: "v1", name: metadata.name },
              },
            },
          );
          await kube.demand("PATCH", `/api/v1/namespaces/certkeep/secrets/${metadata.name}`, {
            data: { token: base64(status.token) },
          });
          filled += 1;
        }
      };
      const adding = certkeep(
        "clusters",
        "add",
        "held",
        "--context",
        "admin",
        "--days",
        "never",
        "--namespace",
        "shop",
        "--parts",
        "secrets",
        "--yes",
      );
      await waitUntil("the Secret to be made and filled", 20_000, async () => {
        await fill();
        return filled > 0;
      });
      expect(await adding).toMatchObject({ code: 0 });
      expect(wrong((await doctor("held")).lines)).toEqual([]);
      // Deleting the Secret ends the token.
      expect(
        (await certkeep("clusters", "remove", "held", "--revoke", "--context", "admin")).code,
      ).toBe(0);
      const left = await kube.demand<{
        items: { metadata: { labels?: Record<string, string> } }[];
      }>("GET", "/api/v1/namespaces/certkeep/secrets");
      expect(
        left.items.filter(
          ({ metadata }) => metadata.labels?.["certkeep.dev/registration"] === "held",
        ),
      ).toEqual([]);
    });

    it(
      "lists them, takes away what it gave, and keeps the copies; a credential that was revoked " +
        "is told as such",
      async () => {
        const listed = await certkeep("clusters", "--json");
        const rows = (
          JSON.parse(listed.stdout) as {
            clusters: {
              name: string;
              kind: string;
              lastAudit: unknown;
              credentialEndsAt: string | null;
            }[];
          }
        ).clusters;
        expect(rows.map(({ name, kind }) => `${name} ${kind}`)).toEqual([
          "capped token",
          "gitops token",
          "named token",
          "own kubeconfig",
          "prod token",
        ]);
        // Revoked behind certkeep's back.
        await kube.demand(
          "DELETE",
          "/api/v1/namespaces/certkeep/serviceaccounts/certkeep-named-read",
        );
        let audit = await certkeep("audit", "named");
        await waitUntil("the token to be refused", 20_000, async () =>
          (audit = await certkeep("audit", "named")).stderr.includes("rejected the credential"),
        );
        expect(audit.stderr).toContain("the server rejected the credential");
        const { lines } = await doctor("named");
        expect(
          lines.find(({ id, level }) => id === "credential" && level === "fail"),
        ).toMatchObject({
          command: "certkeep clusters add named",
        });

        const copies = (await certkeep("backups", "--json")).stdout;
        const removed = await certkeep(
          "clusters",
          "remove",
          "prod",
          "--revoke",
          "--context",
          "admin",
        );
        expect(removed.code).toBe(0);
        expect(removed.stderr).toMatch(/Kept \d+ backups? in/);
        expect(await rolesOf("prod")).toEqual([]);
        expect(credentials("prod")).toEqual([]);
        expect(existsSync(join(folder, "clusters/prod.yaml"))).toBe(false);
        expect(
          (JSON.parse((await certkeep("backups", "--json")).stdout) as { copies: unknown[] }).copies
            .length,
        ).toBe((JSON.parse(copies) as { copies: unknown[] }).copies.length);
      },
    );
  },
);

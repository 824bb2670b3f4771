/**
 * Every command that doctor, a plan or an error offers, run as it stands on a real API server, and
 * what is true afterwards.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { generateIdentity } from "../../lib/adapters/age/identity.ts";
import { createAuthority, type Authority } from "../support/pki.ts";
import { runIn, type Said } from "./support/incommand.ts";
import { startKube, type Kube } from "./support/kube.ts";
import {
  createNamespace,
  createSecrets,
  readSecret,
  type SecretManifest,
} from "./support/objects.ts";
import { runProgram } from "./support/run.ts";
import { lacksTools } from "./support/tools.ts";

const DAY_MS = 86_400_000;

interface DoctorLine {
  readonly id: string;
  readonly level: "pass" | "warn" | "fail";
  readonly cluster: string | null;
  readonly text: string;
  readonly command: string | null;
}

describe.skipIf(lacksTools("etcd", "kube-apiserver", "kubectl"))("offered commands", () => {
  let kube: Kube;
  let authority: Authority;
  let kubeconfig: string;
  let folder: string;
  let number = 0;

  beforeAll(async () => {
    kube = await startKube();
    authority = createAuthority({ name: "E2E" });
    kubeconfig = kube.kubeconfigFor({ contextName: "admin" });
  });
  afterAll(() => kube?.stop());
  beforeEach(() => {
    number += 1;
    folder = mkdtempSync(join(tmpdir(), "certkeep-e2e-commands-"));
    return () => rmSync(folder, { recursive: true, force: true });
  });

  const certkeep = (...args: string[]): Promise<Said> =>
    runIn(args, folder, { PATH: process.env["PATH"] ?? "", HOME: folder, KUBECONFIG: kubeconfig });
  const shell = async (command: string): Promise<string> => {
    const ended = await runProgram("/bin/sh", ["-c", command], {
      env: { PATH: process.env["PATH"] ?? "", HOME: folder, KUBECONFIG: kubeconfig },
    });
    expect(ended).toMatchObject({ code: 0 });
    return ended.stdout;
  };
  /** As it stands; --yes in place of a person who agrees. */
  const offered = (command: string | null): Promise<Said> => {
    expect(command).toMatch(/^certkeep /);
    const args = (command ?? "").split(" ").slice(1);
    return certkeep(...args, ...(args.includes("add") ? ["--yes"] : []));
  };
  const doctor = async (...args: string[]): Promise<readonly DoctorLine[]> =>
    (JSON.parse((await certkeep("doctor", ...args, "--json")).stdout) as { lines: DoctorLine[] })
      .lines;
  const lineOf = async (id: string): Promise<DoctorLine | undefined> =>
    (await doctor()).find((line) => line.id === id && line.level !== "pass");
  const config = (more: string): void =>
    writeFileSync(join(folder, "certkeep.yaml"), `${BASE}${more}`);
  let BASE = "";

  const tls = (namespace: string, name: string): SecretManifest => {
    const pair = authority.issue({
      names: [`${name}.example.com`],
      notBefore: new Date(Date.now() - 10 * DAY_MS),
      notAfter: new Date(Date.now() + 80 * DAY_MS),
    });
    const base64 = (text: string): string => Buffer.from(text).toString("base64");
    return {
      namespace,
      name,
      type: "kubernetes.io/tls",
      data: { "tls.crt": base64(pair.certificatePem), "tls.key": base64(pair.keyPem) },
    };
  };
  /** Two namespaces of their own, a certificate in each. */
  const setUp = async (): Promise<readonly [string, string]> => {
    const { secret, recipient } = await generateIdentity();
    writeFileSync(join(folder, "identity.txt"), `${secret}\n`, { mode: 0o600 });
    writeFileSync(join(folder, "anchors.pem"), authority.root.pem);
    BASE =
      `recipients: [${recipient}]\nidentity: file:identity.txt\n` +
      'stores: {backups: "file:backups", state: "file:state"}\n' +
      "issuers:\n  - {id: e2e, title: E2E, kind: production, anchors: anchors.pem}\n";
    config("");
    const places = [`shop-${number}`, `web-${number}`] as const;
    for (const namespace of places) {
      await createNamespace(kube, namespace);
      await createSecrets(kube, [tls(namespace, `${namespace}-tls`)]);
    }
    return places;
  };
  /** As the controllers do, which aren't running here. */
  const deleteNamespace = async (namespace: string): Promise<void> => {
    const rbac = "/apis/rbac.authorization.k8s.io/v1";
    for (const path of [
      `/api/v1/namespaces/${namespace}/secrets`,
      `${rbac}/namespaces/${namespace}/rolebindings`,
      `${rbac}/namespaces/${namespace}/roles`,
    ])
      await kube.demand("DELETE", path);
    await kube.demand("DELETE", `/api/v1/namespaces/${namespace}`);
    await kube.demand("PUT", `/api/v1/namespaces/${namespace}/finalize`, {
      metadata: { name: namespace },
      spec: { finalizers: [] },
    });
  };
  const registration = (name: string): string =>
    readFileSync(join(folder, `clusters/${name}.yaml`), "utf8");

  it("audit, clusters add: one cluster, with its history, its backups and all its namespaces", async () => {
    const [shop, web] = await setUp();
    expect((await certkeep("audit")).code).toBe(0);
    const added = await certkeep("clusters", "add", "prod", "--context", "admin", "--yes");
    expect([added.code, added.stderr]).toEqual([0, expect.stringContaining("takes over")]);
    for (const namespace of [shop, web]) expect(registration("prod")).toContain(namespace);
    const report = JSON.parse((await certkeep("report", "--json")).stdout) as {
      clusters: readonly { readonly cluster: string }[];
      unregistered: readonly string[];
      certificates: readonly object[];
    };
    expect(report.clusters.map(({ cluster }) => cluster)).toEqual(["prod"]);
    expect(report.unregistered).toEqual([]);
    expect(report.certificates.length).toBeGreaterThanOrEqual(2);

    // Lost before an audit under the new name has backed it up again.
    const secret = `${shop}-tls`;
    const before = await readSecret(kube, shop, secret);
    await kube.demand("DELETE", `/api/v1/namespaces/${shop}/secrets/${secret}`);
    const plan = await certkeep("restore", "prod", `${secret}.example.com`);
    expect(plan.code).toBe(3);
    expect(plan.stdout).toContain("prod is registered to be read");
    const command = plan.stdout.split("\n").find((line) => line.includes("clusters add")) ?? null;
    expect(command?.trim()).toBe("certkeep clusters add prod --with restore");
    expect((await offered(command?.trim() ?? null)).code).toBe(0);
    for (const namespace of [shop, web]) expect(registration("prod")).toContain(namespace);
    const restored = await certkeep("restore", "prod", `${secret}.example.com`, "--apply");
    expect(restored).toMatchObject({ code: 0 });
    expect((await readSecret(kube, shop, secret))?.data).toEqual(before?.data);
    expect((await certkeep("drill")).stdout).toContain("can be restored");
    expect((await doctor("prod")).filter(({ level }) => level === "fail")).toEqual([]);
  });

  it("doctor, not registered -> clusters add: the registration takes the entry's place", async () => {
    const [shop] = await setUp();
    config(
      "clusters:\n  - name: lab # mine\n    context: admin\n" +
        `    namespaces: [${shop}]\n    selector: team!=x\n`,
    );
    expect((await certkeep("audit")).code).toBe(0);
    const line = await lineOf("registered");
    expect(line?.command).toBe("certkeep clusters add lab");
    const added = await offered(line?.command ?? null);
    expect([added.code, added.stderr]).toEqual([0, expect.stringContaining("its entry in")]);
    expect(readFileSync(join(folder, "certkeep.yaml"), "utf8")).toBe(BASE);
    expect(registration("lab")).toContain("selector: team!=x");
    expect(registration("lab")).toContain(`- ${shop}`);
    expect(await lineOf("registered")).toBeUndefined();
    expect((await certkeep("audit", "lab")).code).toBe(0);
  });

  it("clusters add of a cluster that certkeep.yaml names otherwise -> that name", async () => {
    await setUp();
    config("clusters:\n  - name: lab\n    context: admin\n");
    expect((await certkeep("audit")).code).toBe(0);
    const refused = await certkeep("clusters", "add", "prod", "--context", "admin", "--yes");
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain("names this cluster already, as lab");
    expect(existsSync(join(folder, "clusters/prod.yaml"))).toBe(false);
    const command = /certkeep clusters add lab/.exec(refused.stderr)?.[0] ?? null;
    expect((await offered(command)).code).toBe(0);
  });

  it("doctor, a Role inside a namespace -> clusters add: a ClusterRole with names", async () => {
    const [shop, web] = await setUp();
    const added = await certkeep(
      ...["clusters", "add", "prod", "--context", "admin", "--yes"],
      ...["--namespace", shop, "--namespace", web],
    );
    expect(added.code).toBe(0);
    expect(await lineOf("namespace")).toBeUndefined();
    // As earlier versions registered.
    const rbac = "/apis/rbac.authorization.k8s.io/v1";
    const name = "certkeep-prod-read";
    const reading = { apiGroups: [""], resources: ["namespaces"], verbs: ["get"] };
    interface Role {
      readonly rules: readonly { readonly resources: readonly string[] }[];
    }
    const role = await kube.demand<Role>("GET", `${rbac}/clusterroles/${name}`);
    const others = role.rules.filter(({ resources }) => !resources.includes("namespaces"));
    await kube.demand("PATCH", `${rbac}/clusterroles/${name}`, {
      rules: [...others, { ...reading, resourceNames: ["kube-system", web] }],
    });
    const inside = await kube.demand<Role>("GET", `${rbac}/namespaces/${shop}/roles/${name}`);
    await kube.demand("PATCH", `${rbac}/namespaces/${shop}/roles/${name}`, {
      rules: [...inside.rules, { ...reading, resourceNames: [shop] }],
    });
    let line: DoctorLine | undefined;
    await expect
      .poll(async () => (line = await lineOf("namespace"))?.text, { timeout: 15_000 })
      .toContain(`namespace ${shop} by a Role inside`);
    const wrong = (await doctor()).filter(({ id, level }) => id === "excess" && level !== "pass");
    expect(wrong).toEqual([]);
    expect((await offered(line?.command ?? null)).code).toBe(0);
    await expect.poll(() => lineOf("namespace"), { timeout: 15_000 }).toBeUndefined();
    const now = await kube.demand<Role>("GET", `${rbac}/namespaces/${shop}/roles/${name}`);
    expect(now.rules.flatMap(({ resources }) => resources)).not.toContain("namespaces");
  });

  it("audit, a key overwritten, a chain cut under the same leaf -> restore: as it was", async () => {
    const [shop, web] = await setUp();
    config(`clusters:\n  - name: lab\n    context: admin\n    namespaces: [${shop}, ${web}]\n`);
    const places = [
      [shop, `${shop}-tls`],
      [web, `${web}-tls`],
      [web, "copy"],
    ] as const;
    const dataOf = () =>
      Promise.all(places.map(async ([place, name]) => (await readSecret(kube, place, name))?.data));
    const pair = await readSecret(kube, shop, `${shop}-tls`);
    await createSecrets(kube, [
      { namespace: web, name: "copy", type: "kubernetes.io/tls", data: { ...pair?.data } },
    ]);
    expect((await certkeep("audit")).code).toBe(0);
    const before = await dataOf();
    const patch = (namespace: string, name: string, data: object): Promise<unknown> =>
      kube.demand("PATCH", `/api/v1/namespaces/${namespace}/secrets/${name}`, { data });
    const otherKey = tls(shop, "other").data?.["tls.key"];
    await patch(shop, `${shop}-tls`, { "tls.key": otherKey });
    await patch(web, "copy", { "tls.key": otherKey });
    const chain = Buffer.from(before[1]?.["tls.crt"] ?? "", "base64").toString();
    const end = "-----END CERTIFICATE-----\n";
    expect(chain.split(end).length).toBeGreaterThan(2);
    const leaf = chain.slice(0, chain.indexOf(end) + end.length);
    await patch(web, `${web}-tls`, { "tls.crt": Buffer.from(leaf).toString("base64") });

    const audit = await certkeep("audit");
    expect(audit.stdout).not.toMatch(/no usable backup|new certificate has to/i);
    const commands = [...new Set(audit.stdout.match(/certkeep restore [^\n]*\w/g))];
    expect(commands.length).toBeGreaterThan(0);
    // Two of the three hold one certificate: it is issued once.
    expect((await certkeep("restore", "lab", "--all")).stdout).toContain("Saves 2 issuances");
    for (const command of commands)
      expect(
        await offered(command.includes("--apply") ? command : `${command} --apply`),
      ).toMatchObject({ code: 0 });
    expect(await dataOf()).toEqual(before);
    const again = await certkeep("restore", "lab", "--all", "--apply");
    expect([again.code, again.stdout]).toEqual([0, expect.stringContaining("Nothing to restore")]);
    expect((await certkeep("audit", "--fail-on", "warning")).stdout).toMatch(
      /3 (?:of 3 )?certificates/,
    );
  });

  it.each([
    ["Roles in it", "certkeep clusters add prod", ""],
    [
      "ClusterRoles that can't create it",
      "certkeep clusters add prod --with create-namespace",
      " --create-namespace",
    ],
  ])(
    "audit, a deleted namespace, %s -> clusters add, restore: as it was",
    async (of, first, more) => {
      const [shop, web] = await setUp();
      const added = await certkeep(
        ...["clusters", "add", "prod", "--context", "admin", "--yes", "--with", "restore"],
        ...(of === "Roles in it"
          ? ["--namespace", shop, "--namespace", web]
          : ["--all-namespaces"]),
      );
      expect([added.code, added.stderr]).toEqual([0, expect.anything()]);
      expect((await certkeep("audit")).code).toBe(0);
      const before = await readSecret(kube, shop, `${shop}-tls`);
      await deleteNamespace(shop);
      const audit = await certkeep("audit");
      const commands = audit.stdout.match(/certkeep (?:clusters add|restore) [^\n]*\w/g) ?? [];
      expect(commands).toEqual([
        first,
        expect.stringMatching(
          `^certkeep restore prod --all --namespace ${shop}${more}( --apply)?$`,
        ),
      ]);
      for (const command of commands)
        expect(
          await offered(/restore .*[^y]$/.test(command) ? `${command} --apply` : command),
        ).toMatchObject({ code: 0 });
      expect((await readSecret(kube, shop, `${shop}-tls`))?.data).toEqual(before?.data);
      expect(await certkeep("audit")).toMatchObject({ code: 0 });
    },
  );

  it("audit, one loss in a cluster registered to be read -> clusters add, restore: it is there", async () => {
    const [shop] = await setUp();
    const added = await certkeep(
      ...["clusters", "add", "prod", "--context", "admin", "--yes", "--namespace", shop],
    );
    expect(added.code).toBe(0);
    expect((await certkeep("audit")).code).toBe(0);
    const secret = `${shop}-tls`;
    const before = await readSecret(kube, shop, secret);
    await kube.demand("DELETE", `/api/v1/namespaces/${shop}/secrets/${secret}`);
    const { stdout } = await certkeep("audit");
    const commands = stdout.match(/certkeep (?:clusters add|restore) [^\n]*\w/g) ?? [];
    expect(commands).toEqual([
      "certkeep clusters add prod --with restore",
      `certkeep restore prod ${secret}.example.com --apply`,
    ]);
    const page = await certkeep("explain", `${secret}.example.com`);
    expect(page.stdout.match(/certkeep (?:clusters add|restore) [^\n]*\w/g)).toEqual(commands);
    for (const command of commands) expect(await offered(command)).toMatchObject({ code: 0 });
    expect((await readSecret(kube, shop, secret))?.data).toEqual(before?.data);
    const explained = async (): Promise<string> =>
      (await certkeep("explain", `${secret}.example.com`)).stdout;
    expect(await explained()).toMatch(/Restored .* UTC; the next audit checks it/);
    expect((await certkeep("audit")).code).toBe(0);
    expect(await explained()).not.toContain("the next audit checks it");
  });

  it("audit, after a rebuild -> restore: what the one before had, and what it had lost", async () => {
    const [shop, web] = await setUp();
    const names = [`${shop}-tls.example.com`, `${web}-tls.example.com`];
    const options = ["--namespace", shop, "--namespace", web, "--with", "restore", "--yes"];
    const added = await certkeep("clusters", "add", "prod", "--context", "admin", ...options);
    expect(added.code).toBe(0);
    expect((await certkeep("audit")).code).toBe(0);
    await kube.demand("DELETE", `/api/v1/namespaces/${web}/secrets/${web}-tls`);
    expect((await certkeep("audit")).stdout).toContain(names[1]);
    const successor = await startKube();
    const before = kubeconfig;
    try {
      for (const namespace of [shop, web]) await createNamespace(successor, namespace);
      kubeconfig = successor.kubeconfigFor({ contextName: "admin" });
      const again = ["clusters", "add", "prod", "--rebuilt", "--context", "admin", ...options];
      expect((await certkeep(...again)).code).toBe(0);
      const { stdout } = await certkeep("audit");
      for (const name of names) expect(stdout).toContain(name);
      const commands = stdout.match(/certkeep (?:clusters|restore) [^\n]*\w/g) ?? [];
      expect(commands).toEqual(["certkeep restore prod --all --apply"]);
      for (const command of commands) expect(await offered(command)).toMatchObject({ code: 0 });
      for (const place of [shop, web])
        expect(await readSecret(successor, place, `${place}-tls`)).toMatchObject({
          type: "kubernetes.io/tls",
        });
      expect((await certkeep("audit")).stdout).toMatch(/2 (?:of 2 )?certificates/);
    } finally {
      kubeconfig = before;
      await successor.stop();
    }
  });

  it("clusters add --print, then --no-apply: what was printed is registered", async () => {
    const [shop] = await setUp();
    const options = ["--namespace", shop, "--parts", "secrets,restore"];
    const printed = await certkeep("clusters", "add", "gitops", ...options, "--print");
    writeFileSync(join(folder, "rbac.yaml"), printed.stdout);
    await shell(`kubectl apply -f ${join(folder, "rbac.yaml")}`);
    const added = await certkeep(
      ...["clusters", "add", "gitops", "--context", "admin", "--no-apply", "--yes"],
    );
    expect([added.code, added.stderr]).toEqual([0, expect.stringContaining("Restores as")]);
    expect(registration("gitops")).toContain(`- ${shop}`);
    expect(registration("gitops")).not.toContain("diagnosis");
  });

  it("doctor, two names for one cluster -> clusters remove: one is left", async () => {
    await setUp();
    config("clusters:\n  - name: one\n    context: admin\n  - name: two\n    context: admin\n");
    const line = (await doctor()).find(({ text }) => text.includes("Same cluster as one"));
    expect(line?.command).toBe("certkeep clusters remove two");
    expect((await offered(line?.command ?? null)).code).toBe(0);
    expect(readFileSync(join(folder, "certkeep.yaml"), "utf8")).not.toContain("two");
    expect(JSON.stringify(await doctor())).not.toContain("The same cluster");
  });

  it("doctor, no recipients -> init: they are there, with the identity that is named", async () => {
    await setUp();
    const file = join(folder, "certkeep.yaml");
    writeFileSync(file, BASE.replace(/recipients: .*\n/, ""));
    const line = await lineOf("recipients");
    expect(line?.command).toBe("certkeep init");
    expect((await certkeep("init", "--yes")).code).toBe(0);
    expect(readFileSync(file, "utf8")).toContain(BASE.split("\n")[0]);
    expect(await lineOf("recipients")).toBeUndefined();
  });

  it("doctor, a damaged state -> mv: the next audit starts again", async () => {
    await setUp();
    config("clusters:\n  - name: lab\n    context: admin\n");
    expect((await certkeep("audit")).code).toBe(0);
    const states = join(folder, "state/cluster-lab");
    for (const revision of readdirSync(states)) writeFileSync(join(states, revision), '{"a":1}\n');
    const line = await lineOf("state");
    expect(line?.command).toMatch(/^mv -n \/.* \/.*\.damaged$/);
    await shell(line?.command ?? "");
    expect(await lineOf("state")).toBeUndefined();
    expect((await certkeep("audit")).code).toBe(0);
    expect((await certkeep("report", "--json")).code).toBe(0);
  });

  it("doctor, what everybody may do is nobody's excess; what one may is, with how to find it", async () => {
    const [shop] = await setUp();
    const rbac = "/apis/rbac.authorization.k8s.io/v1";
    const rule = { apiGroups: [""], resources: ["configmaps"], verbs: ["get", "delete"] };
    const grant = async (name: string, subject: object): Promise<void> => {
      const metadata = { name: `${name}-${number}` };
      await kube.demand("POST", `${rbac}/clusterroles`, { metadata, rules: [rule] });
      await kube.demand("POST", `${rbac}/clusterrolebindings`, {
        metadata,
        roleRef: {
          apiGroup: "rbac.authorization.k8s.io",
          kind: "ClusterRole",
          name: metadata.name,
        },
        subjects: [subject],
      });
    };
    const everybody = { kind: "Group", apiGroup: "rbac.authorization.k8s.io" };
    await grant("everybody", { ...everybody, name: "system:authenticated" });
    const added = await certkeep(
      ...["clusters", "add", "prod", "--context", "admin", "--yes", "--namespace", shop],
    );
    expect(added.code).toBe(0);
    expect(await lineOf("excess")).toBeUndefined();
    await grant("one", {
      kind: "ServiceAccount",
      namespace: "certkeep",
      name: "certkeep-prod-read",
    });
    // The same rule from another binding is everybody's all the same.
    expect(await lineOf("excess")).toBeUndefined();
    await kube.demand("PATCH", `${rbac}/clusterroles/one-${number}`, {
      rules: [{ ...rule, resources: ["secrets"] }],
    });
    let line: DoctorLine | undefined;
    await expect
      .poll(async () => (line = await lineOf("excess"))?.text, { timeout: 15_000 })
      .toContain("delete secrets");
    expect(line?.command).toMatch(/^kubectl get clusterrolebindings/);
    expect(await shell(line?.command ?? "")).toMatch(/one-\d+ .*certkeep-prod-read/);
    await kube.demand("DELETE", `${rbac}/clusterrolebindings/everybody-${number}`);
  });
});

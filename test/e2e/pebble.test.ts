/**
 * Certificates that an ACME server really issues in a burst, put into Secrets of a real
 * kube-apiserver and audited as they are replaced: the timeline and the budget agree with what was
 * issued and was seen.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { generateIdentity } from "../../lib/adapters/age/identity.ts";
import { bucket } from "../../lib/ratelimit/bucket.ts";
import { createLimit, MS_NS } from "../../lib/ratelimit/limit.ts";
import type { AcmeCertificate, AcmeClient } from "./support/acme.ts";
import { startKube, type Kube } from "./support/kube.ts";
import { createNamespace } from "./support/objects.ts";
import { type Pebble, startPebble } from "./support/pebble.ts";
import { runProgram, type Ended } from "./support/run.ts";
import { lacksTools } from "./support/tools.ts";
import { named } from "../support/named.ts";

const MAIN = resolve(import.meta.dirname, "../../lib/cli/main.ts");
const TAILNET = "tail1a2b3.ts.net";
const SHARED = `shop.${TAILNET}`;
const WEEK_HOURS = 168;
const SET = createLimit({ count: 5, periodMs: WEEK_HOURS * 3_600_000 });

const base64 = (text: string): string => Buffer.from(text).toString("base64");

interface BudgetDocument {
  readonly kind: "set" | "domain";
  readonly key: string;
  readonly atMost: number;
  readonly atLeast: number | null;
  readonly spent: number;
  readonly exempt: number;
  readonly freeFrom: string;
  readonly at: string;
}
interface Timeline {
  readonly serial: string;
  readonly issuedAt: string;
  readonly basis: string;
  readonly leaves: number;
  readonly effect: string;
  readonly sources: readonly {
    readonly kind: string;
    readonly cluster: string;
    readonly where: string;
  }[];
}
interface ExplainDocument {
  readonly at: string;
  readonly places: readonly {
    readonly cluster: string;
    readonly verdict: { readonly valid: boolean } | null;
  }[];
  readonly issuances: readonly {
    readonly budget: BudgetDocument;
    readonly domains: readonly BudgetDocument[];
    readonly timeline: readonly Timeline[];
    readonly plan: { readonly earliest: readonly string[] } | null;
  }[];
  readonly findings: readonly {
    readonly code: string;
    readonly subject: { readonly cluster: string };
  }[];
}

type Cluster = "east" | "west";

describe.skipIf(lacksTools("etcd", "kube-apiserver", "pebble"))(
  "certificates that were really issued",
  () => {
    /** A server for each cluster: one that answers under two names would count as one cluster. */
    const kubes: Record<Cluster, Kube | undefined> = { east: undefined, west: undefined };
    let pebble: Pebble;
    let acme: AcmeClient;
    let folder: string;
    /** Of the shared set, in order; those that were never stored too. */
    const issued: AcmeCertificate[] = [];
    const seen: AcmeCertificate[] = [];

    const run = (...args: string[]): Promise<Ended> =>
      runProgram(process.execPath, [MAIN, ...named(folder, args)], {
        cwd: folder,
        env: { PATH: process.env["PATH"] ?? "", HOME: folder },
        timeoutMs: 60_000,
      });
    const explain = async (...args: string[]): Promise<ExplainDocument> => {
      const ended = await run("explain", ...args, "--json");
      if (ended.code !== 0) throw new Error(ended.stderr);
      return JSON.parse(ended.stdout) as ExplainDocument;
    };
    const put = async (namespace: Cluster, name: string, pair: AcmeCertificate): Promise<void> => {
      const labels = {
        "tailscale.com/managed": "true",
        "tailscale.com/secret-type": "certs",
        "tailscale.com/proxy-group": "pg",
        "tailscale.com/domain": name,
      };
      const secret = {
        apiVersion: "v1",
        kind: "Secret",
        metadata: { namespace, name, labels },
        type: "kubernetes.io/tls",
        data: { "tls.crt": base64(pair.certificatePem), "tls.key": base64(pair.keyPem) },
      };
      const path = `/api/v1/namespaces/${namespace}/secrets`;
      const kube = kubeOf(namespace);
      const there = await kube.request("PUT", `${path}/${name}`, secret);
      if (there.status === 404) await kube.demand("POST", path, secret);
      else if (there.status !== 200)
        throw new Error(`Secret ${namespace}/${name}: ${there.status}`);
    };
    const kubeOf = (cluster: Cluster): Kube => {
      const kube = kubes[cluster];
      if (kube === undefined) throw new Error(`no server for ${cluster}`);
      return kube;
    };
    const budgetOf = (
      document: { readonly budgets: readonly BudgetDocument[] },
      key: string,
    ): BudgetDocument | undefined => document.budgets.find((budget) => budget.key === key);

    beforeAll(async () => {
      [kubes.east, kubes.west, pebble] = await Promise.all([
        startKube(),
        startKube(),
        startPebble(),
      ]);
      acme = await pebble.client();
      folder = mkdtempSync(join(tmpdir(), "certkeep-e2e-pebble-"));
      for (const namespace of ["east", "west"] as const) {
        const kube = kubeOf(namespace);
        await createNamespace(kube, namespace);
        // As the operator gives them to the account of a ProxyGroup.
        const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
        await kube.demand("POST", `${rbac}/roles`, {
          metadata: { name: "pg" },
          rules: [
            { apiGroups: [""], resources: ["secrets"], verbs: ["get", "list", "patch", "update"] },
          ],
        });
        await kube.demand("POST", `${rbac}/rolebindings`, {
          metadata: { name: "pg" },
          roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "pg" },
          subjects: [{ kind: "ServiceAccount", namespace, name: "pg" }],
        });
      }
      const { recipient } = await generateIdentity();
      writeFileSync(join(folder, "root.pem"), pebble.rootPem);
      writeFileSync(join(folder, "intermediate.pem"), pebble.intermediatePem);
      writeFileSync(
        join(folder, "certkeep.yaml"),
        `recipients: [${recipient}]
stores: {backups: "file:backups", state: "file:state"}
clusters:
  - {name: east, kubeconfig: ${kubeOf("east").kubeconfigFor()}, namespaces: [east]}
  - {name: west, kubeconfig: ${kubeOf("west").kubeconfigFor()}, namespaces: [west]}
issuers:
  - {id: pebble, title: Pebble, anchors: root.pem, intermediates: intermediate.pem, limits: {perSet: {count: 5}, perDomain: {count: 50}}}
`,
      );
    });
    afterAll(async () => {
      await pebble?.stop();
      await Promise.all([kubes.east?.stop(), kubes.west?.stop()]);
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    });

    it(
      "are told one by one, each with what was left after it, though each replaced the one " +
        "before",
      async () => {
        for (const cluster of ["east", "west", "east", null, "west"] as const) {
          const pair = await acme.issue([SHARED]);
          issued.push(pair);
          expect(await pebble.status(pair.serial)).toBe("Valid");
          // One is lost on its way: issued, and never stored.
          if (cluster === null) continue;
          seen.push(pair);
          await put(cluster, SHARED, pair);
          const ended = await run("audit", cluster, "--json");
          const document = JSON.parse(ended.stdout) as {
            readonly budgets: readonly BudgetDocument[];
          };
          expect(budgetOf(document, SHARED)).toMatchObject({
            kind: "set",
            spent: seen.length,
            atMost: 5 - seen.length,
            atLeast: null,
          });
        }
        const document = await explain(SHARED);
        expect(document.places.map(({ cluster, verdict }) => [cluster, verdict?.valid])).toEqual([
          ["east", true],
          ["west", true],
        ]);
        const [account] = document.issuances;
        const timeline = account?.timeline ?? [];
        // Pebble puts no SCTs into certificates and dates nothing back: notBefore is what there is,
        // in whole seconds.
        const order = seen.toSorted(
          (a, b) => a.notBeforeMs - b.notBeforeMs || (a.serial < b.serial ? -1 : 1),
        );
        expect(
          timeline.map(({ serial, issuedAt, basis }) => [serial, Date.parse(issuedAt), basis]),
        ).toEqual(order.map(({ serial, notBeforeMs }) => [serial, notBeforeMs, "not_before"]));
        expect(timeline.map(({ leaves, effect }) => [leaves, effect])).toEqual([
          [4, "spent"],
          [3, "spent"],
          [2, "spent"],
          [1, "spent"],
        ]);
        for (const entry of timeline) {
          expect(entry.sources.map(({ kind }) => kind)).toEqual(["backup", "secret"]);
          expect(await pebble.status(entry.serial)).toBe("Valid");
        }
        expect(
          new Set(timeline.flatMap(({ sources }) => sources.map(({ cluster }) => cluster))),
        ).toEqual(new Set(["east", "west"]));
      },
    );

    it(
      "leave at most what the issuer's bucket of those seen leaves, and no less than that of " +
        "all",
      async () => {
        const { issuances, at } = await explain(SHARED, "--plan", "3");
        const [account] = issuances;
        const atMs = BigInt(Date.parse(at)) * MS_NS;
        const left = (certificates: readonly AcmeCertificate[]): number =>
          bucket(
            SET,
            certificates.map(({ notBeforeMs }) => BigInt(notBeforeMs) * MS_NS),
            atMs,
          ).remaining;
        expect([left(seen), left(issued)]).toEqual([1, 0]);
        expect(account?.budget).toMatchObject({ atMost: left(seen), atLeast: null });
        // One now, and then one each 33 h 36 min from the first on.
        const first = Math.min(...seen.map(({ notBeforeMs }) => notBeforeMs));
        const interval = (WEEK_HOURS * 3_600_000) / 5;
        const [one, two, three] = (account?.plan?.earliest ?? []).map((instant) =>
          Date.parse(instant),
        );
        expect(one).toBe(Date.parse(at));
        expect(Math.abs((two ?? 0) - first - interval)).toBeLessThan(10_000);
        expect((three ?? 0) - (two ?? 0)).toBe(interval);
      },
    );

    it("are told as a race and as needless, in both clusters", async () => {
      const { findings } = await explain(SHARED);
      expect(findings.map(({ code, subject }) => `${subject.cluster} ${code}`).toSorted()).toEqual(
        ["east", "west"].flatMap((cluster) =>
          ["concurrent_issuance", "reissued_without_need", "set_budget_low", "shared_set"].map(
            (code) => `${cluster} ${code}`,
          ),
        ),
      );
    });

    it("share the tailnet's budget: new names take from it, renewals don't, whichever cluster", async () => {
      for (const [cluster, names] of [
        ["east", [`a.${TAILNET}`]],
        ["west", [`b.${TAILNET}`]],
        ["west", [`c.${TAILNET}`, `d.${TAILNET}`]],
      ] as const)
        await put(cluster, names[0], await acme.issue(names));
      const ended = await run("audit", "--json");
      const document = JSON.parse(ended.stdout) as { readonly budgets: readonly BudgetDocument[] };
      expect(budgetOf(document, TAILNET)).toMatchObject({
        kind: "domain",
        spent: 4,
        exempt: 3,
        atMost: 46,
      });
      expect(budgetOf(document, `c.${TAILNET},d.${TAILNET}`)).toMatchObject({
        kind: "set",
        spent: 1,
        atMost: 4,
      });
    });

    it("count where the chain lacks its intermediate, and not without the key", async () => {
      const [bare, borrowed] = [
        await acme.issue([`bare.${TAILNET}`]),
        await acme.issue([`borrowed.${TAILNET}`]),
      ];
      const [leaf = ""] =
        bare.certificatePem.match(/-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----\n/) ??
        [];
      await put("east", `bare.${TAILNET}`, { ...bare, certificatePem: leaf });
      await put("east", `borrowed.${TAILNET}`, { ...borrowed, keyPem: bare.keyPem });
      const document = JSON.parse((await run("audit", "--json")).stdout) as {
        readonly budgets: readonly BudgetDocument[];
      };
      expect(budgetOf(document, `bare.${TAILNET}`)).toMatchObject({ spent: 1 });
      expect(budgetOf(document, `borrowed.${TAILNET}`)).toBeUndefined();
      expect(budgetOf(document, TAILNET)).toMatchObject({ spent: 5 });
    });

    it("are told as used up, on a page that a person can read", async () => {
      const pair = await acme.issue([SHARED]);
      await put("east", SHARED, pair);
      await run("audit");
      const page = await run("explain", SHARED, "--no-color");
      expect(page.code).toBe(0);
      expect(page.stdout.replaceAll(/\s+/g, " ")).toContain("Limit 0 of 5 left, next available ");
      for (const { serial } of seen) expect(page.stdout).toContain(serial.slice(0, 10));
      const unknown = await run("explain", `shp.${TAILNET}`);
      expect(unknown.code).toBe(2);
      expect(unknown.stderr).toContain(`Did you mean ${SHARED}?`);
    });
  },
);

/**
 * What a reader of clusters has to do, whatever server it reads: the fake API server or a real
 * kube-apiserver.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ReaderOptions, createClusterReader } from "../../lib/adapters/kubernetes/reader.ts";
import { connect } from "../../lib/adapters/kubernetes/context.ts";
import { parseKubeconfig } from "../../lib/adapters/kubernetes/kubeconfig.ts";
import { CertkeepError } from "../../lib/error.ts";
import type { ClusterReader, Scope } from "../../lib/ports/cluster.ts";
import type { Secret, SecretMeta } from "../../lib/secret/secret.ts";
import { type Client, harnessAgent } from "../e2e/support/client.ts";

/** A rule as RBAC has it, in a namespace, or everywhere where none is named. */
export interface ClusterRule {
  readonly verbs: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly namespace?: string;
}

/** The accounts that a server for this suite has to know. */
export const clusterAccounts: Readonly<Record<"reader" | "named", readonly ClusterRule[]>> = {
  reader: [
    { verbs: ["get", "list"], resources: ["secrets"] },
    { verbs: ["get"], resources: ["namespaces"] },
  ],
  named: [
    { verbs: ["get"], resources: ["secrets"], resourceNames: ["by-name"], namespace: "contract" },
  ],
};

/** The namespace of the accounts. */
export const clusterNamespace = "contract";

export interface ClusterSubject {
  readonly admin: Client;
  /** The text of a kubeconfig for an account, or for a token that nobody knows. */
  kubeconfig(account: keyof typeof clusterAccounts | "stranger"): string;
  /** Makes every continue token given out so far too old. */
  expireContinue(): Promise<void>;
  /** Puts other entries in the place of a Secret's managedFields, as a client may. */
  disown(namespace: string, name: string, managedFields: readonly object[]): Promise<void>;
  /** Methods or verbs, paths and clients of all requests since the start. */
  requests(): Promise<
    readonly { readonly verb: string; readonly uri: string; readonly userAgent: string }[]
  >;
  stop(): Promise<void>;
}

const CANARY = "canary-7f3a91-key";
const b64 = (text: string): string => Buffer.from(text).toString("base64");
const secretsPath = (namespace: string): string => `/api/v1/namespaces/${namespace}/secrets`;

async function gather<T>(pages: AsyncIterable<readonly T[]>): Promise<T[]> {
  const items: T[] = [];
  for await (const page of pages) items.push(...page);
  return items;
}

async function failureOf(work: Promise<unknown>): Promise<CertkeepError> {
  const error: unknown = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error instanceof CertkeepError) return error;
  throw new Error(`expected a CertkeepError, got ${String(error)}`);
}

export function clusterContract(name: string, setup: () => Promise<ClusterSubject>): void {
  describe(`reading a cluster: ${name}`, () => {
    let subject: ClusterSubject;
    const readers: ClusterReader[] = [];

    const create = async (namespace: string, secret: object): Promise<void> => {
      const answer = await subject.admin.request("POST", secretsPath(namespace), {
        apiVersion: "v1",
        kind: "Secret",
        ...secret,
      });
      if (answer.status !== 201) throw new Error(`status ${answer.status} when creating a Secret`);
    };
    const patch = async (namespace: string, secret: string, body: object): Promise<void> => {
      const answer = await subject.admin.request(
        "PATCH",
        `${secretsPath(namespace)}/${secret}`,
        body,
      );
      if (answer.status !== 200) throw new Error(`status ${answer.status} when changing a Secret`);
    };
    const createNamespace = async (namespace: string): Promise<void> => {
      const answer = await subject.admin.request("POST", "/api/v1/namespaces", {
        apiVersion: "v1",
        kind: "Namespace",
        metadata: { name: namespace },
      });
      if (answer.status !== 201 && answer.status !== 409)
        throw new Error(`status ${answer.status} when creating a namespace`);
    };
    const reader = async (
      account: Parameters<ClusterSubject["kubeconfig"]>[0] = "reader",
      options: ReaderOptions = {},
    ): Promise<ClusterReader> => {
      const connection = await connect(
        parseKubeconfig(subject.kubeconfig(account), "kubeconfig"),
        null,
        { environment: {}, nowMs: Date.now },
      );
      const made = createClusterReader(connection, { random: () => 0, ...options });
      readers.push(made);
      return made;
    };
    const metadata = async (scope: Scope, options: ReaderOptions = {}): Promise<SecretMeta[]> =>
      gather((await reader("reader", options)).listMetadata(scope));
    const one = async (namespace: string, wanted: string): Promise<SecretMeta> => {
      const found = (await metadata({ namespace })).find((item) => item.name === wanted);
      if (found === undefined) throw new Error(`${wanted} wasn't listed`);
      return found;
    };

    beforeAll(async () => {
      subject = await setup();
      for (const namespace of ["contract", "many", "shapes", "changing"])
        await createNamespace(namespace);
      const value = b64(`${CANARY}${"x".repeat(3_000)}`);
      const many = Array.from({ length: 130 }, (_, nth) => nth);
      await Promise.all(
        many.map((nth) =>
          create("many", {
            metadata: {
              name: `s-${String(nth).padStart(3, "0")}`,
              labels: { part: nth % 10 === 0 ? "tenth" : "other" },
            },
            ...(nth % 2 === 0
              ? { type: "kubernetes.io/tls", data: { "tls.crt": value, "tls.key": value } }
              : { data: { note: value } }),
          }),
        ),
      );
      await create("contract", { metadata: { name: "by-name" }, data: { "a.crt": b64("x") } });
    });
    afterAll(async () => {
      await Promise.all(readers.map((made) => made.close()));
      await subject?.stop();
    });

    test("knows which cluster it is, and where it may not ask says so", async () => {
      const [seen, blind] = [
        await (await reader()).identity(),
        await (await reader("named")).identity(),
      ];
      expect(seen.uid).toMatch(/^[0-9a-f-]{36}$/);
      expect(seen.caSha256).toMatch(/^[0-9a-f]{64}$/);
      expect(blind).toEqual({ ...seen, uid: null });
    });

    test("lists types and keys of all Secrets, page by page, without one value", async () => {
      const made = await reader("reader", { pageLimit: 50 });
      const pages: (readonly SecretMeta[])[] = [];
      for await (const page of made.listMetadata({ namespace: "many" })) pages.push(page);
      expect(pages.map((page) => page.length)).toEqual([50, 50, 30]);
      const all = pages.flat();
      expect(new Set(all.map((item) => item.name)).size).toBe(130);
      expect(
        all.filter(
          (item) =>
            item.type === "kubernetes.io/tls" && item.dataKeys?.join() === "tls.crt,tls.key",
        ),
      ).toHaveLength(65);
      expect(
        all.filter((item) => item.type === "Opaque" && item.dataKeys?.join() === "note"),
      ).toHaveLength(65);
      expect(JSON.stringify(all)).not.toContain(b64(CANARY).slice(0, 16));
      expect(made.stats()).toMatchObject({
        requests: { list_metadata: 3 },
        valuesRead: 0,
        unfilteredFullListings: 0,
        unreadable: [],
      });
    });

    test("lists over all namespaces, and none of one that isn't there", async () => {
      const all = await metadata({ namespace: null });
      expect(all.filter((item) => item.namespace === "many")).toHaveLength(130);
      expect(all.some((item) => item.namespace === "contract" && item.name === "by-name")).toBe(
        true,
      );
      expect(await metadata({ namespace: "never-made" })).toEqual([]);
    });

    test("narrows by label and by type, also with values", async () => {
      const labels = await metadata({ namespace: "many", labelSelector: "part=tenth" });
      expect(labels.map((item) => item.name)).toEqual(
        Array.from({ length: 13 }, (_, nth) => `s-${String(nth * 10).padStart(3, "0")}`),
      );
      const made = await reader();
      const tls = await gather(
        made.listSecrets({ namespace: "many", fieldSelector: "type=kubernetes.io/tls" }),
      );
      expect(tls).toHaveLength(65);
      expect(
        tls.every((item) =>
          Buffer.from(item.data["tls.key"] ?? "", "base64")
            .toString()
            .startsWith(CANARY),
        ),
      ).toBe(true);
      expect(made.stats()).toMatchObject({
        requests: { list_full: 1 },
        valuesRead: 65,
        unfilteredFullListings: 0,
      });
    });

    test(
      "keeps pages with values small, gives each Secret once, and counts a listing that nothing " +
        "narrows",
      async () => {
        const made = await reader("reader", { pageBytes: 60_000 });
        const sizes: number[] = [];
        const names = new Set<string>();
        for await (const page of made.listSecrets({ namespace: "many" })) {
          sizes.push(page.length);
          for (const item of page) names.add(item.name);
        }
        expect(names.size).toBe(130);
        expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(130);
        expect(Math.max(...sizes)).toBeLessThanOrEqual(20);
        expect(made.stats()).toMatchObject({ valuesRead: 130, unfilteredFullListings: 1 });
      },
    );

    test("starts again when its place in the listing has expired, and is whole", async () => {
      const made = await reader("reader", { pageLimit: 20 });
      const names = new Set<string>();
      let pages = 0;
      for await (const page of made.listMetadata({ namespace: "many" })) {
        for (const item of page) names.add(item.name);
        pages += 1;
        if (pages !== 2) continue;
        // What changes meanwhile is seen after the new start.
        await create("many", { metadata: { name: "s-000-new" } });
        await subject.expireContinue();
      }
      expect(names.size).toBe(131);
      expect(pages).toBeGreaterThan(7);
      const removed = await subject.admin.request("DELETE", `${secretsPath("many")}/s-000-new`);
      expect(removed.status).toBe(200);
    });

    test("gets a Secret with all that is allowed, and null for none", async () => {
      await create("shapes", {
        metadata: {
          name: "full",
          labels: { app: "x" },
          annotations: {
            "kubectl.kubernetes.io/last-applied-configuration": CANARY,
            "cert-manager.io/certificate-name": "c",
          },
          ownerReferences: [
            {
              apiVersion: "v1",
              kind: "ConfigMap",
              name: "owner",
              uid: "5f0b8a52-9df2-4b44-8c5e-0b7f0a1d2c3e",
            },
          ],
        },
        immutable: true,
        data: { "a.crt": b64("one"), empty: "", "_-.9": b64("two") },
      });
      const made = await reader();
      const stamp = await made.getStamp("shapes", "full");
      const secret = (await made.getSecret("shapes", "full")) as Secret;
      expect(stamp).toEqual({ uid: secret.uid, resourceVersion: secret.resourceVersion });
      expect(secret).toMatchObject({
        namespace: "shapes",
        name: "full",
        type: "Opaque",
        immutable: true,
        dataKeys: ["_-.9", "a.crt", "empty"],
        data: { "a.crt": b64("one"), empty: "", "_-.9": b64("two") },
        labels: { app: "x" },
        annotations: { "cert-manager.io/certificate-name": "c" },
        owners: [
          {
            apiVersion: "v1",
            kind: "ConfigMap",
            name: "owner",
            uid: "5f0b8a52-9df2-4b44-8c5e-0b7f0a1d2c3e",
          },
        ],
        deletedAt: null,
      });
      expect(JSON.stringify(secret)).not.toContain(CANARY);
      const {
        data: _data,
        immutable: _immutable,
        unreadAnnotations,
        finalizers: _finalizers,
        ...meta
      } = secret;
      expect(unreadAnnotations).toEqual(["kubectl.kubernetes.io/last-applied-configuration"]);
      expect(await one("shapes", "full")).toEqual(meta);
      expect(await made.getSecret("shapes", "none")).toBeNull();
      expect(await made.getStamp("shapes", "none")).toBeNull();
      expect(await made.getSecret("never-made", "none")).toBeNull();
      expect(await made.getSecret("shapes", "../secrets/full")).toBeNull();
      expect(made.stats().valuesRead).toBe(1);
    });

    test("believes managedFields only where they account for every key", async () => {
      await create("shapes", { metadata: { name: "owned" }, data: { a: "", b: "" } });
      expect((await one("shapes", "owned")).dataKeys).toEqual(["a", "b"]);
      const before = (await one("shapes", "owned")).resourceVersion;
      await patch("shapes", "owned", { data: { c: b64("x"), b: null } });
      const after = await one("shapes", "owned");
      expect(after.dataKeys).toEqual(["a", "c"]);
      expect(after.resourceVersion).not.toBe(before);
      const answer = await subject.admin.request("GET", `${secretsPath("shapes")}/owned`);
      const [first] = answer.body.metadata.managedFields ?? [];
      await subject.disown("shapes", "owned", [
        { ...first, fieldsType: "FieldsV1", fieldsV1: { "f:data": { ".": {}, "f:a": {} } } },
      ]);
      expect((await one("shapes", "owned")).dataKeys).toBeNull();
      await subject.disown("shapes", "owned", []);
      expect((await one("shapes", "owned")).dataKeys).toBeNull();
      await create("shapes", { metadata: { name: "empty" } });
      expect((await one("shapes", "empty")).dataKeys).toEqual([]);
    });

    test("tells a Secret that is being deleted", async () => {
      await create("shapes", { metadata: { name: "going", finalizers: ["example.com/hold"] } });
      await subject.admin.request("DELETE", `${secretsPath("shapes")}/going`);
      expect((await one("shapes", "going")).deletedAt).toMatch(/^\d{4}-\d\d-\d\dT/);
      await patch("shapes", "going", { metadata: { finalizers: null } });
      expect((await metadata({ namespace: "shapes" })).some((item) => item.name === "going")).toBe(
        false,
      );
    });

    test("says who may not list what where, and still gets by name", async () => {
      const made = await reader("named");
      const failure = await failureOf(gather(made.listMetadata({ namespace: "contract" })));
      expect(failure.code).toBe("cluster_forbidden");
      expect(failure.message).toMatch(
        /user system:serviceaccount:contract:named has no permission to list secrets in namespace contract \(status 403, Forbidden\)/,
      );
      expect((await failureOf(gather(made.listSecrets({ namespace: null })))).message).toContain(
        "list secrets in all namespaces",
      );
      expect((await made.getSecret("contract", "by-name"))?.dataKeys).toEqual(["a.crt"]);
      const other = await failureOf(made.getSecret("contract", "other"));
      expect(other.code).toBe("cluster_forbidden");
      expect(other.message).toContain(
        "has no permission to get secrets other in namespace contract",
      );
    });

    test("says that a credential isn't accepted", async () => {
      const failure = await failureOf(
        gather((await reader("stranger")).listMetadata({ namespace: null })),
      );
      expect(failure.code).toBe("cluster_unauthorized");
      expect(failure.message).toContain("rejected the credential (status 401, Unauthorized)");
      expect(failure.parts.answered).toBe(true);
    });

    test("tells what is there, what isn't, and what it may not know", async () => {
      const made = await reader();
      const namespace = (wanted: string) =>
        made.presence({ apiVersion: "v1", kind: "Namespace", namespace: null, name: wanted });
      const many = await namespace("many");
      expect(many).toMatchObject({
        state: "present",
        uid: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      });
      expect(await namespace("never-made")).toEqual({ state: "absent" });
      expect(
        await made.presence({ apiVersion: "v1", kind: "Secret", namespace: "many", name: "s-001" }),
      ).toMatchObject({ state: "present" });
      expect(
        await made.presence({ apiVersion: "v1", kind: "Secret", namespace: "many", name: "none" }),
      ).toEqual({ state: "absent" });
      const unknown = { state: "unknown" };
      expect(
        await made.presence({
          apiVersion: "networking.k8s.io/v1",
          kind: "Ingress",
          namespace: "many",
          name: "x",
        }),
      ).toEqual(unknown);
      expect(
        await made.presence({
          apiVersion: "example.com/v1",
          kind: "Thing",
          namespace: "many",
          name: "x",
        }),
      ).toEqual(unknown);
      expect(
        await (
          await reader("named")
        ).presence({ apiVersion: "v1", kind: "Namespace", namespace: null, name: "many" }),
      ).toEqual(unknown);
    });

    test("has asked for reading alone", async () => {
      const asked = (await subject.requests()).filter(
        (request) => request.userAgent !== harnessAgent,
      );
      expect(asked.length).toBeGreaterThan(50);
      expect(asked.filter((request) => !["get", "list"].includes(request.verb))).toEqual([]);
      expect(asked.some((request) => request.uri.includes("resourceVersion="))).toBe(false);
    });
  });
}

import { request } from "node:https";
import { gunzipSync } from "node:zlib";
import { CoreV1Api, KubeConfig } from "@kubernetes/client-node";
import { afterEach, describe, expect, it } from "vitest";
import { type Sandbox, type SandboxOptions, serviceAccount, startSandbox } from "./api.ts";
import { type Client, type KubeObject, createClient } from "../e2e/support/client.ts";
import { openWatch } from "./support.ts";

const running: { sandbox: Sandbox; client: Client }[] = [];

async function start(options: SandboxOptions = {}): Promise<{ sandbox: Sandbox; client: Client }> {
  const sandbox = await startSandbox(options);
  const client = createClient(sandbox.url, sandbox.caPem, sandbox.adminToken);
  running.push({ sandbox, client });
  return { sandbox, client };
}

afterEach(async () => {
  for (const { sandbox, client } of running.splice(0)) {
    client.close();
    await sandbox.stop();
  }
});

const numbered = (count: number, namespace = "shop") =>
  Array.from({ length: count }, (_, at) => ({
    metadata: { namespace, name: `s-${String(at).padStart(5, "0")}` },
    stringData: { value: String(at) },
  }));
const secrets = "/api/v1/namespaces/shop/secrets";
const namesOf = (list: KubeObject): string[] =>
  (list.items ?? []).map(({ metadata }) => metadata.name ?? "");

describe("the fake API server", () => {
  it("is reached by its kubeconfig with the client of Kubernetes", async () => {
    const { sandbox } = await start();
    sandbox.put(numbered(3));
    const config = new KubeConfig();
    config.loadFromString(sandbox.kubeconfig({ context: "demo", namespace: "shop" }));
    expect(config.getCurrentContext()).toBe("demo");
    expect(config.getContextObject("demo")?.namespace).toBe("shop");
    const list = await config.makeApiClient(CoreV1Api).listNamespacedSecret({ namespace: "shop" });
    expect(list.items.map(({ metadata }) => metadata?.name)).toEqual([
      "s-00000",
      "s-00001",
      "s-00002",
    ]);
  });

  it("is trusted by its own authority alone", async () => {
    const { sandbox } = await start();
    const other = await start();
    const stranger = createClient(sandbox.url, other.sandbox.caPem, sandbox.adminToken);
    await expect(stranger.request("GET", "/healthz")).rejects.toThrow(/certificate|signature/u);
    stranger.close();
  });

  it("has the identity that it is given, in times that it is given", async () => {
    const clusterUid = "11111111-2222-4333-8444-555555555555";
    const { client } = await start({ clusterUid, clock: () => Date.UTC(2026, 0, 2, 3, 4, 5, 678) });
    const { body, headers } = await client.request("GET", "/api/v1/namespaces/kube-system");
    expect(body.metadata).toMatchObject({
      uid: clusterUid,
      creationTimestamp: "2026-01-02T03:04:05Z",
    });
    expect(Math.abs(Date.parse(headers.date ?? "") - Date.now())).toBeLessThan(5000);
  });

  it("puts, gives and removes objects in process, with what was left out made up", async () => {
    const { sandbox, client } = await start();
    const [stored] = sandbox.put(
      [{ metadata: { name: "a", namespace: "new" }, stringData: { k: "v" } }],
      "some-tool",
    );
    expect(stored).toMatchObject({ kind: "Secret", type: "Opaque", data: { k: "dg==" } });
    expect(stored?.metadata.managedFields).toMatchObject([
      { manager: "some-tool", fieldsV1: { "f:data": { "f:k": {} } } },
    ]);
    expect((await client.request("GET", "/api/v1/namespaces/new/secrets/a")).body).toEqual(stored);
    const [again] = sandbox.put([
      { metadata: { name: "a", namespace: "new", managedFields: [] }, data: { k: "dzI=" } },
    ]);
    expect(again?.metadata.uid).toBe(stored?.metadata.uid);
    expect(Number(again?.metadata.resourceVersion)).toBeGreaterThan(
      Number(stored?.metadata.resourceVersion),
    );
    expect(again?.metadata.managedFields).toBeUndefined();
    expect(sandbox.all().map(({ metadata }) => metadata.name)).toEqual(["a"]);
    expect(sandbox.remove("new", "a")).toBe(true);
    expect(sandbox.remove("new", "a")).toBe(false);
    expect(sandbox.get("new", "a")).toBeNull();
  });

  it("logs what was asked, by whom, and how it ended, and no credential", async () => {
    const reader = serviceAccount("certkeep", "reader", [
      { verbs: ["list"], resources: ["secrets"], namespace: "shop" },
    ]);
    const { sandbox } = await start({ tokens: { "a-reader's-token": reader } });
    const client = createClient(sandbox.url, sandbox.caPem, "a-reader's-token");
    await client.request("GET", `${secrets}?limit=5`);
    await client.request("GET", `${secrets}/x`);
    client.close();
    expect(sandbox.requests).toMatchObject([
      {
        method: "GET",
        path: secrets,
        query: { limit: "5" },
        user: reader.user,
        verb: "list",
        resource: "secrets",
        namespace: "shop",
        name: null,
        status: 200,
      },
      { verb: "get", name: "x", status: 403 },
    ]);
    expect(JSON.stringify(sandbox.requests)).not.toContain("a-reader's-token");
    sandbox.forgetRequests();
    expect(sandbox.requests).toEqual([]);
  });

  it("turns a token away once it is taken back, and lets it do more once it may", async () => {
    const { sandbox, client } = await start();
    sandbox.setToken("t", serviceAccount("a", "b", []));
    const other = createClient(sandbox.url, sandbox.caPem, "t");
    expect((await other.request("GET", secrets)).status).toBe(403);
    sandbox.setToken("t", serviceAccount("a", "b", [{ verbs: ["*"], resources: ["*"] }]));
    expect((await other.request("GET", secrets)).status).toBe(200);
    sandbox.setToken("t", null);
    expect((await other.request("GET", secrets)).status).toBe(401);
    expect((await client.request("GET", secrets)).status).toBe(200);
    other.close();
  });

  it("allows a listing of one name to whoever may only have that name", async () => {
    const rules = [
      {
        verbs: ["list", "watch"],
        resources: ["secrets"],
        resourceNames: ["mine"],
        namespace: "shop",
      },
    ];
    const { sandbox } = await start({ tokens: { t: serviceAccount("a", "b", rules) } });
    const client = createClient(sandbox.url, sandbox.caPem, "t");
    expect(
      (await client.request("GET", `${secrets}?fieldSelector=metadata.name%3Dmine`)).status,
    ).toBe(200);
    expect(
      (await client.request("GET", `${secrets}?fieldSelector=metadata.name%3Dother`)).status,
    ).toBe(403);
    expect((await client.request("GET", secrets)).status).toBe(403);
    client.close();
  });
});

describe("listing by pages", () => {
  async function pages(
    client: Client,
    limit: number,
    accept = "application/json",
  ): Promise<KubeObject[]> {
    const out: KubeObject[] = [];
    let token = "";
    do {
      const { body, status } = await client.request(
        "GET",
        `/api/v1/secrets?limit=${limit}&continue=${token}`,
        undefined,
        { accept },
      );
      expect(status).toBe(200);
      out.push(body);
      token = body.metadata.continue ?? "";
    } while (token !== "");
    return out;
  }

  it("gives 10,000 Secrets whole, in order, each once", async () => {
    const { sandbox, client } = await start();
    sandbox.put(numbered(10_000));
    const accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    const all = await pages(client, 500, accept);
    expect(all).toHaveLength(20);
    expect(all[0]?.metadata).toMatchObject({ remainingItemCount: 9500 });
    expect(all.flatMap(namesOf)).toEqual(numbered(10_000).map(({ metadata }) => metadata.name));
  });

  it("shows later pages as of the first, whatever is written in between", async () => {
    const { sandbox, client } = await start();
    sandbox.put(numbered(6));
    const first = (await client.request("GET", `${secrets}?limit=2`)).body;
    sandbox.remove("shop", "s-00003");
    sandbox.put([{ metadata: { namespace: "shop", name: "s-00002x" } }]);
    sandbox.put([
      { metadata: { namespace: "shop", name: "s-00004" }, stringData: { value: "new" } },
    ]);
    const rest = (await client.request("GET", `${secrets}?continue=${first.metadata.continue}`))
      .body;
    expect(namesOf(rest)).toEqual(["s-00002", "s-00003", "s-00004", "s-00005"]);
    expect(rest.items?.[2]?.data).toEqual({ value: Buffer.from("4").toString("base64") });
    expect(rest.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
  });

  it("goes on with what is there now after a 410, if asked to", async () => {
    const { sandbox, client } = await start();
    sandbox.put(numbered(6));
    const first = (await client.request("GET", `${secrets}?limit=2`)).body;
    sandbox.expireContinueTokens();
    const late = await client.request(
      "GET",
      `${secrets}?limit=2&continue=${first.metadata.continue}`,
    );
    expect(late.status).toBe(410);
    expect(late.body.reason).toBe("Expired");
    sandbox.remove("shop", "s-00002");
    const rest = (await client.request("GET", `${secrets}?continue=${late.body.metadata.continue}`))
      .body;
    expect(namesOf(rest)).toEqual(["s-00003", "s-00004", "s-00005"]);
  });

  it("can end with an empty page where a selector picks nothing more", async () => {
    const { sandbox, client } = await start();
    sandbox.put(numbered(4));
    sandbox.put([{ metadata: { namespace: "shop", name: "a-labelled", labels: { x: "y" } } }]);
    const first = (await client.request("GET", `${secrets}?limit=1&labelSelector=x`)).body;
    expect(namesOf(first)).toEqual(["a-labelled"]);
    expect(first.metadata).not.toHaveProperty("remainingItemCount");
    const last = (
      await client.request(
        "GET",
        `${secrets}?limit=1&labelSelector=x&continue=${first.metadata.continue}`,
      )
    ).body;
    expect(namesOf(last)).toEqual([]);
    expect(last.metadata.continue).toBeUndefined();
  });

  it("compresses large answers for whoever takes them", async () => {
    const { sandbox } = await start();
    sandbox.put(numbered(1000));
    const ask = (encoding: string): Promise<{ encoding: unknown; body: Buffer }> =>
      new Promise((resolve, reject) => {
        const headers = {
          "accept-encoding": encoding,
          authorization: `Bearer ${sandbox.adminToken}`,
        };
        const outgoing = request(
          new URL(secrets, sandbox.url),
          { ca: sandbox.caPem, headers },
          (incoming) => {
            const parts: Buffer[] = [];
            incoming.on("data", (part: Buffer) => parts.push(part));
            incoming.once("end", () =>
              resolve({
                encoding: incoming.headers["content-encoding"],
                body: Buffer.concat(parts),
              }),
            );
          },
        );
        outgoing.once("error", reject).end();
      });
    const [plain, zipped] = [await ask("identity"), await ask("gzip, deflate")];
    expect([plain.encoding, zipped.encoding]).toEqual([undefined, "gzip"]);
    expect(gunzipSync(zipped.body).equals(plain.body)).toBe(true);
  });
});

describe("watching", () => {
  it("tells what happens after a version, to what fits the selector", async () => {
    const { sandbox } = await start();
    sandbox.put([{ metadata: { namespace: "shop", name: "before", labels: { app: "web" } } }]);
    const since = sandbox.get("shop", "before")?.metadata.resourceVersion;
    const label = (app: string) =>
      sandbox.put([{ metadata: { namespace: "shop", name: "one", labels: { app } } }]);
    label("other");
    label("web");
    const path = `${secrets}?watch=true&labelSelector=app%3Dweb&resourceVersion=${since}`;
    const events = openWatch(sandbox.url, sandbox.caPem, sandbox.adminToken, path, 3);
    setTimeout(() => {
      sandbox.put([
        { metadata: { namespace: "shop", name: "one", labels: { app: "web", more: "yes" } } },
      ]);
      label("other");
    }, 20);
    expect((await events).map((event) => (event as { type: string }).type)).toEqual([
      "ADDED",
      "MODIFIED",
      "DELETED",
    ]);
  });

  it("tells of a new object within milliseconds", async () => {
    const { sandbox, client } = await start();
    const version = (await client.request("GET", secrets)).body.metadata.resourceVersion;
    sandbox.put([{ metadata: { namespace: "shop", name: "zero" } }]);
    const path = `${secrets}?watch=true&resourceVersion=${version}`;
    const events = openWatch(sandbox.url, sandbox.caPem, sandbox.adminToken, path, 1);
    expect(await events).toMatchObject([
      { type: "ADDED", object: { kind: "Secret", metadata: { name: "zero" } } },
    ]);
  });

  it("says that a version is too old once it is forgotten", async () => {
    const { sandbox } = await start();
    sandbox.put(numbered(3));
    const since = sandbox.get("shop", "s-00000")?.metadata.resourceVersion;
    sandbox.expireContinueTokens();
    const path = `${secrets}?watch=true&resourceVersion=${since}`;
    const events = await openWatch(sandbox.url, sandbox.caPem, sandbox.adminToken, path, 1);
    expect(events).toMatchObject([{ type: "ERROR", object: { code: 410, reason: "Expired" } }]);
  });
});

describe("removing a namespace", () => {
  it("takes everything in it", async () => {
    const { sandbox, client } = await start();
    sandbox.put([...numbered(3), ...numbered(2, "other")]);
    expect((await client.request("DELETE", "/api/v1/namespaces/shop")).body).toMatchObject({
      kind: "Namespace",
    });
    expect(sandbox.all().map(({ metadata }) => metadata.namespace)).toEqual(["other", "other"]);
    expect((await client.request("GET", "/api/v1/namespaces/shop")).status).toBe(404);
    expect((await client.request("POST", secrets, { metadata: { name: "x" } })).status).toBe(404);
  });
});

describe("a rehearsed deletion", () => {
  it("is rehearsed by the query without a body, and by the body alone where there is one", async () => {
    const { sandbox, client } = await start();
    sandbox.put(numbered(2));
    const [one, other] = [`${secrets}/s-00000`, `${secrets}/s-00001`];
    expect((await client.request("DELETE", `${one}?dryRun=All`)).status).toBe(200);
    expect(
      (
        await client.request("DELETE", one, {
          kind: "DeleteOptions",
          apiVersion: "v1",
          dryRun: ["All"],
        })
      ).status,
    ).toBe(200);
    expect(
      (
        await client.request("DELETE", one, {
          kind: "DeleteOptions",
          apiVersion: "v1",
          dryRun: ["Some"],
        })
      ).status,
    ).toBe(422);
    expect(sandbox.all()).toHaveLength(2);
    expect(
      (
        await client.request("DELETE", `${other}?dryRun=All`, {
          kind: "DeleteOptions",
          apiVersion: "v1",
        })
      ).status,
    ).toBe(200);
    expect(sandbox.all().map(({ metadata }) => metadata.name)).toEqual(["s-00000"]);
  });
});

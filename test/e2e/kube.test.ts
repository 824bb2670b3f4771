/**
 * Shows that the real kube-apiserver of these tests behaves as the other suites take for granted.
 */
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startFront } from "./support/front.ts";
import { type Kube, startKube } from "./support/kube.ts";
import { startKubeletStub } from "./support/kubelet.ts";
import {
  createNamespace,
  createSecrets,
  createServiceAccount,
  readSecret,
} from "./support/objects.ts";
import { waitUntil } from "./support/process.ts";
import { kubectl, runProgram } from "./support/run.ts";
import { lacksTools } from "./support/tools.ts";

const secrets = "/api/v1/namespaces/many/secrets";

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function* numbered(count: number) {
  for (let i = 0; i < count; i += 1) {
    const name = `secret-${String(i).padStart(5, "0")}`;
    yield { namespace: "many", name, type: "Opaque", stringData: { value: `value ${i}` } };
  }
}

describe.skipIf(lacksTools("kube-apiserver", "etcd", "kubectl"))("the real kube-apiserver", () => {
  let kube: Kube;

  beforeAll(async () => {
    kube = await startKube();
    await createNamespace(kube, "many");
    await createSecrets(kube, numbered(500));
  });
  afterAll(async () => {
    await kube?.stop();
  });

  it("refuses a write, a named read and another namespace to an account that may only list", async () => {
    const rules = [{ apiGroups: [""], resources: ["secrets"], verbs: ["list"] }];
    const client = kube.clientFor(await createServiceAccount(kube, "many", "lister", rules));
    expect((await client.request("GET", `${secrets}?limit=1`)).status).toBe(200);
    expect((await client.request("GET", `${secrets}/secret-00001`)).status).toBe(403);
    expect((await client.request("GET", "/api/v1/namespaces/default/secrets")).status).toBe(403);
    const write = await client.request("POST", secrets, { metadata: { name: "written" } });
    expect(write.status).toBe(403);
    expect(write.body.reason).toBe("Forbidden");
    expect(await readSecret(kube, "many", "written")).toBeNull();
    client.close();
  });

  it("refuses a token that it doesn't know", async () => {
    const client = kube.clientFor("stranger");
    expect((await client.request("GET", secrets)).status).toBe(401);
    client.close();
  });

  it("pages, each page once, to the end", async () => {
    const names = new Set<string>();
    let pages = 0;
    let token = "";
    do {
      const page = await kube.demand("GET", `${secrets}?limit=120&continue=${token}`);
      for (const item of page.items ?? []) names.add(item.metadata.name ?? "");
      token = page.metadata.continue ?? "";
      pages += 1;
    } while (token !== "");
    expect(pages).toBe(5);
    expect(names.size).toBe(500);
  });

  it("answers 410 to a continue token from before a compaction, once its cache has heard of it", async () => {
    const first = await kube.demand("GET", `${secrets}?limit=100`);
    await kube.compact();
    const again = () =>
      kube.request("GET", `${secrets}?limit=100&continue=${first.metadata.continue}`);
    await waitUntil("the end of the token", 30_000, async () => (await again()).status === 410);
    expect((await again()).body.reason).toBe("Expired");
  });

  it("gives metadata without values, and a table with the type", async () => {
    const form = (kind: string) => ({ accept: `application/json;as=${kind};g=meta.k8s.io;v=v1` });
    const metadata = await kube.demand(
      "GET",
      `${secrets}?limit=2`,
      undefined,
      form("PartialObjectMetadataList"),
    );
    expect(metadata.items?.length).toBe(2);
    expect(metadata.items?.[0]?.data).toBeUndefined();
    const fields = JSON.stringify(metadata.items?.[0]?.metadata.managedFields);
    expect(fields).toContain('"f:data"');
    expect(fields).toContain('"f:value"');
    const path = `${secrets}?limit=2&includeObject=Metadata`;
    const table = await kube.demand<{ rows: { cells: unknown[] }[] }>(
      "GET",
      path,
      undefined,
      form("Table"),
    );
    expect(table.rows[0]?.cells.slice(0, 3)).toEqual(["secret-00000", "Opaque", 1]);
  });

  it("refuses an update from an old version with 409", async () => {
    const before = await readSecret(kube, "many", "secret-00010");
    await kube.demand("PATCH", `${secrets}/secret-00010`, {
      metadata: { labels: { touched: "yes" } },
    });
    const late = await kube.request("PUT", `${secrets}/secret-00010`, before);
    expect(late.status).toBe(409);
    expect(late.body.reason).toBe("Conflict");
  });

  it("refuses to change an immutable Secret", async () => {
    await createSecrets(kube, [
      { namespace: "many", name: "fixed", stringData: { value: "a" }, immutable: true },
    ]);
    const data = { value: Buffer.from("b").toString("base64") };
    expect((await kube.request("PATCH", `${secrets}/fixed`, { data })).status).toBe(422);
  });

  it("applies on the server, keeps the other manager's fields, and reports conflicts", async () => {
    const apply = (manager: string, data: Record<string, string>, force = false) =>
      kube.request(
        "PATCH",
        `${secrets}/applied?fieldManager=${manager}&force=${force}`,
        { apiVersion: "v1", kind: "Secret", metadata: { name: "applied" }, data },
        { "content-type": "application/apply-patch+yaml" },
      );
    expect((await apply("one", { a: "YQ==" })).status).toBe(201);
    expect((await apply("two", { b: "Yg==" })).status).toBe(200);
    expect((await apply("two", { a: "Yg==", b: "Yg==" })).status).toBe(409);
    expect((await apply("two", { a: "Yg==", b: "Yg==" }, true)).status).toBe(200);
    expect((await readSecret(kube, "many", "applied"))?.data).toEqual({ a: "Yg==", b: "Yg==" });
  });

  it("tells an account what it may do", async () => {
    const rules = [{ apiGroups: [""], resources: ["secrets"], verbs: ["get"] }];
    const client = kube.clientFor(await createServiceAccount(kube, "many", "asker", rules));
    const may = async (verb: string) => {
      const answer = await client.request(
        "POST",
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        {
          apiVersion: "authorization.k8s.io/v1",
          kind: "SelfSubjectAccessReview",
          spec: { resourceAttributes: { namespace: "many", verb, resource: "secrets" } },
        },
      );
      return (answer.body.status as { allowed: boolean }).allowed;
    };
    expect(await may("get")).toBe(true);
    expect(await may("create")).toBe(false);
    client.close();
  });

  it("serves Pod logs from the stub of a kubelet", async () => {
    const kubelet = await startKubeletStub(kube);
    await kubelet.createPod("many", "talker");
    kubelet.setLog("many", "talker", "first line\nsecond line\n");
    const log = await kube.request<string>(
      "GET",
      "/api/v1/namespaces/many/pods/talker/log?tailLines=7",
    );
    expect(log.status).toBe(200);
    expect(log.body).toBe("first line\nsecond line\n");
    expect(kubelet.asked[0]?.container).toBe("main");
    expect(kubelet.asked[0]?.query.get("tailLines")).toBe("7");
    await kubelet.stop();
  });

  it("counts what others ask, by verb and resource, and takes a kubeconfig that kubectl takes", async () => {
    await kube.forgetRequests();
    const kubeconfig = kube.kubeconfigFor({ namespace: "many", contextName: "one" });
    expect(statSync(kubeconfig).mode & 0o777).toBe(0o600);
    const args = ["get", "secret", "secret-00003", "-o", "jsonpath={.data.value}"];
    const { stdout } = await kubectl(kube, args, { kubeconfig });
    expect(Buffer.from(stdout, "base64").toString()).toBe("value 3");
    const counts = await kube.requestCounts();
    expect(counts["get secrets"]).toBe(1);
    expect(counts["list secrets"]).toBeUndefined();
    const lines = (await kube.requests()).filter((line) => line.objectRef?.resource === "secrets");
    expect(lines.map((line) => line.user.username)).toEqual(["admin"]);
    expect(lines[0]?.responseStatus?.code).toBe(200);
  });

  it("can be looked at and disturbed through a proxy in front", async () => {
    const front = await startFront(kube);
    const kubeconfig = kube.kubeconfigFor({ server: front.server, namespace: "many" });
    const get = (name: string) =>
      kubectl(kube, ["get", "secret", name, "-o", "name"], { kubeconfig });
    expect((await get("secret-00004")).stdout.trim()).toBe("secret/secret-00004");
    const passage = front.passages.find((one) => one.path.endsWith("/secret-00004"));
    expect(passage?.status).toBe(200);
    expect(passage?.bytes).toBeGreaterThan(100);
    front.interfere((one) =>
      one.path.includes("secret-00005") ? { status: 403, body: "{}" } : null,
    );
    const refused = await get("secret-00005");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/forbidden/i);
    await front.stop();
  });

  it("takes connections and answers nothing while paused", async () => {
    const client = kube.clientFor(kube.adminToken);
    kube.pause();
    const asked = client.request("GET", `${secrets}/secret-00001`);
    const early = await Promise.race([
      asked,
      new Promise((resolve) => setTimeout(() => resolve("silent"), 500)),
    ]);
    expect(early).toBe("silent");
    kube.resume();
    expect((await asked).status).toBe(200);
    client.close();
  });
});

describe.skipIf(lacksTools("kube-apiserver", "etcd"))(
  "a kube-apiserver whose pages come from etcd",
  () => {
    let kube: Kube;

    beforeAll(async () => {
      kube = await startKube({ pagesFromCache: false });
      await createNamespace(kube, "many");
      await createSecrets(kube, numbered(250));
    });
    afterAll(async () => {
      await kube?.stop();
    });

    it("answers 410 right after a compaction, with a token to go on inconsistently", async () => {
      const first = await kube.demand("GET", `${secrets}?limit=100`);
      await kube.compact();
      const second = await kube.request(
        "GET",
        `${secrets}?limit=100&continue=${first.metadata.continue}`,
      );
      expect(second.status).toBe(410);
      expect(second.body.reason).toBe("Expired");
      const onward = second.body.metadata.continue ?? "";
      expect(onward).not.toBe("");
      const third = await kube.request("GET", `${secrets}?limit=100&continue=${onward}`);
      expect(third.status).toBe(200);
      expect(third.body.items?.length).toBe(100);
    });
  },
);

describe.skipIf(lacksTools("kube-apiserver", "etcd"))("a test process that is killed", () => {
  it("ends with the process that started it, and leaves no folder", async () => {
    const code = `
      const { startKube } = await import(${JSON.stringify(join(import.meta.dirname, "support/kube.ts"))});
      const kube = await startKube();
      process.stdout.write(JSON.stringify({ folder: kube.folder, pid: kube.pid }) + "\\n");
      process.kill(process.pid, "SIGKILL");
    `;
    const killed = await runProgram(process.execPath, ["--input-type=module", "-e", code]);
    expect(killed.signal).toBe("SIGKILL");
    const { folder, pid } = JSON.parse(killed.stdout) as { folder: string; pid: number };
    expect(pid).toBeGreaterThan(1);
    await waitUntil(
      "the end of the server",
      5_000,
      async () => !isAlive(pid) && !existsSync(folder),
    );
  });
});

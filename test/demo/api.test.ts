/** The demo's API beside the fake API server: certkeep's reader and writer see the same in both. */
import { describe, expect, it } from "vitest";
import { connect } from "../../lib/adapters/kubernetes/context.ts";
import { parseKubeconfig } from "../../lib/adapters/kubernetes/kubeconfig.ts";
import { createClusterReader } from "../../lib/adapters/kubernetes/reader.ts";
import { createClusterWriter } from "../../lib/adapters/kubernetes/writer.ts";
import { startDemoApi } from "../../lib/demo/api.ts";
import type { DemoObject } from "../../lib/demo/objects.ts";
import type { ClusterReader, ClusterWriter } from "../../lib/ports/cluster.ts";
import type { Secret } from "../../lib/secret/secret.ts";
import { startSandbox } from "../fake-apiserver/api.ts";

const value = (text: string): string => Buffer.from(text).toString("base64");

const secret = (
  name: string,
  type: string,
  data: Readonly<Record<string, string>>,
): DemoObject => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name, namespace: "shop", creationTimestamp: "2026-11-01T00:00:00Z" },
  type,
  data,
});

const objects: readonly DemoObject[] = [
  { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } },
  {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: { name: "web", namespace: "shop" },
  },
  secret("web-tls", "kubernetes.io/tls", { "tls.crt": value("c"), "tls.key": value("k") }),
  secret("password", "Opaque", { password: value("p") }),
];

/** All that is seen, without what each server makes up by itself. */
function seen(results: unknown): unknown {
  return JSON.parse(
    JSON.stringify(results, (key, each: unknown) =>
      ["uid", "resourceVersion", "createdAt", "modifiedAt"].includes(key) ? typeof each : each,
    ),
  );
}

async function allOf<T>(pages: AsyncIterable<readonly T[]>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const page of pages) all.push(...page);
  return all;
}

async function script(reader: ClusterReader, writer: ClusterWriter): Promise<unknown> {
  const listed = await allOf(reader.listMetadata({ namespace: null }));
  const typed = await allOf(
    reader.listSecrets({ namespace: null, fieldSelector: "type=kubernetes.io/tls" }),
  );
  const read = (await reader.getSecret("shop", "web-tls")) as Secret;
  const change = { namespace: "shop", name: "web-tls", labels: { a: "b" }, annotations: {} };
  const { resourceVersion } = read;
  const made = {
    namespace: "shop",
    name: "made",
    type: "Opaque",
    labels: {},
    annotations: {},
    data: { x: value("x") },
  };
  const presence = (kind: string, apiVersion: string, namespace: string | null, name: string) =>
    reader.presence({ apiVersion, kind, namespace, name });
  const end = new AbortController();
  const events: unknown[] = [];
  for await (const event of writer.watchSecrets(
    { namespace: "shop", labelSelector: "" },
    end.signal,
  )) {
    events.push(event);
    if (events.length === 2) await writer.createSecret({ ...made, name: "watched" });
    if (events.length === 3) end.abort();
  }
  return {
    listed,
    typed,
    read,
    missing: await reader.getSecret("shop", "missing"),
    present: await Promise.all([
      presence("Namespace", "v1", null, "shop"),
      presence("Namespace", "v1", null, "missing"),
      presence("Ingress", "networking.k8s.io/v1", "shop", "web"),
      presence("Ingress", "networking.k8s.io/v1", "shop", "missing"),
    ]),
    patched: await writer.patchSecret({ ...change, resourceVersion, data: { x: value("new") } }),
    stale: await writer.patchSecret({ ...change, resourceVersion, data: { x: value("newer") } }),
    after: await reader.getSecret("shop", "web-tls"),
    created: await writer.createSecret(made),
    taken: await writer.createSecret({ ...made, data: { x: value("other") } }),
    again: await reader.getSecret("shop", "made"),
    events,
  };
}

async function scriptOn(kubeconfig: string): Promise<unknown> {
  const connection = await connect(parseKubeconfig(kubeconfig, "kubeconfig.yaml"), null, {
    environment: {},
    nowMs: Date.now,
  });
  const reader = createClusterReader(connection);
  const writer = createClusterWriter(connection);
  try {
    return seen(await script(reader, writer));
  } finally {
    await Promise.all([reader.close(), writer.close()]);
  }
}

describe("the demo's API", () => {
  it("shows certkeep what the fake API server shows it", async () => {
    const demo = await startDemoApi();
    const fake = await startSandbox({ namespaces: [] });
    demo.put(...objects);
    fake.put(objects.map((object) => ({ ...object })));
    const [fromDemo, fromFake] = await Promise.all([
      scriptOn(demo.kubeconfig("demo")),
      scriptOn(fake.kubeconfig()),
    ]);
    await Promise.all([demo.stop(), fake.stop()]);
    expect(fromDemo).toEqual(fromFake);
    expect(fromDemo).toMatchObject({ patched: "done", stale: "conflict", taken: "conflict" });
  });

  it("lets in nobody else", async () => {
    const demo = await startDemoApi();
    const other = await startDemoApi();
    const [token, known] = [demo, other].map(
      (api) => /token: (\S+)/u.exec(api.kubeconfig("x"))?.[1],
    );
    const kubeconfig = demo.kubeconfig("demo").replace(token ?? "", known ?? "");
    await expect(scriptOn(kubeconfig)).rejects.toMatchObject({ code: "cluster_unauthorized" });
    await Promise.all([demo.stop(), other.stop()]);
  });
});

import { test, expect } from "vitest";
import { startKube } from "./support/kube.ts";
import { createSecrets } from "./support/objects.ts";
import { loadConnection } from "../../lib/adapters/kubernetes/kubeconfig.ts";
import { createClusterReader } from "../../lib/adapters/kubernetes/reader.ts";
test("smoke", async () => {
  const kube = await startKube();
  try {
    await kube.demand("POST", "/api/v1/namespaces", { metadata: { name: "a" } });
    const b64 = Buffer.from("x".repeat(3000)).toString("base64");
    await createSecrets(kube, Array.from({ length: 1200 }, (_, i) => ({ namespace: "a", name: `s-${i}`, type: "kubernetes.io/tls", data: { "tls.crt": b64, "tls.key": b64 } })) as never);
    const connection = await loadConnection({ files: [kube.kubeconfigFor()], environment: {}, homeFolder: null, nowMs: Date.now });
    const reader = createClusterReader(connection);
    console.log(await reader.identity());
    let t = performance.now();
    const all = [];
    for await (const page of reader.listMetadata({ namespace: null })) all.push(...page);
    console.log(all.length, all[0], performance.now() - t);
    t = performance.now();
    let n = 0;
    for await (const page of reader.listSecrets({ namespace: null })) { n += page.length; console.log(page.length); }
    console.log(n, performance.now() - t);
    console.log(await reader.getSecret("a", "s-1").then((s) => s?.dataKeys), await reader.getSecret("a", "nope"));
    console.log(await reader.presence({ apiVersion: "tailscale.com/v1alpha1", kind: "ProxyGroup", namespace: null, name: "x" }), await reader.presence({ apiVersion: "v1", kind: "Namespace", namespace: null, name: "x" }));
    console.log(reader.stats(), await kube.requestCounts());
    await reader.close();
    expect(n).toBe(all.length);
  } finally { await kube.stop(); }
});

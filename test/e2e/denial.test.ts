/** Who refuses a write on a real kube-apiserver, and quotes the private key that it was shown. */
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect } from "../../lib/adapters/kubernetes/context.ts";
import { loadKubeconfig } from "../../lib/adapters/kubernetes/kubeconfig.ts";
import { createClusterWriter } from "../../lib/adapters/kubernetes/writer.ts";
import type { ClusterWriter } from "../../lib/ports/cluster.ts";
import { CANARY, encodingsOf } from "../support/encodings.ts";
import { type Kube, startKube } from "./support/kube.ts";
import { createNamespace } from "./support/objects.ts";
import { waitUntil } from "./support/process.ts";
import { lacksTools } from "./support/tools.ts";

const VALUE = CANARY.toString("base64");
const ASK =
  "Read the reason in its log or policy: certkeep doesn't print it, since it can contain the " +
  "private key. Nothing was changed";

describe.skipIf(lacksTools("kube-apiserver", "etcd"))("a private key in a denial", () => {
  let kube: Kube;
  let webhook: Server;
  let writer: ClusterWriter;
  /** What the webhook answers with, once it was shown the Secret. */
  let answer: (key: Buffer) => { readonly status: number; readonly body: object | string };

  const review = (result: object) => ({
    status: 200,
    body: {
      apiVersion: "admission.k8s.io/v1",
      kind: "AdmissionReview",
      response: { uid: "", allowed: false, status: result },
    },
  });
  const create = async (namespace: string): Promise<string> => {
    try {
      await writer.createSecret({
        namespace,
        name: "a",
        type: "Opaque",
        labels: {},
        annotations: {},
        data: { "tls.key": VALUE },
      });
    } catch (error) {
      return (error as Error).message;
    }
    return "created";
  };

  beforeAll(async () => {
    kube = await startKube();
    const pair = await kube.authority.issue();
    webhook = createServer({ cert: pair.certPem, key: pair.keyPem }, (request, response) => {
      let text = "";
      request.on("data", (chunk: Buffer) => (text += chunk.toString("utf8")));
      request.on("end", () => {
        const { uid, object } = (
          JSON.parse(text) as {
            request: { uid: string; object: { data: Record<string, string> } };
          }
        ).request;
        const { status, body } = answer(Buffer.from(object.data["tls.key"] ?? "", "base64"));
        response.writeHead(status, { "content-type": "application/json" });
        response.end(
          typeof body === "string"
            ? body
            : JSON.stringify(body).replace('"uid":""', `"uid":"${uid}"`),
        );
      });
    });
    await new Promise<void>((resolve) => webhook.listen(0, "127.0.0.1", resolve));
    await createNamespace(kube, "hooked");
    await createNamespace(kube, "ruled");
    const registration = "admissionregistration.k8s.io/v1";
    const rules = [
      { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["secrets"] },
    ];
    const only = (name: string) => ({ matchLabels: { "kubernetes.io/metadata.name": name } });
    await kube.demand("POST", `/apis/${registration}/validatingwebhookconfigurations`, {
      apiVersion: registration,
      kind: "ValidatingWebhookConfiguration",
      metadata: { name: "echo" },
      webhooks: [
        {
          name: "echo.example.com",
          clientConfig: {
            url: `https://127.0.0.1:${(webhook.address() as AddressInfo).port}/`,
            caBundle: Buffer.from(kube.caPem).toString("base64"),
          },
          rules,
          namespaceSelector: only("hooked"),
          admissionReviewVersions: ["v1"],
          sideEffects: "None",
        },
      ],
    });
    await kube.demand("POST", `/apis/${registration}/validatingadmissionpolicies`, {
      apiVersion: registration,
      kind: "ValidatingAdmissionPolicy",
      metadata: { name: "echo" },
      spec: {
        matchConstraints: { resourceRules: rules, namespaceSelector: only("ruled") },
        validations: [
          {
            expression: "false",
            messageExpression: "'no: ' + string(object.data['tls.key'])",
            reason: "Forbidden",
          },
        ],
      },
    });
    await kube.demand("POST", `/apis/${registration}/validatingadmissionpolicybindings`, {
      apiVersion: registration,
      kind: "ValidatingAdmissionPolicyBinding",
      metadata: { name: "echo" },
      spec: { policyName: "echo", validationActions: ["Deny"] },
    });
    const config = await loadKubeconfig({
      files: [kube.kubeconfigFor({ contextName: "real" })],
      environment: {},
      homeFolder: null,
    });
    if (config === null) throw new Error("no kubeconfig");
    writer = createClusterWriter(
      await connect(config, null, { environment: {}, nowMs: Date.now }),
      {
        attempts: 1,
      },
    );
    answer = () => review({ message: "not yet" });
    await waitUntil("the webhook", 30_000, async () => (await create("hooked")).includes("echo"));
    await waitUntil("the policy", 30_000, async () => (await create("ruled")).includes("echo"));
  });
  afterAll(async () => {
    await writer?.close();
    webhook?.closeAllConnections();
    webhook?.close();
    await kube?.stop();
  });

  it.each(Object.keys(encodingsOf(CANARY)))(
    "isn't printed where a webhook echoes it as %s, in message or reason",
    async (name) => {
      answer = (key) => review({ code: 403, message: encodingsOf(key)[name] });
      const printed =
        "admission webhook echo.example.com denied the request to create secrets in namespace " +
        "hooked";
      expect(await create("hooked")).toBe(`cluster real: ${printed} (status 403). ${ASK}`);
      answer = (key) => review({ code: 400, reason: encodingsOf(key)[name] });
      expect(await create("hooked")).toBe(`cluster real: ${printed} (status 400). ${ASK}`);
    },
  );

  it("isn't printed where a webhook fails with it", async () => {
    answer = (key) => ({ status: 500, body: key.toString("base64") });
    expect(await create("hooked")).toBe(
      "cluster real: the call to admission webhook echo.example.com failed, so the cluster " +
        "refuses to create secrets in namespace hooked (status 500, InternalError). Fix the " +
        "webhook, or its failurePolicy. Nothing was changed",
    );
  });

  it("isn't printed where a policy quotes it", async () => {
    expect(await create("ruled")).toBe(
      "cluster real: ValidatingAdmissionPolicy echo denied the request to create secrets in " +
        `namespace ruled (status 403, Forbidden). ${ASK}`,
    );
  });
});
